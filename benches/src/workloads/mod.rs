//! The sequential structures that the peers share between threads, and the operations run on them.

mod btree;
mod cache;
mod counter;
mod heap;
mod map;
mod sorted_set;
mod stack;
mod synthetic;

use crate::keys::{Distribution, Keys};
use crate::peers::{Handle, SharedPeerVisitor};
use std::fmt::Debug;

pub use btree::{BTree, Scan, sum_of_some};
pub use cache::Cache;
pub use counter::Counter;
pub use heap::Heap;
pub use map::{Map, Put};
pub use sorted_set::{Increment, SortedSet};
pub use stack::Stack;
pub use synthetic::Synthetic;

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

    /// Touches what `op` is going to need; for peers that can tell some operations before.
    #[inline]
    fn prefetch(&self, _op: &Self::Write) {}
}

/// Changes a stack or a priority queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PushPop {
    /// Puts a value in.
    Push(u64),
    /// Takes the value out whose turn it is.
    Pop,
}

/// A structure with the operations that clients run on it: the same for every peer.
pub trait Workload: Structure {
    /// The structure's name.
    const NAME: &'static str;
    /// What is kept, what a read does, what a write does: for people.
    const ABOUT: [&'static str; 3];
    /// Entries unless told otherwise.
    const ENTRIES: u64;
    /// The most entries that there may be.
    const MOST_ENTRIES: u64 = 1 << 32;

    /// What one thread remembers from one operation to the next.
    type Client: Send;

    /// The structure with so many entries.
    fn filled(entries: u64) -> Self;

    /// About how many bytes that takes.
    fn bytes(entries: u64) -> u64;

    /// A thread that chooses entries by `keys`.
    fn client(keys: Keys) -> Self::Client;

    /// The next read.
    fn read_through<H: Handle<Self>>(client: &mut Self::Client, handle: &mut H) -> Option<u64>;

    /// The next write.
    fn write_through<H: Handle<Self>>(client: &mut Self::Client, handle: &mut H) -> Option<u64>;

    /// Whether every operation has an answer: then a peer that gives none is wrong.
    const ALWAYS_ANSWERS: bool;

    /// Shows `visitor` the peers that can do nothing but this structure.
    fn for_each_rival(_visitor: &mut impl SharedPeerVisitor<Self>) {}
}

/// One kind of operation only, on one thread.
pub trait Solo: Send + 'static {
    /// What it runs on.
    type Workload: Workload;
    /// `structure/operation`, as in criterion's groups.
    const NAME: &'static str;

    /// Runs the next operation.
    fn step<H: Handle<Self::Workload>>(client: &mut ClientOf<Self>, handle: &mut H) -> Option<u64>;

    /// A client at the beginning of its run.
    fn client(entries: u64) -> ClientOf<Self> {
        Self::Workload::client(Keys::new(Distribution::Uniform, entries, 1))
    }
}

/// The client of a single kind of operation.
pub type ClientOf<K> = <<K as Solo>::Workload as Workload>::Client;

/// Names one kind of operation.
macro_rules! solo {
    ($($(#[$doc:meta])* $kind:ident: $workload:ident, $name:literal, $step:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $kind {}

        impl Solo for $kind {
            type Workload = $workload;
            const NAME: &'static str = $name;

            #[inline]
            fn step<H: Handle<$workload>>(client: &mut ClientOf<Self>, handle: &mut H) -> Option<u64> {
                $workload::$step(client, handle)
            }
        }
    )*

        /// Shows `visitor` every single kind of operation.
        pub fn for_each_solo(visitor: &mut impl SoloVisitor) {
            $(visitor.visit::<$kind>();)*
        }
    };
}

solo! {
    /// Looks existing keys up.
    MapRead: Map, "map/read", read_through;
    /// Overwrites existing keys.
    MapWrite: Map, "map/write", write_through;
    /// Looks at the greatest value.
    HeapPeek: Heap, "heap/peek", read_through;
    /// Pushes a value, takes the greatest, and so on in turn.
    HeapPushPop: Heap, "heap/push_pop", write_through;
    /// Reads the number.
    CounterRead: Counter, "counter/read", read_through;
    /// Adds one.
    CounterAdd: Counter, "counter/add", write_through;
}

/// Is shown each single kind of operation in turn; a closure cannot be generic, a trait's method can.
pub trait SoloVisitor {
    /// Called once for each.
    fn visit<K: Solo>(&mut self);
}

/// The names of all single kinds of operation.
pub fn solo_names() -> Vec<&'static str> {
    struct Names(Vec<&'static str>);
    impl SoloVisitor for Names {
        fn visit<K: Solo>(&mut self) {
            self.0.push(K::NAME);
        }
    }
    let mut names = Names(Vec::new());
    for_each_solo(&mut names);
    names.0
}

/// Is shown each workload in turn.
pub trait WorkloadVisitor {
    /// Called once for each workload.
    fn visit<W: Workload>(&mut self);
}

/// Shows `visitor` every workload.
pub fn for_each_workload(visitor: &mut impl WorkloadVisitor) {
    visitor.visit::<Map>();
    visitor.visit::<Heap>();
    visitor.visit::<SortedSet>();
    visitor.visit::<Stack>();
    visitor.visit::<BTree>();
    visitor.visit::<Cache>();
    visitor.visit::<Synthetic>();
    visitor.visit::<Counter>();
}

#[cfg(test)]
mod tests {
    use super::{Workload, WorkloadVisitor, for_each_workload};
    use crate::keys::{Distribution, Keys};
    use crate::peers::{Bare, Peer};

    /// However long a run is, the structure stays as large as it was, and so costs what it did.
    #[test]
    fn every_structure_keeps_its_size_and_answers() {
        struct Check;
        impl WorkloadVisitor for Check {
            fn visit<W: Workload>(&mut self) {
                for distribution in [Distribution::Uniform, Distribution::Zipf] {
                    let mut peer = Bare::build(W::filled(100)).unwrap();
                    let mut client = W::client(Keys::new(distribution, 100, 7));
                    for round in 0..2_000 {
                        let mut handle = peer.solo().unwrap();
                        let answers = [
                            W::write_through(&mut client, &mut handle),
                            W::read_through(&mut client, &mut handle),
                            W::read_through(&mut client, &mut handle),
                        ];
                        let answered = answers.iter().all(Option::is_some);
                        assert!(answered || !W::ALWAYS_ANSWERS, "{}: no answer in round {round}", W::NAME);
                    }
                }
            }
        }
        for_each_workload(&mut Check);
    }
}
