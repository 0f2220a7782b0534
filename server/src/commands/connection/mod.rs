//! The connection: who the client is, how it speaks, and which others there are.

mod auth;
mod client;
mod hello;
mod leave;
mod ping;
mod select;

pub(super) use hello::spoken;
pub(super) use select::selected;

use super::{Command, Flags, Group, Run, command};

/// Allowed while the server is busy with loading, and on a replica with old data; not in scripts.
const ANY_TIME: Flags = Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE);
/// Allowed to everybody, however the server stands.
const ANYBODY: Flags = ANY_TIME.and(Flags::FAST).and(Flags::NO_AUTH).and(Flags::ALLOW_BUSY);

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    command("auth", -2, "1.0.0", Group::Connection, ANYBODY, Run::Local(auth::auth))
        .about("Gives the server the password.", "O(length of the password)"),
    client::COMMAND,
    command(
        "echo",
        2,
        "1.0.0",
        Group::Connection,
        Flags::FAST.and(Flags::LOADING).and(Flags::STALE),
        Run::Local(ping::echo),
    )
    .about("Answers with its argument.", "O(length of the argument)"),
    command("hello", -1, "6.0.0", Group::Connection, ANYBODY, Run::Local(hello::hello))
        .about("Chooses the version of the protocol, and describes the server.", "O(1)"),
    command("ping", -1, "1.0.0", Group::Connection, Flags::FAST.and(Flags::WHILE_SUBSCRIBED), Run::Local(ping::ping))
        .about("Answers, so that the client knows that the connection works.", "O(1)"),
    command(
        "quit",
        -1,
        "1.0.0",
        Group::Connection,
        ANYBODY.and(Flags::UNQUEUED).and(Flags::WHILE_SUBSCRIBED),
        Run::Local(leave::quit),
    )
    .about("Ends the connection.", "O(1)"),
    command(
        "reset",
        1,
        "6.2.0",
        Group::Connection,
        ANYBODY.and(Flags::UNQUEUED).and(Flags::WHILE_SUBSCRIBED),
        Run::Local(leave::reset),
    )
    .about("Makes the connection as it was when it was new.", "O(subscriptions and watched keys)"),
    command(
        "select",
        2,
        "1.0.0",
        Group::Connection,
        Flags::FAST.and(Flags::LOADING).and(Flags::STALE),
        Run::Local(select::select),
    )
    .about("Chooses the database that the client's commands work on.", "O(1)"),
];
