//! A client's connection: its buffers, its requests, and what it waits for.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use mio::net::TcpStream;

use crate::commands::state::ClientRecord;
use crate::commands::{CommandId, Session, table};
use crate::resp::request::{self, Parser, Progress, ProtocolError};
use crate::store::{Arguments, Error, OwnedArguments};

/// Requests of this size or more are moved into the log rather than copied, where they fill the whole buffer.
const LARGE_REQUEST: usize = 64 * 1024;
/// Of one client's output so much is sent in a turn, so that one that reads fast leaves time for the others.
const SENT_PER_TURN: usize = 4 << 20;
/// A buffer that is empty keeps no more than so much memory.
const KEPT: usize = 64 * 1024;

/// A client's connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// What the server remembers of the client.
    pub session: Session,
    parser: Parser,
    /// Received bytes; those before `consumed` are done with.
    input: Vec<u8>,
    consumed: usize,
    arguments: request::Arguments,
    /// A request that is parsed and not executed yet.
    pub request: Option<Request>,
    /// Whether the received bytes are known to hold no whole request.
    exhausted: bool,
    /// The command that was parsed last, as its record shows it.
    last_command: u32,
    /// Replies that are not sent yet; those before `sent` are.
    pub output: Vec<u8>,
    sent: usize,
    /// Whether the socket may hold more to read.
    pub readable: bool,
    /// Whether the client will send no more.
    pub read_closed: bool,
    /// Whether it is among the connections to be served in this turn.
    pub queued: bool,
    /// Whether the socket would take more of the output, which waits for the next turn.
    pub send_again: bool,
    /// Whether it is among the connections to be written to in this turn.
    pub dirty: bool,
    /// Whether it is among the connections whose next command may read much.
    pub slow: bool,
    /// What the commands that were executed in this turn count.
    pub spent: u32,
    /// Writes of it in the batch that is being gathered.
    pub batched: u32,
    /// It waits for a key, until the time in milliseconds since 1970 if there is one.
    pub waiting: Option<Option<i64>>,
    /// It waits for a pause to end.
    pub paused: bool,
    /// It waits, before it publishes more, for other workers to take what was published.
    pub held: bool,
    /// Since when its output has been over the soft limit.
    pub over_soft_limit: Option<Instant>,
}

/// A request that is parsed.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which command it names, or why it is refused.
    pub command: Result<CommandId, Error>,
    /// Its length in bytes.
    length: usize,
}

/// What reading from the socket brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// So many bytes.
    Bytes(usize),
    /// Nothing, for now.
    Nothing,
    /// The connection is over.
    Closed,
}

impl Connection {
    /// The connection of a client that has sent nothing yet.
    pub fn new(stream: TcpStream, session: Session, limits: request::Limits) -> Self {
        Connection {
            stream,
            session,
            parser: Parser::new(limits),
            input: Vec::new(),
            consumed: 0,
            arguments: request::Arguments::default(),
            request: None,
            exhausted: true,
            last_command: ClientRecord::NO_COMMAND,
            output: Vec::new(),
            sent: 0,
            readable: false,
            read_closed: false,
            queued: false,
            send_again: false,
            dirty: false,
            slow: false,
            spent: 0,
            batched: 0,
            waiting: None,
            paused: false,
            held: false,
            over_soft_limit: None,
        }
    }

    /// The socket, to register it.
    pub fn stream_mut(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// How much the client may send in one request.
    pub fn limits_mut(&mut self) -> &mut request::Limits {
        self.parser.limits_mut()
    }

    /// Whether it is to be read from: the socket may hold more, and nothing that is whole waits to be executed before. What
    /// a client sends ahead of that stays in the socket, which then tells the client to wait. One that waits for a key or for the
    /// end of a pause is read from all the same, for that shows whether it is still there.
    pub fn wants_input(&self) -> bool {
        self.readable && !self.session.closing && !self.session.overflowed && self.awaits_input()
    }

    /// Whether what was received goes on only with more from the client, or after a wait that has no end in sight.
    pub fn awaits_input(&self) -> bool {
        self.exhausted || self.waiting.is_some() || self.paused
    }

    /// Whether it is the client that waits for the server: for a key, for the end of a pause, or for its turn.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some() || self.paused || !(self.exhausted || self.session.closing)
    }

    /// Reads once, through `buffer`, what the socket holds.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Received {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => {
                    self.readable = false;
                    self.read_closed = true;
                    return Received::Closed;
                }
                Ok(length) => {
                    // A read that didn't fill the buffer has emptied the socket, and the next byte makes it ready again;
                    // only the end of the stream does not where it came together with the last bytes.
                    self.readable = length == buffer.len() || self.read_closed;
                    self.input.extend_from_slice(&buffer[..length]);
                    self.exhausted = false;
                    return Received::Bytes(length);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Received::Nothing;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.readable = false;
                    self.read_closed = true;
                    return Received::Closed;
                }
            }
        }
    }

    /// Bytes that it takes, with what it has queued for a transaction. O(1).
    pub fn memory(&self) -> usize {
        let queued = self.session.transaction.as_ref().map_or(0, |queue| queue.size);
        size_of::<Self>() + size_of::<ClientRecord>() + self.input.capacity() + self.output.capacity() + queued
    }

    /// Bytes received and not executed yet.
    pub fn unread(&self) -> usize {
        self.input.len() - self.consumed
    }

    /// Parses the next request, unless one is parsed already. `None`: there is no whole one.
    #[inline]
    pub fn next_request(&mut self) -> Result<Option<&Request>, ProtocolError> {
        while self.request.is_none() {
            if self.consumed >= KEPT && self.consumed > self.input.len() / 2 {
                self.forget_consumed();
            }
            match self.parser.parse(&self.input[self.consumed..], &mut self.arguments)? {
                Progress::Complete { length } => {
                    let source = self.arguments.source(&self.input[self.consumed..]);
                    let command = table().resolve(Arguments::new(source, self.arguments.spans()));
                    self.last_command = command.as_ref().map_or(ClientRecord::NO_COMMAND, |id| u32::from(id.0));
                    self.request = Some(Request { command, length });
                }
                Progress::Empty { length } => self.consumed += length,
                Progress::Incomplete { need } => {
                    self.exhausted = true;
                    self.compact(need);
                    return Ok(None);
                }
            }
        }
        Ok(self.request.as_ref())
    }

    /// The arguments of the request that is parsed.
    #[inline]
    pub fn arguments(&self) -> Arguments<'_> {
        Arguments::new(self.arguments.source(&self.input[self.consumed..]), self.arguments.spans())
    }

    /// The arguments of the request that is parsed, beside the buffer for replies and the client's state.
    #[inline]
    pub fn split(&mut self) -> (Arguments<'_>, &mut Vec<u8>, &mut Session) {
        let source = self.arguments.source(&self.input[self.consumed..]);
        (Arguments::new(source, self.arguments.spans()), &mut self.output, &mut self.session)
    }

    /// The arguments of the request that is parsed, to keep; the request is then done with.
    #[inline]
    pub fn take_arguments(&mut self) -> OwnedArguments {
        let Some(request) = self.request.take() else { return OwnedArguments::default() };
        let end = self.consumed + request.length;
        let spans = self.arguments.spans();
        let source = self.arguments.source(&self.input[self.consumed..]);
        let whole = source.len() == self.input.len() && end == self.input.len();
        if whole && request.length >= LARGE_REQUEST {
            let owned = OwnedArguments::new(Bytes::from(std::mem::take(&mut self.input)), spans);
            self.consumed = 0;
            return owned;
        }
        let length = source.len().min(spans.last().map_or(0, |span| span.end as usize));
        let owned = OwnedArguments::new(Bytes::copy_from_slice(&source[..length]), spans);
        self.consumed = end;
        owned
    }

    /// The request that is parsed is done with.
    #[inline]
    pub fn finish_request(&mut self) {
        if let Some(request) = self.request.take() {
            self.consumed += request.length;
        }
    }

    /// Forgets the bytes that are done with, and gives back memory that was needed for them. O(bytes that are left).
    fn forget_consumed(&mut self) {
        if self.consumed == self.input.len() {
            self.input.clear();
            if self.input.capacity() > KEPT {
                self.input = Vec::new();
            }
        } else if self.consumed > 0 {
            self.input.drain(..self.consumed);
            if self.input.capacity() > KEPT && self.input.len() < self.input.capacity() / 4 {
                self.input.shrink_to(KEPT.max(2 * self.input.len()));
            }
        }
        self.consumed = 0;
    }

    /// Forgets the bytes that are done with, and makes room for `need` more.
    fn compact(&mut self, need: usize) {
        self.forget_consumed();
        // What a client announces is trusted only as far as it has sent as much already.
        let trusted = need.min(self.input.len().max(KEPT));
        if !self.input.is_empty() && trusted > self.input.capacity() - self.input.len() {
            self.input.reserve(trusted);
        }
    }

    /// The command that was parsed last, if there was one.
    pub fn last_command(&self) -> Option<CommandId> {
        u16::try_from(self.last_command).ok().map(CommandId)
    }

    /// Bytes of replies that are not sent yet.
    pub fn unsent(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Bytes at the start of the output that are sent already.
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// Sends what the socket takes; gives how many bytes that were. What is left is sent when the socket is writable.
    pub fn send(&mut self) -> io::Result<usize> {
        let before = self.sent;
        self.send_again = false;
        while self.sent < self.output.len() {
            if self.sent - before >= SENT_PER_TURN {
                self.send_again = true;
                break;
            }
            let part = &self.output[self.sent..];
            match self.stream.write(&part[..part.len().min(SENT_PER_TURN)]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(length) => self.sent += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let sent = self.sent - before;
        if self.sent == self.output.len() {
            self.output.clear();
            self.sent = 0;
            if self.output.capacity() > KEPT {
                self.output = Vec::new();
            }
        } else if self.sent >= self.output.len() / 2 {
            self.output.drain(..self.sent);
            self.sent = 0;
        }
        Ok(sent)
    }

    /// Shows other workers how the client stands.
    pub fn publish(&self, now: i64) {
        let record = &self.session.record;
        // Relaxed, all of them: they are for people to look at, each by itself.
        record.last_interaction.store(now, Ordering::Relaxed);
        record.input.store(self.unread(), Ordering::Relaxed);
        record.blocked.store(self.waiting.is_some() || self.paused, Ordering::Relaxed);
        record.last_command.store(self.last_command, Ordering::Relaxed);
        record.memory.store(self.memory(), Ordering::Relaxed);
        self.session.publish();
    }

    /// Shows other workers how much the client has still to take.
    pub fn publish_output(&self) {
        let record = &self.session.record;
        // Relaxed: as in `publish`.
        record.output.store(self.unsent(), Ordering::Relaxed);
        record.output_capacity.store(self.output.capacity(), Ordering::Relaxed);
        record.memory.store(self.memory(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;

    use super::*;
    use crate::store::ClientAddress;

    /// A connection that has received `bytes`.
    fn connection(bytes: &[u8]) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let address = ClientAddress::default();
        let record = Arc::new(ClientRecord::new(address, String::new(), String::new(), 0, 0));
        let session = Session::new(address, record, true);
        let limits = request::Limits { authenticated: true, ..request::Limits::default() };
        let mut connection = Connection::new(TcpStream::from_std(stream), session, limits);
        connection.input.extend_from_slice(bytes);
        connection
    }

    #[test]
    fn what_is_done_with_does_not_stay_until_all_is() {
        let request = b"*2\r\n$4\r\nECHO\r\n$2\r\nab\r\n";
        let count = (8 << 20) / request.len();
        let mut connection = connection(&request.repeat(count));
        for done in 0..count {
            assert!(connection.next_request().unwrap().is_some());
            assert_eq!(connection.arguments().get(1), b"ab");
            let left = (count - done) * request.len();
            assert_eq!(connection.unread(), left);
            assert!(connection.input.len() <= 2 * left + KEPT, "{} bytes for {left}", connection.input.len());
            assert!(connection.memory() <= 8 * left + 3 * KEPT, "{} bytes for {left}", connection.memory());
            connection.finish_request();
        }
        assert!(connection.next_request().unwrap().is_none());
        assert_eq!(connection.unread(), 0);
    }
}
