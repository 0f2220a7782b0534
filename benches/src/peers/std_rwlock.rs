//! std's readers-writer lock.

use super::Handle;
use crate::workloads::Structure;
use std::sync::RwLock;

/// The structure behind the lock.
#[derive(Debug)]
pub struct StdRwLock<S>(RwLock<S>);

by_reference!(StdRwLock<S>, S, "std-rwlock", |data| Ok(Self(RwLock::new(data))), any S);

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
