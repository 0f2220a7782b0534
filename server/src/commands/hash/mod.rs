//! Hashes.

mod all;
mod get;
mod random;
mod set;

use super::command::{Command, Flags, Group, Run, command};
use crate::store::operation::{ReadFunction, WriteFunction};

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    write("hdel", -3, "2.0.0", Flags::FAST, set::hdel)
        .about("Removes fields from a hash, and the key with the last of them.", "O(n) for n fields"),
    read("hexists", 3, "2.0.0", Flags::FAST, get::hexists).about("Tells whether a hash has a field.", "O(1)"),
    read("hget", 3, "2.0.0", Flags::FAST, get::hget).about("Returns the value of a field of a hash.", "O(1)"),
    read("hgetall", 2, "2.0.0", Flags::NONE, all::hgetall)
        .about("Returns all fields of a hash with their values.", "O(n) for n fields in the hash"),
    write("hincrby", 4, "2.0.0", FAST_AND_GROWING, set::hincrby)
        .about("Adds to the whole number in a field of a hash, 0 if there is none.", "O(1)"),
    write("hincrbyfloat", 4, "2.6.0", FAST_AND_GROWING, set::hincrbyfloat)
        .about("Adds to the floating-point number in a field of a hash, 0 if there is none.", "O(1)"),
    read("hkeys", 2, "2.0.0", Flags::NONE, all::hkeys)
        .about("Returns all fields of a hash.", "O(n) for n fields in the hash"),
    read("hlen", 2, "2.0.0", Flags::FAST, get::hlen).about("Returns how many fields a hash has.", "O(1)"),
    read("hmget", -3, "2.0.0", Flags::FAST, get::hmget)
        .about("Returns the values of several fields of a hash.", "O(n) for n fields"),
    write("hmset", -4, "2.0.0", FAST_AND_GROWING, set::hmset)
        .about("Sets the values of several fields of a hash: HSET by its old name.", "O(n) for n fields"),
    read("hrandfield", -2, "6.2.0", Flags::NONE, random::hrandfield)
        .about("Returns random fields of a hash.", "O(n) for n fields returned"),
    read("hscan", -3, "2.8.0", Flags::NONE, all::hscan).about(
        "Iterates over the fields of a hash and their values, a few in each call.",
        "O(1) for each call, O(n) for all of them with n fields in the hash",
    ),
    write("hset", -4, "2.0.0", FAST_AND_GROWING, set::hset)
        .about("Sets the values of fields of a hash, which is created if there is none.", "O(n) for n fields"),
    write("hsetnx", 4, "2.0.0", FAST_AND_GROWING, set::hsetnx)
        .about("Sets the value of a field that a hash doesn't have yet.", "O(1)"),
    read("hstrlen", 3, "3.2.0", Flags::FAST, get::hstrlen)
        .about("Returns the length of the value of a field of a hash.", "O(1)"),
    read("hvals", 2, "2.0.0", Flags::NONE, all::hvals)
        .about("Returns all values of a hash.", "O(n) for n fields in the hash"),
];

const FAST_AND_GROWING: Flags = Flags::FAST.and(Flags::DENYOOM);

/// A command of this family that reads one key.
const fn read(name: &'static str, arity: i32, since: &'static str, flags: Flags, run: ReadFunction) -> Command {
    command(name, arity, since, Group::Hash, Flags::READONLY.and(flags), Run::Read(run)).key()
}

/// A command of this family that writes to one key.
const fn write(name: &'static str, arity: i32, since: &'static str, flags: Flags, run: WriteFunction) -> Command {
    command(name, arity, since, Group::Hash, Flags::WRITE.and(flags), Run::Write(run)).key()
}
