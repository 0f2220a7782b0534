//! What all workers share.
//!
//! Nothing here is on the path of a command but counters, which each worker keeps for itself and others only read.

mod client;
mod histogram;
mod rates;
mod slow;
mod statistics;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nr::NodeReplicated;

use super::eviction::Evictor;
use super::table::table;
use crate::config::Config;
use crate::memory;
use crate::store::{Arguments, ClientAddress, Keyspace};
use rates::RateMeter;

pub use client::ClientRecord;
pub use histogram::{Distribution, Histogram};
pub use rates::Rates;
pub use slow::{Latency, LatencyEvent, SlowCommand, SlowLog};
pub use statistics::{CommandStatistics, Counter, Errors, WorkerStatistics};

/// What all workers share.
#[derive(Debug)]
pub struct Server {
    /// The keyspace.
    pub keyspace: Arc<NodeReplicated<Keyspace>>,
    config: Mutex<Arc<Config>>,
    /// Grows when the configuration changes.
    config_version: AtomicU64,
    /// The clients that are connected.
    pub clients: Mutex<BTreeMap<u64, Arc<ClientRecord>>>,
    next_client: AtomicU64,
    /// What each worker counts.
    pub workers: Vec<WorkerStatistics>,
    /// What makes room when memory is at its limit.
    pub evictor: Evictor,
    /// How often errors were answered.
    pub errors: Mutex<Errors>,
    rate_meter: Mutex<RateMeter>,
    /// Slow commands, the latest first.
    pub slow_log: Mutex<SlowLog>,
    /// Spikes of latency.
    pub latency: Mutex<Latency>,
    /// When the server started.
    pub started: Instant,
    /// When the server started, in milliseconds since 1970.
    pub started_at: i64,
    /// Bytes of memory in use when the server started.
    pub startup_memory: u64,
    /// A random name of this run: 40 hexadecimal digits.
    pub run_id: String,
    /// The port on which it listens.
    pub port: u16,
    /// Until when commands of clients wait, in milliseconds since 1970; 0 if they don't.
    pub paused_until: AtomicI64,
    /// How many pauses have been asked for.
    pub pauses: AtomicU64,
    /// Whether a pause concerns all commands and not only those that write.
    pub pause_all: AtomicBool,
    /// The server is to end.
    pub shutdown: AtomicBool,
    /// Whether keys are removed when they expire (`DEBUG SET-ACTIVE-EXPIRE`).
    pub active_expire: AtomicBool,
    /// Whether somebody looks after keys that expire.
    pub expiry_armed: AtomicBool,
}

/// Locks even if a thread panicked while it held the lock: what is kept here is whole between any two statements.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// The state of a server that starts now.
    pub fn new(
        keyspace: Arc<NodeReplicated<Keyspace>>,
        config: Arc<Config>,
        workers: usize,
        port: u16,
        started_at: i64,
        run_id: String,
    ) -> Self {
        let records_latencies = config.latency_tracking;
        Server {
            keyspace,
            config: Mutex::new(config),
            config_version: AtomicU64::new(0),
            clients: Mutex::default(),
            next_client: AtomicU64::new(1),
            workers: (0..workers).map(|_| WorkerStatistics::new(records_latencies)).collect(),
            evictor: Evictor::default(),
            errors: Mutex::default(),
            rate_meter: Mutex::default(),
            slow_log: Mutex::default(),
            latency: Mutex::default(),
            started: Instant::now(),
            started_at,
            startup_memory: memory::used(),
            run_id,
            port,
            paused_until: AtomicI64::new(0),
            pauses: AtomicU64::new(0),
            pause_all: AtomicBool::new(false),
            shutdown: AtomicBool::new(false),
            active_expire: AtomicBool::new(true),
            expiry_armed: AtomicBool::new(false),
        }
    }

    /// A client has connected.
    pub fn client_connected(&self, record: Arc<ClientRecord>) {
        // Relaxed, here and below: the number guides where the next client goes, and nothing else is read because of it.
        self.workers[record.address.worker as usize].connected.fetch_add(1, Ordering::Relaxed);
        lock(&self.clients).insert(record.address.client, record);
    }

    /// A client is connected no more; to be called once for each. It may be off the list already, if it was killed.
    pub fn client_gone(&self, address: ClientAddress) {
        lock(&self.clients).remove(&address.client);
        self.workers[address.worker as usize].connected.fetch_sub(1, Ordering::Relaxed);
    }

    /// The number of a new client.
    pub fn next_client(&self) -> u64 {
        // Relaxed: the number only has to be unique.
        self.next_client.fetch_add(1, Ordering::Relaxed)
    }

    /// The configuration.
    pub fn config(&self) -> Arc<Config> {
        lock(&self.config).clone()
    }

    /// A number that grows with each change of the configuration.
    #[inline]
    pub fn config_version(&self) -> u64 {
        // Acquire: pairs with the Release in `change_config`; who sees the new number finds the new configuration.
        self.config_version.load(Ordering::Acquire)
    }

    /// Replaces the configuration by what `change` makes of it, or leaves it where that fails. `publish` gets the new
    /// one while no other change can come between.
    pub fn change_config<E>(
        &self,
        change: impl FnOnce(&Config) -> Result<Config, E>,
        publish: impl FnOnce(Arc<Config>),
    ) -> Result<(), E> {
        let mut config = lock(&self.config);
        *config = Arc::new(change(&config)?);
        for worker in &self.workers {
            // Relaxed: see `WorkerStatistics::executed`.
            worker.records_latencies.store(config.latency_tracking, Ordering::Relaxed);
        }
        publish(config.clone());
        // Release: pairs with the Acquire in `config_version`.
        self.config_version.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// The sum of a counter over all workers.
    pub fn total(&self, counter: impl Fn(&WorkerStatistics) -> &Counter) -> u64 {
        self.workers.iter().map(|worker| counter(worker).get()).sum()
    }

    /// How much happens in a second, on average since this was asked last, but for at least a second.
    pub fn rates(&self) -> Rates {
        let totals = Rates {
            commands: self.total(|worker| &worker.commands) as f64,
            input: self.total(|worker| &worker.input) as f64,
            output: self.total(|worker| &worker.output) as f64,
        };
        lock(&self.rate_meter).rates(Instant::now(), totals)
    }

    /// Counts a request that was refused for its number of arguments, if its command is known.
    #[cold]
    pub fn count_rejected(&self, arguments: Arguments<'_>, worker: usize) {
        if let Some(id) = table().find(arguments.get(0)) {
            self.workers[worker].command(id).rejected.add(1);
        }
    }

    /// Notes a command that took long, in the slow log and as a spike of latency, as far as the configuration asks for
    /// them.
    #[cold]
    pub fn log_slow(
        &self,
        config: &Config,
        now: i64,
        nanoseconds: u64,
        arguments: Arguments<'_>,
        record: &ClientRecord,
    ) {
        let microseconds = nanoseconds / 1000;
        if config.slowlog_log_slower_than >= 0 && microseconds >= config.slowlog_log_slower_than as u64 {
            lock(&self.slow_log).add(config.slowlog_max_len, |id| SlowCommand {
                id,
                time: now / 1000,
                duration: microseconds,
                arguments: slow::shorten(arguments),
                peer: record.peer.clone(),
                name: lock(&record.name).clone(),
            });
        }
        let event = Latency::event_of(arguments.get(0));
        self.note_latency(config, event, now, Duration::from_micros(microseconds));
    }

    /// Notes an event as a spike of latency, if it took as long as the configuration says.
    pub fn note_latency(&self, config: &Config, event: &'static str, now: i64, duration: Duration) {
        let (threshold, milliseconds) = (config.latency_monitor_threshold, duration.as_millis() as u64);
        if threshold > 0 && milliseconds >= threshold {
            lock(&self.latency).add(event, now / 1000, milliseconds);
        }
    }

    /// Counts an error reply, given its text.
    #[cold]
    pub fn count_error(&self, text: &[u8]) {
        lock(&self.errors).count(text);
    }

    /// Starts all counts anew (`CONFIG RESETSTAT`), but for those that the keyspace keeps.
    pub fn reset_statistics(&self) {
        self.workers.iter().for_each(WorkerStatistics::reset);
        *lock(&self.errors) = Errors::default();
        *lock(&self.rate_meter) = RateMeter::default();
    }
}
