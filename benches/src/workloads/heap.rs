//! A priority queue that keeps its size: the greatest value is looked at, or a value is pushed and the greatest taken.
//!
//! The values pushed follow the *hold model* of event simulation: each lies a random distance below the one taken last.
//! Were they uniform over a fixed range instead, the heap would soon hold only small values, each push would climb to the
//! top and be taken at once, and the cost would depend on how long a peer had been running.

use super::{Structure, Workload};
use crate::peers::Handle;
use crate::sequence::Sequence;
use std::collections::BinaryHeap;

/// The first values lie at most `STEP` below this.
const START: u64 = 1 << 62;
/// A pushed value lies less than this below the one taken last.
const STEP: u64 = 1 << 32;

/// `BinaryHeap<u64>`.
#[derive(Clone, Debug, Default)]
pub struct Heap(BinaryHeap<u64>);

/// Changes a heap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HeapWrite {
    /// Puts a value in.
    Push(u64),
    /// Takes the greatest value out.
    Pop,
}

impl Heap {
    /// A heap of `entries` values, spread as the hold model leaves them in the long run: the distances below the greatest
    /// have a density that falls to 0 at `STEP`, like the smaller of two uniform numbers.
    pub fn filled(entries: u64) -> Self {
        let mut distances = Sequence::new(3);
        Self((0..entries).map(|_| START - distances.next_u32().min(distances.next_u32())).collect())
    }
}

impl Structure for Heap {
    type Read = ();
    type Write = HeapWrite;

    #[inline]
    fn read(&self, (): ()) -> Option<u64> {
        self.0.peek().copied()
    }

    #[inline]
    fn write(&mut self, op: &HeapWrite) -> Option<u64> {
        match *op {
            HeapWrite::Push(value) => {
                self.0.push(value);
                None
            }
            HeapWrite::Pop => self.0.pop(),
        }
    }
}

/// Looks at the greatest value.
#[derive(Debug)]
pub struct HeapPeek;

impl Workload for HeapPeek {
    type Structure = Heap;
    const NAME: &'static str = "heap/peek";
    const ENTRIES: u64 = 200_000;
    const OPERATIONS: u64 = 1;

    fn structure(entries: u64) -> Heap {
        Heap::filled(entries)
    }

    fn new(_entries: u64) -> Self {
        Self
    }

    #[inline]
    fn step<H: Handle<Heap>>(&mut self, handle: &mut H) -> Option<u64> {
        handle.read(())
    }
}

/// Pushes a value and takes the greatest: two operations, after which the size is what it was.
#[derive(Debug)]
pub struct HeapPushPop {
    distances: Sequence,
    taken: u64,
}

impl Workload for HeapPushPop {
    type Structure = Heap;
    const NAME: &'static str = "heap/push_pop";
    const ENTRIES: u64 = 200_000;
    const OPERATIONS: u64 = 2;

    fn structure(entries: u64) -> Heap {
        Heap::filled(entries)
    }

    fn new(_entries: u64) -> Self {
        Self { distances: Sequence::new(4), taken: START }
    }

    #[inline]
    fn step<H: Handle<Heap>>(&mut self, handle: &mut H) -> Option<u64> {
        handle.write(HeapWrite::Push(self.taken - self.distances.below(STEP)));
        let taken = handle.write(HeapWrite::Pop);
        self.taken = taken.unwrap_or(START);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::{Heap, HeapPushPop};
    use crate::peers::{Bare, Peer};
    use crate::workloads::Workload;

    #[test]
    fn size_and_spread_last() {
        let mut peer = Bare::build(Heap::filled(1_000)).unwrap();
        let mut workload = HeapPushPop::new(1_000);
        for _ in 0..100_000 {
            assert!(workload.step(&mut peer.solo().unwrap()).is_some());
        }
        let values = peer.into_inner().0.into_sorted_vec();
        assert_eq!(values.len(), 1_000);
        let spread = values[999] - values[0];
        assert!(spread > super::STEP / 2 && spread <= super::STEP, "{spread}");
    }
}
