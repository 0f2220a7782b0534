//! What a table keeps, and the hash function that places it.

use std::hash::{BuildHasher, Hasher as _};
use std::sync::OnceLock;

use ahash::RandomState;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::store::SmallBytes;

/// A keyed hash function: who does not know its seeds cannot choose keys that collide.
#[derive(Clone, Debug)]
pub struct Hasher(RandomState);

impl Hasher {
    /// The hash function of these seeds.
    pub const fn with_seeds(seeds: [u64; 4]) -> Self {
        Hasher(RandomState::with_seeds(seeds[0], seeds[1], seeds[2], seeds[3]))
    }

    /// A hash function with seeds from the operating system.
    pub fn random() -> Self {
        Hasher::with_seeds(SmallRng::from_os_rng().random())
    }

    /// The hash function of all tables of this process. Replicas of a table share it, hence their layout is equal.
    #[inline]
    pub fn of_process() -> &'static Self {
        static OF_PROCESS: OnceLock<Hasher> = OnceLock::new();
        OF_PROCESS.get_or_init(Hasher::random)
    }

    /// The hash of `key`; O(length).
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(key);
        hasher.finish()
    }
}

/// What a [`Table`](super::Table) keeps: something of which its key is a part.
pub trait Keyed {
    /// The key; it must not change while the item is in a table.
    fn key(&self) -> &[u8];

    /// The hash by which tables place items of this type: that of the process. Only a test has reason for another.
    #[inline]
    fn hash_key(key: &[u8]) -> u64 {
        Hasher::of_process().hash(key)
    }
}

impl Keyed for SmallBytes {
    #[inline]
    fn key(&self) -> &[u8] {
        self.as_slice()
    }
}

impl<V> Keyed for (SmallBytes, V) {
    #[inline]
    fn key(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl<T: Keyed> Keyed for Box<T> {
    #[inline]
    fn key(&self) -> &[u8] {
        (**self).key()
    }

    #[inline]
    fn hash_key(key: &[u8]) -> u64 {
        T::hash_key(key)
    }
}

/// The hash of an item.
#[inline]
pub(super) fn hash_of<T: Keyed>(item: &T) -> u64 {
    T::hash_key(item.key())
}
