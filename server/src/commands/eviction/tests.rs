use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::channel;

use nr::{NodeReplicated, ReplicaId, Replicas};

use super::*;
use crate::store::Value;
use crate::store::value::StringValue;

const SECOND: i64 = 1000;

/// A keyspace with keys `0` to `99` in database 0, used a second after the other, of which the even ones expire,
/// those with higher numbers first; and with the same in database 3, all used 50 seconds earlier.
fn keyspace(policy: MaxmemoryPolicy, samples: u32) -> Keyspace {
    let mut config = Config::default();
    config.maxmemory_policy = policy;
    config.maxmemory_samples = samples;
    let mut keyspace = Keyspace::new(ReplicaId::new(0), Arc::new(config), channel().0);
    for (database, start) in [(0, 1000), (3, 950)] {
        for number in 0..100 {
            let name = number.to_string();
            let entry = Entry::new(name.as_bytes(), Value::String(StringValue::new(b"value")));
            entry.set_access(keyspace.access_clock.created((start + number) * SECOND));
            let expiry = (number % 2 == 0).then_some((3000 - number) * SECOND);
            keyspace.databases[database].insert_new(entry);
            keyspace.databases[database].set_expiry(name.as_bytes(), expiry);
        }
    }
    keyspace
}

fn chosen(pool: &mut Pool, keyspace: &Keyspace, memory: u64, seed: u64) -> Vec<(u32, u32)> {
    let mut state = seed;
    let mut random = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        state.rotate_left(32)
    };
    let number = |key: &SmallBytes| str::from_utf8(key).unwrap().parse().unwrap();
    let victims = choose(pool, keyspace, 2000 * SECOND, memory, &mut random);
    assert!(victims.memory > 0 || victims.keys.is_empty());
    victims.keys.iter().map(|(database, key)| (*database, number(key))).collect()
}

#[test]
fn without_eviction_nothing_is_chosen() {
    let keyspace = keyspace(MaxmemoryPolicy::NoEviction, 5);
    assert_eq!(chosen(&mut Pool::default(), &keyspace, 1, 1), []);
}

#[test]
fn the_keys_that_expire_first_are_chosen_from_all_databases() {
    let keyspace = keyspace(MaxmemoryPolicy::VolatileTtl, 5);
    let keys = chosen(&mut Pool::default(), &keyspace, u64::MAX, 1);
    assert_eq!(keys.len(), VICTIMS);
    assert_eq!(keys[..5], [(0, 98), (3, 98), (0, 96), (3, 96), (0, 94)]);
}

#[test]
fn only_as_many_are_chosen_as_are_needed() {
    for policy in [MaxmemoryPolicy::AllkeysLru, MaxmemoryPolicy::AllkeysRandom, MaxmemoryPolicy::VolatileTtl] {
        let keyspace = keyspace(policy, 5);
        assert_eq!(chosen(&mut Pool::default(), &keyspace, 1, 1).len(), 1);
        assert_eq!(chosen(&mut Pool::default(), &keyspace, 0, 1).len(), 1);
    }
}

#[test]
fn volatile_policies_choose_keys_that_expire_and_none_twice() {
    use MaxmemoryPolicy::{VolatileLfu, VolatileLru, VolatileRandom, VolatileTtl};
    for policy in [VolatileLru, VolatileLfu, VolatileRandom, VolatileTtl] {
        let keyspace = keyspace(policy, 5);
        for seed in 0..20 {
            let mut keys = chosen(&mut Pool::default(), &keyspace, u64::MAX, seed);
            assert!(keys.iter().all(|(_, number)| number % 2 == 0), "{policy}: {keys:?}");
            let count = keys.len();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!((keys.len(), count), (VICTIMS, VICTIMS));
        }
    }
}

#[test]
fn volatile_policies_leave_the_others_alone() {
    use MaxmemoryPolicy::{VolatileLfu, VolatileLru, VolatileRandom, VolatileTtl};
    for policy in [VolatileLru, VolatileLfu, VolatileRandom, VolatileTtl] {
        let mut keyspace = keyspace(policy, 5);
        keyspace.databases.iter_mut().for_each(|database| {
            for number in 0..100 {
                database.set_expiry(number.to_string().as_bytes(), None);
            }
        });
        assert_eq!(chosen(&mut Pool::default(), &keyspace, 1, 1), []);
    }
}

#[test]
fn with_many_samples_the_least_recently_used_are_chosen() {
    let keyspace = keyspace(MaxmemoryPolicy::AllkeysLru, 2000);
    let keys = chosen(&mut Pool::default(), &keyspace, u64::MAX, 1);
    assert_eq!(keys, (0..VICTIMS as u32).map(|number| (3, number)).collect::<Vec<_>>());
}

#[test]
fn the_pool_remembers_and_notices_uses() {
    let mut keyspace = keyspace(MaxmemoryPolicy::AllkeysLru, 2000);
    let mut pool = Pool::default();
    assert_eq!(chosen(&mut pool, &keyspace, 1, 1), [(3, 0)]);
    assert_eq!(pool.candidates.len(), POOL - 1);
    keyspace.databases[3].get(b"1").unwrap().touch(keyspace.access_clock, 1999 * SECOND);
    Arc::make_mut(&mut keyspace.config).maxmemory_samples = 1;
    let next = chosen(&mut pool, &keyspace, 1, 2);
    assert!(next == [(3, 2)] || next == [(3, 0)], "{next:?}");
}

#[test]
fn the_least_frequently_used_are_chosen() {
    let keyspace = keyspace(MaxmemoryPolicy::AllkeysLfu, 2000);
    for (index, database) in keyspace.databases.iter().enumerate() {
        for entry in database.table().iter() {
            let rare = index == 0 && matches!(entry.key().as_slice(), b"17" | b"42");
            entry.set_access(keyspace.access_clock.created(2000 * SECOND) & !0xff | if rare { 3 } else { 9 });
        }
    }
    let mut keys = chosen(&mut Pool::default(), &keyspace, u64::MAX, 1);
    keys.truncate(2);
    keys.sort_unstable();
    assert_eq!(keys, [(0, 17), (0, 42)]);
}
/// Replicas of a keyspace whose 100 keys in database 0 are said to use 1000 bytes each on each replica.
struct Setting {
    keyspace: Arc<NodeReplicated<Keyspace>>,
    config: Arc<Config>,
}

impl Setting {
    fn new(policy: MaxmemoryPolicy, replicas: usize, maxmemory: u64) -> Self {
        let mut config = Config::default();
        config.maxmemory_policy = policy;
        config.maxmemory = maxmemory;
        config.maxmemory_eviction_tenacity = 100;
        let config = Arc::new(config);
        let make = |replica| {
            let mut keyspace = Keyspace::new(replica, config.clone(), channel().0);
            for number in 0..100 {
                let name = number.to_string();
                keyspace.databases[0].insert_new(Entry::new(name.as_bytes(), Value::String(StringValue::new(b"x"))));
            }
            keyspace
        };
        let count = Replicas::Count(NonZeroUsize::new(replicas).unwrap());
        let keyspace = NodeReplicated::<Keyspace>::builder().replicas(count).build_with(make).unwrap();
        Setting { keyspace: Arc::new(keyspace), config }
    }

    fn keys(&self) -> Vec<usize> {
        let count = |replica| {
            let mut handle = self.keyspace.register_owned_on(ReplicaId::new(replica)).unwrap();
            handle.read(|keyspace| keyspace.databases[0].len())
        };
        (0..self.keyspace.replicas()).map(count).collect()
    }

    fn make_room(&self) -> bool {
        let mut handle = self.keyspace.register_owned().unwrap();
        let used = || self.keys().iter().sum::<usize>() as u64 * 1000;
        let mut state = 0u64;
        let mut random = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            state.rotate_left(32)
        };
        Evictor::default().make_room(&mut handle, &self.config, 0, used, &mut random).0
    }
}

#[test]
fn room_is_made_on_all_replicas() {
    for replicas in [1, 2, 4] {
        let limit = 50_000 * replicas as u64;
        let setting = Setting::new(MaxmemoryPolicy::AllkeysLru, replicas, limit);
        assert!(setting.make_room());
        let keys = setting.keys();
        // One operation may remove a few more than are needed.
        assert!(keys.iter().all(|count| (50 - VICTIMS..=50).contains(count)), "{keys:?}");
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "{keys:?}");
    }
}

#[test]
fn where_there_is_room_nothing_is_removed() {
    for limit in [0, 100_000] {
        let setting = Setting::new(MaxmemoryPolicy::AllkeysRandom, 1, limit);
        assert!(setting.make_room());
        assert_eq!(setting.keys(), [100]);
    }
}

#[test]
fn where_nothing_may_be_removed_there_is_no_room() {
    for policy in [MaxmemoryPolicy::NoEviction, MaxmemoryPolicy::VolatileLru] {
        let setting = Setting::new(policy, 2, 1);
        assert!(!setting.make_room());
        assert_eq!(setting.keys(), [100, 100]);
    }
}
