//! A hash of content, which is equal where the content is.
//!
//! It is computed as Redis does it, so that servers of both kinds can be compared: what is ordered is hashed in its order,
//! and of what is not, the hashes are combined by XOR.

use std::fmt;

use sha1_smol::Sha1;

use crate::resp::number::format_float;
use crate::store::entry::Entry;
use crate::store::{Keyspace, Value};

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// What clients see, as Redis counts it: of an expiry, only that there is one.
    Content,
    /// Everything that later commands may depend on: the times of expiries, the forms of values, and the order in which
    /// keys and elements lie. Equal for replicas only.
    State,
}

/// 160 bits that stand for content.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Digest([u8; 20]);

impl Digest {
    /// All databases. O(size).
    pub(super) fn of_keyspace(keyspace: &Keyspace, detail: Detail) -> Self {
        let mut digest = Digest::default();
        for (index, database) in keyspace.databases.iter().enumerate().filter(|(_, database)| !database.is_empty()) {
            digest.append(&(index as u32).to_be_bytes());
            for entry in database.table().iter() {
                let mut key = Digest::default();
                key.append(entry.key());
                key.append_entry(entry, detail);
                digest.join(&key.0, detail);
            }
        }
        digest
    }

    /// A value, with its expiry. O(size).
    pub(super) fn of_entry(entry: &Entry, detail: Detail) -> Self {
        let mut digest = Digest::default();
        digest.append_entry(entry, detail);
        digest
    }

    fn append_entry(&mut self, entry: &Entry, detail: Detail) {
        self.append_value(&entry.value, detail);
        match (entry.expiry(), detail) {
            (None, _) => {}
            (Some(_), Detail::Content) => self.add(b"!!expire!!"),
            (Some(expiry), Detail::State) => self.append(&expiry.to_be_bytes()),
        }
        if detail == Detail::State {
            self.append(entry.value.encoding().as_bytes());
        }
    }

    fn append_value(&mut self, value: &Value, detail: Detail) {
        let kind: u32 = match value {
            Value::String(_) => 0,
            Value::List(_) => 1,
            Value::Set(_) => 2,
            Value::SortedSet(_) => 3,
            Value::Hash(_) => 4,
        };
        self.append(&kind.to_be_bytes());
        match value {
            Value::String(string) => self.append(&string.bytes()),
            Value::List(list) => list.iter().for_each(|element| self.append(element.payload())),
            Value::Set(set) => set.iter().for_each(|member| member.with_bytes(|member| self.join(member, detail))),
            Value::SortedSet(sorted_set) => sorted_set
                .iter()
                .for_each(|(member, score)| self.join_pair(member, format_float(score).as_bytes(), detail)),
            Value::Hash(hash) => hash.iter().for_each(|(field, value)| self.join_pair(field, value, detail)),
        }
    }

    fn join_pair(&mut self, first: &[u8], second: &[u8], detail: Detail) {
        let mut pair = Digest::default();
        pair.append(first);
        pair.append(second);
        self.join(&pair.0, detail);
    }

    /// Takes in an element of something without order.
    fn join(&mut self, element: &[u8], detail: Detail) {
        match detail {
            Detail::Content => self.add(element),
            Detail::State => self.append(element),
        }
    }

    /// Takes in `bytes`; the order of additions doesn't matter.
    fn add(&mut self, bytes: &[u8]) {
        let hash = Sha1::from(bytes).digest().bytes();
        self.0.iter_mut().zip(hash).for_each(|(byte, other)| *byte ^= other);
    }

    /// Takes in `bytes` behind all that came before.
    fn append(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.0 = Sha1::from(&self.0[..]).digest().bytes();
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::value::StringValue;

    fn entry(value: &[u8]) -> Entry {
        Entry::new(b"a", Value::String(StringValue::new(value)))
    }

    #[test]
    fn digests_are_those_of_redis() {
        let digest = Digest::of_entry(&entry(b"b"), Detail::Content);
        assert_eq!(digest.to_string(), "b78559cd22bce6e6df712eb99ce7f3b08e8f8f1f");
        assert_eq!(Digest::default().to_string(), "0".repeat(40));
    }

    #[test]
    fn a_number_and_its_text_are_equal() {
        let spelled = Entry::new(b"a", Value::String(StringValue::Edited(b"12"[..].into())));
        assert!(Digest::of_entry(&entry(b"12"), Detail::Content) == Digest::of_entry(&spelled, Detail::Content));
        assert!(Digest::of_entry(&entry(b"12"), Detail::State) != Digest::of_entry(&spelled, Detail::State));
    }

    #[test]
    fn what_has_no_order_is_added_in_any() {
        let sum = |parts: [&[u8]; 2]| {
            let mut digest = Digest::default();
            parts.iter().for_each(|part| digest.add(part));
            digest.to_string()
        };
        assert_eq!(sum([b"x", b"y"]), sum([b"y", b"x"]));
    }
}
