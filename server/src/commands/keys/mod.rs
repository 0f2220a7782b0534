//! Keys of any type, and databases as a whole.

mod copy;
mod database;
mod delete;
mod exists;
mod expire;
mod lifetime;
mod list;
mod object;
mod rename;
mod scan;
mod transfer;

use super::command::{command, help_command};
use super::{Command, Flags, Group, Run};
use crate::store::operation::{ReadFunction, WriteFunction};
use crate::store::{Call, Error};

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    write("copy", -3, "6.2.0", Flags::DENYOOM.and(Flags::AMPLIFYING), copy::copy)
        .key_range(1, 2, 1)
        .about("Copies the value of a key to another key.", "O(1) for strings, O(n) for n elements of a collection"),
    write("del", -2, "1.0.0", Flags::NONE, delete::delete)
        .all_keys()
        .about("Removes keys.", "O(n) for n keys; collections are freed by another thread"),
    read("exists", -2, "1.0.0", Flags::FAST, exists::exists)
        .all_keys()
        .about("Counts which of the keys exist.", "O(n) for n keys"),
    write("expire", -3, "1.0.0", Flags::FAST, expire::expire)
        .key()
        .about("Sets in how many seconds a key expires.", "O(log n) for n keys that expire"),
    write("expireat", -3, "1.2.0", Flags::FAST, expire::expireat)
        .key()
        .about("Sets the time at which a key expires, in seconds since 1970.", "O(log n) for n keys that expire"),
    read("expiretime", 2, "7.0.0", Flags::FAST, lifetime::expiretime)
        .key()
        .about("Returns when a key expires, in seconds since 1970.", "O(1)"),
    read("keys", 2, "1.0.0", Flags::NONE, list::keys)
        .about("Returns the names of all keys that match a pattern.", "O(n) for n keys of the database"),
    write("move", 3, "1.0.0", Flags::FAST, transfer::transfer).key().about("Moves a key to another database.", "O(1)"),
    command("object", -2, "2.2.3", Group::Generic, Flags::NONE, Run::Container)
        .about("Tells how a value is kept.", "Depends on the subcommand")
        .with(OBJECT),
    write("persist", 2, "2.2.0", Flags::FAST, expire::persist)
        .key()
        .about("Makes a key that expires stay.", "O(log n) for n keys that expire"),
    write("pexpire", -3, "2.6.0", Flags::FAST, expire::pexpire)
        .key()
        .about("Sets in how many milliseconds a key expires.", "O(log n) for n keys that expire"),
    write("pexpireat", -3, "2.6.0", Flags::FAST, expire::pexpireat)
        .key()
        .about("Sets the time at which a key expires, in milliseconds since 1970.", "O(log n) for n keys that expire"),
    read("pexpiretime", 2, "7.0.0", Flags::FAST, lifetime::pexpiretime)
        .key()
        .about("Returns when a key expires, in milliseconds since 1970.", "O(1)"),
    read("pttl", 2, "2.6.0", Flags::FAST, lifetime::pttl)
        .key()
        .about("Returns in how many milliseconds a key expires.", "O(1)"),
    read("randomkey", 1, "1.0.0", Flags::NONE, list::randomkey).about("Returns the name of any key.", "O(1)"),
    write("rename", 3, "1.0.0", Flags::NONE, rename::rename)
        .key_range(1, 2, 1)
        .about("Gives a key another name, which replaces what had that name.", "O(1)"),
    write("renamenx", 3, "1.0.0", Flags::FAST, rename::renamenx)
        .key_range(1, 2, 1)
        .about("Gives a key another name that no key has.", "O(1)"),
    read("scan", -2, "2.8.0", Flags::NONE, scan::scan)
        .about("Goes through the names of the keys step by step.", "O(1) for a step, O(n) for all n keys"),
    read("touch", -2, "3.2.1", Flags::FAST, exists::touch)
        .all_keys()
        .about("Counts which of the keys exist, and notes that they were used.", "O(n) for n keys"),
    read("ttl", 2, "1.0.0", Flags::FAST, lifetime::ttl)
        .key()
        .about("Returns in how many seconds a key expires.", "O(1)"),
    read("type", 2, "1.0.0", Flags::FAST, object::type_name)
        .key()
        .about("Returns the type of the value that a key holds.", "O(1)"),
    write("unlink", -2, "4.0.0", Flags::FAST, delete::unlink)
        .all_keys()
        .about("Removes keys.", "O(n) for n keys; collections are freed by another thread"),
    of_server("dbsize", 1, "1.0.0", Flags::READONLY.and(Flags::FAST), Run::Read(database::dbsize))
        .about("Returns how many keys the database has.", "O(1)"),
    of_server("flushall", -1, "1.0.0", Flags::WRITE, Run::Write(database::flushall))
        .about("Removes the keys of all databases.", "O(1); they are freed by another thread"),
    of_server("flushdb", -1, "1.0.0", Flags::WRITE, Run::Write(database::flushdb))
        .about("Removes the keys of the database.", "O(1); they are freed by another thread"),
    of_server("swapdb", 3, "4.0.0", Flags::WRITE.and(Flags::FAST), Run::Write(database::swapdb))
        .about("Exchanges the contents of two databases.", "O(n) for n clients that watch or wait for keys"),
];

const OBJECT: &[Command] = &[
    read("encoding", 3, "2.2.3", Flags::NONE, object::encoding)
        .key_range(2, 2, 1)
        .about("Returns the form in which a value is kept.", "O(1)"),
    read("freq", 3, "4.0.0", Flags::NONE, object::freq)
        .key_range(2, 2, 1)
        .about("Returns the logarithm of how often a key was used lately.", "O(1)"),
    help_command(Group::Generic, "6.2.0"),
    read("idletime", 3, "2.2.3", Flags::NONE, object::idletime)
        .key_range(2, 2, 1)
        .about("Returns for how many seconds a key has not been used.", "O(1)"),
    read("refcount", 3, "2.2.3", Flags::NONE, object::refcount)
        .key_range(2, 2, 1)
        .about("Returns how many places refer to a value.", "O(1)"),
];

const fn read(name: &'static str, arity: i32, since: &'static str, flags: Flags, function: ReadFunction) -> Command {
    command(name, arity, since, Group::Generic, Flags::READONLY.and(flags), Run::Read(function))
}

const fn write(name: &'static str, arity: i32, since: &'static str, flags: Flags, function: WriteFunction) -> Command {
    command(name, arity, since, Group::Generic, Flags::WRITE.and(flags), Run::Write(function))
}

const fn of_server(name: &'static str, arity: i32, since: &'static str, flags: Flags, run: Run) -> Command {
    command(name, arity, since, Group::Server, flags, run)
}

/// The index of one of `databases` databases that the argument at `index` names.
fn database_argument(call: &Call<'_>, index: usize, databases: usize) -> Result<usize, Error> {
    let number = i32::try_from(call.integer(index)?)
        .map_err(|_| Error::new("ERR value is out of range, value must between -2147483648 and 2147483647"))?;
    database_index(number, databases)
}

fn database_index(number: i32, databases: usize) -> Result<usize, Error> {
    usize::try_from(number).ok().filter(|index| *index < databases).ok_or(Error::DATABASE_OUT_OF_RANGE)
}

const SAME_OBJECT: Error = Error::new("ERR source and destination objects are the same");
