//! Transactions.
//!
//! The commands between `MULTI` and `EXEC` are kept by the connection, and go through the log as one operation. Which keys
//! a client watches, and whether one was changed, is part of the replicated keyspace.

mod exec;
mod multi;
mod watch;

pub use multi::refuse;

use super::{Command, Flags, Group, Run, command};

/// Allowed however the server stands, at once.
const AT_ONCE: Flags = Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::UNQUEUED);
/// The same, and brief.
const BRIEF: Flags = AT_ONCE.and(Flags::FAST).and(Flags::ALLOW_BUSY);

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    command("discard", 1, "2.0.0", Group::Transactions, BRIEF, Run::Local(multi::discard))
        .about("Forgets the commands since MULTI.", "O(commands and watched keys)"),
    command("exec", 1, "1.2.0", Group::Transactions, AT_ONCE.and(Flags::SKIP_SLOWLOG), Run::Local(exec::exec))
        .about("Executes the commands since MULTI, with nothing between them.", "Depends on the commands"),
    command("multi", 1, "1.2.0", Group::Transactions, BRIEF, Run::Local(multi::multi))
        .about("Begins a transaction: the commands that follow are kept until EXEC.", "O(1)"),
    command(
        "unwatch",
        1,
        "2.2.0",
        Group::Transactions,
        Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::ALLOW_BUSY),
        Run::Local(watch::unwatch),
    )
    .about("Watches no key any more.", "O(watched keys)"),
    command("watch", -2, "2.2.0", Group::Transactions, BRIEF, Run::Local(watch::watch))
        .all_keys()
        .about("The next transaction takes place only if none of the keys is changed before.", "O(keys²)"),
];
