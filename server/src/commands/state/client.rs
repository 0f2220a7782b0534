//! What other workers may see of a client.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize};

use crate::store::ClientAddress;

/// What other workers may see of a client.
#[derive(Debug)]
pub struct ClientRecord {
    /// The client and its worker.
    pub address: ClientAddress,
    /// The client's end of the connection.
    pub peer: String,
    /// The server's end of the connection.
    pub local: String,
    /// The descriptor of the connection.
    pub descriptor: i32,
    /// When it connected, in milliseconds since 1970.
    pub since: i64,
    /// Its name (`CLIENT SETNAME`).
    pub name: Mutex<Vec<u8>>,
    /// The index of its database.
    pub database: AtomicU32,
    /// The index of its last command, or [`ClientRecord::NO_COMMAND`].
    pub last_command: AtomicU32,
    /// When it last sent something, in milliseconds since 1970.
    pub last_interaction: AtomicI64,
    /// To how many channels it is subscribed.
    pub channels: AtomicU32,
    /// To how many patterns it is subscribed.
    pub patterns: AtomicU32,
    /// To how many sharded channels it is subscribed.
    pub shards: AtomicU32,
    /// How many commands its transaction has; -1 outside of one.
    pub queued: AtomicI64,
    /// Bytes of input that are not executed yet.
    pub input: AtomicUsize,
    /// Bytes of output that are not sent yet.
    pub output: AtomicUsize,
    /// Bytes of memory for output.
    pub output_capacity: AtomicUsize,
    /// Bytes that its buffers, its queued commands and its state take.
    pub memory: AtomicUsize,
    /// Bytes of memory for the arguments of its transaction.
    pub queued_size: AtomicUsize,
    /// The protocol version: 2 or 3.
    pub protocol: AtomicU32,
    /// Whether it waits for a key.
    pub blocked: AtomicBool,
    /// Whether it watches keys.
    pub watching: AtomicBool,
    /// Whether it is spared when clients' memory is short (`CLIENT NO-EVICT`).
    pub no_evict: AtomicBool,
}

impl ClientRecord {
    /// No command yet.
    pub const NO_COMMAND: u32 = u32::MAX;

    /// Whether the client is on the same machine.
    pub fn is_local(&self) -> bool {
        self.peer.parse::<SocketAddr>().is_ok_and(|peer| peer.ip().to_canonical().is_loopback())
    }

    /// The record of a client that just connected.
    pub fn new(address: ClientAddress, peer: String, local: String, descriptor: i32, now: i64) -> Self {
        ClientRecord {
            address,
            peer,
            local,
            descriptor,
            since: now,
            name: Mutex::default(),
            database: AtomicU32::new(0),
            last_command: AtomicU32::new(Self::NO_COMMAND),
            last_interaction: AtomicI64::new(now),
            channels: AtomicU32::new(0),
            patterns: AtomicU32::new(0),
            shards: AtomicU32::new(0),
            queued: AtomicI64::new(-1),
            input: AtomicUsize::new(0),
            output: AtomicUsize::new(0),
            output_capacity: AtomicUsize::new(0),
            memory: AtomicUsize::new(0),
            queued_size: AtomicUsize::new(0),
            protocol: AtomicU32::new(2),
            blocked: AtomicBool::new(false),
            watching: AtomicBool::new(false),
            no_evict: AtomicBool::new(false),
        }
    }
}
