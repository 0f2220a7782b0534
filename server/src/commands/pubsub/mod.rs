//! Publishing and subscribing.
//!
//! Who listens is part of the replicated keyspace, so that subscribing goes through the log. Publishing changes nothing:
//! the publisher's worker finds the listeners in its own replica and sends the message to their workers.

mod publish;
mod state;
mod subscribe;

use super::command::{command, help_command};
use super::{Command, Flags, Group, Run};
use crate::store::operation::WriteFunction;

/// Allowed while the server is busy with loading, and on a replica with old data.
const ANY_TIME: Flags = Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE);
/// To listen or not to.
const LISTENING: Flags = ANY_TIME.and(Flags::NOSCRIPT).and(Flags::WHILE_SUBSCRIBED);
/// To tell those who listen.
const TELLING: Flags = ANY_TIME.and(Flags::FAST).and(Flags::MAY_REPLICATE);

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    command("psubscribe", -2, "2.0.0", Group::PubSub, LISTENING, Run::Write(subscribe::psubscribe))
        .about("Listens to all channels whose names match the patterns.", "O(patterns · log subscriptions)"),
    command("publish", 3, "2.0.0", Group::PubSub, TELLING, Run::Local(publish::publish))
        .about("Sends a message to all who listen to a channel.", "O(listeners + patterns)"),
    PUBSUB,
    command("punsubscribe", -1, "2.0.0", Group::PubSub, LISTENING, Run::Write(subscribe::punsubscribe))
        .about("Stops listening to patterns, or to all of them.", "O(patterns · log subscriptions)"),
    command("spublish", 3, "7.0.0", Group::PubSub, TELLING, Run::Local(publish::spublish))
        .key()
        .about("Sends a message to all who listen to a sharded channel.", "O(listeners)"),
    command("ssubscribe", -2, "7.0.0", Group::PubSub, LISTENING, Run::Write(subscribe::ssubscribe))
        .all_keys()
        .about("Listens to sharded channels.", "O(channels · log subscriptions)"),
    command("subscribe", -2, "2.0.0", Group::PubSub, LISTENING, Run::Write(subscribe::subscribe))
        .about("Listens to channels.", "O(channels · log subscriptions)"),
    command("sunsubscribe", -1, "7.0.0", Group::PubSub, LISTENING, Run::Write(subscribe::sunsubscribe))
        .all_keys()
        .about("Stops listening to sharded channels, or to all of them.", "O(channels · log subscriptions)"),
    command("unsubscribe", -1, "2.0.0", Group::PubSub, LISTENING, Run::Write(subscribe::unsubscribe))
        .about("Stops listening to channels, or to all of them.", "O(channels · log subscriptions)"),
];

const PUBSUB: Command = command("pubsub", -2, "2.8.0", Group::PubSub, Flags::NONE, Run::Container)
    .about("Commands about who listens to what.", "Depends on the subcommand")
    .with(&[
        command("channels", -2, "2.8.0", Group::PubSub, ANY_TIME, Run::Read(state::channels))
            .about("Lists the channels that somebody listens to.", "O(channels)"),
        help_command(Group::PubSub, "6.2.0"),
        command("numpat", 2, "2.8.0", Group::PubSub, ANY_TIME, Run::Read(state::pattern_count))
            .about("Counts the patterns that somebody listens to.", "O(1)"),
        command("numsub", -2, "2.8.0", Group::PubSub, ANY_TIME, Run::Read(state::listener_counts))
            .about("Counts the listeners of channels, without those who listen to a pattern.", "O(channels asked for)"),
        command("shardchannels", -2, "7.0.0", Group::PubSub, ANY_TIME, Run::Read(state::shard_channels))
            .about("Lists the sharded channels that somebody listens to.", "O(sharded channels)"),
        command("shardnumsub", -2, "7.0.0", Group::PubSub, ANY_TIME, Run::Read(state::shard_listener_counts))
            .about("Counts the listeners of sharded channels.", "O(channels asked for)"),
    ]);

/// The function that executes a local command of this family in the order of a transaction's writes, so that a
/// transaction's messages and events have the order of its commands.
pub(super) fn in_transaction(command: &Command) -> Option<WriteFunction> {
    match command.name {
        "publish" => Some(publish::publish_in_order),
        "spublish" => Some(publish::spublish_in_order),
        _ => None,
    }
}
