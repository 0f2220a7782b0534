//! A cache with two bugs that no test on one thread and one copy shows, and how `nr::testing` shows them.
//!
//! ```text
//! cargo run --release --example testing
//! cargo run --release --example testing -- --seed 7
//! ```
//!
//! The cache holds a few entries, and drops the one that has been written least often when it needs room.
//!
//! * **Which of several that were written equally often?** The first that the map comes to, says the first version. Each replica has a
//!   map of its own, with an order of its own: they drop different entries, and drift apart. `check_deterministic` shows the
//!   operations that it takes. Here the key decides instead.
//! * **How many reads have found something?** The second version counts them in an atomic, since a read has no `&mut`. But a read runs on one
//!   replica, and the others know nothing of it. `check_linearizable` shows calls whose answers don't fit together. What has to be
//!   counted has to be a write.
//!
//! In a `#[test]` of yours the checks are one line each.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use clap::Parser;
use nr::{
    Builder, Dispatch, Replicas,
    testing::{Determinism, Linearizability, Rng, Subject},
};
use nr_examples::{Result, ensure, say};

#[derive(Clone, Debug)]
struct Entry {
    value: u64,
    writes: u64,
}

#[derive(Debug)]
struct Cache {
    entries: HashMap<u8, Entry>,
    hits: AtomicU64,
    version: Version,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    DropsAny,
    CountsHits,
    Right,
}

/// How many entries there may be.
const CAPACITY: usize = 3;

impl Cache {
    fn new(version: Version) -> Self {
        Self { entries: HashMap::new(), hits: AtomicU64::new(0), version }
    }

    fn drop_one(&mut self) {
        let candidates = self.entries.iter();
        let victim = match self.version {
            // Of several that are least, `min_by_key` takes the first.
            Version::DropsAny => candidates.min_by_key(|(_, entry)| entry.writes),
            _ => candidates.min_by_key(|(key, entry)| (entry.writes, **key)),
        };
        if let Some(key) = victim.map(|(key, _)| *key) {
            self.entries.remove(&key);
        }
    }

    /// All that an operation can find out, in an order that does not depend on the map's.
    fn fingerprint(&self) -> (Vec<(u8, u64, u64)>, u64) {
        let mut entries: Vec<_> = self.entries.iter().map(|(key, entry)| (*key, entry.value, entry.writes)).collect();
        entries.sort_unstable();
        (entries, self.hits.load(Relaxed))
    }
}

impl Clone for Cache {
    fn clone(&self) -> Self {
        let hits = AtomicU64::new(self.hits.load(Relaxed));
        Self { entries: self.entries.clone(), hits, version: self.version }
    }
}

#[derive(Debug)]
enum Read {
    Get(u8),
    Hits,
}

#[derive(Debug)]
struct Put(u8, u64);

impl Dispatch for Cache {
    type ReadOperation<'a> = Read;
    type WriteOperation = Put;
    type Response = Option<u64>;

    fn dispatch(&self, read: Read) -> Option<u64> {
        match read {
            Read::Get(key) => {
                let found = self.entries.get(&key).map(|entry| entry.value);
                if found.is_some() && self.version == Version::CountsHits {
                    self.hits.fetch_add(1, Relaxed);
                }
                found
            }
            Read::Hits => Some(self.hits.load(Relaxed)),
        }
    }

    /// Answers with the value that was there before.
    fn dispatch_mut(&mut self, &Put(key, value): &Put) -> Option<u64> {
        if !self.entries.contains_key(&key) && self.entries.len() == CAPACITY {
            self.drop_one();
        }
        let entry = self.entries.entry(key).or_insert(Entry { value: 0, writes: 0 });
        entry.writes += 1;
        let before = std::mem::replace(&mut entry.value, value);
        (entry.writes > 1).then_some(before)
    }
}

/// Few keys, and one more than there is room for, so that operations meet and entries are dropped.
fn random_key(random: &mut Rng) -> u8 {
    random.u8(0..=CAPACITY as u8)
}

fn random_put(random: &mut Rng) -> Put {
    Put(random_key(random), random.u64(0..100))
}

fn random_call(random: &mut Rng, cache: Subject<'_, Cache>) -> Option<u64> {
    match random.u8(0..4) {
        0 => cache.execute(Read::Hits),
        1 => cache.execute(Read::Get(random_key(random))),
        _ => cache.execute_mut(random_put(random)),
    }
}

/// Finds two bugs in a cache with the tools of `nr::testing`, and none in the third version.
#[derive(Parser)]
struct Options {
    /// What the random operations begin with [default: another number each time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    nr_examples::finish(run(&Options::parse()))
}

fn run(&Options { seed }: &Options) -> Result {
    let determinism = seed.map_or_else(Determinism::default, |seed| Determinism::default().seed(seed));
    let linearizability = seed.map_or_else(Linearizability::default, |seed| Linearizability::default().seed(seed));

    say!("A cache that drops any one of the entries written least often:\n");
    let checked = determinism.check(|| Cache::new(Version::DropsAny), random_put, Cache::fingerprint);
    let Err(difference) = checked else { return Err("copies that drop different entries were not told apart".into()) };
    say!("{}\n", indented(&difference));

    say!("The same in use, on two replicas:\n");
    let two = Replicas::Count(NonZeroUsize::MIN.saturating_add(1));
    let cache = Builder::default().replicas(two).build_with(|_| Cache::new(Version::DropsAny))?;
    let mut handle = cache.register()?;
    let mut puts = 0;
    let difference = loop {
        handle.execute_mut(Put(puts as u8, puts));
        puts += 1;
        if let Err(difference) = cache.check_replicas(Cache::fingerprint) {
            break difference;
        }
        ensure!(puts < 200, "replicas that drop different entries stay equal");
    };
    say!("{}\n", indented(&format!("after {puts} writes {difference}")));

    say!("A cache that counts the reads that find something:\n");
    let checked = linearizability.check(|| Cache::new(Version::CountsHits), random_call, Cache::fingerprint);
    let Err(violation) = checked else { return Err("counts of different replicas were not told apart".into()) };
    say!("{}\n", indented(&violation));

    determinism.check(|| Cache::new(Version::Right), random_put, Cache::fingerprint)?;
    linearizability.check(|| Cache::new(Version::Right), random_call, Cache::fingerprint)?;
    say!("Check passed: both bugs are found, and the cache without them is deterministic and linearizable.");
    Ok(())
}

fn indented(text: &impl ToString) -> String {
    text.to_string().lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
