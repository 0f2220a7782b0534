//! The server's sorted set, as Redis has it: `ZRANK` and `ZINCRBY` of existing members.

use super::{Structure, Workload};
use crate::keys::Keys;
use crate::peers::Handle;
use nr_server::config::EncodingLimits;
use nr_server::store::value;
use std::sync::LazyLock;

/// The server's defaults: up to 128 members are an array.
static LIMITS: LazyLock<EncodingLimits> = LazyLock::new(EncodingLimits::default);

/// Members with scores, in the order of these.
#[derive(Clone)]
pub struct SortedSet(value::SortedSet);

/// `ZINCRBY`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Increment {
    /// The member's number.
    pub member: u32,
    /// By how much its score grows.
    pub by: i32,
}

/// The name of a member, as clients would choose it.
#[inline]
fn name(member: u32) -> [u8; 12] {
    let mut name = *b"user00000000";
    let mut rest = member;
    for digit in name[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    name
}

impl Structure for SortedSet {
    type Read = u32;
    type Write = Increment;

    #[inline]
    fn read(&self, member: u32) -> Option<u64> {
        self.0.rank(&name(member)).map(|rank| rank as u64)
    }

    #[inline]
    fn write(&mut self, increment: &Increment) -> Option<u64> {
        let name = name(increment.member);
        let by = f64::from(increment.by);
        self.0.insert_or_update(by, &name, &LIMITS, |score| Some(score + by)).map(f64::to_bits)
    }
}

impl Workload for SortedSet {
    const NAME: &'static str = "sorted-set";
    const ABOUT: [&'static str; 3] =
        ["the server's sorted set, as Redis has it", "a member's rank (ZRANK)", "change a member's score (ZINCRBY)"];
    const ENTRIES: u64 = 10_000;
    const MOST_ENTRIES: u64 = 99_999_999;
    const ALWAYS_ANSWERS: bool = true;
    type Client = Keys;

    fn filled(entries: u64) -> Self {
        let mut set = value::SortedSet::new();
        for member in 0..entries as u32 {
            set.insert(f64::from(member), &name(member), &LIMITS);
        }
        Self(set)
    }

    fn bytes(entries: u64) -> u64 {
        100 * entries
    }

    fn client(keys: Keys) -> Keys {
        keys
    }

    #[inline]
    fn read_through<H: Handle<Self>>(keys: &mut Keys, handle: &mut H) -> Option<u64> {
        handle.read(keys.next_key() as u32)
    }

    /// Scores move by up to a hundredth of the members, up as often as down, so that the set stays as spread as it was.
    #[inline]
    fn write_through<H: Handle<Self>>(keys: &mut Keys, handle: &mut H) -> Option<u64> {
        let member = keys.next_key() as u32;
        let most = (keys.entries() / 100).max(1);
        let by = keys.random.below(2 * most + 1) as i32 - most as i32;
        handle.write(Increment { member, by })
    }
}

#[cfg(test)]
mod tests {
    use super::{Increment, SortedSet, name};
    use crate::workloads::{Structure, Workload};

    #[test]
    fn ranks_follow_scores() {
        assert_eq!(&name(1234), b"user00001234");
        let mut set = SortedSet::filled(100);
        assert_eq!(set.read(7), Some(7));
        assert_eq!(set.write(&Increment { member: 7, by: 1000 }), Some(7f64.to_bits()));
        assert_eq!(set.read(7), Some(99));
        assert_eq!(set.read(8), Some(7));
    }
}
