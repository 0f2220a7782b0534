//! One replica, no log: requests, their answers, and the change of combiners.

use std::num::NonZeroUsize;

use loom::sync::Arc;
use loom::thread;

use super::{check, check_within};
use crate::{Builder, Dispatch, NodeReplicated, OwnedHandle, ReplicaId, Replicas, Topology};

/// Gives out numbers, each once.
#[derive(Clone, Default)]
pub(super) struct Tickets(pub(super) u64);

impl Dispatch for Tickets {
    type ReadOperation<'a> = ();
    type WriteOperation = Box<u64>;
    type Response = u64;
    fn dispatch(&self, _: ()) -> u64 {
        self.0
    }
    fn dispatch_mut(&mut self, op: &Box<u64>) -> u64 {
        self.0 += **op;
        self.0 - **op
    }
}

pub(super) fn tickets(replicas: usize, log_entries: usize) -> Arc<NodeReplicated<Tickets>> {
    Arc::new(builder(replicas).log_entries(log_entries).build(Tickets::default()).unwrap())
}

/// Handles on the first replica, made before the threads that have them: so that the search is about what they execute. To be dropped after
/// these too.
pub(super) fn handles<const HANDLES: usize>(replicas: usize, log_entries: usize) -> [OwnedHandle<Tickets>; HANDLES] {
    let tickets = builder(replicas).log_entries(log_entries).build(Tickets::default()).unwrap();
    let tickets = std::sync::Arc::new(tickets);
    [(); HANDLES].map(|()| tickets.register_owned_on(ReplicaId::new(0)).unwrap())
}

pub(super) fn builder(replicas: usize) -> Builder {
    let count = Replicas::Count(NonZeroUsize::new(replicas).unwrap());
    Builder::default().topology(Topology::single()).replicas(count).log_entries(4)
}

/// Is poisoned by its first operation, and tells the others.
struct Fragile(bool);

impl Dispatch for Fragile {
    type ReadOperation<'a> = ();
    type WriteOperation = Step;
    type Response = bool;
    fn dispatch(&self, _: ()) -> bool {
        self.0
    }
    fn dispatch_mut(&mut self, op: &Step) -> bool {
        if let Step::Panic = op {
            self.0 = true;
            // Without the panic hook, which would print for every execution.
            std::panic::resume_unwind(Box::new(()));
        }
        self.0
    }
}

enum Step {
    Panic,
    Look,
}

/// An operation panics; whoever writes or reads after it, is refused.
///
/// Fails if `try_lock_idle` or `try_unlock` is Relaxed, or `lock_or_post` is Release only: the poison is then missed by a thread
/// that has the turn after the one that set it.
#[test]
fn poison_is_seen_by_whoever_is_next() {
    check(|| {
        let fragile = Arc::new(builder(1).build_with(|_| Fragile(false)).unwrap());
        let other = {
            let fragile = Arc::clone(&fragile);
            thread::spawn(move || {
                let mut handle = fragile.register().unwrap();
                // As a batch, whose panic is caught and goes on when all is done: loom can't change threads while one unwinds.
                let step = std::panic::AssertUnwindSafe(|| handle.execute_mut_batch([Step::Panic]));
                assert!(std::panic::catch_unwind(step).is_err());
            })
        };
        let mut handle = fragile.register().unwrap();
        if let Ok(broken) = handle.try_execute_mut(Step::Look) {
            assert!(!broken, "a write after the panic");
        }
        if let Ok(broken) = handle.try_execute(()) {
            assert!(!broken, "a read after the panic");
        }
        other.join().unwrap();
        assert!(fragile.is_poisoned());
    });
}

/// An operation panics on one replica while the other is written and read: nobody there sees what it has left without the
/// poison.
///
/// Fails if only the replica that is the first to meet the panic reports it.
#[test]
fn poison_is_seen_with_its_effects() {
    check(|| {
        let fragile = Arc::new(builder(2).build_with(|_| Fragile(false)).unwrap());
        let other = {
            let fragile = Arc::clone(&fragile);
            thread::spawn(move || {
                let mut handle = fragile.register_on(ReplicaId::new(0)).unwrap();
                let step = std::panic::AssertUnwindSafe(|| handle.try_execute_mut(Step::Panic).is_ok());
                assert!(std::panic::catch_unwind(step).is_err());
            })
        };
        let mut handle = fragile.register_on(ReplicaId::new(1)).unwrap();
        if handle.try_execute_mut(Step::Look).is_ok() {
            if let Ok(broken) = handle.try_execute(()) {
                assert!(!broken, "a read was let in to what the panic has left");
            }
        }
        other.join().unwrap();
        assert!(fragile.is_poisoned());
    });
}

/// Two writers: whoever comes second posts its request and is answered, or finds the lock free.
///
/// Fails if `lock_or_post` is Acquire only or `take_posted` Relaxed, if `answer`'s swap or `is_answered` is, or if the holder lets go by a
/// store.
#[test]
fn request_post_answer() {
    check(|| {
        let tickets = tickets(1, 1);
        let other = {
            let tickets = Arc::clone(&tickets);
            thread::spawn(move || tickets.register().unwrap().execute_mut(Box::new(1)))
        };
        let mut handle = tickets.register().unwrap();
        let mut given = [handle.execute_mut(Box::new(1)), other.join().unwrap()];
        given.sort_unstable();
        assert_eq!(given, [0, 1]);
        assert_eq!(handle.execute(()), 2);
    });
}

/// Three writers, and combiners whose turn ends after one round of others: what they leave is found by a thread that is
/// awake, or by the one that they wake.
///
/// Fails if `leave` is Relaxed; hangs if `Turn`'s drop does not unpark, if it unparks before
/// it lets go, or if `park_unless` does not ask whether the queue is unattended.
#[test]
fn combiner_hand_over() {
    check_within(3, || {
        let [mut handle, others @ ..] = handles::<3>(1, 1);
        let others = others.map(|mut handle| thread::spawn(move || (handle.execute_mut(Box::new(1)), handle)));
        let first = handle.execute_mut(Box::new(1));
        let others = others.map(|other| other.join().unwrap());
        let mut given = vec![first, others[0].0, others[1].0];
        given.sort_unstable();
        assert_eq!(given, [0, 1, 2]);
    });
}

/// A writer in a run beside one that posts, insists and parks, finds the lock free, and runs itself.
///
/// Hangs if `try_pause` lets go of a word that is urgent, or if a thread parks without having insisted. Runs out of branches if
/// `try_pause` is Relaxed.
#[test]
fn a_run_is_interrupted() {
    check_within(3, || {
        let [mut handle, mut other] = handles::<2>(1, 1);
        let runner = thread::spawn(move || ([(); 3].map(|()| other.execute_mut(Box::new(1))), other));
        let given = [(); 2].map(|()| handle.execute_mut(Box::new(1)));
        let (others, _other) = runner.join().unwrap();
        let mut given: Vec<u64> = others.into_iter().chain(given).collect();
        given.sort_unstable();
        assert_eq!(given, [0, 1, 2, 3, 4]);
    });
}

/// A reader beside a writer: it sees all of a batch or nothing.
///
/// Fails if a round of one replica takes the write lock for each operation.
#[test]
fn batch_is_atomic_on_one_replica() {
    check(|| {
        let tickets = tickets(1, 2);
        let reader = {
            let tickets = Arc::clone(&tickets);
            thread::spawn(move || tickets.register().unwrap().execute(()))
        };
        let given = tickets.register().unwrap().execute_mut_batch([Box::new(1), Box::new(1)]);
        assert_eq!(given, [0, 1]);
        let seen = reader.join().unwrap();
        assert!(seen == 0 || seen == 2, "saw a part: {seen}");
    });
}
