//! A hash map shared by all threads: `nr` beside `Mutex<HashMap>` and `RwLock<HashMap>`, measured on your machine.
//!
//! ```text
//! cargo run --release --example hashmap
//! cargo run --release --example hashmap -- --threads 1,8,64 --writes 0,20 --replicas 2
//! ```
//!
//! The first half of this file is all that it takes to share a structure of your own: say what a read is, what a
//! write is and how each is carried out on a plain `HashMap`. The second half measures, and then checks that every
//! replica holds the same entries.

use std::{
    array,
    collections::HashMap,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::{Barrier, LazyLock, Mutex, RwLock},
    time::{Duration, Instant},
};

use clap::Parser;
use nr::{Builder, Dispatch, Handle, Topology};
use nr_examples::{
    Random, ReplicasOption, Result, check_memory, counted, cpus, ensure, mix, on_every_replica, on_threads, say, whole,
};

/// The sequential structure. It knows nothing of threads; `nr` clones it once for each further replica.
#[derive(Clone)]
struct Table(HashMap<u64, u64>);

/// A read: look this key up.
struct Get(u64);

/// A write: it goes into the log once, and every replica applies it from there.
struct Put {
    key: u64,
    value: u64,
}

impl Dispatch for Table {
    type ReadOperation<'a> = Get;
    type WriteOperation = Put;
    type Response = Option<u64>;

    fn dispatch(&self, Get(key): Get) -> Option<u64> {
        self.0.get(&key).copied()
    }

    // Every replica runs this, so it may depend on nothing but the map and the operation: no clock, no random
    // numbers, no order of iteration. Then replicas that run the same log hold the same entries.
    fn dispatch_mut(&mut self, put: &Put) -> Option<u64> {
        self.0.insert(put.key, put.value)
    }
}

/// What the measurement asks of each implementation.
trait Map {
    fn get(&mut self, key: u64) -> Option<u64>;
    fn put(&mut self, key: u64, value: u64) -> Option<u64>;
}

impl Map for Handle<'_, Table> {
    fn get(&mut self, key: u64) -> Option<u64> {
        self.execute(Get(key))
    }
    fn put(&mut self, key: u64, value: u64) -> Option<u64> {
        self.execute_mut(Put { key, value })
    }
}

impl Map for &Mutex<HashMap<u64, u64>> {
    fn get(&mut self, key: u64) -> Option<u64> {
        self.lock().unwrap().get(&key).copied()
    }
    fn put(&mut self, key: u64, value: u64) -> Option<u64> {
        self.lock().unwrap().insert(key, value)
    }
}

impl Map for &RwLock<HashMap<u64, u64>> {
    fn get(&mut self, key: u64) -> Option<u64> {
        self.read().unwrap().get(&key).copied()
    }
    fn put(&mut self, key: u64, value: u64) -> Option<u64> {
        self.write().unwrap().insert(key, value)
    }
}

/// Measures a shared hash map: nr beside Mutex<HashMap> and RwLock<HashMap>, then checks that all replicas are equal.
#[derive(Parser)]
struct Options {
    /// Numbers of threads to measure, 1 to 4,096 each
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = DEFAULT_THREADS.as_str(),
          value_parser = whole(1..=4096))]
    threads: Vec<usize>,

    /// Shares of writes to measure, 0 to 100 percent each
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "0,10,50,100",
          value_parser = whole(0..=100))]
    writes: Vec<usize>,

    /// Entries in each map, 1 to 100,000,000, all of them there from the start
    #[arg(long, value_name = "NUMBER", default_value = "100000", value_parser = whole(1..=100_000_000))]
    entries: usize,

    /// Seconds to measure, 0.1 to 3600, shared by all points of the table
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    seconds: Duration,

    #[command(flatten)]
    replicas: ReplicasOption,
}

/// One thread, every CPU busy, and far more threads than CPUs.
static DEFAULT_THREADS: LazyLock<String> = LazyLock::new(|| {
    let mut threads = vec![1, cpus(), 4 * cpus()];
    threads.dedup();
    threads.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
});

/// Every point is measured so often, the implementations in turn, and the median counts: whatever else
/// the machine does meanwhile meets all three alike.
const REPETITIONS: usize = 5;

/// In the order of the table's columns.
const IMPLEMENTATIONS: usize = 3;

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("give a number of seconds from 0.1 to 3600".to_owned()),
    }
}

fn main() -> ExitCode {
    nr_examples::finish(run(&Options::parse()))
}

fn run(options: &Options) -> Result {
    let &Options { ref threads, ref writes, entries, seconds, replicas } = options;
    let points = threads.len() * writes.len();
    let slice = seconds.div_f64((points * IMPLEMENTATIONS * REPETITIONS) as f64);
    ensure!(
        slice >= Duration::from_millis(1),
        "{} leave less than a millisecond for each measurement: give more --seconds or fewer points",
        counted(points, "point")
    );

    if cfg!(debug_assertions) {
        eprintln!("warning: without `cargo run --release` the figures say little");
    }
    let topology = Topology::detect();
    say!("{topology}");

    // A map's buckets are a power of two, at most 7/8 of them used, each with an entry and a byte.
    let map_bytes = (entries as u64 * 8 / 7).next_power_of_two() * 17;
    let maps = replicas.number().unwrap_or(topology.nodes().len()) + 2;
    check_memory(map_bytes * maps as u64, "choose fewer --entries or --replicas")?;

    // The maps start out equal and full. Writes replace values, so that the maps keep their size.
    let map: HashMap<u64, u64> = (0..entries as u64).map(|key| (key, key)).collect();
    let builder = Builder::default().topology(topology).replicas(replicas.choice());
    let nr = builder.build(Table(map.clone()))?;
    let mutex = Mutex::new(map.clone());
    let rwlock = RwLock::new(map);
    say!("{} of {}", counted(nr.replicas(), "replica"), counted(entries, "entry"));
    if nr.replicas() == 1 {
        say!("(A single replica needs no log; --replicas 2 shows the log at work.)");
    }

    say!("\nMillion operations a second (median of {REPETITIONS} runs, {} ms each)", slice.as_millis());
    say!("threads  writes        nr     Mutex    RwLock   nr/better lock");
    let mut ratios = Vec::new();
    for &threads in threads {
        for &writes in writes {
            progress(&format!("point {} of {points} …", ratios.len() + 1));
            let load = Load { entries, writes, slice, start: Barrier::new(threads) };
            let runs = on_threads(threads, |thread| {
                // A handle on the replica that is nearest to this thread.
                let mut nr = nr.register()?;
                // The same operations on each map: the same keys, reads and writes, in the same order.
                Ok(array::from_fn(|turn| {
                    let random = Random::new((turn << 32 | thread) as u64);
                    [
                        load.run(&mut nr, random.clone()),
                        load.run(&mut &mutex, random.clone()),
                        load.run(&mut &rwlock, random),
                    ]
                }))
            })?;
            let [nr, mutex, rwlock] = [0, 1, 2].map(|implementation| median_rate(&runs, implementation));
            let ratio = nr / mutex.max(rwlock);
            progress("");
            say!("{threads:>7}  {writes:>4} %  {nr:>8.2}  {mutex:>8.2}  {rwlock:>8.2}   {ratio:>14.2}");
            ratios.push(ratio);

            let wrong: u64 = runs.iter().flatten().flatten().map(|run| run.wrong).sum();
            ensure!(wrong == 0, "{wrong} operations found no value, or one of another key");
        }
    }
    let won = ratios.iter().filter(|&&ratio| ratio > 1.0).count();
    say!("\nnr is ahead of the better lock at {won} of {}.", counted(points, "point"));

    // Replicas that applied the same log must hold the same entries.
    let found = on_every_replica(&nr, |table| (table.0.len(), fingerprint(&table.0)))?;
    for (index, &(len, print)) in found.iter().enumerate() {
        ensure!(len == entries, "replica {index} has {len} entries instead of {entries}");
        ensure!(print == found[0].1, "replica {index} differs from replica 0 in its values");
    }
    let entries = counted(entries, "entry");
    match found.len() {
        1 => say!("Check passed: the one replica has its {entries}."),
        n => say!("Check passed: the {n} replicas have the same {entries}."),
    }
    say!("\nWhat nr did meanwhile:\n{}", nr.stats());
    Ok(())
}

/// What each thread does at one point of the table.
struct Load {
    entries: usize,
    writes: usize,
    slice: Duration,
    start: Barrier,
}

/// What one thread did in one slice of time.
struct Run {
    started: Instant,
    ended: Instant,
    operations: u64,
    wrong: u64,
}

impl Load {
    /// Inlined into one loop for each implementation, so that all three are called alike.
    fn run(&self, map: &mut impl Map, mut random: Random) -> Run {
        self.start.wait();
        let started = Instant::now();
        let (mut operations, mut wrong) = (0, 0);
        loop {
            // The clock is read once for many operations, so that it hardly counts.
            for _ in 0..32 {
                let key = random.below(self.entries) as u64;
                // Each value carries its key in the lower half: whoever reads it can tell a wrong one.
                let found = if random.below(100) < self.writes {
                    map.put(key, random.next() << 32 | key)
                } else {
                    map.get(key)
                };
                wrong += u64::from(found.is_none_or(|value| value as u32 != key as u32));
            }
            operations += 32;
            let ended = Instant::now();
            if ended - started >= self.slice {
                return Run { started, ended, operations, wrong };
            }
        }
    }
}

/// Million operations a second of all threads together: from the first one's start to the last one's end.
fn median_rate(threads: &[[[Run; IMPLEMENTATIONS]; REPETITIONS]], implementation: usize) -> f64 {
    let mut rates: [f64; REPETITIONS] = array::from_fn(|repetition| {
        let runs = || threads.iter().map(|thread| &thread[repetition][implementation]);
        let started = runs().map(|run| run.started).min().unwrap();
        let ended = runs().map(|run| run.ended).max().unwrap();
        runs().map(|run| run.operations).sum::<u64>() as f64 / (ended - started).as_micros() as f64
    });
    rates.sort_by(f64::total_cmp);
    rates[REPETITIONS / 2]
}

/// Equal maps have equal fingerprints, in whatever order they list their entries.
fn fingerprint(map: &HashMap<u64, u64>) -> u64 {
    map.iter().fold(0, |sum, (&key, &value)| sum.wrapping_add(mix(mix(key) ^ value)))
}

/// Shows what is going on, to a person only; an empty text clears the line.
fn progress(text: &str) {
    let mut stderr = io::stderr();
    if stderr.is_terminal() {
        // A terminal that has gone away is no reason to stop.
        let _ = write!(stderr, "\r\x1b[K{text}").and_then(|()| stderr.flush());
    }
}
