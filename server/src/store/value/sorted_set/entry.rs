//! A member with its score, as it is ordered.

use std::cmp::Ordering;

use crate::store::SmallBytes;

/// A member and its score, which is not NaN. The order is that of the scores, then of the members' bytes.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The score.
    pub(super) score: f64,
    /// The member.
    pub(super) member: SmallBytes,
}

impl Entry {
    /// The order of this entry relative to one of `score` and `member`.
    #[inline]
    pub(super) fn compare(&self, score: f64, member: &[u8]) -> Ordering {
        compare(self.score, &self.member, score, member)
    }
}

/// The order of one score and member relative to another.
#[inline]
pub(super) fn compare(score: f64, member: &[u8], other_score: f64, other_member: &[u8]) -> Ordering {
    // Not `total_cmp`, to which the zeros differ.
    if score < other_score {
        Ordering::Less
    } else if score > other_score {
        Ordering::Greater
    } else {
        member.cmp(other_member)
    }
}

impl Ord for Entry {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare(other.score, &other.member)
    }
}

impl PartialOrd for Entry {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}
