//! Lists.

mod blocking;
mod element;
mod end;
mod pop;
mod position;
mod push;
mod range;
mod transfer;

use super::command::{Command, Flags, Group, Run, command};
use crate::config::EventFlags;
use crate::store::Edit;
use crate::store::operation::{ReadFunction, WriteFunction};

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    write("blmove", 6, "6.2.0", Flags::BLOCKING.and(Flags::DENYOOM).and(Flags::NOSCRIPT), transfer::blmove)
        .key_range(1, 2, 1)
        .about("Moves an element from one list to another, and waits for one if there is none.", "O(1)"),
    write("blmpop", -5, "7.0.0", Flags::BLOCKING.and(Flags::MOVABLE_KEYS), blocking::blmpop).counted_keys(2, 0).about(
        "Takes elements from the first of several lists that has any, and waits for some if there are none.",
        "O(n + m) for n keys and m elements taken",
    ),
    write("blpop", -3, "2.0.0", Flags::BLOCKING.and(Flags::NOSCRIPT), blocking::blpop).key_range(1, -2, 1).about(
        "Takes the first element of the first of several lists that has any, and waits for one if there is none.",
        "O(n) for n keys",
    ),
    write("brpop", -3, "2.0.0", Flags::BLOCKING.and(Flags::NOSCRIPT), blocking::brpop).key_range(1, -2, 1).about(
        "Takes the last element of the first of several lists that has any, and waits for one if there is none.",
        "O(n) for n keys",
    ),
    write("brpoplpush", 4, "2.2.0", Flags::BLOCKING.and(Flags::DENYOOM).and(Flags::NOSCRIPT), transfer::brpoplpush)
        .key_range(1, 2, 1)
        .about("Moves the last element of a list to the front of another, and waits for one if there is none.", "O(1)"),
    read("lindex", 3, "1.0.0", Flags::NONE, element::lindex)
        .about("Returns the element at an index of a list.", "O(log n) for n elements"),
    write("linsert", 5, "2.2.0", Flags::DENYOOM, element::linsert)
        .about("Puts an element before or after another one of a list.", "O(n) for n elements"),
    read("llen", 2, "1.0.0", Flags::FAST, element::llen).about("Returns how many elements a list has.", "O(1)"),
    write("lmove", 5, "6.2.0", Flags::DENYOOM, transfer::lmove)
        .key_range(1, 2, 1)
        .about("Moves an element from one list to another.", "O(1)"),
    write("lmpop", -4, "7.0.0", Flags::MOVABLE_KEYS, pop::lmpop).counted_keys(1, 0).about(
        "Takes elements from the first of several lists that has any.",
        "O(n + m) for n keys and m elements taken",
    ),
    write("lpop", -2, "1.0.0", Flags::FAST, pop::lpop)
        .about("Takes the first elements of a list.", "O(n) for n elements taken"),
    read("lpos", -3, "6.0.6", Flags::NONE, position::lpos)
        .about("Finds the indices of equal elements of a list.", "O(n) for n elements"),
    write("lpush", -3, "1.0.0", FAST_AND_GROWING, push::lpush)
        .about("Puts elements before the first one of a list, which is created if there is none.", PUSHED),
    write("lpushx", -3, "2.2.0", FAST_AND_GROWING, push::lpushx)
        .about("Puts elements before the first one of a list, if there is one.", PUSHED),
    read("lrange", 4, "1.0.0", Flags::NONE, range::lrange)
        .about("Returns the elements of a list from one index to another.", "O(log n + m) for m of n elements"),
    write("lrem", 4, "1.0.0", Flags::NONE, element::lrem)
        .about("Removes equal elements from a list.", "O(n) for n elements"),
    write("lset", 4, "1.0.0", Flags::DENYOOM, element::lset)
        .about("Replaces the element at an index of a list.", "O(log n) for n elements, O(n) for large ones"),
    write("ltrim", 4, "1.0.0", Flags::NONE, range::ltrim)
        .about("Keeps the elements of a list from one index to another.", "O(n) for n elements removed"),
    write("rpop", -2, "1.0.0", Flags::FAST, pop::rpop)
        .about("Takes the last elements of a list.", "O(n) for n elements taken"),
    write("rpoplpush", 3, "1.2.0", Flags::DENYOOM, transfer::rpoplpush)
        .key_range(1, 2, 1)
        .about("Moves the last element of a list to the front of another.", "O(1)"),
    write("rpush", -3, "1.0.0", FAST_AND_GROWING, push::rpush)
        .about("Puts elements behind the last one of a list, which is created if there is none.", PUSHED),
    write("rpushx", -3, "2.2.0", FAST_AND_GROWING, push::rpushx)
        .about("Puts elements behind the last one of a list, if there is one.", PUSHED),
];

const FAST_AND_GROWING: Flags = Flags::FAST.and(Flags::DENYOOM);
const PUSHED: &str = "O(n) for n elements put";

/// A command of this family that reads one key.
const fn read(name: &'static str, arity: i32, since: &'static str, flags: Flags, run: ReadFunction) -> Command {
    command(name, arity, since, Group::List, Flags::READONLY.and(flags), Run::Read(run)).key()
}

/// A command of this family that writes, by default to one key.
const fn write(name: &'static str, arity: i32, since: &'static str, flags: Flags, run: WriteFunction) -> Command {
    command(name, arity, since, Group::List, Flags::WRITE.and(flags), Run::Write(run)).key()
}

/// What follows the removal of `count` elements: the event, and the end of a list that has none any more.
fn removed(edit: &mut Edit<'_>, key: &[u8], event: &str, count: usize) {
    edit.notify(EventFlags::LIST, event, key);
    if !edit.delete_if_empty(key) {
        edit.modified(key);
    }
    edit.count_changes(count.saturating_sub(1) as u64);
}
