//! `CLIENT ID`, `CLIENT REPLY`, `CLIENT NO-EVICT` and `CLIENT GETREDIR`: a client about itself.

use std::sync::atomic::Ordering;

use crate::commands::Context;
use crate::commands::session::Replies;
use crate::resp::Reply;
use crate::store::{Call, Error};

/// `CLIENT ID`: the number of the connection; later connections have higher ones. O(1).
pub(super) fn id(context: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.integer(context.session.address.client as i64);
    Ok(())
}

/// `CLIENT REPLY ON|OFF|SKIP`: `OK` when replies are turned on. `SKIP` leaves out the next one. Neither `SKIP` nor `OFF`
/// are answered. O(1).
pub(super) fn replies(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let replies = &mut context.session.replies;
    if call.is_option(2, "ON") {
        *replies = Replies::On;
        reply.ok();
    } else if call.is_option(2, "OFF") {
        *replies = Replies::Off;
    } else if !call.is_option(2, "SKIP") {
        return Err(Error::SYNTAX);
    } else if *replies != Replies::Off {
        *replies = Replies::SkipNext;
    }
    Ok(())
}

/// `CLIENT NO-EVICT ON|OFF`: `OK`. O(1).
pub(super) fn no_evict(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let spared = match (call.is_option(2, "ON"), call.is_option(2, "OFF")) {
        (true, _) => true,
        (_, true) => false,
        _ => return Err(Error::SYNTAX),
    };
    // Relaxed: nothing else is read because of it.
    context.session.record.no_evict.store(spared, Ordering::Relaxed);
    reply.ok();
    Ok(())
}

/// `CLIENT GETREDIR`: -1, as clients are not told of changed keys. O(1).
pub(super) fn redirection(_: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.integer(-1);
    Ok(())
}
