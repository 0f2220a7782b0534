//! `COMMAND`: what the table of commands says.

mod access;
mod categories;
mod docs;
mod entry;
mod keys;
mod list;
#[cfg(test)]
mod tests;

use super::AT_ANY_TIME;
use crate::commands::command::{LocalFunction, command, help_command};
use crate::commands::table::{CommandId, table};
use crate::commands::{Command, Context, Group, Run};
use crate::resp::Reply;
use crate::store::{Call, Error};

/// `COMMAND`'s place in the table.
pub(super) const COMMAND: Command = subcommand("command", -1, "2.8.13", all)
    .about("Returns what there is to know about all commands.", "O(n) for n commands")
    .with(&[
        subcommand("count", 2, "2.8.13", count).about("Returns how many commands there are.", "O(1)"),
        subcommand("docs", -2, "7.0.0", docs::docs)
            .about("Returns what commands do and what they cost.", "O(n) for n commands"),
        subcommand("getkeys", -4, "2.8.13", keys::get_keys)
            .about("Returns which arguments of a command are keys.", "O(n) for n arguments"),
        subcommand("getkeysandflags", -4, "7.0.0", keys::get_keys_and_flags)
            .about("Returns which arguments of a command are keys, and what becomes of them.", "O(n) for n arguments"),
        help_command(Group::Server, "5.0.0"),
        subcommand("info", -2, "2.8.13", info)
            .about("Returns what there is to know about some commands.", "O(n) for n commands"),
        subcommand("list", -2, "7.0.0", list::list)
            .about("Returns the names of all commands, or of some kind of them.", "O(n) for n commands"),
    ]);

const fn subcommand(name: &'static str, arity: i32, since: &'static str, run: LocalFunction) -> Command {
    command(name, arity, since, Group::Server, AT_ANY_TIME, Run::Local(run))
}

/// All commands, without subcommands.
fn commands() -> impl Iterator<Item = CommandId> {
    table().iter().filter(|(_, listed)| listed.container.is_none()).map(|(id, _)| id)
}

/// `COMMAND`: an array of an entry for each command. O(commands).
fn all(_: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.array(commands().count());
    commands().for_each(|id| entry::write(id, reply));
    Ok(())
}

/// `COMMAND COUNT`: how many commands there are, without subcommands. O(commands).
fn count(_: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(commands().count());
    Ok(())
}

/// `COMMAND INFO [name …]`: an array of an entry for each of these commands, or null for those that there are not; of all if
/// none is named. O(names).
fn info(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if call.len() == 2 {
        return all(context, call, reply);
    }
    reply.array(call.len() - 2);
    for name in call.arguments.from(2) {
        match table().find(name) {
            Some(id) => entry::write(id, reply),
            None => reply.null(),
        }
    }
    Ok(())
}
