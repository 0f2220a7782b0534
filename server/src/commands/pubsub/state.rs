//! `PUBSUB`: who listens to what.

use crate::resp::{Reply, pattern};
use crate::store::subscriptions::Topic;
use crate::store::{Call, Error, View};

/// `PUBSUB CHANNELS [pattern]`: an array of the channels that somebody listens to. O(channels).
pub(super) fn channels(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    names(view, call, reply, Topic::Channel)
}

/// `PUBSUB SHARDCHANNELS [pattern]`: an array of the sharded channels that somebody listens to. O(sharded channels).
pub(super) fn shard_channels(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    names(view, call, reply, Topic::Shard)
}

fn names(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>, topic: Topic) -> Result<(), Error> {
    if call.len() > 3 {
        return Err(call.subcommand_syntax("PUBSUB"));
    }
    let wanted = call.arguments.from(2).next();
    let mark = reply.mark();
    let mut count = 0;
    for name in view.keyspace().subscriptions.of(topic).keys() {
        if wanted.is_none_or(|wanted| pattern::matches(wanted, name, false)) {
            reply.bulk(name);
            count += 1;
        }
    }
    reply.array_at(mark, count);
    Ok(())
}

/// `PUBSUB NUMSUB [channel …]`: an array of each channel and the number of its listeners, without those who listen to a
/// pattern. O(channels asked for).
pub(super) fn listener_counts(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    counts(view, call, reply, Topic::Channel);
    Ok(())
}

/// `PUBSUB SHARDNUMSUB [channel …]`: an array of each sharded channel and the number of its listeners. O(channels asked
/// for).
pub(super) fn shard_listener_counts(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    counts(view, call, reply, Topic::Shard);
    Ok(())
}

fn counts(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>, topic: Topic) {
    let listeners = view.keyspace().subscriptions.of(topic);
    let names = call.arguments.from(2);
    reply.array(2 * names.len());
    for name in names {
        reply.bulk(name);
        reply.count(listeners.get(name).map_or(0, |listeners| listeners.len()));
    }
}

/// `PUBSUB NUMPAT`: how many different patterns somebody listens to. O(1).
pub(super) fn pattern_count(view: &View<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(view.keyspace().subscriptions.of(Topic::Pattern).len());
    Ok(())
}
