//! What the log carries, and what comes back.

use std::num::NonZeroU64;
use std::sync::Arc;

use bytes::Bytes;
use nr::ReplicaId;

use super::call::{Call, ClientAddress, OwnedCall};
use super::subscriptions::SubscriptionCounts;
use super::{Edit, Error, OwnedArguments, SmallBytes, View};
use crate::config::Config;
use crate::resp::Reply;

/// The function of a command that only reads.
pub type ReadFunction = fn(&View<'_>, &Call<'_>, &mut Reply<'_>) -> Result<(), Error>;

/// The function of a command that may write. It must be deterministic: it may look at nothing but the keyspace and the
/// call. (A reply may be left out where it is muted.)
pub type WriteFunction = fn(&mut Edit<'_>, &Call<'_>, &mut Reply<'_>) -> Result<(), Error>;

/// The function of a command that works on the keyspace.
#[derive(Clone, Copy, Debug)]
pub enum Function {
    /// It reads.
    Read(ReadFunction),
    /// It may write.
    Write(WriteFunction),
}

/// A write operation on the keyspace.
#[derive(Debug)]
pub struct Operation {
    /// The replica of the worker that issued it: only this one writes replies, the others follow.
    pub origin: ReplicaId,
    /// What is to be done.
    pub work: Work,
}

/// What an [`Operation`] does.
#[derive(Debug)]
pub enum Work {
    /// One command of a client.
    Command {
        /// Its function.
        function: WriteFunction,
        /// Its call.
        call: OwnedCall,
        /// Whether its time is measured by itself.
        timed: bool,
    },
    /// The commands between `MULTI` and `EXEC`, executed with nothing between them.
    Transaction(Box<Transaction>),
    /// Removes keys that had expired by `now`, at most `limit` of them.
    Expire {
        /// Milliseconds since 1970.
        now: i64,
        /// The most keys to remove.
        limit: usize,
    },
    /// Removes keys to make room.
    Evict {
        /// The time.
        now: i64,
        /// The keys, each with the index of its database.
        keys: Vec<(u32, SmallBytes)>,
    },
    /// Ends a client's wait for keys, if it still waits.
    Unblock {
        /// The client.
        client: u64,
        /// What it is told.
        reply: Unblocked,
    },
    /// A client watches nothing any more.
    Unwatch {
        /// The client.
        client: u64,
    },
    /// A client has gone: it waits for nothing, watches nothing and listens to nothing any more.
    Forget {
        /// The client.
        client: u64,
    },
    /// The configuration is another one from here on.
    Configure(Arc<Config>),
}

impl Work {
    /// The most bytes that its reply may have.
    pub(super) fn ceiling(&self) -> usize {
        match self {
            Work::Command { call, .. } => call.ceiling,
            Work::Transaction(transaction) => transaction.commands.first().map_or(usize::MAX, |(_, call)| call.ceiling),
            _ => usize::MAX,
        }
    }
}

/// What a client that stops waiting for keys is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unblocked {
    /// As at the end of its timeout.
    TimedOut,
    /// An error (`CLIENT UNBLOCK id ERROR`).
    Error,
}

/// The commands of one `EXEC`.
#[derive(Debug)]
pub struct Transaction {
    /// The client, whose watched keys decide whether it takes place.
    pub client: u64,
    /// The time of all its commands.
    pub now: i64,
    /// The commands, in their order.
    pub commands: Vec<(Function, OwnedCall)>,
}

/// What an operation answers on its origin's replica.
#[derive(Debug, Default)]
pub struct Response {
    /// The encoded reply.
    pub reply: SmallBytes,
    /// How it ended.
    pub outcome: Outcome,
    /// What concerns other clients.
    pub effects: Option<Box<Effects>>,
    /// How long it took, if that was measured.
    pub nanoseconds: Option<NonZeroU64>,
    /// Its arguments, if it took so long that it belongs into the slow log.
    pub slow: Option<Box<OwnedArguments>>,
}

/// How an operation ended.
#[derive(Debug, Default)]
pub enum Outcome {
    /// It is done, and the reply is whole.
    #[default]
    Done,
    /// The client waits for a key. It gets its reply among the [`Effects`] of another operation.
    Blocked {
        /// How long at most, in milliseconds; `None` for ever.
        timeout: Option<i64>,
    },
    /// A transaction took place; the reply of each command ends at these places of the reply.
    Transaction(Box<[usize]>),
    /// Its reply would have been longer than its client may have; it is left out, and the client is to be disconnected.
    TooLong,
    /// A watched key was changed, so that the transaction did not take place.
    Aborted,
    /// Work that was not to be done any more: the client to unblock was not blocked.
    Nothing,
}

/// What an operation has to tell clients other than its own.
#[derive(Debug, Default)]
pub struct Effects {
    /// Clients that had waited for a key, and their replies; an empty one would have been longer than its client may have.
    pub served: Vec<(ClientAddress, Vec<u8>)>,
    /// Messages for subscribers.
    pub deliveries: Vec<Delivery>,
    /// To how many channels and patterns the calling client is subscribed now, where that may have changed.
    pub subscriptions: Option<SubscriptionCounts>,
    /// Whether a key got an expiry.
    pub expiry_set: bool,
}

impl Effects {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.served.is_empty() && self.deliveries.is_empty() && self.subscriptions.is_none() && !self.expiry_set
    }
}

/// A message for one subscriber.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The subscriber.
    pub client: ClientAddress,
    /// The message.
    pub message: Arc<Message>,
}

/// A message published to a channel.
#[derive(Debug)]
pub struct Message {
    /// How the subscriber came to it.
    pub kind: MessageKind,
    /// The channel.
    pub channel: Bytes,
    /// What was published.
    pub payload: Bytes,
}

/// How a subscriber came to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageKind {
    /// It is subscribed to the channel.
    Channel,
    /// It is subscribed to this pattern.
    Pattern(Bytes),
    /// It is subscribed to the sharded channel.
    Shard,
}

impl Message {
    /// Writes the message as a subscriber sees it: a push in RESP3, an array in RESP2.
    pub fn write(&self, reply: &mut Reply<'_>) {
        match &self.kind {
            MessageKind::Channel => {
                reply.push(3);
                reply.bulk(b"message");
            }
            MessageKind::Shard => {
                reply.push(3);
                reply.bulk(b"smessage");
            }
            MessageKind::Pattern(pattern) => {
                reply.push(4);
                reply.bulk(b"pmessage");
                reply.bulk(pattern);
            }
        }
        reply.bulk(&self.channel);
        reply.bulk(&self.payload);
    }
}
