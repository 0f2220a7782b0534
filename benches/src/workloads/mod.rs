//! The sequential structures that the peers share between threads, and the operations run on them.

mod counter;
mod heap;
mod map;

use crate::peers::Handle;
use std::fmt::Debug;

pub use counter::{Counter, CounterAdd, CounterRead};
pub use heap::{Heap, HeapPeek, HeapPushPop, HeapWrite};
pub use map::{Map, MapRead, MapWrite, Put};

/// A sequential structure, told only what to read and what to write.
///
/// The bounds are the union of what the peers ask for: the predecessor clones, compares and prints operations, so they can
/// be cloned, compared and printed.
pub trait Structure: Clone + Send + Sync + 'static {
    /// What a read asks.
    type Read: Clone + PartialEq + Debug + Send + Sync + 'static;
    /// What a write changes.
    type Write: Clone + PartialEq + Debug + Send + Sync + 'static;

    /// Answers a read.
    fn read(&self, op: Self::Read) -> Option<u64>;

    /// Carries out a write and gives what it replaced or removed.
    fn write(&mut self, op: &Self::Write) -> Option<u64>;
}

/// An endless run of one kind of operation on one structure, the same for every peer.
pub trait Workload: Send + 'static {
    /// What it runs on.
    type Structure: Structure;
    /// Its name, `structure/operation`, as in criterion's groups.
    const NAME: &'static str;
    /// Entries of the structure unless told otherwise; 0 where the structure has none.
    const ENTRIES: u64;
    /// Operations in one step.
    const OPERATIONS: u64;

    /// The structure, filled with `entries`.
    fn structure(entries: u64) -> Self::Structure;

    /// The run's beginning, on a structure of `entries`.
    fn new(entries: u64) -> Self;

    /// Runs the next step.
    fn step<H: Handle<Self::Structure>>(&mut self, handle: &mut H) -> Option<u64>;
}

/// Is shown each workload in turn; a closure cannot be generic, a trait's method can.
pub trait WorkloadVisitor {
    /// Called once for each workload.
    fn visit<W: Workload>(&mut self);
}

/// Shows `visitor` every workload.
pub fn for_each_workload(visitor: &mut impl WorkloadVisitor) {
    visitor.visit::<MapRead>();
    visitor.visit::<MapWrite>();
    visitor.visit::<HeapPeek>();
    visitor.visit::<HeapPushPop>();
    visitor.visit::<CounterRead>();
    visitor.visit::<CounterAdd>();
}

/// The names of all workloads.
pub fn names() -> Vec<&'static str> {
    struct Names(Vec<&'static str>);
    impl WorkloadVisitor for Names {
        fn visit<W: Workload>(&mut self) {
            self.0.push(W::NAME);
        }
    }
    let mut names = Names(Vec::new());
    for_each_workload(&mut names);
    names.0
}
