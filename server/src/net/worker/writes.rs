//! Writes: gathered into batches over all connections, and answered.

use std::time::Instant;

use rand::RngCore;

use super::output::output_limit;
use super::{BATCH, Worker, overflow, settle};
use crate::commands::{CommandId, Flags, Run, table};
use crate::store::operation::{Operation, Outcome, Response, Work};

/// What a new entry takes beside its key and value, or less.
const ENTRY: usize = 128;

impl Worker {
    /// Puts a write into the batch; whether the connection may go on.
    #[inline]
    pub(super) fn gather(&mut self, token: usize, id: CommandId) -> bool {
        let connection = &mut self.connections[token];
        let command = table().get(id).command;
        let Run::Write(function) = command.run else { return true };
        let arguments = connection.take_arguments();
        let call = crate::store::call::OwnedCall {
            arguments,
            now: self.now,
            random: self.random.next_u64(),
            client: connection.session.address,
            database: connection.session.database as u32,
            protocol: connection.session.protocol,
            ceiling: output_limit(&self.config, &connection.session).longest(),
        };
        if self.config.maxmemory > 0 {
            let growth = if command.flags.has(Flags::AMPLIFYING) {
                u64::MAX
            } else {
                let stored = (call.arguments.size() + ENTRY) as u64;
                stored.saturating_mul(self.handle.structure().replicas() as u64)
            };
            self.batch_growth = self.batch_growth.saturating_add(growth);
        }
        connection.batched += 1;
        let timed =
            self.config.times_everything() || !(command.flags.has(Flags::FAST) || command.flags.has(Flags::BRIEF));
        let origin = self.handle.replica_id();
        self.batch.push(Operation { origin, work: Work::Command { function, call, timed } });
        self.batch_owners.push((token, id));
        if command.flags.has(Flags::BLOCKING) || command.flags.has(Flags::PUBSUB) {
            // What comes after it depends on how it ends.
            self.next.push(token);
            return false;
        }
        if self.batch.len() >= BATCH {
            self.execute_batch();
        }
        true
    }

    pub(super) fn execute_batch(&mut self) {
        let count = self.batch.len();
        if count == 0 {
            return;
        }
        self.batch_growth = 0;
        let start = Instant::now();
        let mut single = None;
        let mut many = Vec::new();
        if count == 1 {
            single = self.batch.pop().map(|operation| self.handle.execute_mut(operation));
        } else {
            many = self.handle.execute_mut_batch(self.batch.drain(..));
        }
        let responses = single.into_iter().chain(many);
        let each = start.elapsed().as_nanos() as u64 / count as u64;
        let statistics = self.statistics();
        statistics.batches.add(1);
        statistics.batched.add(count as u64);
        let owners = std::mem::take(&mut self.batch_owners);
        for ((token, id), response) in owners.iter().zip(responses) {
            self.answer(*token, *id, response, each);
        }
        self.batch_owners = owners;
        self.batch_owners.clear();
    }

    /// Answers one write.
    #[inline]
    fn answer(&mut self, token: usize, id: CommandId, response: Response, each: u64) {
        let nanoseconds = response.nanoseconds.map_or(each, |own| own.get());
        let statistics = &self.server.workers[self.index];
        statistics.executed(id, 1, nanoseconds);
        let Some(connection) = self.connections.get_mut(token) else { return };
        connection.batched -= 1;
        if response.reply.first() == Some(&b'-') {
            statistics.command(id).failed.add(1);
            self.server.count_error(&response.reply[1..]);
        }
        let mut before = connection.output.len();
        connection.output.extend_from_slice(&response.reply);
        if matches!(response.outcome, Outcome::TooLong) {
            overflow(&mut connection.session);
        }
        if table().get(id).command.flags.has(Flags::PUBSUB) {
            // What tells of a subscription is a message and not a reply: it comes even to a client that wants no replies.
            before = connection.output.len();
        }
        if !matches!(response.outcome, Outcome::Blocked { .. }) {
            // One that waits has its reply still to come.
            settle(connection, before);
        }
        if connection.dirty {
            // It is sent with the rest.
        } else {
            connection.dirty = true;
            self.dirty.push(token);
        }
        let client = connection.session.address.client;
        if let Outcome::Blocked { timeout } = response.outcome {
            // The time is cut off to a millisecond: one more, so that no wait ends before its time.
            let deadline = timeout.map(|timeout| self.now.saturating_add(timeout).saturating_add(1));
            connection.waiting = Some(deadline);
            connection.publish(self.now);
            if let Some(deadline) = deadline {
                self.deadlines.insert((deadline, client));
            }
        }
        if let Some(arguments) = response.slow {
            self.log_slow(token, nanoseconds, &arguments);
        }
        if let Some(mut effects) = response.effects {
            if let Some(subscriptions) = effects.subscriptions.take() {
                self.connections[token].session.set_subscriptions(subscriptions);
            }
            self.take_effects(*effects);
        }
    }
}
