//! `WATCH` and `UNWATCH`

use crate::commands::{Context, Session};
use crate::resp::Reply;
use crate::store::operation::Work;
use crate::store::{Call, Edit, Error};

/// `WATCH key [key …]`: `OK`; the next transaction takes place only if none of the keys is changed before. O(keys²).
pub(super) fn watch(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if context.session.transaction.is_some() {
        return Err(Error::new("ERR WATCH inside MULTI is not allowed"));
    }
    context.write(Work::Command { function: watch_keys, call: call.to_owned(), timed: false });
    context.session.watching = true;
    reply.ok();
    Ok(())
}

fn watch_keys(edit: &mut Edit<'_>, call: &Call<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
    for key in call.arguments.from(1) {
        edit.watch(key);
    }
    Ok(())
}

/// `UNWATCH`: `OK`; the client watches nothing any more. O(watched keys).
pub(super) fn unwatch(context: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if let Some(work) = stop_watching(context.session) {
        context.write(work);
    }
    reply.ok();
    Ok(())
}

/// The client watches nothing any more: gives what the log has to carry for that, if it watched anything.
pub(super) fn stop_watching(session: &mut Session) -> Option<Work> {
    let watched = std::mem::replace(&mut session.watching, false);
    watched.then_some(Work::Unwatch { client: session.address.client })
}
