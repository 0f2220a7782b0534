//! The ways to share a structure between threads that nr is compared with, one adapter a file, behind one trait.
//!
//! Each runs with its default settings. A peer that cannot be built says why; the programs show that in its place.

mod bare;
mod nr;
mod parking_lot_mutex;
mod parking_lot_rwlock;
mod predecessor;
mod std_mutex;
mod std_rwlock;

use crate::workloads::Structure;
use std::fmt;

pub use self::nr::Nr;
pub use bare::Bare;
pub use parking_lot_mutex::ParkingLotMutex;
pub use parking_lot_rwlock::ParkingLotRwLock;
pub use predecessor::Predecessor;
pub use std_mutex::StdMutex;
pub use std_rwlock::StdRwLock;

/// One thread's access to a peer.
pub trait Handle<S: Structure> {
    /// Runs a read.
    fn read(&mut self, op: S::Read) -> Option<u64>;

    /// Runs a write.
    fn write(&mut self, op: S::Write) -> Option<u64>;

    /// Called again and again by a thread that has done its share while others have not: a peer whose replicas stop each
    /// other when one falls silent catches up here.
    fn keep_up(&mut self) {}
}

/// A structure in the keeping of a peer.
pub trait Peer<S: Structure>: Sized + 'static {
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
pub trait SharedPeer<S: Structure>: Peer<S> + Sync {
    /// Access for one of many threads; where there are replicas the threads take turns over them.
    fn handle(&self, thread: usize) -> Result<Self::Handle<'_>, BuildFailure>;

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

/// Shows `visitor` every peer that can be shared.
pub fn for_each_shared_peer<S: Structure>(visitor: &mut impl SharedPeerVisitor<S>) {
    visitor.visit::<StdMutex<S>>();
    visitor.visit::<StdRwLock<S>>();
    visitor.visit::<ParkingLotMutex<S>>();
    visitor.visit::<ParkingLotRwLock<S>>();
    visitor.visit::<Predecessor<S, 1>>();
    visitor.visit::<Predecessor<S, 2>>();
    visitor.visit::<Nr<S, 1>>();
    visitor.visit::<Nr<S, 2>>();
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
    use super::{Handle, Peer, PeerVisitor, SharedPeer, SharedPeerVisitor, for_each_peer, for_each_shared_peer};
    use crate::workloads::{Counter, Map, Put};

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
