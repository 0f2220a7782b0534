//! What workers count.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::histogram::Histogram;
use crate::commands::table::{CommandId, table};

/// A counter that one thread writes and others read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `amount`; only the counter's own thread may.
    #[inline]
    pub fn add(&self, amount: u64) {
        // Relaxed, and a load and a store rather than one indivisible step: there is one writer, and readers ask for no
        // more than a recent value.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
    }

    /// The value.
    pub fn get(&self) -> u64 {
        // Relaxed: nothing else is read because of it.
        self.0.load(Ordering::Relaxed)
    }

    /// Starts anew (`CONFIG RESETSTAT`). An addition at the same time may undo it.
    pub fn reset(&self) {
        // Relaxed: as in `get`.
        self.0.store(0, Ordering::Relaxed);
    }
}

/// What one worker counts.
#[derive(Debug)]
#[repr(align(128))]
pub struct WorkerStatistics {
    /// Clients that it serves now.
    pub connected: AtomicUsize,
    /// Commands executed.
    pub commands: Counter,
    /// Connections accepted.
    pub connections: Counter,
    /// Connections refused as there were too many.
    pub rejected_connections: Counter,
    /// Bytes received.
    pub input: Counter,
    /// Bytes sent.
    pub output: Counter,
    /// Keys that readers looked up and found.
    pub hits: Counter,
    /// Keys that readers looked up and did not find.
    pub misses: Counter,
    /// Batches of writes.
    pub batches: Counter,
    /// Writes in those batches.
    pub batched: Counter,
    /// Turns of the event loop.
    pub turns: Counter,
    /// Clients disconnected as they did not read their replies.
    pub output_limit_disconnections: Counter,
    /// Clients disconnected as all clients took too much memory.
    pub evicted_clients: Counter,
    /// The last pause that it keeps to: [`Server::pauses`](super::Server::pauses) at the start of a turn.
    pub pause_kept: AtomicU64,
    /// Bytes that its clients take, while there is a limit.
    pub client_memory: AtomicU64,
    /// The bytes of the largest client that it would disconnect; 0 if there is none or no need.
    pub largest_client: AtomicU64,
    /// Clients disconnected as they sent more than is kept.
    pub query_limit_disconnections: Counter,
    /// Whether the latencies of commands are recorded, as the configuration has it.
    pub(super) records_latencies: AtomicBool,
    /// By command.
    pub by_command: Box<[CommandStatistics]>,
}

/// What one worker counts of one command.
#[derive(Debug, Default)]
pub struct CommandStatistics {
    /// How often it was executed.
    pub calls: Counter,
    /// How long that took in all, in nanoseconds.
    pub nanoseconds: Counter,
    /// How often it was refused before it was executed.
    pub rejected: Counter,
    /// How often it answered with an error.
    pub failed: Counter,
    /// How long it took how often.
    pub latencies: Histogram,
}

impl WorkerStatistics {
    pub(super) fn new(records_latencies: bool) -> Self {
        WorkerStatistics {
            connected: AtomicUsize::new(0),
            commands: Counter::default(),
            connections: Counter::default(),
            rejected_connections: Counter::default(),
            input: Counter::default(),
            output: Counter::default(),
            hits: Counter::default(),
            misses: Counter::default(),
            batches: Counter::default(),
            batched: Counter::default(),
            turns: Counter::default(),
            output_limit_disconnections: Counter::default(),
            evicted_clients: Counter::default(),
            pause_kept: AtomicU64::new(0),
            client_memory: AtomicU64::new(0),
            largest_client: AtomicU64::new(0),
            query_limit_disconnections: Counter::default(),
            records_latencies: AtomicBool::new(records_latencies),
            by_command: (0..table().len()).map(|_| CommandStatistics::default()).collect(),
        }
    }

    /// What is counted of that command.
    #[inline]
    pub fn command(&self, id: CommandId) -> &CommandStatistics {
        &self.by_command[id.0 as usize]
    }

    /// Counts `times` executions of a command that took `nanoseconds` each.
    #[inline]
    pub fn executed(&self, id: CommandId, times: u64, nanoseconds: u64) {
        self.commands.add(times);
        let command = self.command(id);
        command.calls.add(times);
        command.nanoseconds.add(nanoseconds * times);
        // Relaxed: a switch that other threads may turn a little earlier or later.
        if self.records_latencies.load(Ordering::Relaxed) {
            command.latencies.record(nanoseconds, times);
        }
    }

    /// Starts anew (`CONFIG RESETSTAT`).
    pub fn reset(&self) {
        let counters = [
            &self.commands,
            &self.connections,
            &self.rejected_connections,
            &self.input,
            &self.output,
            &self.hits,
            &self.misses,
            &self.batches,
            &self.batched,
            &self.turns,
            &self.output_limit_disconnections,
            &self.evicted_clients,
            &self.query_limit_disconnections,
        ];
        counters.into_iter().for_each(Counter::reset);
        for command in &self.by_command {
            [&command.calls, &command.nanoseconds, &command.rejected, &command.failed]
                .into_iter()
                .for_each(Counter::reset);
            command.latencies.reset();
        }
    }
}

/// How often errors were answered.
#[derive(Debug, Default)]
pub struct Errors {
    /// All of them.
    pub total: u64,
    /// By their codes.
    pub by_code: BTreeMap<String, u64>,
}

impl Errors {
    /// Counts an error, given its text.
    pub fn count(&mut self, text: &[u8]) {
        // Only so many codes, as some commands answer with an error of the client's choice.
        const MOST: usize = 128;
        self.total += 1;
        let code = String::from_utf8_lossy(text.split(|byte| *byte == b' ').next().unwrap_or_default());
        if self.by_code.len() < MOST || self.by_code.contains_key(&*code) {
            *self.by_code.entry(code.into_owned()).or_default() += 1;
        }
    }
}
