//! A priority queue that keeps its size: the greatest value is looked at, or values are pushed and taken in turn.
//!
//! The values pushed follow the *hold model* of event simulation: each lies a random distance below the one taken last.
//! Were they uniform over a fixed range instead, the heap would soon hold only small values, each push would climb to the
//! top and be taken at once, and the cost would depend on how long a peer had been running.

use super::{PushPop, Structure, Workload};
use crate::keys::Keys;
use crate::peers::{self, Handle, SharedPeerVisitor};
use crate::sequence::Sequence;
use std::collections::BinaryHeap;

/// The first values lie at most `STEP` below this.
const START: u64 = 1 << 62;
/// A pushed value lies less than this below the one taken last.
const STEP: u64 = 1 << 32;

/// `BinaryHeap<u64>`.
#[derive(Clone, Debug, Default)]
pub struct Heap(pub BinaryHeap<u64>);

impl Structure for Heap {
    type Read = ();
    type Write = PushPop;

    #[inline]
    fn read(&self, (): ()) -> Option<u64> {
        self.0.peek().copied()
    }

    #[inline]
    fn write(&mut self, op: &PushPop) -> Option<u64> {
        match *op {
            PushPop::Push(value) => {
                self.0.push(value);
                None
            }
            PushPop::Pop => self.0.pop(),
        }
    }
}

/// Pushes and takes in turn.
#[derive(Clone, Debug)]
pub struct HeapClient {
    distances: Sequence,
    taken: u64,
    pops: bool,
}

impl Workload for Heap {
    const NAME: &'static str = "heap";
    const ABOUT: [&'static str; 3] =
        ["priority queue: BinaryHeap<u64>", "look at the greatest", "push a value or take the greatest, in turn"];
    const ENTRIES: u64 = 200_000;
    const ALWAYS_ANSWERS: bool = false;
    type Client = HeapClient;

    /// Spread as the hold model leaves the values in the long run: the distances below the greatest have a density that
    /// falls to 0 at `STEP`, like the smaller of two uniform numbers.
    fn filled(entries: u64) -> Self {
        let mut distances = Sequence::new(3);
        Self((0..entries).map(|_| START - distances.next_u32().min(distances.next_u32())).collect())
    }

    fn bytes(entries: u64) -> u64 {
        8 * entries
    }

    fn client(keys: Keys) -> HeapClient {
        HeapClient { distances: keys.random, taken: START, pops: false }
    }

    #[inline]
    fn read_through<H: Handle<Self>>(_client: &mut HeapClient, handle: &mut H) -> Option<u64> {
        handle.read(())
    }

    #[inline]
    fn write_through<H: Handle<Self>>(client: &mut HeapClient, handle: &mut H) -> Option<u64> {
        client.pops = !client.pops;
        if client.pops {
            handle.write(PushPop::Push(client.taken - client.distances.below(STEP)))
        } else {
            let taken = handle.write(PushPop::Pop);
            client.taken = taken.unwrap_or(START);
            taken
        }
    }

    fn for_each_rival(visitor: &mut impl SharedPeerVisitor<Self>) {
        visitor.visit::<peers::SkipQueue>();
    }
}

#[cfg(test)]
mod tests {
    use super::Heap;
    use crate::keys::{Distribution, Keys};
    use crate::peers::{Bare, Peer};
    use crate::workloads::Workload;

    #[test]
    fn size_and_spread_last() {
        let mut peer = Bare::build(Heap::filled(1_000)).unwrap();
        let mut client = Heap::client(Keys::new(Distribution::Uniform, 1_000, 4));
        for _ in 0..100_000 {
            assert!(Heap::write_through(&mut client, &mut peer.solo().unwrap()).is_none());
            assert!(Heap::write_through(&mut client, &mut peer.solo().unwrap()).is_some());
        }
        let values = peer.into_inner().0.into_sorted_vec();
        assert_eq!(values.len(), 1_000);
        let spread = values[999] - values[0];
        assert!(spread > super::STEP / 2 && spread <= super::STEP, "{spread}");
    }
}
