//! A cache of the entries used last: twice as many keys as it has room for.
//!
//! To look into such a cache and to count that as a use is a write. So a *read* here only looks, as monitoring does, and a
//! *write* is what clients of a cache do: take what is there or, if it is not, put it in.

use super::{Structure, Workload};
use crate::keys::Keys;
use crate::peers::{self, Handle, SharedPeerVisitor};
use lru::LruCache;
use std::num::NonZeroUsize;

/// `LruCache<u64, u64>`.
#[derive(Clone, Debug)]
pub struct Cache(pub LruCache<u64, u64>);

impl Structure for Cache {
    type Read = u64;
    type Write = u64;

    #[inline]
    fn read(&self, key: u64) -> Option<u64> {
        self.0.peek(&key).copied()
    }

    #[inline]
    fn write(&mut self, key: &u64) -> Option<u64> {
        Some(*self.0.get_or_insert(*key, || *key))
    }
}

impl Workload for Cache {
    const NAME: &'static str = "cache";
    const ABOUT: [&'static str; 3] = [
        "cache: LruCache<u64, u64>, with room for half of the keys",
        "look a key up without using it",
        "use a key, and put it in if it is not there",
    ];
    const ENTRIES: u64 = 100_000;
    const MOST_ENTRIES: u64 = 1 << 31;
    const ALWAYS_ANSWERS: bool = false;
    type Client = Keys;

    fn filled(entries: u64) -> Self {
        let mut cache = LruCache::new(NonZeroUsize::new(entries as usize).expect("some entries"));
        for key in 0..entries {
            cache.put(key, key);
        }
        Self(cache)
    }

    fn bytes(entries: u64) -> u64 {
        80 * entries
    }

    fn client(keys: Keys) -> Keys {
        keys
    }

    #[inline]
    fn read_through<H: Handle<Self>>(keys: &mut Keys, handle: &mut H) -> Option<u64> {
        let key = key(keys);
        handle.read(key)
    }

    #[inline]
    fn write_through<H: Handle<Self>>(keys: &mut Keys, handle: &mut H) -> Option<u64> {
        let key = key(keys);
        handle.write(key)
    }

    fn for_each_rival(visitor: &mut impl SharedPeerVisitor<Self>) {
        visitor.visit::<peers::Moka>();
        visitor.visit::<peers::QuickCache>();
    }
}

/// One of two that share the popularity of one entry.
#[inline]
fn key(keys: &mut Keys) -> u64 {
    2 * keys.next_key() + (keys.random.next_u32() & 1)
}
