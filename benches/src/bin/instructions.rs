//! Counts the instructions of one operation, for every peer and structure: `cargo run --release -p nr-benches --bin
//! instructions`. Unlike times, counts are the same on a busy machine and on an idle one.
//!
//! The program runs itself under valgrind twice a measurement, with N operations and with 2N. The difference, divided by N,
//! is what one operation takes; building and filling the structure cancels out. Only one thread runs.

use clap::{Parser, Subcommand};
use nr_benches::child::{Outcome, run};
use nr_benches::figures::{Table, matching, verdict};
use nr_benches::peers::{self, Peer, PeerVisitor, for_each_peer};
use nr_benches::workloads::{self, Counter, Solo, SoloVisitor, Workload, for_each_solo};
use std::hint::black_box;
use std::marker::PhantomData;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// Where a goal is set: workload, peer, and how many instructions more than the bare structure it may take.
const GOALS: [(&str, &str, f64); 2] = [("map/read", "nr", 30.0), ("map/write", "nr", 70.0)];

/// No measurement takes this long, even under valgrind.
const LIMIT: Duration = Duration::from_secs(300);

/// Counts the instructions of one operation, for every peer and structure, with valgrind.
#[derive(Debug, Parser)]
struct Arguments {
    /// Entries in the map and the heap.
    #[arg(long, default_value_t = 65_536, value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    entries: u64,
    /// Operations (N); best a multiple of every peer's log, so that work done once a lap is spread evenly.
    #[arg(long, default_value_t = 65_536, value_parser = clap::value_parser!(u64).range(1..))]
    operations: u64,
    /// Only workloads whose name contains this, such as `map` or `counter/add`.
    #[arg(long, default_value = "")]
    workload: String,
    /// Only peers whose name contains this, such as `nr`; `seq` is always measured.
    #[arg(long, default_value = "")]
    peer: String,
    #[command(subcommand)]
    child: Option<Child>,
}

#[derive(Debug, Subcommand)]
enum Child {
    /// Runs one workload on one peer; this is what goes under valgrind.
    #[command(hide = true)]
    Child { workload: String, peer: String, entries: u64, steps: u64 },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Child::Child { workload, peer, entries, steps }) = &arguments.child {
        let mut child = RunOne { workload, peer, entries: *entries, steps: *steps, outcome: None };
        for_each_solo(&mut child);
        return match child.outcome {
            Some(Ok(())) => ExitCode::SUCCESS,
            Some(Err(failure)) => fail(&failure),
            None => fail(&format!("there is no workload {workload} with a peer {peer}")),
        };
    }
    let chosen = matching("workload", &arguments.workload, &workloads::solo_names())
        .and_then(|_| matching("peer", &arguments.peer, &peers::names::<Counter>()));
    if let Err(message) = chosen {
        return fail(&message);
    }
    if let Outcome::Failed(why) = run(Command::new("valgrind").arg("--version"), LIMIT) {
        return fail(&format!(
            "this program counts with valgrind, which does not run here ({why}).\n\
             Install it, for example with `apt-get install valgrind` or `dnf install valgrind`, and try again."
        ));
    }
    let mut counted = CountAll { arguments: &arguments, counts: Vec::new() };
    for_each_solo(&mut counted);
    print(&counted.counts)
}

fn fail(message: &str) -> ExitCode {
    eprintln!("instructions: {message}");
    ExitCode::from(2)
}

/// What one operation takes, or why that is not known.
struct Count {
    workload: &'static str,
    peer: &'static str,
    instructions: Result<f64, String>,
}

fn print(counts: &[Count]) -> ExitCode {
    let mut workloads: Vec<_> = counts.iter().map(|count| count.workload).collect();
    workloads.dedup();
    let mut peers: Vec<_> =
        counts.iter().filter(|count| count.workload == workloads[0]).map(|count| count.peer).collect();
    peers.dedup();
    let find = |workload: &str, peer: &str| {
        let count = counts.iter().find(|count| count.workload == workload && count.peer == peer);
        count.and_then(|count| count.instructions.as_ref().ok().copied())
    };

    println!("Instructions of one operation (and how many more than the bare structure takes)\n");
    let mut table = Table::new(std::iter::once("").chain(workloads.iter().copied()));
    for peer in peers {
        let cell = |workload: &&str| match (find(workload, peer), find(workload, "seq")) {
            (Some(all), Some(bare)) => format!("{all:.1} ({:+.1})", all - bare),
            (Some(all), None) => format!("{all:.1}"),
            (None, _) => "failed".into(),
        };
        table.row(std::iter::once(peer.into()).chain(workloads.iter().map(cell)));
    }
    println!("{table}");

    for (workload, peer, goal) in GOALS {
        if let (Some(all), Some(bare)) = (find(workload, peer), find(workload, "seq")) {
            let more = all - bare;
            println!("{workload}, {peer}: {more:+.1} over bare, goal at most {goal:+}: {}", verdict(more <= goal));
        }
    }
    let mut failures = counts.iter().filter_map(|count| Some((count, count.instructions.as_ref().err()?))).peekable();
    let failed = failures.peek().is_some();
    for (Count { workload, peer, .. }, why) in failures {
        println!("{workload}, {peer}: not measured: {why}");
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Measures every peer on every chosen workload.
struct CountAll<'a> {
    arguments: &'a Arguments,
    counts: Vec<Count>,
}

impl SoloVisitor for CountAll<'_> {
    fn visit<K: Solo>(&mut self) {
        if K::NAME.contains(&self.arguments.workload) {
            for_each_peer(&mut CountPeers { all: self, workload: PhantomData::<K> });
        }
    }
}

struct CountPeers<'a, 'b, K> {
    all: &'a mut CountAll<'b>,
    workload: PhantomData<K>,
}

impl<K: Solo> PeerVisitor<K::Workload> for CountPeers<'_, '_, K> {
    fn visit<P: Peer<K::Workload>>(&mut self) {
        let Arguments { entries, operations, peer, .. } = self.all.arguments;
        if !P::NAME.contains(peer) && P::NAME != "seq" {
            return;
        }
        eprintln!("{}, {}", K::NAME, P::NAME);
        let count = |steps| instructions(K::NAME, P::NAME, *entries, steps);
        let instructions = count(*operations).and_then(|once| {
            let twice = count(2 * operations)?;
            Ok((twice as f64 - once as f64) / *operations as f64)
        });
        self.all.counts.push(Count { workload: K::NAME, peer: P::NAME, instructions });
    }
}

/// All instructions of a child that runs so many steps.
fn instructions(workload: &str, peer: &str, entries: u64, steps: u64) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| format!("cannot tell which program this is: {error}"))?;
    let mut command = Command::new("valgrind");
    // Cachegrind without its cache model is valgrind's cheapest way to count; the summary goes to our pipe.
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", "--log-fd=1"]);
    command.arg(program).args(["child", workload, peer, &entries.to_string(), &steps.to_string()]);
    match run(&mut command, LIMIT) {
        Outcome::Finished(text) => refs(&text).ok_or_else(|| format!("valgrind printed no count: {text}")),
        Outcome::Hung => Err(format!("no end after {} s", LIMIT.as_secs())),
        Outcome::Failed(why) => Err(why),
    }
}

/// The number in valgrind's line `==1== I   refs:      1,234`.
fn refs(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("I ") && line.contains("refs:"))?;
    let (_, number) = line.split_once("refs:")?;
    number.trim().replace(',', "").parse().ok()
}

/// The child's part: looks for its workload and peer by name and runs them.
struct RunOne<'a> {
    workload: &'a str,
    peer: &'a str,
    entries: u64,
    steps: u64,
    outcome: Option<Result<(), String>>,
}

impl SoloVisitor for RunOne<'_> {
    fn visit<K: Solo>(&mut self) {
        if K::NAME == self.workload {
            for_each_peer(&mut RunPeer { one: self, workload: PhantomData::<K> });
        }
    }
}

struct RunPeer<'a, 'b, K> {
    one: &'a mut RunOne<'b>,
    workload: PhantomData<K>,
}

impl<K: Solo> PeerVisitor<K::Workload> for RunPeer<'_, '_, K> {
    fn visit<P: Peer<K::Workload>>(&mut self) {
        if P::NAME == self.one.peer {
            self.one.outcome = Some(run_steps::<K, P>(self.one.entries, self.one.steps));
        }
    }
}

fn run_steps<K: Solo, P: Peer<K::Workload>>(entries: u64, steps: u64) -> Result<(), String> {
    let mut peer = P::build(K::Workload::filled(entries)).map_err(|failure| failure.to_string())?;
    let mut handle = peer.solo().map_err(|failure| failure.to_string())?;
    let mut client = K::client(entries);
    for _ in 0..steps {
        // Opaque each time, lest the bare structure's fields stay in registers, where no shared structure can have them.
        black_box(K::step(&mut client, black_box(&mut handle)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_count_is_found_in_what_valgrind_prints() {
        assert_eq!(super::refs("==7== Cachegrind\n==7== I   refs:      1,234,567\n"), Some(1_234_567));
        assert_eq!(super::refs("==7== I refs:        89\n"), Some(89));
        assert_eq!(super::refs("==7== nothing\n"), None);
    }
}
