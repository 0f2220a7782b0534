//! Reads clients' requests out of a connection's input buffer, without copying them.
//!
//! A request is either an array of bulk strings (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`) or one line of words, the
//! *inline* form that a person types (`GET k\r\n`). [`Parser::parse`] answers with the places of the arguments in
//! the buffer; only an inline request with quotes needs bytes of its own, which then lie in [`Arguments`].
//!
//! ```
//! use nr_server::resp::request::{Arguments, Parser, Progress};
//!
//! let mut parser = Parser::default();
//! let mut arguments = Arguments::default();
//! let input = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPI";
//!
//! assert_eq!(parser.parse(input, &mut arguments), Ok(Progress::Complete { length: 20 }));
//! assert_eq!(arguments.get(input, 0), Some(&b"GET"[..]));
//! assert_eq!(arguments.get(input, 1), Some(&b"k"[..]));
//!
//! // The second request lacks `NG\r\n`.
//! assert_eq!(parser.parse(&input[20..], &mut arguments), Ok(Progress::Incomplete { need: 4 }));
//! ```
//!
//! # Differences from Redis
//!
//! * A zero byte is a byte like any other in an inline request, and makes a length invalid. Redis looks for the
//!   line's end with C string functions, so that it waits for 64 KiB to arrive before it complains.
//! * A request may not be longer than 4 GiB.

mod arguments;
mod inline;

use std::fmt;

use memchr::memchr;

use self::arguments::Spans;
use super::number::parse_integer;

pub use self::arguments::{Arguments, Span};

/// How much a client may send in one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest argument, in bytes (the setting `proto-max-bulk-len`).
    pub bulk: usize,
    /// The longest inline request, and the longest line that holds a length, in bytes.
    pub inline: usize,
    /// The most arguments of one request.
    pub arguments: usize,
    /// Whether the client has said who it is, or needn't. If not, a request of the array form may have
    /// [`Limits::UNAUTHENTICATED_ARGUMENTS`] arguments of [`Limits::UNAUTHENTICATED_BULK`] bytes at most.
    pub authenticated: bool,
}

impl Limits {
    /// The most arguments in a request of a client that has still to authenticate.
    pub const UNAUTHENTICATED_ARGUMENTS: usize = 10;
    /// The longest argument, in bytes, of a client that has still to authenticate.
    pub const UNAUTHENTICATED_BULK: usize = 16_384;
}

impl Default for Limits {
    /// The limits of a server whose configuration says nothing about them, for an authenticated client. O(1).
    fn default() -> Self {
        Self { bulk: 512 * 1024 * 1024, inline: 64 * 1024, arguments: i32::MAX as usize, authenticated: true }
    }
}

/// What [`Parser::parse`] found at the buffer's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A request with at least one argument.
    Complete {
        /// The bytes that it took; the next request starts behind them.
        length: usize,
    },
    /// A request without arguments (an empty line, or an array of no elements), which gets no reply.
    Empty {
        /// The bytes that it took; the next request starts behind them.
        length: usize,
    },
    /// Only the beginning of a request.
    Incomplete {
        /// The bytes that must at least arrive before parsing can get any further, one or more.
        need: usize,
    },
}

/// Why a connection must be closed: what it sent isn't a request.
///
/// The text of [`fmt::Display`] is what Redis sends after `-ERR `. For
/// [`UnexpectedByte`](ProtocolError::UnexpectedByte) with a byte that isn't ASCII, [`ProtocolError::write_to`] gives
/// the very bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The number of arguments isn't a number, or is too large.
    InvalidMultibulkLength,
    /// An argument's length isn't a number, is negative, or is too large.
    InvalidBulkLength,
    /// An argument starts with this byte instead of `$`.
    UnexpectedByte(u8),
    /// An inline request has no end within [`Limits::inline`] bytes.
    TooBigInlineRequest,
    /// The line with the number of arguments has no end within [`Limits::inline`] bytes.
    TooBigMultibulkCount,
    /// The line with an argument's length has no end within [`Limits::inline`] bytes.
    TooBigBulkCount,
    /// A quote is not closed, or is closed in the middle of a word.
    UnbalancedQuotes,
    /// More arguments than a client may send before it has authenticated.
    UnauthenticatedMultibulkLength,
    /// A longer argument than a client may send before it has authenticated.
    UnauthenticatedBulkLength,
    /// The whole request would be longer than 4 GiB.
    TooBigRequest,
}

impl ProtocolError {
    /// Appends the text that a client is to be told, without `-ERR ` and the line's end. O(1).
    pub fn write_to(&self, output: &mut Vec<u8>) {
        match *self {
            Self::UnexpectedByte(byte) => {
                output.extend_from_slice(b"Protocol error: expected '$', got '");
                output.push(printable(byte));
                output.push(b'\'');
            }
            _ => output.extend_from_slice(self.text().as_bytes()),
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Self::InvalidMultibulkLength => "Protocol error: invalid multibulk length",
            Self::InvalidBulkLength => "Protocol error: invalid bulk length",
            Self::UnexpectedByte(_) => "Protocol error: expected '$'",
            Self::TooBigInlineRequest => "Protocol error: too big inline request",
            Self::TooBigMultibulkCount => "Protocol error: too big mbulk count string",
            Self::TooBigBulkCount => "Protocol error: too big bulk count string",
            Self::UnbalancedQuotes => "Protocol error: unbalanced quotes in request",
            Self::UnauthenticatedMultibulkLength => "Protocol error: unauthenticated multibulk length",
            Self::UnauthenticatedBulkLength => "Protocol error: unauthenticated bulk length",
            Self::TooBigRequest => "Protocol error: too big request",
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UnexpectedByte(byte) => {
                write!(formatter, "Protocol error: expected '$', got '{}'", char::from(printable(byte)))
            }
            _ => formatter.write_str(self.text()),
        }
    }
}

impl std::error::Error for ProtocolError {}

/// An error reply is one line, so a line's end may not be quoted in it.
fn printable(byte: u8) -> u8 {
    if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }
}

/// Parses one connection's requests.
///
/// It remembers how far it came in a request that has only partly arrived, so that it looks at each byte once, in
/// however many pieces they come. It never allocates for what a client only announces: its memory grows with the
/// bytes received.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    limits: Limits,
    unfinished: Unfinished,
}

/// What is known of a request that has only partly arrived. All positions count from the request's start.
#[derive(Clone, Debug, Default)]
struct Unfinished {
    /// The arguments that are there.
    spans: Spans,
    /// Where the next line or argument starts.
    position: usize,
    /// In the line at `position`, no end was found before here.
    searched: usize,
    /// Arguments still to come; 0 while the array's first line isn't there.
    remaining: usize,
    /// The length of the argument at `position`, if its first line is there.
    bulk: Option<usize>,
}

impl Parser {
    /// A parser at the start of a request. O(1).
    pub fn new(limits: Limits) -> Self {
        Self { limits, unfinished: Unfinished::default() }
    }

    /// The limits in force. O(1).
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Gives access to the limits, to change them from the next length on that is parsed. O(1).
    pub fn limits_mut(&mut self) -> &mut Limits {
        &mut self.limits
    }

    /// Forgets the beginning of an unfinished request: the next buffer starts with a new one. O(1).
    pub fn reset(&mut self) {
        self.unfinished = Unfinished::default();
    }

    /// Parses the request at the start of `buffer`.
    ///
    /// If it is [`Complete`](Progress::Complete), `arguments` says where its arguments are; otherwise they are
    /// cleared. After [`Incomplete`](Progress::Incomplete) the next call must get the same bytes with further ones
    /// behind them, be it at another address. After an error the connection has no future: Redis tells the client
    /// and closes.
    ///
    /// Linear in the request's bytes over all the calls that it takes; of a bulk string only the first line is read.
    #[inline]
    pub fn parse(&mut self, buffer: &[u8], arguments: &mut Arguments) -> Result<Progress, ProtocolError> {
        arguments.clear();
        match buffer.first() {
            Some(b'*') => self.parse_array(buffer, arguments),
            Some(_) => self.parse_inline(buffer, arguments),
            None => Ok(Progress::Incomplete { need: 1 }),
        }
    }

    fn parse_array(&mut self, buffer: &[u8], arguments: &mut Arguments) -> Result<Progress, ProtocolError> {
        let spans = &mut arguments.spans;
        let mut position = 0;
        let mut remaining = 0;
        let mut bulk = None;
        let mut searched = 0;
        if self.unfinished.searched != 0 {
            let unfinished = std::mem::take(&mut self.unfinished);
            *spans = unfinished.spans;
            position = unfinished.position;
            remaining = unfinished.remaining;
            bulk = unfinished.bulk;
            searched = unfinished.searched;
        }

        if remaining == 0 {
            match read_length(buffer, 0, searched, self.limits.inline) {
                Length::Value(count, next) => {
                    if count <= 0 {
                        return Ok(Progress::Empty { length: next });
                    }
                    remaining = usize::try_from(count).unwrap_or(usize::MAX);
                    if remaining > self.limits.arguments {
                        return Err(ProtocolError::InvalidMultibulkLength);
                    }
                    if remaining > Limits::UNAUTHENTICATED_ARGUMENTS && !self.limits.authenticated {
                        return Err(ProtocolError::UnauthenticatedMultibulkLength);
                    }
                    position = next;
                }
                Length::Invalid => return Err(ProtocolError::InvalidMultibulkLength),
                Length::TooLong => return Err(ProtocolError::TooBigMultibulkCount),
                Length::Incomplete(searched) => {
                    self.unfinished.searched = searched;
                    return Ok(Progress::Incomplete { need: 1 });
                }
            }
        }

        loop {
            let length = match bulk.take() {
                Some(length) => length,
                None => match read_length(buffer, position, searched, self.limits.inline) {
                    Length::Incomplete(searched) => {
                        let spans = std::mem::take(spans);
                        self.unfinished = Unfinished { spans, position, searched, remaining, bulk: None };
                        return Ok(Progress::Incomplete { need: 1 });
                    }
                    Length::TooLong => return Err(ProtocolError::TooBigBulkCount),
                    // The first byte counts before what follows it, but only once the line is there.
                    _ if buffer[position] != b'$' => return Err(ProtocolError::UnexpectedByte(buffer[position])),
                    Length::Invalid => return Err(ProtocolError::InvalidBulkLength),
                    Length::Value(length, next) => {
                        position = next;
                        self.check_bulk(length, next)?
                    }
                },
            };
            // The two bytes behind an argument are skipped unseen, as Redis does.
            let end = position + length;
            if buffer.len() < end + 2 {
                let spans = std::mem::take(spans);
                let searched = position;
                self.unfinished = Unfinished { spans, position, searched, remaining, bulk: Some(length) };
                return Ok(Progress::Incomplete { need: end + 2 - buffer.len() });
            }
            // `check_bulk` made sure that the end fits.
            spans.push(Span { start: position as u32, end: end as u32 });
            position = end + 2;
            remaining -= 1;
            if remaining == 0 {
                return Ok(Progress::Complete { length: position });
            }
        }
    }

    /// The length of a bulk string at `position`, if it is allowed.
    #[inline]
    fn check_bulk(&self, length: i64, position: usize) -> Result<usize, ProtocolError> {
        let length = usize::try_from(length).map_err(|_| ProtocolError::InvalidBulkLength)?;
        if length > self.limits.bulk {
            return Err(ProtocolError::InvalidBulkLength);
        }
        if length > Limits::UNAUTHENTICATED_BULK && !self.limits.authenticated {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        // Spans are of 32 bits, so that six of them fit into a cache line.
        if position.saturating_add(length) > u32::MAX as usize - 2 {
            return Err(ProtocolError::TooBigRequest);
        }
        Ok(length)
    }

    #[cold]
    fn parse_inline(&mut self, buffer: &[u8], arguments: &mut Arguments) -> Result<Progress, ProtocolError> {
        let searched = std::mem::take(&mut self.unfinished.searched);
        // The line's end may stand right behind the longest line.
        let longest = self.limits.inline.min(u32::MAX as usize - 1);
        let window = &buffer[..buffer.len().min(longest + 1)];
        let Some(found) = memchr(b'\n', &window[searched..]) else {
            if buffer.len() > longest {
                return Err(ProtocolError::TooBigInlineRequest);
            }
            self.unfinished.searched = buffer.len();
            return Ok(Progress::Incomplete { need: 1 });
        };
        let newline = searched + found;
        inline::split_words(&buffer[..newline], arguments)?;
        let length = newline + 1;
        Ok(if arguments.is_empty() { Progress::Empty { length } } else { Progress::Complete { length } })
    }
}

/// What stands on a line that holds a length.
enum Length {
    /// The number, and the position behind the line.
    Value(i64, usize),
    /// Something other than a number.
    Invalid,
    /// The line has no end where it should have one.
    TooLong,
    /// The line's end is still to come; it is not before this position.
    Incomplete(usize),
}

/// Reads the line that starts at `position` with a byte that tells the kind, and goes on with a number.
#[inline(always)]
fn read_length(buffer: &[u8], position: usize, searched: usize, longest: usize) -> Length {
    // Nearly all lines are there and have a few digits: no search for the end, no checks for overflow.
    if let Some(digits) = buffer.get(position + 1..) {
        let mut value = 0;
        for (index, &byte) in digits.iter().take(9).enumerate() {
            let digit = byte.wrapping_sub(b'0');
            if digit <= 9 {
                value = value * 10 + i64::from(digit);
                continue;
            }
            let leading_zero = index > 1 && digits[0] == b'0';
            if byte == b'\r' && index > 0 && index < longest && !leading_zero && digits.len() > index + 1 {
                return Length::Value(value, position + index + 3);
            }
            break;
        }
    }
    read_unusual_length(buffer, position, searched, longest)
}

#[cold]
fn read_unusual_length(buffer: &[u8], position: usize, searched: usize, longest: usize) -> Length {
    let line = buffer.get(position..).unwrap_or_default();
    let window = &line[..line.len().min(longest.saturating_add(1))];
    let searched = searched.max(position) - position;
    let Some(found) = memchr(b'\r', &window[searched..]) else {
        return if line.len() > longest { Length::TooLong } else { Length::Incomplete(buffer.len().max(position)) };
    };
    let end = searched + found;
    // The line feed must be there, but needn't be one, as in Redis.
    if line.len() < end + 2 {
        return Length::Incomplete(position + end);
    }
    match parse_integer(line.get(1..end).unwrap_or_default()) {
        Some(value) => Length::Value(value, position + end + 2),
        None => Length::Invalid,
    }
}

#[cfg(test)]
mod tests;
