//! The ways to share a structure between threads that nr is compared with, one adapter a file, behind one trait.
//!
//! Each runs with its default settings. A peer that cannot be built says why; the programs show that in its place.

/// Makes peers of what threads share by reference: a thread's handle is that. With `any S` it takes any structure.
macro_rules! by_reference {
    ($peer:ty, $structure:ty, $name:literal, |$data:ident| $build:expr $(, any $any:ident)?) => {
        impl$(<$any: crate::workloads::Structure>)? crate::peers::Peer<$structure> for $peer {
            const NAME: &'static str = $name;
            type Handle<'a> = &'a Self;

            fn build($data: $structure) -> Result<Self, crate::peers::BuildFailure> {
                $build
            }

            fn solo(&mut self) -> Result<&Self, crate::peers::BuildFailure> {
                Ok(self)
            }
        }

        impl$(<$any: crate::workloads::Structure>)? crate::peers::SharedPeer<$structure> for $peer {
            fn handle(&self, _place: usize) -> Result<&Self, crate::peers::BuildFailure> {
                Ok(self)
            }
        }
    };
}

mod bare;
mod caches;
mod dashmap;
mod distributed_rwlock;
mod evmap;
mod flat_combining;
mod flurry;
mod left_right;
mod lock_free_stack;
mod nr;
mod papaya;
mod parking_lot_mutex;
mod parking_lot_rwlock;
mod predecessor;
mod scc;
mod skip_list;
mod spin_lock;
mod std_mutex;
mod std_rwlock;

use crate::workloads::{Structure, Workload};
use std::fmt;

pub use self::dashmap::DashMap;
pub use self::evmap::EvMap;
pub use self::flurry::Flurry;
pub use self::left_right::LeftRight;
pub use self::nr::Nr;
pub use self::papaya::Papaya;
pub use self::scc::{Scc, TreeIndex};
pub use bare::Bare;
pub use caches::{Moka, QuickCache};
pub use distributed_rwlock::DistributedRwLock;
pub use flat_combining::{FlatCombining, FlatCombiningRwLock};
pub use lock_free_stack::{EliminationStack, TreiberStack};
pub use parking_lot_mutex::ParkingLotMutex;
pub use parking_lot_rwlock::ParkingLotRwLock;
pub use predecessor::Predecessor;
pub use skip_list::{SkipMap, SkipQueue};
pub use spin_lock::SpinLock;
pub use std_mutex::StdMutex;
pub use std_rwlock::StdRwLock;

/// One thread's access to a peer.
pub trait Handle<S: Structure> {
    /// Runs a read.
    fn read(&mut self, op: S::Read) -> Option<u64>;

    /// Runs a write.
    fn write(&mut self, op: S::Write) -> Option<u64>;
}

/// A structure in the keeping of a peer.
pub trait Peer<S: Structure>: Sized + Send + 'static {
    /// Its name in tables and on command lines.
    const NAME: &'static str;

    /// One thread's access.
    type Handle<'a>: Handle<S>;

    /// Takes the structure in; a peer with replicas clones it.
    fn build(data: S) -> Result<Self, BuildFailure>;

    /// Access for a single thread, the only one: where there are replicas it uses the first, and nobody reads the others.
    fn solo(&mut self) -> Result<Self::Handle<'_>, BuildFailure>;
}

/// A peer that many threads can use at once: all but the bare structure.
pub trait SharedPeer<S: Structure>: Peer<S> + Send + Sync {
    /// Access for one of many threads. Its place is the index of its NUMA node, or on a machine with one node its own number:
    /// where there are replicas the places take turns over them.
    fn handle(&self, place: usize) -> Result<Self::Handle<'_>, BuildFailure>;

    /// Brings everything that lags up to date.
    fn sync(&self) {}
}

/// Why a peer could not be built.
#[derive(Debug)]
pub struct BuildFailure(String);

impl BuildFailure {
    fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl fmt::Display for BuildFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildFailure {}

/// Is shown each peer in turn; a closure cannot be generic, a trait's method can.
pub trait PeerVisitor<S: Structure> {
    /// Called once for each peer.
    fn visit<P: Peer<S>>(&mut self);
}

/// Is shown each peer that can be shared.
pub trait SharedPeerVisitor<S: Structure> {
    /// Called once for each peer.
    fn visit<P: SharedPeer<S>>(&mut self);
}

/// Shows `visitor` every peer, the bare structure first.
pub fn for_each_peer<S: Structure>(visitor: &mut impl PeerVisitor<S>) {
    struct Any<'a, V>(&'a mut V);
    impl<S: Structure, V: PeerVisitor<S>> SharedPeerVisitor<S> for Any<'_, V> {
        fn visit<P: SharedPeer<S>>(&mut self) {
            self.0.visit::<P>();
        }
    }
    visitor.visit::<Bare<S>>();
    for_each_shared_peer(&mut Any(visitor));
}

/// Shows `visitor` every peer that can be shared, of those that take any structure.
pub fn for_each_shared_peer<S: Structure>(visitor: &mut impl SharedPeerVisitor<S>) {
    visitor.visit::<StdMutex<S>>();
    visitor.visit::<StdRwLock<S>>();
    visitor.visit::<ParkingLotMutex<S>>();
    visitor.visit::<ParkingLotRwLock<S>>();
    visitor.visit::<Predecessor<S, 1>>();
    visitor.visit::<Predecessor<S, 2>>();
    visitor.visit::<Nr<S, 0>>();
    visitor.visit::<Nr<S, 2>>();
}

/// Shows `visitor` every peer that sweeps can run on a workload: those above, the paper's, more replicas, and those that are made for
/// this structure.
pub fn for_each_swept_peer<W: Workload>(visitor: &mut impl SharedPeerVisitor<W>) {
    visitor.visit::<Nr<W, 0>>();
    visitor.visit::<Nr<W, 1>>();
    visitor.visit::<Nr<W, 2>>();
    visitor.visit::<Nr<W, 4>>();
    visitor.visit::<StdMutex<W>>();
    visitor.visit::<StdRwLock<W>>();
    visitor.visit::<ParkingLotMutex<W>>();
    visitor.visit::<ParkingLotRwLock<W>>();
    visitor.visit::<SpinLock<W>>();
    visitor.visit::<DistributedRwLock<W>>();
    visitor.visit::<FlatCombining<W>>();
    visitor.visit::<FlatCombiningRwLock<W>>();
    visitor.visit::<LeftRight<W>>();
    visitor.visit::<Predecessor<W, 1>>();
    visitor.visit::<Predecessor<W, 2>>();
    visitor.visit::<Predecessor<W, 4>>();
    W::for_each_rival(visitor);
}

/// The names of all peers.
pub fn names<S: Structure>() -> Vec<&'static str> {
    struct Names(Vec<&'static str>);
    impl<S: Structure> PeerVisitor<S> for Names {
        fn visit<P: Peer<S>>(&mut self) {
            self.0.push(P::NAME);
        }
    }
    let mut names = Names(Vec::new());
    for_each_peer::<S>(&mut names);
    names.0
}

/// What replicated peers replicate: their `Dispatch` traits are foreign, and so needs a type of our own.
#[derive(Clone, Debug)]
pub struct Replicated<S>(S);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Distribution, Keys};
    use crate::workloads::{Counter, Heap, Map, PushPop, Put, Stack, Workload, WorkloadVisitor, for_each_workload};

    #[test]
    fn every_peer_answers_like_the_map_it_holds() {
        struct Check;
        impl PeerVisitor<Map> for Check {
            fn visit<P: Peer<Map>>(&mut self) {
                let mut peer = P::build(Map::filled(10)).unwrap();
                let mut handle = peer.solo().unwrap();
                assert_eq!(handle.write(Put { key: 3, value: 30 }), Some(3), "{}", P::NAME);
                assert_eq!(handle.read(3), Some(30), "{}", P::NAME);
                assert_eq!(handle.read(10), None, "{}", P::NAME);
            }
        }
        for_each_peer(&mut Check);
    }

    /// On one thread every peer of a sweep answers reads as the bare structure does. (But caches choose themselves what they keep.)
    #[test]
    fn every_swept_peer_reads_what_was_written() {
        struct Workloads;
        impl WorkloadVisitor for Workloads {
            fn visit<W: Workload>(&mut self) {
                if W::NAME != "cache" {
                    for_each_swept_peer::<W>(&mut Peers);
                }
            }
        }
        struct Peers;
        impl<W: Workload> SharedPeerVisitor<W> for Peers {
            fn visit<P: SharedPeer<W>>(&mut self) {
                const ENTRIES: u64 = 200;
                let mut bare = Bare::build(W::filled(ENTRIES)).unwrap();
                let peer = P::build(W::filled(ENTRIES)).unwrap();
                let mut handle = peer.handle(0).unwrap();
                let mut clients = [0, 1].map(|_| W::client(Keys::new(Distribution::Uniform, ENTRIES, 5)));
                for round in 0..500 {
                    W::write_through(&mut clients[0], &mut bare.solo().unwrap());
                    W::write_through(&mut clients[1], &mut handle);
                    let expected = W::read_through(&mut clients[0], &mut bare.solo().unwrap());
                    let read = W::read_through(&mut clients[1], &mut handle);
                    assert_eq!(read, expected, "{}, {}, round {round}", W::NAME, P::NAME);
                }
            }
        }
        for_each_workload(&mut Workloads);
    }

    /// Of values that several threads push and take none is lost and none is taken twice.
    #[test]
    fn lock_free_stacks_and_queues_lose_nothing() {
        fn check<W: Workload, P: SharedPeer<W>>(push: fn(u64) -> W::Write, pop: W::Write) {
            let peer = P::build(W::filled(0)).unwrap();
            let mut taken: Vec<u64> = std::thread::scope(|scope| {
                let work = |thread: u64| {
                    let (peer, pop) = (&peer, pop.clone());
                    move || {
                        let mut handle = peer.handle(0).unwrap();
                        let values = (0..2_000).map(|index| thread * 10_000 + index);
                        values
                            .flat_map(|value| [handle.write(push(value)), handle.write(pop.clone())])
                            .flatten()
                            .collect()
                    }
                };
                let threads: Vec<_> = (0..4).map(|thread| scope.spawn(work(thread))).collect();
                threads.into_iter().flat_map(|thread| -> Vec<u64> { thread.join().unwrap() }).collect()
            });
            let mut handle = peer.handle(0).unwrap();
            taken.extend(std::iter::from_fn(|| handle.write(pop.clone())));
            taken.sort_unstable();
            let all: Vec<u64> =
                (0..4).flat_map(|thread| (0..2_000).map(move |index| thread * 10_000 + index)).collect();
            assert_eq!(taken, all, "{}", P::NAME);
        }
        check::<Stack, TreiberStack>(PushPop::Push, PushPop::Pop);
        check::<Stack, EliminationStack>(PushPop::Push, PushPop::Pop);
        check::<Stack, FlatCombining<Stack>>(PushPop::Push, PushPop::Pop);
        check::<Stack, DistributedRwLock<Stack>>(PushPop::Push, PushPop::Pop);
        check::<Heap, SkipQueue>(PushPop::Push, PushPop::Pop);
    }

    #[test]
    fn every_peer_lets_go_of_its_handles() {
        struct Check;
        impl PeerVisitor<Counter> for Check {
            fn visit<P: Peer<Counter>>(&mut self) {
                let mut peer = P::build(Counter::default()).unwrap();
                for before in 0..1_000 {
                    assert_eq!(peer.solo().unwrap().write(1), Some(before), "{}", P::NAME);
                }
            }
        }
        for_each_peer(&mut Check);
    }

    #[test]
    fn threads_of_a_shared_peer_see_each_others_writes() {
        struct Check;
        impl SharedPeerVisitor<Counter> for Check {
            fn visit<P: SharedPeer<Counter>>(&mut self) {
                let peer = P::build(Counter::default()).unwrap();
                for thread in 0..4 {
                    let peer = &peer;
                    // One after the other: the predecessor may need seconds when two write at once.
                    std::thread::scope(|scope| {
                        scope.spawn(move || {
                            let mut handle = peer.handle(thread).unwrap();
                            for before in 0..100 {
                                assert_eq!(handle.write(1), Some(100 * thread as u64 + before), "{}", P::NAME);
                            }
                        });
                    });
                }
                peer.sync();
                assert_eq!(peer.handle(1).unwrap().read(()), Some(400), "{}", P::NAME);
            }
        }
        for_each_shared_peer(&mut Check);
    }
}
