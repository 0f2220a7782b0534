//! `papaya`: a lock-free hash map.

use super::{BuildFailure, Handle, Peer, SharedPeer};
use crate::workloads::{Map, Put};

/// The map.
#[derive(Debug)]
pub struct Papaya(::papaya::HashMap<u64, u64>);

impl Peer<Map> for Papaya {
    const NAME: &'static str = "papaya";
    type Handle<'a> = &'a Self;

    fn build(data: Map) -> Result<Self, BuildFailure> {
        Ok(Self(data.0.into_iter().collect()))
    }

    fn solo(&mut self) -> Result<&Self, BuildFailure> {
        Ok(self)
    }
}

impl SharedPeer<Map> for Papaya {
    fn handle(&self, _place: usize) -> Result<&Self, BuildFailure> {
        Ok(self)
    }
}

impl Handle<Map> for &Papaya {
    #[inline]
    fn read(&mut self, key: u64) -> Option<u64> {
        self.0.pin().get(&key).copied()
    }

    #[inline]
    fn write(&mut self, put: Put) -> Option<u64> {
        self.0.pin().insert(put.key, put.value).copied()
    }
}
