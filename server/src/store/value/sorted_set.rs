//! Sorted sets: members with scores, in the order of the scores.
//!
//! A small sorted set is an array in order. In a larger one, a hash table finds the score of a member, and a tree
//! that counts what is below each of its branches finds ranks and ranges:
//!
//! ```text
//!   member ──▶ Table ──▶ score          (score, member) ──▶ OrderedTree ──▶ rank
//!                                                  rank ──▶             ──▶ (score, member)
//! ```

mod entry;
pub(crate) mod ordered_tree;
mod range;
#[cfg(test)]
mod tests;

use std::fmt;
use std::iter::FusedIterator;
use std::ops::{Deref, Range};

use entry::Entry;
use ordered_tree::{Iter, OrderedTree};
pub use range::{LexBound, LexRange, ScoreRange};

use crate::config::EncodingLimits;
use crate::store::SmallBytes;
use crate::store::table::Table;

/// A set of members, each with a score, ordered by score and, among equal scores, by the bytes of the member.
///
/// A score is never NaN: callers see to it. The two zeros are equal; the packed form below knows one only, and the other
/// form leaves each the one that it is. (So does Redis, and its clients can see it.)
///
/// A member has a *rank*: the number of members before it. Ranges by score or by member come as ranges of ranks, which
/// [`by_rank`](Self::by_rank) iterates and [`remove_range`](Self::remove_range) removes.
///
/// # Forms
/// A sorted set begins *packed*, as an array, where finding a member costs O(n). With the first insertion beyond the
/// caller's limits it becomes *indexed* for good. The costs given for each method are those of the indexed form, for n
/// members; the packed form has at most as many as the limits allow.
///
/// # Determinism
/// Sorted sets that saw the same calls behave the same, cursors included.
#[derive(Clone)]
pub struct SortedSet {
    form: Form,
}

#[derive(Clone)]
enum Form {
    /// In order.
    Packed(Vec<Entry>),
    Indexed(Indexed),
}

/// The same members in two structures.
#[derive(Clone)]
struct Indexed {
    scores: Table<(SmallBytes, f64)>,
    order: OrderedTree<Entry>,
    /// The bytes that members too long for their place occupy elsewhere, in `scores` alone.
    long_member_bytes: usize,
}

impl SortedSet {
    /// An empty, packed sorted set; it allocates nothing.
    pub fn new() -> Self {
        SortedSet { form: Form::Packed(Vec::new()) }
    }

    /// A sorted set of members that come in the order of a sorted set, each of them once; O(n).
    pub fn from_ordered(members: impl Iterator<Item = (SmallBytes, f64)>, limits: &EncodingLimits) -> Self {
        let mut entries: Vec<_> = members.map(|(member, score)| Entry { score, member }).collect();
        debug_assert!(entries.is_sorted_by(|first, second| first < second), "the members are not in order");
        let fits = |entry: &Entry| entry.member.len() <= limits.sorted_set_value;
        let form = if entries.len() <= limits.sorted_set_entries && entries.iter().all(fits) {
            entries.iter_mut().for_each(|entry| entry.score = with_one_zero(entry.score));
            Form::Packed(entries)
        } else {
            Form::Indexed(Indexed::new(entries))
        };
        SortedSet { form }
    }

    /// The number of members; O(1).
    #[inline]
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Packed(entries) => entries.len(),
            Form::Indexed(indexed) => indexed.order.len(),
        }
    }

    /// Whether there is no member; O(1).
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is an array still, which Redis would call a `listpack`; O(1).
    pub fn is_packed(&self) -> bool {
        matches!(self.form, Form::Packed(_))
    }

    /// The score of `member`; expected O(1).
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.form {
            Form::Packed(entries) => Some(entries[find(entries, member)?].score),
            Form::Indexed(indexed) => Some(indexed.scores.get(member)?.1),
        }
    }

    /// The member that has `rank`, and its score; O(log n).
    pub fn at(&self, rank: usize) -> Option<(&SmallBytes, f64)> {
        let entry = match &self.form {
            Form::Packed(entries) => entries.get(rank),
            Form::Indexed(indexed) => indexed.order.get(rank),
        };
        entry.map(|entry| (&entry.member, entry.score))
    }

    /// Gives `member` a score, and returns the one that it had before; O(log n).
    ///
    /// A score that equals the present one changes nothing, not even the sign of a zero. `score` must not be NaN.
    pub fn insert(&mut self, score: f64, member: &[u8], limits: &EncodingLimits) -> Option<f64> {
        self.insert_or_update(score, member, limits, |_| Some(score))
    }

    /// Inserts `member` with `score` if it is new. If it is not, it gets the score that `update` makes of the present one,
    /// unless that is none. Returns the score that it had before; O(log n).
    ///
    /// A score that equals the present one changes nothing, not even the sign of a zero. No score may be NaN.
    #[inline]
    pub fn insert_or_update(
        &mut self,
        score: f64,
        member: &[u8],
        limits: &EncodingLimits,
        update: impl FnOnce(f64) -> Option<f64>,
    ) -> Option<f64> {
        debug_assert!(!score.is_nan(), "the score of a member is not a number");
        if let Form::Packed(entries) = &mut self.form {
            if let Some(index) = find(entries, member) {
                let previous = entries[index].score;
                if let Some(score) = update(previous).filter(|score| *score != previous) {
                    let entry = entries.remove(index);
                    insert_in_order(entries, Entry { score, ..entry });
                }
                return Some(previous);
            }
            if entries.len() < limits.sorted_set_entries && member.len() <= limits.sorted_set_value {
                insert_in_order(entries, Entry { score, member: SmallBytes::new(member) });
                return None;
            }
        }
        self.index().insert_or_update(score, member, update)
    }

    /// Removes `member`, and returns the score that it had; O(log n).
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.form {
            Form::Packed(entries) => {
                let index = find(entries, member)?;
                Some(entries.remove(index).score)
            }
            Form::Indexed(indexed) => indexed.remove(member),
        }
    }

    /// The rank of `member`, counted from the least; O(log n).
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        match &self.form {
            Form::Packed(entries) => find(entries, member),
            Form::Indexed(indexed) => {
                let (_, score) = *indexed.scores.get(member)?;
                Some(indexed.order.partition_point(|entry| entry.compare(score, member).is_lt()))
            }
        }
    }

    /// The members with these ranks and their scores, in order, from either side; O(log n) to start, then O(1 + log n /
    /// 64) for each.
    ///
    /// # Panics
    /// If the range ends beyond [`len`](Self::len), or before its start.
    pub fn by_rank(
        &self,
        ranks: Range<usize>,
    ) -> impl DoubleEndedIterator<Item = (&SmallBytes, f64)> + ExactSizeIterator + FusedIterator + Clone {
        let entries = match &self.form {
            Form::Packed(entries) => Iter::of_slice(&entries[ranks]),
            Form::Indexed(indexed) => indexed.order.range(ranks),
        };
        entries.map(|entry| (&entry.member, entry.score))
    }

    /// All members and their scores, in order, from either side; O(n).
    pub fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = (&SmallBytes, f64)> + ExactSizeIterator + FusedIterator + Clone {
        self.by_rank(0..self.len())
    }

    /// The ranks of the members with scores in `range`; O(log n).
    pub fn ranks_by_score(&self, range: &ScoreRange) -> Range<usize> {
        let start = self.partition_point(|entry| range.is_below(entry.score));
        let end = self.partition_point(|entry| !range.is_above(entry.score));
        start..end.max(start)
    }

    /// The ranks of the members in `range`, given that all scores are equal; O(log n). If they are not, the result is
    /// some range of ranks.
    pub fn ranks_by_lex(&self, range: &LexRange<'_>) -> Range<usize> {
        let start = self.partition_point(|entry| range.is_below(&entry.member));
        let end = self.partition_point(|entry| !range.is_above(&entry.member));
        start..end.max(start)
    }

    /// Removes the members with these ranks; O(log n + k) for k of them.
    ///
    /// # Panics
    /// If the range ends beyond [`len`](Self::len), or before its start.
    pub fn remove_range(&mut self, ranks: Range<usize>) {
        match &mut self.form {
            Form::Packed(entries) => {
                entries.drain(ranks);
            }
            Form::Indexed(indexed) => indexed.remove_range(ranks),
        }
    }

    /// One step of an iteration that survives changes of the set: visits about `count` members with their scores, in no
    /// order, and returns the cursor of the next step, or 0 after the last. The first step has cursor 0. A packed set
    /// goes in one step.
    ///
    /// A member that is in the set from the first step to the last is visited, whatever its scores; see [`Table::scan`].
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, mut visit: impl FnMut(&'a SmallBytes, f64)) -> u64 {
        match &self.form {
            Form::Packed(entries) => {
                entries.iter().for_each(|entry| visit(&entry.member, entry.score));
                0
            }
            Form::Indexed(indexed) => indexed.scores.scan(cursor, count, |(member, score)| visit(member, *score)),
        }
    }

    /// Roughly the bytes allocated. O(n), though of an indexed set it looks at tables and branches, not at members.
    pub fn memory(&self) -> usize {
        match &self.form {
            Form::Packed(entries) => {
                let long_members: usize = entries.iter().map(|entry| entry.member.heap_size()).sum();
                entries.capacity() * size_of::<Entry>() + long_members
            }
            Form::Indexed(indexed) => indexed.scores.memory() + indexed.order.memory() + 2 * indexed.long_member_bytes,
        }
    }

    /// The indexed form, into which a packed set is converted first.
    fn index(&mut self) -> &mut Indexed {
        if let Form::Packed(entries) = &mut self.form {
            self.form = Form::Indexed(Indexed::new(std::mem::take(entries)));
        }
        match &mut self.form {
            Form::Indexed(indexed) => indexed,
            Form::Packed(_) => unreachable!("the set has just been converted"),
        }
    }

    fn partition_point(&self, is_before: impl Fn(&Entry) -> bool) -> usize {
        match &self.form {
            Form::Packed(entries) => entries.partition_point(is_before),
            Form::Indexed(indexed) => indexed.order.partition_point(is_before),
        }
    }
}

impl Indexed {
    /// The indexed form of entries that are in order; O(n).
    fn new(entries: Vec<Entry>) -> Self {
        let mut indexed = Indexed { scores: Table::new(), order: OrderedTree::new(), long_member_bytes: 0 };
        for entry in entries {
            indexed.long_member_bytes += long_bytes(&entry.member);
            indexed.scores.insert((entry.member.clone(), entry.score));
            indexed.order.insert(entry);
        }
        indexed
    }

    fn insert_or_update(&mut self, score: f64, member: &[u8], update: impl FnOnce(f64) -> Option<f64>) -> Option<f64> {
        let ((member, present), is_new) = self.scores.get_or_insert_with(member, || (SmallBytes::new(member), score));
        if is_new {
            self.long_member_bytes += long_bytes(member);
            self.order.insert(Entry { score, member: member.clone() });
            return None;
        }
        let previous = *present;
        if let Some(score) = update(previous).filter(|score| *score != previous) {
            *present = score;
            let entry = self.order.remove(|entry| entry.compare(previous, member));
            let entry = entry.expect("every member of the table is in the tree");
            self.order.insert(Entry { score, ..entry });
        }
        Some(previous)
    }

    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let (member, score) = self.scores.remove(member)?;
        self.long_member_bytes -= long_bytes(&member);
        let entry = self.order.remove(|entry| entry.compare(score, &member));
        debug_assert!(entry.is_some(), "every member of the table is in the tree");
        Some(score)
    }

    fn remove_range(&mut self, ranks: Range<usize>) {
        self.order.remove_range(ranks, |entry| {
            self.scores.remove(&entry.member);
            self.long_member_bytes -= long_bytes(&entry.member);
        });
    }
}

/// The index of `member` in a packed set.
fn find(entries: &[Entry], member: &[u8]) -> Option<usize> {
    // Sets whose scores are all equal are common, and those are in the order of the members.
    if entries.first()?.score == entries.last()?.score {
        entries.binary_search_by(|entry| entry.member.as_slice().cmp(member)).ok()
    } else {
        entries.iter().position(|entry| entry.member.as_slice() == member)
    }
}

/// Inserts an entry whose member is not in the packed set.
fn insert_in_order(entries: &mut Vec<Entry>, entry: Entry) {
    let index = entries.partition_point(|other| *other < entry);
    entries.insert(index, Entry { score: with_one_zero(entry.score), ..entry });
}

/// The same score, but no negative zero.
fn with_one_zero(score: f64) -> f64 {
    score + 0.0
}

/// Sorts members with their scores as a sorted set has them; O(n log n).
pub fn sort<M: Deref<Target: AsRef<[u8]>>>(members: &mut [(M, f64)]) {
    members.sort_unstable_by(|(member, score), (other, other_score)| {
        entry::compare(*score, (**member).as_ref(), *other_score, (**other).as_ref())
    });
}

/// The bytes of a member that has an allocation of its own. Its length, for copies may differ in capacity.
fn long_bytes(member: &SmallBytes) -> usize {
    if member.heap_size() == 0 { 0 } else { member.len() }
}

impl Default for SortedSet {
    fn default() -> Self {
        SortedSet::new()
    }
}

/// Equal members with equal scores, whatever the forms.
impl PartialEq for SortedSet {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl fmt::Debug for SortedSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}
