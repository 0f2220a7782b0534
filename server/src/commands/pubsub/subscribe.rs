//! `SUBSCRIBE`, `PSUBSCRIBE`, `SSUBSCRIBE` and their opposites
//!
//! Each name is answered by a message of its own: in RESP3 a push, in RESP2 an array.

use crate::resp::Reply;
use crate::store::subscriptions::Topic;
use crate::store::{Call, Edit, Error, SmallBytes};

/// `SUBSCRIBE channel [channel …]`: for each channel a message: `subscribe`, the channel, and to how many channels and
/// patterns the client listens. O(channels · log subscriptions).
pub(super) fn subscribe(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    listen(edit, call, reply, Topic::Channel, "subscribe")
}

/// `PSUBSCRIBE pattern [pattern …]`: for each pattern a message: `psubscribe`, the pattern, and to how many channels and
/// patterns the client listens. O(patterns · log subscriptions).
pub(super) fn psubscribe(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    listen(edit, call, reply, Topic::Pattern, "psubscribe")
}

/// `SSUBSCRIBE channel [channel …]`: for each sharded channel a message: `ssubscribe`, the channel, and to how many
/// sharded channels the client listens. O(channels · log subscriptions).
pub(super) fn ssubscribe(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    listen(edit, call, reply, Topic::Shard, "ssubscribe")
}

/// `UNSUBSCRIBE [channel …]`: for each channel, or for all that the client listens to, a message: `unsubscribe`, the
/// channel, and how many channels and patterns are left. If there is nothing to stop listening to: one message, with null
/// for the channel. O(channels · log subscriptions).
pub(super) fn unsubscribe(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    stop(edit, call, reply, Topic::Channel, "unsubscribe")
}

/// `PUNSUBSCRIBE [pattern …]`: as `UNSUBSCRIBE`, for patterns. O(patterns · log subscriptions).
pub(super) fn punsubscribe(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    stop(edit, call, reply, Topic::Pattern, "punsubscribe")
}

/// `SUNSUBSCRIBE [channel …]`: as `UNSUBSCRIBE`, for sharded channels. O(channels · log subscriptions).
pub(super) fn sunsubscribe(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    stop(edit, call, reply, Topic::Shard, "sunsubscribe")
}

fn listen(
    edit: &mut Edit<'_>,
    call: &Call<'_>,
    reply: &mut Reply<'_>,
    topic: Topic,
    message: &str,
) -> Result<(), Error> {
    for name in call.arguments.from(1) {
        let count = edit.subscribe(topic, name);
        tell(reply, message, Some(name), count);
    }
    Ok(())
}

fn stop(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>, topic: Topic, message: &str) -> Result<(), Error> {
    for name in call.arguments.from(1) {
        let count = edit.unsubscribe(topic, name);
        tell(reply, message, Some(name), count);
    }
    if call.len() == 1 {
        stop_all(edit, call.client.client, reply, topic, message);
    }
    Ok(())
}

fn stop_all(edit: &mut Edit<'_>, client: u64, reply: &mut Reply<'_>, topic: Topic, message: &str) {
    let subscriptions = edit.subscriptions();
    let names: Vec<SmallBytes> =
        subscriptions.client(client).into_iter().flat_map(|own| own.of(topic)).cloned().collect();
    if names.is_empty() {
        tell(reply, message, None, subscriptions.count(client, topic));
    }
    for name in names {
        let count = edit.unsubscribe(topic, &name);
        tell(reply, message, Some(&name), count);
    }
}

fn tell(reply: &mut Reply<'_>, message: &str, name: Option<&[u8]>, count: usize) {
    reply.push(3);
    reply.bulk(message.as_bytes());
    reply.bulk_or_null(name);
    reply.count(count);
}
