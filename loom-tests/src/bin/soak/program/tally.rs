//! What has been checked so far, and when it is enough.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::*};
use std::time::{Duration, Instant};

/// The figures of one check. Each is a sum, which orders nothing: `Relaxed`.
#[derive(Default)]
pub struct Tally {
    pub operations: AtomicU64,
    /// Windows decided.
    pub windows: AtomicU64,
    /// Those of them in which operations of different threads overlapped.
    pub overlapping: AtomicU64,
    /// Nanoseconds for which the check has run.
    time: AtomicU64,
    violations: Mutex<Vec<String>>,
}

impl Tally {
    pub fn add_violation(&self, violation: String) {
        self.violations.lock().expect("nobody panics with it").push(violation);
    }

    pub fn violations(&self) -> Vec<String> {
        self.violations.lock().expect("nobody panics with it").clone()
    }

    pub fn add_time(&self, time: Duration) {
        self.time.fetch_add(time.as_nanos() as u64, Relaxed);
    }

    pub fn time(&self) -> Duration {
        Duration::from_nanos(self.time.load(Relaxed))
    }
}

/// When a run ends, and how long its rounds are.
pub struct Limit<'a> {
    pub deadline: Option<Instant>,
    pub rounds: Option<usize>,
    /// How many calls a thread makes in a round of a check that needs no short ones.
    pub calls: usize,
    /// Raised to end it at once.
    pub stop: &'a AtomicBool,
}

impl Limit<'_> {
    pub fn is_reached(&self, rounds: usize) -> bool {
        self.rounds.is_some_and(|most| rounds >= most) || self.is_past()
    }

    /// Whether it is time to end even in the midst of a round.
    pub fn is_past(&self) -> bool {
        self.stop.load(Relaxed) || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
