//! parking_lot's readers-writer lock.

use super::{BuildFailure, Handle, Peer, SharedPeer};
use crate::workloads::Structure;
use parking_lot::RwLock;

/// The structure behind the lock.
#[derive(Debug)]
pub struct ParkingLotRwLock<S>(RwLock<S>);

impl<S: Structure> Peer<S> for ParkingLotRwLock<S> {
    const NAME: &'static str = "parking_lot-rwlock";
    type Handle<'a> = &'a Self;

    fn build(data: S) -> Result<Self, BuildFailure> {
        Ok(Self(RwLock::new(data)))
    }

    fn solo(&mut self) -> Result<&Self, BuildFailure> {
        Ok(self)
    }
}

impl<S: Structure> SharedPeer<S> for ParkingLotRwLock<S> {
    fn handle(&self, _place: usize) -> Result<&Self, BuildFailure> {
        Ok(self)
    }
}

impl<S: Structure> Handle<S> for &ParkingLotRwLock<S> {
    #[inline]
    fn read(&mut self, op: S::Read) -> Option<u64> {
        self.0.read().read(op)
    }

    #[inline]
    fn write(&mut self, op: S::Write) -> Option<u64> {
        self.0.write().write(&op)
    }
}
