//! One spin lock: the paper's SL. Test and test-and-set, from the crate `spin`.

use super::{BuildFailure, Handle, Peer, SharedPeer};
use crate::workloads::Structure;
use spin::mutex::SpinMutex;

/// The structure behind the lock.
#[derive(Debug)]
pub struct SpinLock<S>(SpinMutex<S>);

impl<S: Structure> Peer<S> for SpinLock<S> {
    const NAME: &'static str = "spin-lock";
    type Handle<'a> = &'a Self;

    fn build(data: S) -> Result<Self, BuildFailure> {
        Ok(Self(SpinMutex::new(data)))
    }

    fn solo(&mut self) -> Result<&Self, BuildFailure> {
        Ok(self)
    }
}

impl<S: Structure> SharedPeer<S> for SpinLock<S> {
    fn handle(&self, _place: usize) -> Result<&Self, BuildFailure> {
        Ok(self)
    }
}

impl<S: Structure> Handle<S> for &SpinLock<S> {
    #[inline]
    fn read(&mut self, op: S::Read) -> Option<u64> {
        self.0.lock().read(op)
    }

    #[inline]
    fn write(&mut self, op: S::Write) -> Option<u64> {
        self.0.lock().write(&op)
    }
}
