//! Caches for many threads: `moka` and `quick_cache`. Both choose what goes by more than the time of its last use.

use super::Handle;
use crate::workloads::Cache;
use std::convert::Infallible;

/// `moka::sync::Cache`.
#[derive(Debug)]
pub struct Moka(moka::sync::Cache<u64, u64>);

/// `quick_cache::sync::Cache`.
#[derive(Debug)]
pub struct QuickCache(quick_cache::sync::Cache<u64, u64>);

by_reference!(Moka, Cache, "moka", |data| {
    let cache = moka::sync::Cache::new(data.0.cap().get() as u64);
    data.0.iter().rev().for_each(|(key, value)| cache.insert(*key, *value));
    Ok(Self(cache))
});

by_reference!(QuickCache, Cache, "quick-cache", |data| {
    let cache = quick_cache::sync::Cache::new(data.0.cap().get());
    data.0.iter().rev().for_each(|(key, value)| cache.insert(*key, *value));
    Ok(Self(cache))
});

impl Handle<Cache> for &Moka {
    /// It has no look that is no use.
    #[inline]
    fn read(&mut self, key: u64) -> Option<u64> {
        self.0.get(&key)
    }

    #[inline]
    fn write(&mut self, key: u64) -> Option<u64> {
        Some(self.0.get_with(key, || key))
    }
}

impl Handle<Cache> for &QuickCache {
    #[inline]
    fn read(&mut self, key: u64) -> Option<u64> {
        self.0.peek(&key)
    }

    #[inline]
    fn write(&mut self, key: u64) -> Option<u64> {
        self.0.get_or_insert_with::<_, Infallible>(&key, || Ok(key)).ok()
    }
}
