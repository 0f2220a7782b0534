//! Reads, and commands that are local to the server.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use rand::RngCore;

use super::output::output_limit;
use super::timers::EXPIRY_BATCH;
use super::{OUTPUT_PER_TURN, Worker, overflow, settle};
use crate::commands::{CommandId, Context, Flags, Run, table};
use crate::resp::{Protocol, Reply};
use crate::store::operation::{Delivery, Work};
use crate::store::{Call, Error, OwnedArguments, View};

/// The most reads executed without letting writers in.
const READS: usize = 64;

impl Worker {
    /// Executes a command that reads, and those behind it that are fast and only read as well.
    pub(super) fn run_reads(&mut self, token: usize, first: CommandId) {
        let connection = &mut self.connections[token];
        let start = Instant::now();
        let (now, random) = (self.now, &mut self.random);
        let (mut hits, mut misses, mut failed) = (0, 0, 0u32);
        let mut met_expired = false;
        let reads = &mut self.reads;
        reads.clear();
        let server = &*self.server;
        let index = self.index;
        let config = &*self.config;
        let mut slow = Vec::new();
        let mut before_read = start;
        let written_before = connection.output.len();
        self.handle.read(|keyspace| {
            let mut id = first;
            while let Run::Read(function) = table().get(id).command.run {
                let ceiling = output_limit(config, &connection.session).longest();
                let most = connection.sent().saturating_add(ceiling);
                let (arguments, output, session) = connection.split();
                let call = Call {
                    arguments,
                    now,
                    random: random.next_u64(),
                    client: session.address,
                    database: session.database,
                    protocol: session.protocol,
                    ceiling,
                };
                let view = View::new(keyspace, call.database, now);
                let before = output.len();
                let mut reply = Reply::new(output, session.protocol).limited(most);
                let result = catch_unwind(AssertUnwindSafe(|| function(&view, &call, &mut reply)));
                if let Err(error) = result.unwrap_or(Err(Error::INTERNAL)) {
                    reply.truncate(before);
                    reply.error(error.text());
                    failed += 1;
                    server.workers[index].command(id).failed.add(1);
                    server.count_error(error.text().as_bytes());
                }
                if reply.is_over() {
                    overflow(session);
                }
                met_expired |= view.met_expired();
                let (hit, miss) = view.hits_and_misses();
                hits += hit;
                misses += miss;
                if config.times_everything() || !table().get(id).command.flags.has(Flags::FAST) {
                    let now = Instant::now();
                    let nanoseconds = (now - before_read).as_nanos() as u64;
                    before_read = now;
                    if config.is_slow(nanoseconds) {
                        slow.push((nanoseconds, arguments.to_owned()));
                    }
                }
                settle(connection, before);
                reads.push(id);
                if reads.len() == READS || connection.output.len() - written_before > OUTPUT_PER_TURN {
                    connection.finish_request();
                    break;
                }
                connection.finish_request();
                // Only what needs no decision but its place in the table goes on here.
                let session = &connection.session;
                if !session.authenticated
                    || session.subscriptions > 0
                    || session.transaction.is_some()
                    || session.overflowed
                {
                    break;
                }
                match connection.next_request() {
                    Ok(Some(request)) => match request.command {
                        Ok(next) if table().get(next).command.flags.has(Flags::FAST) => id = next,
                        _ => break,
                    },
                    _ => break,
                }
            }
        });
        connection.spent += self.reads.len() as u32;
        let elapsed = start.elapsed().as_nanos() as u64;
        for (nanoseconds, arguments) in slow {
            self.log_slow(token, nanoseconds, &arguments);
        }
        let statistics = &self.server.workers[self.index];
        statistics.hits.add(u64::from(hits));
        statistics.misses.add(u64::from(misses));
        let each = elapsed / self.reads.len().max(1) as u64;
        for id in &self.reads {
            statistics.executed(*id, 1, each);
        }
        if met_expired && !self.is_paused() {
            self.write(Work::Expire { now: self.now, limit: EXPIRY_BATCH });
            self.post();
        }
    }

    pub(super) fn run_local(&mut self, token: usize, id: CommandId) {
        let connection = &mut self.connections[token];
        let listed = table().get(id);
        let start = Instant::now();
        if !listed.command.flags.has(Flags::FAST) {
            // It may look at how clients stand, this one among them.
            connection.publish(self.now);
        }
        // A local command may take the place of the connection's own state, so it works on its arguments apart.
        let arguments = connection.take_arguments();
        let ceiling = output_limit(&self.config, &connection.session).longest();
        let most = connection.sent().saturating_add(ceiling);
        let session = &mut connection.session;
        let call = Call {
            arguments: arguments.borrow(),
            now: self.now,
            random: self.random.next_u64(),
            client: session.address,
            database: session.database,
            protocol: session.protocol,
            ceiling,
        };
        let before = connection.output.len();
        let delivered_before = self.outbox.deliveries.len();
        let mut reply = Reply::new(&mut connection.output, session.protocol).limited(most);
        let mut context = Context {
            session,
            server: &self.server,
            handle: &mut self.handle,
            config: &self.config,
            outbox: &mut self.outbox,
            command: listed.command,
        };
        let result = match listed.command.run {
            Run::Local(function) => catch_unwind(AssertUnwindSafe(|| function(&mut context, &call, &mut reply)))
                .unwrap_or(Err(Error::INTERNAL)),
            _ => {
                crate::commands::server::help(listed, &mut reply);
                Ok(())
            }
        };
        let statistics = &self.server.workers[self.index];
        if let Err(error) = result {
            reply.truncate(before);
            reply.error(error.text());
            statistics.command(id).failed.add(1);
            self.server.count_error(error.text().as_bytes());
        }
        if reply.is_over() {
            overflow(&mut connection.session);
        }
        connection.limits_mut().authenticated = connection.session.authenticated || self.config.requirepass.is_empty();
        settle(connection, before);
        // What a transaction has for its own client follows its reply, although the client may have stopped listening
        // since. Only RESP3 can tell such a message from the next reply; `deliver` sorts out the others.
        if connection.session.protocol == Protocol::Resp3 {
            let to_itself = |delivery: &mut Delivery| delivery.client == connection.session.address;
            for own in self.outbox.deliveries.extract_if(delivered_before.., to_itself) {
                own.message.write(&mut Reply::new(&mut connection.output, Protocol::Resp3));
            }
        }
        let elapsed = start.elapsed().as_nanos() as u64;
        statistics.executed(id, 1, elapsed);
        if self.config.is_slow(elapsed) && !listed.command.flags.has(Flags::SKIP_SLOWLOG) {
            self.log_slow(token, elapsed, &arguments);
        }
        self.look_at_config();
        self.post();
    }

    #[cold]
    pub(super) fn log_slow(&self, token: usize, nanoseconds: u64, arguments: &OwnedArguments) {
        let Some(connection) = self.connections.get(token) else { return };
        let record = &connection.session.record;
        self.server.log_slow(&self.config, self.now, nanoseconds, arguments.borrow(), record);
    }
}
