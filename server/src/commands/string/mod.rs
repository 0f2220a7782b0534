//! Strings.

mod expiry;
mod get;
mod increment;
mod lcs;
mod multiple;
mod range;
mod set;

use super::command::{Command, Flags, Group, Run, command};
use crate::store::operation::{ReadFunction, WriteFunction};

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    write("append", 3, "2.0.0", FAST_AND_GROWING, range::append)
        .about("Appends to a string, which is created if there is none.", "Amortized O(n) for n bytes appended"),
    write("decr", 2, "1.0.0", FAST_AND_GROWING, increment::decr)
        .about("Subtracts one from the whole number that a key holds, 0 if there is none.", "O(1)"),
    write("decrby", 3, "1.0.0", FAST_AND_GROWING, increment::decrby)
        .about("Subtracts from the whole number that a key holds, 0 if there is none.", "O(1)"),
    read("get", 2, "1.0.0", Flags::FAST, get::get).about("Returns the string that a key holds.", "O(1)"),
    write("getdel", 2, "6.2.0", Flags::FAST, get::getdel)
        .about("Returns the string that a key holds, and removes the key.", "O(1)"),
    write("getex", -2, "6.2.0", Flags::FAST, get::getex)
        .about("Returns the string that a key holds, and sets or clears when the key expires.", "O(1)"),
    read("getrange", 4, "2.4.0", Flags::NONE, range::getrange)
        .about("Returns a part of the string that a key holds.", "O(n) for n bytes returned"),
    write("getset", 3, "1.0.0", FAST_AND_GROWING, get::getset)
        .about("Sets the string that a key holds, and returns the one before.", "O(1)"),
    write("incr", 2, "1.0.0", FAST_AND_GROWING, increment::incr)
        .about("Adds one to the whole number that a key holds, 0 if there is none.", "O(1)"),
    write("incrby", 3, "1.0.0", FAST_AND_GROWING, increment::incrby)
        .about("Adds to the whole number that a key holds, 0 if there is none.", "O(1)"),
    write("incrbyfloat", 3, "2.6.0", FAST_AND_GROWING, increment::incrbyfloat)
        .about("Adds to the floating-point number that a key holds, 0 if there is none.", "O(1)"),
    read("lcs", -3, "7.0.0", Flags::NONE, lcs::lcs)
        .key_range(1, 2, 1)
        .about("Finds the longest common subsequence of two strings.", "O(n*m) for strings of n and m bytes"),
    read("mget", -2, "1.0.0", Flags::FAST, multiple::mget)
        .all_keys()
        .about("Returns the strings that several keys hold.", "O(n) for n keys"),
    write("mset", -3, "1.0.1", Flags::DENYOOM, multiple::mset)
        .key_range(1, -1, 2)
        .about("Sets the strings of several keys at once.", "O(n) for n keys"),
    write("msetnx", -3, "1.0.1", Flags::DENYOOM, multiple::msetnx)
        .key_range(1, -1, 2)
        .about("Sets the strings of several keys at once, if none of them exists.", "O(n) for n keys"),
    write("psetex", 4, "2.6.0", Flags::DENYOOM, set::psetex)
        .about("Sets the string that a key holds for a number of milliseconds.", "O(1)"),
    write("set", -3, "1.0.0", Flags::DENYOOM, set::set)
        .about("Sets the string that a key holds, whatever it held before.", "O(1)"),
    write("setex", 4, "2.0.0", Flags::DENYOOM, set::setex)
        .about("Sets the string that a key holds for a number of seconds.", "O(1)"),
    write("setnx", 3, "1.0.0", FAST_AND_GROWING, set::setnx)
        .about("Sets the string of a key that does not exist.", "O(1)"),
    write("setrange", 4, "2.2.0", Flags::DENYOOM.and(Flags::AMPLIFYING), range::setrange).about(
        "Overwrites a part of a string, which is filled with zeros if it is too short.",
        "O(n) for n bytes written, zeros included",
    ),
    read("strlen", 2, "2.2.0", Flags::FAST, range::strlen)
        .about("Returns the length of the string that a key holds.", "O(1)"),
    read("substr", 4, "1.0.0", Flags::NONE, range::getrange)
        .about("Returns a part of the string that a key holds: GETRANGE by its old name.", "O(n) for n bytes returned"),
];

const FAST_AND_GROWING: Flags = Flags::FAST.and(Flags::DENYOOM);

/// A command of this family that reads one key.
const fn read(name: &'static str, arity: i32, since: &'static str, flags: Flags, run: ReadFunction) -> Command {
    command(name, arity, since, Group::String, Flags::READONLY.and(flags), Run::Read(run)).key()
}

/// A command of this family that writes to one key.
const fn write(name: &'static str, arity: i32, since: &'static str, flags: Flags, run: WriteFunction) -> Command {
    command(name, arity, since, Group::String, Flags::WRITE.and(flags), Run::Write(run)).key()
}
