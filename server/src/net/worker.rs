//! One turn of the event loop: read what the clients sent, execute it, write the replies.
//!
//! # A turn
//!
//! 1. Every connection that is ready is read from, once.
//! 2. Its requests are executed in their order. Writes of all connections are gathered into batches: a connection goes on
//!    past a write only to another write, until the batch has been executed. Reads run on the worker's replica at once.
//! 3. The replies are sent, one system call for each connection.
//! 4. Commands that may read much (they lack the flag `fast`) wait until here; some are executed, for as long as
//!    [`SLOW_BUDGET`] lasts, and then the loop looks for new requests again: a short command waits for one long read of
//!    its worker at most.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::net::{TcpListener, TcpStream, UnixStream};
use mio::{Events, Interest, Poll, Token};
use nr::OwnedHandle;
use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};
use slab::Slab;

use super::connection::{Connection, Received};
use super::mailbox::{Link, Mail};
use crate::commands::command::Outbox;
use crate::commands::session::{Queue, Replies};
use crate::commands::state::{ClientRecord, WorkerStatistics, lock};
use crate::commands::{Command, CommandId, Context, Flags, Run, Server, Session, table, transaction};
use crate::config::Config;
use crate::memory;
use crate::resp::{Protocol, Reply, request};
use crate::store::operation::{Effects, Operation, Outcome, Response, Unblocked, Work};
use crate::store::{Call, ClientAddress, Error, Keyspace, OwnedArguments, View};

/// The most writes that are executed as one batch.
pub const BATCH: usize = 128;
/// The most bytes read from a connection in one turn.
const READ: usize = 64 * 1024;
/// A connection whose commands have written more than this waits for the next turn with the rest.
const OUTPUT_PER_TURN: usize = 1 << 20;
/// A client that has not given the password, and does not read, may have as much output.
const OUTPUT_UNAUTHENTICATED: u64 = 1024;
/// The most reads executed without letting writers in.
const READS: usize = 64;
/// How long commands that read much are executed before the loop looks for others.
const SLOW_BUDGET: Duration = Duration::from_micros(100);
/// How often keys that have expired are looked for, if there are keys that expire.
const EXPIRY_INTERVAL: Duration = Duration::from_millis(100);
/// The longest that removing expired keys may take before clients are served again.
const EXPIRY_BUDGET: Duration = Duration::from_millis(5);
/// Keys removed by one operation.
const EXPIRY_BATCH: usize = 128;
/// How often idle clients and those that read too slowly are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// The token of the mailbox; those of connections count from 0.
pub const MAILBOX: Token = Token(usize::MAX - 1);
/// The token of the pipe that signals write to.
pub const SIGNALS: Token = Token(usize::MAX - 2);
/// The token of the first listener; the others count down from it.
pub const LISTENERS: Token = Token(usize::MAX - 3);

/// The time in milliseconds since 1970.
pub fn milliseconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// A worker: an event loop with its own connections and its own handle to the keyspace.
#[derive(Debug)]
pub struct Worker {
    index: usize,
    server: Arc<Server>,
    handle: OwnedHandle<Keyspace>,
    poll: Poll,
    mailbox: Receiver<Mail>,
    links: Arc<[Link]>,
    listeners: Vec<TcpListener>,
    signals: Option<UnixStream>,
    connections: Slab<Connection>,
    /// The index of each client's connection.
    clients: HashMap<u64, usize>,
    /// Connections to be served in this turn or the next.
    ready: Vec<usize>,
    /// Connections that go on once the batch is executed.
    next: Vec<usize>,
    /// Connections whose next command may read much.
    slow: VecDeque<usize>,
    /// Connections with output to send.
    dirty: Vec<usize>,
    /// Connections that wait for a pause to end.
    paused: Vec<usize>,
    batch: Vec<Operation>,
    /// Whose writes the batch holds.
    batch_owners: Vec<(usize, CommandId)>,
    /// The commands of one run of reads.
    reads: Vec<CommandId>,
    buffer: Box<[u8]>,
    outbox: Outbox,
    /// When waits for keys end: milliseconds since 1970 and the client.
    deadlines: BTreeSet<(i64, u64)>,
    random: SmallRng,
    now: i64,
    config: Arc<Config>,
    config_version: u64,
    next_expiry_round: Option<Instant>,
    next_housekeeping: Instant,
    stopping: Option<Instant>,
}

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
}

/// In which part of a turn a connection is served.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    Fast,
    Slow,
}

/// What a worker is made of.
#[derive(Debug)]
pub struct Parts {
    /// Its index.
    pub index: usize,
    /// What all workers share.
    pub server: Arc<Server>,
    /// Its way to the keyspace.
    pub handle: OwnedHandle<Keyspace>,
    /// Its selector, with the mailbox registered as [`MAILBOX`].
    pub poll: Poll,
    /// Its mailbox.
    pub mailbox: Receiver<Mail>,
    /// The ways to all mailboxes.
    pub links: Arc<[Link]>,
    /// The listeners that it accepts from.
    pub listeners: Vec<TcpListener>,
    /// The pipe that signals to end write to.
    pub signals: Option<UnixStream>,
}

impl Worker {
    /// A worker without connections.
    ///
    /// # Errors
    ///
    /// If the listeners can't be registered.
    pub fn new(mut parts: Parts) -> io::Result<Worker> {
        for (index, listener) in parts.listeners.iter_mut().enumerate() {
            parts.poll.registry().register(listener, Token(LISTENERS.0 - index), Interest::READABLE)?;
        }
        if let Some(signals) = &mut parts.signals {
            parts.poll.registry().register(signals, SIGNALS, Interest::READABLE)?;
        }
        let config = parts.server.config();
        Ok(Worker {
            index: parts.index,
            config_version: parts.server.config_version(),
            server: parts.server,
            handle: parts.handle,
            poll: parts.poll,
            mailbox: parts.mailbox,
            links: parts.links,
            listeners: parts.listeners,
            signals: parts.signals,
            connections: Slab::new(),
            clients: HashMap::new(),
            ready: Vec::new(),
            next: Vec::new(),
            slow: VecDeque::new(),
            dirty: Vec::new(),
            paused: Vec::new(),
            batch: Vec::with_capacity(BATCH),
            batch_owners: Vec::with_capacity(BATCH),
            reads: Vec::with_capacity(READS),
            buffer: vec![0; READ].into(),
            outbox: Outbox::default(),
            deadlines: BTreeSet::new(),
            random: SmallRng::from_os_rng(),
            now: milliseconds(),
            config,
            next_expiry_round: None,
            next_housekeeping: Instant::now() + HOUSEKEEPING,
            stopping: None,
        })
    }

    /// Serves clients until the server is to end.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        loop {
            let timeout = self.timeout();
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != ErrorKind::Interrupted
            {
                eprintln!("nr-server: worker {}: can't wait for events: {error}", self.index);
                self.server.shutdown.store(true, Ordering::Release);
            }
            self.now = milliseconds();
            self.look_at_config();
            for event in &events {
                match event.token() {
                    MAILBOX => self.take_mail(),
                    SIGNALS => self.take_signal(),
                    Token(token) if token > usize::MAX / 2 => self.accept(LISTENERS.0 - token),
                    Token(token) => self.socket_event(
                        token,
                        event.is_readable() || event.is_error(),
                        event.is_read_closed(),
                        event.is_writable(),
                    ),
                }
            }
            self.statistics().turns.add(1);
            self.turn();
            self.timers();
            if self.is_over() {
                break;
            }
        }
    }

    fn statistics(&self) -> &WorkerStatistics {
        &self.server.workers[self.index]
    }

    fn look_at_config(&mut self) {
        let version = self.server.config_version();
        if version != self.config_version {
            self.config_version = version;
            self.config = self.server.config();
            let limits = self.limits();
            for (_, connection) in &mut self.connections {
                let authenticated = connection.session.authenticated || self.config.requirepass.is_empty();
                *connection.limits_mut() = request::Limits { authenticated, ..limits };
            }
            if self.index == 0 && self.config.maxmemory > 0 {
                // What is over a new limit doesn't wait for the next write. There may be nothing that can go.
                let _ = self.make_room();
            }
        }
    }

    fn limits(&self) -> request::Limits {
        request::Limits { bulk: self.config.proto_max_bulk_len as usize, ..request::Limits::default() }
    }

    // --- Waiting ---------------------------------------------------------------------------------------------------

    /// How long to wait for events; `None` until there are some.
    fn timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() || !self.slow.is_empty() {
            return Some(Duration::ZERO);
        }
        let mut timeout = None;
        let mut at_most = |duration: Duration| timeout = Some(timeout.map_or(duration, |other: Duration| other.min(duration)));
        let until = |time: i64| Duration::from_millis(time.saturating_sub(milliseconds()).max(0) as u64);
        if let Some((deadline, _)) = self.deadlines.first() {
            at_most(until(*deadline));
        }
        if !self.paused.is_empty() {
            // Relaxed: who changes the pause wakes this worker by mail afterwards.
            at_most(until(self.server.paused_until.load(Ordering::Relaxed)));
        }
        if let Some(round) = self.next_expiry_round {
            at_most(round.saturating_duration_since(Instant::now()));
        }
        if self.wants_housekeeping() {
            at_most(self.next_housekeeping.saturating_duration_since(Instant::now()));
        }
        if let Some(stop) = self.stopping {
            at_most(stop.saturating_duration_since(Instant::now()));
        }
        timeout
    }

    fn wants_housekeeping(&self) -> bool {
        let limited = self.config.client_output_buffer_limit.iter().any(|limit| limit.soft > 0);
        !self.connections.is_empty()
            && (self.config.timeout > 0
                || (limited && self.connections.iter().any(|(_, connection)| connection.over_soft_limit.is_some())))
    }

    fn timers(&mut self) {
        while let Some((deadline, client)) = self.deadlines.first().copied()
            && deadline <= self.now.max(milliseconds())
        {
            self.deadlines.remove(&(deadline, client));
            self.unblock(client, Unblocked::TimedOut);
        }
        if self.index == 0 {
            self.expire();
        }
        if !self.paused.is_empty() && !self.is_paused() {
            for token in std::mem::take(&mut self.paused) {
                if let Some(connection) = self.connections.get_mut(token) {
                    connection.paused = false;
                    self.enqueue(token);
                }
            }
        }
        if self.next_housekeeping <= Instant::now() {
            self.next_housekeeping = Instant::now() + HOUSEKEEPING;
            self.housekeeping();
        }
        self.post();
        self.send_all();
    }

    /// Removes keys that have expired, if it is time to.
    fn expire(&mut self) {
        // Acquire: pairs with the Release of who arms it, whose key is then found below.
        if self.next_expiry_round.is_none() && self.server.expiry_armed.load(Ordering::Acquire) {
            self.next_expiry_round = Some(Instant::now() + EXPIRY_INTERVAL);
        }
        let Some(due) = self.next_expiry_round else { return };
        if due > Instant::now() {
            return;
        }
        // Relaxed: a switch for tests.
        if self.server.active_expire.load(Ordering::Relaxed) && !self.is_paused() {
            let start = Instant::now();
            while start.elapsed() < EXPIRY_BUDGET {
                let work = Work::Expire { now: milliseconds(), limit: EXPIRY_BATCH };
                if matches!(self.write(work).outcome, Outcome::Nothing) {
                    break;
                }
            }
            self.server.note_latency(&self.config, "expire-cycle", self.now, start.elapsed());
        }
        let any = |keyspace: &Keyspace| keyspace.databases.iter().any(|database| !database.expires_nothing());
        self.next_expiry_round = Some(Instant::now() + EXPIRY_INTERVAL);
        if !self.handle.read(any) {
            // Disarm, then look once more: a key that came in between has either seen it disarmed and arms it again, or
            // is seen here. SeqCst: the store must come before the look.
            self.server.expiry_armed.store(false, Ordering::SeqCst);
            if self.handle.read(any) {
                self.server.expiry_armed.store(true, Ordering::SeqCst);
            } else {
                self.next_expiry_round = None;
            }
        }
    }

    fn housekeeping(&mut self) {
        let idle = i64::from(self.config.timeout) * 1000;
        let mut over = Vec::new();
        for (token, connection) in &self.connections {
            // Relaxed: this thread writes it.
            let last = connection.session.record.last_interaction.load(Ordering::Relaxed);
            let is_idle = idle > 0
                && self.now - last > idle
                && connection.waiting.is_none()
                && connection.session.subscriptions == 0;
            if is_idle || self.is_over_limit(connection) {
                over.push(token);
            }
        }
        for token in over {
            self.close(token);
        }
    }

    /// Whether the client's unsent output is over a limit, for too long if that is the soft one.
    fn is_over_limit(&self, connection: &Connection) -> bool {
        let limit = &self.config.client_output_buffer_limit[if connection.session.subscriptions > 0 { 2 } else { 0 }];
        let unsent = connection.unsent() as u64;
        (unsent > OUTPUT_UNAUTHENTICATED && !self.is_authenticated(&connection.session))
            || (limit.hard > 0 && unsent > limit.hard)
            || (limit.soft > 0
                && unsent > limit.soft
                && connection
                    .over_soft_limit
                    .is_some_and(|since| since.elapsed() > Duration::from_secs(limit.soft_seconds)))
    }

    // --- Connections -----------------------------------------------------------------------------------------------

    fn accept(&mut self, listener: usize) {
        loop {
            let accepted = match self.listeners.get(listener) {
                Some(listener) => listener.accept(),
                None => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    if let Err(refusal) = self.admit(peer.ip().is_loopback()) {
                        self.statistics().rejected_connections.add(1);
                        let mut stream = stream;
                        // The client is told if its socket takes the line, as it does when it is new.
                        let _ = stream.write(refusal.as_bytes());
                        continue;
                    }
                    self.assign(stream);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A connection that ended before it was accepted.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Out of descriptors, most likely. The listener tells of the waiting connections only once, so look
                    // again a little later.
                    eprintln!("nr-server: can't accept a connection: {error}");
                    std::thread::sleep(Duration::from_millis(10));
                    self.links[self.index].send(Mail::Look);
                    return;
                }
            }
        }
    }

    /// Whether one more connection is welcome.
    fn admit(&self, from_this_machine: bool) -> Result<(), &'static str> {
        if lock(&self.server.clients).len() >= self.config.maxclients as usize {
            return Err("-ERR max number of clients reached\r\n");
        }
        if self.config.protected_mode && self.config.requirepass.is_empty() && !from_this_machine {
            return Err("-DENIED Only connections from this machine are accepted: the server runs in protected mode and \
                        has no password. Set one with 'requirepass', or turn 'protected-mode' off.\r\n");
        }
        Ok(())
    }

    /// Gives a new connection to the worker that has the fewest.
    fn assign(&mut self, stream: TcpStream) {
        let mut counts = vec![0; self.links.len()];
        let address = ClientAddress { client: self.server.next_client(), worker: 0 };
        let mut clients = lock(&self.server.clients);
        for record in clients.values() {
            counts[record.address.worker as usize] += 1;
        }
        // The last of the least: the first worker also accepts.
        let worker = (0..counts.len()).rev().min_by_key(|worker| counts[*worker]).unwrap_or(0);
        let address = ClientAddress { worker: worker as u32, ..address };
        let name = |address: io::Result<std::net::SocketAddr>| address.map_or(String::new(), |address| address.to_string());
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&stream);
        let (peer, local) = (name(stream.peer_addr()), name(stream.local_addr()));
        let record = Arc::new(ClientRecord::new(address, peer, local, descriptor, self.now));
        clients.insert(address.client, record.clone());
        drop(clients);
        self.statistics().connections.add(1);
        if worker == self.index {
            self.connect(stream, record);
        } else {
            self.links[worker].send(Mail::Connection(stream, record));
        }
    }

    fn connect(&mut self, mut stream: TcpStream, record: Arc<ClientRecord>) {
        if !lock(&self.server.clients).contains_key(&record.address.client) {
            // It was killed on its way here.
            return;
        }
        // Replies are whole when they are sent: waiting for more to send gains nothing. A socket that refuses is closed.
        let _ = stream.set_nodelay(true);
        super::listener::keep_alive(&stream, self.config.tcp_keepalive);
        let entry = self.connections.vacant_entry();
        let token = entry.key();
        let interests = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut stream, Token(token), interests).is_err() {
            lock(&self.server.clients).remove(&record.address.client);
            return;
        }
        let authenticated = self.config.requirepass.is_empty();
        let limits = request::Limits {
            authenticated,
            bulk: self.config.proto_max_bulk_len as usize,
            ..request::Limits::default()
        };
        self.clients.insert(record.address.client, token);
        let session = Session::new(record.address, record, authenticated);
        entry.insert(Connection::new(stream, session, limits));
    }

    fn close(&mut self, token: usize) {
        let Some(mut connection) = self.connections.try_remove(token) else { return };
        let client = connection.session.address.client;
        // The socket is closed with the connection, registered or not.
        let _ = self.poll.registry().deregister(connection.stream_mut());
        self.clients.remove(&client);
        lock(&self.server.clients).remove(&client);
        if let Some(Some(deadline)) = connection.waiting {
            self.deadlines.remove(&(deadline, client));
        }
        if connection.waiting.is_some() || connection.session.watching || connection.session.subscriptions > 0 {
            self.write(Work::Forget { client });
        }
        self.paused.retain(|other| *other != token);
        self.slow.retain(|other| *other != token);
        self.ready.retain(|other| *other != token);
        self.next.retain(|other| *other != token);
        self.dirty.retain(|other| *other != token);
    }

    fn socket_event(&mut self, token: usize, readable: bool, read_closed: bool, writable: bool) {
        let Some(connection) = self.connections.get_mut(token) else { return };
        if readable || read_closed {
            connection.readable = true;
            connection.read_closed |= read_closed;
            self.enqueue(token);
        }
        if writable && self.connections[token].unsent() > 0 {
            self.mark_dirty(token);
        }
    }

    fn enqueue(&mut self, token: usize) {
        let connection = &mut self.connections[token];
        if !connection.queued {
            connection.queued = true;
            self.ready.push(token);
        }
    }

    fn mark_dirty(&mut self, token: usize) {
        let connection = &mut self.connections[token];
        if !connection.dirty {
            connection.dirty = true;
            self.dirty.push(token);
        }
    }

    // --- A turn ----------------------------------------------------------------------------------------------------

    fn turn(&mut self) {
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
    }

    fn receive(&mut self, token: usize) {
        let Some(connection) = self.connections.get_mut(token) else { return };
        connection.queued = false;
        if !connection.readable {
            return;
        }
        let received = connection.receive(&mut self.buffer);
        let again = connection.readable;
        let unread = connection.unread() as u64;
        if let Received::Bytes(length) = received {
            self.server.workers[self.index].input.add(length as u64);
            if unread > self.config.client_query_buffer_limit {
                self.server.workers[self.index].query_limit_disconnections.add(1);
                self.close(token);
                return;
            }
        }
        if again {
            self.enqueue(token);
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
            if connection.session.closing || connection.waiting.is_some() || connection.paused {
                break;
            }
            if connection.output.len().saturating_sub(before) > OUTPUT_PER_TURN && connection.batched == 0 {
                if connection.unread() > 0 {
                    self.enqueue(token);
                }
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
                        self.slow.push_back(token);
                        break;
                    }
                    self.run_reads(token, id);
                    lane = Lane::Fast;
                }
                Step::Local(id) => self.run_local(token, id),
                Step::Pause => {
                    connection.paused = true;
                    self.paused.push(token);
                    break;
                }
            }
        }
        if let Some(connection) = self.connections.get_mut(token) {
            connection.publish(self.now);
            if connection.unsent() > 0 || connection.session.closing || connection.read_closed {
                self.mark_dirty(token);
            }
        }
    }

    fn is_paused(&self) -> bool {
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
        // To keep a command for a transaction takes memory, whatever it does.
        if self.config.maxmemory > 0
            && (is_queued || session.flags_of(command).has(Flags::DENYOOM))
            && !self.make_room()
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
    fn is_authenticated(&self, session: &Session) -> bool {
        session.authenticated || self.config.requirepass.is_empty()
    }

    /// Whether a pause of clients holds this command back.
    fn concerns_pause(&self, session: &Session, command: &Command) -> bool {
        let flags = session.flags_of(command);
        // Relaxed: as in `is_paused`.
        self.server.pause_all.load(Ordering::Relaxed) || flags.has(Flags::WRITE) || flags.has(Flags::MAY_REPLICATE)
    }

    /// Evicts keys until memory is below its limit; whether it is.
    fn make_room(&mut self) -> bool {
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

    /// Puts a write into the batch; whether the connection may go on.
    #[inline]
    fn gather(&mut self, token: usize, id: CommandId) -> bool {
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
        };
        connection.batched += 1;
        let timed = self.config.times_everything()
            || !(command.flags.has(Flags::FAST) || command.flags.has(Flags::BRIEF));
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

    fn execute_batch(&mut self) {
        let count = self.batch.len();
        if count == 0 {
            return;
        }
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
        if table().get(id).command.flags.has(Flags::PUBSUB) {
            // What tells of a subscription is a message and not a reply: it comes even to a client that wants no replies.
            before = connection.output.len();
        }
        settle(connection, before);
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

    /// Executes a command that reads, and those behind it that are fast and only read as well.
    fn run_reads(&mut self, token: usize, first: CommandId) {
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
            loop {
                let Run::Read(function) = table().get(id).command.run else { break };
                let (arguments, output, session) = connection.split();
                let call = Call {
                    arguments,
                    now,
                    random: random.next_u64(),
                    client: session.address,
                    database: session.database,
                    protocol: session.protocol,
                };
                let view = View::new(keyspace, call.database, now);
                let before = output.len();
                let mut reply = Reply::new(output, session.protocol);
                let result = catch_unwind(AssertUnwindSafe(|| function(&view, &call, &mut reply)));
                if let Err(error) = result.unwrap_or_else(|_| Err(Error::INTERNAL)) {
                    reply.truncate(before);
                    reply.error(error.text());
                    failed += 1;
                    server.workers[index].command(id).failed.add(1);
                    server.count_error(error.text().as_bytes());
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
                if !session.authenticated || session.subscriptions > 0 || session.transaction.is_some() {
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

    fn run_local(&mut self, token: usize, id: CommandId) {
        let connection = &mut self.connections[token];
        let listed = table().get(id);
        let start = Instant::now();
        if !listed.command.flags.has(Flags::FAST) {
            // It may look at how clients stand, this one among them.
            connection.publish(self.now);
        }
        // A local command may take the place of the connection's own state, so it works on its arguments apart.
        let arguments = connection.take_arguments();
        let session = &mut connection.session;
        let call = Call {
            arguments: arguments.borrow(),
            now: self.now,
            random: self.random.next_u64(),
            client: session.address,
            database: session.database,
            protocol: session.protocol,
        };
        let before = connection.output.len();
        let mut reply = Reply::new(&mut connection.output, session.protocol);
        let mut context = Context {
            session,
            server: &self.server,
            handle: &mut self.handle,
            config: &self.config,
            outbox: &mut self.outbox,
            command: listed.command,
        };
        let result = match listed.command.run {
            Run::Local(function) => {
                catch_unwind(AssertUnwindSafe(|| function(&mut context, &call, &mut reply)))
                    .unwrap_or_else(|_| Err(Error::INTERNAL))
            }
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
        connection.limits_mut().authenticated =
            connection.session.authenticated || self.config.requirepass.is_empty();
        settle(connection, before);
        let elapsed = start.elapsed().as_nanos() as u64;
        statistics.executed(id, 1, elapsed);
        if self.config.is_slow(elapsed) && !listed.command.flags.has(Flags::SKIP_SLOWLOG) {
            self.log_slow(token, elapsed, &arguments);
        }
        self.look_at_config();
        self.post();
    }

    // --- Telling others --------------------------------------------------------------------------------------------

    /// Puts an operation through the log that no command of a client asked for.
    fn write(&mut self, work: Work) -> Response {
        let operation = Operation { origin: self.handle.replica_id(), work };
        let mut response = self.handle.execute_mut(operation);
        if let Some(effects) = response.effects.take() {
            self.take_effects(*effects);
        }
        response
    }

    fn unblock(&mut self, client: u64, with: Unblocked) {
        self.write(Work::Unblock { client, reply: with });
        self.post();
    }

    fn take_effects(&mut self, mut effects: Effects) {
        self.outbox.take(&mut effects);
    }

    /// Tells other clients what the commands executed so far have for them.
    #[inline]
    fn post(&mut self) {
        if self.outbox.is_empty() {
            return;
        }
        self.post_all();
    }

    #[cold]
    fn post_all(&mut self) {
        let outbox = std::mem::take(&mut self.outbox);
        // SeqCst: see `expire`, which disarms and then looks.
        if outbox.expiry_set && !self.server.expiry_armed.swap(true, Ordering::SeqCst) {
            self.links[0].send(Mail::Look);
        }
        for (address, reply) in outbox.served {
            if address.worker as usize == self.index {
                self.take_answer(address, &reply);
            } else {
                self.links[address.worker as usize].send(Mail::Answer(address, reply));
            }
        }
        for delivery in outbox.deliveries {
            if delivery.client.worker as usize == self.index {
                self.deliver(&delivery);
            } else {
                self.links[delivery.client.worker as usize].send(Mail::Deliver(delivery));
            }
        }
        for address in outbox.killed {
            if address.worker as usize == self.index {
                self.kill(address);
            } else {
                self.links[address.worker as usize].send(Mail::Kill(address));
            }
        }
        if outbox.look {
            for link in self.links.iter() {
                link.send(Mail::Look);
            }
        }
    }

    fn take_mail(&mut self) {
        while let Ok(mail) = self.mailbox.try_recv() {
            match mail {
                Mail::Connection(stream, record) => self.connect(stream, record),
                Mail::Deliver(delivery) => self.deliver(&delivery),
                Mail::Answer(address, reply) => self.take_answer(address, &reply),
                Mail::Kill(address) => self.kill(address),
                Mail::Look => {
                    for listener in 0..self.listeners.len() {
                        self.accept(listener);
                    }
                }
            }
        }
    }

    /// The reply of a client that had waited for a key.
    fn take_answer(&mut self, address: ClientAddress, reply: &[u8]) {
        let Some(token) = self.clients.get(&address.client).copied() else { return };
        let connection = &mut self.connections[token];
        if let Some(Some(deadline)) = connection.waiting.take() {
            self.deadlines.remove(&(deadline, address.client));
        }
        if let Some(error) = reply.strip_prefix(b"-") {
            if let Some(id) = connection.last_command() {
                self.server.workers[self.index].command(id).failed.add(1);
            }
            self.server.count_error(error);
        }
        let before = connection.output.len();
        connection.output.extend_from_slice(reply);
        settle(connection, before);
        self.mark_dirty(token);
        self.enqueue(token);
    }

    fn deliver(&mut self, delivery: &crate::store::operation::Delivery) {
        let Some(token) = self.clients.get(&delivery.client.client).copied() else { return };
        let connection = &mut self.connections[token];
        delivery.message.write(&mut Reply::new(&mut connection.output, connection.session.protocol));
        self.mark_dirty(token);
    }

    fn kill(&mut self, address: ClientAddress) {
        let Some(token) = self.clients.get(&address.client).copied() else { return };
        let connection = &mut self.connections[token];
        if connection.batched > 0 {
            // Its writes take place, and then it is looked at again.
            connection.session.closing = true;
            self.links[self.index].send(Mail::Kill(address));
            return;
        }
        // It gets the replies to what it has sent, as far as it takes them now.
        let _ = connection.send();
        self.close(token);
    }

    // --- Sending ---------------------------------------------------------------------------------------------------

    fn send_all(&mut self) {
        let mut sent = 0;
        for token in std::mem::take(&mut self.dirty) {
            let Some(connection) = self.connections.get_mut(token) else { continue };
            connection.dirty = false;
            let result = connection.send();
            let unsent = connection.unsent();
            let over = match &result {
                Ok(length) => {
                    sent += *length as u64;
                    connection.session.closing && unsent == 0
                }
                Err(_) => true,
            };
            // A client that sends no more gets the replies to what it sent.
            let finished = connection.read_closed
                && !connection.readable
                && unsent == 0
                && !connection.queued
                && connection.request.is_none();
            if over || finished {
                self.close(token);
                continue;
            }
            if unsent > 0 {
                self.check_output(token);
            } else {
                connection.over_soft_limit = None;
            }
        }
        if sent > 0 {
            self.statistics().output.add(sent);
        }
    }

    #[cold]
    fn check_output(&mut self, token: usize) {
        let connection = &mut self.connections[token];
        let class = if connection.session.subscriptions > 0 { 2 } else { 0 };
        let limit = &self.config.client_output_buffer_limit[class];
        if limit.soft > 0 && connection.unsent() as u64 > limit.soft {
            connection.over_soft_limit.get_or_insert_with(Instant::now);
        } else {
            connection.over_soft_limit = None;
        }
        connection.publish(self.now);
        if self.is_over_limit(&self.connections[token]) {
            self.statistics().output_limit_disconnections.add(1);
            self.close(token);
        }
    }

    // --- The slow log ----------------------------------------------------------------------------------------------

    #[cold]
    fn log_slow(&self, token: usize, nanoseconds: u64, arguments: &OwnedArguments) {
        let Some(connection) = self.connections.get(token) else { return };
        let record = &connection.session.record;
        self.server.log_slow(&self.config, self.now, nanoseconds, arguments.borrow(), record);
    }

    // --- The end ---------------------------------------------------------------------------------------------------

    fn take_signal(&mut self) {
        let mut bytes = [0; 16];
        if let Some(signals) = &mut self.signals {
            // What the pipe holds says nothing but that a signal came.
            let _ = signals.read(&mut bytes);
        }
        // Release: pairs with the Acquire in `is_over`.
        self.server.shutdown.store(true, Ordering::Release);
        for link in self.links.iter() {
            link.send(Mail::Look);
        }
    }

    /// Whether the server is to end and this worker has sent what it had to, or has tried for long enough.
    fn is_over(&mut self) -> bool {
        // Acquire: pairs with the Release of who asks for the end.
        if !self.server.shutdown.load(Ordering::Acquire) {
            return false;
        }
        let patience = *self.stopping.get_or_insert_with(|| Instant::now() + Duration::from_secs(1));
        self.listeners.clear();
        let unsent = self.connections.iter().any(|(_, connection)| connection.unsent() > 0);
        (!unsent && self.ready.is_empty() && self.slow.is_empty()) || Instant::now() >= patience
    }
}

/// Leaves out a reply that the client doesn't want.
#[inline]
fn settle(connection: &mut Connection, before: usize) {
    match connection.session.replies {
        Replies::On => {}
        Replies::Off => connection.output.truncate(before),
        Replies::SkipNext => connection.session.replies = Replies::Skip,
        Replies::Skip => {
            connection.output.truncate(before);
            connection.session.replies = Replies::On;
        }
    }
}
