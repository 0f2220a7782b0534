//! Who listens to which channels.
//!
//! This is part of the replicated state, so that a publisher finds all subscribers in its own replica, and so that a
//! subscription and a message have one order for everybody.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::SmallBytes;
use super::call::ClientAddress;
use super::operation::{Delivery, Message, MessageKind};
use crate::resp::pattern;

/// What a subscription names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A channel (`SUBSCRIBE`).
    Channel,
    /// All channels whose names match a pattern (`PSUBSCRIBE`).
    Pattern,
    /// A sharded channel (`SSUBSCRIBE`).
    Shard,
}

/// To how many names of each kind a client is subscribed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionCounts {
    /// Channels.
    pub channels: u32,
    /// Patterns.
    pub patterns: u32,
    /// Sharded channels.
    pub shards: u32,
}

impl SubscriptionCounts {
    /// To how many names of any kind.
    pub fn total(&self) -> usize {
        self.channels as usize + self.patterns as usize + self.shards as usize
    }
}

type Subscribers = BTreeMap<SmallBytes, BTreeSet<ClientAddress>>;

/// Who listens to which channels.
#[derive(Debug, Default)]
pub struct Subscriptions {
    channels: Subscribers,
    patterns: Subscribers,
    shards: Subscribers,
    clients: HashMap<u64, ClientSubscriptions>,
}

/// What one client listens to.
#[derive(Debug, Default)]
pub struct ClientSubscriptions {
    channels: BTreeSet<SmallBytes>,
    patterns: BTreeSet<SmallBytes>,
    shards: BTreeSet<SmallBytes>,
}

impl ClientSubscriptions {
    fn of_mut(&mut self, topic: Topic) -> &mut BTreeSet<SmallBytes> {
        match topic {
            Topic::Channel => &mut self.channels,
            Topic::Pattern => &mut self.patterns,
            Topic::Shard => &mut self.shards,
        }
    }

    /// The names of that kind.
    pub fn of(&self, topic: Topic) -> &BTreeSet<SmallBytes> {
        match topic {
            Topic::Channel => &self.channels,
            Topic::Pattern => &self.patterns,
            Topic::Shard => &self.shards,
        }
    }
}

impl Subscriptions {
    /// The subscribers of each name of that kind, in order of the names.
    pub fn of(&self, topic: Topic) -> &Subscribers {
        match topic {
            Topic::Channel => &self.channels,
            Topic::Pattern => &self.patterns,
            Topic::Shard => &self.shards,
        }
    }

    fn of_mut(&mut self, topic: Topic) -> &mut Subscribers {
        match topic {
            Topic::Channel => &mut self.channels,
            Topic::Pattern => &mut self.patterns,
            Topic::Shard => &mut self.shards,
        }
    }

    /// What a client listens to.
    pub fn client(&self, client: u64) -> Option<&ClientSubscriptions> {
        self.clients.get(&client)
    }

    /// To how many names of the kinds that count together the client is subscribed: channels and patterns, or shards.
    pub fn count(&self, client: u64, topic: Topic) -> usize {
        self.clients.get(&client).map_or(0, |own| match topic {
            Topic::Channel | Topic::Pattern => own.channels.len() + own.patterns.len(),
            Topic::Shard => own.shards.len(),
        })
    }

    /// To how many names of each kind the client is subscribed.
    pub fn counts(&self, client: u64) -> SubscriptionCounts {
        self.clients.get(&client).map_or_else(SubscriptionCounts::default, |own| SubscriptionCounts {
            channels: own.channels.len() as u32,
            patterns: own.patterns.len() as u32,
            shards: own.shards.len() as u32,
        })
    }

    /// The client listens to `name`; false if it did before. O(log n).
    pub fn subscribe(&mut self, client: ClientAddress, topic: Topic, name: &[u8]) -> bool {
        let name = SmallBytes::new(name);
        self.of_mut(topic).entry(name.clone()).or_default().insert(client);
        self.clients.entry(client.client).or_default().of_mut(topic).insert(name)
    }

    /// The client stops listening to `name`; false if it did not. O(log n).
    pub fn unsubscribe(&mut self, client: ClientAddress, topic: Topic, name: &[u8]) -> bool {
        let Some(own) = self.clients.get_mut(&client.client) else { return false };
        if !own.of_mut(topic).remove(name) {
            return false;
        }
        if own.channels.is_empty() && own.patterns.is_empty() && own.shards.is_empty() {
            self.clients.remove(&client.client);
        }
        let all = self.of_mut(topic);
        if let Some(subscribers) = all.get_mut(name) {
            subscribers.remove(&client);
            if subscribers.is_empty() {
                all.remove(name);
            }
        }
        true
    }

    /// The client listens to nothing any more. O(its subscriptions × log n).
    pub fn forget(&mut self, client: u64) {
        let Some(own) = self.clients.remove(&client) else { return };
        for (topic, names) in
            [(Topic::Channel, own.channels), (Topic::Pattern, own.patterns), (Topic::Shard, own.shards)]
        {
            let all = self.of_mut(topic);
            for name in names {
                if let Some(subscribers) = all.get_mut(&name) {
                    subscribers.retain(|address| address.client != client);
                    if subscribers.is_empty() {
                        all.remove(&name);
                    }
                }
            }
        }
    }

    /// Appends a delivery for each subscriber of the channel, and for each pattern that matches it; gives their number.
    /// O(subscribers + patterns).
    pub fn publish(&self, topic: Topic, channel: &[u8], payload: &[u8], deliveries: &mut Vec<Delivery>) -> usize {
        let before = deliveries.len();
        let direct = if topic == Topic::Shard { &self.shards } else { &self.channels };
        let patterns = if topic == Topic::Shard { None } else { Some(&self.patterns) };
        if direct.is_empty() && patterns.is_none_or(BTreeMap::is_empty) {
            return 0;
        }
        let mut shared: Option<(Bytes, Bytes)> = None;
        let mut message = |kind| {
            let (channel, payload) = shared
                .get_or_insert_with(|| (Bytes::copy_from_slice(channel), Bytes::copy_from_slice(payload)))
                .clone();
            Arc::new(Message { kind, channel, payload })
        };
        if let Some(subscribers) = direct.get(channel) {
            let kind = if topic == Topic::Shard { MessageKind::Shard } else { MessageKind::Channel };
            let message = message(kind);
            deliveries.extend(subscribers.iter().map(|client| Delivery { client: *client, message: message.clone() }));
        }
        for (pattern, subscribers) in patterns.into_iter().flatten() {
            if pattern::matches(pattern, channel, false) {
                let message = message(MessageKind::Pattern(Bytes::copy_from_slice(pattern)));
                deliveries
                    .extend(subscribers.iter().map(|client| Delivery { client: *client, message: message.clone() }));
            }
        }
        deliveries.len() - before
    }
}
