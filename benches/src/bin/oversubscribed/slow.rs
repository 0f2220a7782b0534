//! Whether threads burn CPU time while they wait for a slow operation: one write sleeps inside the structure, and others
//! come meanwhile.

use crate::{Arguments, for_each_measured_peer, outcome};
use nr_benches::child::{Outcome, run_self};
use nr_benches::cpu_time;
use nr_benches::peers::{BuildFailure, Handle, SharedPeer, SharedPeerVisitor};
use nr_benches::report::Table;
use nr_benches::workloads::Structure;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

/// How long the slow operation takes.
const SLOW: Duration = Duration::from_millis(500);
/// The part of it in which CPU time is counted, so that its end lies outside.
const WINDOW: Duration = Duration::from_millis(450);
/// Threads that come meanwhile.
const WAITERS: usize = 8;

/// Measures all peers and prints them.
pub(crate) fn print(arguments: &Arguments, peers: &[&'static str]) {
    println!(
        "CPU time of the whole process in {} ms, while one write sleeps inside the structure and {WAITERS} threads wait:\n",
        WINDOW.as_millis()
    );
    let mut table = Table::new(["", "that want to write", "that want to read"]);
    for peer in peers {
        eprintln!("{peer}: {WAITERS} threads wait for a slow write");
        let cell = |waiters_write: u8| {
            let child = ["slow", peer, &waiters_write.to_string()].map(String::from);
            // The slow write runs once on each replica.
            match run_self(&child, Duration::from_secs_f64(arguments.limit) + 2 * SLOW) {
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
pub(crate) fn child(peer: &str, waiters_write: bool) -> Result<(), String> {
    let mut search = Search { peer, waiters_write, done: None };
    for_each_measured_peer(&mut search);
    outcome(search.done)
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
