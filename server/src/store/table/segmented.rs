//! The large form: segments, split and merged one at a time, and the directory that names them.

use std::mem;

use hashbrown::HashTable;

use super::keyed::{Keyed, hash_of};

/// The buckets of a full segment. Twice as many make the longest insert twice as long, half as many make the
/// directory and the segments' heads twice as large; gets and scans differ little.
pub(super) const SEGMENT_BUCKETS: usize = 256;

/// The items that a segment of [`SEGMENT_BUCKETS`] holds: [`HashTable`] leaves an eighth of its buckets empty.
pub(super) const SEGMENT_CAPACITY: usize = SEGMENT_BUCKETS / 8 * 7;

/// A segment that has no free bucket is split from here on. Below, the buckets are lost to traces of removed items,
/// and it is enough to build it anew.
pub(super) const SPLIT_FROM: usize = SEGMENT_CAPACITY / 4 * 3;

/// Two buddies with fewer items than this together become one segment. Far below what a split leaves behind, so that
/// a table which goes up and down a little does not split and merge by turns.
pub(super) const MERGE_BELOW: usize = SEGMENT_CAPACITY / 4;

/// The directory has at most this many entries for each segment. With a good hash function it has fewer than four; a
/// bad one makes segments larger, not the directory.
pub(super) const ENTRIES_PER_SEGMENT: usize = 8;

/// A directory's depth stays below this: prefixes and segments are numbered in 32 bits.
pub(super) const DEPTH_LIMIT: usize = 32;

/// The bits of a hash that a scan goes by: all those of the directory, and few enough for a client that keeps the
/// cursor in a signed integer.
pub(super) const SCAN_BITS: u32 = 56;

/// One past the last scan key.
pub(super) const SCAN_END: u64 = 1 << SCAN_BITS;

/// Segments lie in chunks of this many, so that a further one never moves all the others.
pub(super) const CHUNK: usize = 512;

/// A table of two or more segments; one of a single segment is on its way from or to the small form.
#[derive(Clone)]
pub(super) struct Segmented<T> {
    /// For each value of the first `depth` directory bits of a hash, the segment that such hashes belong to.
    pub(super) directory: Vec<u32>,
    pub(super) segments: Segments<T>,
    /// The number of items.
    pub(super) len: usize,
    /// No segment has, or has had, more buckets than this.
    pub(super) widest: usize,
    /// The number of bits that index the directory.
    pub(super) depth: u8,
    /// How many segments have each depth: without one of the directory's own depth, half of the directory will do.
    pub(super) segments_of_depth: [u32; DEPTH_LIMIT + 1],
}

/// All items whose hashes begin with `prefix`.
#[derive(Clone)]
pub(super) struct Segment<T> {
    pub(super) items: HashTable<T>,
    /// The first `depth` directory bits of the hashes in here.
    pub(super) prefix: u32,
    pub(super) depth: u8,
}

impl<T> Segmented<T> {
    /// The bytes that this takes, without the segments' tables.
    pub(super) fn memory(&self) -> usize {
        mem::size_of::<Self>() + self.directory.capacity() * mem::size_of::<u32>() + self.segments.memory()
    }

    /// The number of the segment of a hash or a scan key. The depth must not be 0.
    #[inline]
    pub(super) fn find(&self, hash: u64) -> usize {
        self.directory[(hash << (64 - SCAN_BITS) >> (64 - u32::from(self.depth))) as usize] as usize
    }

    /// Makes the directory name the segment `index` wherever its prefix matches.
    pub(super) fn enter(&mut self, index: usize) {
        let Segment { prefix, depth, .. } = *self.segments.get(index);
        let width = self.depth - depth;
        let start = (prefix as usize) << width;
        self.directory[start..start + (1 << width)].fill(index as u32);
    }
}

impl<T: Keyed> Segmented<T> {
    /// Two segments from a full one.
    pub(super) fn new(items: HashTable<T>) -> Self {
        let mut segmented = Segmented {
            directory: vec![0],
            segments: Segments { chunks: Vec::new() },
            len: items.len(),
            widest: items.num_buckets(),
            depth: 0,
            segments_of_depth: [0; DEPTH_LIMIT + 1],
        };
        segmented.segments.push(Segment { items, prefix: 0, depth: 0 });
        segmented.segments_of_depth[0] = 1;
        segmented.split(0);
        segmented
    }

    /// Puts in an item whose key is not in the table.
    pub(super) fn insert_new(&mut self, hash: u64, item: T) -> &mut T {
        let mut index = self.find(hash);
        let items = &mut self.segments.get_mut(index).items;
        if is_crowded(items) {
            if items.len() < SPLIT_FROM {
                rebuild(items);
            } else {
                self.split(index);
                index = self.find(hash);
            }
        }
        self.len += 1;
        let items = &mut self.segments.get_mut(index).items;
        // The new item may still find no room: with a bad hash function a segment grows beyond the common size.
        items.reserve(1, hash_of);
        self.widest = self.widest.max(items.num_buckets());
        items.insert_unique(hash, item, hash_of).into_mut()
    }

    /// Takes out the item with this key and its hash.
    pub(super) fn remove(&mut self, hash: u64, key: &[u8]) -> Option<T> {
        let index = self.find(hash);
        let items = &mut self.segments.get_mut(index).items;
        let item = take(items, hash, key)?;
        self.len -= 1;
        let index = if items.len() < MERGE_BELOW { self.merge(index) } else { index };
        give_back(&mut self.segments.get_mut(index).items);
        Some(item)
    }

    /// Drops the items that `keep` rejects.
    pub(super) fn retain(&mut self, keep: &mut impl FnMut(&mut T) -> bool) {
        let mut len = 0;
        for segment in self.segments.chunks.iter_mut().flatten() {
            segment.items.retain(&mut *keep);
            len += segment.items.len();
        }
        self.len = len;
        // From one prefix to the next, because merging numbers the segments anew and shortens the directory.
        let mut position = 0;
        while position < SCAN_END && self.segments.len() > 1 {
            let index = self.merge(self.find(position));
            let segment = self.segments.get_mut(index);
            give_back(&mut segment.items);
            position = (u64::from(segment.prefix) + 1) << (SCAN_BITS - u32::from(segment.depth));
        }
    }

    /// Divides a segment by the next bit of the hashes, unless the directory would grow out of proportion.
    pub(super) fn split(&mut self, index: usize) {
        let Segment { prefix, depth, .. } = *self.segments.get(index);
        if depth == self.depth {
            if self.directory.len() * 2 > self.segments.len() * ENTRIES_PER_SEGMENT
                || usize::from(depth) + 1 == DEPTH_LIMIT
            {
                return;
            }
            self.directory = self.directory.iter().flat_map(|&index| [index; 2]).collect();
            self.depth += 1;
        }
        let bit = 1 << (SCAN_BITS - 1 - u32::from(depth));
        let all = mem::take(&mut self.segments.get_mut(index).items);
        let all: Vec<(u64, T)> = all.into_iter().map(|item| (hash_of(&item), item)).collect();
        let ones = all.iter().filter(|(hash, _)| hash & bit != 0).count();
        let mut low = HashTable::with_capacity(room_for(all.len() - ones));
        let mut high = HashTable::with_capacity(room_for(ones));
        for (hash, item) in all {
            let half = if hash & bit == 0 { &mut low } else { &mut high };
            half.insert_unique(hash, item, hash_of);
        }
        let depth = depth + 1;
        *self.segments.get_mut(index) = Segment { items: low, prefix: prefix << 1, depth };
        self.segments.push(Segment { items: high, prefix: prefix << 1 | 1, depth });
        self.segments_of_depth[usize::from(depth) - 1] -= 1;
        self.segments_of_depth[usize::from(depth)] += 2;
        self.enter(self.segments.len() - 1);
    }

    /// Joins a segment with its buddy, the one that differs in the last bit of the prefix, for as long as both
    /// together have few items; halves the directory while nothing needs all of it. Returns the number of the segment
    /// that has the items now.
    pub(super) fn merge(&mut self, mut index: usize) -> usize {
        while self.segments.len() > 1 {
            let Segment { ref items, prefix, depth } = *self.segments.get(index);
            let buddy = self.directory[((prefix ^ 1) as usize) << (self.depth - depth)] as usize;
            let other = self.segments.get(buddy);
            if other.depth != depth || items.len() + other.items.len() >= MERGE_BELOW {
                break;
            }
            let (low, high) = if prefix & 1 == 0 { (index, buddy) } else { (buddy, index) };
            let more = mem::take(&mut self.segments.get_mut(high).items);
            let joined = self.segments.get_mut(low);
            joined.items.reserve(more.len(), hash_of);
            for item in more {
                joined.items.insert_unique(hash_of(&item), item, hash_of);
            }
            joined.prefix >>= 1;
            joined.depth -= 1;
            self.segments_of_depth[usize::from(depth)] -= 2;
            self.segments_of_depth[usize::from(depth) - 1] += 1;
            self.enter(low);
            self.segments.swap_remove(high);
            if high < self.segments.len() {
                self.enter(high);
            }
            // `low` may have been the last segment, which has taken the place of `high`.
            index = if low < self.segments.len() { low } else { high };
        }
        let shallower = (1..=self.depth).rev().find(|&depth| self.segments_of_depth[usize::from(depth)] > 0);
        let shallower = shallower.unwrap_or(0);
        if shallower < self.depth {
            let step = 1 << (self.depth - shallower);
            self.directory = self.directory.iter().step_by(step).copied().collect();
            self.depth = shallower;
        }
        index
    }
}

/// The segments by number: a vector that never moves more than [`CHUNK`] of its elements.
#[derive(Clone)]
pub(super) struct Segments<T> {
    /// All chunks but the last are full, and none is empty.
    pub(super) chunks: Vec<Vec<Segment<T>>>,
}

impl<T> Segments<T> {
    pub(super) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    #[inline]
    pub(super) fn get(&self, index: usize) -> &Segment<T> {
        &self.chunks[index / CHUNK][index % CHUNK]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: usize) -> &mut Segment<T> {
        &mut self.chunks[index / CHUNK][index % CHUNK]
    }

    /// Appends a segment.
    pub(super) fn push(&mut self, segment: Segment<T>) {
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(segment),
            _ => self.chunks.push(vec![segment]),
        }
    }

    /// Takes out a segment and puts the last one in its place.
    pub(super) fn swap_remove(&mut self, index: usize) -> Segment<T> {
        let chunks = self.chunks.len();
        let chunk = &mut self.chunks[chunks - 1];
        let last = chunk.pop().expect("no chunk is empty");
        if chunk.is_empty() {
            self.chunks.pop();
            if self.chunks.len() * 4 < self.chunks.capacity() {
                self.chunks.shrink_to(self.chunks.len() * 2);
            }
        } else if chunk.len() * 4 < chunk.capacity() {
            chunk.shrink_to(chunk.len() * 2);
        }
        if index == self.len() { last } else { mem::replace(self.get_mut(index), last) }
    }

    /// The bytes of all chunks.
    pub(super) fn memory(&self) -> usize {
        let segments: usize = self.chunks.iter().map(Vec::capacity).sum();
        self.chunks.capacity() * mem::size_of::<Vec<Segment<T>>>() + segments * mem::size_of::<Segment<T>>()
    }
}

/// Whether one more item would make the table wider than a segment should be.
#[inline]
pub(super) fn is_crowded<T>(items: &HashTable<T>) -> bool {
    items.len() == items.capacity() && items.num_buckets() >= SEGMENT_BUCKETS
}

/// The capacity to build a segment's table with, so that it does not grow at the next insert: a third more than its
/// items, but no more buckets than a segment should have.
pub(super) fn room_for(items: usize) -> usize {
    (items + items / 3 + 1).min(SEGMENT_CAPACITY).max(items)
}

/// Builds the table anew, without the traces of removed items. Left to itself, [`HashTable`] would double the buckets
/// even if only half of them are in use.
#[cold]
pub(super) fn rebuild<T: Keyed>(items: &mut HashTable<T>) {
    let old = mem::replace(items, HashTable::with_capacity(room_for(items.len())));
    for item in old {
        items.insert_unique(hash_of(&item), item, hash_of);
    }
}

/// Gives memory back once an eighth of it or less is in use, and keeps twice what is.
#[inline]
pub(super) fn give_back<T: Keyed>(items: &mut HashTable<T>) {
    if items.len() * 8 < items.num_buckets() {
        items.shrink_to(items.len() * 2, hash_of);
    }
}

/// Takes the item with this key out of a segment.
pub(super) fn take<T: Keyed>(items: &mut HashTable<T>, hash: u64, key: &[u8]) -> Option<T> {
    let entry = items.find_entry(hash, |item| item.key() == key).ok()?;
    Some(entry.remove().0)
}
