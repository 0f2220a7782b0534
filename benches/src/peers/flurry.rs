//! `flurry`: Java's `ConcurrentHashMap` in Rust.

use super::{BuildFailure, Handle, Peer, SharedPeer};
use crate::workloads::{Map, Put};
use std::hash::RandomState;

/// The map.
#[derive(Debug)]
pub struct Flurry(::flurry::HashMap<u64, u64, RandomState>);

impl Peer<Map> for Flurry {
    const NAME: &'static str = "flurry";
    type Handle<'a> = &'a Self;

    fn build(data: Map) -> Result<Self, BuildFailure> {
        Ok(Self(data.0.into_iter().collect()))
    }

    fn solo(&mut self) -> Result<&Self, BuildFailure> {
        Ok(self)
    }
}

impl SharedPeer<Map> for Flurry {
    fn handle(&self, _place: usize) -> Result<&Self, BuildFailure> {
        Ok(self)
    }
}

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
