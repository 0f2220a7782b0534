//! std's mutex.

use super::{BuildFailure, Handle, Peer, SharedPeer};
use crate::workloads::Structure;
use std::sync::Mutex;

/// The structure behind the lock.
#[derive(Debug)]
pub struct StdMutex<S>(Mutex<S>);

impl<S: Structure> Peer<S> for StdMutex<S> {
    const NAME: &'static str = "std-mutex";
    type Handle<'a> = &'a Self;

    fn build(data: S) -> Result<Self, BuildFailure> {
        Ok(Self(Mutex::new(data)))
    }

    fn solo(&mut self) -> Result<&Self, BuildFailure> {
        Ok(self)
    }
}

impl<S: Structure> SharedPeer<S> for StdMutex<S> {
    fn handle(&self, _place: usize) -> Result<&Self, BuildFailure> {
        Ok(self)
    }
}

impl<S: Structure> Handle<S> for &StdMutex<S> {
    #[inline]
    fn read(&mut self, op: S::Read) -> Option<u64> {
        self.0.lock().expect("no writer panics").read(op)
    }

    #[inline]
    fn write(&mut self, op: S::Write) -> Option<u64> {
        self.0.lock().expect("no writer panics").write(&op)
    }
}
