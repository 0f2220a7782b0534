//! Guarantee 5: an operation is moved into the log once, never cloned, runs once on each replica, and is dropped
//! exactly once, soon after the last replica has applied it. With operations of many shapes.

mod common;

use common::structures::{Add, Counter, Get};
use common::tracked::{Counting, Ledger, Tracked};
use common::*;
use nr::{Dispatch, NodeReplicated, OwnedHandle, ReplicaId};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::num::NonZeroU8;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex};

#[test]
fn each_runs_once_on_each_replica_and_is_dropped_once() {
    for_each_configuration(|configuration| {
        let each = scaled(60);
        let operations = MANY_THREADS * each;
        let ledger = Ledger::new(configuration.replicas, operations);
        let nr = configuration.build(|replica| Counting::new(replica.index(), &ledger));
        run_threads(MANY_THREADS, |thread| {
            let mut handle = nr.handle(thread);
            let mut random = Random::new(thread);
            let mut numbers = thread * each..(thread + 1) * each;
            while !numbers.is_empty() {
                let len = (1 + random.below(configuration.batch_of(4))).min(numbers.len());
                let batch: Vec<_> = numbers.by_ref().take(len).collect();
                if let [number] = batch[..] {
                    assert_eq!(
                        handle.execute_mut(ledger.op(number)).number,
                        number,
                        "the answer to another's operation"
                    );
                } else {
                    let answers = handle.execute_mut_batch(batch.iter().map(|&number| ledger.op(number)));
                    assert!(answers.iter().map(|answer| answer.number).eq(batch), "the answers to other operations");
                }
                if random.one_in(4) {
                    handle.execute(());
                }
            }
        });
        nr.sync();
        ledger.assert_executed_once(0..operations);
        // The ring of the default log is far from having wrapped.
        ledger.assert_dropped_once();
        assert_eq!(ledger.live_answers(), 0, "answers that nobody waited for are dropped, the others were ours");
        drop(nr);
        ledger.assert_dropped_once();
        ledger.assert_executed_once(0..operations);
    });
}

#[test]
fn dropped_soon_after_the_last_replica_applied_it() {
    for_each_configuration(|configuration| {
        let ledger = Ledger::new(configuration.replicas, 300);
        let nr = configuration.build(|replica| Counting::new(replica.index(), &ledger));
        let mut handles: Vec<_> = (0..configuration.replicas).map(|replica| nr.handle(replica)).collect();
        for number in 0..300 {
            let writer = number % handles.len();
            handles[writer].execute_mut(ledger.op(number));
            if number % 5 == 4 {
                nr.sync();
                assert_eq!(ledger.live(), 0, "alive after operation {number} and a sync");
            }
        }
        // A replica that reads applies, and that is as good as a sync.
        for number in 0..2 {
            handles[0].execute_mut(ledger.op(number));
        }
        for handle in &mut handles {
            assert_eq!(handle.execute(()).number, 302);
        }
        nr.sync();
        assert_eq!(ledger.live(), 0, "alive though every replica has read");
    });
}

/// With one replica there is nobody to wait for.
#[test]
fn with_one_replica_dropped_at_once() {
    for entries in [Some(1), Some(4), None] {
        in_configuration(&Configuration::new(1, entries), |configuration| {
            let ledger = Ledger::new(1, 100);
            let nr = configuration.build(|replica| Counting::new(replica.index(), &ledger));
            let mut handle = nr.handle(0);
            for number in 0..100 {
                handle.execute_mut(ledger.op(number));
                assert_eq!(ledger.live(), 0, "alive after the answer to operation {number}");
            }
        });
    }
}

/// All replicas in use, nobody calls `sync`: what lives on is bounded by what is underway and by how far the laziest
/// replica lags, never by the size of the ring.
#[test]
fn no_sync_is_needed_where_all_replicas_are_used() {
    for replicas in [1, 2, 4] {
        in_configuration(&Configuration::new(replicas, None), |configuration| {
            let operations = scaled(1000);
            let ledger = Ledger::new(replicas, operations);
            let nr = configuration.build(|replica| Counting::new(replica.index(), &ledger));
            let mut handles: Vec<_> = (0..replicas).map(|replica| nr.handle(replica)).collect();
            let mut most = 0;
            for number in 0..operations {
                handles[number % replicas].execute_mut(ledger.op(number));
                most = most.max(ledger.live());
            }
            assert!(most <= 64, "{most} of {operations} operations were alive at once");
        });
    }
}

#[test]
fn dropped_once_with_the_structure() {
    for_each_configuration(|configuration| {
        for operations in [0, 1, 3, 7, 50] {
            let ledger = Ledger::new(configuration.replicas, operations);
            let nr = configuration.build(|replica| Counting::new(replica.index(), &ledger));
            // Only one replica is used: the others have not applied what the log still holds.
            let mut handle = nr.handle(configuration.replicas - 1);
            for number in 0..operations {
                handle.execute_mut(ledger.op(number));
            }
            drop(handle);
            drop(nr);
            ledger.assert_dropped_once();
            assert_eq!(ledger.live_answers(), 0);
        }
    });
}

/// A structure that answers with what it was told, for operations of any shape.
struct Folds<O, F> {
    state: u64,
    fold: F,
    shape: std::marker::PhantomData<fn(O)>,
}

impl<O: Send + Sync, F: Fn(u64, &O) -> u64> Dispatch for Folds<O, F> {
    type ReadOperation<'a> = ();
    type WriteOperation = O;
    type Response = u64;

    fn dispatch(&self, (): ()) -> u64 {
        self.state
    }

    fn dispatch_mut(&mut self, op: &O) -> u64 {
        self.state = (self.fold)(self.state, op);
        self.state
    }
}

/// Operations made by `make`, in an order that decides the result, through every replica, single and in batches.
fn shape<O: Send + Sync>(make: impl Fn(u64) -> O + Sync, fold: impl Fn(u64, &O) -> u64 + Send + Sync) {
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Folds { state: 1, fold: &fold, shape: std::marker::PhantomData });
        let mut expected = 1;
        let mut numbers = 0..60;
        for turn in 0.. {
            let mut handle = nr.handle(turn);
            let batch: Vec<_> = numbers.by_ref().take(configuration.batch_of(1 + turn % 3)).collect();
            if batch.is_empty() {
                break;
            }
            let answers = handle.execute_mut_batch(batch.iter().map(|&number| make(number)));
            for (number, answer) in batch.into_iter().zip(answers) {
                expected = fold(expected, &make(number));
                assert_eq!(answer, expected, "operation {number}");
            }
        }
        nr.sync();
        for replica in 0..configuration.replicas {
            assert_eq!(nr.handle(replica).execute(()), expected, "replica {replica}");
        }
        // And from several threads at once, for the data races that a sanitizer or Miri would see.
        run_threads(4, |thread| {
            let mut handle = nr.handle(thread);
            (0..10).for_each(|number| drop(handle.execute_mut_batch([make(number)])));
        });
        let mut states = (0..configuration.replicas).map(|replica| nr.handle(replica).execute(()));
        let first = states.next().expect("a replica");
        assert!(states.all(|state| state == first), "replicas differ");
    });
}

fn mix(state: u64, value: u64) -> u64 {
    (state ^ value).wrapping_mul(0x0100_0000_01B3).rotate_left(9)
}

#[test]
fn of_no_size() {
    shape(|_| (), |state, (): &()| mix(state, 1));
}

#[test]
fn of_one_byte() {
    shape(|n| n as u8, |state, &n| mix(state, n.into()));
    shape(|n| n % 2 == 0, |state, &n| mix(state, n.into()));
}

#[test]
fn with_a_niche_that_is_taken() {
    shape(|n| NonZeroU8::new((n % 3) as u8), |state, n| mix(state, n.map_or(77, |n| n.get().into())));
    shape(|n| (n % 2 == 0).then(|| Box::new(n)), |state, n| mix(state, n.as_ref().map_or(77, |n| **n)));
    shape(
        |n| (n % 2 == 0).then(|| (n % 4 == 0).then(|| Some(n.to_string()))),
        |state, n| match n {
            None => mix(state, 1),
            Some(None) => mix(state, 2),
            Some(Some(None)) => mix(state, 3),
            Some(Some(Some(text))) => mix(state, 4 + text.len() as u64 + text.parse::<u64>().expect("a number")),
        },
    );
}

#[test]
fn of_an_enum_of_fat_pointers() {
    enum Command {
        Set(Arc<str>, Arc<str>),
        Clear,
    }
    shape(
        |n| match n % 3 {
            0 => Command::Clear,
            _ => Command::Set(format!("key {n}").into(), "value".repeat(n as usize).into()),
        },
        |state, command| match command {
            Command::Set(key, value) => key.bytes().chain(value.bytes()).fold(state, |s, byte| mix(s, byte.into())),
            Command::Clear => mix(state, 0),
        },
    );
}

#[test]
fn of_16_kib() {
    struct Big([u64; 2048]);
    for_each_configuration(|configuration| {
        if configuration.log_entries.is_none() && configuration.replicas == 4 {
            return; // `memory.rs` does that one.
        }
        let nr = configuration.build(|_| Folds {
            state: 0,
            fold: |state, big: &Big| big.0.iter().step_by(61).fold(state, |state, &word| mix(state, word)),
            shape: std::marker::PhantomData,
        });
        let mut handle = nr.handle(0);
        let mut expected = 0;
        for n in 0..20 {
            let big = Big(std::array::from_fn(|at| n * 3000 + at as u64));
            expected = big.0.iter().step_by(61).fold(expected, |state, &word| mix(state, word));
            assert_eq!(handle.execute_mut(big), expected);
        }
        for replica in 0..configuration.replicas {
            assert_eq!(nr.handle(replica).execute(()), expected);
        }
    });
}

#[test]
fn aligned_to_more_than_a_cache_line() {
    #[repr(align(256))]
    struct Aligned(u64);
    shape(Aligned, |state, aligned| {
        assert_eq!(std::ptr::from_ref(aligned).addr() % 256, 0, "an operation out of its alignment");
        mix(state, aligned.0)
    });
    #[repr(align(128))]
    struct Nothing;
    shape(
        |_| Nothing,
        |state, nothing| {
            assert_eq!(std::ptr::from_ref(nothing).addr() % 128, 0, "an operation out of its alignment");
            mix(state, 1)
        },
    );
}

#[test]
fn that_are_functions() {
    type Op = Box<dyn Fn(u64) -> u64 + Send + Sync>;
    shape(
        |n| -> Op { if n % 2 == 0 { Box::new(move |state| mix(state, n)) } else { Box::new(|state| state + 1) } },
        |state, op| op(state),
    );
}

#[test]
fn that_borrow_from_the_test() {
    let words: Vec<String> = (0..60).map(|n| format!("word {n}")).collect();
    shape(|n| words[n as usize].as_str(), |state, word| word.bytes().fold(state, |s, byte| mix(s, byte.into())));
}

/// Zero-sized operations are counted and dropped like any other.
#[test]
fn of_no_size_are_dropped_once() {
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    struct Nothing;
    impl Nothing {
        fn new() -> Self {
            LIVE.fetch_add(1, SeqCst);
            Self
        }
    }
    impl Drop for Nothing {
        fn drop(&mut self) {
            LIVE.fetch_sub(1, SeqCst);
        }
    }
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Folds {
            state: 0,
            fold: |state, _: &Nothing| state + 1,
            shape: std::marker::PhantomData,
        });
        run_threads(8, |thread| {
            let mut handle = nr.handle(thread);
            for _ in 0..10 {
                handle.execute_mut(Nothing::new());
                handle.execute_mut_batch((0..configuration.batch_of(2)).map(|_| Nothing::new()));
            }
        });
        assert_eq!(nr.handle(0).execute(()), 80 * (1 + configuration.batch_of(2) as u64));
        nr.sync();
        assert_eq!(LIVE.load(SeqCst), 0);
        nr.handle(0).execute_mut(Nothing::new());
        drop(nr);
        assert_eq!(LIVE.load(SeqCst), 0);
    });
}

/// A read operation may borrow from the caller, for as short as it likes.
#[test]
fn reads_that_borrow() {
    #[derive(Default)]
    struct Words(BTreeMap<String, usize>);
    enum Ask<'a> {
        Of(&'a str),
        Sum(&'a mut dyn Iterator<Item = &'a str>),
        Note(&'a Cell<usize>),
    }
    impl Dispatch for Words {
        type ReadOperation<'a> = Ask<'a>;
        type WriteOperation = String;
        type Response = usize;

        fn dispatch(&self, ask: Ask<'_>) -> usize {
            match ask {
                Ask::Of(word) => self.0.get(word).copied().unwrap_or(0),
                Ask::Sum(words) => words.filter_map(|word| self.0.get(word)).sum(),
                // Neither `Send` nor `Sync`: the read never leaves this thread.
                Ask::Note(cell) => cell.replace(self.0.len()),
            }
        }

        fn dispatch_mut(&mut self, word: &String) -> usize {
            let count = self.0.entry(word.clone()).or_insert(0);
            *count += 1;
            *count
        }
    }
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Words::default());
        let mut handle = nr.handle(0);
        for word in "a rose is a rose is a rose".split(' ') {
            handle.execute_mut(word.to_owned());
        }
        let mut handle = nr.handle(configuration.replicas - 1);
        {
            let short_lived = String::from("rose");
            assert_eq!(handle.execute(Ask::Of(&short_lived)), 3);
            assert_eq!(handle.try_execute(Ask::Of(&short_lived)).expect("no poison"), 3);
            assert_eq!(handle.execute(Ask::Sum(&mut [short_lived.as_str(), "is", "thorn"].iter().copied())), 5);
        }
        let cell = Cell::new(7);
        assert_eq!((handle.execute(Ask::Note(&cell)), cell.get()), (7, 3));
        // What the closure returns may be taken out of it, and it may change what it captured.
        let mut longest = String::new();
        let found = handle.read(|words| {
            longest = words.0.keys().max_by_key(|word| word.len()).cloned().unwrap_or_default();
            words.0.contains_key("is")
        });
        assert!(found);
        assert_eq!(longest, "rose");
    });
}

/// A closure is called once: it may give away what it captured.
#[test]
fn a_read_closure_may_be_called_only_once() {
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Counter::default());
        let gift = String::from("gift");
        let mut handle = nr.handle(0);
        let given = handle.read(move |counter| (gift, counter.0));
        assert_eq!(given, ("gift".to_owned(), 0));
        assert_eq!(handle.try_read(|counter| counter.0).expect("no poison"), 0);
    });
}

/// Answers may be anything that can be sent; they are moved out once.
#[test]
fn answers_that_are_not_sync() {
    struct Stack(Vec<u64>);
    impl Dispatch for Stack {
        type ReadOperation<'a> = ();
        type WriteOperation = Option<u64>;
        type Response = Cell<Option<Box<u64>>>;

        fn dispatch(&self, (): ()) -> Self::Response {
            Cell::new(self.0.last().copied().map(Box::new))
        }

        fn dispatch_mut(&mut self, op: &Option<u64>) -> Self::Response {
            match op {
                Some(value) => {
                    self.0.push(*value);
                    Cell::new(None)
                }
                None => Cell::new(self.0.pop().map(Box::new)),
            }
        }
    }
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Stack(Vec::new()));
        let popped: Vec<_> = run_threads(8, |thread| {
            let mut handle = nr.handle(thread);
            (0..10)
                .filter_map(|n| {
                    assert!(handle.execute_mut(Some(thread as u64 * 100 + n)).take().is_none());
                    handle.execute(());
                    handle.execute_mut(None).take()
                })
                .collect::<Vec<_>>()
        })
        .concat();
        let mut values: Vec<_> = popped.into_iter().map(|value| *value).collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), 80, "each value is popped once");
    });
}

/// An operation whose end runs something: the one that holds a handle of the same structure.
struct AtEnd(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(run) = self.0.take() {
            run();
        }
    }
}

#[derive(Default)]
struct Ends(u64);

impl Dispatch for Ends {
    type ReadOperation<'a> = ();
    type WriteOperation = AtEnd;
    type Response = u64;

    fn dispatch(&self, (): ()) -> u64 {
        self.0
    }

    fn dispatch_mut(&mut self, _: &AtEnd) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// Dropping an operation is user code, and runs outside every lock.
#[test]
fn whose_drop_uses_the_same_structure() {
    for_each_configuration(|configuration| {
        let nr = Arc::new(configuration.build(|_| Ends::default()));
        let ran = Arc::new(AtomicUsize::new(0));
        let threads = 6;
        let each = scaled(20);
        run_threads(threads, |thread| {
            let mut handle = nr.handle(thread);
            let mut random = Random::new(thread);
            for _ in 0..each {
                let replica = ReplicaId::new(random.below(configuration.replicas));
                let inner: OwnedHandle<Ends> = nr.register_owned_on(replica).expect("a handle");
                let inner = Mutex::new(inner);
                let ran = Arc::clone(&ran);
                let at_end = AtEnd(Some(Box::new(move || {
                    let mut inner = inner.into_inner().expect("never locked");
                    let before = inner.execute(());
                    assert!(inner.execute_mut(AtEnd(None)) > before);
                    assert!(inner.read(|ends| ends.0) > before);
                    ran.fetch_add(1, SeqCst);
                })));
                handle.execute_mut(at_end);
            }
        });
        // Each drop wrote something new, which may lie in the log, and may hold nothing more.
        nr.sync();
        nr.sync();
        assert_eq!(ran.load(SeqCst), threads * each);
        let nr = Arc::into_inner(nr).expect("all handles are gone");
        assert_eq!(nr.into_inner().0, 2 * (threads * each) as u64);
    });
}

/// The drop of an operation waits for another thread, which needs the structure for what it does meanwhile.
#[test]
fn whose_drop_waits_for_a_thread_that_uses_the_structure() {
    for_each_configuration(|configuration| {
        let nr = Arc::new(configuration.build(|_| Ends::default()));
        for replica in 0..configuration.replicas {
            let (ask, asked) = std::sync::mpsc::channel::<()>();
            let (answer, answered) = std::sync::mpsc::channel::<u64>();
            let other = std::thread::spawn({
                let mut handle = nr.register_owned_on(ReplicaId::new(replica)).expect("a handle");
                move || {
                    asked.recv().expect("it is asked for");
                    handle.execute_mut(AtEnd(None));
                    answer.send(handle.execute(())).expect("it is waited for");
                }
            });
            let both = Mutex::new((ask, answered));
            let mut handle = nr.handle(0);
            handle.execute_mut(AtEnd(Some(Box::new(move || {
                let (ask, answered) = both.into_inner().expect("never locked");
                ask.send(()).expect("the other thread waits");
                assert!(answered.recv().expect("the other thread answers") >= 2);
            }))));
            nr.sync();
            other.join().expect("no panic");
        }
        assert_eq!(nr.handle(0).execute(()), 2 * configuration.replicas as u64);
    });
}

/// A panic in an operation's drop must not hang anybody, and must not drop anything twice or never.
#[test]
fn whose_drop_panics() {
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Ends::default());
        let dropped = Arc::new(AtomicUsize::new(0));
        let (threads, each) = (8, scaled(8));
        let answered: usize = run_threads(threads, |thread| {
            let mut handle = nr.handle(thread);
            (0..each)
                .filter(|step| {
                    let dropped = Arc::clone(&dropped);
                    let panics = (thread + step) % 4 == 0;
                    let op = AtEnd(Some(Box::new(move || {
                        dropped.fetch_add(1, SeqCst);
                        if panics {
                            std::panic::resume_unwind(Box::new("in a drop")); // Past the hook, which would print.
                        }
                    })));
                    // Whether the panic comes out, and where, is left open.
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| handle.execute_mut(op))).is_ok()
                })
                .count()
        })
        .into_iter()
        .sum();
        assert!(answered > 0);
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| nr.sync()));
        assert!(!nr.is_poisoned(), "only a panic in dispatch_mut poisons");
        let all = (threads * each) as u64;
        for replica in 0..configuration.replicas {
            assert_eq!(nr.handle(replica).execute(()), all, "on replica {replica}");
        }
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(nr)));
        assert_eq!(dropped.load(SeqCst), threads * each);
    });
}

/// `prefetch` is a hint: whatever it is called for, it is called with operations alive, on the right replica, and
/// changes no count.
#[test]
fn prefetch_is_called_before_the_operation_runs() {
    struct Hinted {
        counting: Counting,
        ledger: Arc<Ledger>,
        replica: usize,
        hints: Arc<AtomicUsize>,
    }
    impl Dispatch for Hinted {
        type ReadOperation<'a> = ();
        type WriteOperation = Tracked;
        type Response = ();

        fn dispatch(&self, (): ()) {}

        fn dispatch_mut(&mut self, op: &Tracked) {
            self.counting.dispatch_mut(op);
        }

        fn prefetch(&self, op: &Tracked) {
            let ran = self.ledger.executed(self.replica, op.number);
            assert_eq!(ran, 0, "a hint for operation {}, which replica {} has run", op.number, self.replica);
            self.hints.fetch_add(1, SeqCst);
        }
    }
    for_each_configuration(|configuration| {
        let each = 30;
        let ledger = Ledger::new(configuration.replicas, 8 * each);
        let hints = Arc::new(AtomicUsize::new(0));
        let nr = configuration.build(|replica| Hinted {
            counting: Counting::new(replica.index(), &ledger),
            ledger: Arc::clone(&ledger),
            replica: replica.index(),
            hints: Arc::clone(&hints),
        });
        run_threads(8, |thread| {
            let mut handle = nr.handle(thread);
            let len = configuration.batch_of(6);
            let numbers: Vec<_> = (thread * each..(thread + 1) * each).collect();
            for numbers in numbers.chunks(len) {
                handle.execute_mut_batch(numbers.iter().map(|&number| ledger.op(number)));
            }
        });
        nr.sync();
        ledger.assert_executed_once(0..8 * each);
        ledger.assert_dropped_once();
    });
}

/// Operations of any size mixed with reads through all kinds of calls, on an owned handle.
#[test]
fn through_owned_handles() {
    for_each_configuration(|configuration| {
        let nr: Arc<NodeReplicated<Counter>> = Arc::new(configuration.build(|_| Counter::default()));
        let threads: Vec<_> = (0..6)
            .map(|thread| {
                let replica = ReplicaId::new(thread % configuration.replicas);
                let mut handle = nr.register_owned_on(replica).expect("a handle");
                assert_eq!(handle.replica_id(), replica);
                std::thread::spawn(move || {
                    for _ in 0..20 {
                        let at = handle.execute_mut(Add(1));
                        assert!(handle.try_execute(Get).expect("no poison") > at);
                        assert!(handle.try_execute_mut(Add(1)).expect("no poison") > at);
                        assert_eq!(handle.execute_mut_batch([Add(1)]).len(), 1);
                        assert_eq!(handle.try_execute_mut_batch([Add(1)]).expect("no poison").len(), 1);
                        assert!(handle.read(|counter| counter.0) >= at + 4);
                        assert!(handle.try_read(|counter| counter.0).expect("no poison") >= at + 4);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(Arc::into_inner(nr).expect("all handles are gone").into_inner().0, 6 * 20 * 4);
    });
}
