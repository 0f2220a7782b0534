//! One spin lock: the paper's SL. Test and test-and-set, from the crate `spin`.

use super::Handle;
use crate::workloads::Structure;
use spin::mutex::SpinMutex;

/// The structure behind the lock.
#[derive(Debug)]
pub struct SpinLock<S>(SpinMutex<S>);

by_reference!(SpinLock<S>, S, "spin-lock", |data| Ok(Self(SpinMutex::new(data))), any S);

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
