//! An ordered map: sixteen neighbours are read at once, or one value is overwritten.

use super::{Put, Structure, Workload};
use crate::keys::Keys;
use crate::peers::{self, Handle, SharedPeerVisitor};
use std::collections::BTreeMap;

/// Entries that a read looks at.
const SCANNED: usize = 16;

/// `BTreeMap<u64, u64>`.
#[derive(Clone, Debug, Default)]
pub struct BTree(pub BTreeMap<u64, u64>);

/// Adds up the values of sixteen entries, from this key on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scan(pub u64);

/// The sum, if there is anything to add up.
pub fn sum_of_some(values: impl Iterator<Item = u64>) -> Option<u64> {
    values.take(SCANNED).fold(None, |sum, value| Some(sum.unwrap_or(0u64).wrapping_add(value)))
}

impl Structure for BTree {
    type Read = Scan;
    type Write = Put;

    #[inline]
    fn read(&self, Scan(key): Scan) -> Option<u64> {
        sum_of_some(self.0.range(key..).map(|(_, value)| *value))
    }

    #[inline]
    fn write(&mut self, put: &Put) -> Option<u64> {
        self.0.insert(put.key, put.value)
    }
}

impl Workload for BTree {
    const NAME: &'static str = "btree";
    const ABOUT: [&'static str; 3] =
        ["ordered map: BTreeMap<u64, u64>", "add up the values of 16 neighbours", "overwrite a key's value"];
    const ENTRIES: u64 = 1_000_000;
    const ALWAYS_ANSWERS: bool = true;
    type Client = Keys;

    fn filled(entries: u64) -> Self {
        Self((0..entries).map(|key| (key, key)).collect())
    }

    fn bytes(entries: u64) -> u64 {
        30 * entries
    }

    fn client(keys: Keys) -> Keys {
        keys
    }

    #[inline]
    fn read_through<H: Handle<Self>>(keys: &mut Keys, handle: &mut H) -> Option<u64> {
        handle.read(Scan(keys.next_key()))
    }

    #[inline]
    fn write_through<H: Handle<Self>>(keys: &mut Keys, handle: &mut H) -> Option<u64> {
        let key = keys.next_key();
        handle.write(Put { key, value: key ^ 1 })
    }

    fn for_each_rival(visitor: &mut impl SharedPeerVisitor<Self>) {
        visitor.visit::<peers::SkipMap>();
        visitor.visit::<peers::TreeIndex>();
    }
}
