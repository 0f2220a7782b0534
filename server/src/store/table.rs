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

mod keyed;
mod segmented;
#[cfg(test)]
mod tests;

use std::fmt;
use std::mem;

use hashbrown::HashTable;

use keyed::hash_of;
pub use keyed::{Hasher, Keyed};
use segmented::{SCAN_BITS, SCAN_END, SPLIT_FROM, Segmented, give_back, is_crowded, rebuild, take};

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
            Form::Large(segmented) => segmented.memory(),
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

/// What a scan orders an item with this hash by.
#[inline]
fn scan_key(hash: u64) -> u64 {
    hash % SCAN_END
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
