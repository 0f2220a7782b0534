//! Writing replies, RESP2 or RESP3 as the client asked for.

/// The version of the protocol that a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// The version every client starts with.
    #[default]
    Resp2,
    /// The version with maps, sets, doubles and pushes, asked for by `HELLO 3`.
    Resp3,
}

/// Where a reply is written: appends to a buffer in the form that the client's protocol version has.
///
/// A muted reply writes nothing: a replica that only follows runs the same command functions for their effect.
#[derive(Debug)]
pub struct Reply<'a> {
    buffer: &'a mut Vec<u8>,
    protocol: Protocol,
    muted: bool,
    /// Once the buffer is longer than this, nothing more is written.
    ceiling: usize,
}

/// A place in a reply where the header of an aggregate goes once its length is known.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

impl<'a> Reply<'a> {
    /// Replies go to the end of `buffer`.
    pub fn new(buffer: &'a mut Vec<u8>, protocol: Protocol) -> Self {
        Reply { buffer, protocol, muted: false, ceiling: usize::MAX }
    }

    /// Replies go nowhere.
    pub fn muted(buffer: &'a mut Vec<u8>) -> Self {
        Reply { buffer, protocol: Protocol::Resp2, muted: true, ceiling: usize::MAX }
    }

    /// The reply, of which nothing more is written once the buffer is longer than `ceiling`: it can't be sent then.
    pub fn limited(mut self, ceiling: usize) -> Self {
        self.ceiling = ceiling;
        self
    }

    /// Whether the buffer is longer than it may be, so that nothing more is written and the client is to be disconnected.
    #[inline]
    pub fn is_over(&self) -> bool {
        self.buffer.len() > self.ceiling
    }

    /// Whether nothing is written, so that a costly answer need not be computed.
    pub fn is_muted(&self) -> bool {
        self.muted
    }

    /// The protocol version of the client.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether the client speaks RESP3.
    pub fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// Later replies take the form of `protocol` (`HELLO`).
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Whether a command that writes as much as its client asks for may write `elements` more: a reply may have a gigabyte.
    #[inline]
    pub fn has_room(&self, elements: u64) -> bool {
        const LONGEST: usize = 1 << 30;
        /// Of a bulk string: `$0\r\n\r\n`.
        const SHORTEST: u64 = 6;
        elements.saturating_mul(SHORTEST).saturating_add(self.buffer.len() as u64) < LONGEST as u64
    }

    /// Bytes written so far into the buffer.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether the buffer is empty.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// What was written after the buffer held `length` bytes.
    pub fn since(&self, length: usize) -> &[u8] {
        &self.buffer[length..]
    }

    /// Forgets what was written after the buffer held `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.buffer.truncate(length);
    }

    #[inline]
    fn drops(&self) -> bool {
        self.muted || self.is_over()
    }

    /// Already encoded bytes.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        if !self.drops() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    #[inline]
    fn header(&mut self, kind: u8, number: i64) {
        if self.drops() {
            return;
        }
        // One extension for the common small headers.
        match number {
            0..10 => return self.buffer.extend_from_slice(&[kind, b'0' + number as u8, b'\r', b'\n']),
            10..100 => {
                let (tens, ones) = (b'0' + (number / 10) as u8, b'0' + (number % 10) as u8);
                return self.buffer.extend_from_slice(&[kind, tens, ones, b'\r', b'\n']);
            }
            _ => {}
        }
        let mut digits = itoa::Buffer::new();
        self.buffer.push(kind);
        self.buffer.extend_from_slice(digits.format(number).as_bytes());
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// A simple string; `text` must hold no line break.
    pub fn simple(&mut self, text: &str) {
        self.raw(b"+");
        self.raw(text.as_bytes());
        self.raw(b"\r\n");
    }

    /// An error line; `text` starts with the error's code. Line breaks in it become spaces, those at its ends are left
    /// out.
    pub fn error(&mut self, text: &str) {
        if self.drops() {
            return;
        }
        self.buffer.push(b'-');
        let text = text.trim_matches(['\r', '\n']);
        self.buffer.extend(text.bytes().map(|byte| if byte == b'\r' || byte == b'\n' { b' ' } else { byte }));
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, number: i64) {
        self.header(b':', number);
    }

    /// A length or count as an integer.
    #[inline]
    pub fn count(&mut self, number: usize) {
        self.header(b':', number as i64);
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        if self.drops() {
            return;
        }
        self.buffer.reserve(bytes.len() + 16);
        self.header(b'$', bytes.len() as i64);
        self.buffer.extend_from_slice(bytes);
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// An integer in a bulk string.
    pub fn bulk_integer(&mut self, number: i64) {
        let mut digits = itoa::Buffer::new();
        self.bulk(digits.format(number).as_bytes());
    }

    /// A bulk string, or null if there is none.
    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// The null of a missing value: `_` in RESP3, the null bulk string in RESP2.
    #[inline]
    pub fn null(&mut self) {
        self.raw(if self.is_resp3() { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// The null of a missing aggregate: `_` in RESP3, the null array in RESP2.
    pub fn null_array(&mut self) {
        self.raw(if self.is_resp3() { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// Starts an array of `length` elements.
    #[inline]
    pub fn array(&mut self, length: usize) {
        self.header(b'*', length as i64);
    }

    /// Starts a map of `pairs` pairs; in RESP2 a flat array.
    pub fn map(&mut self, pairs: usize) {
        if self.is_resp3() { self.header(b'%', pairs as i64) } else { self.header(b'*', 2 * pairs as i64) }
    }

    /// Starts a set of `length` elements; in RESP2 an array.
    pub fn set(&mut self, length: usize) {
        self.header(if self.is_resp3() { b'~' } else { b'*' }, length as i64);
    }

    /// Starts a push message of `length` elements; in RESP2 an array.
    pub fn push(&mut self, length: usize) {
        self.header(if self.is_resp3() { b'>' } else { b'*' }, length as i64);
    }

    /// A double; in RESP2 a bulk string of the same text.
    pub fn double(&mut self, number: f64) {
        if self.drops() {
            return;
        }
        let text = super::number::format_float(number);
        if self.is_resp3() {
            self.buffer.push(b',');
            self.buffer.extend_from_slice(text.as_bytes());
            self.buffer.extend_from_slice(b"\r\n");
        } else {
            self.bulk(text.as_bytes());
        }
    }

    /// A boolean; in RESP2 the integer 1 or 0.
    pub fn boolean(&mut self, value: bool) {
        match (self.is_resp3(), value) {
            (true, true) => self.raw(b"#t\r\n"),
            (true, false) => self.raw(b"#f\r\n"),
            (false, value) => self.integer(i64::from(value)),
        }
    }

    /// A verbatim string with a format of three letters such as `txt`; in RESP2 a bulk string.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        if self.is_resp3() {
            self.header(b'=', text.len() as i64 + 4);
            self.raw(format.as_bytes());
            self.raw(b":");
            self.raw(text);
            self.raw(b"\r\n");
        } else {
            self.bulk(text);
        }
    }

    /// Remembers this place for the header of an aggregate whose length is not known yet.
    pub fn mark(&self) -> Mark {
        Mark(self.buffer.len())
    }

    /// Puts the header of an array of `length` elements at `mark`; O(bytes written since).
    pub fn array_at(&mut self, mark: Mark, length: usize) {
        self.header_at(mark, b'*', length as i64);
    }

    /// Puts the header of a set of `length` elements at `mark`; O(bytes written since).
    pub fn set_at(&mut self, mark: Mark, length: usize) {
        self.header_at(mark, if self.is_resp3() { b'~' } else { b'*' }, length as i64);
    }

    /// Puts the header of a map of `pairs` pairs at `mark`; O(bytes written since).
    pub fn map_at(&mut self, mark: Mark, pairs: usize) {
        if self.is_resp3() {
            self.header_at(mark, b'%', pairs as i64);
        } else {
            self.header_at(mark, b'*', 2 * pairs as i64);
        }
    }

    fn header_at(&mut self, mark: Mark, kind: u8, number: i64) {
        if self.drops() {
            return;
        }
        let end = self.buffer.len();
        self.header(kind, number);
        let header = self.buffer.len() - end;
        self.buffer[mark.0..].rotate_right(header);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(protocol: Protocol, write: impl FnOnce(&mut Reply<'_>)) -> String {
        let mut buffer = Vec::new();
        write(&mut Reply::new(&mut buffer, protocol));
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn each_protocol_has_its_own_forms() {
        let write = |reply: &mut Reply<'_>| {
            reply.null();
            reply.map(1);
            reply.set(12);
            reply.boolean(true);
            reply.null_array();
            reply.verbatim("txt", b"ab");
        };
        assert_eq!(written(Protocol::Resp2, write), "$-1\r\n*2\r\n*12\r\n:1\r\n*-1\r\n$2\r\nab\r\n");
        assert_eq!(written(Protocol::Resp3, write), "_\r\n%1\r\n~12\r\n#t\r\n_\r\n=6\r\ntxt:ab\r\n");
    }

    #[test]
    fn a_header_can_follow_its_elements() {
        let text = written(Protocol::Resp2, |reply| {
            reply.ok();
            let mark = reply.mark();
            reply.bulk(b"a");
            reply.integer(-5);
            reply.array_at(mark, 2);
        });
        assert_eq!(text, "+OK\r\n*2\r\n$1\r\na\r\n:-5\r\n");
    }

    #[test]
    fn a_muted_reply_writes_nothing() {
        let mut buffer = Vec::new();
        let mut reply = Reply::muted(&mut buffer);
        let mark = reply.mark();
        reply.bulk(b"x");
        reply.integer(1);
        reply.array_at(mark, 2);
        assert!(buffer.is_empty());
    }

    #[test]
    fn what_is_over_the_ceiling_grows_no_more() {
        let mut buffer = b"before".to_vec();
        let mut reply = Reply::new(&mut buffer, Protocol::Resp2).limited(20);
        reply.bulk(b"0123456");
        assert!(!reply.is_over());
        let mark = reply.mark();
        reply.bulk(b"abc");
        assert!(reply.is_over());
        let length = reply.len();
        reply.bulk(b"def");
        reply.array_at(mark, 2);
        reply.error("ERR");
        assert_eq!(reply.len(), length);
        reply.truncate(10);
        reply.ok();
        assert!(!reply.is_over());
        assert_eq!(reply.len(), 15);
    }

    #[test]
    fn an_error_is_one_line() {
        assert_eq!(written(Protocol::Resp2, |reply| reply.error("ERR a\r\nb")), "-ERR a  b\r\n");
    }
}
