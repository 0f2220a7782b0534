//! `papaya`: a lock-free hash map.

use super::Handle;
use crate::workloads::{Map, Put};

/// The map.
#[derive(Debug)]
pub struct Papaya(::papaya::HashMap<u64, u64>);

by_reference!(Papaya, Map, "papaya", |data| Ok(Self(data.0.into_iter().collect())));

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
