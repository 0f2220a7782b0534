//! Fields with their values, one after the other in one allocation.

use std::ops::Range;

/// Pairs of byte strings in the order of insertion. Each string stands behind its length, which takes a byte for up to 127
/// bytes; a pair of short strings takes two bytes more than they have.
///
/// To find a pair, the ones before it are walked through: for few and short ones that is as fast as a table, in a
/// fraction of its memory. n is the number of bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct PackedPairs {
    bytes: Vec<u8>,
    pairs: usize,
}

/// Where a pair lies.
struct Place {
    /// The whole pair.
    pair: Range<usize>,
    /// The value with its length.
    value: Range<usize>,
}

impl PackedPairs {
    /// How many pairs there are. O(1).
    pub(super) fn len(&self) -> usize {
        self.pairs
    }

    /// The value of the pair with this key. O(n).
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let place = self.find(key)?;
        Some(self.read(place.value.start).0)
    }

    /// Gives the pair with this key the value; whether there is such a pair. O(n).
    pub(super) fn replace(&mut self, key: &[u8], value: &[u8]) -> bool {
        let Some(place) = self.find(key) else { return false };
        self.put(place.value, value);
        self.give_back();
        true
    }

    /// Appends a pair, whose key must be new. Amortised O(length of the pair).
    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) {
        for string in [key, value] {
            self.put(self.bytes.len()..self.bytes.len(), string);
        }
        self.pairs += 1;
    }

    /// Removes the pair with this key; whether there was one. O(n).
    pub(super) fn remove(&mut self, key: &[u8]) -> bool {
        let Some(place) = self.find(key) else { return false };
        self.bytes.drain(place.pair);
        self.pairs -= 1;
        self.give_back();
        true
    }

    /// All pairs. O(n).
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut at = 0;
        std::iter::from_fn(move || {
            if at == self.bytes.len() {
                return None;
            }
            let (key, middle) = self.read(at);
            let (value, end) = self.read(middle);
            at = end;
            Some((key, value))
        })
    }

    /// Bytes allocated. O(1).
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    fn find(&self, wanted: &[u8]) -> Option<Place> {
        let mut at = 0;
        while at < self.bytes.len() {
            let (key, middle) = self.read(at);
            let end = self.skip(middle);
            // Keys of one hash tend to begin alike: most of the others are told by the length or the last byte.
            if key.len() == wanted.len() && key.last() == wanted.last() && key == wanted {
                return Some(Place { pair: at..end, value: middle..end });
            }
            at = end;
        }
        None
    }

    /// The string whose length stands at `at`, and where it ends.
    #[inline]
    fn read(&self, at: usize) -> (&[u8], usize) {
        let (length, start) = self.read_length(at);
        (&self.bytes[start..start + length], start + length)
    }

    /// Where the string ends whose length stands at `at`.
    #[inline]
    fn skip(&self, at: usize) -> usize {
        let (length, start) = self.read_length(at);
        start + length
    }

    /// The length at `at`, and where it ends.
    #[inline]
    fn read_length(&self, at: usize) -> (usize, usize) {
        match self.bytes[at] {
            length @ 0..0x80 => (usize::from(length), at + 1),
            first => {
                let mut length = usize::from(first & 0x7f);
                let mut at = at + 1;
                let mut shift = 7;
                loop {
                    let byte = self.bytes[at];
                    length |= usize::from(byte & 0x7f) << shift;
                    at += 1;
                    shift += 7;
                    if byte < 0x80 {
                        return (length, at);
                    }
                }
            }
        }
    }

    /// Puts a string with its length into the place of these bytes.
    fn put(&mut self, range: Range<usize>, string: &[u8]) {
        let mut header = [0; 10];
        let header = write_length(string.len(), &mut header);
        let new = header.len() + string.len();
        let length = self.bytes.len() - range.len() + new;
        if length > self.bytes.capacity() {
            self.bytes.reserve_exact(with_spare(length) - self.bytes.len());
        }
        let (end, new_end) = (self.bytes.len(), range.start + new);
        self.bytes.resize(end.max(length), 0);
        self.bytes.copy_within(range.end..end, new_end);
        self.bytes.truncate(length);
        self.bytes[range.start..][..header.len()].copy_from_slice(header);
        self.bytes[new_end - string.len()..new_end].copy_from_slice(string);
    }

    /// Gives memory back where less than a quarter is used.
    fn give_back(&mut self) {
        if self.bytes.capacity() / 4 > self.bytes.len() {
            self.bytes.shrink_to(with_spare(self.bytes.len()));
        }
    }
}

/// How much to allocate for so many bytes: an eighth more, so that appending many is linear.
fn with_spare(length: usize) -> usize {
    length + length / 8
}

/// Seven bits a byte, the lowest first; all but the last byte have the highest bit set.
fn write_length(mut length: usize, buffer: &mut [u8; 10]) -> &[u8] {
    let mut used = 0;
    while length >= 0x80 {
        buffer[used] = length as u8 | 0x80;
        length >>= 7;
        used += 1;
    }
    buffer[used] = length as u8;
    &buffer[..=used]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn string() -> impl Strategy<Value = Vec<u8>> {
        let length = prop_oneof![0..4usize, 120..140usize, 16_300..16_400usize];
        (length, 0..4u8).prop_map(|(length, byte)| vec![byte; length])
    }

    proptest! {
        #[test]
        fn they_are_a_map_in_the_order_of_insertion(
            steps in prop::collection::vec((string(), prop::option::of(string())), 0..40),
        ) {
            let mut packed = PackedPairs::default();
            let mut model: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
            for (key, value) in steps {
                let known = model.iter().position(|(other, _)| *other == key);
                match value {
                    Some(value) => {
                        prop_assert_eq!(packed.replace(&key, &value), known.is_some());
                        match known {
                            Some(index) => model[index].1 = value,
                            None => {
                                packed.push(&key, &value);
                                model.push((key, value));
                            }
                        }
                    }
                    None => {
                        prop_assert_eq!(packed.remove(&key), known.is_some());
                        known.map(|index| model.remove(index));
                    }
                }
                prop_assert_eq!(packed.len(), model.len());
                let pairs: Vec<_> = packed.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
                prop_assert_eq!(&pairs, &model);
                for (key, value) in &model {
                    prop_assert_eq!(packed.get(key), Some(&value[..]));
                }
                prop_assert!(packed.memory() <= 4 * packed.bytes.len() + 3 || packed.bytes.is_empty());
            }
        }
    }

    #[test]
    fn short_pairs_take_two_bytes_more_than_they_have() {
        let mut packed = PackedPairs::default();
        for number in 0..10 {
            packed.push(format!("field{number}").as_bytes(), b"value");
        }
        assert_eq!(packed.bytes.len(), 10 * (6 + 5 + 2));
        assert!(packed.memory() < 160);
    }
}
