//! A key with its value.

use std::sync::atomic::{AtomicU32, Ordering};

use super::access::AccessClock;
use super::table::Keyed;
use super::{SmallBytes, Value};

/// A key, its value, when it expires, and when it was last used.
#[derive(Debug)]
pub struct Entry {
    key: SmallBytes,
    /// The value.
    pub value: Value,
    /// Milliseconds since 1970; [`Entry::NEVER`] if it does not expire.
    expiry: i64,
    /// When or how often it was used, as the [`AccessClock`] says. Replicas differ in it: it only guides which keys one
    /// of them proposes to evict.
    access: AtomicU32,
}

impl Entry {
    const NEVER: i64 = i64::MAX;

    /// An entry that doesn't expire.
    pub fn new(key: &[u8], value: Value) -> Self {
        Entry { key: SmallBytes::new(key), value, expiry: Self::NEVER, access: AtomicU32::new(0) }
    }

    /// The same entry under another key.
    pub fn with_key(self, key: &[u8]) -> Self {
        Entry { key: SmallBytes::new(key), ..self }
    }

    /// The key.
    pub fn key(&self) -> &SmallBytes {
        &self.key
    }

    /// When it expires, in milliseconds since 1970.
    #[inline]
    pub fn expiry(&self) -> Option<i64> {
        (self.expiry != Self::NEVER).then_some(self.expiry)
    }

    /// Only the database changes it, which keeps an index of expiries.
    pub(super) fn set_expiry(&mut self, expiry: Option<i64>) {
        self.expiry = expiry.map_or(Self::NEVER, |expiry| expiry.min(Self::NEVER - 1));
    }

    /// Whether it is over at `now`.
    #[inline]
    pub fn is_expired(&self, now: i64) -> bool {
        self.expiry <= now
    }

    /// The word of the access clock.
    #[inline]
    pub fn access(&self) -> u32 {
        // Relaxed: the word stands alone, and a lost or late update only makes the choice of a victim less sharp.
        self.access.load(Ordering::Relaxed)
    }

    /// Replaces the word of the access clock.
    pub fn set_access(&self, word: u32) {
        // Relaxed: as in `access`.
        self.access.store(word, Ordering::Relaxed);
    }

    /// Notes a use; writes only if that changes the word, so that readers of a hot key don't fight for its line.
    #[inline]
    pub fn touch(&self, clock: AccessClock, now: i64) {
        let before = self.access();
        let word = clock.used(before, now);
        if word != before {
            self.set_access(word);
        }
    }

    /// Roughly the bytes that it occupies, with its place in the table. O(1), with a rough guess for large collections.
    pub fn memory(&self) -> usize {
        const EXACT: usize = 128;
        const GUESS: usize = 64;
        let elements = self.value.elements();
        self.own_memory() + if elements <= EXACT { self.value.memory() } else { elements * GUESS }
    }

    /// The bytes that it occupies, with its place in the table. O(n) for n elements.
    pub fn exact_memory(&self) -> usize {
        self.own_memory() + self.value.memory()
    }

    fn own_memory(&self) -> usize {
        /// A pointer and a byte in a table that is three quarters full.
        const PLACE: usize = 12;
        PLACE + size_of::<Entry>() + self.key.heap_size()
    }
}

impl Clone for Entry {
    fn clone(&self) -> Self {
        Entry {
            key: self.key.clone(),
            value: self.value.clone(),
            expiry: self.expiry,
            access: AtomicU32::new(self.access()),
        }
    }
}

impl Keyed for Entry {
    #[inline]
    fn key(&self) -> &[u8] {
        &self.key
    }
}
