//! This repository's crate.

use super::{BuildFailure, Handle, Peer, Replicated, SharedPeer};
use crate::workloads::Structure;
use ::nr::{Dispatch, NodeReplicated, ReplicaId, Replicas};
use std::num::NonZeroUsize;

impl<S: Structure> Dispatch for Replicated<S> {
    type ReadOperation<'a> = S::Read;
    type WriteOperation = S::Write;
    type Response = Option<u64>;

    #[inline]
    fn dispatch(&self, op: S::Read) -> Option<u64> {
        self.0.read(op)
    }

    #[inline]
    fn dispatch_mut(&mut self, op: &S::Write) -> Option<u64> {
        self.0.write(op)
    }

    #[inline]
    fn prefetch(&self, op: &S::Write) {
        self.0.prefetch(op);
    }
}

/// nr with `REPLICAS` replicas; 0 stands for the default, one for each NUMA node.
pub struct Nr<S: Structure, const REPLICAS: usize>(NodeReplicated<Replicated<S>>);

/// A thread's handle.
pub struct NrHandle<'a, S: Structure>(::nr::Handle<'a, Replicated<S>>);

impl<S: Structure, const REPLICAS: usize> Peer<S> for Nr<S, REPLICAS> {
    const NAME: &'static str = match REPLICAS {
        0 => "nr",
        1 => "nr-1",
        2 => "nr-2",
        4 => "nr-4",
        _ => panic!("this number of replicas has no name yet"),
    };
    type Handle<'a> = NrHandle<'a, S>;

    fn build(data: S) -> Result<Self, BuildFailure> {
        let replicas = NonZeroUsize::new(REPLICAS).map_or(Replicas::PerNumaNode, Replicas::Count);
        let builder = NodeReplicated::<Replicated<S>>::builder().replicas(replicas);
        builder.build(Replicated(data)).map(Self).map_err(BuildFailure::new)
    }

    fn solo(&mut self) -> Result<NrHandle<'_, S>, BuildFailure> {
        self.handle(0)
    }
}

impl<S: Structure, const REPLICAS: usize> SharedPeer<S> for Nr<S, REPLICAS> {
    fn handle(&self, place: usize) -> Result<NrHandle<'_, S>, BuildFailure> {
        let handle = match place.checked_rem(REPLICAS) {
            // On the replica that is nearest to the thread.
            None => self.0.register(),
            Some(replica) => self.0.register_on(ReplicaId::new(replica)),
        };
        handle.map(NrHandle).map_err(BuildFailure::new)
    }

    fn sync(&self) {
        self.0.sync();
    }
}

impl<S: Structure> Handle<S> for NrHandle<'_, S> {
    #[inline]
    fn read(&mut self, op: S::Read) -> Option<u64> {
        self.0.execute(op)
    }

    #[inline]
    fn write(&mut self, op: S::Write) -> Option<u64> {
        self.0.execute_mut(op)
    }
}
