//! parking_lot's readers-writer lock.

use super::Handle;
use crate::workloads::Structure;
use parking_lot::RwLock;

/// The structure behind the lock.
#[derive(Debug)]
pub struct ParkingLotRwLock<S>(RwLock<S>);

by_reference!(ParkingLotRwLock<S>, S, "parking_lot-rwlock", |data| Ok(Self(RwLock::new(data))), any S);

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
