//! A byte string that keeps up to 23 bytes in place.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::ops::Deref;

use compact_bytes::CompactBytes;

/// An owned byte string of 24 bytes: up to 23 bytes lie in place, longer ones in an allocation of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SmallBytes(CompactBytes);

impl SmallBytes {
    /// A copy of `bytes`; O(n).
    #[inline]
    pub fn new(bytes: &[u8]) -> Self {
        SmallBytes(CompactBytes::new(bytes))
    }

    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// The bytes, to change in place.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.0.as_mut_slice()
    }

    /// Appends `bytes`; amortised O(n).
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Appends zeros until there are `length` bytes, if there are fewer; amortised O(zeros).
    pub fn grow(&mut self, length: usize) {
        static ZEROS: [u8; 4096] = [0; 4096];
        let mut missing = length.saturating_sub(self.len());
        self.0.reserve(missing);
        while missing > 0 {
            let some = missing.min(ZEROS.len());
            self.extend_from_slice(&ZEROS[..some]);
            missing -= some;
        }
    }

    /// The bytes allocated outside of the 24 of the value itself.
    pub fn heap_size(&self) -> usize {
        if self.0.spilled() { self.0.capacity() } else { 0 }
    }
}

impl PartialOrd for SmallBytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SmallBytes {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl Deref for SmallBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Borrow<[u8]> for SmallBytes {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsRef<[u8]> for SmallBytes {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl From<&[u8]> for SmallBytes {
    fn from(bytes: &[u8]) -> Self {
        SmallBytes::new(bytes)
    }
}

impl From<Vec<u8>> for SmallBytes {
    fn from(bytes: Vec<u8>) -> Self {
        SmallBytes(CompactBytes::from(bytes))
    }
}
