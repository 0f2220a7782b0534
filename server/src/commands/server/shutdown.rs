//! `SHUTDOWN`

use std::sync::atomic::Ordering;

use crate::commands::Context;
use crate::log;
use crate::resp::Reply;
use crate::store::{Call, Error};

/// `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]`: no reply; the server sends the replies that it owes, and ends. There is
/// nothing to save, to wait for or to force. `ABORT` stands alone, and finds nothing to abort. O(1).
pub(super) fn shutdown(context: &mut Context<'_>, call: &Call<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
    const OPTIONS: [&str; 5] = ["NOSAVE", "SAVE", "NOW", "FORCE", "ABORT"];
    let mut given = [false; OPTIONS.len()];
    for index in 1..call.len() {
        let option = OPTIONS.iter().position(|option| call.is_option(index, option)).ok_or(Error::SYNTAX)?;
        given[option] = true;
    }
    let [no_save, save, now, force, abort] = given;
    if (save && no_save) || (abort && (save || no_save || now || force)) {
        return Err(Error::SYNTAX);
    }
    if abort {
        return Err(Error::new("ERR No shutdown in progress."));
    }
    let client = &context.session.record;
    log::notice(format_args!("asked to end by client {} at {}", client.address.client, client.peer));
    // Release: pairs with the Acquire of the workers, who look once they get the mail that `look` asks for.
    context.server.shutdown.store(true, Ordering::Release);
    context.outbox.look = true;
    context.session.closing = true;
    Ok(())
}
