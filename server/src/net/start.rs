//! Builds the keyspace and starts the workers.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};

use mio::Poll;
use mio::net::UnixStream;
use nr::{BuildError, NodeReplicated, ReplicaId, Replicas};
use rand::{RngCore, SeedableRng};

use super::listener::{ListenError, listen};
use super::mailbox::{Link, Mail};
use super::worker::{BATCH, MAILBOX, Parts, Worker, milliseconds};
use crate::commands::Server;
use crate::config::{Config, ReplicaLayout};
use crate::descriptors;
use crate::log;
use crate::store::Keyspace;
use crate::store::garbage::Garbage;

/// Entries of the log: room for several workers' batches beside each other.
const LOG_ENTRIES: usize = 16 * BATCH;

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    server: Arc<Server>,
    links: Arc<[Link]>,
    workers: Vec<JoinHandle<()>>,
    addresses: Vec<SocketAddr>,
}

/// Why a server did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// An address can't be listened at.
    Listen(ListenError),
    /// The keyspace can't be replicated in that way.
    Build(BuildError),
    /// The operating system refused something.
    System {
        /// What.
        what: &'static str,
        /// The reason.
        reason: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Listen(error) => {
                write!(formatter, "can't listen at {} port {}: {}", error.address, error.port, error.reason)?;
                if error.reason.kind() == io::ErrorKind::AddrInUse {
                    write!(formatter, "; choose another one with --port, or end the server that has it")?;
                }
                Ok(())
            }
            StartError::Build(error) => write!(formatter, "can't build the replicas: {error}"),
            StartError::System { what, reason } => write!(formatter, "can't {what}: {reason}"),
        }
    }
}

impl std::error::Error for StartError {}

fn refused(what: &'static str) -> impl Fn(io::Error) -> StartError {
    move |reason| StartError::System { what, reason }
}

/// Starts a server; it serves until [`Running::stop`], `SHUTDOWN`, or a byte in `signals`.
///
/// # Errors
///
/// If an address is in use or not this machine's, or the operating system refuses threads or selectors.
pub fn start(mut config: Config, signals: Option<UnixStream>) -> Result<Running, StartError> {
    let listeners = listen(&config.bind, config.port, config.tcp_backlog).map_err(StartError::Listen)?;
    let addresses: Vec<SocketAddr> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let port = addresses.first().map_or(config.port, SocketAddr::port);
    config.port = port;
    let workers = match config.workers {
        0 => thread::available_parallelism().map_or(1, NonZeroUsize::get),
        workers => workers,
    };
    config.workers = workers;
    let (replicas, chosen) = match config.replicas {
        ReplicaLayout::NumaNodes => (Replicas::PerNumaNode, None),
        ReplicaLayout::CacheDomains => (Replicas::PerCacheDomain, None),
        ReplicaLayout::Count(count) => {
            let count = NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN);
            (Replicas::Count(count), Some(count.get()))
        }
    };
    config.maxclients = permitted_clients(config.maxclients);
    let config = Arc::new(config);
    let (garbage, freed) = channel::<Garbage>();
    thread::Builder::new()
        .name("free".into())
        .spawn(move || freed.into_iter().for_each(drop))
        .map_err(refused("start the thread that frees memory"))?;
    let keyspace = NodeReplicated::<Keyspace>::builder()
        .replicas(replicas)
        .log_entries(LOG_ENTRIES)
        .build_with(|replica| Keyspace::new(replica, config.clone(), garbage.clone()))
        .map_err(StartError::Build)?;
    let keyspace = Arc::new(keyspace);
    let mut random = rand::rngs::SmallRng::from_os_rng();
    let run_id = (0..5).map(|_| format!("{:08x}", random.next_u32())).collect();
    let server = Server::new(keyspace.clone(), config, workers, port, milliseconds(), run_id);
    let server = Arc::new(server);

    let mut polls = Vec::new();
    let mut links = Vec::new();
    let mut mailboxes = Vec::new();
    for _ in 0..workers {
        let poll = Poll::new().map_err(refused("make a selector for events"))?;
        let (link, mailbox) = Link::new(poll.registry(), MAILBOX).map_err(refused("make a mailbox"))?;
        polls.push(poll);
        links.push(link);
        mailboxes.push(mailbox);
    }
    let links: Arc<[Link]> = links.into();
    let mut listeners = Some(listeners);
    let mut signals = Some(signals);
    let mut threads = Vec::new();
    // Each worker has a sender until it has registered.
    let (unregistered, all_registered) = channel::<()>();
    for (index, (poll, mailbox)) in polls.into_iter().zip(mailboxes).enumerate() {
        let server = server.clone();
        let links = links.clone();
        let listeners = listeners.take().unwrap_or_default();
        let signals = signals.take().flatten();
        let unregistered = unregistered.clone();
        let body = move || {
            let _end = EndsAll { server: &server, links: &links };
            let registered = match chosen {
                Some(count) => server.keyspace.register_owned_on(ReplicaId::new(index % count)),
                None => server.keyspace.register_owned(),
            };
            let handle = registered.expect("a replica has room for more handles than there are workers");
            drop(unregistered);
            let (server, links) = (server.clone(), links.clone());
            let parts = Parts { index, server: server.clone(), handle, poll, mailbox, links, listeners, signals };
            match Worker::new(parts) {
                Ok(worker) => worker.run(),
                Err(error) => {
                    log::warning(format_args!("worker {index}: can't watch its sockets: {error}"));
                    // Release: pairs with the Acquire of the other workers.
                    server.shutdown.store(true, Ordering::Release);
                }
            }
        };
        let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(body);
        threads.push(thread.map_err(refused("start a worker"))?);
    }
    drop(unregistered);
    // Ends, with an error, when there is no sender any more.
    let _ = all_registered.recv();
    Ok(Running { server, links, workers: threads, addresses })
}

/// Ends the whole server with a worker that panics: the others could not answer for its clients.
struct EndsAll<'a> {
    server: &'a Server,
    links: &'a [Link],
}

impl Drop for EndsAll<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            // Release: pairs with the Acquire of the other workers.
            self.server.shutdown.store(true, Ordering::Release);
            for link in self.links {
                link.send(Mail::Look);
            }
        }
    }
}

/// So many of the clients that are asked for as there can be descriptors for.
fn permitted_clients(clients: u32) -> u32 {
    let Err(few) = descriptors::permit(clients) else { return clients };
    log::warning(format_args!("{few}, not {clients}. Raise the limit (ulimit -n), or set 'maxclients' lower."));
    few.clients
}

impl Running {
    /// The addresses at which it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What its workers share.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Waits until it has ended; whether it did so as it was asked to, and not because a worker panicked.
    pub fn wait(self) -> bool {
        // All are waited for, whatever became of the first.
        self.workers.into_iter().map(JoinHandle::join).filter(Result::is_err).count() == 0
    }

    /// Ends it: no more connections, replies are sent, and it is gone when this returns.
    pub fn stop(self) {
        // Release: pairs with the Acquire of the workers.
        self.server.shutdown.store(true, Ordering::Release);
        for link in self.links.iter() {
            link.send(Mail::Look);
        }
        self.wait();
    }
}
