//! `flurry`: Java's `ConcurrentHashMap` in Rust.

use super::Handle;
use crate::workloads::{Map, Put};
use std::hash::RandomState;

/// The map.
#[derive(Debug)]
pub struct Flurry(::flurry::HashMap<u64, u64, RandomState>);

by_reference!(Flurry, Map, "flurry", |data| Ok(Self(data.0.into_iter().collect())));

impl Handle<Map> for &Flurry {
    #[inline]
    fn read(&mut self, key: u64) -> Option<u64> {
        self.0.pin().get(&key).copied()
    }

    #[inline]
    fn write(&mut self, put: Put) -> Option<u64> {
        self.0.pin().insert(put.key, put.value).copied()
    }
}
