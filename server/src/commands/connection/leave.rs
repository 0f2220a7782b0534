//! `QUIT` and `RESET`

use crate::commands::Context;
use crate::commands::session::Replies;
use crate::resp::{Protocol, Reply};
use crate::store::operation::Work;
use crate::store::subscriptions::SubscriptionCounts;
use crate::store::{Call, Error};

/// `QUIT`: `OK`, and the connection ends. O(1).
pub(super) fn quit(context: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    context.session.closing = true;
    reply.ok();
    Ok(())
}

/// `RESET`: `RESET` as a simple string. The client is in no transaction, watches nothing, listens to nothing, has no name,
/// speaks RESP2, gets all replies, works on database 0, and has to give the password anew if there is one.
/// O(subscriptions and watched keys).
pub(super) fn reset(context: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if context.session.watching || context.session.subscriptions > 0 {
        context.write(Work::Forget { client: context.session.address.client });
    }
    let session = &mut *context.session;
    session.transaction = None;
    session.watching = false;
    session.set_subscriptions(SubscriptionCounts::default());
    session.set_name(&[]);
    session.protocol = Protocol::Resp2;
    session.replies = Replies::On;
    session.database = 0;
    session.authenticated = context.config.requirepass.is_empty();
    reply.simple("RESET");
    Ok(())
}
