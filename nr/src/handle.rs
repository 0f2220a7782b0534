//! Handles: what a thread works through.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;

use crate::dispatch::Dispatch;
use crate::error::ExecuteError;
use crate::node_replicated::NodeReplicated;
use crate::replica::{Caller, ReaderCell, Refusal, Refused, Replica, ReplicaId, ReplicaSet};

/// A thread's access to a [`NodeReplicated`], through one of its replicas.
///
/// May be sent to another thread, but used by one at a time: `Send`, not `Sync`, not `Copy`. Dropping it gives everything
/// back that it had. If what you need must not borrow the structure, take an [`OwnedHandle`]. If the replica is removed, the handle
/// goes over to another one at its next call.
///
/// ```
/// fn sent<T: Send>() {}
/// # struct Plain(u64);
/// # impl nr::Dispatch for Plain {
/// #     type ReadOperation<'a> = ();
/// #     type WriteOperation = u64;
/// #     type Response = u64;
/// #     fn dispatch(&self, _: ()) -> u64 { self.0 }
/// #     fn dispatch_mut(&mut self, op: &u64) -> u64 { *op }
/// # }
/// sent::<nr::Handle<'_, Plain>>();
/// ```
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// # struct Plain(u64);
/// # impl nr::Dispatch for Plain {
/// #     type ReadOperation<'a> = ();
/// #     type WriteOperation = u64;
/// #     type Response = u64;
/// #     fn dispatch(&self, _: ()) -> u64 { self.0 }
/// #     fn dispatch_mut(&mut self, op: &u64) -> u64 { *op }
/// # }
/// shared::<nr::Handle<'_, Plain>>();
/// ```
///
/// ```compile_fail,E0277
/// fn sent<T: Send>() {}
/// # struct Plain(std::cell::Cell<u64>); // not `Sync`, so the structure can't be shared with another thread
/// # impl nr::Dispatch for Plain {
/// #     type ReadOperation<'a> = ();
/// #     type WriteOperation = u64;
/// #     type Response = u64;
/// #     fn dispatch(&self, _: ()) -> u64 { self.0.get() }
/// #     fn dispatch_mut(&mut self, op: &u64) -> u64 { *op }
/// # }
/// sent::<nr::Handle<'_, Plain>>();
/// ```
///
/// ```compile_fail,E0599
/// # struct Plain(u64);
/// # impl nr::Dispatch for Plain {
/// #     type ReadOperation<'a> = ();
/// #     type WriteOperation = u64;
/// #     type Response = u64;
/// #     fn dispatch(&self, _: ()) -> u64 { self.0 }
/// #     fn dispatch_mut(&mut self, op: &u64) -> u64 { *op }
/// # }
/// # let structure = nr::Builder::default().build_with(|_| Plain(0)).unwrap();
/// let handle: nr::Handle<'_, Plain> = structure.register().unwrap();
/// let copy = handle.clone(); // a second thread with the same one
/// ```
#[must_use = "a handle is for executing operations"]
pub struct Handle<'a, D: Dispatch> {
    structure: &'a NodeReplicated<D>,
    replica: &'a Replica<D>,
    cell: &'a ReaderCell,
    caller: Caller,
    not_sync: PhantomData<Cell<()>>,
}

/// A thread's access to a [`NodeReplicated`], through one of its replicas, that keeps the structure alive: for servers, thread
/// pools, and wherever a [`Handle`]'s borrow is in the way. A call costs an instruction or two more.
///
/// Asks of `D` no more than the structure does; in particular `D` may borrow.
///
/// ```
/// fn sent<T: Send>() {}
/// # struct Plain(u64);
/// # impl nr::Dispatch for Plain {
/// #     type ReadOperation<'a> = ();
/// #     type WriteOperation = u64;
/// #     type Response = u64;
/// #     fn dispatch(&self, _: ()) -> u64 { self.0 }
/// #     fn dispatch_mut(&mut self, op: &u64) -> u64 { *op }
/// # }
/// sent::<nr::OwnedHandle<Plain>>();
/// ```
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// # struct Plain(u64);
/// # impl nr::Dispatch for Plain {
/// #     type ReadOperation<'a> = ();
/// #     type WriteOperation = u64;
/// #     type Response = u64;
/// #     fn dispatch(&self, _: ()) -> u64 { self.0 }
/// #     fn dispatch_mut(&mut self, op: &u64) -> u64 { *op }
/// # }
/// shared::<nr::OwnedHandle<Plain>>();
/// ```
#[must_use = "a handle is for executing operations"]
pub struct OwnedHandle<D: Dispatch> {
    structure: Arc<NodeReplicated<D>>,
    replica: usize,
    cell: usize,
    caller: Caller,
    not_sync: PhantomData<Cell<()>>,
}

/// What both kinds of handle do: the work is here.
struct Access<'a, D: Dispatch> {
    set: &'a ReplicaSet<D>,
    replica: &'a Replica<D>,
    cell: &'a ReaderCell,
    caller: Caller,
}

impl<'a, D: Dispatch> Handle<'a, D> {
    /// On the replica of that index, if there has ever been one.
    pub(crate) fn new(structure: &'a NodeReplicated<D>, replica: usize) -> Option<Self> {
        let replica = structure.set().replica(replica)?;
        let cell = replica.lock.cell(replica.enlist());
        Some(Self { structure, replica, cell, caller: structure.set().new_caller(), not_sync: PhantomData })
    }

    #[inline]
    fn access(&self) -> Access<'a, D> {
        Access { set: self.structure.set(), replica: self.replica, cell: self.cell, caller: self.caller }
    }

    fn structure(&self) -> &NodeReplicated<D> {
        self.structure
    }

    fn settle_on(&mut self, replica: ReplicaId) {
        if let Some(settled) = Self::new(self.structure, replica.index()) {
            *self = settled;
        }
    }
}

impl<D: Dispatch> Drop for Handle<'_, D> {
    fn drop(&mut self) {
        self.replica.resign(self.cell);
    }
}

impl<D: Dispatch> OwnedHandle<D> {
    /// On the replica of that index, if there has ever been one.
    pub(crate) fn new(structure: Arc<NodeReplicated<D>>, replica: usize) -> Option<Self> {
        let cell = structure.set().replica(replica)?.enlist();
        let caller = structure.set().new_caller();
        Some(Self { structure, replica, cell, caller, not_sync: PhantomData })
    }

    #[inline]
    fn access(&self) -> Access<'_, D> {
        let set = self.structure.set();
        let replica = set.replica(self.replica).expect("a place that was once in use stays");
        Access { set, replica, cell: replica.lock.cell(self.cell), caller: self.caller }
    }

    /// The structure that the handle is on.
    pub fn structure(&self) -> &Arc<NodeReplicated<D>> {
        &self.structure
    }

    fn settle_on(&mut self, replica: ReplicaId) {
        if let Some(settled) = Self::new(Arc::clone(&self.structure), replica.index()) {
            *self = settled;
        }
    }
}

impl<D: Dispatch> Drop for OwnedHandle<D> {
    fn drop(&mut self) {
        let access = self.access();
        access.replica.resign(access.cell);
    }
}

impl<D: Dispatch> Access<'_, D> {
    #[inline]
    fn read<T, R>(&self, input: T, f: impl FnOnce(&D, T) -> R) -> Result<R, Refused<T>> {
        // SAFETY: whoever made `self` took the cell from the replica.
        unsafe { self.set.read(self.replica, self.cell, self.caller, input, f) }
    }

    #[inline]
    fn execute_mut(&self, op: D::WriteOperation) -> Result<D::Response, Refused<D::WriteOperation>> {
        self.set.execute_mut(self.replica, self.caller, op)
    }

    fn execute_mut_batch(&self, ops: Operations<D>) -> Result<Vec<D::Response>, Refused<Operations<D>>> {
        self.set.execute_mut_batch(self.replica, self.caller, ops)
    }
}

type Operations<D> = Vec<<D as Dispatch>::WriteOperation>;

/// The methods that [`Handle`] and [`OwnedHandle`] have in common.
macro_rules! methods {
    ($handle:ty) => {
        impl<D: Dispatch> $handle {
            /// Executes a read operation on the local replica.
            ///
            /// Linearizable: it takes effect between the call and its return, and sees every operation whose caller had
            /// its answer before the call, whichever replica that was on. Runs together with other reads; waits for a
            /// write phase of the same replica to end, and replays what the replica lacks.
            ///
            /// Costs two atomic read-modify-writes on a cache line that up to 64 readers of a replica don't share,
            /// besides [`Dispatch::dispatch`].
            ///
            /// Memory ordering: what happened before a write operation was executed is visible to a read that sees its
            /// effect (release/acquire).
            ///
            /// # Panics
            /// If the structure is poisoned, and if `dispatch` does; that does not poison.
            #[inline]
            #[track_caller]
            pub fn execute(&mut self, op: D::ReadOperation<'_>) -> D::Response {
                match self.try_execute(op) {
                    Ok(response) => response,
                    Err(error) => error.raise(),
                }
            }

            /// As [`execute`](Self::execute), with an error instead of a panic if the structure is poisoned.
            ///
            /// # Errors
            /// [`ExecuteError::Poisoned`], with the operation.
            ///
            /// # Panics
            /// If [`Dispatch::dispatch`] does.
            #[inline]
            pub fn try_execute<'op>(
                &mut self,
                op: D::ReadOperation<'op>,
            ) -> Result<D::Response, ExecuteError<D::ReadOperation<'op>>> {
                self.persist(op, |access, op| access.read(op, |data, op| data.dispatch(op)))
            }

            /// Executes a write operation: on every replica, once each. Returns when it has been executed on this
            /// handle's replica.
            ///
            /// Linearizable: all replicas execute all write operations in one order, and it takes effect between the call
            /// and its return. May execute other threads' operations along with its own, and may be executed by another
            /// thread; waits by spinning, yielding, then parking.
            ///
            /// Costs, alone and with one replica, four atomic read-modify-writes besides [`Dispatch::dispatch_mut`]; with
            /// several also an append to the log, and in time a replay on every other replica.
            ///
            /// Memory ordering: what the caller did before is visible wherever the operation is executed and to whoever
            /// sees its effect (release/acquire).
            ///
            /// # Panics
            /// If the structure is poisoned, and if `dispatch_mut` panics for this operation, with the payload of that
            /// panic; see [`PanicPolicy`](crate::PanicPolicy).
            #[inline]
            #[track_caller]
            pub fn execute_mut(&mut self, op: D::WriteOperation) -> D::Response {
                match self.try_execute_mut(op) {
                    Ok(response) => response,
                    Err(error) => error.raise(),
                }
            }

            /// As [`execute_mut`](Self::execute_mut), with an error instead of a panic if the structure is poisoned.
            ///
            /// # Errors
            /// [`ExecuteError::Poisoned`], with the operation, which has not been executed.
            ///
            /// # Panics
            /// If [`Dispatch::dispatch_mut`] does for this operation.
            #[inline]
            pub fn try_execute_mut(
                &mut self,
                op: D::WriteOperation,
            ) -> Result<D::Response, ExecuteError<D::WriteOperation>> {
                self.persist(op, |access, op| access.execute_mut(op))
            }

            /// Executes several write operations as one: no read, on any replica, sees a part of them, and no other
            /// operation comes between them. Responses are in the order of the operations.
            ///
            /// Cheaper than as many single calls from a handful of operations on: it allocates three times, and takes the locks, the
            /// log and the wait for other threads once. The iterator is run to its end before anything else happens, so it may
            /// take its time, and may use the structure.
            ///
            /// # Panics
            /// If the structure is poisoned; if the batch is larger than
            /// [`Builder::log_entries`](crate::Builder::log_entries) allows; and if `dispatch_mut` panics for one of the
            /// operations, with the payload of the first such panic, after all of them have been executed.
            #[track_caller]
            pub fn execute_mut_batch(&mut self, ops: impl IntoIterator<Item = D::WriteOperation>) -> Vec<D::Response> {
                match self.try_execute_mut_batch(ops) {
                    Ok(responses) => responses,
                    Err(error) => error.raise(),
                }
            }

            /// As [`execute_mut_batch`](Self::execute_mut_batch), with errors instead of panics.
            ///
            /// # Errors
            /// [`ExecuteError::Poisoned`] and [`ExecuteError::BatchTooLarge`], with the operations, none of which has
            /// been executed.
            ///
            /// # Panics
            /// If [`Dispatch::dispatch_mut`] does for one of the operations.
            pub fn try_execute_mut_batch(
                &mut self,
                ops: impl IntoIterator<Item = D::WriteOperation>,
            ) -> Result<Vec<D::Response>, ExecuteError<Vec<D::WriteOperation>>> {
                let ops: Operations<D> = ops.into_iter().collect();
                let (len, max) = (ops.len(), self.access().set.max_batch());
                if len > max {
                    return Err(ExecuteError::BatchTooLarge { len, max, returned: ops });
                }
                self.persist(ops, |access, ops| access.execute_mut_batch(ops))
            }

            /// Runs a closure on the local replica: a read that can borrow from the structure, compute on it and return
            /// anything. Linearizable, and costs, as [`execute`](Self::execute).
            ///
            /// Writes to this replica wait until the closure returns, so it should be short; and it must not use the same
            /// structure through another handle, not even to read, which could wait for the closure itself for ever.
            ///
            /// # Panics
            /// If the structure is poisoned, and if `f` does; that does not poison.
            #[inline]
            #[track_caller]
            pub fn read<R>(&mut self, f: impl FnOnce(&D) -> R) -> R {
                match self.try_read(f) {
                    Ok(result) => result,
                    Err(error) => error.raise(),
                }
            }

            /// As [`read`](Self::read), with an error instead of a panic if the structure is poisoned.
            ///
            /// # Errors
            /// [`ExecuteError::Poisoned`], with the closure, which has not been run.
            ///
            /// # Panics
            /// If `f` does.
            #[inline]
            pub fn try_read<R, F: FnOnce(&D) -> R>(&mut self, f: F) -> Result<R, ExecuteError<F>> {
                self.persist(f, |access, f| access.read(f, |data, f| f(data)))
            }

            /// The replica that the handle works through.
            ///
            /// If that is [removed](NodeReplicated::remove_replica), the handle goes over to another one at its next call.
            pub fn replica_id(&self) -> ReplicaId {
                self.access().replica.id()
            }

            /// Moves the handle to the replica nearest the calling thread, and says which that is: for a thread that has
            /// moved to another node, or to make use of a replica that has been [added](NodeReplicated::add_replica).
            ///
            /// If it is as near as any, it stays. Costs as much as to register.
            pub fn rehome(&mut self) -> ReplicaId {
                let nearest = self.structure().nearest_or(Some(self.replica_id()));
                if nearest != self.replica_id() {
                    self.settle_on(nearest);
                }
                self.replica_id()
            }

            /// Makes an attempt, on another replica if this one has been removed.
            #[inline]
            fn persist<T, R>(
                &mut self,
                input: T,
                attempt: impl Fn(&Access<'_, D>, T) -> Result<R, Refused<T>>,
            ) -> Result<R, ExecuteError<T>> {
                match attempt(&self.access(), input) {
                    Ok(result) => Ok(result),
                    Err(refused) => self.persist_elsewhere(refused, attempt),
                }
            }

            #[cold]
            #[inline(never)]
            fn persist_elsewhere<T, R>(
                &mut self,
                mut refused: Refused<T>,
                attempt: impl Fn(&Access<'_, D>, T) -> Result<R, Refused<T>>,
            ) -> Result<R, ExecuteError<T>> {
                while refused.reason == Refusal::Removed {
                    let nearest = self.structure().nearest_or(None);
                    self.settle_on(nearest);
                    match attempt(&self.access(), refused.returned) {
                        Ok(result) => return Ok(result),
                        Err(again) => refused = again,
                    }
                }
                Err(ExecuteError::Poisoned { returned: refused.returned })
            }
        }

        impl<D: Dispatch> fmt::Debug for $handle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($handle)).field("replica", &self.replica_id()).finish_non_exhaustive()
            }
        }
    };
}

methods!(Handle<'_, D>);
methods!(OwnedHandle<D>);
