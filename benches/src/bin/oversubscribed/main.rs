//! Many more threads than cores on one map: throughput, the longest wait and CPU time: `cargo run --release -p nr-benches
//! --bin oversubscribed`. And: whether threads burn CPU time while they wait for a slow operation.
//!
//! Every measurement runs in a child process of its own with a limit on its time, so that a peer that hangs is shown as
//! hung and the rest goes on. Repetitions go round all peers in turn.

mod slow;
mod throughput;

use clap::{Parser, Subcommand};
use nr_benches::peers::{
    BuildFailure, Nr, ParkingLotMutex, ParkingLotRwLock, Predecessor, SharedPeer, SharedPeerVisitor, StdMutex,
    StdRwLock,
};
use nr_benches::report::matching;
use nr_benches::workloads::{Counter, Structure};
use std::process::ExitCode;

/// The peer that the others are compared with.
const REFERENCE: &str = "parking_lot-rwlock";

/// Many more threads than cores on one map: throughput, the longest wait and CPU time, for nr and its peers.
#[derive(Debug, Parser)]
struct Arguments {
    /// Threads; several numbers with commas between them, such as 8,64.
    #[arg(long, value_delimiter = ',', default_values_t = [8, 32, 64], value_parser = threads)]
    threads: Vec<usize>,
    /// Writes among the operations in per cent; several numbers with commas between them, such as 0,50.
    #[arg(long, value_delimiter = ',', default_values_t = [0, 10, 50, 100], value_parser = clap::value_parser!(u8).range(0..=100))]
    writes: Vec<u8>,
    /// Entries in the map.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    entries: u64,
    /// How long one measurement runs, in seconds.
    #[arg(long, default_value_t = 0.4, value_parser = seconds)]
    seconds: f64,
    /// How often each measurement is made.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    repetitions: u16,
    /// A measurement that has not ended so many seconds after it should have is called hung.
    #[arg(long, default_value_t = 8.0, value_parser = seconds)]
    limit: f64,
    /// Only the second part: the CPU time used while all wait for a slow operation.
    #[arg(long)]
    slow_only: bool,
    /// Only peers whose name contains this; the one they are compared with is always measured.
    #[arg(long, default_value = "")]
    peer: String,
    #[command(subcommand)]
    child: Option<Child>,
}

#[derive(Clone, Debug, Subcommand)]
enum Child {
    /// Makes one measurement of throughput.
    #[command(hide = true)]
    Throughput { peer: String, threads: usize, writes: u8, entries: u64, seconds: f64 },
    /// Makes one measurement of waiting for a slow operation.
    #[command(hide = true)]
    Slow { peer: String, waiters_write: u8 },
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=256) => Ok(threads),
        // More do not fit into one replica of the predecessor.
        _ => Err("expected a number of threads from 1 to 256".into()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(seconds),
        _ => Err("expected seconds, more than 0 and at most 3600, such as 0.5".into()),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.child {
        Some(Child::Throughput { peer, threads, writes, entries, seconds }) => {
            throughput::child(peer, throughput::Point { threads: *threads, writes: *writes }, *entries, *seconds)
        }
        Some(Child::Slow { peer, waiters_write }) => slow::child(peer, *waiters_write != 0),
        None => measure_all(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("oversubscribed: {message}");
            ExitCode::from(2)
        }
    }
}

fn measure_all(arguments: &Arguments) -> Result<(), String> {
    let mut names = Names(Vec::new());
    for_each_measured_peer::<Counter>(&mut names);
    let chosen = matching("peer", &arguments.peer, &names.0)?;
    names.0.retain(|name| chosen.contains(name) || *name == REFERENCE);
    if !arguments.slow_only {
        throughput::print(arguments, &names.0);
    }
    slow::print(arguments, &names.0);
    Ok(())
}

/// Shows `visitor` the peers of this program.
fn for_each_measured_peer<S: Structure>(visitor: &mut impl SharedPeerVisitor<S>) {
    visitor.visit::<Nr<S, 1>>();
    visitor.visit::<Nr<S, 2>>();
    visitor.visit::<ParkingLotRwLock<S>>();
    visitor.visit::<ParkingLotMutex<S>>();
    visitor.visit::<StdRwLock<S>>();
    visitor.visit::<StdMutex<S>>();
    visitor.visit::<Predecessor<S, 1>>();
    visitor.visit::<Predecessor<S, 2>>();
}

struct Names(Vec<&'static str>);

impl<S: Structure> SharedPeerVisitor<S> for Names {
    fn visit<P: SharedPeer<S>>(&mut self) {
        self.0.push(P::NAME);
    }
}

/// The outcome of a child that looked for its peer among all of them.
fn outcome(done: Option<Result<(), BuildFailure>>) -> Result<(), String> {
    done.ok_or("there is no such peer")?.map_err(|failure| format!("cannot be built: {failure}"))
}
