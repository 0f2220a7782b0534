//! The replicas of a structure: copies that are kept equal by the [`log`](crate::log), each with its own combiner and its
//! own lock.
//!
//! * [`request`]: what a thread asks of its replica's combiner, on its own stack;
//! * [`queue`]: the combiner lock and the requests posted to it, in one word;
//! * [`combiner`]: a round, from posted requests to answers, with a log and without;
//! * [`wait`]: what a thread does until its request is answered;
//! * [`help`]: what is done for replicas that lag behind;
//! * [`membership`]: how replicas come and go;
//! * [`check`]: looking at all of them in one state;
//! * [`memory`]: on which node their memory is;
//! * [`rwlock`]: the lock that readers share and replay takes alone;
//! * [`read`]: when a local read may run;
//! * [`poison`]: what a panic leaves behind.
//!
//! Locks are taken in one order: combiner lock, then the write side of the same replica's `rwlock`. A thread that holds a
//! combiner lock takes another replica's only by trying ([`help`]), so there is no cycle. Readers hold no combiner lock.

mod check;
mod combiner;
mod help;
mod membership;
mod memory;
mod poison;
mod queue;
mod read;
mod request;
mod rwlock;
mod set_once;
mod wait;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crossbeam_utils::CachePadded;

use crate::dispatch::Dispatch;
use crate::log::{Garbage, Log, LogPlan, OutOfMemory};
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Counter, Hint, Ordering, fence};

pub(crate) use membership::{MembershipError, drop_removed};
pub use memory::MemoryPlacement;
pub(crate) use memory::NodeMemory;
pub use poison::PanicPolicy;
pub(crate) use poison::Poison;
pub(crate) use queue::Caller;
use queue::{CombinerQueue, Turn};
pub(crate) use request::{Refusal, Refused};
use request::{Request, Task};
pub(crate) use rwlock::{ReaderCell, ReplicaLock};
pub(crate) use set_once::SetOnce;

/// Names a replica. Those that a structure is built with are 0 to [`replicas`](crate::NodeReplicated::replicas) − 1; one that
/// is [added](crate::NodeReplicated::add_replica) later has the least number that is free.
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

/// A place for a copy of the structure, and the copy while there is one.
///
/// It lasts as long as the structure, so that handles and helpers may look at it at any time; what a removed replica leaves
/// behind, for the next one, is a page and its reader cells. It has pages of its own, so that they can be on its node.
#[repr(align(4096))]
pub(crate) struct Replica<D: Dispatch> {
    index: usize,
    queue: CachePadded<CombinerQueue<D>>,
    /// A [`Standing`]. Changed by who has the turn; others take it for a hint.
    standing: AtomicU32,
    /// The place in the [`Placement`](crate::placement::Placement) where it is, and the node of its memory. Changed by who lets it in,
    /// before it is.
    home: AtomicU32,
    node: AtomicU32,
    /// How many handles work through it.
    handles: Hint,
    combining: CachePadded<Combining>,
    /// Open while `standing` is not `Absent`, except for a moment in which the turn is held.
    pub(crate) lock: ReplicaLock<D>,
    pub(crate) counters: CachePadded<Counters>,
}

/// What the last rounds of a replica were like. Changed by who has the turn.
#[derive(Debug, Default)]
struct Combining {
    /// How long the last write phase took, in nanoseconds, if phases like it are worth [gathering](ReplicaSet::gather) for; else 0.
    last_phase: Hint,
}

/// How a replica takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Standing {
    /// There is no such replica: not yet, or not any more.
    Absent,
    /// It is the only one, and needs no log.
    Alone,
    /// It is one of several, which are kept equal by the log.
    Member,
}

/// What has happened on a replica. Written by who has its turn, if not said otherwise.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Operations that were a round by themselves, of a writer that found nobody combining, or was in a run.
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
    /// Counts a round that is not of a lone writer. Before it is answered: who has an answer finds it counted.
    fn add_round(&self, operations: usize) {
        self.rounds.add_exclusive(1);
        self.operations.add_exclusive(operations as u64);
    }
}

impl<D: Dispatch> Replica<D> {
    fn new(index: usize, data: Option<D>, standing: Standing, site: Site) -> Self {
        Self {
            index,
            queue: CachePadded::new(CombinerQueue::new()),
            standing: AtomicU32::new(standing as u32),
            home: AtomicU32::new(site.home as u32),
            node: AtomicU32::new(site.node as u32),
            handles: Hint::default(),
            combining: CachePadded::default(),
            lock: ReplicaLock::new(data, site.cells),
            counters: CachePadded::default(),
        }
    }

    pub(crate) fn id(&self) -> ReplicaId {
        ReplicaId(self.index)
    }

    #[inline]
    pub(crate) fn standing(&self) -> Standing {
        // Relaxed: who has the turn is ordered by it after who changed it, and for others it is a hint.
        match self.standing.load(Ordering::Relaxed) {
            standing if standing == Standing::Alone as u32 => Standing::Alone,
            standing if standing == Standing::Member as u32 => Standing::Member,
            _ => Standing::Absent,
        }
    }

    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        // Relaxed: see `standing`.
        self.standing.load(Ordering::Relaxed) == Standing::Alone as u32
    }

    #[inline]
    pub(crate) fn is_present(&self) -> bool {
        // Relaxed: see `standing`.
        self.standing.load(Ordering::Relaxed) != Standing::Absent as u32
    }

    /// For who has the turn.
    fn set_standing(&self, standing: Standing) {
        // What comes is not like what was.
        self.combining.last_phase.set(0);
        // Release: earlier changes are counted before this one is seen; pairs with the fence in `present_now`. For the rest see `standing`.
        self.standing.store(standing as u32, Ordering::Release);
    }

    /// Where it is: an index into the [`Placement`](crate::placement::Placement)'s homes.
    pub(crate) fn home(&self) -> usize {
        // Relaxed: a number, and the place that it stands for is there from the start.
        self.home.load(Ordering::Relaxed) as usize
    }

    /// The id of the node that it has its memory from.
    pub(crate) fn node(&self) -> usize {
        // Relaxed: a number.
        self.node.load(Ordering::Relaxed) as usize
    }

    /// How many handles work through it.
    pub(crate) fn handles(&self) -> usize {
        self.handles.get() as usize
    }

    /// A new handle works through it: the index of its reader cell.
    pub(crate) fn enlist(&self) -> usize {
        self.handles.increase();
        self.lock.assign_cell()
    }

    /// A handle is gone that had this cell.
    pub(crate) fn resign(&self, cell: &ReaderCell) {
        cell.resign();
        self.handles.decrease();
    }

    /// Whether rounds are of several operations at present, beside readers.
    #[inline]
    fn is_gathering(&self) -> bool {
        self.combining.last_phase.get() != 0
    }

    /// For who lets a replica in here.
    fn settle(&self, site: Site) {
        // Relaxed, both: numbers.
        self.home.store(site.home as u32, Ordering::Relaxed);
        self.node.store(site.node as u32, Ordering::Relaxed);
    }
}

/// All replicas of a structure, and what they share.
pub(crate) struct ReplicaSet<D: Dispatch> {
    /// Not there as long as there has been a single replica only: nobody would replay it.
    log: SetOnce<Log<D::WriteOperation>>,
    poison: Poison,
    log_plan: LogPlan,
    memory: NodeMemory,
    /// How many threads can run at once.
    processors: usize,
    /// Filled from the front.
    replicas: Box<[SetOnce<Replica<D>>]>,
    /// Held by who lets a replica in or out, or wants none to come or go.
    membership: AtomicBool,
    /// How often one has come or gone.
    changes: AtomicU64,
    /// How many handles there have been.
    callers: Counter,
}

// SAFETY: moving the set moves the replicas (`D: Send`) and the operations in the log (`Send` by the trait). The pointers in
// the queues are to requests of threads that are inside a call, of which there are none while the set can be moved.
unsafe impl<D: Dispatch + Send> Send for ReplicaSet<D> {}
// SAFETY: every thread reads the replicas (`D: Sync`) and, combining or helping, writes, clones and drops parts of them
// (`D: Send`). Operations go from thread to thread and are read by several (`Send + Sync` by the trait), responses go to one other thread
// (`Send` by the trait), panic payloads are `Send`. Requests are handed over through the queue, see there.
unsafe impl<D: Dispatch + Send + Sync> Sync for ReplicaSet<D> {}

/// Where a replica is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    /// See [`Replica::home`].
    pub(crate) home: usize,
    /// The id of the node that it has its memory from.
    pub(crate) node: usize,
    /// The processors that it is nearest to.
    pub(crate) cpus: &'a [usize],
    /// How many reader cells it has: as many as readers can be at once, up to a limit.
    pub(crate) cells: usize,
}

impl<D: Dispatch> ReplicaSet<D> {
    /// Replicas at the `sites`, made by `make`, with room for `room` in all, at least as many, for threads on so many processors.
    pub(crate) fn new(
        log_plan: LogPlan,
        memory: NodeMemory,
        poison: Poison,
        processors: usize,
        room: usize,
        sites: &[Site],
        mut make: impl FnMut(ReplicaId) -> D,
    ) -> Result<Self, OutOfMemory> {
        let set = Self {
            log: SetOnce::new(),
            poison,
            log_plan,
            memory,
            processors,
            replicas: (0..room).map(|_| SetOnce::new()).collect(),
            membership: AtomicBool::new(false),
            changes: AtomicU64::new(0),
            callers: Counter::default(),
        };
        let standing = if sites.len() > 1 { Standing::Member } else { Standing::Alone };
        if standing == Standing::Member {
            let log = Log::new(&set.log_plan, room)?;
            for index in 0..sites.len() {
                // SAFETY: the log is new, and nobody else has it.
                unsafe { log.join(index, 0, &mut Garbage::new()) };
            }
            set.log.get_or_set(log);
        }
        for (index, site) in sites.iter().enumerate() {
            let replica = set.memory.build(site.node, site.cpus, || {
                set.replicas[index].get_or_set(Replica::new(index, Some(make(ReplicaId(index))), standing, *site))
            });
            set.bring_home(replica);
        }
        Ok(set)
    }

    /// Moves a replica's locks and slots, though not its structure's memory, to its node.
    fn bring_home(&self, replica: &Replica<D>) {
        self.memory.move_to(replica.node(), replica);
        self.memory.move_to(replica.node(), replica.lock.cells());
    }

    /// For a new handle.
    pub(crate) fn new_caller(&self) -> Caller {
        Caller::new(self.callers.add(1))
    }

    /// Whether there are more handles than processors, so that those who use them may compete for these.
    fn is_crowded(&self) -> bool {
        self.replicas().map(Replica::handles).sum::<usize>() > self.processors
    }

    pub(crate) fn memory(&self) -> &NodeMemory {
        &self.memory
    }

    pub(crate) fn log(&self) -> Option<&Log<D::WriteOperation>> {
        self.log.get()
    }

    pub(crate) fn poison(&self) -> &Poison {
        &self.poison
    }

    /// How many operations a batch may have.
    pub(crate) fn max_batch(&self) -> usize {
        self.log_plan.entries
    }

    /// All replicas, and the places that are free now but have not always been.
    pub(crate) fn replicas(&self) -> impl Iterator<Item = &Replica<D>> {
        self.replicas.iter().map_while(SetOnce::get)
    }

    /// The replicas that there are, as far as this thread can know.
    pub(crate) fn present(&self) -> impl Iterator<Item = &Replica<D>> {
        self.replicas().filter(|replica| replica.is_present())
    }

    /// The replicas that there are at some moment during the call: always at least one.
    pub(crate) fn present_now(&self) -> Vec<&Replica<D>> {
        loop {
            // Acquire: changes that are counted are seen; pairs with the Release in `count_change`. Weakened, the model
            // `there_is_always_a_replica` finds none.
            let before = self.changes.load(Ordering::Acquire);
            let present = self.present().collect();
            // Acquire: whoever has seen the second of two changes sees the first counted; pairs with the Release in `set_standing`.
            // Weakened, the same model fails.
            fence(Ordering::Acquire);
            // Relaxed: ordered by the fence.
            if self.changes.load(Ordering::Relaxed) == before {
                return present;
            }
        }
    }

    /// The place of that index, if it has ever been in use.
    #[inline]
    pub(crate) fn replica(&self, index: usize) -> Option<&Replica<D>> {
        self.replicas.get(index)?.get()
    }

    /// Brings every replica up to what is completed when the call begins.
    pub(crate) fn sync(&self) {
        for replica in self.replicas() {
            self.send_errand(replica, Task::CatchUp, &mut Garbage::new());
        }
    }

    /// An up-to-date structure; the other replicas are dropped, and a panic of that ends here.
    pub(crate) fn into_inner(self) -> D {
        if let Some(replica) = self.present().next() {
            self.catch_up(replica, Caller::NONE);
        }
        let replicas = self.replicas.into_vec().into_iter().filter_map(SetOnce::into_inner);
        let mut structures = replicas.filter_map(|replica| replica.lock.into_inner());
        let data = structures.next().expect("the last replica can't be removed");
        structures.for_each(drop_removed);
        data
    }
}

// Where atomics are those of models or schedules, tests are models or schedules too.
#[cfg(all(test, not(loom), not(feature = "shuttle")))]
mod tests;
