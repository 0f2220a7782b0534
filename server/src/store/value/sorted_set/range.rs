//! Ranges of scores and of members.

use std::ops::Bound;

/// A range of scores; one whose `min` is above its `max` is empty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// The lower bound; not NaN.
    pub min: Bound<f64>,
    /// The upper bound; not NaN.
    pub max: Bound<f64>,
}

impl ScoreRange {
    /// Whether `score` comes before the range.
    #[inline]
    pub(super) fn is_below(&self, score: f64) -> bool {
        match self.min {
            Bound::Included(min) => score < min,
            Bound::Excluded(min) => score <= min,
            Bound::Unbounded => false,
        }
    }

    /// Whether `score` comes after the range.
    #[inline]
    pub(super) fn is_above(&self, score: f64) -> bool {
        match self.max {
            Bound::Included(max) => score > max,
            Bound::Excluded(max) => score >= max,
            Bound::Unbounded => false,
        }
    }
}

/// A range of members in the order of their bytes; one whose `min` is above its `max` is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LexRange<'a> {
    /// The lower bound.
    pub min: LexBound<'a>,
    /// The upper bound.
    pub max: LexBound<'a>,
}

/// An end of a [`LexRange`]. Either infinity can be either end, as in `ZRANGEBYLEX key + -`, which is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// Before every member: `-`.
    NegativeInfinity,
    /// After every member: `+`.
    PositiveInfinity,
    /// At this member, which is in the range: `[member`.
    Inclusive(&'a [u8]),
    /// At this member, which is not in the range: `(member`.
    Exclusive(&'a [u8]),
}

impl LexRange<'_> {
    /// Whether `member` comes before the range.
    #[inline]
    pub(super) fn is_below(&self, member: &[u8]) -> bool {
        match self.min {
            LexBound::NegativeInfinity => false,
            LexBound::PositiveInfinity => true,
            LexBound::Inclusive(min) => member < min,
            LexBound::Exclusive(min) => member <= min,
        }
    }

    /// Whether `member` comes after the range.
    #[inline]
    pub(super) fn is_above(&self, member: &[u8]) -> bool {
        match self.max {
            LexBound::NegativeInfinity => true,
            LexBound::PositiveInfinity => false,
            LexBound::Inclusive(max) => member > max,
            LexBound::Exclusive(max) => member >= max,
        }
    }
}
