//! What workers tell each other.
//!
//! Mail is rare: it is sent for a new connection, for a message to a subscriber of another worker, and for a client of
//! another worker that has waited. No command waits for mail. But who publishes faster than another worker takes its mail
//! goes on only when that one has caught up: see [`Link::is_congested`].

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use mio::net::TcpStream;
use mio::{Registry, Token, Waker};

use crate::commands::state::ClientRecord;
use crate::store::ClientAddress;
use crate::store::operation::Message;

/// Something for a worker to do.
#[derive(Debug)]
pub enum Mail {
    /// A connection to serve.
    Connection(TcpStream, Arc<ClientRecord>),
    /// A message for those of its subscribers that the worker serves: their numbers.
    Deliver(Arc<Message>, Vec<u64>),
    /// The reply of a client that had waited for a key.
    Answer(ClientAddress, Vec<u8>),
    /// A client to disconnect.
    Kill(ClientAddress),
    /// Something that all look at has changed: the configuration, a pause, the end.
    Look,
}

impl Mail {
    /// Bytes that it keeps alive, where there can be much mail of its kind.
    fn size(&self) -> usize {
        match self {
            Mail::Deliver(message, clients) => {
                size_of::<Message>() + message.channel.len() + message.payload.len() + size_of_val(&clients[..])
            }
            _ => 0,
        }
    }
}

/// A mailbox that holds messages of more bytes than this is congested.
const CONGESTED: usize = 16 << 20;

/// The way to a worker's mailbox.
#[derive(Clone, Debug)]
pub struct Link {
    sender: Sender<Mail>,
    waker: Arc<Waker>,
    /// Bytes of the messages that the mailbox holds.
    pending: Arc<AtomicUsize>,
}

impl Link {
    /// A mailbox whose mail makes `token` ready.
    pub fn new(registry: &Registry, token: Token) -> io::Result<(Link, Receiver<Mail>)> {
        let (sender, receiver) = channel();
        let waker = Arc::new(Waker::new(registry, token)?);
        Ok((Link { sender, waker, pending: Arc::default() }, receiver))
    }

    /// Sends mail. A worker that has ended gets none.
    pub fn send(&self, mail: Mail) {
        let size = mail.size();
        if size > 0 {
            // Relaxed, here and below: a sum that stands alone. It is added to before the mail can be taken, so that it is
            // never below what the mailbox holds.
            self.pending.fetch_add(size, Ordering::Relaxed);
        }
        if self.sender.send(mail).is_ok() {
            // It fails only if the kernel's counter overflows, and then the worker is already awake.
            let _ = self.waker.wake();
        }
    }

    /// Whether the mailbox holds so much that nobody should publish until its worker has taken some of it. Such a publisher
    /// must go on with its own mail, for its mailbox may be congested as well.
    pub fn is_congested(&self) -> bool {
        self.pending.load(Ordering::Relaxed) > CONGESTED
    }

    /// The worker has taken this mail; whether its mailbox was congested before and is not so any more. Whoever saw it
    /// congested saw so before that in the order of the changes, so that telling them all then leaves nobody waiting.
    pub fn taken(&self, mail: &Mail) -> bool {
        let size = mail.size();
        if size == 0 {
            return false;
        }
        let before = self.pending.fetch_sub(size, Ordering::Relaxed);
        before > CONGESTED && before - size <= CONGESTED
    }
}
