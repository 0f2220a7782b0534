//! The structure itself, which one thread has all to itself: what no peer can be faster than.

use super::{BuildFailure, Handle, Peer};
use crate::workloads::Structure;

/// The structure and nothing else.
#[derive(Debug)]
pub struct Bare<S>(S);

impl<S> Bare<S> {
    /// The structure as it is now.
    pub fn into_inner(self) -> S {
        self.0
    }
}

impl<S: Structure> Peer<S> for Bare<S> {
    const NAME: &'static str = "seq";
    type Handle<'a> = &'a mut S;

    fn build(data: S) -> Result<Self, BuildFailure> {
        Ok(Self(data))
    }

    fn solo(&mut self) -> Result<&mut S, BuildFailure> {
        Ok(&mut self.0)
    }
}

impl<S: Structure> Handle<S> for &mut S {
    #[inline]
    fn read(&mut self, op: S::Read) -> Option<u64> {
        S::read(self, op)
    }

    #[inline]
    fn write(&mut self, op: S::Write) -> Option<u64> {
        S::write(self, &op)
    }
}
