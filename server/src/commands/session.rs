//! What the server remembers of one client.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::state::{ClientRecord, lock};
use super::table::CommandId;
use super::{Command, Flags};
use crate::resp::Protocol;
use crate::store::subscriptions::SubscriptionCounts;
use crate::store::{ClientAddress, OwnedArguments};

/// What the server remembers of one client between its commands.
#[derive(Debug)]
pub struct Session {
    /// Who it is, and which worker serves it.
    pub address: ClientAddress,
    /// What other workers may see of it.
    pub record: Arc<ClientRecord>,
    /// The index of its database.
    pub database: usize,
    /// The protocol version it speaks.
    pub protocol: Protocol,
    /// Whether it has given the password, or there is none to give.
    pub authenticated: bool,
    /// The commands since `MULTI`.
    pub transaction: Option<Queue>,
    /// Whether it may watch keys.
    pub watching: bool,
    /// To how many channels, patterns and sharded channels it is subscribed.
    pub subscriptions: usize,
    /// Which of its replies it gets (`CLIENT REPLY`).
    pub replies: Replies,
    /// The number of a pause that it asked for. It gets no replies, and nothing more of it is executed, until all workers keep to
    /// the pause.
    pub pausing: Option<u64>,
    /// The connection ends once what was written has been sent.
    pub closing: bool,
    /// A reply was longer than it may be, and is not whole: the connection ends, and nothing more is sent.
    pub overflowed: bool,
}

/// Which replies a client gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replies {
    /// All.
    #[default]
    On,
    /// None.
    Off,
    /// All but that of the next command; this one itself gets none.
    SkipNext,
    /// All but that of the command now executed.
    Skip,
}

/// The commands between `MULTI` and `EXEC`.
#[derive(Debug, Default)]
pub struct Queue {
    /// The commands with their arguments.
    pub commands: Vec<(CommandId, OwnedArguments)>,
    /// Bytes of memory that the arguments occupy.
    pub size: usize,
    /// The flags that any of the commands has.
    pub flags: Flags,
    /// A command was refused, so that `EXEC` will fail.
    pub failed: bool,
}

impl Session {
    /// A new client's.
    pub fn new(address: ClientAddress, record: Arc<ClientRecord>, authenticated: bool) -> Self {
        Session {
            address,
            record,
            database: 0,
            protocol: Protocol::Resp2,
            authenticated,
            transaction: None,
            watching: false,
            subscriptions: 0,
            replies: Replies::On,
            pausing: None,
            closing: false,
            overflowed: false,
        }
    }

    /// The flags of a command that the client calls; for `EXEC`, with those of the commands that it executes.
    #[inline]
    pub fn flags_of(&self, command: &Command) -> Flags {
        match &self.transaction {
            Some(queue) if command.name == "exec" => command.flags.and(queue.flags),
            _ => command.flags,
        }
    }

    /// The client is subscribed to so many channels and patterns from now on.
    pub fn set_subscriptions(&mut self, counts: SubscriptionCounts) {
        self.subscriptions = counts.total();
        // Relaxed, all of them: they are for people to look at, each by itself.
        self.record.channels.store(counts.channels, Ordering::Relaxed);
        self.record.patterns.store(counts.patterns, Ordering::Relaxed);
        self.record.shards.store(counts.shards, Ordering::Relaxed);
    }

    /// The connection has this name from now on; none if it is empty.
    pub fn set_name(&mut self, name: &[u8]) {
        *lock(&self.record.name) = name.to_vec();
    }

    /// Shows other workers what commands have made of the client.
    pub fn publish(&self) {
        let record = &self.record;
        let queue = self.transaction.as_ref();
        // Relaxed, all of them: they are for people to look at, each by itself.
        record.database.store(self.database as u32, Ordering::Relaxed);
        record.queued.store(queue.map_or(-1, |queue| queue.commands.len() as i64), Ordering::Relaxed);
        record.queued_size.store(queue.map_or(0, |queue| queue.size), Ordering::Relaxed);
        record.watching.store(self.watching, Ordering::Relaxed);
        record.protocol.store(if self.protocol == Protocol::Resp3 { 3 } else { 2 }, Ordering::Relaxed);
    }
}
