//! Lists.
//!
//! A client reads elements as `$3\r\nabc\r\n`, and that is how they are kept: one behind the other, in chunks of a few
//! kilobytes. So the reply to `LRANGE` consists of a few long copies.
//!
//! ```text
//!   List     chunks ──▶ │ position -3, 3 elements │ position 0, 128 elements │ position 128, 70 elements │
//!                                                       │
//!   Chunk                starts                         ▼
//!                        bytes ──▶ │ room │ $3 abc │ $1 x │ $5 hello │ … │ room
//! ```
//!
//! Chunks know the positions of their first elements, counted from wherever the list once began. So either end grows
//! without a change elsewhere, and an index is found by bisection.

mod chunk;
mod element;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::Range;

use chunk::Chunk;
pub use element::Element;
use element::Encoded;

use crate::resp::Reply;

/// One end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The left end, where the first element is.
    Front,
    /// The right end, where the last element is.
    Back,
}

/// A list of byte strings.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// None is empty. Each begins at the position where the one before ends.
    chunks: VecDeque<Chunk>,
    len: usize,
}

impl List {
    /// How many elements there are. O(1).
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none. O(1).
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The name of its form in Redis.
    pub fn encoding(&self) -> &'static str {
        "quicklist"
    }

    /// Bytes allocated. O(n / 128).
    pub fn memory(&self) -> usize {
        self.chunks.capacity() * size_of::<Chunk>() + self.chunks.iter().map(Chunk::memory).sum::<usize>()
    }

    /// The element at `index`. O(log n).
    pub fn get(&self, index: usize) -> Option<Element<'_>> {
        if index >= self.len {
            return None;
        }
        let (chunk, within) = self.locate(index);
        Some(self.chunks[chunk].get(within))
    }

    /// The element at that end. O(1).
    pub fn peek(&self, end: End) -> Option<Element<'_>> {
        match end {
            End::Front => self.chunks.front().map(|chunk| chunk.get(0)),
            End::Back => self.chunks.back().map(|chunk| chunk.get(chunk.len() - 1)),
        }
    }

    /// All elements in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Element<'_>> + Clone {
        self.chunks.iter().flat_map(|chunk| chunk.iter(0..chunk.len()))
    }

    /// The indices within `range` of the elements that equal `payload`. O(log n + length of the range) for all.
    ///
    /// # Panics
    ///
    /// If the range ends beyond the list.
    pub fn find<'a>(&'a self, payload: &'a [u8], range: Range<usize>) -> impl DoubleEndedIterator<Item = usize> + 'a {
        self.parts(range).flat_map(move |(first, chunk, within)| {
            within.filter(move |index| chunk.get(*index).equals(payload)).map(move |index| first + index)
        })
    }

    /// Writes the elements of `range` one by one, without the header of an array; the last one first if `reversed`. O(log
    /// n + elements), with one copy for each chunk if not reversed.
    ///
    /// # Panics
    ///
    /// If the range ends beyond the list.
    pub fn write(&self, range: Range<usize>, reversed: bool, reply: &mut Reply<'_>) {
        if reply.is_muted() {
            return;
        }
        let parts = self.parts(range);
        if reversed {
            let elements = parts.rev().flat_map(|(_, chunk, within)| chunk.iter(within).rev());
            elements.for_each(|element| reply.raw(element.encoded()));
        } else {
            parts.for_each(|(_, chunk, within)| reply.raw(chunk.encoded(within)));
        }
    }

    /// The chunks that have elements of `range`: for each the index of its first element, and which of them it has.
    fn parts(&self, range: Range<usize>) -> impl DoubleEndedIterator<Item = (usize, &Chunk, Range<usize>)> {
        let chunks = if range.is_empty() { 0..0 } else { self.locate(range.start).0..self.locate(range.end - 1).0 + 1 };
        let origin = self.chunks.front().map_or(0, |chunk| chunk.position);
        self.chunks.range(chunks).map(move |chunk| {
            let first = (chunk.position - origin) as usize;
            (first, chunk, range.start.saturating_sub(first)..(range.end - first).min(chunk.len()))
        })
    }

    /// Adds an element at that end. O(1), amortised.
    pub fn push(&mut self, end: End, payload: &[u8]) {
        let encoded = Encoded::new(payload);
        let size = encoded.size();
        let chunk = match end {
            End::Front => self.front_with_room(size),
            End::Back => self.back_with_room(size),
        };
        let at = if end == End::Front { 0 } else { chunk.len() };
        encoded.write(chunk.insert(at, size));
        if end == End::Front {
            chunk.position -= 1;
        }
        self.len += 1;
    }

    /// Replaces the element at `index`. O(log n), and O(n / 128) if the chunk has no room for the new one.
    ///
    /// # Panics
    ///
    /// If there is no such element.
    pub fn set(&mut self, index: usize, payload: &[u8]) {
        let (chunk, within) = self.locate(index);
        let encoded = Encoded::new(payload);
        if let Some(place) = self.chunks[chunk].replace(within, encoded.size()) {
            encoded.write(place);
        } else {
            // The chunk has other elements, or it would have taken any new one.
            self.chunks[chunk].remove(within..within + 1);
            self.len -= 1;
            self.renumber(chunk + 1);
            self.insert(index, payload);
        }
    }

    /// Adds an element before the one at `index`, or behind the last. O(n / 128).
    ///
    /// # Panics
    ///
    /// If the list is shorter than `index`.
    pub fn insert(&mut self, index: usize, payload: &[u8]) {
        if index == 0 || index == self.len {
            return self.push(if index == 0 { End::Front } else { End::Back }, payload);
        }
        let encoded = Encoded::new(payload);
        let size = encoded.size();
        let (mut chunk, mut within) = self.locate(index);
        if !self.chunks[chunk].has_room(size) {
            if within > 0 {
                let rest = self.chunks[chunk].split_off(within);
                chunk += 1;
                self.chunks.insert(chunk, rest);
            }
            // The place is between two chunks now.
            if self.chunks[chunk - 1].has_room(size) {
                chunk -= 1;
                within = self.chunks[chunk].len();
            } else {
                within = 0;
                if !self.chunks[chunk].has_room(size) {
                    self.chunks.insert(chunk, Chunk::new(0, size));
                }
            }
        }
        encoded.write(self.chunks[chunk].insert(within, size));
        self.len += 1;
        self.renumber(chunk);
    }

    /// Removes the `count` elements next to that end, or all if there are fewer. O(1 + count / 128).
    pub fn remove(&mut self, end: End, count: usize) {
        let mut left = count.min(self.len);
        self.len -= left;
        while left > 0 {
            let chunk = match end {
                End::Front => self.chunks.front_mut(),
                End::Back => self.chunks.back_mut(),
            };
            let Some(chunk) = chunk else { return };
            let len = chunk.len();
            if left < len {
                chunk.remove(if end == End::Front { 0..left } else { len - left..len });
                if end == End::Front {
                    chunk.position += left as i64;
                }
                return;
            }
            left -= len;
            match end {
                End::Front => self.chunks.pop_front(),
                End::Back => self.chunks.pop_back(),
            };
        }
    }

    /// Removes the elements that equal `payload`, at most `limit` of them, counted from that end; gives their number.
    /// O(n).
    pub fn remove_equal(&mut self, payload: &[u8], limit: usize, end: End) -> usize {
        let mut removed = 0;
        let mut visit = |chunk: &mut Chunk| removed += chunk.remove_equal(payload, limit - removed, end);
        match end {
            End::Front => self.chunks.iter_mut().for_each(&mut visit),
            End::Back => self.chunks.iter_mut().rev().for_each(&mut visit),
        }
        if removed > 0 {
            self.len -= removed;
            self.tidy();
        }
        removed
    }

    /// The chunk that has the element at `index`, and the element's place within it.
    #[inline]
    fn locate(&self, index: usize) -> (usize, usize) {
        debug_assert!(index < self.len, "there is no element {index}");
        let position = self.chunks[0].position + index as i64;
        let chunk = if index < self.chunks[0].len() {
            0
        } else {
            self.chunks.partition_point(|chunk| chunk.position <= position) - 1
        };
        (chunk, (position - self.chunks[chunk].position) as usize)
    }

    /// The first chunk, or a new one before it if that has no room for `size` bytes.
    #[inline]
    fn front_with_room(&mut self, size: usize) -> &mut Chunk {
        if !self.chunks.front().is_some_and(|chunk| chunk.has_room(size)) {
            let (position, capacity) = match self.chunks.front_mut() {
                Some(chunk) => (chunk.position, chunk.finish().max(size)),
                None => (0, size),
            };
            self.reserve_chunk();
            self.chunks.push_front(Chunk::with_room_before(position, capacity));
        }
        &mut self.chunks[0]
    }

    /// The last chunk, or a new one behind it if that has no room for `size` bytes.
    #[inline]
    fn back_with_room(&mut self, size: usize) -> &mut Chunk {
        if !self.chunks.back().is_some_and(|chunk| chunk.has_room(size)) {
            let (position, capacity) = match self.chunks.back_mut() {
                Some(chunk) => (chunk.position + chunk.len() as i64, chunk.finish().max(size)),
                None => (0, size),
            };
            self.reserve_chunk();
            self.chunks.push_back(Chunk::new(position, capacity));
        }
        let last = self.chunks.len() - 1;
        &mut self.chunks[last]
    }

    /// Room for exactly one chunk at first: most lists never have another.
    fn reserve_chunk(&mut self) {
        if self.chunks.is_empty() {
            self.chunks.reserve_exact(1);
        }
    }

    /// Sets the positions of the chunk `first` and all behind it by what is before it.
    fn renumber(&mut self, first: usize) {
        let mut position = match first.checked_sub(1) {
            Some(before) => self.chunks[before].position + self.chunks[before].len() as i64,
            None => self.chunks[0].position,
        };
        for chunk in self.chunks.range_mut(first..) {
            chunk.position = position;
            position += chunk.len() as i64;
        }
    }

    /// Drops chunks without elements, joins small neighbours and sets all positions.
    fn tidy(&mut self) {
        if self.chunks.len() > 1 || self.len == 0 {
            let mut kept: VecDeque<Chunk> = VecDeque::new();
            for chunk in self.chunks.drain(..).filter(|chunk| chunk.len() > 0) {
                match kept.back_mut() {
                    Some(before) if before.can_take_over(&chunk) => before.append(&chunk),
                    _ => kept.push_back(chunk),
                }
            }
            self.chunks = kept;
        }
        if self.len > 0 {
            self.renumber(0);
        }
    }
}
