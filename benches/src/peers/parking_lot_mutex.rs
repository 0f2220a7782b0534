//! parking_lot's mutex.

use super::{BuildFailure, Handle, Peer, SharedPeer};
use crate::workloads::Structure;
use parking_lot::Mutex;

/// The structure behind the lock.
#[derive(Debug)]
pub struct ParkingLotMutex<S>(Mutex<S>);

impl<S: Structure> Peer<S> for ParkingLotMutex<S> {
    const NAME: &'static str = "parking_lot-mutex";
    type Handle<'a> = &'a Self;

    fn build(data: S) -> Result<Self, BuildFailure> {
        Ok(Self(Mutex::new(data)))
    }

    fn solo(&mut self) -> Result<&Self, BuildFailure> {
        Ok(self)
    }
}

impl<S: Structure> SharedPeer<S> for ParkingLotMutex<S> {
    fn handle(&self, _place: usize) -> Result<&Self, BuildFailure> {
        Ok(self)
    }
}

impl<S: Structure> Handle<S> for &ParkingLotMutex<S> {
    #[inline]
    fn read(&mut self, op: S::Read) -> Option<u64> {
        self.0.lock().read(op)
    }

    #[inline]
    fn write(&mut self, op: S::Write) -> Option<u64> {
        self.0.lock().write(&op)
    }
}
