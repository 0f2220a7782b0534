//! `COMMAND GETKEYS`: which arguments of a command are keys.

use super::access;
use crate::commands::table::{Listed, table};
use crate::commands::{Context, Keys};
use crate::resp::Reply;
use crate::store::{Arguments, Call, Error};

/// `COMMAND GETKEYS command argument …`: an array of those arguments that are keys. O(arguments).
pub(super) fn get_keys(_: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let arguments = call.arguments.behind(2);
    let (_, positions) = find(arguments)?;
    reply.array(positions.len());
    positions.into_iter().for_each(|position| reply.bulk(arguments.get(position)));
    Ok(())
}

/// `COMMAND GETKEYSANDFLAGS command argument …`: an array of those arguments that are keys, each an array of the key and of
/// what the command does with it. O(arguments).
pub(super) fn get_keys_and_flags(_: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let arguments = call.arguments.behind(2);
    let (listed, positions) = find(arguments)?;
    let access = access::of(listed);
    reply.array(positions.len());
    for (place, position) in positions.into_iter().enumerate() {
        reply.array(2);
        reply.bulk(arguments.get(position));
        let flags: Vec<&str> = if listed.full_name == "set" {
            flags_of_set(arguments).split(' ').collect()
        } else {
            access.of_place(place).collect()
        };
        reply.set(flags.len());
        flags.into_iter().for_each(|flag| reply.simple(flag));
    }
    Ok(())
}

/// What `SET` does with its key, which depends on the option `GET`.
fn flags_of_set(arguments: Arguments<'_>) -> &'static str {
    if arguments.from(3).any(|option| option.eq_ignore_ascii_case(b"get")) { "RW access update" } else { "OW update" }
}

/// The command, and where its keys are.
fn find(arguments: Arguments<'_>) -> Result<(&'static Listed, Vec<usize>), Error> {
    const UNKNOWN: Error = Error::new("ERR Invalid command specified");
    const NO_KEYS: Error = Error::new("ERR The command has no key arguments");
    const WRONG_NUMBER: Error = Error::new("ERR Invalid number of arguments specified for command");
    const INVALID: Error = Error::new("ERR Invalid arguments specified for command");
    let container = table().find(arguments.get(0)).map(|id| table().get(id)).ok_or(UNKNOWN)?;
    let listed = if container.command.subcommands.is_empty() || arguments.len() == 1 {
        container
    } else {
        let name = [arguments.get(0), b"|", arguments.get(1)].concat();
        table().find(&name).map(|id| table().get(id)).ok_or(UNKNOWN)?
    };
    let keys = listed.command.keys;
    if matches!(keys, Keys::None) {
        return Err(NO_KEYS);
    }
    if !listed.command.accepts(arguments.len()) {
        return Err(WRONG_NUMBER);
    }
    keys.positions(arguments).map(|positions| (listed, positions)).ok_or(INVALID)
}
