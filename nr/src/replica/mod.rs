//! The replicas of a structure: copies that are kept equal by the [`log`](crate::log), each with its own combiner and its
//! own lock.
//!
//! * [`request`]: what a thread asks of its replica's combiner, on its own stack;
//! * [`queue`]: the combiner lock and the requests posted to it, in one word;
//! * [`combiner`]: a round, from posted requests to answers, with a log and without;
//! * [`help`]: what is done for replicas that lag behind;
//! * [`rwlock`]: the lock that readers share and replay takes alone;
//! * [`read`]: when a local read may run;
//! * [`poison`]: what a panic leaves behind.
//!
//! Locks are taken in one order: combiner lock, then the write side of the same replica's `rwlock`. A thread that holds a
//! combiner lock takes another replica's only by trying ([`help`]), so there is no cycle. Readers hold no combiner lock.

mod combiner;
mod help;
mod poison;
mod queue;
mod read;
mod request;
mod rwlock;

use alloc::boxed::Box;
use core::fmt;

use crossbeam_utils::CachePadded;

use crate::dispatch::Dispatch;
use crate::log::Log;
use crate::sync::Counter;

pub use poison::PanicPolicy;
pub(crate) use poison::Poison;
use queue::{CombinerQueue, Turn};
use request::{Request, Task};
pub(crate) use rwlock::{ReaderCell, ReplicaLock};

/// Names a replica: 0 to [`replicas`](crate::NodeReplicated::replicas) − 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId(usize);

impl ReplicaId {
    /// The replica with that number. Whether it exists is found out where the id is used.
    pub const fn new(index: usize) -> Self {
        Self(index)
    }

    /// Its number, from 0.
    pub const fn index(self) -> usize {
        self.0
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "replica {}", self.0)
    }
}

/// One copy of the structure.
pub(crate) struct Replica<D: Dispatch> {
    index: usize,
    queue: CachePadded<CombinerQueue<D>>,
    pub(crate) lock: ReplicaLock<D>,
    pub(crate) counters: CachePadded<Counters>,
}

/// What has happened on a replica. Written by who has its turn, if not said otherwise.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Operations that were a round by themselves, of a writer that found nobody combining.
    pub(crate) lone: Counter,
    /// The other rounds that executed operations asked of this replica.
    pub(crate) rounds: Counter,
    /// The operations in them.
    pub(crate) operations: Counter,
    /// Operations from other replicas, executed here.
    pub(crate) replayed: Counter,
    /// Those of them that were executed by a thread of another replica.
    pub(crate) helped: Counter,
    /// How often a thread parked while it waited for an answer. By any thread.
    pub(crate) waits: Counter,
}

impl Counters {
    /// Counts a round that is not of a lone writer, if it has operations. Before it is answered: who has an answer finds it
    /// counted.
    fn add_round(&self, operations: usize) {
        self.rounds.add_exclusive(u64::from(operations > 0));
        self.operations.add_exclusive(operations as u64);
    }
}

impl<D: Dispatch> Replica<D> {
    fn new(index: usize, data: D, cells: usize) -> Self {
        Self {
            index,
            queue: CachePadded::new(CombinerQueue::new()),
            lock: ReplicaLock::new(data, cells),
            counters: CachePadded::default(),
        }
    }

    pub(crate) fn id(&self) -> ReplicaId {
        ReplicaId(self.index)
    }
}

/// All replicas of a structure, and what they share.
pub(crate) struct ReplicaSet<D: Dispatch> {
    /// None if there is a single replica: nobody would replay it.
    log: Option<Log<D::WriteOperation>>,
    poison: Poison,
    max_batch: usize,
    replicas: Box<[Replica<D>]>,
}

// SAFETY: moving the set moves the replicas (`D: Send`) and the operations in the log (`Send` by the trait). The pointers in
// the queues are to requests of threads that are inside a call, of which there are none while the set can be moved.
unsafe impl<D: Dispatch + Send> Send for ReplicaSet<D> {}
// SAFETY: every thread reads the replicas (`D: Sync`) and, combining or helping, writes and drops parts of them (`D: Send`).
// Operations go from thread to thread and are read by several (`Send + Sync` by the trait), responses go to one other thread
// (`Send` by the trait), panic payloads are `Send`. Requests are handed over through the queue, see there.
unsafe impl<D: Dispatch + Send + Sync> Sync for ReplicaSet<D> {}

impl<D: Dispatch> ReplicaSet<D> {
    /// Replicas of the structures given, each with its number of reader cells.
    pub(crate) fn new(
        log: Option<Log<D::WriteOperation>>,
        poison: Poison,
        max_batch: usize,
        replicas: impl Iterator<Item = (D, usize)>,
    ) -> Self {
        let replica = |(index, (data, cells))| Replica::new(index, data, cells);
        Self { log, poison, max_batch, replicas: replicas.enumerate().map(replica).collect() }
    }

    pub(crate) fn log(&self) -> Option<&Log<D::WriteOperation>> {
        self.log.as_ref()
    }

    pub(crate) fn poison(&self) -> &Poison {
        &self.poison
    }

    /// How many operations a batch may have.
    pub(crate) fn max_batch(&self) -> usize {
        self.max_batch
    }

    pub(crate) fn replicas(&self) -> &[Replica<D>] {
        &self.replicas
    }

    /// Brings every replica up to what is completed when the call begins.
    pub(crate) fn sync(&self) {
        for replica in &self.replicas {
            self.catch_up(replica);
        }
    }

    /// An up-to-date structure; the other replicas are dropped.
    pub(crate) fn into_inner(self) -> D {
        self.catch_up(&self.replicas[0]);
        let mut replicas = self.replicas.into_vec();
        replicas.swap_remove(0).lock.into_inner()
    }
}
