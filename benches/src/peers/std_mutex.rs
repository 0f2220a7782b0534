//! std's mutex.

use super::Handle;
use crate::workloads::Structure;
use std::sync::Mutex;

/// The structure behind the lock.
#[derive(Debug)]
pub struct StdMutex<S>(Mutex<S>);

by_reference!(StdMutex<S>, S, "std-mutex", |data| Ok(Self(Mutex::new(data))), any S);

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
