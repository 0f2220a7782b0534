//! `CLIENT SETNAME` and `CLIENT GETNAME`

use crate::commands::Context;
use crate::commands::state::lock;
use crate::resp::Reply;
use crate::store::{Call, Error};

/// `CLIENT GETNAME`: the name as a bulk string, or null if the connection has none. O(1).
pub(super) fn get(context: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let name = lock(&context.session.record.name);
    reply.bulk_or_null(Some(name.as_slice()).filter(|name| !name.is_empty()));
    Ok(())
}

/// `CLIENT SETNAME name`: `OK`; an empty name takes the name away. O(length).
pub(super) fn set(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    set_name(context, call.argument(2))?;
    reply.ok();
    Ok(())
}

/// Gives the connection a name, if it consists of visible characters: a line of `CLIENT LIST` is split at blanks.
pub(in crate::commands::connection) fn set_name(context: &mut Context<'_>, name: &[u8]) -> Result<(), Error> {
    if !name.iter().all(u8::is_ascii_graphic) {
        return Err(Error::new("ERR Client names cannot contain spaces, newlines or special characters."));
    }
    context.session.set_name(name);
    Ok(())
}
