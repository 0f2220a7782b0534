//! A connection to a server that costs the machine little: what it reads it counts, and looks at only where it must.

use socket2::SockRef;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// So many commands are sent before their replies are read, where many are.
const PIPELINE: u64 = 500;

/// A connection to a server.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// A connection to a port of this machine that waits for a reply no longer than `patience`.
    pub(crate) fn connect(port: u16, patience: Duration) -> Result<Self, String> {
        let connect = || {
            let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), patience)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(patience))?;
            stream.set_write_timeout(Some(patience))?;
            Ok(Self { stream, buffer: Vec::new() })
        };
        connect().map_err(|error: std::io::Error| format!("cannot connect to port {port}: {error}"))
    }

    /// The socket, for who reads and writes by himself.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Sends what is encoded already.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.write_all(bytes).map_err(trouble)
    }

    /// Sends a command and gives the bytes of its reply, unless it is an error.
    pub(crate) fn call(&mut self, words: &[&str]) -> Result<Vec<u8>, String> {
        self.send(&encoded(words))?;
        let (mut reply, mut chunk) = (Vec::new(), vec![0; 1 << 20]);
        loop {
            match reply_length(&reply) {
                Some(_) if reply[0] == b'-' => return Err(format!("{words:?}: {}", reply.escape_ascii())),
                Some(length) if length == reply.len() => return Ok(reply),
                Some(_) => return Err(format!("{words:?}: there is more than one reply")),
                None => {
                    let length = self.stream.read(&mut chunk).map_err(trouble)?;
                    if length == 0 {
                        return Err(format!("{words:?}: the server closed the connection"));
                    }
                    reply.extend_from_slice(&chunk[..length]);
                }
            }
        }
    }

    /// Sends `count` commands in pipelines, written by `command` from their number; each must be answered with `reply`.
    pub(crate) fn load(&mut self, count: u64, reply: &str, command: impl Fn(u64, &mut Vec<u8>)) -> Result<(), String> {
        let (mut requests, mut received) = (Vec::new(), Vec::new());
        for first in (0..count).step_by(PIPELINE as usize) {
            let numbers = first..count.min(first + PIPELINE);
            let replies = numbers.end - numbers.start;
            requests.clear();
            numbers.for_each(|number| command(number, &mut requests));
            self.send(&requests)?;
            received.resize(reply.len() * replies as usize, 0);
            self.stream.read_exact(&mut received).map_err(trouble)?;
            if let Some(other) = received.chunks(reply.len()).find(|chunk| *chunk != reply.as_bytes()) {
                return Err(format!("the server answered {} where {reply:?} was expected", other.escape_ascii()));
            }
        }
        Ok(())
    }

    /// Waits for so many bytes and throws them away. The system does not even copy them to this process: the client costs
    /// hardly more than one on another machine would.
    pub(crate) fn skip(&mut self, length: usize) -> Result<(), String> {
        let mut left = length;
        while left > 0 {
            self.buffer.clear();
            self.buffer.reserve(left);
            let room = &mut self.buffer.spare_capacity_mut()[..left];
            match SockRef::from(&self.stream).recv_with_flags(room, libc::MSG_TRUNC | libc::MSG_WAITALL) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(skipped) => left -= skipped,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(trouble(error)),
            }
        }
        Ok(())
    }
}

/// What to say of a connection that fails.
pub(crate) fn trouble(error: std::io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "the server does not answer".into(),
        _ => format!("the connection fails: {error}"),
    }
}

/// Writes a command as servers read it.
pub(crate) fn encode(words: &[&str], into: &mut Vec<u8>) {
    // A `Vec` takes all that is written to it.
    let _ = write!(into, "*{}\r\n", words.len());
    for word in words {
        let _ = write!(into, "${}\r\n{word}\r\n", word.len());
    }
}

/// A command as servers read it.
pub(crate) fn encoded(words: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(words, &mut bytes);
    bytes
}

/// The length of the reply that `bytes` start with; `None` if there is more to come.
fn reply_length(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let number = || std::str::from_utf8(&bytes[1..line]).ok()?.parse::<i64>().ok();
    let end = line + 2;
    match bytes[0] {
        b'$' => {
            let end = end + usize::try_from(number()?).map_or(0, |length| length + 2);
            (bytes.len() >= end).then_some(end)
        }
        b'*' => (0..number()?).try_fold(end, |end, _| Some(end + reply_length(&bytes[end..])?)),
        _ => Some(end),
    }
}

#[cfg(test)]
mod tests {
    use super::{encoded, reply_length};

    #[test]
    fn lengths_of_replies() {
        let whole = b"*4\r\n$3\r\na\r\n\r\n:-1\r\n$-1\r\n*0\r\n";
        assert_eq!(reply_length(whole), Some(whole.len()));
        for length in 0..whole.len() {
            assert_eq!(reply_length(&whole[..length]), None);
        }
        assert_eq!(reply_length(b"-ERR x\r\n+OK\r\n"), Some(8));
    }

    #[test]
    fn commands_are_arrays_of_bulk_strings() {
        assert_eq!(encoded(&["GET", "k"]), b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    }
}
