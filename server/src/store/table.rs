//! The hash table that keys, fields and members live in.
//!
//! A plain hash table that outgrows its memory moves everything at once: with millions of keys, a pause of tens of
//! milliseconds, which one unlucky insert pays. This table is *extendible*: a directory, indexed by some bits of the
//! hash, names segments, each a small [`HashTable`] of its own. A segment that is full is split in two by the next
//! bit of the hash, so an insert moves the items of one segment at most, and now and then doubles the directory,
//! which is four bytes for about a hundred items.
//!
//! ```text
//!   hash   | tag (7) | - | directory ......... | ........ | position (8) |
//!   bit     63     57  56  55                                7          0
//!
//!   directory, depth 2        segments
//!   00 ──────────────────────▶ 0   prefix 00, depth 2
//!   01 ──────────────────────▶ 2   prefix 01, depth 2
//!   10 ──┬───────────────────▶ 1   prefix 1,  depth 1
//!   11 ──┘
//! ```
//!
//! [`HashTable`] takes the tag and the position from both ends of the hash, hence the directory takes what is
//! between. A table of one segment has no directory: it is as small as the segment.
//!
//! # Determinism
//! The hash function is drawn once for the process, and nothing else here depends on chance, time or addresses. Two
//! tables that saw the same operations in the same order iterate in the same order and choose the same
//! [`random`](Table::random) items. Reads change nothing.

use std::fmt;
use std::hash::{BuildHasher, Hasher as _};
use std::mem;
use std::sync::OnceLock;

use ahash::RandomState;
use hashbrown::HashTable;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::SmallBytes;

/// The buckets of a full segment. Twice as many make the longest insert twice as long, half as many make the
/// directory and the segments' heads twice as large; gets and scans differ little.
const SEGMENT_BUCKETS: usize = 256;

/// The items that a segment of [`SEGMENT_BUCKETS`] holds: [`HashTable`] leaves an eighth of its buckets empty.
const SEGMENT_CAPACITY: usize = SEGMENT_BUCKETS / 8 * 7;

/// A segment that has no free bucket is split from here on. Below, the buckets are lost to traces of removed items,
/// and it is enough to build it anew.
const SPLIT_FROM: usize = SEGMENT_CAPACITY / 4 * 3;

/// Two buddies with fewer items than this together become one segment. Far below what a split leaves behind, so that
/// a table which goes up and down a little does not split and merge by turns.
const MERGE_BELOW: usize = SEGMENT_CAPACITY / 4;

/// The directory has at most this many entries for each segment. With a good hash function it has fewer than four; a
/// bad one makes segments larger, not the directory.
const ENTRIES_PER_SEGMENT: usize = 8;

/// A directory's depth stays below this: prefixes and segments are numbered in 32 bits.
const DEPTH_LIMIT: usize = 32;

/// The bits of a hash that a scan goes by: all those of the directory, and few enough for a client that keeps the
/// cursor in a signed integer.
const SCAN_BITS: u32 = 56;

/// One past the last scan key.
const SCAN_END: u64 = 1 << SCAN_BITS;

/// Segments lie in chunks of this many, so that a further one never moves all the others.
const CHUNK: usize = 512;

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

/// What a [`Table`] keeps: something of which its key is a part.
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

/// A hash table of items that carry their own keys, without long pauses; see the [module](self).
///
/// An operation on one key is expected O(1), and at most O(n / 100) with a very small constant (a `memcpy` of the
/// directory). An empty table is 32 bytes and allocates nothing.
#[derive(Clone)]
pub struct Table<T> {
    form: Form<T>,
}

#[derive(Clone)]
enum Form<T> {
    /// One segment; most tables never leave this form.
    Small(HashTable<T>),
    /// Two or more segments.
    Large(Box<Segmented<T>>),
}

impl<T> Table<T> {
    /// An empty table, without an allocation.
    pub const fn new() -> Self {
        Table { form: Form::Small(HashTable::new()) }
    }

    /// The number of items; O(1).
    #[inline]
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Small(items) => items.len(),
            Form::Large(segmented) => segmented.len,
        }
    }

    /// Whether there is no item; O(1).
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops all items and gives back all memory; O(n).
    pub fn clear(&mut self) {
        *self = Table::new();
    }

    /// All items, in an order that depends on nothing but the operations so far.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &T> {
        Counted { left: self.len(), items: self.parts().flatten() }
    }

    /// All items, in the order of [`iter`](Self::iter), to change in place. Their keys must stay as they are.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = &mut T> {
        let left = self.len();
        let (one, chunks) = match &mut self.form {
            Form::Small(items) => (Some(items), [].iter_mut()),
            Form::Large(segmented) => (None, segmented.segments.chunks.iter_mut()),
        };
        let parts = one.into_iter().chain(chunks.flatten().map(|segment| &mut segment.items));
        Counted { left, items: parts.flatten() }
    }

    /// Takes all items out, in the order of [`iter`](Self::iter). The table is empty at once, even if the iterator is
    /// dropped early.
    pub fn drain(&mut self) -> impl ExactSizeIterator<Item = T> + use<T> {
        let left = self.len();
        let (one, chunks) = match mem::take(self).form {
            Form::Small(items) => (Some(items), Vec::new()),
            Form::Large(segmented) => (None, segmented.segments.chunks),
        };
        let parts = one.into_iter().chain(chunks.into_iter().flatten().map(|segment| segment.items));
        Counted { left, items: parts.flatten() }
    }

    /// One of the items, each with the same probability, or none if the table is empty. `random` returns 64 random
    /// bits each time; the choice depends on nothing else. Expected O(1): a bucket is drawn until one has an item.
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<&T> {
        if self.is_empty() {
            return None;
        }
        loop {
            let item = match &self.form {
                Form::Small(items) => items.get_bucket(below(items.num_buckets() as u64, random) as usize),
                Form::Large(segmented) => {
                    // Every segment counts as if it had as many buckets as the widest, the further ones empty.
                    // Otherwise the items of small segments would be chosen more often.
                    let slots = segmented.segments.len() * segmented.widest;
                    let slot = below(slots as u64, random) as usize;
                    let items = &segmented.segments.get(slot / segmented.widest).items;
                    let bucket = slot % segmented.widest;
                    items.get_bucket(bucket)
                }
            };
            if item.is_some() {
                return item;
            }
        }
    }

    /// The bytes that the table has allocated, without what its items own; O(segments).
    pub fn memory(&self) -> usize {
        let head = match &self.form {
            Form::Small(_) => 0,
            Form::Large(segmented) => {
                mem::size_of::<Segmented<T>>()
                    + segmented.directory.capacity() * mem::size_of::<u32>()
                    + segmented.segments.memory()
            }
        };
        head + self.parts().map(HashTable::allocation_size).sum::<usize>()
    }

    /// The segments' tables, in the order of the segments' numbers.
    fn parts(&self) -> impl Iterator<Item = &HashTable<T>> {
        let (one, chunks) = match &self.form {
            Form::Small(items) => (Some(items), [].iter()),
            Form::Large(segmented) => (None, segmented.segments.chunks.iter()),
        };
        one.into_iter().chain(chunks.flatten().map(|segment| &segment.items))
    }

    /// Where an item with this hash is, if it is anywhere.
    #[inline]
    fn items(&self, hash: u64) -> &HashTable<T> {
        match &self.form {
            Form::Small(items) => items,
            Form::Large(segmented) => &segmented.segments.get(segmented.find(hash)).items,
        }
    }

    /// Where an item with this hash is, if it is anywhere. Nobody may add to it or remove from it.
    #[inline]
    fn items_mut(&mut self, hash: u64) -> &mut HashTable<T> {
        match &mut self.form {
            Form::Small(items) => items,
            Form::Large(segmented) => {
                let index = segmented.find(hash);
                &mut segmented.segments.get_mut(index).items
            }
        }
    }
}

impl<T: Keyed> Table<T> {
    /// The hash of a key, for the functions that take one: who needs it more than once computes it once.
    #[inline]
    pub fn hash(key: &[u8]) -> u64 {
        T::hash_key(key)
    }

    /// The item with this key; O(1).
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<&T> {
        self.get_hashed(T::hash_key(key), key)
    }

    /// [`get`](Self::get) with the key's [hash](Self::hash).
    #[inline]
    pub fn get_hashed(&self, hash: u64, key: &[u8]) -> Option<&T> {
        self.find_by_hash(hash, |item| item.key() == key)
    }

    /// The item with this key, to change in place; its key must stay as it is. O(1).
    #[inline]
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut T> {
        self.get_mut_hashed(T::hash_key(key), key)
    }

    /// [`get_mut`](Self::get_mut) with the key's [hash](Self::hash).
    #[inline]
    pub fn get_mut_hashed(&mut self, hash: u64, key: &[u8]) -> Option<&mut T> {
        self.items_mut(hash).find_mut(hash, |item| item.key() == key)
    }

    /// Whether there is an item with this key; O(1).
    #[inline]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }

    /// The first item with this hash that `matches`; O(1). `matches` also sees some items with other hashes.
    #[inline]
    pub fn find_by_hash(&self, hash: u64, matches: impl FnMut(&T) -> bool) -> Option<&T> {
        self.items(hash).find(hash, matches)
    }

    /// Puts `item` in, in place of the item with the same key, which it returns. Expected O(1), at most one split.
    #[inline]
    pub fn insert(&mut self, item: T) -> Option<T> {
        self.insert_hashed(T::hash_key(item.key()), item)
    }

    /// [`insert`](Self::insert) with the [hash](Self::hash) of the item's key.
    #[inline]
    pub fn insert_hashed(&mut self, hash: u64, item: T) -> Option<T> {
        match self.get_mut_hashed(hash, item.key()) {
            Some(place) => Some(mem::replace(place, item)),
            None => {
                self.insert_new(hash, item);
                None
            }
        }
    }

    /// The item with this key, and whether `make` made it just now; what `make` returns must have the key. Expected
    /// O(1), at most one split.
    #[inline]
    pub fn get_or_insert_with(&mut self, key: &[u8], make: impl FnOnce() -> T) -> (&mut T, bool) {
        self.get_or_insert_with_hashed(T::hash_key(key), key, make)
    }

    /// [`get_or_insert_with`](Self::get_or_insert_with) with the key's [hash](Self::hash).
    #[inline]
    pub fn get_or_insert_with_hashed(&mut self, hash: u64, key: &[u8], make: impl FnOnce() -> T) -> (&mut T, bool) {
        match self.items(hash).find_bucket_index(hash, |item| item.key() == key) {
            Some(bucket) => {
                let item = self.items_mut(hash).get_bucket_mut(bucket);
                (item.expect("the bucket has just been found to have an item"), false)
            }
            None => {
                let item = make();
                debug_assert!(item.key() == key, "an item with another key than it was made for");
                (self.insert_new(hash, item), true)
            }
        }
    }

    /// Takes out the item with this key. Expected O(1); memory is given back as the table empties.
    #[inline]
    pub fn remove(&mut self, key: &[u8]) -> Option<T> {
        self.remove_hashed(T::hash_key(key), key)
    }

    /// [`remove`](Self::remove) with the key's [hash](Self::hash).
    pub fn remove_hashed(&mut self, hash: u64, key: &[u8]) -> Option<T> {
        match &mut self.form {
            Form::Small(items) => {
                let item = take(items, hash, key)?;
                give_back(items);
                Some(item)
            }
            Form::Large(segmented) => {
                let item = segmented.remove(hash, key)?;
                self.simplify();
                Some(item)
            }
        }
    }

    /// Drops the items that `keep` rejects; it may change the others, but not their keys. O(n). It sees the items in
    /// the order of [`iter`](Self::iter).
    pub fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        match &mut self.form {
            Form::Small(items) => {
                items.retain(keep);
                give_back(items);
            }
            Form::Large(segmented) => {
                segmented.retain(&mut keep);
                self.simplify();
            }
        }
    }

    /// One step of an iteration that survives changes of the table: visits about `count` items (at least one, if any
    /// is left) and returns the cursor of the next step, or 0 after the last. The first step has cursor 0.
    ///
    /// An item that is in the table from the first step to the last is visited, once. One that is put in or removed
    /// between may or may not be; one that is removed and put in again is visited at most twice. A cursor is below
    /// 2⁵⁶, and any number is a valid one.
    ///
    /// It holds because the steps go up through the hashes, which stay as they are whatever becomes of the segments.
    /// O(`count` + items of a segment).
    pub fn scan<'a>(&'a self, mut cursor: u64, count: usize, mut visit: impl FnMut(&'a T)) -> u64 {
        let mut left = count.max(1);
        while cursor < SCAN_END {
            let (items, start, end) = match &self.form {
                Form::Small(items) => (items, 0, SCAN_END),
                Form::Large(segmented) => {
                    let segment = segmented.segments.get(segmented.find(cursor));
                    let width = SCAN_BITS - u32::from(segment.depth);
                    let start = u64::from(segment.prefix) << width;
                    (&segment.items, start, start + (1 << width))
                }
            };
            if cursor == start && items.len() <= left {
                items.iter().for_each(&mut visit);
                left -= items.len();
            } else {
                let keyed = items.iter().map(|item| (scan_key(T::hash_key(item.key())), item));
                let mut rest: Vec<_> = keyed.filter(|&(key, _)| key >= cursor).collect();
                if rest.len() > left {
                    let (_, &mut (last, _), _) = rest.select_nth_unstable_by_key(left - 1, |&(key, _)| key);
                    // Those with equal keys go together: the next step begins behind them.
                    rest.iter().filter(|&&(key, _)| key <= last).for_each(|&(_, item)| visit(item));
                    return (last + 1) % SCAN_END;
                }
                rest.iter().for_each(|&(_, item)| visit(item));
                left -= rest.len();
            }
            cursor = end;
            if left == 0 {
                return cursor % SCAN_END;
            }
        }
        0
    }

    /// Puts in an item whose key is not in the table.
    fn insert_new(&mut self, hash: u64, item: T) -> &mut T {
        if let Form::Small(items) = &mut self.form {
            if is_crowded(items) {
                if items.len() < SPLIT_FROM {
                    rebuild(items);
                } else {
                    let items = mem::take(items);
                    self.form = Form::Large(Box::new(Segmented::new(items)));
                }
            }
        }
        match &mut self.form {
            Form::Small(items) => items.insert_unique(hash, item, hash_of).into_mut(),
            Form::Large(segmented) => segmented.insert_new(hash, item),
        }
    }

    /// Goes back to the small form once there is but one segment.
    fn simplify(&mut self) {
        if let Form::Large(segmented) = &mut self.form {
            if segmented.segments.len() == 1 {
                self.form = Form::Small(segmented.segments.swap_remove(0).items);
            }
        }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for Table<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

/// A table of two or more segments; one of a single segment is on its way from or to the small form.
#[derive(Clone)]
struct Segmented<T> {
    /// For each value of the first `depth` directory bits of a hash, the segment that such hashes belong to.
    directory: Vec<u32>,
    segments: Segments<T>,
    /// The number of items.
    len: usize,
    /// No segment has, or has had, more buckets than this.
    widest: usize,
    /// The number of bits that index the directory.
    depth: u8,
    /// How many segments have each depth: without one of the directory's own depth, half of the directory will do.
    segments_of_depth: [u32; DEPTH_LIMIT + 1],
}

/// All items whose hashes begin with `prefix`.
#[derive(Clone)]
struct Segment<T> {
    items: HashTable<T>,
    /// The first `depth` directory bits of the hashes in here.
    prefix: u32,
    depth: u8,
}

impl<T> Segmented<T> {
    /// The number of the segment of a hash or a scan key. The depth must not be 0.
    #[inline]
    fn find(&self, hash: u64) -> usize {
        self.directory[(hash << (64 - SCAN_BITS) >> (64 - u32::from(self.depth))) as usize] as usize
    }

    /// Makes the directory name the segment `index` wherever its prefix matches.
    fn enter(&mut self, index: usize) {
        let Segment { prefix, depth, .. } = *self.segments.get(index);
        let width = self.depth - depth;
        let start = (prefix as usize) << width;
        self.directory[start..start + (1 << width)].fill(index as u32);
    }
}

impl<T: Keyed> Segmented<T> {
    /// Two segments from a full one.
    fn new(items: HashTable<T>) -> Self {
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
    fn insert_new(&mut self, hash: u64, item: T) -> &mut T {
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
    fn remove(&mut self, hash: u64, key: &[u8]) -> Option<T> {
        let index = self.find(hash);
        let items = &mut self.segments.get_mut(index).items;
        let item = take(items, hash, key)?;
        self.len -= 1;
        let index = if items.len() < MERGE_BELOW { self.merge(index) } else { index };
        give_back(&mut self.segments.get_mut(index).items);
        Some(item)
    }

    /// Drops the items that `keep` rejects.
    fn retain(&mut self, keep: &mut impl FnMut(&mut T) -> bool) {
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
    fn split(&mut self, index: usize) {
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
    fn merge(&mut self, mut index: usize) -> usize {
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
struct Segments<T> {
    /// All chunks but the last are full, and none is empty.
    chunks: Vec<Vec<Segment<T>>>,
}

impl<T> Segments<T> {
    fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    #[inline]
    fn get(&self, index: usize) -> &Segment<T> {
        &self.chunks[index / CHUNK][index % CHUNK]
    }

    #[inline]
    fn get_mut(&mut self, index: usize) -> &mut Segment<T> {
        &mut self.chunks[index / CHUNK][index % CHUNK]
    }

    /// Appends a segment.
    fn push(&mut self, segment: Segment<T>) {
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(segment),
            _ => self.chunks.push(vec![segment]),
        }
    }

    /// Takes out a segment and puts the last one in its place.
    fn swap_remove(&mut self, index: usize) -> Segment<T> {
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
    fn memory(&self) -> usize {
        let segments: usize = self.chunks.iter().map(Vec::capacity).sum();
        self.chunks.capacity() * mem::size_of::<Vec<Segment<T>>>() + segments * mem::size_of::<Segment<T>>()
    }
}

/// An iterator that knows how many items are left.
struct Counted<I> {
    left: usize,
    items: I,
}

impl<I: Iterator> Iterator for Counted<I> {
    type Item = I::Item;

    #[inline]
    fn next(&mut self) -> Option<I::Item> {
        let item = self.items.next()?;
        self.left -= 1;
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }

    fn fold<B, F: FnMut(B, I::Item) -> B>(self, initial: B, combine: F) -> B {
        self.items.fold(initial, combine)
    }
}

impl<I: Iterator> ExactSizeIterator for Counted<I> {}

/// The hash of an item.
#[inline]
fn hash_of<T: Keyed>(item: &T) -> u64 {
    T::hash_key(item.key())
}

/// What a scan orders an item with this hash by.
#[inline]
fn scan_key(hash: u64) -> u64 {
    hash % SCAN_END
}

/// Whether one more item would make the table wider than a segment should be.
#[inline]
fn is_crowded<T>(items: &HashTable<T>) -> bool {
    items.len() == items.capacity() && items.num_buckets() >= SEGMENT_BUCKETS
}

/// The capacity to build a segment's table with, so that it does not grow at the next insert: a third more than its
/// items, but no more buckets than a segment should have.
fn room_for(items: usize) -> usize {
    (items + items / 3 + 1).min(SEGMENT_CAPACITY).max(items)
}

/// Builds the table anew, without the traces of removed items. Left to itself, [`HashTable`] would double the buckets
/// even if only half of them are in use.
#[cold]
fn rebuild<T: Keyed>(items: &mut HashTable<T>) {
    let old = mem::replace(items, HashTable::with_capacity(room_for(items.len())));
    for item in old {
        items.insert_unique(hash_of(&item), item, hash_of);
    }
}

/// Gives memory back once an eighth of it or less is in use, and keeps twice what is.
#[inline]
fn give_back<T: Keyed>(items: &mut HashTable<T>) {
    if items.len() * 8 < items.num_buckets() {
        items.shrink_to(items.len() * 2, hash_of);
    }
}

/// Takes the item with this key out of a segment.
fn take<T: Keyed>(items: &mut HashTable<T>, hash: u64, key: &[u8]) -> Option<T> {
    let entry = items.find_entry(hash, |item| item.key() == key).ok()?;
    Some(entry.remove().0)
}

/// A number below `bound`, each with exactly the same probability: the multiplication maps 2⁶⁴ numbers to `bound` of
/// them, and the few that would make some more frequent are drawn again. O(1).
///
/// # Panics
/// If `bound` is 0.
pub fn below(bound: u64, random: &mut impl FnMut() -> u64) -> u64 {
    loop {
        let product = u128::from(random()) * u128::from(bound);
        if product as u64 >= bound.wrapping_neg() % bound {
            return (product >> 64) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// The hash function of most tests: one and the same in every run.
    static FIXED: Hasher = Hasher::with_seeds([1, 2, 3, 4]);

    thread_local! {
        /// How many hashes of [`Item`]s this thread has computed.
        static HASHES: Cell<usize> = const { Cell::new(0) };
    }

    /// What tests keep in tables; the kinds differ in their hash function.
    trait Sample: Keyed + Clone + PartialEq + fmt::Debug {
        fn new(number: u32, value: u32) -> Self;
        fn number(&self) -> u32;
        fn value(&self) -> u32;
    }

    macro_rules! sample {
        ($(#[$attribute:meta])* $name:ident, |$key:ident| $hash:expr) => {
            $(#[$attribute])*
            #[derive(Clone, Debug, PartialEq)]
            struct $name([u8; 4], u32);

            impl Keyed for $name {
                fn key(&self) -> &[u8] {
                    &self.0
                }

                fn hash_key($key: &[u8]) -> u64 {
                    $hash
                }
            }

            impl Sample for $name {
                fn new(number: u32, value: u32) -> Self {
                    $name(number.to_be_bytes(), value)
                }

                fn number(&self) -> u32 {
                    u32::from_be_bytes(self.0)
                }

                fn value(&self) -> u32 {
                    self.1
                }
            }
        };
    }

    sample!(
        /// With a good hash function.
        Item,
        |key| {
            HASHES.set(HASHES.get() + 1);
            FIXED.hash(key)
        }
    );
    sample!(
        /// With the same hash for all.
        Same,
        |_key| 0x0123_4567_89ab_cdef
    );
    sample!(
        /// With the greatest scan key for all.
        Last,
        |_key| u64::MAX
    );
    sample!(
        /// With few hashes, many items for each.
        Few,
        |key| FIXED.hash(&key[3..]) & 0xff1f_0000_0000_00ff
    );
    sample!(
        /// With the number as its hash: the first bits of the directory are always 0.
        Plain,
        |key| u64::from(u32::from_be_bytes(key.try_into().unwrap())) << 8
    );

    fn check<T: Sample>(table: &Table<T>) {
        assert_eq!(table.iter().count(), table.len());
        assert_eq!(table.iter().len(), table.len());
        let Form::Large(segmented) = &table.form else { return };
        let Segmented { directory, segments, len, widest, depth, segments_of_depth } = &**segmented;
        assert!(segments.len() > 1);
        assert!(segments.chunks.iter().rev().skip(1).all(|chunk| chunk.len() == CHUNK));
        assert_eq!(directory.len(), 1 << depth);
        assert!(directory.len() <= segments.len() * ENTRIES_PER_SEGMENT * 2);
        assert!(segments_of_depth[usize::from(*depth)] > 0, "half of the directory would do");
        for (position, &index) in directory.iter().enumerate() {
            let segment = segments.get(index as usize);
            assert_eq!(position >> (depth - segment.depth), segment.prefix as usize);
        }
        let mut depths = [0; DEPTH_LIMIT + 1];
        let mut items = 0;
        for (index, segment) in segments.chunks.iter().flatten().enumerate() {
            assert!(directory.contains(&(index as u32)));
            depths[usize::from(segment.depth)] += 1;
            items += segment.items.len();
            assert!(segment.items.num_buckets() <= *widest);
            for item in &segment.items {
                assert_eq!(segmented.find(hash_of(item)), index);
            }
            let buddy = directory[((segment.prefix ^ 1) as usize) << (depth - segment.depth)];
            let buddy = segments.get(buddy as usize);
            assert!(buddy.depth != segment.depth || buddy.items.len() + segment.items.len() >= MERGE_BELOW);
        }
        assert_eq!(depths, *segments_of_depth);
        assert_eq!(items, *len);
    }

    fn contents<T: Sample>(table: &Table<T>) -> BTreeMap<u32, u32> {
        table.iter().map(|item| (item.number(), item.value())).collect()
    }

    /// Random operations on a table and on a tree; the number of keys goes up to about `most` and down, by turns.
    fn against_model<T: Sample>(seed: u64, operations: u32, most: u32) {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut table = Table::<T>::new();
        let mut model = BTreeMap::new();
        for step in 0..operations {
            let grows = (step / (2 * most)).is_multiple_of(2);
            let number = random.random_range(0..most);
            let key = number.to_be_bytes();
            match random.random_range(0..16) {
                0 => assert_eq!(table.get(&key).map(T::value), model.get(&number).copied()),
                1 => {
                    let item = table.get_mut(&key);
                    assert_eq!(item.is_some(), model.contains_key(&number));
                    if let Some(item) = item {
                        *item = T::new(number, step);
                        model.insert(number, step);
                    }
                }
                2 if grows => {
                    let (item, created) = table.get_or_insert_with(&key, || T::new(number, step));
                    assert_eq!(created, !model.contains_key(&number));
                    assert_eq!(item.value(), *model.entry(number).or_insert(step));
                }
                3 if random.random_range(0..most) == 0 => {
                    let divisor = random.random_range(2..20);
                    table.retain(|item| item.number() % divisor == 0);
                    model.retain(|number, _| number % divisor == 0);
                    check(&table);
                }
                choice if (choice < 12) == grows => {
                    assert_eq!(table.insert(T::new(number, step)).map(|item| item.value()), model.insert(number, step));
                }
                _ => assert_eq!(table.remove(&key).map(|item| item.value()), model.remove(&number)),
            }
            assert_eq!(table.len(), model.len());
            if step % (most / 4 + 1) == 0 {
                check(&table);
                assert_eq!(contents(&table), model);
            }
        }
        for number in 0..most {
            assert_eq!(table.contains(&number.to_be_bytes()), model.contains_key(&number));
            assert_eq!(table.remove(&number.to_be_bytes()).map(|item| item.value()), model.remove(&number));
            if number % 64 == 0 {
                check(&table);
            }
        }
        assert!(table.is_empty() && matches!(table.form, Form::Small(_)));
    }

    #[test]
    fn behaves_like_a_tree() {
        against_model::<Item>(1, 2_000, 10);
        against_model::<Item>(2, 20_000, 500);
        against_model::<Item>(3, 200_000, 20_000);
        against_model::<Plain>(4, 50_000, 5_000);
    }

    #[test]
    fn behaves_like_a_tree_with_a_bad_hash_function() {
        against_model::<Same>(5, 8_000, 1_000);
        against_model::<Last>(6, 8_000, 1_000);
        against_model::<Few>(7, 40_000, 5_000);
    }

    #[test]
    fn equal_operations_make_equal_tables() {
        let mut random = SmallRng::seed_from_u64(8);
        let mut tables = [Table::<Item>::new(), Table::new()];
        for round in 0..40 {
            for step in 0..2_000 {
                let number = random.random_range(0..10_000);
                let inserts = random.random_range(0..40) < if round < 20 { 30 } else { 8 };
                for table in &mut tables {
                    if inserts {
                        table.insert(Item::new(number, step));
                    } else {
                        table.remove(&number.to_be_bytes());
                    }
                }
            }
            // Reads of one table alone, and a copy in its place: neither may make a difference.
            let _ = tables[0].scan(1 << 40, 100, |_| ());
            let _ = tables[0].get(b"none");
            tables[0] = tables[0].clone();
            let [first, second] = &tables;
            assert!(first.iter().eq(second.iter()));
            let draws = |table: &Table<Item>| {
                let mut random = SmallRng::seed_from_u64(round);
                let draws = (0..100).map(|_| table.random(&mut || random.random()).cloned());
                draws.collect::<Vec<_>>()
            };
            assert_eq!(draws(first), draws(second));
        }
    }

    /// Scans while other items come and go, many enough to split and to merge every segment meanwhile.
    fn scan_among_changes<T: Sample>(seed: u64, most: u32) {
        let mut random = SmallRng::seed_from_u64(seed);
        let lasting: BTreeSet<u32> = (0..most).step_by(50).collect();
        let mut table = Table::<T>::new();
        for &number in &lasting {
            table.insert(T::new(number, 0));
        }
        let (mut fewest, mut greatest) = (usize::MAX, 0);
        for round in 0..10 {
            let mut seen = BTreeMap::new();
            let mut cursor = 0;
            let mut steps = 0;
            loop {
                let count = random.random_range(1..most as usize / 100);
                cursor = table.scan(cursor, count, |item| *seen.entry(item.number()).or_insert(0) += 1);
                assert!(cursor < SCAN_END);
                if cursor == 0 {
                    break;
                }
                steps += 1;
                let grows = (round + steps / 10) % 2 == 0;
                for _ in 0..random.random_range(0..most / 8) {
                    let number = random.random_range(0..most);
                    if grows {
                        table.insert(T::new(number, round));
                    } else if !lasting.contains(&number) {
                        table.remove(&number.to_be_bytes());
                    }
                }
                (fewest, greatest) = (fewest.min(table.len()), greatest.max(table.len()));
            }
            for number in &lasting {
                assert_eq!(seen.get(number), Some(&1), "an item that was there all the time");
            }
        }
        check(&table);
        assert!(greatest > 4 * fewest, "{fewest} to {greatest} items");
    }

    #[test]
    fn a_scan_sees_whatever_stays() {
        scan_among_changes::<Item>(9, 20_000);
        scan_among_changes::<Item>(10, 1_000);
        scan_among_changes::<Plain>(11, 5_000);
        scan_among_changes::<Few>(12, 5_000);
    }

    fn scan_all<T: Sample>(table: &Table<T>, count: usize) -> (Vec<u32>, usize) {
        let (mut seen, mut steps, mut cursor) = (Vec::new(), 0, 0);
        loop {
            cursor = table.scan(cursor, count, |item| seen.push(item.number()));
            steps += 1;
            if cursor == 0 {
                seen.sort_unstable();
                return (seen, steps);
            }
        }
    }

    #[test]
    fn a_scan_takes_as_many_steps_as_it_should() {
        assert_eq!(scan_all(&Table::<Item>::new(), 10), (vec![], 1));
        for most in [1, 10, 200, 300, 5_000] {
            let table = filled::<Item>(most);
            for count in [1, 10, 224, 1_000, usize::MAX] {
                let (seen, steps) = scan_all(&table, count);
                assert!(seen.into_iter().eq(0..most));
                assert_eq!(steps, (most as usize).div_ceil(count), "{most} by {count}");
            }
            assert_eq!(scan_all(&table, 0), scan_all(&table, 1));
            for cursor in [SCAN_END, u64::MAX] {
                assert_eq!(table.scan(cursor, 10, |_| panic!("nothing is behind the end")), 0);
            }
        }
    }

    #[test]
    fn a_scan_takes_equal_hashes_together() {
        assert_eq!(scan_all(&filled::<Same>(1_000), 10), ((0..1_000).collect(), 2));
        assert_eq!(scan_all(&filled::<Last>(1_000), 10), ((0..1_000).collect(), 1));
        assert_eq!(scan_all(&filled::<Few>(5_000), 10).0, (0..5_000).collect::<Vec<_>>());
    }

    fn filled<T: Sample>(most: u32) -> Table<T> {
        let mut table = Table::new();
        for number in 0..most {
            table.insert(T::new(number, 0));
        }
        check(&table);
        table
    }

    /// Draws 100 times as often as there are items and compares how often each came.
    fn assert_uniform<T: Sample>(table: &Table<T>) {
        let mut random = SmallRng::seed_from_u64(13);
        let mut times: BTreeMap<u32, f64> = table.iter().map(|item| (item.number(), 0.0)).collect();
        for _ in 0..table.len() * 100 {
            let item = table.random(&mut || random.random()).expect("it has items");
            *times.get_mut(&item.number()).expect("one of the items") += 1.0;
        }
        // The sum has a mean of `n` and a variance of `2 n`, nearly.
        let sum: f64 = times.values().map(|times| (times - 100.0) * (times - 100.0) / 100.0).sum();
        let n = table.len() as f64 - 1.0;
        assert!((sum - n).abs() < 4.0 * (2.0 * n).sqrt(), "{sum} for {n}");
    }

    #[test]
    fn random_items_are_uniform() {
        assert!(Table::<Item>::new().random(&mut || panic!("nothing to draw")).is_none());
        for most in [2, 3, 30, 230, 2_000] {
            assert_uniform(&filled::<Item>(most));
        }
        // Segments of different depths and widths: most of the items share their first bits.
        assert_uniform(&filled::<Plain>(2_000));
        let mut table = filled::<Item>(4_000);
        table.retain(|item| Item::hash_key(item.key()) >> 54 & 3 == 0 || item.number() % 20 == 0);
        check(&table);
        assert_uniform(&table);
        assert_uniform(&filled::<Few>(600));
    }

    #[test]
    fn numbers_below_a_bound_are_uniform() {
        // Of 2⁶⁴ numbers, `0` and few others would give the smallest result once too often.
        let mut draws = [0, u64::MAX].into_iter();
        assert_eq!(below(3, &mut || draws.next().unwrap()), 2);
        let mut draws = [0, 5].into_iter();
        assert_eq!(below(1 << 40, &mut || draws.next().unwrap()), 0);
        assert_eq!(draws.next(), Some(5), "a power of two wastes nothing");
    }

    #[test]
    fn memory_comes_and_goes_with_the_items() {
        assert_eq!(mem::size_of::<Table<Box<Item>>>(), 32);
        assert_eq!(mem::size_of::<Segment<Item>>(), 40);
        let mut table = Table::<Item>::new();
        assert_eq!(table.memory(), 0);
        table.insert(Item::new(0, 0));
        assert!(table.memory() <= 64);
        for number in 0..200_000 {
            table.insert(Item::new(number, 0));
        }
        let full = table.memory();
        assert!((200_000 * 9..200_000 * 24).contains(&full), "{full}");
        for number in 1_000_u32..200_000 {
            table.remove(&number.to_be_bytes());
        }
        assert!(table.memory() < full / 20, "{} of {full}", table.memory());
        for number in 1_u32..1_000 {
            table.remove(&number.to_be_bytes());
        }
        assert!(table.memory() <= 64, "{}", table.memory());
        table.clear();
        assert_eq!(table.memory(), 0);
        let mut table = filled::<Item>(100_000);
        table.retain(|item| item.number() % 1_000 == 0);
        check(&table);
        assert!(table.memory() < 8_192, "{}", table.memory());
    }

    /// The work of one operation, in hashes, whatever the size: this is what the table is for.
    #[test]
    fn no_operation_moves_more_than_a_segment() {
        let mut table = Table::<Item>::new();
        let mut work = |change: &mut dyn FnMut(&mut Table<Item>)| {
            let before = HASHES.get();
            change(&mut table);
            HASHES.get() - before
        };
        for number in 0..100_000 {
            let hashes = work(&mut |table| _ = table.insert(Item::new(number, 0)));
            assert!(hashes <= SEGMENT_CAPACITY + 1, "an insert computed {hashes} hashes");
        }
        // As many come as go: the removed items leave traces in the segments.
        for number in 0..200_000 {
            let mut hashes = work(&mut |table| _ = table.remove(&u32::to_be_bytes(number)));
            hashes += work(&mut |table| _ = table.insert(Item::new(number + 100_000, 0)));
            assert!(hashes <= SEGMENT_CAPACITY + 2, "a removal and an insert computed {hashes} hashes");
        }
        assert_eq!(work(&mut |table| check_widest(table)), 0);
        for number in 200_000..300_000 {
            let hashes = work(&mut |table| _ = table.remove(&u32::to_be_bytes(number)));
            assert!(hashes <= 4 * MERGE_BELOW, "a removal computed {hashes} hashes");
        }
    }

    #[test]
    fn a_small_table_stays_small_while_items_come_and_go() {
        let mut table = filled::<Item>(150);
        for number in 150..20_000_u32 {
            table.remove(&(number - 150).to_be_bytes());
            table.insert(Item::new(number, 0));
            assert!(matches!(&table.form, Form::Small(items) if items.num_buckets() <= SEGMENT_BUCKETS));
        }
    }

    fn check_widest(table: &Table<Item>) {
        assert!(table.parts().all(|items| items.num_buckets() <= SEGMENT_BUCKETS));
    }

    #[test]
    fn all_items_are_iterated_over() {
        for most in [0, 5, 5_000] {
            let mut table = filled::<Item>(most);
            for item in table.iter_mut() {
                *item = Item::new(item.number(), item.number() + 1);
            }
            let expected: BTreeMap<u32, u32> = (0..most).map(|number| (number, number + 1)).collect();
            assert_eq!(contents(&table), expected);
            let order: Vec<u32> = table.iter().map(Sample::number).collect();
            let mut drained = table.drain();
            assert!(table.is_empty());
            assert_eq!(drained.len(), most as usize);
            drained.next();
            assert!(drained.map(|item| item.number()).eq(order.into_iter().skip(1)));
        }
    }

    #[test]
    fn keys_of_all_kinds_are_found() {
        let mut set = Table::<SmallBytes>::new();
        let mut map = Table::<Box<(SmallBytes, usize)>>::new();
        let keys: Vec<Vec<u8>> = (0..2_000).map(|number| vec![number as u8; number / 8]).collect();
        for (number, key) in keys.iter().enumerate() {
            set.insert(SmallBytes::new(key));
            map.insert(Box::new((SmallBytes::new(key), number)));
        }
        for key in &keys {
            let hash = Table::<SmallBytes>::hash(key);
            assert_eq!(set.get_hashed(hash, key).map(SmallBytes::as_slice), Some(&key[..]));
            assert_eq!(map.find_by_hash(hash, |entry| *entry.0 == **key).map(|entry| &*entry.0), Some(&key[..]));
        }
        assert_eq!(set.len(), map.len());
        assert!(!set.contains(b"none"));
        assert_eq!(format!("{:?}", Table::<Item>::new()), "{}");
    }
}
