//! The members of a set.

use std::slice;

use crate::resp::Reply;
use crate::store::SmallBytes;

/// A member of a set, in the form in which the set keeps it.
#[derive(Clone, Copy, Debug)]
pub enum Member<'a> {
    /// The decimal form of a number.
    Integer(i64),
    /// Any bytes, which may spell a number, too.
    Bytes(&'a SmallBytes),
}

impl Member<'_> {
    /// Works with its bytes.
    #[inline]
    pub fn with_bytes<R>(self, work: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Member::Integer(integer) => work(itoa::Buffer::new().format(integer).as_bytes()),
            Member::Bytes(bytes) => work(bytes),
        }
    }

    /// Its bytes, owned.
    pub fn to_small_bytes(self) -> SmallBytes {
        match self {
            Member::Integer(_) => self.with_bytes(SmallBytes::new),
            Member::Bytes(bytes) => bytes.clone(),
        }
    }

    /// Writes it as a bulk string.
    #[inline]
    pub fn write(self, reply: &mut Reply<'_>) {
        match self {
            Member::Integer(integer) => reply.bulk_integer(integer),
            Member::Bytes(bytes) => reply.bulk(bytes),
        }
    }
}

/// All members of a set, of which one form or the other is iterated.
pub(super) enum Members<'a, I> {
    Integers(slice::Iter<'a, i64>),
    Table(I),
}

impl<'a, I: ExactSizeIterator<Item = &'a SmallBytes>> Iterator for Members<'a, I> {
    type Item = Member<'a>;

    #[inline]
    fn next(&mut self) -> Option<Member<'a>> {
        match self {
            Members::Integers(integers) => integers.next().map(|integer| Member::Integer(*integer)),
            Members::Table(members) => members.next().map(Member::Bytes),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Members::Integers(integers) => integers.size_hint(),
            Members::Table(members) => members.size_hint(),
        }
    }

    fn fold<B, F: FnMut(B, Member<'a>) -> B>(self, initial: B, mut combine: F) -> B {
        match self {
            Members::Integers(integers) => {
                integers.fold(initial, |folded, integer| combine(folded, Member::Integer(*integer)))
            }
            Members::Table(members) => members.fold(initial, |folded, member| combine(folded, Member::Bytes(member))),
        }
    }
}

impl<'a, I: ExactSizeIterator<Item = &'a SmallBytes>> ExactSizeIterator for Members<'a, I> {}
