//! A hash map, as std makes it: existing keys are looked up or overwritten.

use super::{Structure, Workload};
use crate::keys::Keys;
use crate::peers::{self, Handle, SharedPeerVisitor};
use std::collections::HashMap;

/// `HashMap<u64, u64>` with std's default hasher.
#[derive(Clone, Debug, Default)]
pub struct Map(pub HashMap<u64, u64>);

/// Inserts a value or overwrites the one that is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Put {
    /// Where.
    pub key: u64,
    /// What.
    pub value: u64,
}

/// Without a `prefetch`: std's map has no way to touch a bucket other than to look a key up, which costs more than it saves
/// (the program `replay` measures it).
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

impl Workload for Map {
    const NAME: &'static str = "map";
    const ABOUT: [&'static str; 3] = ["HashMap<u64, u64>", "look a key up", "overwrite a key's value"];
    const ENTRIES: u64 = 1_000_000;
    const ALWAYS_ANSWERS: bool = true;
    type Client = Keys;

    fn filled(entries: u64) -> Self {
        let mut map = HashMap::with_capacity(entries as usize);
        map.extend((0..entries).map(|key| (key, key)));
        Self(map)
    }

    /// Buckets are a power of two, at most 7/8 of them used, each with an entry and a byte.
    fn bytes(entries: u64) -> u64 {
        (entries * 8 / 7).next_power_of_two() * 17
    }

    fn client(keys: Keys) -> Keys {
        keys
    }

    #[inline]
    fn read_through<H: Handle<Self>>(keys: &mut Keys, handle: &mut H) -> Option<u64> {
        handle.read(keys.next_key())
    }

    #[inline]
    fn write_through<H: Handle<Self>>(keys: &mut Keys, handle: &mut H) -> Option<u64> {
        let key = keys.next_key();
        handle.write(Put { key, value: key ^ 1 })
    }

    fn for_each_rival(visitor: &mut impl SharedPeerVisitor<Self>) {
        visitor.visit::<peers::DashMap>();
        visitor.visit::<peers::Papaya>();
        visitor.visit::<peers::Scc>();
        visitor.visit::<peers::Flurry>();
        visitor.visit::<peers::EvMap>();
        visitor.visit::<peers::SkipMap>();
    }
}
