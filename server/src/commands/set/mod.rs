//! Sets.

mod difference;
mod intersection;
mod member;
mod operation;
mod random;
mod scan;
mod transfer;
mod union;

use super::command::{Command, Flags, Group, Run, command};
use crate::config::EventFlags;
use crate::store::Edit;
use crate::store::operation::{ReadFunction, WriteFunction};

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    write("sadd", -3, "1.0.0", Flags::FAST.and(Flags::DENYOOM), member::sadd)
        .about("Adds members to a set, which is created if there is none.", "O(n) for n members added"),
    read("scard", 2, "1.0.0", Flags::FAST, member::scard).about("Returns how many members a set has.", "O(1)"),
    read("sdiff", -2, "1.0.0", Flags::NONE, difference::sdiff)
        .all_keys()
        .about("Returns the members of a set that no other of several sets has.", "O(n) for n members of all sets"),
    write("sdiffstore", -3, "1.0.0", STORING, difference::sdiffstore)
        .all_keys()
        .about("Stores the members of a set that no other of several sets has.", "O(n) for n members of all sets"),
    read("sinter", -2, "1.0.0", Flags::NONE, intersection::sinter)
        .all_keys()
        .about("Returns the members that all of several sets have.", INTERSECTION),
    read("sintercard", -3, "7.0.0", Flags::MOVABLE_KEYS, intersection::sintercard)
        .counted_keys(1, 0)
        .about("Counts the members that all of several sets have.", INTERSECTION),
    write("sinterstore", -3, "1.0.0", STORING, intersection::sinterstore)
        .all_keys()
        .about("Stores the members that all of several sets have.", INTERSECTION),
    read("sismember", 3, "1.0.0", Flags::FAST, member::sismember).about("Tells whether a set has a member.", "O(1)"),
    read("smembers", 2, "1.0.0", Flags::NONE, member::smembers)
        .about("Returns all members of a set.", "O(n) for n members"),
    read("smismember", -3, "6.2.0", Flags::FAST, member::smismember)
        .about("Tells which of several members a set has.", "O(n) for n members asked for"),
    write("smove", 4, "1.0.0", Flags::FAST, transfer::smove)
        .key_range(1, 2, 1)
        .about("Moves a member from one set to another.", "O(1)"),
    write("spop", -2, "1.0.0", Flags::FAST, random::spop)
        .about("Takes random members from a set.", "O(n) for n members taken"),
    read("srandmember", -2, "1.0.0", Flags::NONE, random::srandmember)
        .about("Returns random members of a set.", "O(n) for n members returned"),
    write("srem", -3, "1.0.0", Flags::FAST, member::srem)
        .about("Removes members from a set.", "O(n) for n members removed"),
    read("sscan", -3, "2.8.0", Flags::NONE, scan::sscan).about(
        "Iterates over the members of a set, a few in each call.",
        "O(1) for each call, O(n) for all of them with n members in the set",
    ),
    read("sunion", -2, "1.0.0", Flags::NONE, union::sunion)
        .all_keys()
        .about("Returns the members that any of several sets has.", "O(n) for n members of all sets"),
    write("sunionstore", -3, "1.0.0", STORING, union::sunionstore)
        .all_keys()
        .about("Stores the members that any of several sets has.", "O(n) for n members of all sets"),
];

const INTERSECTION: &str = "O(n * m) at worst for n members of the smallest of m sets";

const STORING: Flags = Flags::DENYOOM.and(Flags::AMPLIFYING);

/// A command of this family that reads one key, by default.
const fn read(name: &'static str, arity: i32, since: &'static str, flags: Flags, run: ReadFunction) -> Command {
    command(name, arity, since, Group::Set, Flags::READONLY.and(flags), Run::Read(run)).key()
}

/// A command of this family that writes to one key, by default.
const fn write(name: &'static str, arity: i32, since: &'static str, flags: Flags, run: WriteFunction) -> Command {
    command(name, arity, since, Group::Set, Flags::WRITE.and(flags), Run::Write(run)).key()
}

/// What follows the removal of `count` members: the event, and the end of a set that has none any more.
fn removed(edit: &mut Edit<'_>, key: &[u8], event: &str, count: usize) {
    edit.notify(EventFlags::SET, event, key);
    if !edit.delete_if_empty(key) {
        edit.modified(key);
    }
    edit.count_changes(count.saturating_sub(1) as u64);
}
