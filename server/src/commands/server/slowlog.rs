//! `SLOWLOG`: the commands that took long.

use super::{AT_ANY_TIME, local};
use crate::commands::command::help_command;
use crate::commands::state::lock;
use crate::commands::{Command, Context, Flags, Group};
use crate::resp::Reply;
use crate::resp::number::parse_integer;
use crate::store::{Call, Error};

/// The subcommands.
pub(super) const SUBCOMMANDS: &[Command] = &[
    local("get", -2, "2.2.12", READING, get)
        .about("Returns the latest commands that took long, 10 unless told otherwise.", "O(n) for n commands returned"),
    help_command(Group::Server, "6.2.0"),
    local("len", 2, "2.2.12", READING, length).about("Returns how many commands took long.", "O(1)"),
    local("reset", 2, "2.2.12", READING, reset).about("Forgets them.", "O(n) for n commands"),
];

const READING: Flags = AT_ANY_TIME.and(Flags::ADMIN);

/// `SLOWLOG GET [count]`: an array of the latest commands, -1 for all; each an array of its number, the second since 1970,
/// how long it took in microseconds, its arguments, and the client's address and name. O(count).
fn get(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const INVALID: Error = Error::new("ERR count should be greater than or equal to -1");
    let count = match call.len() {
        2 => 10,
        3 => match parse_integer(call.argument(2)).ok_or(INVALID)? {
            -1 => usize::MAX,
            count => usize::try_from(count).map_err(|_| INVALID)?,
        },
        _ => return Err(too_many_arguments(call)),
    };
    let log = lock(&context.server.slow_log);
    reply.array(count.min(log.entries.len()));
    for command in log.entries.iter().take(count) {
        reply.array(6);
        reply.integer(command.id as i64);
        reply.integer(command.time);
        reply.integer(command.duration as i64);
        reply.array(command.arguments.len());
        command.arguments.iter().for_each(|argument| reply.bulk(argument));
        reply.bulk(command.peer.as_bytes());
        reply.bulk(&command.name);
    }
    Ok(())
}

fn too_many_arguments(call: &Call<'_>) -> Error {
    let name = String::from_utf8_lossy(call.argument(1));
    format!("ERR unknown subcommand or wrong number of arguments for '{name}'. Try SLOWLOG HELP.").into()
}

/// `SLOWLOG LEN`: how many commands are remembered. O(1).
fn length(context: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(lock(&context.server.slow_log).entries.len());
    Ok(())
}

/// `SLOWLOG RESET`: `OK`; none is remembered. O(n).
fn reset(context: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    lock(&context.server.slow_log).entries.clear();
    reply.ok();
    Ok(())
}
