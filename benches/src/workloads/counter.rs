//! Eight bytes: the cheapest structure there is, so that what a peer adds is seen undiluted.

use super::{Structure, Workload};
use crate::peers::Handle;

/// A number that grows.
#[derive(Clone, Debug, Default)]
pub struct Counter(u64);

impl Structure for Counter {
    type Read = ();
    type Write = u64;

    #[inline]
    fn read(&self, (): ()) -> Option<u64> {
        Some(self.0)
    }

    #[inline]
    fn write(&mut self, amount: &u64) -> Option<u64> {
        let before = self.0;
        self.0 = before.wrapping_add(*amount);
        Some(before)
    }
}

/// Reads the number.
#[derive(Debug)]
pub struct CounterRead;

impl Workload for CounterRead {
    type Structure = Counter;
    const NAME: &'static str = "counter/read";
    const ENTRIES: u64 = 0;
    const OPERATIONS: u64 = 1;

    fn structure(_entries: u64) -> Counter {
        Counter::default()
    }

    fn new(_entries: u64) -> Self {
        Self
    }

    #[inline]
    fn step<H: Handle<Counter>>(&mut self, handle: &mut H) -> Option<u64> {
        handle.read(())
    }
}

/// Adds one.
#[derive(Debug)]
pub struct CounterAdd;

impl Workload for CounterAdd {
    type Structure = Counter;
    const NAME: &'static str = "counter/add";
    const ENTRIES: u64 = 0;
    const OPERATIONS: u64 = 1;

    fn structure(_entries: u64) -> Counter {
        Counter::default()
    }

    fn new(_entries: u64) -> Self {
        Self
    }

    #[inline]
    fn step<H: Handle<Counter>>(&mut self, handle: &mut H) -> Option<u64> {
        handle.write(1)
    }
}
