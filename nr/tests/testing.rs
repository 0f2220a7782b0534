//! `nr::testing` finds what it is for, and lets pass what is right. (A test run always has the feature `testing`.)

use nr::Dispatch;
use nr::testing::{
    Determinism, Linearizability, Nondeterminism, NotLinearizable, Rng, Subject, check_deterministic,
    check_linearizable,
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// A map of texts that can forget any one of its entries.
#[derive(Clone, Default)]
struct Map<M>(M);

#[derive(Debug)]
enum MapWrite {
    Put(String, u64),
    Remove(String),
    ForgetOne,
}

/// Borrows the key.
#[derive(Debug)]
enum MapRead<'a> {
    Get(&'a str),
    Len,
}

macro_rules! map {
    ($map:ty) => {
        impl Dispatch for Map<$map> {
            type ReadOperation<'a> = MapRead<'a>;
            type WriteOperation = MapWrite;
            type Response = Option<u64>;

            fn dispatch(&self, read: MapRead<'_>) -> Option<u64> {
                match read {
                    MapRead::Get(key) => self.0.get(key).copied(),
                    MapRead::Len => Some(self.0.len() as u64),
                }
            }

            fn dispatch_mut(&mut self, write: &MapWrite) -> Option<u64> {
                match write {
                    MapWrite::Put(key, value) => self.0.insert(key.clone(), *value),
                    MapWrite::Remove(key) => self.0.remove(key),
                    MapWrite::ForgetOne => {
                        let key = self.0.keys().next()?.clone();
                        self.0.remove(&key)
                    }
                }
            }
        }
    };
}

map!(BTreeMap<String, u64>);
map!(HashMap<String, u64>);

fn random_key(random: &mut Rng) -> String {
    format!("key {}", random.u8(0..4))
}

fn random_write(random: &mut Rng) -> MapWrite {
    match random.u8(0..6) {
        0 => MapWrite::ForgetOne,
        1 => MapWrite::Remove(random_key(random)),
        _ => MapWrite::Put(random_key(random), random.u64(..)),
    }
}

fn random_call<M>(random: &mut Rng, map: Subject<'_, Map<M>>) -> Vec<Option<u64>>
where
    Map<M>: for<'a> Dispatch<ReadOperation<'a> = MapRead<'a>, WriteOperation = MapWrite, Response = Option<u64>>,
{
    match random.u8(0..6) {
        0 | 1 => map.execute_mut_batch((0..random.u8(0..=4)).map(|_| random_write(random))),
        2 | 3 => vec![map.execute_mut(random_write(random))],
        4 => vec![map.execute(MapRead::Get(&random_key(random)))],
        _ => vec![map.execute(MapRead::Len)],
    }
}

fn sorted(map: &Map<HashMap<String, u64>>) -> Vec<(String, u64)> {
    let mut entries: Vec<_> = map.0.iter().map(|(key, value)| (key.clone(), *value)).collect();
    entries.sort();
    entries
}

/// A structure without reads, whose state is a number and whose writes are numbers: what they do is said by a closure.
#[derive(Clone)]
struct Custom<W>(u64, W);

impl<W: FnMut(&mut u64, u64) -> u64> Dispatch for Custom<W> {
    type ReadOperation<'a> = ();
    type WriteOperation = u64;
    type Response = u64;

    fn dispatch(&self, (): ()) -> u64 {
        self.0
    }

    fn dispatch_mut(&mut self, operand: &u64) -> u64 {
        (self.1)(&mut self.0, *operand)
    }
}

/// Whether copies of a structure with such writes stay equal.
fn check_custom(
    write: impl FnMut(&mut u64, u64) -> u64 + Clone + Send,
    options: Determinism,
) -> Result<(), Nondeterminism> {
    options.check(|| Custom(0, write.clone()), |random| random.u64(0..10), |custom| custom.0)
}

mod determinism {
    use super::*;

    #[test]
    fn correct_structures_pass() {
        check_deterministic(Map::<BTreeMap<_, _>>::default, random_write, |map| map.0.clone());
        check_custom(|sum, operand| mem::replace(sum, *sum + operand), Determinism::default()).unwrap();
    }

    /// A hash map is fine as long as nothing depends on its order.
    #[test]
    fn a_hash_map_passes_without_operations_that_see_its_order() {
        let orderly = |random: &mut Rng| loop {
            match random_write(random) {
                MapWrite::ForgetOne => {}
                write => break write,
            }
        };
        check_deterministic(Map::<HashMap<_, _>>::default, orderly, sorted);
    }

    #[test]
    fn an_iteration_order_is_found() {
        let checked = Determinism::default().check(Map::<HashMap<_, _>>::default, random_write, sorted);
        let report = checked.expect_err("maps made anew iterate in different orders").to_string();
        let operation = report.lines().next().unwrap();
        assert!(operation.contains("ForgetOne"), "the operation that differs is named: {report}");
        assert!(report.lines().filter(|line| line.contains("Put(")).count() >= 2, "and what it takes: {report}");
    }

    #[test]
    fn a_clock_is_found() {
        let milliseconds = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        check_custom(move |state, _| mem::replace(state, milliseconds()), Determinism::default()).unwrap_err();
    }

    #[test]
    fn a_random_number_is_found() {
        let error = check_custom(|_, _| RandomState::new().hash_one(0), Determinism::default()).unwrap_err();
        assert_eq!(error.operation(), 1, "{error}");
        assert!(error.to_string().contains("differ in the answer after operation 1"), "{error}");
    }

    #[test]
    fn an_address_is_found() {
        let error = check_custom(address_of, Determinism::default()).unwrap_err();
        assert_eq!(error.operation(), 1, "{error}");
    }

    #[test]
    fn a_thread_is_found() {
        // That of the test has one.
        let is_named = |_: &mut u64, _| u64::from(thread::current().name().is_some());
        check_custom(is_named, Determinism::default()).unwrap_err();
    }

    #[test]
    fn state_that_copies_share_is_found() {
        let shared = Arc::new(AtomicU64::new(0));
        let error = check_custom(move |_, _| shared.fetch_add(1, Relaxed), Determinism::default()).unwrap_err();
        assert_eq!(error.operation(), 1, "{error}");
    }

    /// Only the state tells.
    #[test]
    fn a_difference_without_an_answer_is_found() {
        let silent = |state: &mut u64, _| {
            *state = address_of(state, 0);
            0
        };
        let error = check_custom(silent, Determinism::default()).unwrap_err();
        assert!(error.to_string().contains("differ in the fingerprint after operation 1"), "{error}");
    }

    #[test]
    fn few_operations_are_left_to_look_at() {
        let leak_if_armed = |state: &mut u64, operand| match operand {
            3 => mem::replace(state, 1),
            7 if *state == 1 => address_of(state, 0),
            _ => 0,
        };
        let error = check_custom(leak_if_armed, Determinism::default()).unwrap_err();
        assert_eq!(error.operation(), 2, "{error}");
        assert!(error.to_string().contains("2 of 500 operations are enough to see that:\n  1: 3\n  2: 7\n"), "{error}");
    }

    /// What is left out by `clone` is answered later.
    #[derive(Default)]
    struct Forgetful {
        sum: u64,
        last: u64,
    }

    impl Clone for Forgetful {
        fn clone(&self) -> Self {
            Self { sum: self.sum, last: 0 }
        }
    }

    impl Dispatch for Forgetful {
        type ReadOperation<'a> = ();
        type WriteOperation = u64;
        type Response = u64;

        fn dispatch(&self, (): ()) -> u64 {
            self.sum
        }

        fn dispatch_mut(&mut self, operand: &u64) -> u64 {
            self.sum += operand;
            mem::replace(&mut self.last, *operand)
        }
    }

    fn check_forgetful(options: Determinism) -> Result<(), Nondeterminism> {
        options.check(Forgetful::default, |random| random.u64(1..10), |forgetful| forgetful.sum)
    }

    #[test]
    fn a_clone_that_forgets_something_is_found() {
        let error = check_forgetful(Determinism::default()).unwrap_err();
        assert!(error.to_string().contains("copy 2, a clone of copy 1 after"), "{error}");
        let without_clones = Determinism::default().copies(3);
        without_clones.check_without_clones(Forgetful::default, |random| random.u64(1..10), |it| it.sum).unwrap();
        check_forgetful(Determinism::default().copies(2)).unwrap();
    }

    #[test]
    fn a_seed_repeats_the_failure() {
        let error = check_forgetful(Determinism::default()).unwrap_err();
        for _ in 0..3 {
            let again = check_forgetful(Determinism::default().seed(error.seed())).unwrap_err();
            assert_eq!(again, error);
        }
    }

    /// `prefetch` runs ahead on replicas, and must change nothing.
    #[derive(Default)]
    struct Hasty(AtomicU64);

    impl Dispatch for Hasty {
        type ReadOperation<'a> = ();
        type WriteOperation = u64;
        type Response = u64;

        fn dispatch(&self, (): ()) -> u64 {
            self.0.load(Relaxed)
        }

        fn dispatch_mut(&mut self, _: &u64) -> u64 {
            *self.0.get_mut()
        }

        fn prefetch(&self, operand: &u64) {
            self.0.store(*operand, Relaxed);
        }
    }

    #[test]
    fn a_prefetch_that_changes_something_is_found() {
        let options = Determinism::default();
        let random = |random: &mut Rng| random.u64(1..10);
        options.check_without_clones(Hasty::default, random, |hasty| hasty.dispatch(())).unwrap_err();
    }

    #[test]
    fn copies_that_differ_from_the_start_are_found() {
        let mut made = 0;
        let make = || {
            made += 1;
            Custom(made, |_: &mut u64, _| 0)
        };
        let error = Determinism::default().check(make, |random| random.u64(0..10), |custom| custom.0).unwrap_err();
        assert_eq!(error.operation(), 0, "{error}");
        assert!(error.to_string().contains("before any operation"), "{error}");
    }

    #[test]
    fn a_panic_is_an_answer() {
        let panics = |_: &mut u64, operand| if operand == 3 { panic!("three") } else { operand };
        check_custom(panics, Determinism::default()).unwrap();
        let left = Arc::new(AtomicU64::new(600));
        let panics_late = move |_: &mut u64, _| match left.fetch_sub(1, Relaxed) {
            0 => panic!("no more"),
            _ => 0,
        };
        let error = check_custom(panics_late, Determinism::default()).unwrap_err();
        assert!(error.to_string().contains("a panic: no more"), "{error}");
    }
}

fn address_of(state: &mut u64, _: u64) -> u64 {
    std::ptr::from_mut(state).addr() as u64
}

mod linearizability {
    use super::*;

    #[test]
    fn correct_structures_pass() {
        check_linearizable(Map::<BTreeMap<_, _>>::default, random_call, |map| map.0.clone());
    }

    #[derive(Default)]
    struct Queue(VecDeque<u64>);

    #[derive(Debug)]
    enum QueueWrite {
        Push(u64),
        Pop,
    }

    impl Dispatch for Queue {
        type ReadOperation<'a> = ();
        type WriteOperation = QueueWrite;
        type Response = Option<u64>;

        fn dispatch(&self, (): ()) -> Option<u64> {
            self.0.front().copied()
        }

        fn dispatch_mut(&mut self, write: &QueueWrite) -> Option<u64> {
            match write {
                QueueWrite::Push(item) => {
                    self.0.push_back(*item);
                    None
                }
                QueueWrite::Pop => self.0.pop_front(),
            }
        }
    }

    fn random_queue_call(random: &mut Rng, queue: Subject<'_, Queue>) -> Option<u64> {
        match random.u8(0..5) {
            0 | 1 => queue.execute_mut(QueueWrite::Push(random.u64(..))),
            2 => queue.execute_mut(QueueWrite::Pop),
            3 => queue.execute(()),
            _ => queue.read(|queue| queue.0.back().copied()),
        }
    }

    /// One that can't be cloned, and is not empty at first.
    #[test]
    fn a_queue_passes() {
        let options = Linearizability::default().threads(4).calls(5).replicas(2).log_entries(2).rounds(100);
        options.check(|| Queue((0..5).collect()), random_queue_call, |queue| queue.0.clone()).unwrap();
    }

    /// States that answer differently and look alike: the search must not take its own mistake for the structure's.
    #[test]
    fn a_fingerprint_that_hides_states_is_named() {
        // So few calls that the search goes through all orders when it doubts the fingerprint.
        let options = Linearizability::default().calls(3).rounds(20_000);
        let error = options.check(Queue::default, random_queue_call, |_| ()).unwrap_err();
        assert!(error.to_string().starts_with("not decided: the fingerprint does not tell apart"), "{error}");
    }

    #[test]
    fn panics_are_answers() {
        let write = |sum: &mut u64, operand| {
            *sum += operand;
            if operand == 3 { panic!("three, at {sum}") } else { *sum }
        };
        let call = |random: &mut Rng, custom: Subject<'_, Custom<_>>| match random.u8(0..3) {
            0 => custom.execute_mut_batch([random.u64(0..5), 3, random.u64(0..5)]),
            1 => vec![custom.execute_mut(random.u64(0..5))],
            _ => vec![custom.execute(())],
        };
        Linearizability::default().rounds(30).check(|| Custom(0, write), call, |custom| custom.0).unwrap();
    }

    /// Keeps what it has read, and does not notice when that is written.
    #[derive(Default)]
    struct StaleCache {
        registers: [u64; 2],
        cache: Mutex<[Option<u64>; 2]>,
    }

    impl Dispatch for StaleCache {
        type ReadOperation<'a> = &'a usize;
        type WriteOperation = (usize, u64);
        type Response = u64;

        fn dispatch(&self, register: &usize) -> u64 {
            *self.cache.lock().unwrap()[*register].get_or_insert(self.registers[*register])
        }

        fn dispatch_mut(&mut self, (register, value): &(usize, u64)) -> u64 {
            mem::replace(&mut self.registers[*register], *value)
        }
    }

    fn check_stale_cache(options: Linearizability) -> Result<(), NotLinearizable> {
        let call = |random: &mut Rng, cache: Subject<'_, StaleCache>| match random.bool() {
            true => cache.execute(&random.usize(0..2)),
            false => cache.execute_mut((random.usize(0..2), random.u64(..))),
        };
        options.check(StaleCache::default, call, |cache| (cache.registers, *cache.cache.lock().unwrap()))
    }

    #[test]
    fn a_stale_cache_is_found() {
        let error = check_stale_cache(Linearizability::default()).unwrap_err();
        assert!(error.to_string().starts_with("not linearizable"), "{error}");
    }

    /// With several threads the calls are the same, but not the order in which they are made.
    #[test]
    fn a_seed_repeats_the_failure() {
        let one_thread = Linearizability::default().threads(1);
        let error = check_stale_cache(one_thread.clone()).unwrap_err();
        for _ in 0..3 {
            let again = check_stale_cache(one_thread.clone().seed(error.seed())).unwrap_err();
            assert_eq!(again, error);
        }
    }

    /// A ticket machine whose next number is the same for all replicas: each draws one for the same operation.
    #[test]
    fn global_state_is_found() {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let draw = |_: &mut u64, _| NEXT.fetch_add(1, Relaxed);
        let call = |_: &mut Rng, machine: Subject<'_, Custom<_>>| machine.execute_mut(0);
        let checked = Linearizability::default().check(|| Custom(0, draw), call, |machine| machine.0);
        let report = checked.unwrap_err().to_string();
        assert!(report.contains("in no order does the bare structure answer"), "{report}");
        assert!(
            report.contains("thread 0, replica 0: execute_mut(0) -> "),
            "who called what, and what came back: {report}"
        );
    }

    /// All answers are right, and the bare structure comes to another state too.
    #[test]
    fn a_difference_that_no_answer_shows_is_found() {
        let silent = |state: &mut u64, _| {
            *state = address_of(state, 0);
            0
        };
        let call = |_: &mut Rng, custom: Subject<'_, Custom<_>>| custom.execute_mut(0);
        let check = || Linearizability::default().check(|| Custom(0, silent), call, |custom| custom.0);
        let report = check().unwrap_err().to_string();
        assert!(report.contains("; it leads to "), "the first round has one replica: {report}");
    }

    #[test]
    fn replicas_that_differ_in_the_end_are_found() {
        // Each replica counts, for whatever thread it works, those of its own making.
        let made = Arc::new(AtomicU64::new(0));
        let make = || {
            let number = made.fetch_add(1, Relaxed);
            Custom(0, move |state: &mut u64, _| {
                *state = if number == 2 { 1 } else { 0 };
                0
            })
        };
        let call = |_: &mut Rng, custom: Subject<'_, Custom<_>>| custom.execute_mut(0);
        let report = Linearizability::default().check(make, call, |custom| custom.0).unwrap_err().to_string();
        assert!(report.contains("the replicas differ after these calls"), "{report}");
    }
}

/// Fails, for [`the_environment_chooses_the_seed`].
#[test]
#[ignore = "is to fail"]
fn fails_with_the_seed_of_the_environment() {
    check_deterministic(|| Custom(0, address_of), |random| random.u64(..), |custom| custom.0);
}

#[test]
fn the_environment_chooses_the_seed() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fails_with_the_seed_of_the_environment", "--ignored", "--nocapture"])
        .env("NR_TESTING_SEED", "12345")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stderr);
    assert!(!child.status.success(), "it was to fail: {text}");
    assert!(text.contains("the seed was 12345: to repeat, set NR_TESTING_SEED=12345"), "{text}");
    let operation = Rng::with_seed(12345).u64(..);
    assert!(text.contains(&format!("\n  1: {operation}\n")), "the operations are those of the seed: {text}");
}
