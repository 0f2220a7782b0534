//! `SELECT`

use crate::commands::{Command, Context};
use crate::config::Config;
use crate::resp::Reply;
use crate::resp::number::parse_integer;
use crate::store::{Arguments, Call, Error};

/// `SELECT index`: `OK`; the client's commands work on that database from now on. O(1).
pub(super) fn select(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    context.session.database = index(call.argument(1), context.config)?;
    reply.ok();
    Ok(())
}

fn index(text: &[u8], config: &Config) -> Result<usize, Error> {
    const TOO_LARGE: Error = Error::new("ERR value is out of range, value must between -2147483648 and 2147483647");
    let number = i32::try_from(parse_integer(text).ok_or(Error::NOT_AN_INTEGER)?).map_err(|_| TOO_LARGE)?;
    let index = usize::try_from(number).ok().filter(|index| *index < config.databases as usize);
    index.ok_or(Error::DATABASE_OUT_OF_RANGE)
}

/// The database on which commands work after this one, if it is a `SELECT` that will succeed. O(1).
pub(in crate::commands) fn selected(command: &Command, arguments: Arguments<'_>, config: &Config) -> Option<usize> {
    (command.name == "select").then(|| index(arguments.get(1), config).ok()).flatten()
}
