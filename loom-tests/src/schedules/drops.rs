//! Operations and responses are dropped, each once, whatever becomes of them.
//!
//! What is wrong is counted, and looked at in the end: nearly every operation is dropped where a panic would be caught and dropped too.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::LocalKey;

use nr_loom_tests::{Dispatch, PanicPolicy, Place, ReplicaId};

use crate::search::{below, builder, note_unless, replica_of, search, step, together};

/// How often each value of a kind was dropped, in the order in which they were made.
type Drops = LocalKey<RefCell<Vec<u32>>>;

std::thread_local! {
    // All threads of a schedule are one to the operating system. So values own nothing, and to drop one twice harms only the count.
    static OPERATIONS: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    static ANSWERS: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// The number of one more.
fn make(drops: &'static Drops) -> usize {
    drops.with_borrow_mut(|drops| {
        drops.push(0);
        drops.len() - 1
    })
}

/// Runs a scenario, after which everything that it has made was dropped once.
fn with_ledger(scenario: impl FnOnce()) {
    OPERATIONS.take();
    ANSWERS.take();
    scenario();
    for (what, drops) in [("operation", OPERATIONS.take()), ("response", ANSWERS.take())] {
        for (number, times) in drops.into_iter().enumerate() {
            assert_eq!(times, 1, "{what} {number} was not dropped once");
        }
    }
}

/// Is executed once on each replica, and dropped once.
struct Operation {
    number: usize,
    panics: bool,
}

impl Operation {
    fn new(panics: bool) -> Self {
        Self { number: make(&OPERATIONS), panics }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        OPERATIONS.with_borrow_mut(|drops| drops[self.number] += 1);
        step();
    }
}

struct Answer(usize);

impl Answer {
    fn new() -> Self {
        Self(make(&ANSWERS))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        step();
        ANSWERS.with_borrow_mut(|drops| drops[self.0] += 1);
    }
}

/// How often each operation has been executed on this replica, or on those that it is a copy of.
#[derive(Clone, Default)]
struct Executed(Vec<u32>);

impl Executed {
    fn count(&self) -> u32 {
        self.0.iter().sum()
    }
}

impl Dispatch for Executed {
    type ReadOperation<'a> = ();
    type WriteOperation = Operation;
    type Response = Answer;

    fn dispatch(&self, (): ()) -> Answer {
        Answer::new()
    }

    fn dispatch_mut(&mut self, operation: &Operation) -> Answer {
        let number = operation.number;
        note_unless(OPERATIONS.with_borrow(|drops| drops[number]) == 0, || {
            format!("operation {number} is executed after it was dropped")
        });
        if self.0.len() <= number {
            self.0.resize(number + 1, 0);
        }
        self.0[number] += 1;
        note_unless(self.0[number] == 1, || format!("operation {number} is executed again on one replica"));
        step();
        if operation.panics {
            // Past the panic hook, which would keep every schedule.
            resume_unwind(Box::new(Answer::new()));
        }
        Answer::new()
    }
}

/// Single operations, batches, and such of which one panics, while replicas come and go, or don't.
fn everything_is_dropped(replicas: usize, policy: PanicPolicy, changes: usize) {
    let structure = builder(replicas, 8).on_panic(policy).build(Executed::default()).unwrap();
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
        let next = || Operation::new(false);
        // Who is refused under `Poison` drops what it is handed back.
        let calls = AssertUnwindSafe(|| {
            drop(handle.try_execute_mut(next()));
            drop(handle.try_execute_mut_batch([next(), next()]));
            drop(handle.try_execute(()));
            drop(handle.try_execute_mut_batch([next(), Operation::new(thread % 2 == 0), next()]));
        });
        if let Err(payload) = catch_unwind(calls) {
            drop(payload.downcast::<Answer>().unwrap_or_else(|other| resume_unwind(other)));
        }
        drop(handle.try_execute_mut(next()));
    });
    // Not always, since it brings all up to date, and what is not applied has to be dropped too.
    let seen = (below(2) == 0).then(|| structure.check_replicas(|executed| executed.0.clone()).expect("all are equal"));
    let executed = structure.into_inner();
    assert!(seen.is_none_or(|seen| seen == executed.0));
    match policy {
        PanicPolicy::Continue => assert_eq!(executed.count(), 28),
        _ => assert!((1..=28).contains(&executed.count())),
    }
}

/// Fails if what is reclaimed is not dropped, or dropped twice; if a replica executes again what another has appended; if the responses beside a
/// panic aren't dropped; or if two threads reclaim at once.
#[test]
fn everything_is_dropped_with_a_log() {
    search(|| with_ledger(|| everything_is_dropped(3, PanicPolicy::Continue, 0)));
}

/// Fails if a batch does not drop its operations, or the responses beside a panic; or if a lone operation is dropped twice.
#[test]
fn everything_is_dropped_without_a_log() {
    search(|| with_ledger(|| everything_is_dropped(1, PanicPolicy::Continue, 0)));
}

/// Fails if a refused batch is not handed back, if what is reclaimed is dropped twice, or if a replica executes again what another has appended.
#[test]
fn everything_is_dropped_when_poisoned() {
    search(|| with_ledger(|| everything_is_dropped(3, PanicPolicy::Poison, 0)));
}

/// Fails if a newcomer joins while another thread reclaims, if the log leaves what is in it, if what is reclaimed is dropped twice, or if a
/// replica executes again what another has appended. This is where a combiner that puts requests back meets some that were posted meanwhile.
#[test]
fn everything_is_dropped_while_replicas_come_and_go() {
    search(|| with_ledger(|| everything_is_dropped(2, PanicPolicy::Continue, 3)));
}

/// Three threads write through handles of their own on one of three replicas, drop them in any order, and with the last of them the
/// structure, while the others have applied nothing.
///
/// Fails if the log leaves what is in it.
#[test]
fn an_instance_is_dropped_with_what_is_not_applied() {
    search(|| {
        with_ledger(|| {
            let structure = Arc::new(builder(3, 16).build(Executed::default()).unwrap());
            let handles = [(); 3].map(|()| structure.register_owned_on(ReplicaId::new(0)).unwrap());
            drop(structure);
            let handles = handles.map(|handle| std::sync::Mutex::new(Some(handle)));
            together(3, |thread| {
                let mut handle = handles[thread].lock().unwrap().take().expect("one for each");
                for _ in 0..2 {
                    drop(handle.execute_mut(Operation::new(false)));
                }
                let log = handle.structure().stats().log.expect("several replicas have one");
                assert_eq!(log.reclaimed, 0, "the others have applied nothing");
            });
        });
    });
}
