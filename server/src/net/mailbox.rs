//! What workers tell each other.
//!
//! Mail is rare: it is sent for a new connection, for a message to a subscriber of another worker, and for a client of
//! another worker that has waited. No command waits for mail.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use mio::net::TcpStream;
use mio::{Registry, Token, Waker};

use crate::commands::state::ClientRecord;
use crate::store::ClientAddress;
use crate::store::operation::Delivery;

/// Something for a worker to do.
#[derive(Debug)]
pub enum Mail {
    /// A connection to serve.
    Connection(TcpStream, Arc<ClientRecord>),
    /// A message for one of its subscribers.
    Deliver(Delivery),
    /// The reply of a client that had waited for a key.
    Answer(ClientAddress, Vec<u8>),
    /// A client to disconnect.
    Kill(ClientAddress),
    /// Something that all look at has changed: the configuration, a pause, the end.
    Look,
}

/// The way to a worker's mailbox.
#[derive(Clone, Debug)]
pub struct Link {
    sender: Sender<Mail>,
    waker: Arc<Waker>,
}

impl Link {
    /// A mailbox whose mail makes `token` ready.
    pub fn new(registry: &Registry, token: Token) -> io::Result<(Link, Receiver<Mail>)> {
        let (sender, receiver) = channel();
        Ok((Link { sender, waker: Arc::new(Waker::new(registry, token)?) }, receiver))
    }

    /// Sends mail. A worker that has ended gets none.
    pub fn send(&self, mail: Mail) {
        if self.sender.send(mail).is_ok() {
            // It fails only if the kernel's counter overflows, and then the worker is already awake.
            let _ = self.waker.wake();
        }
    }
}
