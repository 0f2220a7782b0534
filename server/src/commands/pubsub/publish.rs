//! `PUBLISH` and `SPUBLISH`

use crate::commands::Context;
use crate::commands::session::Replies;
use crate::resp::Reply;
use crate::store::subscriptions::Topic;
use crate::store::{Call, Edit, Error};

/// `PUBLISH channel message`: to how many clients the message goes: once for the channel and once for each pattern that
/// they listen to. O(listeners + patterns).
pub(super) fn publish(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    send(context, call, reply, Topic::Channel)
}

/// `SPUBLISH channel message`: to how many clients the message goes. O(listeners).
pub(super) fn spublish(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    send(context, call, reply, Topic::Shard)
}

fn send(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>, topic: Topic) -> Result<(), Error> {
    let (channel, message) = (call.argument(1), call.argument(2));
    let deliveries = &mut context.outbox.deliveries;
    let before = deliveries.len();
    let receivers = context.handle.read(|keyspace| keyspace.subscriptions.publish(topic, channel, message, deliveries));
    if context.session.subscriptions > 0 && context.session.replies == Replies::On {
        // A message to the publisher itself comes before the reply.
        for own in deliveries.extract_if(before.., |delivery| delivery.client == context.session.address) {
            own.message.write(reply);
        }
    }
    reply.count(receivers);
    Ok(())
}

/// [`publish`] within a transaction.
pub(super) fn publish_in_order(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(edit.publish(Topic::Channel, call.argument(1), call.argument(2)));
    Ok(())
}

/// [`spublish`] within a transaction.
pub(super) fn spublish_in_order(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(edit.publish(Topic::Shard, call.argument(1), call.argument(2)));
    Ok(())
}
