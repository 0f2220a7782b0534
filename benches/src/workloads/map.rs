//! A hash map, as std makes it: random existing keys are looked up or overwritten.

use super::{Structure, Workload};
use crate::peers::Handle;
use crate::sequence::Sequence;
use std::collections::HashMap;

/// `HashMap<u64, u64>` with std's default hasher.
#[derive(Clone, Debug, Default)]
pub struct Map(HashMap<u64, u64>);

/// Inserts a value or overwrites the one that is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Put {
    /// Where.
    pub key: u64,
    /// What.
    pub value: u64,
}

impl Map {
    /// A map with the keys `0..entries`.
    pub fn filled(entries: u64) -> Self {
        let mut map = HashMap::with_capacity(entries as usize);
        map.extend((0..entries).map(|key| (key, key)));
        Self(map)
    }
}

impl Structure for Map {
    type Read = u64;
    type Write = Put;

    #[inline]
    fn read(&self, key: u64) -> Option<u64> {
        self.0.get(&key).copied()
    }

    #[inline]
    fn write(&mut self, put: &Put) -> Option<u64> {
        self.0.insert(put.key, put.value)
    }
}

/// Looks up existing keys, chosen uniformly at random.
#[derive(Debug)]
pub struct MapRead {
    keys: Sequence,
    entries: u64,
}

impl Workload for MapRead {
    type Structure = Map;
    const NAME: &'static str = "map/read";
    const ENTRIES: u64 = 1_000_000;
    const OPERATIONS: u64 = 1;

    fn structure(entries: u64) -> Map {
        Map::filled(entries)
    }

    fn new(entries: u64) -> Self {
        Self { keys: Sequence::new(1), entries }
    }

    #[inline]
    fn step<H: Handle<Map>>(&mut self, handle: &mut H) -> Option<u64> {
        handle.read(self.keys.below(self.entries))
    }
}

/// Overwrites existing keys, chosen uniformly at random.
#[derive(Debug)]
pub struct MapWrite {
    keys: Sequence,
    entries: u64,
}

impl Workload for MapWrite {
    type Structure = Map;
    const NAME: &'static str = "map/write";
    const ENTRIES: u64 = 1_000_000;
    const OPERATIONS: u64 = 1;

    fn structure(entries: u64) -> Map {
        Map::filled(entries)
    }

    fn new(entries: u64) -> Self {
        Self { keys: Sequence::new(2), entries }
    }

    #[inline]
    fn step<H: Handle<Map>>(&mut self, handle: &mut H) -> Option<u64> {
        let key = self.keys.below(self.entries);
        handle.write(Put { key, value: key ^ 1 })
    }
}
