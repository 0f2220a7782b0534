//! A run of a list's elements.

use std::collections::VecDeque;
use std::ops::Range;

use super::{Element, End};

/// The most elements of a chunk: a bit each for [`Chunk::remove_equal`].
pub(super) const MOST_ELEMENTS: usize = u128::BITS as usize;

/// The most bytes of a chunk that has more than one element. They are moved where an element is put between others.
pub(super) const MOST_BYTES: usize = 8 * 1024;

/// Up to [`MOST_ELEMENTS`] elements of up to [`MOST_BYTES`], or a single one of any length.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// The position of the first element. The list keeps it.
    pub(super) position: i64,
    /// Room for further elements before the first one, then the elements, one behind the other.
    bytes: Vec<u8>,
    /// Where each element begins; it ends where the next one does. Sixteen bits are enough, as there are no more bytes
    /// than [`MOST_BYTES`] before the last element, and no more room than that or those that there once were.
    starts: VecDeque<u16>,
}

impl Chunk {
    /// Without elements, to be filled from the front to the back.
    pub(super) fn new(position: i64, capacity: usize) -> Self {
        Chunk { position, bytes: Vec::with_capacity(capacity), starts: VecDeque::new() }
    }

    /// Without elements, to be filled from the back to the front.
    pub(super) fn with_room_before(position: i64, capacity: usize) -> Self {
        Chunk { position, bytes: vec![0; capacity], starts: VecDeque::new() }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Where the element begins, or where those before it end.
    #[inline]
    fn start(&self, index: usize) -> usize {
        self.starts.get(index).map_or(self.bytes.len(), |start| usize::from(*start))
    }

    /// How many bytes the elements occupy.
    #[inline]
    fn used(&self) -> usize {
        self.bytes.len() - self.start(0)
    }

    #[inline]
    pub(super) fn get(&self, index: usize) -> Element<'_> {
        Element::new(self.encoded(index..index + 1))
    }

    /// The elements of `range`, one behind the other.
    #[inline]
    pub(super) fn encoded(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[self.start(range.start)..self.start(range.end)]
    }

    pub(super) fn iter(&self, range: Range<usize>) -> impl DoubleEndedIterator<Item = Element<'_>> + Clone {
        range.map(|index| self.get(index))
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity() + self.starts.capacity() * size_of::<u16>()
    }

    /// Whether one more element of `size` bytes belongs here.
    #[inline]
    pub(super) fn has_room(&self, size: usize) -> bool {
        self.len() == 0 || (self.len() < MOST_ELEMENTS && self.used() + size <= MOST_BYTES)
    }

    /// Gives memory back, as the list goes on in another chunk; gives how many bytes that one may need.
    pub(super) fn finish(&mut self) -> usize {
        self.bytes.shrink_to_fit();
        self.starts.shrink_to_fit();
        self.used().min(MOST_BYTES)
    }

    /// Makes place for an element of `size` bytes before that at `index`, for which there [is room](Self::has_room). O(1)
    /// amortised at both ends.
    #[inline]
    pub(super) fn insert(&mut self, index: usize, size: usize) -> &mut [u8] {
        let start = if index == self.len() && (index > 0 || self.bytes.len() < size) {
            if self.bytes.len() + size > self.bytes.capacity() && self.start(0) >= self.used() {
                self.close_room();
            }
            let start = self.bytes.len();
            self.bytes.resize(start + size, 0);
            self.starts.push_back(start as u16);
            start
        } else if index == 0 {
            if self.start(0) < size {
                self.open_room(size);
            }
            let start = self.start(0) - size;
            self.starts.push_front(start as u16);
            start
        } else {
            let start = self.start(index);
            self.resize(start, start, size);
            self.starts.iter_mut().skip(index).for_each(|start| *start += size as u16);
            self.starts.insert(index, start as u16);
            start
        };
        &mut self.bytes[start..start + size]
    }

    /// Makes the place of the element at `index` one of `size` bytes, if they belong here.
    pub(super) fn replace(&mut self, index: usize, size: usize) -> Option<&mut [u8]> {
        let (start, end) = (self.start(index), self.start(index + 1));
        if self.len() > 1 && self.used() - (end - start) + size > MOST_BYTES {
            return None;
        }
        self.resize(start, end, size);
        for next in self.starts.iter_mut().skip(index + 1) {
            *next = (usize::from(*next) - (end - start) + size) as u16;
        }
        if self.bytes.capacity() > 2 * MOST_BYTES.max(self.bytes.len()) {
            self.bytes.shrink_to_fit();
        }
        Some(&mut self.bytes[start..start + size])
    }

    /// Replaces the bytes from `start` to `end` by `size` others, which are still to be written.
    fn resize(&mut self, start: usize, end: usize, size: usize) {
        let before = self.bytes.len();
        let after = before - (end - start) + size;
        self.bytes.resize(before.max(after), 0);
        self.bytes.copy_within(end..before, start + size);
        self.bytes.truncate(after);
    }

    /// Removes the elements of `range`. O(1) for each at both ends.
    pub(super) fn remove(&mut self, range: Range<usize>) {
        if range.start > 0 {
            let (start, end) = (self.start(range.start), self.start(range.end));
            self.bytes.drain(start..end);
            self.starts.iter_mut().skip(range.end).for_each(|next| *next -= (end - start) as u16);
        }
        self.starts.drain(range);
    }

    /// Removes the elements that equal `payload`, at most `limit` of them, counted from that end; gives their number.
    pub(super) fn remove_equal(&mut self, payload: &[u8], limit: usize, end: End) -> usize {
        let is_equal = |index: &usize| self.get(*index).equals(payload);
        let mark = |marked: u128, index: usize| marked | 1 << index;
        let marked = match end {
            End::Front => (0..self.len()).filter(is_equal).take(limit).fold(0, mark),
            End::Back => (0..self.len()).rev().filter(is_equal).take(limit).fold(0, mark),
        };
        if marked != 0 {
            let (mut kept, mut place) = (0, self.start(0));
            for index in 0..self.len() {
                if marked >> index & 1 == 0 {
                    let (start, end) = (self.start(index), self.start(index + 1));
                    self.bytes.copy_within(start..end, place);
                    self.starts[kept] = place as u16;
                    kept += 1;
                    place += end - start;
                }
            }
            self.starts.truncate(kept);
            self.bytes.truncate(place);
        }
        marked.count_ones() as usize
    }

    /// Moves the elements from `index` on to a chunk of their own.
    pub(super) fn split_off(&mut self, index: usize) -> Chunk {
        let start = self.start(index);
        let bytes = self.bytes.split_off(start);
        let starts = self.starts.drain(index..).map(|each| each - start as u16).collect();
        Chunk { position: 0, bytes, starts }
    }

    /// Whether the elements of both together are few enough that they won't be divided again soon.
    pub(super) fn can_take_over(&self, other: &Chunk) -> bool {
        self.len() + other.len() <= MOST_ELEMENTS / 2 && self.used() + other.used() <= MOST_BYTES / 2
    }

    /// Adds the elements of another chunk at the end.
    pub(super) fn append(&mut self, other: &Chunk) {
        self.close_room();
        let shift = self.bytes.len() as u16;
        let first = other.start(0) as u16;
        self.bytes.extend_from_slice(other.encoded(0..other.len()));
        self.starts.extend(other.starts.iter().map(|start| start - first + shift));
    }

    /// Gives up the room before the first element.
    fn close_room(&mut self) {
        let room = self.start(0);
        self.bytes.drain(..room);
        self.starts.iter_mut().for_each(|start| *start -= room as u16);
    }

    /// Makes room before the first element for at least `size` bytes, and for as much again as there is.
    #[cold]
    fn open_room(&mut self, size: usize) {
        let before = self.start(0);
        let room = self.used().min(MOST_BYTES).max(size);
        let mut bytes = Vec::with_capacity(room + self.used());
        bytes.resize(room, 0);
        bytes.extend_from_slice(&self.bytes[before..]);
        self.bytes = bytes;
        self.starts.iter_mut().for_each(|start| *start += (room - before) as u16);
    }
}
