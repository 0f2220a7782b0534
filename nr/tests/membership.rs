//! Replicas that come and go while the structure is in use.

mod common;

use common::{Configuration, Elastic, Shared, Watchdog};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nr::{
    AddReplicaError, BuildError, Builder, Dispatch, NodeReplicated, Place, RegisterError, RemoveReplicaError,
    ReplicaId, Replicas, Topology,
};

/// Counts, and remembers in which order the operations came.
#[derive(Clone)]
struct Ledger {
    /// The last operation of each writer.
    last: Vec<u64>,
    total: u64,
    _alive: Option<Arc<Alive>>,
}

/// Counts itself.
struct Alive(Arc<AtomicU64>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Entry {
    writer: usize,
    number: u64,
}

impl Dispatch for Ledger {
    type ReadOperation<'a> = usize;
    type WriteOperation = Entry;
    /// How many operations of all writers have come before, and the last of this one.
    type Response = (u64, u64);
    fn dispatch(&self, writer: usize) -> (u64, u64) {
        (self.total, self.last[writer])
    }
    fn dispatch_mut(&mut self, op: &Entry) -> (u64, u64) {
        let last = std::mem::replace(&mut self.last[op.writer], op.number);
        self.total += 1;
        (self.total - 1, last)
    }
}

fn ledger(writers: usize) -> Ledger {
    Ledger { last: vec![0; writers], total: 0, _alive: None }
}

fn count(replicas: usize) -> Replicas {
    Replicas::Count(NonZeroUsize::new(replicas).unwrap())
}

fn builder(replicas: usize) -> Builder {
    let topology = Topology::from_nodes([0..2, 2..4, 4..6, 6..8]).unwrap();
    Builder::default().topology(topology).replicas(count(replicas))
}

/// Every answer is checked: each writer's operations come in its order, each once; the totals that a thread sees, from whatever
/// replica, never go back; and what it has written it reads.
fn under_load(log_entries: usize, threads: usize, duration: Duration) {
    let ledger = Arc::new(builder(2).log_entries(log_entries).max_replicas(5).build(ledger(threads)).unwrap());
    let stop = AtomicBool::new(false);
    let written = AtomicU64::new(0);
    let totals = AtomicU64::new(0);
    thread::scope(|scope| {
        for writer in 0..threads {
            let (ledger, stop, written, totals) = (&ledger, &stop, &written, &totals);
            scope.spawn(move || {
                let mut handle = ledger.register_owned().unwrap();
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    let known = totals.load(Ordering::SeqCst);
                    if number % 3 == 0 {
                        let batch = (1..=3.min(log_entries as u64)).map(|n| Entry { writer, number: number + n });
                        let answers = handle.execute_mut_batch(batch);
                        for window in answers.windows(2) {
                            assert_eq!(window[0].0 + 1, window[1].0, "a batch is one");
                        }
                        for (answer, expected) in answers.iter().zip(number..) {
                            assert_eq!(answer.1, expected, "each once, in order");
                            assert!(answer.0 >= known, "totals don't go back");
                        }
                        number += answers.len() as u64;
                    } else {
                        let (total, last) = handle.execute_mut(Entry { writer, number: number + 1 });
                        assert_eq!(last, number, "each once, in order");
                        assert!(total >= known, "totals don't go back");
                        number += 1;
                    }
                    totals.fetch_max(known, Ordering::SeqCst);
                    let (total, last) = handle.execute(writer);
                    assert_eq!(last, number, "what was written is read");
                    totals.fetch_max(total, Ordering::SeqCst);
                    let known = totals.load(Ordering::SeqCst);
                    assert!(handle.read(|ledger| ledger.total) >= known, "totals don't go back");
                    if number % 64 == 0 {
                        handle.rehome();
                    }
                }
                written.fetch_add(number, Ordering::SeqCst);
            });
        }
        // One, two, three, … five, four, … one, and again.
        let start = Instant::now();
        let mut changes = 0;
        while start.elapsed() < duration || changes < 20 {
            for node in [0, 1, 2, 3] {
                match ledger.add_replica(Place::Node(node)) {
                    Ok(id) => assert!(ledger.replica_ids().contains(&id)),
                    Err(error) => assert!(matches!(error, AddReplicaError::Full { max: 5, .. })),
                }
                changes += 1;
            }
            while ledger.replicas() > 1 {
                let ids = ledger.replica_ids();
                ledger.remove_replica(ids[changes % ids.len()]).unwrap();
                changes += 1;
            }
            assert!(ledger.stats().log.is_none());
            thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
    });
    let written = written.into_inner();
    assert_eq!(ledger.register().unwrap().execute(0).0, written);
    assert_eq!(ledger.stats().operations(), written, "those of replicas that are gone are counted too");
    assert_eq!(Arc::into_inner(ledger).unwrap().into_inner().total, written);
}

#[test]
fn replicas_come_and_go_under_load() {
    under_load(64, 4, Duration::from_millis(500));
}

#[test]
fn replicas_come_and_go_with_a_tiny_log() {
    under_load(1, 3, Duration::from_millis(500));
}

/// Handles are had at any moment, of the nearest replica, even if that goes just then.
#[test]
fn registration_does_not_fail_while_replicas_come_and_go() {
    let elastic = Elastic::make(&Configuration::new(2, None), |_| ledger(1));
    for n in 0..20_000 {
        assert_eq!(elastic.structure().register().unwrap().execute(0), (0, 0));
        assert_eq!(elastic.structure().register_owned().unwrap().execute(0), (0, 0));
        if n % 100 == 0 {
            thread::yield_now();
        }
    }
}

/// A structure that takes long to clone, until it is told to go on.
struct Slow {
    value: u64,
    cloning: Arc<AtomicBool>,
    go_on: Arc<AtomicBool>,
}

impl Clone for Slow {
    fn clone(&self) -> Self {
        self.cloning.store(true, Ordering::SeqCst);
        while !self.go_on.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        Self { value: self.value, cloning: Arc::clone(&self.cloning), go_on: Arc::clone(&self.go_on) }
    }
}

impl Dispatch for Slow {
    type ReadOperation<'a> = ();
    type WriteOperation = ();
    type Response = u64;
    fn dispatch(&self, _: ()) -> u64 {
        self.value
    }
    fn dispatch_mut(&mut self, _: &()) -> u64 {
        self.value += 1;
        self.value
    }
}

/// Who has a handle of a replica that is gone does not wait for the one that is being made in its place.
#[test]
fn nobody_waits_for_a_clone_in_the_place_of_an_old_replica() {
    let _watchdog = Watchdog::new("a slow clone");
    let (cloning, go_on) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let make = |_| Slow { value: 0, cloning: Arc::clone(&cloning), go_on: Arc::clone(&go_on) };
    let slow = builder(3).build_with(make).unwrap();
    let mut old: Vec<_> = (0..3).map(|_| slow.register_on(ReplicaId::new(1)).unwrap()).collect();
    // So that the first replica is the one with the fewest handles, and is cloned.
    let _others: Vec<_> = (0..5).map(|_| slow.register_on(ReplicaId::new(2)).unwrap()).collect();
    slow.remove_replica(ReplicaId::new(1)).unwrap();
    thread::scope(|scope| {
        let _go_on = StopOnDrop(&go_on);
        scope.spawn(|| assert_eq!(slow.add_replica(Place::Node(0)), Ok(ReplicaId::new(1))));
        while !cloning.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        // The replica that is cloned can't be written, and a handle might go over to it; it can be read.
        let [first, second, third] = &mut old[..] else { unreachable!() };
        assert_eq!(first.execute(()), 0);
        assert_eq!(second.read(|slow| slow.value), 0);
        assert_ne!(first.replica_id(), ReplicaId::new(1));
        assert_eq!(third.try_execute(()).ok(), Some(0));
    });
    assert_eq!(old[0].execute_mut(()), 1);
    assert_eq!(slow.register_on(ReplicaId::new(1)).unwrap().execute(()), 1);
}

/// Counts operations, which do something when they are dropped.
#[derive(Clone, Default)]
struct Count(u64);

struct DropOf(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Drop for DropOf {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

impl Dispatch for Count {
    type ReadOperation<'a> = ();
    type WriteOperation = DropOf;
    type Response = u64;
    fn dispatch(&self, _: ()) -> u64 {
        self.0
    }
    fn dispatch_mut(&mut self, _: &DropOf) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// Adds or removes a replica while an operation is left in the log, for the last that has it to execute; it is dropped on the way,
/// and `in_drop` uses the structure.
fn dropped_while(
    change: impl FnOnce(&NodeReplicated<Count>),
    in_drop: impl FnOnce(&NodeReplicated<Count>) + Send + Sync + 'static,
) {
    let _watchdog = Watchdog::new("an operation that uses the structure when it is dropped");
    let count = Arc::new(builder(2).log_entries(4).build(Count::default()).unwrap());
    let dropped = Arc::new(AtomicBool::new(false));
    // So that the second replica, which lags, has the fewest handles, and is cloned.
    let mut handles: Vec<_> = (0..2).map(|_| count.register_on(ReplicaId::new(0)).unwrap()).collect();
    let op = {
        let (count, dropped) = (Arc::downgrade(&count), Arc::clone(&dropped));
        DropOf(Some(Box::new(move || {
            dropped.store(true, Ordering::SeqCst);
            in_drop(&count.upgrade().expect("it is in use"));
        })))
    };
    handles[0].execute_mut(op);
    assert!(!dropped.load(Ordering::SeqCst), "the other has it to execute");
    change(&count);
    assert!(dropped.load(Ordering::SeqCst));
    drop(handles);
}

fn add(count: &NodeReplicated<Count>) {
    count.add_replica(Place::Node(0)).unwrap();
}

fn write_often(count: &NodeReplicated<Count>) {
    let mut handle = count.register().unwrap();
    for _ in 0..20 {
        handle.execute_mut(DropOf(None));
    }
}

#[test]
fn an_operation_that_writes_when_it_is_dropped_waits_for_no_newcomer() {
    dropped_while(add, write_often);
}

#[test]
fn an_operation_may_add_and_remove_replicas_when_it_is_dropped() {
    let change = |count: &NodeReplicated<Count>| {
        let id = count.add_replica(Place::Node(3)).unwrap();
        count.remove_replica(id).unwrap();
    };
    dropped_while(add, change);
    dropped_while(|count| count.remove_replica(ReplicaId::new(1)).unwrap(), change);
    dropped_while(|count| count.remove_replica(ReplicaId::new(1)).unwrap(), write_often);
}

#[test]
fn a_place_that_is_used_again_is_where_the_newcomer_is() {
    let count = builder(2).build(Count::default()).unwrap();
    let nodes = || count.stats().replicas.iter().map(|replica| replica.node).collect::<Vec<_>>();
    let before = nodes();
    let elsewhere = (0..4).find(|node| !before.contains(node)).unwrap();
    count.remove_replica(ReplicaId::new(1)).unwrap();
    assert_eq!(count.add_replica(Place::Node(elsewhere)), Ok(ReplicaId::new(1)));
    assert_eq!(nodes(), [before[0], elsewhere]);
    assert_eq!(count.placement().replicas[1].node, elsewhere);
}

#[test]
fn there_is_always_a_replica() {
    let _watchdog = Watchdog::new("looking at replicas that come and go");
    let count = builder(1).build(Count::default()).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop = StopOnDrop(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let report = count.placement();
                assert!((1..=2).contains(&report.replicas.len()), "{report}");
                assert!((1..=2).contains(&count.replicas()));
                assert!(!count.replica_ids().is_empty());
            }
        });
        // The one that there is, is in the first place and in the second in turn.
        let mut present = ReplicaId::new(0);
        for _ in 0..5_000 {
            let newcomer = count.add_replica(Place::Here).unwrap();
            count.remove_replica(present).unwrap();
            present = newcomer;
        }
    });
}

/// However it ends: others wait for it.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_newcomer_has_what_there_is_and_goes_on_with_it() {
    let ledger = NodeReplicated::<Ledger>::builder().topology(Topology::single()).build(ledger(1)).unwrap();
    let mut first = ledger.register().unwrap();
    first.execute_mut(Entry { writer: 0, number: 1 });
    assert!(ledger.stats().log.is_none());
    let id = ledger.add_replica(Place::Here).unwrap();
    assert_eq!(id, ReplicaId::new(1));
    assert!(ledger.stats().log.is_some());
    let mut second = ledger.register_on(id).unwrap();
    assert_eq!(second.execute(0), (1, 1));
    first.execute_mut(Entry { writer: 0, number: 2 });
    assert_eq!(second.execute(0), (2, 2));
    second.execute_mut(Entry { writer: 0, number: 3 });
    assert_eq!(first.execute(0), (3, 3));
    ledger.remove_replica(ReplicaId::new(0)).unwrap();
    assert_eq!(ledger.replica_ids(), [id]);
    assert_eq!(first.execute(0), (3, 3));
    assert_eq!(first.replica_id(), id);
    first.execute_mut(Entry { writer: 0, number: 4 });
    assert_eq!(second.execute(0), (4, 4));
    let again = ledger.add_replica(Place::Here).unwrap();
    assert_eq!(again, ReplicaId::new(0));
    assert_eq!(ledger.register_on(again).unwrap().execute(0), (4, 4));
}

#[test]
fn memory_comes_back() {
    let alive = Arc::new(AtomicU64::new(0));
    let structure = builder(3)
        .build_with(|_| {
            alive.fetch_add(1, Ordering::SeqCst);
            Ledger { _alive: Some(Arc::new(Alive(Arc::clone(&alive)))), ..ledger(1) }
        })
        .unwrap();
    let mut handle = structure.register_on(ReplicaId::new(2)).unwrap();
    for number in 1..100 {
        handle.execute_mut(Entry { writer: 0, number });
    }
    structure.remove_replica(ReplicaId::new(2)).unwrap();
    assert_eq!(alive.load(Ordering::SeqCst), 2, "although a handle is still there");
    structure.remove_replica(ReplicaId::new(0)).unwrap();
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    assert_eq!(handle.execute(0), (99, 99));
    drop(handle);
    drop(structure);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn what_can_not_be_is_said() {
    let ledger = builder(2).max_replicas(3).build(ledger(1)).unwrap();
    let error = ledger.add_replica(Place::Node(9)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the topology has no node 9 with CPUs that may be used (see NodeReplicated::topology)"
    );
    assert!(ledger.add_replica(Place::CacheDomainOf(99)).is_err());
    let third = ledger.add_replica(Place::CacheDomainOf(7)).unwrap();
    assert_eq!(ledger.stats().replicas[third.index()].node, 3);
    let error = ledger.add_replica(Place::Here).unwrap_err();
    assert_eq!(error.to_string(), "there can't be more than 3 replicas at once (see Builder::max_replicas)");
    ledger.remove_replica(ReplicaId::new(1)).unwrap();
    let error = ledger.remove_replica(ReplicaId::new(1)).unwrap_err();
    assert!(matches!(error, RemoveReplicaError::NoSuchReplica { .. }), "{error}");
    let error = ledger.register_on(ReplicaId::new(1)).unwrap_err();
    assert!(matches!(error, RegisterError::NoSuchReplica { .. }));
    assert_eq!(error.to_string(), "there is no replica 1: the structure has 2, numbered 0, 2");
    assert!(ledger.remove_replica(ReplicaId::new(77)).is_err());
    ledger.remove_replica(third).unwrap();
    let error = ledger.remove_replica(ReplicaId::new(0)).unwrap_err();
    assert_eq!(error.to_string(), "replica 0 is the only one: add another before removing it");
    let error = builder(2).max_replicas(0).build(self::ledger(1)).unwrap_err();
    assert_eq!(error.to_string(), "0 replicas are not possible: 1 to 1024 are allowed");
    for room in [1, 5000] {
        let error = builder(2).max_replicas(room).build(self::ledger(1)).unwrap_err();
        assert!(matches!(error, BuildError::Replicas { .. }), "{error}");
    }
}

/// Panics when cloned, if it is told to.
struct Shy(Arc<AtomicBool>);

impl Clone for Shy {
    fn clone(&self) -> Self {
        assert!(!self.0.load(Ordering::SeqCst), "not now");
        Self(Arc::clone(&self.0))
    }
}

impl Dispatch for Shy {
    type ReadOperation<'a> = ();
    type WriteOperation = ();
    type Response = ();
    fn dispatch(&self, _: ()) {}
    fn dispatch_mut(&mut self, _: &()) {}
}

#[test]
fn a_clone_that_panics_changes_nothing() {
    let shy = Arc::new(AtomicBool::new(true));
    let structure = NodeReplicated::<Shy>::builder().topology(Topology::single()).build(Shy(Arc::clone(&shy))).unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| structure.add_replica(Place::Here)));
    assert_eq!(panic.unwrap_err().downcast_ref::<&str>(), Some(&"not now"));
    assert_eq!(structure.replicas(), 1);
    structure.register().unwrap().execute_mut(());
    shy.store(false, Ordering::SeqCst);
    let id = structure.add_replica(Place::Here).unwrap();
    structure.register_on(id).unwrap().execute_mut(());
    assert_eq!(structure.replicas(), 2);
}

/// Handles that nobody uses while their replica is replaced go on with what is in its place.
#[test]
fn an_idle_handle_outlives_its_replica() {
    let ledger = builder(2).build(ledger(1)).unwrap();
    let mut idle = ledger.register_on(ReplicaId::new(1)).unwrap();
    for number in 1..=1000 {
        ledger.remove_replica(ReplicaId::new(1)).unwrap();
        ledger.register().unwrap().execute_mut(Entry { writer: 0, number });
        ledger.add_replica(Place::Node((number % 4) as usize)).unwrap();
    }
    assert_eq!(idle.execute(0), (1000, 1000));
    assert_eq!(idle.replica_id(), ReplicaId::new(1));
}
