//! The structure that is replicated.

use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use nr::{Dispatch, ReplicaId};

use super::access::AccessClock;
use super::blocked::{Blocked, Wait};
use super::call::{Call, OwnedArguments, OwnedCall};
use super::database::Database;
use super::edit::{Edit, Mode};
use super::garbage::Garbage;
use super::operation::{
    Delivery, Effects, Function, Operation, Outcome, Response, Transaction, Unblocked, Work, WriteFunction,
};
use super::subscriptions::{Subscriptions, Topic};
use super::watched::Watched;
use super::{Error, SmallBytes, Value, View};
use crate::config::{Config, EventFlags};
use crate::resp::Reply;

/// Collections of up to so many elements are freed on the spot.
const SMALL: usize = 64;

/// Everything that commands work on, as each replica holds it.
#[derive(Debug)]
pub struct Keyspace {
    /// Which replica this is.
    replica: ReplicaId,
    /// The numbered databases.
    pub databases: Vec<Database>,
    /// Clients that wait for keys.
    pub blocked: Blocked,
    /// Keys that clients watch.
    pub watched: Watched,
    /// Who listens to which channels.
    pub subscriptions: Subscriptions,
    /// The configuration.
    pub config: Arc<Config>,
    /// How entries remember when or how often they were used, as the configuration has it.
    pub access_clock: AccessClock,
    /// What has happened to keys.
    pub counters: Counters,
    /// How many changes there have been.
    pub dirty: u64,
    /// Frees what is large.
    garbage: Sender<Garbage>,
    /// Where replies are written before their lengths are known.
    scratch: Vec<u8>,
}

/// What has happened to keys since the start, or since the counters were reset.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Keys removed as their time had passed.
    pub expired: u64,
    /// Keys removed to make room.
    pub evicted: u64,
}

impl Keyspace {
    /// An empty keyspace. What is large and to be freed goes to `garbage`.
    pub fn new(replica: ReplicaId, config: Arc<Config>, garbage: Sender<Garbage>) -> Self {
        Keyspace {
            replica,
            databases: (0..config.databases).map(|_| Database::default()).collect(),
            blocked: Blocked::default(),
            watched: Watched::default(),
            subscriptions: Subscriptions::default(),
            access_clock: AccessClock::of(&config),
            config,
            counters: Counters::default(),
            dirty: 0,
            garbage,
            scratch: Vec::new(),
        }
    }

    /// The arguments of a command that took so long that it is to be logged.
    fn slow_arguments(&self, nanoseconds: u64, operation: &Operation) -> Option<Box<OwnedArguments>> {
        match &operation.work {
            Work::Command { call, .. } if self.config.is_slow(nanoseconds) => Some(Box::new(call.arguments.clone())),
            _ => None,
        }
    }

    /// Lets go of a value, a large one through the thread that frees.
    #[inline]
    pub(super) fn discard(&self, value: Value) {
        if value.elements() > SMALL {
            // If that thread is gone, the value is dropped here with the error.
            let _ = self.garbage.send(Garbage::new(value, 1));
        }
    }

    pub(super) fn discard_database(&self, database: Database) {
        if !database.is_empty() {
            let keys = database.len();
            let _ = self.garbage.send(Garbage::new(database, keys));
        }
    }

    /// Appends the messages of a keyspace event.
    pub(super) fn publish_event(
        &self,
        database: usize,
        class: EventFlags,
        event: &str,
        key: &[u8],
        deliveries: &mut Vec<Delivery>,
    ) {
        let wanted = self.config.notify_keyspace_events;
        if !wanted.contains(class) {
            return;
        }
        if wanted.contains(EventFlags::KEYSPACE) {
            let channel = [format!("__keyspace@{database}__:").as_bytes(), key].concat();
            self.subscriptions.publish(Topic::Channel, &channel, event.as_bytes(), deliveries);
        }
        if wanted.contains(EventFlags::KEYEVENT) {
            let channel = format!("__keyevent@{database}__:{event}");
            self.subscriptions.publish(Topic::Channel, channel.as_bytes(), key, deliveries);
        }
    }

    /// Executes one function, with its reply at the end of `out`; gives what it wants to wait for, if it does.
    fn execute(
        &mut self,
        function: Function,
        call: &Call<'_>,
        mode: Mode<'_>,
        effects: Option<&mut Effects>,
        out: &mut Vec<u8>,
    ) -> Option<super::edit::WaitRequest> {
        let start = out.len();
        let mut reply =
            if effects.is_some() { Reply::new(out, call.protocol).limited(call.ceiling) } else { Reply::muted(out) };
        let (result, wait) = match function {
            Function::Read(_) if reply.is_muted() => (Ok(()), None),
            Function::Read(function) => {
                let view = View::new(self, call.database, call.now);
                (guard(|| function(&view, call, &mut reply)), None)
            }
            Function::Write(function) => {
                let mut edit = Edit::new(self, effects, call, mode);
                (guard(|| function(&mut edit, call, &mut reply)), edit.into_wait())
            }
        };
        if let Err(error) = result {
            reply.truncate(start);
            reply.error(error.text());
        }
        wait
    }

    fn command(
        &mut self,
        function: WriteFunction,
        call: &OwnedCall,
        mut effects: Option<&mut Effects>,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let wait = self.execute(Function::Write(function), &call.borrow(), Mode::Direct, effects.as_deref_mut(), out);
        let outcome = match wait {
            None => Outcome::Done,
            Some(wait) => {
                let timeout = wait.timeout;
                self.blocked.wait(function, call.clone(), wait.keys);
                Outcome::Blocked { timeout }
            }
        };
        self.serve(call.now, effects);
        outcome
    }

    fn transaction(
        &mut self,
        transaction: &Transaction,
        mut effects: Option<&mut Effects>,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let permitted = self.watched.permits(transaction.client, &self.databases, transaction.now);
        self.watched.unwatch(transaction.client);
        if !permitted {
            return Outcome::Aborted;
        }
        let mut ends = Vec::with_capacity(transaction.commands.len());
        for (function, call) in &transaction.commands {
            self.execute(*function, &call.borrow(), Mode::Transaction, effects.as_deref_mut(), out);
            ends.push(out.len());
        }
        self.serve(transaction.now, effects);
        Outcome::Transaction(ends.into())
    }

    /// Serves clients that wait for keys which were changed, until there is none any more.
    #[inline]
    fn serve(&mut self, now: i64, effects: Option<&mut Effects>) {
        if !self.blocked.is_empty() {
            self.serve_ready(now, effects);
        }
    }

    /// Keys are served in the order in which they were first changed; the clients that wait for one in the order in which
    /// they came, while there is something for them. What they do may make further keys ready.
    #[cold]
    fn serve_ready(&mut self, now: i64, mut effects: Option<&mut Effects>) {
        while let Some((database, key)) = self.blocked.take_ready() {
            let mut from = 0;
            while self.databases[database as usize].live(&key, now).is_some_and(|entry| entry.value.is_waited_for())
                && let Some((number, wait)) = self.blocked.next(database, &key, from)
            {
                from = number + 1;
                self.serve_wait(&wait, &key, now, effects.as_deref_mut());
            }
        }
    }

    /// Executes a command that waits once more, as `key` was changed; it goes on waiting if it finds nothing there.
    fn serve_wait(&mut self, wait: &Wait, key: &[u8], now: i64, mut effects: Option<&mut Effects>) {
        let mut out = Vec::new();
        let call = Call { now, ..wait.call.borrow() };
        let function = Function::Write(wait.function);
        let again = self.execute(function, &call, Mode::Serving(key), effects.as_deref_mut(), &mut out);
        if again.is_none() {
            self.blocked.remove(call.client.client);
            if let Some(effects) = effects {
                let reply = if out.len() > call.ceiling { Vec::new() } else { out };
                effects.served.push((call.client, reply));
            }
        }
    }

    fn expire(&mut self, now: i64, limit: usize, effects: Option<&mut Effects>) -> Outcome {
        let mut deliveries = Vec::new();
        let mut removed = 0;
        for index in 0..self.databases.len() {
            while removed < limit {
                let Some(key) = self.databases[index].first_expired(now).map(|entry| entry.key().clone()) else {
                    break;
                };
                self.remove_for(index, &key, EventFlags::EXPIRED, "expired", &mut deliveries);
                self.counters.expired += 1;
                removed += 1;
            }
        }
        if let Some(effects) = effects {
            effects.deliveries = deliveries;
        }
        if removed == 0 { Outcome::Nothing } else { Outcome::Done }
    }

    fn evict(&mut self, keys: &[(u32, SmallBytes)], effects: Option<&mut Effects>) -> Outcome {
        let mut deliveries = Vec::new();
        for (database, key) in keys {
            if self.remove_for(*database as usize, key, EventFlags::EVICTED, "evicted", &mut deliveries) {
                self.counters.evicted += 1;
            }
        }
        if let Some(effects) = effects {
            effects.deliveries = deliveries;
        }
        Outcome::Done
    }

    /// Removes a key that no client asked to remove.
    fn remove_for(
        &mut self,
        database: usize,
        key: &[u8],
        class: EventFlags,
        event: &str,
        deliveries: &mut Vec<Delivery>,
    ) -> bool {
        let Some(entry) = self.databases[database].remove(key) else { return false };
        self.discard(entry.value);
        if !self.watched.is_empty() {
            self.watched.touch(database as u32, key, false);
        }
        self.publish_event(database, class, event, key, deliveries);
        true
    }

    fn unblock(&mut self, client: u64, with: Unblocked, effects: Option<&mut Effects>) -> Outcome {
        let Some(wait) = self.blocked.remove(client) else { return Outcome::Nothing };
        if let Some(effects) = effects {
            let mut out = Vec::new();
            let call = wait.call.borrow();
            let mut reply = Reply::new(&mut out, call.protocol);
            match with {
                Unblocked::Error => reply.error("UNBLOCKED client unblocked via CLIENT UNBLOCK"),
                // Of so many replicas that `WAIT` waited for; it is the one command that waits for no key.
                Unblocked::TimedOut if wait.keys.is_empty() => reply.integer(0),
                // Also where the command's answer is another null when it finds nothing and doesn't wait.
                Unblocked::TimedOut => reply.null_array(),
            }
            effects.served.push((call.client, out));
        }
        Outcome::Done
    }
}

impl Dispatch for Keyspace {
    /// A function of a command that reads, its call and where its reply goes.
    type ReadOperation<'a> = (super::operation::ReadFunction, &'a Call<'a>, &'a mut Reply<'a>);
    type WriteOperation = Operation;
    type Response = Response;

    fn dispatch(&self, (function, call, reply): Self::ReadOperation<'_>) -> Response {
        let start = reply.len();
        if let Err(error) = function(&View::new(self, call.database, call.now), call, reply) {
            reply.truncate(start);
            reply.error(error.text());
        }
        Response::default()
    }

    fn dispatch_mut(&mut self, operation: &Operation) -> Response {
        let mut effects = Effects::default();
        let told = (operation.origin == self.replica).then_some(&mut effects);
        let mut out = std::mem::take(&mut self.scratch);
        let mut start = None;
        let mut outcome = match &operation.work {
            Work::Command { function, call, timed } => {
                start = (*timed && told.is_some()).then(Instant::now);
                self.command(*function, call, told, &mut out)
            }
            Work::Transaction(transaction) => self.transaction(transaction, told, &mut out),
            Work::Expire { now, limit } => self.expire(*now, *limit, told),
            Work::Evict { keys, .. } => self.evict(keys, told),
            Work::Unblock { client, reply } => self.unblock(*client, *reply, told),
            Work::Unwatch { client } => {
                self.watched.unwatch(*client);
                Outcome::Done
            }
            Work::Forget { client } => {
                self.blocked.remove(*client);
                self.watched.unwatch(*client);
                self.subscriptions.forget(*client);
                Outcome::Done
            }
            Work::Configure(config) => {
                self.access_clock = AccessClock::of(config);
                self.config = config.clone();
                Outcome::Done
            }
        };
        if out.len() > operation.work.ceiling() {
            outcome = Outcome::TooLong;
            out = Vec::new();
        }
        let reply =
            if out.len() > LARGE_REPLY { SmallBytes::from(std::mem::take(&mut out)) } else { SmallBytes::new(&out) };
        out.clear();
        self.scratch = out;
        let effects = if effects.is_empty() { None } else { Some(Box::new(effects)) };
        let nanoseconds = start.and_then(|start| NonZeroU64::new(start.elapsed().as_nanos() as u64));
        let slow = nanoseconds.and_then(|nanoseconds| self.slow_arguments(nanoseconds.get(), operation));
        Response { reply, outcome, effects, nanoseconds, slow }
    }
}

/// Makes an error of a panic. It comes on every replica alike, after the same changes, so that they stay equal, and the
/// other clients go on.
fn guard(work: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Error::INTERNAL))
}

/// Longer replies are moved rather than copied.
const LARGE_REPLY: usize = 16 * 1024;
