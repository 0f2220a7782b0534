//! One turn of the event loop: read what the clients sent, execute it, write the replies.
//!
//! # A turn
//!
//! 1. Every connection that is ready is read from, once, unless what it sent before is still to be executed.
//! 2. Its requests are executed in their order. Writes of all connections are gathered into batches: a connection goes on
//!    past a write only to another write, until the batch has been executed. Reads run on the worker's replica at once.
//! 3. The replies are sent, one system call for each connection.
//! 4. Commands that may read much (they lack the flag `fast`) wait until here; some are executed, for a tenth of a
//!    millisecond, and then the loop looks for new requests again: a short command waits for one long read of its worker
//!    at most.

mod connections;
mod footprint;
mod mail;
mod output;
mod reads;
mod timers;
mod turn;
mod writes;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::net::{TcpListener, UnixStream};
use mio::{Events, Interest, Poll, Token};
use nr::OwnedHandle;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use slab::Slab;

use crate::commands::command::Outbox;
use crate::commands::session::Replies;
use crate::commands::state::WorkerStatistics;
use crate::commands::{CommandId, Server, Session};
use crate::config::Config;
use crate::log;
use crate::net::connection::Connection;
use crate::net::mailbox::{Link, Mail};
use crate::resp::request;
use crate::store::Keyspace;
use crate::store::operation::{Effects, Operation, Response, Work};

/// The most writes that are executed as one batch.
pub const BATCH: usize = 128;
/// The most bytes read from a connection in one turn.
const READ: usize = 64 * 1024;
/// A connection whose commands have written more than this waits for the next turn with the rest.
const OUTPUT_PER_TURN: usize = 1 << 20;
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
    /// Connections that asked for a pause which another worker may not know of yet.
    pausing: Vec<usize>,
    /// Connections that wait, before they publish more, for other workers to take what was published.
    held: Vec<usize>,
    batch: Vec<Operation>,
    /// Whose writes the batch holds.
    batch_owners: Vec<(usize, CommandId)>,
    /// About how many bytes the writes of the batch may add to what the server uses; counted only while that is limited.
    batch_growth: u64,
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
    /// Whether the mailbox holds more than one turn takes.
    more_mail: bool,
    /// When to accept connections again, after the system has refused one or there were many.
    accept_again: Option<Instant>,
    /// Whether a client has been over its soft limit of output.
    over_soft_limit: bool,
    next_expiry_round: Option<Instant>,
    next_housekeeping: Instant,
    stopping: Option<Instant>,
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
            pausing: Vec::new(),
            held: Vec::new(),
            batch: Vec::with_capacity(BATCH),
            batch_owners: Vec::with_capacity(BATCH),
            batch_growth: 0,
            reads: Vec::new(),
            buffer: vec![0; READ].into(),
            outbox: Outbox::default(),
            deadlines: BTreeSet::new(),
            random: SmallRng::from_os_rng(),
            now: milliseconds(),
            config,
            more_mail: false,
            accept_again: None,
            over_soft_limit: false,
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
                log::warning(format_args!("worker {}: can't wait for events: {error}", self.index));
                self.server.shutdown.store(true, Ordering::Release);
            }
            self.now = milliseconds();
            self.look_at_config();
            self.keep_pause();
            self.take_events(&events);
            self.statistics().turns.add(1);
            self.turn();
            self.timers();
            if self.is_over() {
                break;
            }
        }
    }

    fn take_events(&mut self, events: &Events) {
        // Sockets first: mail and listeners may put a new connection into the place of one that has ended, which the
        // events of the old one must not meet.
        let mut mail = self.more_mail;
        let mut accepting = false;
        for event in events {
            match event.token() {
                MAILBOX => mail = true,
                SIGNALS => self.take_signal(),
                Token(token) if token > usize::MAX / 2 => accepting = true,
                Token(token) => self.socket_event(
                    token,
                    event.is_readable() || event.is_error(),
                    event.is_read_closed(),
                    event.is_writable(),
                ),
            }
        }
        if mail {
            self.take_mail();
        }
        if accepting {
            self.accept_all();
        }
        self.release_held();
        self.release_pausing();
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
            log::set_level(self.config.loglevel);
            if self.index == 0 && self.config.maxmemory > 0 {
                // What is over a new limit doesn't wait for the next write. There may be nothing that can go.
                let _ = self.make_room();
            }
        }
    }

    fn limits(&self) -> request::Limits {
        request::Limits { bulk: self.config.proto_max_bulk_len as usize, ..request::Limits::default() }
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

    /// Puts an operation through the log that no command of a client asked for.
    fn write(&mut self, work: Work) -> Response {
        let operation = Operation { origin: self.handle.replica_id(), work };
        let mut response = self.handle.execute_mut(operation);
        if let Some(effects) = response.effects.take() {
            self.take_effects(*effects);
        }
        response
    }

    fn take_effects(&mut self, mut effects: Effects) {
        self.outbox.take(&mut effects);
    }

    fn take_signal(&mut self) {
        let mut bytes = [0; 16];
        if let Some(signals) = &mut self.signals {
            // What the pipe holds says nothing but that a signal came.
            let _ = signals.read(&mut bytes);
        }
        log::notice("asked to end by a signal");
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

/// Notes that a reply was longer than it may be, if the client wants it.
#[cold]
fn overflow(session: &mut Session) {
    session.overflowed |= matches!(session.replies, Replies::On | Replies::SkipNext);
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
