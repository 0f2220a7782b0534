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
}

/// nr with `REPLICAS` replicas.
pub struct Nr<S: Structure, const REPLICAS: usize>(NodeReplicated<Replicated<S>>);

/// A thread's handle.
pub struct NrHandle<'a, S: Structure>(::nr::Handle<'a, Replicated<S>>);

impl<S: Structure, const REPLICAS: usize> Peer<S> for Nr<S, REPLICAS> {
    const NAME: &'static str = match REPLICAS {
        1 => "nr",
        2 => "nr-2",
        4 => "nr-4",
        _ => panic!("this number of replicas has no name yet"),
    };
    type Handle<'a> = NrHandle<'a, S>;

    fn build(data: S) -> Result<Self, BuildFailure> {
        let replicas = NonZeroUsize::new(REPLICAS).ok_or_else(|| BuildFailure::new("it needs a replica"))?;
        let builder = NodeReplicated::<Replicated<S>>::builder().replicas(Replicas::Count(replicas));
        builder.build(Replicated(data)).map(Self).map_err(BuildFailure::new)
    }

    fn solo(&mut self) -> Result<NrHandle<'_, S>, BuildFailure> {
        self.handle(0)
    }
}

impl<S: Structure, const REPLICAS: usize> SharedPeer<S> for Nr<S, REPLICAS> {
    fn handle(&self, thread: usize) -> Result<NrHandle<'_, S>, BuildFailure> {
        self.0.register_on(ReplicaId::new(thread % REPLICAS)).map(NrHandle).map_err(BuildFailure::new)
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
