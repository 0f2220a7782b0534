//! Small commands at a fixed rate, whatever the server makes of them, and how long each waits for its reply.

use crate::client::{Client, encode, trouble};
use hdrhistogram::Histogram;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

/// Strings, counters and fields that small commands touch, of each kind.
const KEYS: u64 = 1000;
/// What is written.
const VALUE: &str = "element:000000001234";

/// Which small commands a connection sends.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// `SET`, `INCR` and `HSET` in turn.
    Writes,
    /// `GET` and `HGET` in turn.
    Reads,
}

/// When a connection sends its commands: each at its time, whether or not the one before has been answered.
#[derive(Clone, Copy)]
pub(crate) struct Schedule {
    /// When the first is sent.
    pub(crate) start: Instant,
    pub(crate) interval: Duration,
    pub(crate) count: u32,
    /// Those sent earlier are not counted.
    pub(crate) counted_from: Instant,
    /// Whether the threads run before all others of the machine.
    pub(crate) realtime: bool,
}

/// Makes the keys that are read.
pub(crate) fn load(client: &mut Client) -> Result<(), String> {
    client.load(KEYS, "+OK\r\n", |number, into| encode(&["SET", &format!("small:{number}"), VALUE], into))?;
    let field = |number, into: &mut Vec<u8>| encode(&["HSET", "small:hash", &format!("field:{number}"), VALUE], into);
    client.load(KEYS, ":1\r\n", field)
}

/// Sends commands on one connection as scheduled; gives the nanoseconds from sending each to having its reply.
pub(crate) fn run(kind: Kind, client: Client, schedule: Schedule) -> Result<Histogram<u64>, String> {
    let stream = client.into_stream();
    let (sent, times) = channel();
    scope(|scope| {
        let sender = scope.spawn(|| send(kind, &stream, schedule, sent));
        let received = receive(&stream, schedule, times);
        sender.join().map_err(|_| "a client has failed")??;
        received
    })
}

fn send(kind: Kind, mut stream: &TcpStream, schedule: Schedule, sent: Sender<Instant>) -> Result<(), String> {
    become_realtime(schedule.realtime)?;
    let mut request = Vec::new();
    for number in 0..schedule.count {
        request.clear();
        write_request(kind, number.into(), &mut request);
        sleep((schedule.start + schedule.interval * number).saturating_duration_since(Instant::now()));
        // Taken after the sleep: that a busy machine wakes this thread late is nothing that the server did.
        if sent.send(Instant::now()).is_err() {
            // Whoever reads has met an error, and tells it.
            break;
        }
        stream.write_all(&request).map_err(trouble)?;
    }
    Ok(())
}

fn receive(stream: &TcpStream, schedule: Schedule, times: Receiver<Instant>) -> Result<Histogram<u64>, String> {
    become_realtime(schedule.realtime)?;
    let mut latencies = Histogram::new(3).map_err(|error| error.to_string())?;
    let mut stream = BufReader::new(stream);
    let mut reply = Vec::new();
    for _ in 0..schedule.count {
        read_reply(&mut stream, &mut reply)?;
        let replied = Instant::now();
        // The time was put there before the command was sent, thus before its reply came: nobody waits here.
        let sent = times.recv().map_err(|_| "the server answered what nobody asked")?;
        if sent >= schedule.counted_from {
            latencies.record((replied - sent).as_nanos() as u64).map_err(|error| error.to_string())?;
        }
    }
    Ok(latencies)
}

/// Has the system run this thread before all ordinary ones, if it shall be so.
fn become_realtime(shall: bool) -> Result<(), String> {
    let lowest = libc::sched_param { sched_priority: 1 };
    // SAFETY: `lowest` is a live `sched_param`, which is all that `sched_setscheduler` reads; 0 is the calling thread.
    if shall && unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &lowest) } != 0 {
        return Err(format!("--realtime is refused: {}", std::io::Error::last_os_error()));
    }
    Ok(())
}

/// Reads a line, and the one behind it if it announces a string without line breaks.
fn read_reply(stream: &mut impl BufRead, reply: &mut Vec<u8>) -> Result<(), String> {
    reply.clear();
    stream.read_until(b'\n', reply).map_err(trouble)?;
    match reply.first() {
        None => Err("the server closed the connection".into()),
        Some(b'-') => Err(format!("a small command was answered with {}", reply.escape_ascii())),
        Some(b'$') if reply[1] != b'-' => stream.read_until(b'\n', reply).map(drop).map_err(trouble),
        Some(_) => Ok(()),
    }
}

fn write_request(kind: Kind, number: u64, into: &mut Vec<u8>) {
    // A step that has no factor in common with the number of keys meets them all.
    let key = number * 7 % KEYS;
    match (kind, number % 6) {
        (Kind::Writes, 0 | 3) => encode(&["SET", &format!("small:{key}"), VALUE], into),
        (Kind::Writes, 1 | 4) => encode(&["INCR", &format!("counter:{key}")], into),
        (Kind::Writes, _) => encode(&["HSET", "small:hash", &format!("field:{key}"), VALUE], into),
        (Kind::Reads, even) if even % 2 == 0 => encode(&["GET", &format!("small:{key}")], into),
        (Kind::Reads, _) => encode(&["HGET", "small:hash", &format!("field:{key}")], into),
    }
}
