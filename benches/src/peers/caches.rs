//! Caches for many threads: `moka` and `quick_cache`. Both choose what goes by more than the time of its last use.

use super::{BuildFailure, Handle, Peer, SharedPeer};
use crate::workloads::Cache;

/// `moka::sync::Cache`.
#[derive(Debug)]
pub struct Moka(moka::sync::Cache<u64, u64>);

/// `quick_cache::sync::Cache`.
#[derive(Debug)]
pub struct QuickCache(quick_cache::sync::Cache<u64, u64>);

/// `get_with` for a value that can't fail to be made.
trait UseOrPut {
    fn peek(&self, key: u64) -> Option<u64>;
    fn use_or_put(&self, key: u64) -> u64;
}

impl UseOrPut for Moka {
    /// It has no look that is no use.
    #[inline]
    fn peek(&self, key: u64) -> Option<u64> {
        self.0.get(&key)
    }

    #[inline]
    fn use_or_put(&self, key: u64) -> u64 {
        self.0.get_with(key, || key)
    }
}

impl UseOrPut for QuickCache {
    #[inline]
    fn peek(&self, key: u64) -> Option<u64> {
        self.0.peek(&key)
    }

    #[inline]
    fn use_or_put(&self, key: u64) -> u64 {
        self.0.get_or_insert_with::<_, std::convert::Infallible>(&key, || Ok(key)).unwrap_or(key)
    }
}

macro_rules! cache {
    ($cache:ident, $name:literal, $new:expr) => {
        impl Peer<Cache> for $cache {
            const NAME: &'static str = $name;
            type Handle<'a> = &'a Self;

            fn build(data: Cache) -> Result<Self, BuildFailure> {
                let cache = $new(data.0.cap().get());
                for (key, value) in data.0.iter().rev() {
                    cache.insert(*key, *value);
                }
                Ok(Self(cache))
            }

            fn solo(&mut self) -> Result<&Self, BuildFailure> {
                Ok(self)
            }
        }

        impl SharedPeer<Cache> for $cache {
            fn handle(&self, _place: usize) -> Result<&Self, BuildFailure> {
                Ok(self)
            }
        }

        impl Handle<Cache> for &$cache {
            #[inline]
            fn read(&mut self, key: u64) -> Option<u64> {
                self.peek(key)
            }

            #[inline]
            fn write(&mut self, key: u64) -> Option<u64> {
                Some(self.use_or_put(key))
            }
        }
    };
}

cache!(Moka, "moka", |capacity| moka::sync::Cache::new(capacity as u64));
cache!(QuickCache, "quick-cache", quick_cache::sync::Cache::new);
