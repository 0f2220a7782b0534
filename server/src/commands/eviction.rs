//! Making room: which keys go when memory is at its limit.
//!
//! Redis keeps no list of keys by their last use; it looks at a few random ones and removes the best of them. The best of
//! those that were left are remembered in a small [`Pool`], so that over many rounds the choice comes close to that of a
//! full list. The same is done here, except for the keys that expire first, of which the keyspace has an index.
//!
//! The choice is made by reading one replica, and what was chosen goes through the log as the names of the keys. So
//! replicas may differ in when their keys were used, and nothing random happens behind the log.

#[cfg(test)]
mod tests;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use nr::OwnedHandle;

use super::state::lock;
use crate::config::{Config, MaxmemoryPolicy};
use crate::store::access::AccessClock;
use crate::store::database::Database;
use crate::store::entry::Entry;
use crate::store::operation::{Effects, Operation, Work};
use crate::store::{Keyspace, SmallBytes};

/// How many candidates are remembered.
const POOL: usize = 16;

/// The most keys that one operation removes: whoever waits behind it waits for so many.
const VICTIMS: usize = 16;

/// What makes room for a server.
#[derive(Debug, Default)]
pub struct Evictor {
    /// One worker evicts at a time: two would both remove what is to be removed once.
    pool: Mutex<Pool>,
}

impl Evictor {
    /// Removes keys until no more memory is `used` than the configuration allows, and gives whether that was reached; and
    /// what to tell other clients. If it takes longer than the configuration's tenacity, the rest is left to the next
    /// command, and counts as reached.
    ///
    /// O(1) if there is room. Otherwise replicas are first brought up to date, as those that lag behind still hold what
    /// was removed.
    pub fn make_room(
        &self,
        handle: &mut OwnedHandle<Keyspace>,
        config: &Config,
        now: i64,
        used: impl Fn() -> u64,
        random: &mut impl FnMut() -> u64,
    ) -> (bool, Vec<Effects>) {
        let mut effects = Vec::new();
        let excess = || used().saturating_sub(config.maxmemory);
        if config.maxmemory == 0 || excess() == 0 {
            return (true, effects);
        }
        let mut pool = lock(&self.pool);
        let replicas = handle.structure().replicas() as u64;
        let start = Instant::now();
        let patience = patience(config.maxmemory_eviction_tenacity);
        // Large values are freed by another thread: what they held counts as free from when they are removed.
        let mut to_free = None;
        let mut freed = 0;
        loop {
            handle.structure().sync();
            let excess = excess();
            if excess == 0 || freed >= *to_free.get_or_insert(excess) {
                return (true, effects);
            }
            let victims = handle.read(|keyspace| choose(&mut pool, keyspace, now, excess / replicas, random));
            if victims.keys.is_empty() {
                return (false, effects);
            }
            freed += victims.memory * replicas;
            let work = Work::Evict { now, keys: victims.keys };
            let response = handle.execute_mut(Operation { origin: handle.replica_id(), work });
            effects.extend(response.effects.map(|effects| *effects));
            if start.elapsed() >= patience {
                return (true, effects);
            }
        }
    }
}

/// How long a command may wait for room: up to half a millisecond at first, then 15 % more with each step.
fn patience(tenacity: u32) -> Duration {
    match tenacity {
        0..=10 => Duration::from_micros(u64::from(tenacity) * 50),
        11..100 => Duration::from_micros(500).mul_f64(1.15f64.powi(tenacity as i32 - 10)),
        _ => Duration::MAX,
    }
}

/// The best candidates so far.
#[derive(Debug, Default)]
pub struct Pool {
    /// The best last; no key twice.
    candidates: Vec<Candidate>,
    /// What they were ranked by.
    clock: Option<AccessClock>,
}

#[derive(Debug)]
struct Candidate {
    rank: u32,
    database: u32,
    key: SmallBytes,
    /// The access word by which it was ranked: if it is another one now, the key has been used since.
    access: u32,
}

/// Keys to remove.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Victims {
    /// The keys, each with the index of its database.
    pub keys: Vec<(u32, SmallBytes)>,
    /// Roughly the bytes that they occupy on one replica.
    pub memory: u64,
}

impl Victims {
    fn contains(&self, database: u32, key: &[u8]) -> bool {
        self.keys.iter().any(|(other, chosen)| *other == database && chosen.as_slice() == key)
    }

    fn add(&mut self, database: u32, entry: &Entry) {
        self.keys.push((database, entry.key().clone()));
        self.memory += entry.memory() as u64;
    }
}

/// Chooses keys to remove by the keyspace's policy: as many as occupy `memory` bytes, but not more than a few; none only
/// if the policy allows none. O(samples) for each.
pub fn choose(
    pool: &mut Pool,
    keyspace: &Keyspace,
    now: i64,
    memory: u64,
    random: &mut impl FnMut() -> u64,
) -> Victims {
    use MaxmemoryPolicy::{
        AllkeysLfu, AllkeysLru, AllkeysRandom, NoEviction, VolatileLfu, VolatileLru, VolatileRandom, VolatileTtl,
    };
    let candidates = |volatile| Candidates { keyspace, volatile };
    let mut victims = Victims::default();
    while victims.keys.len() < VICTIMS && (victims.keys.is_empty() || victims.memory < memory) {
        let next = match keyspace.config.maxmemory_policy {
            NoEviction => None,
            AllkeysRandom => candidates(false).draw_new(&victims, random),
            VolatileRandom => candidates(true).draw_new(&victims, random),
            VolatileTtl => first_to_expire(keyspace, &victims),
            AllkeysLru | AllkeysLfu => pool.best(&candidates(false), now, &victims, random),
            VolatileLru | VolatileLfu => pool.best(&candidates(true), now, &victims, random),
        };
        let Some((database, entry)) = next else { break };
        victims.add(database, entry);
    }
    victims
}

/// The keys that may be removed.
struct Candidates<'a> {
    keyspace: &'a Keyspace,
    /// Only those that expire.
    volatile: bool,
}

impl<'a> Candidates<'a> {
    fn count(&self, database: &Database) -> usize {
        if self.volatile { database.expiring() } else { database.len() }
    }

    /// One of them, each with the same probability. O(databases), and O(log n) among those that expire.
    fn draw(&self, random: &mut impl FnMut() -> u64) -> Option<(u32, &'a Entry)> {
        let databases = &self.keyspace.databases;
        let total: usize = databases.iter().map(|database| self.count(database)).sum();
        let mut rank = (random() % (total.max(1) as u64)) as usize;
        let index = databases.iter().position(|database| {
            let count = self.count(database);
            let within = rank < count;
            if !within {
                rank -= count;
            }
            within
        })?;
        let database = &databases[index];
        let entry = if self.volatile {
            database.expiring_at(rank)
        } else {
            database.table().random(random).map(|entry| &**entry)
        };
        entry.map(|entry| (index as u32, entry))
    }

    /// One that is not among the victims, if it is found soon.
    fn draw_new(&self, victims: &Victims, random: &mut impl FnMut() -> u64) -> Option<(u32, &'a Entry)> {
        const DRAWS: usize = 8;
        (0..DRAWS).map_while(|_| self.draw(random)).find(|(database, entry)| !victims.contains(*database, entry.key()))
    }

    /// The key's entry, if it may still be removed.
    fn get(&self, database: u32, key: &[u8]) -> Option<&'a Entry> {
        let entry = self.keyspace.databases.get(database as usize)?.get(key)?;
        (!self.volatile || entry.expiry().is_some()).then_some(entry)
    }
}

impl Pool {
    /// Draws some more candidates, and takes the best of all; `None` if there is none at all.
    fn best<'a>(
        &mut self,
        candidates: &Candidates<'a>,
        now: i64,
        victims: &Victims,
        random: &mut impl FnMut() -> u64,
    ) -> Option<(u32, &'a Entry)> {
        let keyspace = candidates.keyspace;
        if self.clock != Some(keyspace.access_clock) {
            self.candidates.clear();
            self.clock = Some(keyspace.access_clock);
        }
        for _ in 0..keyspace.config.maxmemory_samples {
            let Some((database, entry)) = candidates.draw_new(victims, random) else { break };
            self.insert(keyspace.access_clock, database, entry, now);
        }
        while let Some(candidate) = self.candidates.pop() {
            if let Some(entry) = candidates.get(candidate.database, &candidate.key)
                && entry.access() == candidate.access
                && !victims.contains(candidate.database, &candidate.key)
            {
                return Some((candidate.database, entry));
            }
        }
        None
    }

    /// Adds a candidate, if it is among the best.
    fn insert(&mut self, clock: AccessClock, database: u32, entry: &Entry, now: i64) {
        let access = entry.access();
        let rank = match clock {
            AccessClock::Recency => u32::MAX - access,
            AccessClock::Frequency { .. } => u32::from(u8::MAX - clock.frequency(access, now)),
        };
        self.candidates.retain(|other| other.database != database || other.key != *entry.key());
        let mut place = self.candidates.partition_point(|other| other.rank < rank);
        if self.candidates.len() == POOL {
            if place == 0 {
                return;
            }
            self.candidates.remove(0);
            place -= 1;
        }
        self.candidates.insert(place, Candidate { rank, database, key: entry.key().clone(), access });
    }
}

/// The key that expires first and is not a victim yet. O(databases · victims · log n).
fn first_to_expire<'a>(keyspace: &'a Keyspace, victims: &Victims) -> Option<(u32, &'a Entry)> {
    let first = |(index, database): (usize, &'a Database)| {
        let index = index as u32;
        let chosen = victims.keys.iter().filter(|(other, _)| *other == index).count();
        // The victims of this database are the first of its index.
        database.expiring_at(chosen).map(|entry| (index, entry))
    };
    keyspace.databases.iter().enumerate().filter_map(first).min_by_key(|(_, entry)| entry.expiry())
}
