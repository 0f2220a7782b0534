//! VMware's `node-replication` 0.1.1, the crate that introduced node replication to Rust.
//!
//! Two things are done for it here that its users have to do as well. A replica without active threads lets the log run
//! full, whereupon every writer waits for ever: a lone thread therefore brings the other replicas up to date at intervals.
//! And a registration cannot be given back: handles pass theirs on.

use super::{BuildFailure, Handle, Peer, Replicated, SharedPeer};
use crate::workloads::Structure;
use node_replication::{Dispatch, Log, Replica, ReplicaToken};
use std::sync::{Arc, Mutex};

/// A lone thread brings the other replicas up to date each time it has written this often, well before the log is full.
const WRITES_BETWEEN_SYNCS: u32 = 4096;

impl<S: Structure> Dispatch for Replicated<S> {
    type ReadOperation = S::Read;
    type WriteOperation = S::Write;
    type Response = Option<u64>;

    #[inline]
    fn dispatch(&self, op: S::Read) -> Option<u64> {
        self.0.read(op)
    }

    #[inline]
    fn dispatch_mut(&mut self, op: S::Write) -> Option<u64> {
        self.0.write(&op)
    }
}

/// A replica and the registrations that no handle uses now.
struct OneReplica<S: Structure> {
    replica: Arc<Replica<'static, Replicated<S>>>,
    unused: Mutex<Vec<ReplicaToken>>,
}

impl<S: Structure> OneReplica<S> {
    fn token(&self) -> Result<ReplicaToken, BuildFailure> {
        let unused = self.unused.lock().expect("no holder panics").pop();
        unused
            .or_else(|| self.replica.register())
            .ok_or_else(|| BuildFailure::new("it has no place for another thread"))
    }

    fn sync(&self) {
        if let Ok(token) = self.token() {
            self.replica.sync(token);
            self.unused.lock().expect("no holder panics").push(token);
        }
    }
}

/// The predecessor with `REPLICAS` replicas.
pub struct Predecessor<S: Structure, const REPLICAS: usize>(Vec<OneReplica<S>>);

/// A thread's registration.
pub struct PredecessorHandle<'a, S: Structure> {
    on: &'a OneReplica<S>,
    token: ReplicaToken,
    /// The replicas that nobody else keeps up to date.
    deserted: &'a [OneReplica<S>],
    writes: u32,
}

impl<S: Structure, const REPLICAS: usize> Peer<S> for Predecessor<S, REPLICAS> {
    const NAME: &'static str = match REPLICAS {
        1 => "predecessor",
        2 => "predecessor-2",
        4 => "predecessor-4",
        _ => panic!("this number of replicas has no name yet"),
    };
    type Handle<'a> = PredecessorHandle<'a, S>;

    fn build(data: S) -> Result<Self, BuildFailure> {
        let log = Arc::new(Log::default());
        let replica = |data| OneReplica { replica: Replica::with_data(&log, data), unused: Mutex::default() };
        let mut replicas: Vec<_> = (1..REPLICAS).map(|_| replica(Replicated(data.clone()))).collect();
        replicas.push(replica(Replicated(data)));
        Ok(Self(replicas))
    }

    fn solo(&mut self) -> Result<PredecessorHandle<'_, S>, BuildFailure> {
        let handle = self.handle(0)?;
        Ok(PredecessorHandle { deserted: &self.0[1..], ..handle })
    }
}

impl<S: Structure, const REPLICAS: usize> SharedPeer<S> for Predecessor<S, REPLICAS> {
    fn handle(&self, place: usize) -> Result<PredecessorHandle<'_, S>, BuildFailure> {
        let on = &self.0[place % REPLICAS];
        Ok(PredecessorHandle { on, token: on.token()?, deserted: &[], writes: 0 })
    }

    fn sync(&self) {
        self.0.iter().for_each(OneReplica::sync);
    }
}

impl<S: Structure> Handle<S> for PredecessorHandle<'_, S> {
    #[inline]
    fn read(&mut self, op: S::Read) -> Option<u64> {
        self.on.replica.execute(op, self.token)
    }

    #[inline]
    fn write(&mut self, op: S::Write) -> Option<u64> {
        self.writes += 1;
        if self.writes == WRITES_BETWEEN_SYNCS {
            self.writes = 0;
            self.deserted.iter().for_each(OneReplica::sync);
        }
        self.on.replica.execute_mut(op, self.token)
    }
}

impl<S: Structure> Drop for PredecessorHandle<'_, S> {
    fn drop(&mut self) {
        self.on.unused.lock().expect("no holder panics").push(self.token);
    }
}
