//! Unions, intersections and differences of sorted sets; plain sets count as sorted ones in which every score is 1.

use std::borrow::Cow;

use crate::store::table::{Keyed, Table};
use crate::store::value::set::Member;
use crate::store::value::{Set, SortedSet, Value};
use crate::store::{Error, SmallBytes, View};

/// A member of a result, borrowed from an input that has it as bytes, with its score.
pub(super) type Scored<'a> = (Cow<'a, SmallBytes>, f64);

/// One of the sets that are combined.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a> {
    source: Source<'a>,
    /// By what its scores are multiplied.
    pub(super) weight: f64,
}

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Nothing,
    Set(&'a Set),
    SortedSet(&'a SortedSet),
}

impl<'a> Input<'a> {
    /// The set at `key`, with the weight 1. O(1).
    pub(super) fn at(view: &View<'a>, key: &[u8]) -> Result<Self, Error> {
        let source = match view.entry(key).map(|entry| &entry.value) {
            None => Source::Nothing,
            Some(Value::Set(set)) => Source::Set(set),
            Some(Value::SortedSet(set)) => Source::SortedSet(set),
            Some(_) => return Err(Error::WRONG_TYPE),
        };
        Ok(Input { source, weight: 1.0 })
    }

    fn len(&self) -> usize {
        match self.source {
            Source::Nothing => 0,
            Source::Set(set) => set.len(),
            Source::SortedSet(set) => set.len(),
        }
    }

    /// The score of a member, without the weight. O(1).
    fn score(&self, member: &[u8]) -> Option<f64> {
        match self.source {
            Source::Nothing => None,
            Source::Set(set) => set.contains(member).then_some(1.0),
            Source::SortedSet(set) => set.score(member),
        }
    }

    /// The members with their weighted scores.
    fn members(&self) -> impl Iterator<Item = Scored<'a>> + use<'a> {
        let (set, sorted_set) = match self.source {
            Source::Nothing => (None, None),
            Source::Set(set) => (Some(set), None),
            Source::SortedSet(set) => (None, Some(set)),
        };
        let set = set.into_iter().flat_map(Set::iter).map(|member| match member {
            Member::Integer(_) => (Cow::Owned(member.to_small_bytes()), 1.0),
            Member::Bytes(bytes) => (Cow::Borrowed(bytes), 1.0),
        });
        let sorted_set = sorted_set.into_iter().flat_map(SortedSet::iter);
        let sorted_set = sorted_set.map(|(member, score)| (Cow::Borrowed(member), score));
        let weight = self.weight;
        set.chain(sorted_set).map(move |(member, score)| (member, zero_if_nan(weight * score)))
    }
}

/// How the scores of a member that several sets have become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Aggregate {
    /// Their sum.
    #[default]
    Sum,
    /// The lowest.
    Min,
    /// The highest.
    Max,
}

impl Aggregate {
    fn combine(self, score: f64, other: f64) -> f64 {
        match self {
            Aggregate::Sum => zero_if_nan(score + other),
            Aggregate::Min if other < score => other,
            Aggregate::Max if other > score => other,
            Aggregate::Min | Aggregate::Max => score,
        }
    }
}

/// What becomes of infinity times zero, and of infinity less infinity.
fn zero_if_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// In the order in which scores are added up: from the smallest set to the largest, and sets of one size as they were named.
pub(super) fn by_size(mut inputs: Vec<Input<'_>>) -> Vec<Input<'_>> {
    inputs.sort_by_key(Input::len);
    inputs
}

/// The members that any input has, in no order. O(members).
pub(super) fn union<'a>(inputs: &[Input<'a>], aggregate: Aggregate) -> impl Iterator<Item = Scored<'a>> + use<'a> {
    let mut found = Table::new();
    for (member, score) in inputs.iter().flat_map(Input::members) {
        let (found, is_new) = found.get_or_insert_with(&member, || Found { member: member.clone(), score });
        if !is_new {
            found.score = aggregate.combine(found.score, score);
        }
    }
    found.drain().map(|found| (found.member, found.score))
}

/// A member of a union.
#[derive(Clone)]
struct Found<'a> {
    member: Cow<'a, SmallBytes>,
    score: f64,
}

impl Keyed for Found<'_> {
    fn key(&self) -> &[u8] {
        &self.member
    }
}

/// The members that all inputs have; looks for those of the first one in the others. O(members of the first · inputs).
pub(super) fn intersection<'a>(inputs: &[Input<'a>], aggregate: Aggregate) -> impl Iterator<Item = Scored<'a>> {
    let (first, others) = inputs.split_first().expect("there is at least one key");
    first.members().filter_map(move |(member, score)| {
        let combined = others.iter().try_fold(score, |combined, other| {
            Some(aggregate.combine(combined, other.weight * other.score(&member)?))
        })?;
        Some((member, combined))
    })
}

/// The members that the first input alone has. O(members of the first · inputs).
pub(super) fn difference<'a>(inputs: &[Input<'a>]) -> impl Iterator<Item = Scored<'a>> {
    let (first, others) = inputs.split_first().expect("there is at least one key");
    first.members().filter(|(member, _)| others.iter().all(|other| other.score(member).is_none()))
}
