//! parking_lot's mutex.

use super::Handle;
use crate::workloads::Structure;
use parking_lot::Mutex;

/// The structure behind the lock.
#[derive(Debug)]
pub struct ParkingLotMutex<S>(Mutex<S>);

by_reference!(ParkingLotMutex<S>, S, "parking_lot-mutex", |data| Ok(Self(Mutex::new(data))), any S);

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
