//! The network: workers, each with its own event loop and its own connections.
//!
//! * [`worker`]: one turn of the loop: read, execute, write;
//! * [`connection`]: a client's buffers and what it waits for;
//! * [`mailbox`]: what workers tell each other: new connections, messages, replies of clients that had waited;
//! * [`listener`]: the sockets that connections come from;
//! * [`start`](mod@start): builds the keyspace and starts the workers.

pub mod connection;
pub mod listener;
pub mod mailbox;
pub mod start;
pub mod worker;

pub use start::{Running, StartError, start};
