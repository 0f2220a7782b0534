//! What is replicated: structures with a pause in the middle of each operation, so that who comes too early or too late can be seen.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use nr_loom_tests::{Dispatch, NodeReplicated};

use crate::search::{note_unless, step};

/// A counter kept twice. Adding gives the value before, so that answers are positions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counter {
    first: u64,
    second: u64,
}

/// Adds one.
pub(crate) struct Increment;

impl Counter {
    /// Fails if it is met in the middle of an operation.
    pub(crate) fn value(&self) -> u64 {
        let first = self.first;
        step();
        note_unless(first == self.second, || format!("{self:?} is seen in the middle of an operation"));
        first
    }
}

impl Dispatch for Counter {
    type ReadOperation<'a> = ();
    type WriteOperation = Increment;
    type Response = u64;

    fn dispatch(&self, (): ()) -> u64 {
        self.value()
    }

    fn dispatch_mut(&mut self, Increment: &Increment) -> u64 {
        let before = self.value();
        self.first = before + 1;
        step();
        self.second = before + 1;
        before
    }
}

/// Every number from 0 on was answered once, and those of each thread in order.
pub(crate) fn assert_dense(answers: &[Vec<u64>]) {
    assert!(answers.iter().all(|own| own.is_sorted_by(|a, b| a < b)), "the answers of a thread rise: {answers:?}");
    let mut all = answers.concat();
    all.sort_unstable();
    assert!(all.iter().copied().eq(0..all.len() as u64), "each number once: {answers:?}");
}

/// Every replica, asked on its own, has counted so far.
pub(crate) fn assert_everywhere(counter: &NodeReplicated<Counter>, value: u64) {
    for replica in counter.replica_ids() {
        assert_eq!(counter.register_on(replica).expect("it is there").execute(()), value, "{replica}");
    }
}

/// What somebody knows to have happened, and so everybody who asks from now on has to see.
#[derive(Default)]
pub(crate) struct Known(AtomicU64);

impl Known {
    /// An answer says that so many operations have been executed.
    pub(crate) fn learn(&self, count: u64) {
        self.0.fetch_max(count, SeqCst);
    }

    /// Reads, and fails if less is seen than was known before.
    pub(crate) fn check(&self, read: impl FnOnce() -> u64) -> u64 {
        let known = self.0.load(SeqCst);
        let seen = read();
        assert!(seen >= known, "a read sees {seen} after {known} was known");
        self.learn(seen);
        seen
    }
}
