//! `dashmap`: a hash map of many shards, each behind a readers-writer lock.

use super::Handle;
use crate::workloads::{Map, Put};
use std::hash::RandomState;

/// The map.
#[derive(Debug)]
pub struct DashMap(::dashmap::DashMap<u64, u64, RandomState>);

by_reference!(DashMap, Map, "dashmap", |data| Ok(Self(data.0.into_iter().collect())));

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
