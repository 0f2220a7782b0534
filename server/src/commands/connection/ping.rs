//! `PING` and `ECHO`

use crate::commands::Context;
use crate::resp::{Protocol, Reply};
use crate::store::{Call, Error};

/// `PING [message]`: `PONG`, or the message as a bulk string; to a subscriber of RESP2, which tells replies from messages
/// by their form, an array of `pong` and the message. O(1).
pub(super) fn ping(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if call.len() > 2 {
        return Err(Error::new("ERR wrong number of arguments for 'ping' command"));
    }
    let message = call.arguments.from(1).next();
    if context.session.subscriptions > 0 && context.session.protocol == Protocol::Resp2 {
        reply.array(2);
        reply.bulk(b"pong");
        reply.bulk(message.unwrap_or_default());
    } else {
        match message {
            None => reply.simple("PONG"),
            Some(message) => reply.bulk(message),
        }
    }
    Ok(())
}

/// `ECHO message`: the message as a bulk string. O(length).
pub(super) fn echo(_: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.bulk(call.argument(1));
    Ok(())
}
