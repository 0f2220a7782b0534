//! Sorted sets.

mod add;
mod blocking;
mod combine;
mod form;
mod interval;
mod operation;
mod pop;
mod random;
mod range;
mod remove;
mod scan;
mod score;

use super::command::{Command, Flags, Group, Run, command};
use crate::config::EventFlags;
use crate::resp::Reply;
use crate::store::database::Expiry;
use crate::store::operation::{ReadFunction, WriteFunction};
use crate::store::value::SortedSet;
use crate::store::{Edit, Value};

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    write("bzmpop", -5, "7.0.0", Flags::BLOCKING.and(Flags::MOVABLE_KEYS), blocking::bzmpop).counted_keys(2, 0).about(
        "Takes members from the first of several sorted sets that has any, and waits for some if there are none.",
        "O(n + m*log(o)) for n keys and m members taken of o",
    ),
    write("bzpopmax", -3, "5.0.0", BLOCKING_AND_FAST, blocking::bzpopmax).key_range(1, -2, 1).about(
        "Takes the last member of the first of several sorted sets that has any, and waits for one if there is none.",
        "O(n + log(m)) for n keys and m members",
    ),
    write("bzpopmin", -3, "5.0.0", BLOCKING_AND_FAST, blocking::bzpopmin).key_range(1, -2, 1).about(
        "Takes the first member of the first of several sorted sets that has any, and waits for one if there is none.",
        "O(n + log(m)) for n keys and m members",
    ),
    write("zadd", -4, "1.2.0", FAST_AND_GROWING, add::zadd).about(
        "Gives members of a sorted set their scores; the set is created if there is none.",
        "O(m*log(n)) for m members given and n in the set",
    ),
    read("zcard", 2, "1.2.0", Flags::FAST, score::zcard).about("Returns how many members a sorted set has.", "O(1)"),
    read("zcount", 4, "2.0.0", Flags::FAST, range::zcount)
        .about("Returns how many members of a sorted set have scores in a range.", "O(log(n)) for n members"),
    read("zdiff", -3, "6.2.0", Flags::MOVABLE_KEYS, combine::zdiff)
        .counted_keys(1, 0)
        .about("Returns the members of the first of several sorted sets that no other one has.", DIFFERENCE),
    write("zdiffstore", -4, "6.2.0", STORING, combine::zdiffstore)
        .counted_keys(2, 1)
        .about("Stores the members of the first of several sorted sets that no other one has.", DIFFERENCE),
    write("zincrby", 4, "1.2.0", FAST_AND_GROWING, add::zincrby)
        .about("Adds to the score of a member of a sorted set, 0 if there is none.", "O(log(n)) for n members"),
    read("zinter", -3, "6.2.0", Flags::MOVABLE_KEYS, combine::zinter)
        .counted_keys(1, 0)
        .about("Returns the members that several sorted sets have in common.", INTERSECTION),
    read("zintercard", -3, "7.0.0", Flags::MOVABLE_KEYS, combine::zintercard).counted_keys(1, 0).about(
        "Returns how many members several sorted sets have in common.",
        "O(n*k) for k sets, of which the smallest has n members",
    ),
    write("zinterstore", -4, "2.0.0", STORING, combine::zinterstore)
        .counted_keys(2, 1)
        .about("Stores the members that several sorted sets have in common.", INTERSECTION),
    read("zlexcount", 4, "2.8.9", Flags::FAST, range::zlexcount)
        .about("Returns how many members of a sorted set are in a range by their bytes.", "O(log(n)) for n members"),
    write("zmpop", -4, "7.0.0", Flags::MOVABLE_KEYS, pop::zmpop).counted_keys(1, 0).about(
        "Takes members from the first of several sorted sets that has any.",
        "O(n + m*log(o)) for n keys and m members taken of o",
    ),
    read("zmscore", -3, "6.2.0", Flags::FAST, score::zmscore)
        .about("Returns the scores of several members of a sorted set.", "O(n) for n members asked for"),
    write("zpopmax", -2, "5.0.0", Flags::FAST, pop::zpopmax)
        .about("Takes the last members of a sorted set.", "O(m*log(n)) for m of n members"),
    write("zpopmin", -2, "5.0.0", Flags::FAST, pop::zpopmin)
        .about("Takes the first members of a sorted set.", "O(m*log(n)) for m of n members"),
    read("zrandmember", -2, "6.2.0", Flags::NONE, random::zrandmember)
        .about("Returns random members of a sorted set.", "O(m*log(n)) for m of n members"),
    read("zrange", -4, "1.2.0", Flags::NONE, range::zrange)
        .about("Returns the members of a sorted set in a range of ranks, of scores or of bytes.", RANGE),
    read("zrangebylex", -4, "2.8.9", Flags::NONE, range::zrangebylex)
        .about("Returns the members of a sorted set in a range by their bytes.", RANGE),
    read("zrangebyscore", -4, "1.0.5", Flags::NONE, range::zrangebyscore)
        .about("Returns the members of a sorted set with scores in a range.", RANGE),
    write("zrangestore", -5, "6.2.0", Flags::DENYOOM.and(Flags::AMPLIFYING), range::zrangestore)
        .key_range(1, 2, 1)
        .about("Stores the members of a sorted set in a range of ranks, of scores or of bytes.", RANGE),
    read("zrank", 3, "2.0.0", Flags::FAST, score::zrank)
        .about("Returns how many members of a sorted set come before one.", "O(log(n)) for n members"),
    write("zrem", -3, "1.2.0", Flags::FAST, remove::zrem).about(
        "Removes members from a sorted set, and the key with the last of them.",
        "O(m*log(n)) for m of n members",
    ),
    write("zremrangebylex", 4, "2.8.9", Flags::NONE, remove::zremrangebylex)
        .about("Removes the members of a sorted set in a range by their bytes.", RANGE),
    write("zremrangebyrank", 4, "2.0.0", Flags::NONE, remove::zremrangebyrank)
        .about("Removes the members of a sorted set in a range of ranks.", RANGE),
    write("zremrangebyscore", 4, "1.2.0", Flags::NONE, remove::zremrangebyscore)
        .about("Removes the members of a sorted set with scores in a range.", RANGE),
    read("zrevrange", -4, "1.2.0", Flags::NONE, range::zrevrange)
        .about("Returns the members of a sorted set in a range of ranks, the last ones first.", RANGE),
    read("zrevrangebylex", -4, "2.8.9", Flags::NONE, range::zrevrangebylex)
        .about("Returns the members of a sorted set in a range by their bytes, the last ones first.", RANGE),
    read("zrevrangebyscore", -4, "2.2.0", Flags::NONE, range::zrevrangebyscore)
        .about("Returns the members of a sorted set with scores in a range, the last ones first.", RANGE),
    read("zrevrank", 3, "2.0.0", Flags::FAST, score::zrevrank)
        .about("Returns how many members of a sorted set come after one.", "O(log(n)) for n members"),
    read("zscan", -3, "2.8.0", Flags::NONE, scan::zscan).about(
        "Iterates over the members of a sorted set and their scores, a few in each call.",
        "O(1) for each call, O(n) for all of them with n members in the set",
    ),
    read("zscore", 3, "1.2.0", Flags::FAST, score::zscore)
        .about("Returns the score of a member of a sorted set.", "O(1)"),
    read("zunion", -3, "6.2.0", Flags::MOVABLE_KEYS, combine::zunion)
        .counted_keys(1, 0)
        .about("Returns the members of several sorted sets.", UNION),
    write("zunionstore", -4, "2.0.0", STORING, combine::zunionstore)
        .counted_keys(2, 1)
        .about("Stores the members of several sorted sets.", UNION),
];

const FAST_AND_GROWING: Flags = Flags::FAST.and(Flags::DENYOOM);
const BLOCKING_AND_FAST: Flags = Flags::BLOCKING.and(Flags::FAST).and(Flags::NOSCRIPT);
const STORING: Flags = Flags::DENYOOM.and(Flags::AMPLIFYING).and(Flags::MOVABLE_KEYS);

const RANGE: &str = "O(log(n) + m) for m of n members";
const DIFFERENCE: &str = "O(n*k + m*log(m)) for k sets, of which the first has n members, and m in the result";
const INTERSECTION: &str = "O(n*k + m*log(m)) for k sets, of which the smallest has n members, and m in the result";
const UNION: &str = "O(n + m*log(m)) for n members in all sets and m in the result";

/// A command of this family that reads, by default one key.
const fn read(name: &'static str, arity: i32, since: &'static str, flags: Flags, run: ReadFunction) -> Command {
    command(name, arity, since, Group::SortedSet, Flags::READONLY.and(flags), Run::Read(run)).key()
}

/// A command of this family that writes, by default to one key.
const fn write(name: &'static str, arity: i32, since: &'static str, flags: Flags, run: WriteFunction) -> Command {
    command(name, arity, since, Group::SortedSet, Flags::WRITE.and(flags), Run::Write(run)).key()
}

/// What follows the removal of `count` members, which may have been all.
fn removed(edit: &mut Edit<'_>, key: &[u8], event: &str, count: usize, all: bool) {
    edit.notify(EventFlags::SORTED_SET, event, key);
    if all {
        edit.delete(key);
    } else {
        edit.modified(key);
    }
    edit.count_changes(count.saturating_sub(1) as u64);
}

/// Stores a result in the place of whatever the key held, and answers how many members it has. An empty one removes the
/// key.
fn store(edit: &mut Edit<'_>, key: &[u8], result: SortedSet, event: &str, reply: &mut Reply<'_>) {
    reply.count(result.len());
    if result.is_empty() {
        edit.delete(key);
    } else {
        edit.insert(key, Value::SortedSet(Box::new(result)), Expiry::Clear);
        edit.notify(EventFlags::SORTED_SET, event, key);
    }
}
