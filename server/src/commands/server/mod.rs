//! The server: what it knows of itself and of its commands, its parameters, and its end.

mod config;
mod debug;
mod footprint;
mod info;
mod introspection;
mod latency;
mod lolwut;
mod memory;
mod process;
mod role;
mod shutdown;
mod slowlog;
mod time;
mod wait;

use super::command::LocalFunction;
use super::table::{Listed, table};
use super::{Command, Flags, Group, Run, command};
use crate::resp::Reply;

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    introspection::COMMAND,
    container("config", "2.0.0", config::SUBCOMMANDS)
        .about("Reads and changes parameters.", "Depends on the subcommand"),
    debug::COMMAND,
    local("info", -1, "1.0.0", Flags::LOADING.and(Flags::STALE), info::info)
        .about("Returns facts and statistics about the server.", "O(1), and O(n) for n commands or clients"),
    container("latency", "2.8.13", latency::SUBCOMMANDS)
        .about("Tells how long commands took.", "Depends on the subcommand"),
    local("lolwut", -1, "5.0.0", Flags::READONLY.and(Flags::FAST), lolwut::lolwut)
        .about("Returns the version, under a picture.", "O(1)"),
    container("memory", "4.0.0", memory::SUBCOMMANDS)
        .about("Tells what memory is used for.", "Depends on the subcommand"),
    local("role", 1, "2.8.12", AT_ANY_TIME.and(Flags::NOSCRIPT).and(Flags::FAST), role::role)
        .about("Returns the server's role in replication between servers.", "O(1)"),
    local("shutdown", -1, "1.0.0", SHUTDOWN, shutdown::shutdown).about("Ends the server.", "O(1)"),
    container("slowlog", "2.2.12", slowlog::SUBCOMMANDS)
        .about("Tells which commands took long.", "Depends on the subcommand"),
    local("time", 1, "2.6.0", AT_ANY_TIME.and(Flags::FAST), time::time).about("Returns the server's time.", "O(1)"),
    command("wait", 3, "3.0.0", Group::Generic, Flags::NOSCRIPT.and(Flags::BLOCKING), Run::Write(wait::wait))
        .about("Waits until other servers have the client's writes; there are none.", "O(1)"),
];

/// Flags of what works whatever state the server is in.
const AT_ANY_TIME: Flags = Flags::LOADING.and(Flags::STALE);

/// Flags of what only administrators may do, and no script.
const ADMINISTRATION: Flags = AT_ANY_TIME.and(Flags::ADMIN).and(Flags::NOSCRIPT);

const SHUTDOWN: Flags = ADMINISTRATION.and(Flags::NO_MULTI).and(Flags::ALLOW_BUSY);

/// A command of this family that the worker executes by itself.
const fn local(name: &'static str, arity: i32, since: &'static str, flags: Flags, run: LocalFunction) -> Command {
    command(name, arity, since, Group::Server, flags, Run::Local(run))
}

/// A command of this family that only has subcommands.
const fn container(name: &'static str, since: &'static str, subcommands: &'static [Command]) -> Command {
    command(name, -2, since, Group::Server, Flags::NONE, Run::Container).with(subcommands)
}

/// `CONTAINER HELP`: an array of lines, two for each subcommand. O(subcommands).
pub fn help(listed: &Listed, reply: &mut Reply<'_>) {
    let container = listed.container.map_or(listed, |id| table().get(id)).command;
    let others = || container.subcommands.iter().filter(|subcommand| subcommand.name != "help");
    reply.array(1 + 2 * (others().count() + 1));
    let name = container.name.to_ascii_uppercase();
    reply.simple(&format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for subcommand in others() {
        reply.simple(&subcommand.name.to_ascii_uppercase());
        reply.simple(&format!("    {}", subcommand.summary));
    }
    reply.simple("HELP");
    reply.simple("    Print this help.");
}
