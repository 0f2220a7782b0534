//! The structure that users share.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use crate::builder::Builder;
use crate::dispatch::Dispatch;
use crate::error::{AddReplicaError, CheckReplicasError, RegisterError, RemoveReplicaError};
use crate::handle::{Handle, OwnedHandle};
use crate::placement::{Place, Placement};
use crate::placement_report::PlacementReport;
use crate::replica::{MembershipError, Replica, ReplicaId, ReplicaSet, drop_removed};
use crate::stats::Stats;
use crate::topology::Topology;

/// A sequential structure made concurrent: linearizable, with one replica per NUMA node.
///
/// Share it by reference or in an [`Arc`]; each thread [`register`](Self::register)s once and works through its
/// [`Handle`].
///
/// With one replica (most laptops, small cloud machines) there is no log: writes are combined and applied at once.
///
/// # Memory
///
/// Besides the replicas: the log ([`Builder::log_entries`], 256 KiB at most for operations of up to 4 KiB), and for each
/// replica a page, and 128 bytes for every processor near it, up to 8 KiB. A handle is a few words; nothing is kept for it here. A replica
/// that nobody uses keeps up to half a log of operations waiting; of operations that own something (that have a
/// `Drop`), some 500.
///
/// If there is no memory for the log, that is an error of who makes it ([`Builder::build`], [`add_replica`](Self::add_replica)). If there is
/// none for anything else the process ends, as it does elsewhere in Rust.
///
/// # Examples
///
/// ```
/// use std::collections::BinaryHeap;
///
/// #[derive(Clone, Default)]
/// struct Queue(BinaryHeap<u64>);
///
/// enum Write { Push(u64), Pop }
///
/// impl nr::Dispatch for Queue {
///     type ReadOperation<'a> = ();
///     type WriteOperation = Write;
///     type Response = Option<u64>;
///     fn dispatch(&self, _peek: ()) -> Option<u64> { self.0.peek().copied() }
///     fn dispatch_mut(&mut self, op: &Write) -> Option<u64> {
///         match op {
///             Write::Push(item) => { self.0.push(*item); None }
///             Write::Pop => self.0.pop(),
///         }
///     }
/// }
///
/// let queue = nr::NodeReplicated::new(Queue::default());
/// std::thread::scope(|scope| {
///     for thread in 0..4 {
///         let queue = &queue;
///         scope.spawn(move || {
///             let mut handle = queue.register().unwrap();
///             for item in 0..100 {
///                 handle.execute_mut(Write::Push(item * 4 + thread));
///             }
///         });
///     }
/// });
/// let mut handle = queue.register()?;
/// assert_eq!(handle.execute(()), Some(399));
/// assert_eq!(handle.execute_mut(Write::Pop), Some(399));
/// # Ok::<(), nr::RegisterError>(())
/// ```
///
/// # Threads
///
/// `Send` if `D` is, and `Sync` if `D` is both `Send` and `Sync`; operations and responses are what [`Dispatch`] asks for.
///
/// ```
/// fn shared<T: Send + Sync>() {}
/// # struct Plain(u64);
/// # impl nr::Dispatch for Plain {
/// #     type ReadOperation<'a> = ();
/// #     type WriteOperation = u64;
/// #     type Response = u64;
/// #     fn dispatch(&self, _: ()) -> u64 { self.0 }
/// #     fn dispatch_mut(&mut self, op: &u64) -> u64 { *op }
/// # }
/// shared::<nr::NodeReplicated<Plain>>();
/// ```
///
/// ```compile_fail,E0277
/// fn shared<T: Send + Sync>() {}
/// # struct Plain(std::cell::Cell<u64>); // not `Sync`: readers would race
/// # impl nr::Dispatch for Plain {
/// #     type ReadOperation<'a> = ();
/// #     type WriteOperation = u64;
/// #     type Response = u64;
/// #     fn dispatch(&self, _: ()) -> u64 { self.0.get() }
/// #     fn dispatch_mut(&mut self, op: &u64) -> u64 { *op }
/// # }
/// shared::<nr::NodeReplicated<Plain>>();
/// ```
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// # struct Plain(std::sync::MutexGuard<'static, u64>); // `Sync`, but not `Send`: a combiner would write on another thread
/// # impl nr::Dispatch for Plain {
/// #     type ReadOperation<'a> = ();
/// #     type WriteOperation = u64;
/// #     type Response = u64;
/// #     fn dispatch(&self, _: ()) -> u64 { *self.0 }
/// #     fn dispatch_mut(&mut self, op: &u64) -> u64 { *op }
/// # }
/// shared::<nr::NodeReplicated<Plain>>();
/// ```
///
/// ```compile_fail,E0277
/// fn sent<T: Send>() {}
/// # struct Plain(std::rc::Rc<u64>); // not `Send`
/// # impl nr::Dispatch for Plain {
/// #     type ReadOperation<'a> = ();
/// #     type WriteOperation = u64;
/// #     type Response = u64;
/// #     fn dispatch(&self, _: ()) -> u64 { *self.0 }
/// #     fn dispatch_mut(&mut self, op: &u64) -> u64 { *op }
/// # }
/// sent::<nr::NodeReplicated<Plain>>();
/// ```
pub struct NodeReplicated<D: Dispatch> {
    set: ReplicaSet<D>,
    placement: Placement,
}

impl<D: Dispatch> NodeReplicated<D> {
    pub(crate) fn from_parts(set: ReplicaSet<D>, placement: Placement) -> Self {
        Self { set, placement }
    }

    pub(crate) fn set(&self) -> &ReplicaSet<D> {
        &self.set
    }

    /// One replica per NUMA node of this machine, each a clone of `data`; everything else as in [`Builder`]'s defaults.
    ///
    /// # Panics
    /// If there is no memory for the log.
    pub fn new(data: D) -> Self
    where
        D: Clone,
    {
        match Builder::default().build(data) {
            Ok(built) => built,
            Err(error) => panic!("{error}"),
        }
    }

    /// To choose the number of replicas, the length of the log, and more. The same as [`Builder::default`], which is easier
    /// to write where `D` is inferred: a builder does not know it before it builds.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A handle on the replica nearest the calling thread; if several are equally near, on each in turn.
    ///
    /// Cheap (no lock, nothing allocated that lasts) and unlimited in number. O(replicas · log nodes + reader cells).
    ///
    /// # Errors
    /// None at present.
    pub fn register(&self) -> Result<Handle<'_, D>, RegisterError> {
        // If that goes just now, the handle goes over to another one: see there.
        let nearest = self.nearest_or(None);
        Handle::new(self, nearest.index()).ok_or_else(|| self.no_such_replica(nearest))
    }

    /// A handle on that replica. As for [`register`](Self::register) otherwise.
    ///
    /// # Errors
    /// [`RegisterError::NoSuchReplica`] if there is none of that number.
    pub fn register_on(&self, replica: ReplicaId) -> Result<Handle<'_, D>, RegisterError> {
        self.check(replica)?;
        Handle::new(self, replica.index()).ok_or_else(|| self.no_such_replica(replica))
    }

    fn check(&self, id: ReplicaId) -> Result<(), RegisterError> {
        match self.set.replica(id.index()).is_some_and(Replica::is_present) {
            true => Ok(()),
            false => Err(self.no_such_replica(id)),
        }
    }

    fn no_such_replica(&self, id: ReplicaId) -> RegisterError {
        RegisterError::NoSuchReplica { id, present: self.replica_ids() }
    }

    /// The replica nearest the calling thread; `favourite` if that is as near as any.
    pub(crate) fn nearest_or(&self, favourite: Option<ReplicaId>) -> ReplicaId {
        let present = self.set.present().map(|replica| (replica.id(), replica.home()));
        self.placement.nearest(present, favourite)
    }

    /// A handle that borrows nothing, on the replica nearest the calling thread: for servers and thread pools.
    ///
    /// # Errors
    /// As for [`register`](Self::register).
    pub fn register_owned(self: &Arc<Self>) -> Result<OwnedHandle<D>, RegisterError> {
        let nearest = self.nearest_or(None);
        OwnedHandle::new(Arc::clone(self), nearest.index()).ok_or_else(|| self.no_such_replica(nearest))
    }

    /// A handle that borrows nothing, on that replica.
    ///
    /// # Errors
    /// As for [`register_on`](Self::register_on).
    pub fn register_owned_on(self: &Arc<Self>, replica: ReplicaId) -> Result<OwnedHandle<D>, RegisterError> {
        self.check(replica)?;
        OwnedHandle::new(Arc::clone(self), replica.index()).ok_or_else(|| self.no_such_replica(replica))
    }

    /// How many replicas there are, never none. As long as none has been removed, their ids are 0 to one less; see
    /// [`replica_ids`](Self::replica_ids).
    pub fn replicas(&self) -> usize {
        self.set.present_now().len()
    }

    /// The ids of the replicas that there are now, ascending.
    pub fn replica_ids(&self) -> Vec<ReplicaId> {
        self.set.present_now().into_iter().map(Replica::id).collect()
    }

    /// Adds a replica while the structure is in use: a clone of another one, up to date, at `place`.
    ///
    /// Handles are not moved to it: new ones are given to it if it is nearest, and others after
    /// [`Handle::rehome`]. With a second replica the log comes into use: it is made at the first time, and kept.
    ///
    /// Takes as long as it takes to clone the structure. Meanwhile the replica that is cloned, the one with the fewest
    /// handles, is not written, and is read by who needs nothing that it has yet to execute; other replicas go on until the log is full. So
    /// writers may have to wait for the clone, which runs on whichever thread combines there. If another replica is being added or removed, waits for that first. Must not be called from [`Dispatch`]'s methods or
    /// from within [`Handle::read`], which could wait for themselves; and `clone` must not use the structure, for the same reason.
    ///
    /// # Errors
    /// * [`AddReplicaError::NoSuchPlace`]: the topology has no such node, or none of its processors may be used.
    /// * [`AddReplicaError::Full`]: there are as many replicas as [`Builder::max_replicas`] allows.
    /// * [`AddReplicaError::LogMemory`]: there is no memory for the log.
    ///
    /// # Panics
    /// If `clone` does, with its payload; nothing has changed then.
    ///
    /// ```
    /// use nr::{NodeReplicated, Place};
    /// # #[derive(Clone)]
    /// # struct Counter(u64);
    /// # impl nr::Dispatch for Counter {
    /// #     type ReadOperation<'a> = ();
    /// #     type WriteOperation = u64;
    /// #     type Response = u64;
    /// #     fn dispatch(&self, _: ()) -> u64 { self.0 }
    /// #     fn dispatch_mut(&mut self, add: &u64) -> u64 { self.0 += add; self.0 }
    /// # }
    ///
    /// let counter = NodeReplicated::new(Counter(40));
    /// let replica = counter.add_replica(Place::Here)?;
    /// counter.register_on(replica)?.execute_mut(2);
    /// counter.remove_replica(replica)?;
    /// assert_eq!(counter.register()?.execute(()), 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_replica(&self, place: Place) -> Result<ReplicaId, AddReplicaError>
    where
        D: Clone,
    {
        let home = self.placement.home_at(place).ok_or(AddReplicaError::NoSuchPlace { place })?;
        let site = self.placement.site(home);
        self.set.add(D::clone, site).map_err(|error| match error {
            MembershipError::LogMemory => AddReplicaError::LogMemory { entries: self.set.max_batch() },
            _ => AddReplicaError::Full { max: self.set.room() },
        })
    }

    /// Removes a replica while the structure is in use, and drops its copy of the structure.
    ///
    /// Its handles go over to other replicas at their next call, each to the one nearest its thread; an operation that is under way
    /// is executed here or there, once. What operations the replica had executed for its handles are in the log and
    /// not lost. With one replica left the log goes out of use.
    ///
    /// Waits for reads that are under way on it (and so do writers elsewhere, once the log is full), and for another replica's being added
    /// or removed; must not be called from where
    /// [`add_replica`](Self::add_replica) mustn't. A panic in the structure's `Drop` ends here.
    ///
    /// # Errors
    /// * [`RemoveReplicaError::NoSuchReplica`]: it is not there, or not any more.
    /// * [`RemoveReplicaError::Last`]: it is the only one.
    pub fn remove_replica(&self, id: ReplicaId) -> Result<(), RemoveReplicaError> {
        let removed = self.set.remove(id).map_err(|error| match error {
            MembershipError::Last => RemoveReplicaError::Last { id },
            _ => RemoveReplicaError::NoSuchReplica { id },
        })?;
        drop_removed(removed);
        Ok(())
    }

    /// The machine as this structure sees it.
    pub fn topology(&self) -> &Topology {
        self.placement.topology()
    }

    /// Where the replicas and the log are, and what could not be placed, and why. O(replicas · processors).
    pub fn placement(&self) -> PlacementReport {
        PlacementReport::of(&self.set, &self.placement)
    }

    /// Brings every replica up to date: when it returns, each that was there when `sync` was called has executed every operation whose
    /// caller had its answer then. Takes part in combining, so it may run other threads' operations, and waits for those under way.
    pub fn sync(&self) {
        self.set.sync();
    }

    /// Compares the replicas while the structure is in use: takes the `fingerprint` of each in the same state, up to date, and gives it if
    /// all have the same. For a structure that keeps [the contract](Dispatch#the-contract-determinism) that is always so.
    ///
    /// What a fingerprint is made of decides what is compared: all that operations can find out about the structure, at best in a canonical
    /// form. A sum over the entries of a map, or a sorted copy of them, is one; what depends on the iteration order of a map is one only
    /// if operations depend on that too. It has to be equal to itself, which an `f64` that is no number is not.
    ///
    /// Linearizable: the state is that at some moment during the call. With one replica there is nothing to compare, and its fingerprint is
    /// given. Works on a poisoned structure too, and helps to decide whether to [`clear_poison`](Self::clear_poison).
    ///
    /// # Cost
    /// Brings every replica up to date, and takes the fingerprints one after the other, on the calling thread. With several replicas **writes
    /// wait** from the beginning to the end, on all of them, and so do [`add_replica`](Self::add_replica) and
    /// [`remove_replica`](Self::remove_replica); reads go on. With one replica its writes wait for the fingerprint, and reads that begin
    /// while a write waits wait with it.
    ///
    /// Must not be called from where [`add_replica`](Self::add_replica) mustn't; and neither `fingerprint` nor the fingerprint's `Drop`
    /// may use the structure, nor wait for a thread that does.
    ///
    /// # Errors
    /// [`CheckReplicasError::Differ`], with the fingerprint of each replica.
    ///
    /// # Panics
    /// If `fingerprint` does; the structure goes on as if nothing had happened.
    ///
    /// ```
    /// use nr::{Dispatch, NodeReplicated, Replicas};
    ///
    /// # #[derive(Clone)]
    /// struct Log(Vec<u64>);
    ///
    /// impl Dispatch for Log {
    ///     type ReadOperation<'a> = usize;
    ///     type WriteOperation = u64;
    ///     type Response = Option<u64>;
    ///     fn dispatch(&self, index: usize) -> Option<u64> { self.0.get(index).copied() }
    ///     fn dispatch_mut(&mut self, entry: &u64) -> Option<u64> {
    ///         let address = &raw const *self as u64;            // another one on each replica
    ///         self.0.push(entry ^ address);
    ///         None
    ///     }
    /// }
    ///
    /// let log = nr::Builder::default().replicas(Replicas::Count(2.try_into()?)).build(Log(vec![]))?;
    /// log.check_replicas(|log| log.0.clone())?;
    /// log.register()?.execute_mut(7);
    /// let error = log.check_replicas(|log| log.0.clone()).unwrap_err();
    /// println!("{error}");
    /// # assert!(error.to_string().contains("\n  replica 1: ["), "{error}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check_replicas<F: PartialEq>(&self, fingerprint: impl FnMut(&D) -> F) -> Result<F, CheckReplicasError<F>> {
        let mut fingerprints = self.set.look_at_all(fingerprint);
        let (_, first) = &fingerprints[0];
        if fingerprints[1..].iter().any(|(_, other)| other != first) {
            return Err(CheckReplicasError::Differ { fingerprints });
        }
        Ok(fingerprints.swap_remove(0).1)
    }

    /// What has happened so far. The numbers are read one by one while the structure goes on working.
    pub fn stats(&self) -> Stats {
        Stats::of(&self.set, |home| self.placement.node(home))
    }

    /// Whether a write operation has panicked under [`PanicPolicy::Poison`](crate::PanicPolicy::Poison) and nobody has called
    /// [`clear_poison`](Self::clear_poison) since.
    pub fn is_poisoned(&self) -> bool {
        self.set.poison().is_set()
    }

    /// Lets the structure be used again after a panic has poisoned it. What state it is in is for the caller to know; all
    /// replicas are in the same, or get there when they execute the operation that panicked.
    pub fn clear_poison(&self) {
        self.set.poison().clear();
    }

    /// The structure itself, up to date, whether poisoned or not. The other replicas are dropped.
    pub fn into_inner(self) -> D {
        self.set.into_inner()
    }
}

// As `std::sync::Mutex`: who sees the structure after a panic is told so by its poison, or has asked not to be.
impl<D: Dispatch> UnwindSafe for NodeReplicated<D> {}
impl<D: Dispatch> RefUnwindSafe for NodeReplicated<D> {}

impl<D: Dispatch> fmt::Debug for NodeReplicated<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeReplicated")
            .field("replicas", &self.replicas())
            .field("poisoned", &self.is_poisoned())
            .finish_non_exhaustive()
    }
}
