//! Connections come and go, and are read from.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Token};

use super::Worker;
use crate::commands::Session;
use crate::commands::state::{ClientRecord, lock};
use crate::config::LogLevel;
use crate::log;
use crate::net::connection::{Connection, Received};
use crate::net::mailbox::Mail;
use crate::resp::request;
use crate::store::ClientAddress;
use crate::store::operation::Work;

/// When to look for connections again, after the system has refused to accept one.
const ACCEPT_AGAIN: Duration = Duration::from_millis(500);

/// The most connections accepted from one listener in a turn.
const ACCEPTED_PER_TURN: usize = 256;

impl Worker {
    pub(super) fn accept_all(&mut self) {
        for listener in 0..self.listeners.len() {
            self.accept(listener);
        }
    }

    fn accept(&mut self, listener: usize) {
        for _ in 0..ACCEPTED_PER_TURN {
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
                    // Out of descriptors, most likely. The listener tells of the waiting connections only once.
                    log::warning(format_args!("can't accept a connection: {error}"));
                    self.accept_again = Some(Instant::now() + ACCEPT_AGAIN);
                    return;
                }
            }
        }
        // The clients that are there come first.
        self.accept_again = Some(Instant::now());
    }

    /// Whether one more connection is welcome.
    fn admit(&self, from_this_machine: bool) -> Result<(), &'static str> {
        if lock(&self.server.clients).len() >= self.config.maxclients as usize {
            return Err("-ERR max number of clients reached\r\n");
        }
        if self.config.protected_mode && self.config.requirepass.is_empty() && !from_this_machine {
            return Err(
                "-DENIED Only connections from this machine are accepted: the server runs in protected mode and \
                        has no password. Set one with 'requirepass', or turn 'protected-mode' off.\r\n",
            );
        }
        Ok(())
    }

    /// Gives a new connection to the worker that has the fewest.
    fn assign(&mut self, stream: TcpStream) {
        // Relaxed: a recent number is good enough. The last of the least: the first worker also accepts.
        let connected = |worker: &usize| self.server.workers[*worker].connected.load(Ordering::Relaxed);
        let worker = (0..self.links.len()).rev().min_by_key(connected).unwrap_or(0);
        let address = ClientAddress { client: self.server.next_client(), worker: worker as u32 };
        let name =
            |address: io::Result<std::net::SocketAddr>| address.map_or(String::new(), |address| address.to_string());
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&stream);
        let (peer, local) = (name(stream.peer_addr()), name(stream.local_addr()));
        let record = Arc::new(ClientRecord::new(address, peer, local, descriptor, self.now));
        self.server.client_connected(record.clone());
        self.statistics().connections.add(1);
        if log::writes(LogLevel::Verbose) {
            log::write(LogLevel::Verbose, format_args!("client {} connected from {}", address.client, record.peer));
        }
        if worker == self.index {
            self.connect(stream, record);
        } else {
            self.links[worker].send(Mail::Connection(stream, record));
        }
    }

    pub(super) fn connect(&mut self, mut stream: TcpStream, record: Arc<ClientRecord>) {
        if !lock(&self.server.clients).contains_key(&record.address.client) {
            // It was killed on its way here.
            self.server.client_gone(record.address);
            return;
        }
        // Replies are whole when they are sent: waiting for more to send gains nothing. A socket that refuses is closed.
        let _ = stream.set_nodelay(true);
        crate::net::listener::keep_alive(&stream, self.config.tcp_keepalive);
        let entry = self.connections.vacant_entry();
        let token = entry.key();
        let interests = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut stream, Token(token), interests).is_err() {
            self.server.client_gone(record.address);
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

    pub(super) fn close(&mut self, token: usize) {
        let Some(mut connection) = self.connections.try_remove(token) else { return };
        let client = connection.session.address.client;
        // The socket is closed with the connection, registered or not.
        let _ = self.poll.registry().deregister(connection.stream_mut());
        self.clients.remove(&client);
        self.server.client_gone(connection.session.address);
        if log::writes(LogLevel::Verbose) {
            log::write(LogLevel::Verbose, format_args!("client {client} is gone"));
        }
        if let Some(Some(deadline)) = connection.waiting {
            self.deadlines.remove(&(deadline, client));
        }
        if connection.waiting.is_some() || connection.session.watching || connection.session.subscriptions > 0 {
            self.write(Work::Forget { client });
        }
        self.paused.retain(|other| *other != token);
        self.held.retain(|other| *other != token);
        self.pausing.retain(|other| *other != token);
        self.slow.retain(|other| *other != token);
        self.ready.retain(|other| *other != token);
        self.next.retain(|other| *other != token);
        self.dirty.retain(|other| *other != token);
    }

    pub(super) fn socket_event(&mut self, token: usize, readable: bool, read_closed: bool, writable: bool) {
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

    pub(super) fn receive(&mut self, token: usize) {
        let Some(connection) = self.connections.get_mut(token) else { return };
        connection.queued = false;
        connection.spent = 0;
        if !connection.wants_input() {
            return;
        }
        if let Received::Bytes(length) = connection.receive(&mut self.buffer) {
            self.server.workers[self.index].input.add(length as u64);
        }
    }

    /// What a connection has received is executed as far as it may be: it is read from again if it needs more, and closed if it
    /// has sent too much that can't be executed.
    #[inline]
    pub(super) fn receive_later(&mut self, token: usize) {
        let connection = &self.connections[token];
        if !connection.awaits_input() {
            return;
        }
        if connection.unread() as u64 > self.config.client_query_buffer_limit {
            self.statistics().query_limit_disconnections.add(1);
            self.close(token);
        } else if connection.wants_input() {
            self.enqueue(token);
        }
    }
}
