//! Replicas that come and go while threads read and write: what each costs in memory and what it brings.
//!
//! ```text
//! cargo run --release --example elastic
//! cargo run --release --example elastic -- --entries 1000000 --most 4 --seconds 2
//! ```
//!
//! A map is read by some threads and written by one. Every now and then a replica is added, up to `--most`, then one
//! after the other is removed, down to one, which needs no log any more. Each line says how much memory the process has then, and how many
//! reads and writes were done in a second. On a machine with several NUMA nodes reads get faster with a replica on
//! each; on one with a single node there is nothing to gain, and the price, in memory and in writes, to be seen.

use std::{
    collections::HashMap,
    fs,
    num::NonZeroUsize,
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use nr::{Builder, Dispatch, NodeReplicated, Place, Replicas};
use nr_examples::{Random, Result, ensure, grouped, say, whole};

/// Replicas that come and go while threads read and write.
#[derive(Parser)]
struct Options {
    /// Entries of the map.
    #[arg(long, value_name = "NUMBER", default_value = "200000", value_parser = whole(1..=1 << 28))]
    entries: usize,
    /// The most replicas at once.
    #[arg(long, value_name = "NUMBER", default_value = "3", value_parser = whole(2..=32))]
    most: usize,
    /// Threads that read. By default one less than there are CPUs: one is for the thread that writes.
    #[arg(long, value_name = "NUMBER", value_parser = whole(1..=1024))]
    readers: Option<usize>,
    /// How long each number of replicas is watched, in seconds.
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
}

#[derive(Clone)]
struct Map(HashMap<u64, u64>);

impl Dispatch for Map {
    type ReadOperation<'a> = u64;
    type WriteOperation = (u64, u64);
    type Response = Option<u64>;
    fn dispatch(&self, key: u64) -> Option<u64> {
        self.0.get(&key).copied()
    }
    fn dispatch_mut(&mut self, &(key, value): &(u64, u64)) -> Option<u64> {
        self.0.insert(key, value)
    }
}

fn main() -> ExitCode {
    nr_examples::finish(run(&Options::parse()))
}

fn run(options: &Options) -> Result {
    ensure!((0.01..=3600.0).contains(&options.seconds), "--seconds must be from 0.01 to 3600");
    let one = Replicas::Count(NonZeroUsize::MIN);
    let map = Map((0..options.entries as u64).map(|key| (key, key)).collect());
    let map = Builder::default().replicas(one).build(map)?;
    let readers = options.readers.unwrap_or(map.topology().usable_cpus().len() - 1).max(1) as u64;
    let (reads, writes, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    say!("{:>9} {:>10} {:>16} {:>16}  change", "replicas", "memory", "reads a second", "writes a second");
    thread::scope(|scope| {
        for seed in 1..=readers {
            let (map, reads, stop) = (&map, &reads, &stop);
            scope.spawn(move || {
                let mut handle = map.register().expect("there is a replica");
                let mut random = Random::new(seed);
                while !stop.load(Ordering::Relaxed) {
                    for _ in 0..100 {
                        let key = random.below(options.entries) as u64;
                        assert!(handle.execute(key).is_some_and(|value| value >= key), "every key is there, always");
                    }
                    reads.fetch_add(100, Ordering::Relaxed);
                    // Replicas come: take the nearest.
                    handle.rehome();
                }
            });
        }
        scope.spawn(|| {
            let mut handle = map.register().expect("there is a replica");
            let mut random = Random::new(0);
            while !stop.load(Ordering::Relaxed) {
                let key = random.below(options.entries) as u64;
                handle.execute_mut((key, key + 1));
                writes.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_micros(20));
            }
        });
        let watch = |change: &str| {
            let (reads_before, writes_before) = (reads.load(Ordering::Relaxed), writes.load(Ordering::Relaxed));
            let start = Instant::now();
            thread::sleep(Duration::from_secs_f64(options.seconds));
            let a_second = |before: u64, now: &AtomicU64| {
                grouped(((now.load(Ordering::Relaxed) - before) as f64 / start.elapsed().as_secs_f64()) as usize)
            };
            say!(
                "{:>9} {:>10} {:>16} {:>16}  {change}",
                map.replicas(),
                memory(),
                a_second(reads_before, &reads),
                a_second(writes_before, &writes)
            );
        };
        let outcome = come_and_go(&map, options.most, watch);
        stop.store(true, Ordering::Relaxed);
        outcome
    })
}

/// Up to `most` replicas and down to one.
fn come_and_go(map: &NodeReplicated<Map>, most: usize, watch: impl Fn(&str)) -> Result {
    let topology = map.topology();
    let usable = topology.nodes().iter().filter(|node| node.cpus().iter().any(|cpu| topology.is_usable(*cpu)));
    let nodes: Vec<usize> = usable.map(|node| node.id()).collect();
    watch("to begin with");
    while map.replicas() < most {
        let node = nodes[map.replicas() % nodes.len()];
        let start = Instant::now();
        let id = map.add_replica(Place::Node(node))?;
        watch(&format!("{id} added on node {node} in {:.1} ms", 1e3 * start.elapsed().as_secs_f64()));
    }
    while map.replicas() > 1 {
        let ids = map.replica_ids();
        let id = ids[ids.len() - 1];
        let start = Instant::now();
        map.remove_replica(id)?;
        watch(&format!("{id} removed in {:.1} ms", 1e3 * start.elapsed().as_secs_f64()));
    }
    Ok(())
}

/// The memory that the process has, where that can be found out.
fn memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|text| text.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kib.map_or("unknown".into(), |kib| format!("{:.1} MiB", kib / 1024.0))
}
