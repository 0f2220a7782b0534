//! The configuration: its parameters, its file and its command line.
//!
//! # Layout
//!
//! [`Config`] is a plain value with a typed field for every parameter that something in the server
//! asks for. [`PARAMETERS`] is the one table that gives each parameter its name, its kind, its range
//! and the way to read and write it; the file, the command line and `CONFIG` all go through it.
//!
//! - [`values`]: the types of fields that are more than a number, a switch or a text;
//! - [`kind`]: how the text of a value is checked;
//! - [`parameter`]: one row of the table, and [`parameters`]: the table;
//! - `own`: the few parameters that have a syntax of their own;
//! - [`file`](mod@file): files of directives, and [`rewrite`]: writing them;
//! - [`flags`]: the command line.
//!
//! A running server never changes a `Config` in place: [`Config::set`] gives a changed copy, so that
//! a command with several parameters changes all or none of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::resp::pattern;

pub mod file;
pub mod flags;
pub mod kind;
mod own;
pub mod parameter;
pub mod parameters;
pub mod rewrite;
#[cfg(test)]
mod tests;
pub mod values;

pub use file::ConfigError;
pub use kind::Kind;
pub use parameter::{Mutability, Parameter};
pub use parameters::PARAMETERS;
pub use values::{
    ClientClass, ClientsLimit, EncodingLimits, EventFlags, LogLevel, MaxmemoryPolicy, OutputLimit, ProtectedAction,
    ReplicaLayout, SavePoint,
};

/// The values of all parameters.
///
/// The default is that of Redis 7.0, except that the server listens only on loopback addresses, as
/// the configuration file that comes with Redis has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The file that the configuration came from, if there was one.
    pub config_file: Option<PathBuf>,

    /// Addresses to listen on. A leading `-` allows an address to be unavailable; `*` is every
    /// address of IPv4, `::*` every address of IPv6.
    pub bind: Vec<String>,
    /// Port to listen on; zero asks the system for a free one.
    pub port: u16,
    /// Connections that may wait to be accepted.
    pub tcp_backlog: u32,
    /// Seconds without traffic after which the system checks a connection; zero never does.
    pub tcp_keepalive: u32,
    /// Seconds after which an idle client is disconnected; zero never does.
    pub timeout: u32,
    /// Clients that may be connected at once.
    pub maxclients: u32,
    /// Whether clients from other machines are refused while there is no password and no `bind`.
    pub protected_mode: bool,
    /// The password that clients need; empty for none.
    pub requirepass: Vec<u8>,
    /// Whether `CONFIG SET` may change `dir` and `dbfilename`.
    pub enable_protected_configs: ProtectedAction,
    /// Whether clients may use `DEBUG`.
    pub enable_debug_command: ProtectedAction,

    /// Threads that serve clients; zero for one per available core.
    pub workers: usize,
    /// Replicas of the keyspace.
    pub replicas: ReplicaLayout,
    /// Number of databases.
    pub databases: u32,

    /// Bytes of memory that the keyspace may use; zero for no limit.
    pub maxmemory: u64,
    /// What to remove at the limit.
    pub maxmemory_policy: MaxmemoryPolicy,
    /// Keys that a choice of what to remove looks at.
    pub maxmemory_samples: u32,
    /// How long commands may wait while keys are removed: 0 hardly, 10 normal, 100 without end.
    pub maxmemory_eviction_tenacity: u32,
    /// Memory for the buffers of all clients.
    pub maxmemory_clients: ClientsLimit,
    /// How slowly the counter of uses saturates.
    pub lfu_log_factor: u32,
    /// Minutes after which the counter of uses is decreased; zero never does.
    pub lfu_decay_time: u32,

    /// Background work per second, from 1 to 500 times.
    pub hz: u32,
    /// Whether more clients raise `hz`.
    pub dynamic_hz: bool,
    /// How hard expired keys are searched for, from 1 to 10.
    pub active_expire_effort: u32,
    /// Whether idle time is used to resize tables.
    pub activerehashing: bool,
    /// Whether values removed for want of memory are freed in the background.
    pub lazyfree_lazy_eviction: bool,
    /// Whether values that expired are freed in the background.
    pub lazyfree_lazy_expire: bool,
    /// Whether values that a command replaced are freed in the background.
    pub lazyfree_lazy_server_del: bool,
    /// Whether `DEL` behaves like `UNLINK`.
    pub lazyfree_lazy_user_del: bool,
    /// Whether `FLUSHALL` and `FLUSHDB` free in the background unless told otherwise.
    pub lazyfree_lazy_user_flush: bool,

    /// Bytes of the longest string in a request.
    pub proto_max_bulk_len: u64,
    /// Bytes of requests that a client may have waiting.
    pub client_query_buffer_limit: u64,
    /// Limits on replies that wait to be read, indexed by [`ClientClass`].
    pub client_output_buffer_limit: [OutputLimit; 3],
    /// Keys that may be remembered for clients that cache.
    pub tracking_table_max_keys: usize,

    /// Up to which size values are compact.
    pub encodings: EncodingLimits,
    /// Events of the keyspace that are published.
    pub notify_keyspace_events: EventFlags,

    /// Microseconds from which a command is slow; negative never, zero always.
    pub slowlog_log_slower_than: i64,
    /// Slow commands that are remembered.
    pub slowlog_max_len: usize,
    /// Milliseconds from which an event counts as a spike; zero for never.
    pub latency_monitor_threshold: u64,
    /// Whether the latency of each command is recorded.
    pub latency_tracking: bool,
    /// Percentiles that `INFO` shows.
    pub latency_tracking_info_percentiles: Vec<f64>,

    /// What is written to the log.
    pub loglevel: LogLevel,
    /// The file of the log; empty for the standard output.
    pub logfile: PathBuf,
    /// The file that holds the process id; empty for none.
    pub pidfile: PathBuf,
    /// The directory of all files that the server writes, as an absolute path.
    pub dir: PathBuf,
    /// The name of the snapshot inside [`dir`](Self::dir).
    pub dbfilename: PathBuf,
    /// When snapshots are due.
    pub save: Vec<SavePoint>,

    /// Values without a field, as text, where they differ from the default.
    kept: BTreeMap<&'static str, Vec<u8>>,
}

impl Default for Config {
    fn default() -> Self {
        const MEGABYTE: u64 = 1 << 20;
        let save_point = |seconds, changes| SavePoint { seconds, changes };
        Self {
            config_file: None,
            bind: vec!["127.0.0.1".to_owned(), "-::1".to_owned()],
            port: 6379,
            tcp_backlog: 511,
            tcp_keepalive: 300,
            timeout: 0,
            maxclients: 10_000,
            protected_mode: true,
            requirepass: Vec::new(),
            enable_protected_configs: ProtectedAction::No,
            // Nothing that `DEBUG` does here harms: an operator at the machine may compare the replicas.
            enable_debug_command: ProtectedAction::Local,
            workers: 0,
            replicas: ReplicaLayout::NumaNodes,
            databases: 16,
            maxmemory: 0,
            maxmemory_policy: MaxmemoryPolicy::NoEviction,
            maxmemory_samples: 5,
            maxmemory_eviction_tenacity: 10,
            maxmemory_clients: ClientsLimit::Bytes(0),
            lfu_log_factor: 10,
            lfu_decay_time: 1,
            hz: 10,
            dynamic_hz: true,
            active_expire_effort: 1,
            activerehashing: true,
            lazyfree_lazy_eviction: false,
            lazyfree_lazy_expire: false,
            lazyfree_lazy_server_del: false,
            lazyfree_lazy_user_del: false,
            lazyfree_lazy_user_flush: false,
            proto_max_bulk_len: 512 * MEGABYTE,
            client_query_buffer_limit: 1024 * MEGABYTE,
            client_output_buffer_limit: [
                OutputLimit::default(),
                OutputLimit { hard: 256 * MEGABYTE, soft: 64 * MEGABYTE, soft_seconds: 60 },
                OutputLimit { hard: 32 * MEGABYTE, soft: 8 * MEGABYTE, soft_seconds: 60 },
            ],
            tracking_table_max_keys: 1_000_000,
            encodings: EncodingLimits::default(),
            notify_keyspace_events: EventFlags::NONE,
            slowlog_log_slower_than: 10_000,
            slowlog_max_len: 128,
            latency_monitor_threshold: 0,
            latency_tracking: true,
            latency_tracking_info_percentiles: vec![50.0, 99.0, 99.9],
            loglevel: LogLevel::Notice,
            logfile: PathBuf::new(),
            pidfile: PathBuf::new(),
            dir: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            dbfilename: PathBuf::from("dump.rdb"),
            save: vec![save_point(3600, 1), save_point(300, 100), save_point(60, 10_000)],
            kept: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Whether a command that took so long belongs into the slow log, or counts as a spike of latency.
    #[inline]
    pub fn is_slow(&self, nanoseconds: u64) -> bool {
        let (slow, spike) = (self.slowlog_log_slower_than, self.latency_monitor_threshold);
        (slow >= 0 && nanoseconds / 1000 >= slow as u64) || (spike > 0 && nanoseconds / 1_000_000 >= spike)
    }

    /// Whether the slow log asks for commands so short that each has to be timed by itself.
    #[inline]
    pub fn times_everything(&self) -> bool {
        (0..100).contains(&self.slowlog_log_slower_than)
    }

    /// The parameters that match any of the patterns, each name once, with their values.
    ///
    /// A name matches itself whatever its case. A pattern with `*`, `?` or `[` matches names and
    /// aliases, but no hidden parameters.
    pub fn get<P: AsRef<[u8]>>(&self, patterns: &[P]) -> Vec<(&'static str, Vec<u8>)> {
        let asked = |name: &str, parameter: &Parameter| {
            patterns.iter().map(AsRef::as_ref).any(|wanted| {
                if wanted.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) {
                    !parameter.hidden && pattern::matches(wanted, name.as_bytes(), true)
                } else {
                    wanted.eq_ignore_ascii_case(name.as_bytes())
                }
            })
        };
        PARAMETERS
            .iter()
            .flat_map(|parameter| parameter.names().map(move |name| (name, parameter)))
            .filter(|(name, parameter)| asked(name, parameter))
            .map(|(name, parameter)| (name, parameter.get(self)))
            .collect()
    }

    /// A copy with the values of all these parameters changed, for a client on another machine.
    ///
    /// # Errors
    ///
    /// The error reply of `CONFIG SET`, about the first pair that can't be taken. An unknown name,
    /// one that can't change and one that is there twice come before any bad value.
    pub fn set(&self, pairs: &[(&[u8], &[u8])]) -> Result<Self, String> {
        self.set_as(pairs, false)
    }

    /// Like [`set`](Self::set); `local` says whether the client is on this machine, which
    /// `enable-protected-configs local` asks for.
    ///
    /// # Errors
    ///
    /// Those of [`set`](Self::set).
    pub fn set_as(&self, pairs: &[(&[u8], &[u8])], local: bool) -> Result<Self, String> {
        let failed = |name: &[u8], reason: &str| {
            let name = String::from_utf8_lossy(name);
            format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
        };
        const IMMUTABLE: &str = "can't set immutable config";

        let mut parameters = Vec::with_capacity(pairs.len());
        let mut names: Vec<&'static str> = Vec::with_capacity(pairs.len());
        for &(given, _) in pairs {
            let Some((name, parameter)) = parameters::find(given) else {
                let name = String::from_utf8_lossy(given);
                return Err(format!("ERR Unknown option or number of arguments for CONFIG SET - '{name}'"));
            };
            if parameter.mutability == Mutability::Immutable {
                return Err(failed(given, IMMUTABLE));
            }
            if parameter.protected && !self.enable_protected_configs.allows(local) {
                return Err(failed(given, "can't set protected config"));
            }
            if names.contains(&name) {
                return Err(failed(given, "duplicate parameter"));
            }
            names.push(name);
            parameters.push(parameter);
        }

        let mut changed = self.clone();
        for (parameter, &(given, value)) in parameters.into_iter().zip(pairs) {
            parameter.set_text(&mut changed, value).map_err(|reason| failed(given, &reason))?;
            if parameter.mutability == Mutability::Fixed && parameter.get(&changed) != parameter.get(self) {
                return Err(failed(given, IMMUTABLE));
            }
        }
        changed.settle();
        Ok(changed)
    }

    /// Brings values into their useful range that are accepted beyond it.
    fn settle(&mut self) {
        self.hz = self.hz.clamp(1, 500);
    }

    /// The limit on the replies that wait for a client of a class.
    pub fn output_limit(&self, class: ClientClass) -> OutputLimit {
        self.client_output_buffer_limit[class as usize]
    }
}

/// Whether logs must not show the value of a parameter with this name.
pub fn is_sensitive(name: &[u8]) -> bool {
    parameters::find(name).is_some_and(|(_, parameter)| parameter.sensitive)
}
