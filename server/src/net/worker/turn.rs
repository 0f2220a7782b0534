//! One turn: which request is executed when, and what is refused.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::RngCore;

use super::{OUTPUT_PER_TURN, Worker, settle};
use crate::commands::session::Queue;
use crate::commands::{Command, CommandId, Flags, Run, Session, table, transaction};
use crate::config::{EventFlags, MaxmemoryPolicy};
use crate::memory;
use crate::net::mailbox::Mail;
use crate::resp::{Protocol, Reply};
use crate::store::Error;

/// How long commands that read much are executed before the loop looks for others.
const SLOW_BUDGET: Duration = Duration::from_micros(100);

/// A connection whose commands have counted as much waits for the next turn with the rest. Most count one.
const SPENT_PER_TURN: u32 = 1024;
/// What a command counts that may take long.
const SPENT_BY_LONG: u32 = 16;

/// While memory is limited a batch that may take more is executed before another write is let in.
const BATCH_GROWTH: u64 = 1 << 20;

/// What is to be done with a request.
enum Step {
    /// It is answered with an error.
    Refuse(Error),
    /// It joins the client's transaction.
    Queue(CommandId),
    /// It joins the batch.
    Write(CommandId),
    /// It is executed on the replica.
    Read(CommandId),
    /// It is executed by the worker.
    Local(CommandId),
    /// It waits for a pause to end.
    Pause,
    /// It waits for other workers to take what was published to their clients.
    Hold,
}

/// In which part of a turn a connection is served.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    Fast,
    Slow,
}

impl Worker {
    pub(super) fn turn(&mut self) {
        let ready = std::mem::take(&mut self.ready);
        for token in &ready {
            self.receive(*token);
        }
        self.serve(ready);
        self.send_all();
        if !self.slow.is_empty() {
            self.serve_slow();
            self.send_all();
        }
        self.limit_clients();
        if self.config.maxmemory > 0 && !self.is_paused() {
            // What clients have not read yet takes memory too, and they need not write anything for that. There may be no
            // key that can go; then the next write is refused.
            let _ = self.make_room();
        }
    }

    /// Executes what these connections have sent, in rounds: each ends with a batch of writes.
    fn serve(&mut self, mut round: Vec<usize>) {
        while !round.is_empty() {
            for token in round.drain(..) {
                self.advance(token, Lane::Fast);
            }
            self.execute_batch();
            self.post();
            std::mem::swap(&mut round, &mut self.next);
        }
        // The allocation serves the next turn.
        if self.ready.is_empty() {
            self.ready = round;
        }
    }

    /// Executes commands that may read much, for a while.
    fn serve_slow(&mut self) {
        let start = Instant::now();
        while let Some(token) = self.slow.pop_front() {
            self.connections[token].slow = false;
            self.connections[token].spent = 0;
            self.advance(token, Lane::Slow);
            let round = std::mem::take(&mut self.next);
            self.execute_batch();
            self.serve(round);
            self.post();
            if start.elapsed() >= SLOW_BUDGET {
                break;
            }
        }
    }

    /// Executes the requests of one connection as far as it may go now.
    fn advance(&mut self, token: usize, mut lane: Lane) {
        let before = self.connections.get(token).map_or(0, |connection| connection.output.len());
        while let Some(connection) = self.connections.get_mut(token) {
            let session = &connection.session;
            if session.closing
                || session.overflowed
                || session.pausing.is_some()
                || connection.waiting.is_some()
                || connection.paused
            {
                break;
            }
            if connection.output.len().saturating_sub(before) > OUTPUT_PER_TURN && connection.batched == 0 {
                if connection.unread() > 0 {
                    self.enqueue(token);
                }
                break;
            }
            if connection.spent >= SPENT_PER_TURN {
                self.enqueue(token);
                break;
            }
            let step = match connection.next_request().map(|request| request.is_some()) {
                Ok(false) => break,
                Ok(true) => self.decide(token),
                Err(_) if connection.batched > 0 => {
                    self.next.push(token);
                    return;
                }
                Err(error) => {
                    let mut text = b"-ERR ".to_vec();
                    error.write_to(&mut text);
                    text.extend_from_slice(b"\r\n");
                    connection.output.extend_from_slice(&text);
                    connection.session.closing = true;
                    break;
                }
            };
            let connection = &mut self.connections[token];
            if connection.batched > 0 && !matches!(step, Step::Write(_)) {
                self.next.push(token);
                return;
            }
            connection.spent += match step {
                Step::Write(id) | Step::Local(id) => {
                    let flags = table().get(id).command.flags;
                    if flags.has(Flags::FAST) || flags.has(Flags::BRIEF) { 1 } else { SPENT_BY_LONG }
                }
                // `run_reads` counts how many they are.
                Step::Read(_) => 0,
                _ => 1,
            };
            match step {
                Step::Refuse(error) => self.refuse(token, error),
                Step::Queue(id) => self.queue(token, id),
                Step::Write(id) => {
                    if !self.gather(token, id) {
                        return;
                    }
                }
                Step::Read(id) => {
                    if lane == Lane::Fast && !table().get(id).command.flags.has(Flags::FAST) {
                        if !connection.slow {
                            connection.slow = true;
                            self.slow.push_back(token);
                        }
                        break;
                    }
                    self.run_reads(token, id);
                    lane = Lane::Fast;
                }
                Step::Local(id) => {
                    self.run_local(token, id);
                    self.await_pause(token);
                }
                Step::Pause => {
                    connection.paused = true;
                    self.paused.push(token);
                    break;
                }
                Step::Hold => {
                    if !connection.held {
                        connection.held = true;
                        self.held.push(token);
                    }
                    break;
                }
            }
        }
        if let Some(connection) = self.connections.get_mut(token) {
            connection.publish(self.now);
            let session = &connection.session;
            if connection.unsent() > 0 || session.closing || session.overflowed || connection.read_closed {
                self.mark_dirty(token);
            }
            self.receive_later(token);
        }
    }

    /// Says that this worker keeps to the latest pause: what it took up before is executed, for that is so between two turns,
    /// and from here on it sees the pause.
    pub(super) fn keep_pause(&mut self) {
        // Acquire: pairs with the Release of who asked for the pause.
        let pauses = self.server.pauses.load(Ordering::Acquire);
        // Relaxed: only this thread writes it.
        if pauses != self.statistics().pause_kept.load(Ordering::Relaxed) {
            // Release: pairs with the Acquire in `release_pausing`: who answers for the pause then does so after the writes.
            self.statistics().pause_kept.store(pauses, Ordering::Release);
            for (_, link) in self.links.iter().enumerate().filter(|(worker, _)| *worker != self.index) {
                link.send(Mail::Look);
            }
        }
    }

    /// If the connection has asked for a pause, it waits until all workers keep to it.
    fn await_pause(&mut self, token: usize) {
        if self.connections.get(token).is_some_and(|connection| connection.session.pausing.is_some()) {
            self.pausing.push(token);
            self.release_pausing();
        }
    }

    /// Answers the clients whose pause all other workers keep to. (What this one took up before is executed before replies are
    /// sent.)
    pub(super) fn release_pausing(&mut self) {
        if self.pausing.is_empty() {
            return;
        }
        // Acquire: pairs with the Release in `keep_pause`.
        let kept = |worker: usize| self.server.workers[worker].pause_kept.load(Ordering::Acquire);
        let others = (0..self.links.len()).filter(|worker| *worker != self.index);
        let kept = others.map(kept).min().unwrap_or(u64::MAX);
        for token in std::mem::take(&mut self.pausing) {
            let Some(connection) = self.connections.get_mut(token) else { continue };
            if connection.session.pausing.is_some_and(|number| number > kept) {
                self.pausing.push(token);
            } else {
                connection.session.pausing = None;
                self.mark_dirty(token);
                self.enqueue(token);
            }
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        // Relaxed: who changes the pause wakes the workers by mail afterwards.
        self.server.paused_until.load(Ordering::Relaxed) > self.now
    }

    /// What is to be done with the request that is parsed.
    #[inline]
    fn decide(&mut self, token: usize) -> Step {
        let connection = &self.connections[token];
        let session = &connection.session;
        let id = match connection.request.as_ref().map(|request| &request.command) {
            Some(Ok(id)) => *id,
            Some(Err(error)) => return Step::Refuse(error.clone()),
            None => return Step::Refuse(Error::SYNTAX),
        };
        let command = table().get(id).command;
        let ordinary = session.authenticated && session.subscriptions == 0 && session.transaction.is_none();
        if !ordinary && let Some(step) = self.decide_special(session, id, command) {
            return step;
        }
        if self.is_paused() && self.concerns_pause(session, command) {
            return Step::Pause;
        }
        let is_queued = session.transaction.is_some() && !command.flags.has(Flags::UNQUEUED);
        if !is_queued && self.publishes(session, command) && self.is_congested() {
            return Step::Hold;
        }
        // To keep a command for a transaction takes memory, whatever it does.
        if self.config.maxmemory > 0 && (is_queued || session.flags_of(command).has(Flags::DENYOOM)) && !self.has_room()
        {
            return Step::Refuse(Error::OUT_OF_MEMORY);
        }
        if is_queued {
            return Step::Queue(id);
        }
        match command.run {
            Run::Write(_) => Step::Write(id),
            Run::Read(_) => Step::Read(id),
            Run::Local(_) | Run::Container => Step::Local(id),
        }
    }

    #[cold]
    fn decide_special(&self, session: &Session, id: CommandId, command: &Command) -> Option<Step> {
        if !self.is_authenticated(session) && !command.flags.has(Flags::NO_AUTH) {
            return Some(Step::Refuse(Error::new("NOAUTH Authentication required.")));
        }
        if session.subscriptions > 0
            && session.protocol == Protocol::Resp2
            && !command.flags.has(Flags::WHILE_SUBSCRIBED)
        {
            let name = &table().get(id).full_name;
            return Some(Step::Refuse(
                format!(
                    "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
                     allowed in this context"
                )
                .into(),
            ));
        }
        if session.transaction.is_some() && command.flags.has(Flags::NO_MULTI) {
            return Some(Step::Refuse(Error::new("ERR Command not allowed inside a transaction")));
        }
        None
    }

    /// Whether the client has given the password, or needs none.
    pub(super) fn is_authenticated(&self, session: &Session) -> bool {
        session.authenticated || self.config.requirepass.is_empty()
    }

    /// Whether a pause of clients holds this command back.
    fn concerns_pause(&self, session: &Session, command: &Command) -> bool {
        let flags = session.flags_of(command);
        // Relaxed: as in `is_paused`.
        self.server.pause_all.load(Ordering::Relaxed) || flags.has(Flags::WRITE) || flags.has(Flags::MAY_REPLICATE)
    }

    /// Whether the command may have something to tell clients of other workers that listen.
    #[inline]
    fn publishes(&self, session: &Session, command: &Command) -> bool {
        let flags = session.flags_of(command);
        flags.has(Flags::MAY_REPLICATE)
            || (flags.has(Flags::WRITE) && self.config.notify_keyspace_events != EventFlags::NONE)
    }

    /// Whether there is room for one more write, or room has been made. The batch, which is not executed yet, is executed
    /// first if it may take much, or all that is left; where keys can go, they make up for the latter afterwards.
    fn has_room(&mut self) -> bool {
        let is_tight = self.config.maxmemory_policy == MaxmemoryPolicy::NoEviction
            && self.batch_growth > 0
            && memory::used().saturating_add(self.batch_growth) > self.config.maxmemory;
        if is_tight || self.batch_growth > BATCH_GROWTH {
            self.execute_batch();
        }
        self.make_room()
    }

    /// Evicts keys until memory is below its limit; whether it is.
    pub(super) fn make_room(&mut self) -> bool {
        let limit = self.config.maxmemory;
        if memory::used() <= limit {
            return true;
        }
        let start = Instant::now();
        let mut random = || self.random.next_u64();
        let (room, effects) =
            self.server.evictor.make_room(&mut self.handle, &self.config, self.now, memory::used, &mut random);
        self.server.note_latency(&self.config, "eviction-cycle", self.now, start.elapsed());
        for effects in effects {
            self.take_effects(effects);
        }
        room
    }

    fn refuse(&mut self, token: usize, error: Error) {
        let connection = &mut self.connections[token];
        if let Some(Ok(id)) = connection.request.as_ref().map(|request| &request.command) {
            self.server.workers[self.index].command(*id).rejected.add(1);
        } else {
            self.server.count_rejected(connection.arguments(), self.index);
        }
        let (arguments, _, session) = connection.split();
        let (error, release) = transaction::refuse(session, arguments, error);
        self.server.count_error(error.text().as_bytes());
        let before = connection.output.len();
        Reply::new(&mut connection.output, connection.session.protocol).error(error.text());
        connection.finish_request();
        settle(connection, before);
        if let Some(work) = release {
            self.write(work);
        }
    }

    fn queue(&mut self, token: usize, id: CommandId) {
        let connection = &mut self.connections[token];
        let arguments = connection.take_arguments();
        let queue = connection.session.transaction.get_or_insert_with(Queue::default);
        queue.size += arguments.size();
        queue.flags = queue.flags.and(table().get(id).command.flags);
        queue.commands.push((id, arguments));
        let before = connection.output.len();
        connection.output.extend_from_slice(b"+QUEUED\r\n");
        settle(connection, before);
    }
}
