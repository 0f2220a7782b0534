//! What the tests over TCP share: a server within the process, the real Redis beside it, and a client that knows the
//! protocol and nothing else.
//!
//! Nothing here waits without a limit: a client that gets no reply within [`PATIENCE`] panics.

#![allow(dead_code, unused_imports, reason = "each test program uses its own part")]
#![allow(unreachable_pub, reason = "what is public here is so for the test programs")]

mod events;
mod real;
mod value;
mod walk;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nr_server::commands::Server;
use nr_server::config::{Config, ProtectedAction, ReplicaLayout};
use nr_server::net::{self, Running};

pub use events::history;
pub use real::RealRedis;
pub use value::Value;
pub use walk::{Draws, random_walk};

/// How long a reply may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long to look for a reply that must not come.
pub const SILENCE: Duration = Duration::from_millis(100);
/// The numbers of workers and replicas that [`everywhere`] runs a test with.
pub const LAYOUTS: [(usize, usize); 3] = [(1, 1), (2, 1), (4, 2)];

/// A server of this crate in this process; it ends when it is dropped.
pub struct TestServer {
    running: Option<Running>,
}

impl TestServer {
    /// With one worker and one replica.
    pub fn start() -> TestServer {
        Self::with_layout(1, 1)
    }

    /// With so many workers and replicas.
    pub fn with_layout(workers: usize, replicas: usize) -> TestServer {
        Self::configured(|config| {
            config.workers = workers;
            config.replicas = ReplicaLayout::Count(replicas);
        })
    }

    /// With one worker, one replica, and what `change` makes of the configuration.
    pub fn configured(change: impl FnOnce(&mut Config)) -> TestServer {
        let mut config = Config::default();
        config.bind = vec!["127.0.0.1".into()];
        config.port = 0;
        config.workers = 1;
        config.replicas = ReplicaLayout::Count(1);
        config.enable_debug_command = ProtectedAction::Yes;
        change(&mut config);
        TestServer { running: Some(net::start(config, None).expect("the server starts")) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running.as_ref().expect("it runs until it is dropped").addresses()[0]
    }

    /// What its workers share.
    pub fn server(&self) -> &Server {
        self.running.as_ref().expect("it runs until it is dropped").server()
    }

    /// A new connection to it. Each goes to the worker that has the fewest.
    pub fn client(&self) -> Client {
        Client::connect(self.address())
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }
}

/// Runs `test` on a new server of each of the [`LAYOUTS`].
pub fn everywhere(test: impl Fn(&TestServer)) {
    for (workers, replicas) in LAYOUTS {
        println!("with {workers} workers and {replicas} replicas:");
        test(&TestServer::with_layout(workers, replicas));
    }
}

/// A connection that sends bytes and reads replies.
pub struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    /// A new connection to a server at `address`.
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the server accepts connections");
        stream.set_nodelay(true).expect("a TCP socket takes the option");
        stream.set_write_timeout(Some(PATIENCE)).expect("a TCP socket takes the option");
        Client { stream, received: Vec::new() }
    }

    /// This end of the connection, as `CLIENT LIST` shows it in `addr`.
    pub fn name(&self) -> String {
        self.stream.local_addr().expect("a connected socket has an address").to_string()
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server takes what is sent");
    }

    /// Sends bytes until the server closes the connection.
    pub fn send_what_is_taken(&mut self, bytes: &[u8]) {
        let sent = self.stream.write_all(bytes);
        assert!(sent.is_err(), "the server takes all of it");
    }

    /// Sends one command and doesn't wait for its reply.
    pub fn request<A: AsRef<[u8]>>(&mut self, arguments: &[A]) {
        self.send(&encode(arguments));
    }

    /// Sends one command and reads one reply.
    #[track_caller]
    pub fn call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Value {
        self.request(arguments);
        self.read()
    }

    /// Sends one command whose arguments are the words of `line`, and reads one reply.
    #[track_caller]
    pub fn run(&mut self, line: &str) -> Value {
        self.call(&words(line))
    }

    /// Reads one reply.
    #[track_caller]
    pub fn read(&mut self) -> Value {
        self.read_within(PATIENCE).expect("the server replies in time")
    }

    /// Reads one reply if it comes within the duration.
    #[track_caller]
    pub fn read_within(&mut self, duration: Duration) -> Option<Value> {
        let deadline = Instant::now() + duration;
        loop {
            if let Some((value, length)) = Value::parse(&self.received) {
                self.received.drain(..length);
                return Some(value);
            }
            match self.receive(deadline) {
                None => return None,
                Some(0) => panic!("the server closed the connection; unread: {:?}", self.received.escape_ascii()),
                Some(_) => {}
            }
        }
    }

    /// Asserts that nothing more has come or comes soon.
    #[track_caller]
    pub fn is_silent(&mut self) {
        assert_eq!(self.read_within(SILENCE), None);
    }

    /// Asserts that the server closes the connection and sends nothing more before.
    #[track_caller]
    pub fn is_closed(&mut self) {
        assert_eq!(self.receive(Instant::now() + PATIENCE), Some(0), "the server leaves the connection open");
        assert!(self.received.is_empty(), "the server has sent more: {:?}", self.received.escape_ascii());
    }

    /// Asserts that the server closes the connection and sends no more than so many bytes before.
    #[track_caller]
    pub fn is_closed_after_at_most(&mut self, bytes: usize) {
        while self.receive(Instant::now() + PATIENCE).expect("the server closes the connection") > 0 {}
        assert!(self.received.len() <= bytes, "the server has sent {} bytes", self.received.len());
    }

    /// The bytes that come until `deadline`: their number, 0 at the end of the connection, `None` if there are none.
    fn receive(&mut self, deadline: Instant) -> Option<usize> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.stream.set_read_timeout(Some(left)).expect("a TCP socket takes the option");
            match self.stream.read(&mut buffer) {
                Ok(length) => {
                    self.received.extend_from_slice(&buffer[..length]);
                    return Some(length);
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return None,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Some(0),
                Err(error) => panic!("the connection fails: {error}"),
            }
        }
    }
}

/// A command as clients send it.
pub fn encode<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        let argument = argument.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The words of a line: they are separated by blanks, and `""` is an empty one.
pub fn words(line: &str) -> Vec<&str> {
    line.split_ascii_whitespace().map(|word| if word == "\"\"" { "" } else { word }).collect()
}

/// Has both clients run each line, and asserts that they get the same replies.
#[track_caller]
pub fn same_replies(ours: &mut Client, theirs: &mut Client, lines: &[&str]) {
    for line in lines {
        let expected = theirs.run(line);
        assert_eq!(ours.run(line), expected, "the reply to {line:?} (on the right that of Redis)");
    }
}

/// Asks until `condition` holds.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it never came about that {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
