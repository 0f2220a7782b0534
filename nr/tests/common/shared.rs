//! The trait behind which the crate and the obviously right reference run through the same test bodies.

use super::Configuration;
use nr::{Dispatch, Handle, NodeReplicated, OwnedHandle, Place, ReplicaId};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// A concurrent structure made of a sequential `D`.
pub trait Shared<D: Dispatch>: Sync + Sized {
    type Handle<'a>: SharedHandle<D> + Send
    where
        Self: 'a;

    /// `make` is told for which replica it makes.
    fn make(configuration: &Configuration, make: impl FnMut(usize) -> D) -> Self;
    fn replicas(&self) -> usize;
    /// A handle for the `n`-th thread of a test: threads are dealt out to the replicas in turn.
    fn handle(&self, n: usize) -> Self::Handle<'_>;
    fn sync(&self);
    /// How many write operations the structure itself says it has executed, if it counts them.
    fn counted(&self) -> Option<u64>;
    fn into_inner(self) -> D;
}

/// The calls common to all handles.
pub trait SharedHandle<D: Dispatch> {
    fn execute(&mut self, op: D::ReadOperation<'_>) -> D::Response;
    fn execute_mut(&mut self, op: D::WriteOperation) -> D::Response;
    fn execute_mut_batch(&mut self, ops: impl IntoIterator<Item = D::WriteOperation>) -> Vec<D::Response>;
    fn read<R>(&mut self, f: impl FnOnce(&D) -> R) -> R;
    /// Goes over to the nearest replica, where there are replicas.
    fn rehome(&mut self) {}
}

impl<D: Dispatch + Send + Sync> Shared<D> for NodeReplicated<D> {
    type Handle<'a>
        = Handle<'a, D>
    where
        Self: 'a;

    fn make(configuration: &Configuration, mut make: impl FnMut(usize) -> D) -> Self {
        let made = configuration.build(|replica| make(replica.index()));
        assert_eq!(made.replicas(), configuration.replicas, "as many replicas as asked for");
        made
    }

    fn replicas(&self) -> usize {
        self.replicas()
    }

    fn handle(&self, n: usize) -> Handle<'_, D> {
        self.register_on(ReplicaId::new(n % self.replicas())).expect("the replica exists")
    }

    fn sync(&self) {
        self.sync();
    }

    fn counted(&self) -> Option<u64> {
        Some(self.stats().operations())
    }

    fn into_inner(self) -> D {
        self.into_inner()
    }
}

macro_rules! forward {
    ($handle:ty) => {
        impl<D: Dispatch> SharedHandle<D> for $handle {
            fn execute(&mut self, op: D::ReadOperation<'_>) -> D::Response {
                self.execute(op)
            }

            fn execute_mut(&mut self, op: D::WriteOperation) -> D::Response {
                self.execute_mut(op)
            }

            fn execute_mut_batch(&mut self, ops: impl IntoIterator<Item = D::WriteOperation>) -> Vec<D::Response> {
                self.execute_mut_batch(ops)
            }

            fn read<R>(&mut self, f: impl FnOnce(&D) -> R) -> R {
                self.read(f)
            }

            fn rehome(&mut self) {
                self.rehome();
            }
        }
    };
}
forward!(Handle<'_, D>);
forward!(OwnedHandle<D>);

/// The reference: one lock around the sequential structure.
pub struct Reference<D>(Mutex<D>);

impl<D> Reference<D> {
    fn lock(&self) -> MutexGuard<'_, D> {
        self.0.lock().expect("no reference is poisoned")
    }
}

/// The reference's handle.
pub struct ReferenceHandle<'a, D>(&'a Reference<D>);

impl<D: Dispatch + Send + Sync> Shared<D> for Reference<D> {
    type Handle<'a>
        = ReferenceHandle<'a, D>
    where
        Self: 'a;

    fn make(_: &Configuration, mut make: impl FnMut(usize) -> D) -> Self {
        Self(Mutex::new(make(0)))
    }

    fn replicas(&self) -> usize {
        1
    }

    fn handle(&self, _: usize) -> ReferenceHandle<'_, D> {
        ReferenceHandle(self)
    }

    fn sync(&self) {}

    fn counted(&self) -> Option<u64> {
        None
    }

    fn into_inner(self) -> D {
        self.0.into_inner().expect("no reference is poisoned")
    }
}

impl<D: Dispatch> SharedHandle<D> for ReferenceHandle<'_, D> {
    fn execute(&mut self, op: D::ReadOperation<'_>) -> D::Response {
        self.0.lock().dispatch(op)
    }

    fn execute_mut(&mut self, op: D::WriteOperation) -> D::Response {
        self.0.lock().dispatch_mut(&op)
    }

    fn execute_mut_batch(&mut self, ops: impl IntoIterator<Item = D::WriteOperation>) -> Vec<D::Response> {
        let ops: Vec<_> = ops.into_iter().collect();
        let mut data = self.0.lock();
        ops.iter().map(|op| data.dispatch_mut(op)).collect()
    }

    fn read<R>(&mut self, f: impl FnOnce(&D) -> R) -> R {
        f(&self.0.lock())
    }
}

/// The structure while its replicas come and go, one after the other, without a pause.
pub struct Elastic<D: Dispatch> {
    structure: Arc<NodeReplicated<D>>,
    /// How many there were at first.
    replicas: usize,
    changes: Changes,
}

/// The thread that changes them.
struct Changes {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "replicas can always come and go");
        }
    }
}

impl<D: Dispatch> Elastic<D> {
    pub fn structure(&self) -> &Arc<NodeReplicated<D>> {
        &self.structure
    }
}

impl<D: Dispatch + Clone + Send + Sync + 'static> Shared<D> for Elastic<D> {
    type Handle<'a>
        = OwnedHandle<D>
    where
        Self: 'a;

    fn make(configuration: &Configuration, mut make: impl FnMut(usize) -> D) -> Self {
        let structure = Arc::new(configuration.build(|replica| make(replica.index())));
        let stop = Arc::new(AtomicBool::new(false));
        let change = {
            let (structure, stop) = (Arc::clone(&structure), Arc::clone(&stop));
            move || {
                // From one to four and back: the log goes on and off; and in each place one follows another.
                for turn in 0.. {
                    if stop.load(SeqCst) {
                        break;
                    }
                    let ids = structure.replica_ids();
                    if ids.len() == 4 || ids.len() > 1 && turn % 7 > 2 {
                        structure.remove_replica(ids[turn % ids.len()]).expect("it is one of several");
                    } else {
                        structure.add_replica(Place::Here).expect("there is room");
                    }
                    thread::yield_now();
                }
            }
        };
        let thread = Some(thread::spawn(change));
        Self { structure, replicas: configuration.replicas, changes: Changes { stop, thread } }
    }

    fn replicas(&self) -> usize {
        self.replicas
    }

    fn handle(&self, n: usize) -> OwnedHandle<D> {
        let ids = self.structure.replica_ids();
        let id = ids.get(n % ids.len().max(1)).copied().unwrap_or(ReplicaId::new(0));
        // It may be gone by now.
        self.structure.register_owned_on(id).or_else(|_| self.structure.register_owned()).expect("one is always there")
    }

    fn sync(&self) {
        self.structure.sync();
    }

    fn counted(&self) -> Option<u64> {
        Some(self.structure.stats().operations())
    }

    fn into_inner(self) -> D {
        drop(self.changes);
        Arc::into_inner(self.structure).expect("no handle is left").into_inner()
    }
}
