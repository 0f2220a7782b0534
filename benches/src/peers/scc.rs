//! `scc`: a hash map with a lock for each bucket, and an ordered map whose readers take no lock.

use super::{BuildFailure, Handle};
use crate::workloads::{BTree, Map, Put, Scan, sum_of_some};
use ::scc::Guard;

/// The hash map.
#[derive(Debug)]
pub struct Scc(::scc::HashMap<u64, u64>);

by_reference!(Scc, Map, "scc", |data| {
    let map = ::scc::HashMap::with_capacity(data.0.len());
    for (key, value) in data.0 {
        map.upsert_sync(key, value);
    }
    Ok(Self(map))
});

impl Handle<Map> for &Scc {
    #[inline]
    fn read(&mut self, key: u64) -> Option<u64> {
        self.0.read_sync(&key, |_, value| *value)
    }

    #[inline]
    fn write(&mut self, put: Put) -> Option<u64> {
        self.0.upsert_sync(put.key, put.value)
    }
}

/// The ordered map. It can't overwrite: a value that is there is removed first.
#[derive(Debug)]
pub struct TreeIndex(::scc::TreeIndex<u64, u64>);

by_reference!(TreeIndex, BTree, "scc-tree-index", |data| {
    let tree = ::scc::TreeIndex::new();
    for (key, value) in data.0 {
        tree.insert_sync(key, value).map_err(|_| BuildFailure::new("it does not take an entry"))?;
    }
    Ok(Self(tree))
});

impl Handle<BTree> for &TreeIndex {
    #[inline]
    fn read(&mut self, Scan(key): Scan) -> Option<u64> {
        let guard = Guard::new();
        sum_of_some(self.0.range(key.., &guard).map(|(_, value)| *value))
    }

    #[inline]
    fn write(&mut self, put: Put) -> Option<u64> {
        let mut before = None;
        let (mut key, mut value) = (put.key, put.value);
        while let Err((refused_key, refused_value)) = self.0.insert_sync(key, value) {
            before = self.0.peek_with(&refused_key, |_, value| *value).or(before);
            self.0.remove_sync(&refused_key);
            (key, value) = (refused_key, refused_value);
        }
        before
    }
}
