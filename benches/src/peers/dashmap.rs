//! `dashmap`: a hash map of many shards, each behind a readers-writer lock.

use super::{BuildFailure, Handle, Peer, SharedPeer};
use crate::workloads::{Map, Put};
use std::hash::RandomState;

/// The map.
#[derive(Debug)]
pub struct DashMap(::dashmap::DashMap<u64, u64, RandomState>);

impl Peer<Map> for DashMap {
    const NAME: &'static str = "dashmap";
    type Handle<'a> = &'a Self;

    fn build(data: Map) -> Result<Self, BuildFailure> {
        Ok(Self(data.0.into_iter().collect()))
    }

    fn solo(&mut self) -> Result<&Self, BuildFailure> {
        Ok(self)
    }
}

impl SharedPeer<Map> for DashMap {
    fn handle(&self, _place: usize) -> Result<&Self, BuildFailure> {
        Ok(self)
    }
}

impl Handle<Map> for &DashMap {
    #[inline]
    fn read(&mut self, key: u64) -> Option<u64> {
        self.0.get(&key).map(|value| *value)
    }

    #[inline]
    fn write(&mut self, put: Put) -> Option<u64> {
        self.0.insert(put.key, put.value)
    }
}
