//! `COMMAND DOCS`: what commands do.

use crate::commands::Context;
use crate::commands::table::{CommandId, table};
use crate::resp::Reply;
use crate::store::{Call, Error};

/// `COMMAND DOCS [name …]`: a map of these commands, without those that there are not, or of all if none is named; each a
/// map of what it does (`summary`), in which version of Redis it came (`since`), its `group`, what it costs (`complexity`)
/// and the same of its `subcommands`. O(names).
pub(super) fn docs(_: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let ids: Vec<CommandId> = match call.len() {
        2 => super::commands().collect(),
        _ => call.arguments.from(2).filter_map(|name| table().find(name)).collect(),
    };
    reply.map(ids.len());
    ids.into_iter().for_each(|id| write(id, reply));
    Ok(())
}

fn write(id: CommandId, reply: &mut Reply<'_>) {
    let listed = table().get(id);
    let command = listed.command;
    reply.bulk(listed.full_name.as_bytes());
    let subcommands: Vec<CommandId> =
        table().iter().filter(|(_, other)| other.container == Some(id)).map(|(id, _)| id).collect();
    reply.map(if subcommands.is_empty() { 4 } else { 5 });
    let fields = [
        ("summary", command.summary),
        ("since", command.since),
        ("group", command.group.name()),
        ("complexity", command.complexity),
    ];
    for (name, text) in fields {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    if !subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(subcommands.len());
        subcommands.into_iter().for_each(|id| write(id, reply));
    }
}
