//! Faults in user code that the other tests leave out, and threads that end without a word: nobody hangs, nothing leaks or runs twice.
//!
//! | fault | tested in |
//! |---|---|
//! | a panic in `dispatch_mut` | `panics.rs` |
//! | … in `dispatch`, or in the closure of a read | `panics.rs` (`a_panic_in_a_read_stays_with_its_caller` and others) |
//! | … in `prefetch` | here |
//! | … in the `Drop` of an operation | `operations.rs` (`whose_drop_panics`), `regressions.rs` |
//! | … in the `Drop` of a response, of a panic's payload, of the structure | here |
//! | … in `Clone` or in what makes replicas, during a build | here; `building.rs` (`making_a_replica_panics`) |
//! | … in `Clone`, for a replica that is added | `membership.rs` (`a_clone_that_panics_changes_nothing`) |
//! | … in the iterator of a batch | `batches.rs` (`an_iterator_that_panics_runs_nothing`) |
//! | … in the means to place memory | `placement.rs` (`a_system_that_panics_stops_nobody`) |
//! | a thread that ends in the midst of a panic | here; `panics.rs` (`a_handle_dropped_by_a_panic`) |
//! | … or has forgotten its handle | here |
//! | a slow operation, read, clone or drop | `progress.rs`, `waiting.rs`, `membership.rs`, `operations.rs` |
//! | no memory | `allocation.rs` |
//! | a storm of registrations | here; `registration.rs` |
//! | ten thousand handles | here from all sides; `registration.rs` one after the other |
//! | a thread that is stopped, at whatever step | package `nr-loom-tests`, `preemption` |

mod common;

use common::tracked::*;
use common::*;
use nr::{Dispatch, NodeReplicated, PanicPolicy, Place, ReplicaId};
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

/// Counts those that are alive; if it is armed, its `Drop` panics, with another one that is not.
struct Bomb {
    alive: Arc<AtomicUsize>,
    is_armed: bool,
}

impl Bomb {
    fn new(alive: &Arc<AtomicUsize>, is_armed: bool) -> Self {
        alive.fetch_add(1, SeqCst);
        Self { alive: Arc::clone(alive), is_armed }
    }

    fn disarm(mut self) {
        self.is_armed = false;
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, SeqCst);
        // A second panic while one is under way would be the end of the process, by the rules of the language.
        if self.is_armed && !thread::panicking() {
            resume_unwind(Box::new(Self::new(&self.alive, false)));
        }
    }
}

/// Panics past the hook, which would print.
fn throw() -> ! {
    resume_unwind(Box::new("as told"))
}

/// A hint that panics is no more than one that does nothing.
#[test]
fn hints_that_panic() {
    struct Hinted(Counting, Arc<AtomicUsize>);
    impl Dispatch for Hinted {
        type ReadOperation<'a> = ();
        type WriteOperation = Tracked;
        type Response = Answer;
        fn dispatch(&self, (): ()) -> Answer {
            self.0.dispatch(())
        }
        fn dispatch_mut(&mut self, op: &Tracked) -> Answer {
            self.0.dispatch_mut(op)
        }
        fn prefetch(&self, _: &Tracked) {
            self.1.fetch_add(1, SeqCst);
            throw();
        }
    }
    for_each_configuration(|configuration| {
        let (threads, each) = (6, 12 * scaled(2));
        let ledger = Ledger::new(configuration.replicas, threads * each);
        let hints = Arc::new(AtomicUsize::new(0));
        let nr = configuration.build(|id| Hinted(Counting::new(id.index(), &ledger), Arc::clone(&hints)));
        run_threads(threads, |thread| {
            let mut handle = nr.handle(thread);
            let numbers: Vec<_> = (thread * each..(thread + 1) * each).collect();
            // Long enough that there is something ahead.
            for numbers in numbers.chunks(configuration.batch_of(12)) {
                let answers = handle.execute_mut_batch(numbers.iter().map(|&number| ledger.op(number)));
                check!(answers.iter().map(|answer| answer.number).eq(numbers.iter().copied()), "answers of others");
            }
        });
        nr.sync();
        assert!(!nr.is_poisoned());
        if configuration.log_entries.is_none() {
            assert!(hints.load(SeqCst) > 0, "this is about hints");
        }
        ledger.assert_executed_once(0..threads * each);
        ledger.assert_dropped_once();
        assert_eq!(ledger.live_answers(), 0);
    });
}

/// Answers with bombs, and panics with one if told to.
struct Bombs(Arc<AtomicUsize>);

impl Dispatch for Bombs {
    type ReadOperation<'a> = ();
    type WriteOperation = bool;
    type Response = Bomb;
    fn dispatch(&self, (): ()) -> Bomb {
        Bomb::new(&self.0, true)
    }
    fn dispatch_mut(&mut self, panics: &bool) -> Bomb {
        let bomb = Bomb::new(&self.0, true);
        if *panics {
            resume_unwind(Box::new(bomb));
        }
        bomb
    }
}

/// What nobody waits for (the answers and the panics of the same operation on other replicas, those of a batch besides its first panic) is
/// dropped, once each, and a panic of that ends there.
#[test]
fn answers_and_payloads_whose_drop_panics() {
    for_each_configuration(|configuration| {
        let alive = Arc::new(AtomicUsize::new(0));
        let nr = configuration.on_panic(PanicPolicy::Continue).build(|_| Bombs(Arc::clone(&alive)));
        run_threads(6, |thread| {
            let mut handle = nr.handle(thread);
            let mut random = Random::new(thread);
            for _ in 0..scaled(10) {
                handle.execute_mut(false).disarm();
                handle.execute(()).disarm();
                let len = configuration.batch_of(4);
                handle.execute_mut_batch(vec![false; len]).into_iter().for_each(Bomb::disarm);
                panic_of(|| handle.execute_mut(true)).downcast::<Bomb>().expect("the operation's own").disarm();
                let batch: Vec<_> = (0..len).map(|at| at == len / 2 || random.one_in(2)).collect();
                panic_of(|| handle.execute_mut_batch(batch)).downcast::<Bomb>().expect("one of the batch's").disarm();
            }
        });
        nr.sync();
        assert!(!nr.is_poisoned());
        drop(nr);
        assert_eq!(alive.load(SeqCst), 0, "bombs are left");
    });
}

/// A structure whose drop panics, and operations that have yet to be dropped.
struct Rude {
    counting: Counting,
    bomb: Bomb,
}

impl Dispatch for Rude {
    type ReadOperation<'a> = ();
    type WriteOperation = Tracked;
    type Response = ();
    fn dispatch(&self, (): ()) {}
    fn dispatch_mut(&mut self, op: &Tracked) {
        self.counting.dispatch_mut(op);
    }
}

#[test]
fn structures_whose_drop_panics() {
    for_each_configuration(|configuration| {
        let build = |armed: usize| {
            let alive = Arc::new(AtomicUsize::new(0));
            let ledger = Ledger::new(configuration.replicas, 3);
            let nr = configuration.build(|id| Rude {
                counting: Counting::new(id.index(), &ledger),
                bomb: Bomb::new(&alive, id.index() < armed),
            });
            (0..3).for_each(|number| nr.handle(number).execute_mut(ledger.op(number)));
            (nr, alive, ledger)
        };
        let all = configuration.replicas;
        // Of those that are not wanted nobody hears.
        let (nr, alive, ledger) = build(all);
        nr.into_inner().bomb.disarm();
        assert_eq!(alive.load(SeqCst), 0);
        ledger.assert_dropped_once();
        // Nor of one that is removed.
        let (nr, alive, ledger) = build(all - 1);
        for id in 0..all - 1 {
            nr.remove_replica(ReplicaId::new(id)).expect("it is one of several");
            assert_eq!(alive.load(SeqCst), all - 1 - id);
        }
        nr.register().expect("a handle").execute(());
        drop(nr);
        assert_eq!(alive.load(SeqCst), 0);
        ledger.assert_dropped_once();
        // But who drops the whole hears of it, and the others are dropped all the same.
        let (nr, alive, ledger) = build(1);
        drop(panic_of(|| drop(nr)).downcast::<Bomb>().expect("the structure's own"));
        assert_eq!(alive.load(SeqCst), 0);
        ledger.assert_dropped_once();
    });
}

/// Whichever clone panics while a structure is built: what was given and what was made is dropped, and the panic arrives.
#[test]
fn clones_that_panic_during_a_build() {
    struct Shy(Arc<AtomicUsize>, usize);
    impl Clone for Shy {
        fn clone(&self) -> Self {
            // Those that are alive are the first and its clones.
            if Arc::strong_count(&self.0) == self.1 + 2 {
                throw();
            }
            Self(Arc::clone(&self.0), self.1)
        }
    }
    impl Dispatch for Shy {
        type ReadOperation<'a> = ();
        type WriteOperation = ();
        type Response = ();
        fn dispatch(&self, (): ()) {}
        fn dispatch_mut(&mut self, (): &()) {}
    }
    for_each_configuration(|configuration| {
        for panics_at in 0..configuration.replicas - 1 {
            let alive = Arc::new(AtomicUsize::new(0));
            let payload = panic_of(|| configuration.builder().build(Shy(Arc::clone(&alive), panics_at)));
            assert_eq!(text_of(&*payload), "as told");
            assert_eq!(Arc::strong_count(&alive), 1, "the clone of number {panics_at} has panicked");
        }
    });
}

/// A handle that is forgotten is counted for ever, and that is all.
#[test]
fn handles_that_are_forgotten() {
    for_each_configuration(|configuration| {
        let ledger = Ledger::new(configuration.replicas, 40);
        let nr = Arc::new(configuration.build(|id| Counting::new(id.index(), &ledger)));
        run_threads(20, |thread| {
            let mut handle = nr.handle(thread);
            handle.execute_mut(ledger.op(thread));
            handle.execute(());
            forget(handle);
        });
        run_threads(20, |thread| {
            let mut handle = nr.handle(thread);
            assert_eq!(handle.execute_mut(ledger.op(20 + thread)).number, 20 + thread);
            assert!(handle.read(|counting| counting.ran) > 20);
        });
        let handles: usize = nr.stats().replicas.iter().map(|replica| replica.handles).sum();
        assert_eq!(handles, 20);
        let nr = Arc::into_inner(nr).expect("no owned handle is left");
        nr.sync();
        // Replicas go in spite of them.
        (1..configuration.replicas).for_each(|id| nr.remove_replica(ReplicaId::new(id)).expect("it is there"));
        assert_eq!(nr.into_inner().ran, 40);
        ledger.assert_executed_once(0..40);
        ledger.assert_dropped_once();
        assert_eq!(ledger.live_answers(), 0);
    });
}

/// Threads come and end in every way there is, while others work and replicas come and go.
#[test]
fn threads_that_end_without_a_word() {
    /// Panics at every fifth operation, after it has run.
    struct Fragile(Arc<Vec<AtomicUsize>>, u64);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            Self(Arc::clone(&self.0), self.1)
        }
    }
    impl Dispatch for Fragile {
        type ReadOperation<'a> = ();
        type WriteOperation = Tracked;
        type Response = u64;
        fn dispatch(&self, (): ()) -> u64 {
            self.1
        }
        fn dispatch_mut(&mut self, op: &Tracked) -> u64 {
            self.0[op.number].fetch_add(1, SeqCst);
            self.1 += 1;
            if op.number.is_multiple_of(5) {
                throw();
            }
            self.1
        }
    }
    for_each_configuration(|configuration| {
        let (steady, each) = (3, scaled(30));
        let passing = scaled(60);
        let operations = steady * each + passing;
        let ledger = Ledger::new(1, operations);
        let executed = Arc::new((0..operations).map(|_| AtomicUsize::new(0)).collect::<Vec<_>>());
        let builder = configuration.on_panic(PanicPolicy::Continue).builder();
        let nr = Arc::new(builder.build(Fragile(Arc::clone(&executed), 0)).expect("it builds"));
        run_threads(steady + 2, |thread| {
            if thread < steady {
                let mut handle = nr.register().expect("a handle");
                for number in (thread * each..).take(each) {
                    let answer = catch_unwind(AssertUnwindSafe(|| handle.execute_mut(ledger.op(number))));
                    check!(answer.is_err() == number.is_multiple_of(5), "operation {number}");
                }
            } else if thread == steady {
                for number in (steady * each..).take(passing) {
                    let (nr, ledger) = (Arc::clone(&nr), Arc::clone(&ledger));
                    let end = move || {
                        let mut handle = nr.register_owned().expect("a handle");
                        let answer = catch_unwind(AssertUnwindSafe(|| handle.execute_mut(ledger.op(number))));
                        match number % 4 {
                            0 => throw(),
                            1 => handle.read(|_| throw()),
                            2 => forget(nr.register().expect("a handle")),
                            _ => {}
                        }
                        answer.unwrap_or_else(|payload| resume_unwind(payload));
                    };
                    let ended = thread::spawn(end).join();
                    check!(ended.is_ok() == (number % 4 > 1 && number % 5 != 0), "operation {number}");
                }
            } else {
                for _ in 0..scaled(5) {
                    let id = nr.add_replica(Place::Here).expect("there is room");
                    thread::yield_now();
                    nr.remove_replica(id).expect("it is one of several");
                }
            }
        });
        assert!(!nr.is_poisoned());
        nr.sync();
        ledger.assert_dropped_once();
        let nr: NodeReplicated<Fragile> = Arc::into_inner(nr).expect("no handle is left");
        assert_eq!(nr.into_inner().1, operations as u64, "each has run once");
        // On those that were there from first to last, and on those that came before it or at most at one place after the other.
        let times = executed.iter().map(|times| times.load(SeqCst));
        assert!(times.into_iter().all(|times| (configuration.replicas..=configuration.replicas + 1).contains(&times)));
    });
}

/// Ten thousand handles on few processors, used from all sides at once.
#[test]
fn ten_thousand_handles_from_all_sides() {
    for replicas in [1, 2, 4] {
        in_configuration(&Configuration::new(replicas, None), |configuration| {
            let ledger = Ledger::new(replicas, 10_000);
            let nr = configuration.build(|id| Counting::new(id.index(), &ledger));
            let each = 10_000 / MANY_THREADS;
            run_threads(MANY_THREADS, |thread| {
                let mut handles: Vec<_> = (0..each).map(|n| nr.handle(thread + n)).collect();
                for (number, handle) in (thread * each..).zip(&mut handles) {
                    assert_eq!(handle.execute_mut(ledger.op(number)).number, number);
                    check!(handle.execute(()).number > number - thread * each, "operation {number}");
                }
                // In another order than they came, and some after others have come again.
                while let Some(handle) = handles.pop() {
                    drop(handle);
                    if handles.len().is_multiple_of(3) {
                        drop(nr.register().expect("a handle"));
                    }
                }
            });
            assert!(nr.stats().replicas.iter().all(|replica| replica.handles == 0), "{}", nr.stats());
            nr.sync();
            ledger.assert_executed_once(0..each * MANY_THREADS);
            ledger.assert_dropped_once();
            assert_eq!(ledger.live_answers(), 0);
        });
    }
}
