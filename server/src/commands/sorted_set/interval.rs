//! Which members a range takes: by rank, by score or by the bytes of the member.

use std::ops::{Bound, Range};

use crate::resp::number::{parse_float, parse_integer};
use crate::store::Error;
use crate::store::value::SortedSet;
use crate::store::value::sorted_set::{LexBound, LexRange, ScoreRange};

/// By what a range is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// By rank.
    Rank,
    /// By score.
    Score,
    /// By the bytes of the member, where all scores are equal.
    Lex,
}

/// A range of members.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Interval<'a> {
    /// From one rank to another, both included; negative ones count from the end.
    Rank(i64, i64),
    /// By score.
    Score(ScoreRange),
    /// By bytes.
    Lex(LexRange<'a>),
}

impl<'a> Interval<'a> {
    /// Reads the ends as arguments give them; if they are in `reverse`, the first is the upper one, and ranks count from
    /// the last member.
    pub(super) fn parse(by: By, first: &'a [u8], second: &'a [u8], reverse: bool) -> Result<Self, Error> {
        const NOT_A_SCORE: Error = Error::new("ERR min or max is not a float");
        const NOT_A_MEMBER: Error = Error::new("ERR min or max not valid string range item");
        let (min, max) = if reverse { (second, first) } else { (first, second) };
        Ok(match by {
            By::Rank => {
                let rank = |text| parse_integer(text).ok_or(Error::NOT_AN_INTEGER);
                let (min, max) = (rank(min)?, rank(max)?);
                // The rank `r` counted from one side is `-1 - r` from the other.
                if reverse { Interval::Rank(!min, !max) } else { Interval::Rank(min, max) }
            }
            By::Score => {
                let bound = |text| parse_score_bound(text).ok_or(NOT_A_SCORE);
                Interval::Score(ScoreRange { min: bound(min)?, max: bound(max)? })
            }
            By::Lex => {
                let bound = |text| parse_lex_bound(text).ok_or(NOT_A_MEMBER);
                Interval::Lex(LexRange { min: bound(min)?, max: bound(max)? })
            }
        })
    }

    /// The ranks of its members. O(log n).
    pub(super) fn ranks(&self, set: &SortedSet) -> Range<usize> {
        match self {
            Interval::Rank(start, stop) => ranks(*start, *stop, set.len()),
            Interval::Score(range) => set.ranks_by_score(range),
            Interval::Lex(range) => set.ranks_by_lex(range),
        }
    }
}

/// The ranks from `start` to `stop` of `length` members, negative ones counted from the end.
fn ranks(start: i64, stop: i64, length: usize) -> Range<usize> {
    let from_front = |rank: i64| if rank < 0 { rank.saturating_add(length as i64) } else { rank };
    let end = from_front(stop).saturating_add(1).clamp(0, length as i64) as usize;
    let start = from_front(start).clamp(0, end as i64) as usize;
    start..end
}

/// A score, or one behind a `(` that is itself outside of the range.
fn parse_score_bound(text: &[u8]) -> Option<Bound<f64>> {
    match text {
        [b'(', text @ ..] => Some(Bound::Excluded(parse_score(text)?)),
        text => Some(Bound::Included(parse_score(text)?)),
    }
}

/// A score as C's `strtod` reads it up to a zero byte: with white space before it, infinite if it is too large, 0 if it is
/// too small. Nothing at all means 0.
fn parse_score(text: &[u8]) -> Option<f64> {
    let text = text.split(|&byte| byte == 0).next()?;
    if text.is_empty() {
        return Some(0.0);
    }
    let start = text.iter().position(|byte| !matches!(byte, b' ' | b'\t'..=b'\r'))?;
    let number = &text[start..];
    parse_float(number).or_else(|| str::from_utf8(number).ok()?.parse().ok().filter(|score: &f64| !score.is_nan()))
}

/// `-`, `+`, a member behind a `[`, or one behind a `(` that is itself outside of the range.
fn parse_lex_bound(text: &[u8]) -> Option<LexBound<'_>> {
    match text {
        b"-" | [b'-', 0, ..] => Some(LexBound::NegativeInfinity),
        b"+" | [b'+', 0, ..] => Some(LexBound::PositiveInfinity),
        [b'[', member @ ..] => Some(LexBound::Inclusive(member)),
        [b'(', member @ ..] => Some(LexBound::Exclusive(member)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed<'a>(by: By, first: &'a str, second: &'a str, reverse: bool) -> Option<Interval<'a>> {
        Interval::parse(by, first.as_bytes(), second.as_bytes(), reverse).ok()
    }

    fn ranks_of(start: i64, stop: i64, reverse: bool) -> Range<usize> {
        let (start, stop) = (start.to_string(), stop.to_string());
        match parsed(By::Rank, &start, &stop, reverse) {
            Some(Interval::Rank(start, stop)) => ranks(start, stop, 5),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ranks_count_from_either_end() {
        for (start, stop, forward, reverse) in [
            (0, 0, 0..1, 4..5),
            (0, -1, 0..5, 0..5),
            (-2, -1, 3..5, 0..2),
            (1, 3, 1..4, 1..4),
            (1, 2, 1..3, 2..4),
            (-100, 100, 0..5, 0..5),
            (i64::MIN, i64::MAX, 0..5, 0..5),
            (4, 9, 4..5, 0..1),
        ] {
            assert_eq!(ranks_of(start, stop, false), forward, "{start} {stop}");
            assert_eq!(ranks_of(start, stop, true), reverse, "{start} {stop}");
        }
        for (start, stop) in [(3, 2), (5, 10), (0, -6), (i64::MAX, i64::MIN), (-1, -2), (i64::MAX, i64::MAX)] {
            assert!(ranks_of(start, stop, false).is_empty(), "{start} {stop}");
            assert!(ranks_of(start, stop, true).is_empty(), "{start} {stop}");
        }
    }

    #[test]
    fn scores_are_read_as_c_reads_them() {
        for (text, score) in [
            ("1", 1.0),
            ("-1.5e3", -1500.0),
            ("+inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("0x10", 16.0),
            (" \t\n5", 5.0),
            ("", 0.0),
            ("7\0nonsense", 7.0),
            ("1e999", f64::INFINITY),
            ("-1e999", f64::NEG_INFINITY),
            ("1e-999", 0.0),
        ] {
            assert_eq!(parse_score_bound(text.as_bytes()), Some(Bound::Included(score)), "{text:?}");
            let excluded = format!("({text}");
            assert_eq!(parse_score_bound(excluded.as_bytes()), Some(Bound::Excluded(score)), "{text:?}");
        }
        for text in ["nan", "-NaN", "x", "1x", "1 ", " ", "((1", "[1", "--1", " (1", "\u{a0}1"] {
            assert_eq!(parse_score_bound(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn members_say_whether_they_are_in_the_range() {
        let range = |min, max| Some(Interval::Lex(LexRange { min, max }));
        assert_eq!(parsed(By::Lex, "-", "+", false), range(LexBound::NegativeInfinity, LexBound::PositiveInfinity));
        assert_eq!(parsed(By::Lex, "[a", "(", true), range(LexBound::Exclusive(b""), LexBound::Inclusive(b"a")));
        for text in ["", "a", "--", "-inf", "1"] {
            assert_eq!(parsed(By::Lex, text, "+", false), None, "{text:?}");
        }
    }
}
