//! `CLIENT PAUSE` and `CLIENT UNPAUSE`

use std::sync::atomic::Ordering;

use crate::commands::Context;
use crate::resp::Reply;
use crate::store::{Call, Error};

/// `CLIENT PAUSE milliseconds [WRITE|ALL]`: `OK`; commands of clients, or only those that write, wait for so long. A pause
/// that there is already is neither shortened nor does it let more through. The answer comes when all workers keep to it and
/// have executed what they had taken up before. O(1).
pub(super) fn pause(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let all = match call.len() {
        3 => true,
        4 if call.is_option(3, "ALL") => true,
        4 if call.is_option(3, "WRITE") => false,
        4 => return Err(Error::new("ERR CLIENT PAUSE mode must be WRITE or ALL")),
        _ => return Err(call.subcommand_syntax("CLIENT")),
    };
    let duration = call.integer(2).map_err(|_| Error::new("ERR timeout is not an integer or out of range"))?;
    if duration < 0 {
        return Err(Error::new("ERR timeout is negative"));
    }
    // A pause without an end could not be ended: it would hold the command back that does it.
    let Some(end) = call.now.checked_add(duration) else { return Err(Error::new("ERR timeout is out of range")) };
    let server = context.server;
    // Relaxed, all of them: the number of the pause below orders these stores before the loads of the other workers.
    let before = server.paused_until.load(Ordering::Relaxed);
    let goes_on = before > call.now;
    let all = all || (goes_on && server.pause_all.load(Ordering::Relaxed));
    server.pause_all.store(all, Ordering::Relaxed);
    server.paused_until.store(end.max(before), Ordering::Relaxed);
    // Release: pairs with the Acquire of a worker that says that it keeps to this pause: it then sees what was stored above.
    let number = server.pauses.fetch_add(1, Ordering::Release) + 1;
    context.session.pausing = Some(number);
    context.outbox.look = true;
    reply.ok();
    Ok(())
}

/// `CLIENT UNPAUSE`: `OK`; commands wait no longer. O(1).
pub(super) fn unpause(context: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    // Relaxed: as in `pause`.
    context.server.paused_until.store(0, Ordering::Relaxed);
    context.outbox.look = true;
    reply.ok();
    Ok(())
}
