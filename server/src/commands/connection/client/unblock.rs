//! `CLIENT UNBLOCK`

use crate::commands::Context;
use crate::resp::Reply;
use crate::store::operation::{Outcome, Unblocked, Work};
use crate::store::{Call, Error};

/// `CLIENT UNBLOCK id [TIMEOUT|ERROR]`: 1 if the client waited for a key and does no longer, else 0. It is told so as at
/// the end of its time, or by an error. O(log waiting clients).
pub(super) fn unblock(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let told = match call.len() {
        3 => Unblocked::TimedOut,
        4 if call.is_option(3, "TIMEOUT") => Unblocked::TimedOut,
        4 if call.is_option(3, "ERROR") => Unblocked::Error,
        4 => return Err(Error::new("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
        _ => return Err(call.subcommand_syntax("CLIENT")),
    };
    let unblocked = match u64::try_from(call.integer(2)?) {
        Ok(client) => {
            let response = context.write(Work::Unblock { client, reply: told });
            matches!(response.outcome, Outcome::Done)
        }
        Err(_) => false,
    };
    reply.integer(i64::from(unblocked));
    Ok(())
}
