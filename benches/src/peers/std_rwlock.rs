//! std's readers-writer lock.

use super::{BuildFailure, Handle, Peer, SharedPeer};
use crate::workloads::Structure;
use std::sync::RwLock;

/// The structure behind the lock.
#[derive(Debug)]
pub struct StdRwLock<S>(RwLock<S>);

impl<S: Structure> Peer<S> for StdRwLock<S> {
    const NAME: &'static str = "std-rwlock";
    type Handle<'a> = &'a Self;

    fn build(data: S) -> Result<Self, BuildFailure> {
        Ok(Self(RwLock::new(data)))
    }

    fn solo(&mut self) -> Result<&Self, BuildFailure> {
        Ok(self)
    }
}

impl<S: Structure> SharedPeer<S> for StdRwLock<S> {
    fn handle(&self, _place: usize) -> Result<&Self, BuildFailure> {
        Ok(self)
    }
}

impl<S: Structure> Handle<S> for &StdRwLock<S> {
    #[inline]
    fn read(&mut self, op: S::Read) -> Option<u64> {
        self.0.read().expect("no writer panics").read(op)
    }

    #[inline]
    fn write(&mut self, op: S::Write) -> Option<u64> {
        self.0.write().expect("no writer panics").write(&op)
    }
}
