//! `MULTI` and `DISCARD`

use super::watch::stop_watching;
use crate::commands::session::Queue;
use crate::commands::{Context, Session};
use crate::resp::Reply;
use crate::store::operation::Work;
use crate::store::{Arguments, Call, Error};

/// `MULTI`: `OK`; the commands that follow are kept until `EXEC`, and each is answered by `QUEUED`. O(1).
pub(super) fn multi(context: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if context.session.transaction.is_some() {
        return Err(Error::new("ERR MULTI calls can not be nested"));
    }
    context.session.transaction = Some(Queue::default());
    reply.ok();
    Ok(())
}

/// `DISCARD`: `OK`; the commands since `MULTI` are forgotten, and the client watches nothing any more. O(commands and
/// watched keys).
pub(super) fn discard(context: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if context.session.transaction.take().is_none() {
        return Err(Error::new("ERR DISCARD without MULTI"));
    }
    if let Some(work) = stop_watching(context.session) {
        context.write(work);
    }
    reply.ok();
    Ok(())
}

/// A request is refused. A transaction is bound to fail then, and over if the request is the `EXEC`. Gives the error that
/// the client gets, and what the log has to carry.
pub fn refuse(session: &mut Session, request: Arguments<'_>, error: Error) -> (Error, Option<Work>) {
    if request.get(0).eq_ignore_ascii_case(b"exec") {
        session.transaction = None;
        let reason = error.text().strip_prefix("ERR ").unwrap_or(error.text());
        let error = format!("EXECABORT Transaction discarded because of: {reason}").into();
        return (error, stop_watching(session));
    }
    if let Some(queue) = &mut session.transaction {
        queue.failed = true;
    }
    (error, None)
}
