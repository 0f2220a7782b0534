//! Whether threads burn CPU time while they wait for a slow operation: one write sleeps inside the structure, and others
//! come meanwhile. `cargo run --release -p nr-benches --bin waiting`.
//!
//! Every measurement runs in a child process of its own with a limit on its time, so that a peer that hangs is shown as
//! hung and the rest goes on.

use clap::{Parser, Subcommand};
use nr_benches::child::{Outcome, run_self};
use nr_benches::cpu_time;
use nr_benches::figures::{Table, matching};
use nr_benches::peers::{BuildFailure, Handle, SharedPeer, SharedPeerVisitor, for_each_shared_peer};
use nr_benches::workloads::Structure;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

/// How long the slow operation takes.
const SLOW: Duration = Duration::from_millis(500);
/// The part of it in which CPU time is counted, so that its end lies outside.
const WINDOW: Duration = Duration::from_millis(450);
/// Threads that come meanwhile.
const WAITERS: usize = 8;

/// A measurement that has not ended then is called hung.
const LIMIT: Duration = Duration::from_secs(9);

/// CPU time that a process uses while one write sleeps inside the structure and other threads wait for it.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only peers whose name contains this.
    #[arg(long, default_value = "")]
    peer: String,
    #[command(subcommand)]
    child: Option<Child>,
}

#[derive(Clone, Debug, Subcommand)]
enum Child {
    /// Makes one measurement.
    #[command(hide = true)]
    Measure { peer: String, waiters_write: u8 },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.child {
        Some(Child::Measure { peer, waiters_write }) => child(&peer, waiters_write != 0),
        None => matching("peer", &arguments.peer, &names()).map(|peers| print(&peers)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("waiting: {message}");
            ExitCode::from(2)
        }
    }
}

fn names() -> Vec<&'static str> {
    struct Names(Vec<&'static str>);
    impl SharedPeerVisitor<Sleeper> for Names {
        fn visit<P: SharedPeer<Sleeper>>(&mut self) {
            self.0.push(P::NAME);
        }
    }
    let mut names = Names(Vec::new());
    for_each_shared_peer(&mut names);
    names.0
}

/// Measures the peers and prints them.
fn print(peers: &[&'static str]) {
    println!(
        "CPU time of the whole process in {} ms, while one write sleeps inside the structure and {WAITERS} threads wait:\n",
        WINDOW.as_millis()
    );
    let mut table = Table::new(["", "that want to write", "that want to read"]);
    for peer in peers {
        eprintln!("{peer}: {WAITERS} threads wait for a slow write");
        let cell = |waiters_write: u8| {
            let child = ["measure", peer, &waiters_write.to_string()].map(String::from);
            match run_self(&child, LIMIT) {
                Outcome::Finished(line) => line.trim().to_string(),
                Outcome::Hung => "hung".into(),
                Outcome::Failed(why) => why,
            }
        };
        table.row([peer.to_string(), cell(1), cell(0)]);
    }
    println!("{table}");
}

/// A structure with an operation that takes long without using the CPU.
#[derive(Clone, Debug, Default)]
struct Sleeper {
    number: u64,
    sleeping: Arc<AtomicBool>,
}

#[derive(Clone, Debug, PartialEq)]
enum SleeperWrite {
    Add,
    Sleep,
}

impl Structure for Sleeper {
    type Read = ();
    type Write = SleeperWrite;

    fn read(&self, (): ()) -> Option<u64> {
        Some(self.number)
    }

    fn write(&mut self, op: &SleeperWrite) -> Option<u64> {
        match op {
            SleeperWrite::Add => self.number += 1,
            SleeperWrite::Sleep => {
                // Relaxed: a signal that carries nothing with it.
                self.sleeping.store(true, Ordering::Relaxed);
                std::thread::sleep(SLOW);
            }
        }
        Some(self.number)
    }
}

/// The child's part: makes one measurement and prints it.
fn child(peer: &str, waiters_write: bool) -> Result<(), String> {
    let mut search = Search { peer, waiters_write, done: None };
    for_each_shared_peer(&mut search);
    search.done.ok_or("there is no such peer")?.map_err(|failure| format!("cannot be built: {failure}"))
}

struct Search<'a> {
    peer: &'a str,
    waiters_write: bool,
    done: Option<Result<(), BuildFailure>>,
}

impl SharedPeerVisitor<Sleeper> for Search<'_> {
    fn visit<P: SharedPeer<Sleeper>>(&mut self) {
        if P::NAME == self.peer {
            self.done = Some(measure::<P>(self.waiters_write));
        }
    }
}

fn measure<P: SharedPeer<Sleeper>>(waiters_write: bool) -> Result<(), BuildFailure> {
    let sleeper = Sleeper::default();
    let sleeping = Arc::clone(&sleeper.sleeping);
    let peer = P::build(sleeper)?;
    let (ready, begin) = (Barrier::new(WAITERS + 1), Barrier::new(WAITERS + 1));
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..WAITERS {
            let (peer, ready, begin, answered) = (&peer, &ready, &begin, &answered);
            scope.spawn(move || {
                // The sleeper's handle is the one with the number 0.
                let mut handle = peer.handle(thread + 1).expect("few handles are always to be had");
                ready.wait();
                begin.wait();
                if waiters_write {
                    handle.write(SleeperWrite::Add)
                } else {
                    handle.read(())
                };
                // Relaxed: only the number matters.
                answered.fetch_add(1, Ordering::Relaxed);
            });
        }
        ready.wait();
        let peer = &peer;
        scope.spawn(move || {
            let mut handle = peer.handle(0).expect("few handles are always to be had");
            handle.write(SleeperWrite::Sleep);
        });
        // Relaxed: a signal that carries nothing with it.
        while !sleeping.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let cpu = cpu_time::of_this_process();
        begin.wait();
        std::thread::sleep(WINDOW);
        let used = cpu_time::of_this_process() - cpu;
        // Relaxed: only the number matters.
        let at_once = match answered.load(Ordering::Relaxed) {
            0 => String::new(),
            // Readers of another replica, which the slow write has not reached.
            some => format!(" ({some} answered at once)"),
        };
        println!("{:.1} ms{at_once}", used.as_secs_f64() * 1e3);
    });
    Ok(())
}
