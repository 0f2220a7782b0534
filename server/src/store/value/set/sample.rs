//! Members drawn at random.

use std::collections::HashSet;

use super::{Form, Member, Set};
use crate::store::table::below;

/// A set is drawn from as a whole if less than so many times the members asked for are in it; otherwise one member after
/// another, until there are enough that differ.
const DRAW_AS_A_WHOLE: usize = 3;

/// Once so many members are to be removed for each one that stays, those that stay are drawn rather.
const DRAW_WHAT_STAYS: usize = 5;

impl Set {
    /// One of the members, each with the same probability. O(1) expected. `random` gives 64 random bits each time; the
    /// choice depends on nothing else.
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<Member<'_>> {
        match &self.form {
            Form::Integers(integers) if integers.is_empty() => None,
            Form::Integers(integers) => Some(Member::Integer(integers[draw(integers.len(), random)])),
            Form::Table(table) => table.random(random).map(Member::Bytes),
        }
    }

    /// `count` different members, or all if there are fewer; each choice has the same probability, but the order is
    /// not random. O(`count`) expected.
    pub fn sample(&self, count: usize, random: &mut impl FnMut() -> u64) -> Vec<Member<'_>> {
        if count == 0 {
            return Vec::new();
        }
        if count.saturating_mul(DRAW_AS_A_WHOLE) > self.len() {
            let mut members: Vec<Member<'_>> = self.iter().collect();
            for place in 0..count.min(members.len().saturating_sub(1)) {
                let chosen = place + draw(members.len() - place, random);
                members.swap(place, chosen);
            }
            members.truncate(count);
            return members;
        }
        let mut seen = HashSet::with_capacity(count);
        let mut members = Vec::with_capacity(count);
        while members.len() < count
            && let Some(member) = self.random(random)
        {
            let identity = match member {
                Member::Integer(integer) => integer as usize,
                Member::Bytes(bytes) => std::ptr::from_ref(bytes).addr(),
            };
            if seen.insert(identity) {
                members.push(member);
            }
        }
        members
    }

    /// Removes `count` members, of which there are no fewer, and calls `visit` with each; each choice has the same
    /// probability. O(`count`) expected.
    pub fn take_random(
        &mut self,
        count: usize,
        most_integers: usize,
        random: &mut impl FnMut() -> u64,
        mut visit: impl FnMut(Member<'_>),
    ) {
        let staying = self.len().saturating_sub(count);
        if staying.saturating_mul(DRAW_WHAT_STAYS) > count {
            for _ in 0..count {
                self.remove_random(random, &mut visit);
            }
        } else {
            let mut others = Set::default();
            for _ in 0..staying {
                self.remove_random(random, |member| {
                    others.insert_member(member, most_integers);
                });
            }
            std::mem::replace(self, others).iter().for_each(visit);
        }
    }

    fn remove_random(&mut self, random: &mut impl FnMut() -> u64, visit: impl FnOnce(Member<'_>)) {
        match &mut self.form {
            Form::Integers(integers) => {
                if !integers.is_empty() {
                    visit(Member::Integer(integers.remove(draw(integers.len(), random))));
                }
            }
            Form::Table(table) => {
                if let Some(member) = table.random(random).cloned() {
                    table.remove(&member);
                    visit(Member::Bytes(&member));
                }
            }
        }
    }
}

/// The place of one of `count` elements, each with the same probability.
fn draw(count: usize, random: &mut impl FnMut() -> u64) -> usize {
    below(count as u64, random) as usize
}
