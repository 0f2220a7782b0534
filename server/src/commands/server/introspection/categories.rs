//! The categories by which access to commands is granted, as Redis derives them.

use crate::commands::table::Listed;
use crate::commands::{Flags, Group};

/// The categories of a command, in the order of [`NAMES`]. O(1).
pub(super) fn of(listed: &Listed) -> impl Iterator<Item = &'static str> {
    NAMES.iter().copied().filter(|category| has(listed, category))
}

/// All categories of commands that this server may have.
pub(super) const NAMES: &[&str] = &[
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
];

/// Commands of the group `Generic` and `Server` that belong to other categories than their group and flags say.
const ALSO_CONNECTION: [&str; 2] = ["wait", "command"];
const ALSO_KEYSPACE: [&str; 4] = ["dbsize", "flushall", "flushdb", "swapdb"];
const ALSO_ADMIN: [&str; 3] = ["role", "lastsave", "replconf"];
const ALSO_DANGEROUS: [&str; 8] = ["flushall", "flushdb", "info", "keys", "restore", "sort", "sort_ro", "swapdb"];
const OF_SEVERAL_TYPES: [&str; 2] = ["sort", "sort_ro"];

fn has(listed: &Listed, category: &str) -> bool {
    let (command, flags) = (listed.command, listed.command.flags);
    let name = listed.full_name.as_str();
    // A container by itself does nothing, unless it can be called without a subcommand.
    let is_container = !command.subcommands.is_empty() && command.arity < -1;
    let of_group = |group| command.group == group && !is_container;
    let is_any_of = |names: &[&str]| names.contains(&name.split('|').next().unwrap_or(name)) && !is_container;
    let is_special = is_any_of(&ALSO_CONNECTION) || is_any_of(&OF_SEVERAL_TYPES);
    match category {
        "keyspace" => (of_group(Group::Generic) && !is_special) || is_any_of(&ALSO_KEYSPACE),
        "read" => flags.has(Flags::READONLY),
        "write" => flags.has(Flags::WRITE),
        "set" => of_group(Group::Set) || is_any_of(&OF_SEVERAL_TYPES),
        "sortedset" => of_group(Group::SortedSet) || is_any_of(&OF_SEVERAL_TYPES),
        "list" => of_group(Group::List) || is_any_of(&OF_SEVERAL_TYPES),
        "hash" => of_group(Group::Hash),
        "string" => of_group(Group::String),
        "pubsub" => flags.has(Flags::PUBSUB),
        "admin" => flags.has(Flags::ADMIN) || is_any_of(&ALSO_ADMIN),
        "fast" => flags.has(Flags::FAST),
        "slow" => !flags.has(Flags::FAST),
        "blocking" => flags.has(Flags::BLOCKING),
        "dangerous" => flags.has(Flags::ADMIN) || is_any_of(&ALSO_ADMIN) || is_any_of(&ALSO_DANGEROUS),
        "connection" => of_group(Group::Connection) || is_any_of(&ALSO_CONNECTION),
        "transaction" => of_group(Group::Transactions),
        _ => false,
    }
}
