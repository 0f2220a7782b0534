//! Operations and responses are dropped, each once, whatever becomes of them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use nr_loom_tests::{Dispatch, PanicPolicy, Place, ReplicaId};

use crate::search::{below, builder, replica_of, search, step, together};

/// The most operations in a scenario.
const MOST: usize = 64;

/// What has been made and dropped.
struct Ledger {
    dropped: [AtomicBool; MOST],
    /// Operations made and not yet dropped.
    live: AtomicUsize,
    /// Responses made and not yet dropped.
    answers: AtomicUsize,
}

impl Ledger {
    fn new() -> Arc<Self> {
        let dropped = [const { AtomicBool::new(false) }; MOST];
        Arc::new(Self { dropped, live: AtomicUsize::new(0), answers: AtomicUsize::new(0) })
    }

    fn operation(self: &Arc<Self>, number: usize) -> Operation {
        self.live.fetch_add(1, SeqCst);
        Operation { number, panics: false, ledger: Arc::clone(self) }
    }

    fn assert_nothing_is_left(&self) {
        assert_eq!(self.live.load(SeqCst), 0, "operations that were not dropped");
        assert_eq!(self.answers.load(SeqCst), 0, "responses that were not dropped");
    }
}

/// Is executed once on each replica, and dropped once.
struct Operation {
    number: usize,
    panics: bool,
    ledger: Arc<Ledger>,
}

impl Drop for Operation {
    fn drop(&mut self) {
        assert!(!self.ledger.dropped[self.number].swap(true, SeqCst), "operation {} is dropped again", self.number);
        step();
        self.ledger.live.fetch_sub(1, SeqCst);
    }
}

struct Answer(Arc<Ledger>);

impl Answer {
    fn new(ledger: &Arc<Ledger>) -> Self {
        ledger.answers.fetch_add(1, SeqCst);
        Self(Arc::clone(ledger))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        step();
        self.0.answers.fetch_sub(1, SeqCst);
    }
}

/// Which operations have been executed.
#[derive(Clone)]
struct Executed([bool; MOST]);

impl Executed {
    fn count(&self) -> usize {
        self.0.iter().filter(|executed| **executed).count()
    }
}

impl Dispatch for Executed {
    type ReadOperation<'a> = &'a Arc<Ledger>;
    type WriteOperation = Operation;
    type Response = Answer;

    fn dispatch(&self, ledger: &Arc<Ledger>) -> Answer {
        Answer::new(ledger)
    }

    fn dispatch_mut(&mut self, operation: &Operation) -> Answer {
        assert!(!operation.ledger.dropped[operation.number].load(SeqCst), "executed after it was dropped");
        assert!(!std::mem::replace(&mut self.0[operation.number], true), "executed twice on one replica");
        step();
        if operation.panics {
            // Past the panic hook, which would keep every schedule.
            resume_unwind(Box::new(Answer::new(&operation.ledger)));
        }
        Answer::new(&operation.ledger)
    }
}

/// Single operations, batches, and such of which one panics, while replicas come and go, or don't.
fn everything_is_dropped(replicas: usize, policy: PanicPolicy, changes: usize) {
    let ledger = Ledger::new();
    let structure = builder(replicas, 8).on_panic(policy).build(Executed([false; MOST])).unwrap();
    together(5, |thread| {
        if thread == 4 {
            for _ in 0..changes {
                let added = structure.add_replica(Place::Here).unwrap();
                let other = replica_of(below(replicas), replicas);
                let _ = structure.remove_replica(if below(2) == 0 { added } else { other });
            }
            return;
        }
        let mut handle = structure.register_on(replica_of(thread, replicas)).or_else(|_| structure.register()).unwrap();
        let mut number = 10 * thread;
        let mut next = || {
            number += 1;
            ledger.operation(number)
        };
        // Who is refused under `Poison` drops what it is handed back.
        let calls = AssertUnwindSafe(|| {
            drop(handle.try_execute_mut(next()));
            drop(handle.try_execute_mut_batch([next(), next()]));
            drop(handle.try_execute(&ledger));
            let mut last = next();
            last.panics = thread % 2 == 0;
            drop(handle.try_execute_mut_batch([next(), last, next()]));
        });
        if let Err(payload) = catch_unwind(calls) {
            drop(payload.downcast::<Answer>().unwrap_or_else(|other| resume_unwind(other)));
        }
        drop(handle.try_execute_mut(next()));
    });
    let executed = structure.into_inner().count();
    match policy {
        PanicPolicy::Continue => assert_eq!(executed, 28),
        _ => assert!((1..=28).contains(&executed)),
    }
    ledger.assert_nothing_is_left();
}

/// Fails if what is reclaimed is not dropped, if the responses beside a panic aren't, or if two threads reclaim at once.
#[test]
fn everything_is_dropped_with_a_log() {
    search(|| everything_is_dropped(3, PanicPolicy::Continue, 0));
}

/// Fails if a batch does not drop its operations, or the responses beside a panic.
#[test]
fn everything_is_dropped_without_a_log() {
    search(|| everything_is_dropped(1, PanicPolicy::Continue, 0));
}

/// Fails if a refused batch is not handed back.
#[test]
fn everything_is_dropped_when_poisoned() {
    search(|| everything_is_dropped(3, PanicPolicy::Poison, 0));
}

/// Fails if a newcomer joins while another thread reclaims, or if the log leaves what is in it. This is where a combiner that puts requests
/// back meets some that were posted meanwhile.
#[test]
fn everything_is_dropped_while_replicas_come_and_go() {
    search(|| everything_is_dropped(2, PanicPolicy::Continue, 3));
}

/// Three threads write through handles of their own on one of three replicas, drop them in any order, and with the last of them the
/// structure, while the others have applied nothing.
///
/// Fails if the log leaves what is in it.
#[test]
fn an_instance_is_dropped_with_what_is_not_applied() {
    search(|| {
        let ledger = Ledger::new();
        let structure = Arc::new(builder(3, 16).build(Executed([false; MOST])).unwrap());
        let handles = [(); 3].map(|()| structure.register_owned_on(ReplicaId::new(0)).unwrap());
        drop(structure);
        let handles = handles.map(|handle| std::sync::Mutex::new(Some(handle)));
        together(3, |thread| {
            let mut handle = handles[thread].lock().unwrap().take().expect("one for each");
            for turn in 0..2 {
                drop(handle.execute_mut(ledger.operation(2 * thread + turn)));
            }
            let log = handle.structure().stats().log.expect("several replicas have one");
            assert_eq!(log.reclaimed, 0, "the others have applied nothing");
        });
        ledger.assert_nothing_is_left();
    });
}
