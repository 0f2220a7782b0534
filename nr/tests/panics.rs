//! Guarantee 7: a panic in `dispatch_mut` reaches the thread whose operation it was, counts as executed everywhere,
//! never runs again on the same replica, and hangs nobody; what the two policies make of it.

mod common;

use common::*;
use nr::{Dispatch, ExecuteError, NodeReplicated, PanicPolicy};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::*};

/// A state that depends on the order of its operations, some of which panic after they have changed it.
struct Fragile {
    replica: usize,
    state: u64,
    executed: Arc<Executed>,
}

/// How often each operation ran, by replica and number.
struct Executed(Vec<Vec<AtomicU32>>);

impl Executed {
    fn new(replicas: usize, operations: usize) -> Arc<Self> {
        let counts = || (0..operations).map(|_| AtomicU32::new(0)).collect();
        Arc::new(Self((0..replicas).map(|_| counts()).collect()))
    }

    /// How often the operation ran on each replica; the same on all.
    fn times(&self, number: usize) -> u32 {
        let times: Vec<_> = self.0.iter().map(|counts| counts[number].load(SeqCst)).collect();
        assert!(times.iter().all(|&n| n == times[0]), "operation {number} ran {times:?}× on the replicas");
        times[0]
    }
}

struct Op {
    number: usize,
    panics: bool,
}

fn sound(number: usize) -> Op {
    Op { number, panics: false }
}

fn panicking(number: usize) -> Op {
    Op { number, panics: true }
}

/// The payload of operation `0`; not a text, and without any other trait.
struct Payload(usize);

impl Dispatch for Fragile {
    type ReadOperation<'a> = bool;
    type WriteOperation = Op;
    type Response = usize;

    fn dispatch(&self, panics: bool) -> usize {
        assert!(!panics, "in dispatch");
        self.state as usize
    }

    fn dispatch_mut(&mut self, op: &Op) -> usize {
        self.executed.0[self.replica][op.number].fetch_add(1, SeqCst);
        self.state = (self.state ^ op.number as u64).wrapping_mul(0x0100_0000_01B3).rotate_left(5);
        if op.panics {
            // Without the hook's message, of which there would be thousands.
            resume_unwind(Box::new(Payload(op.number)));
        }
        op.number
    }
}

impl Fragile {
    fn build(configuration: &Configuration, operations: usize) -> (NodeReplicated<Self>, Arc<Executed>) {
        let executed = Executed::new(configuration.replicas, operations);
        let nr = configuration.build(|replica| Self { replica: replica.index(), state: 1, executed: executed.clone() });
        (nr, executed)
    }
}

/// Whose operation the panic was.
fn number_of(payload: Box<dyn Any + Send>) -> usize {
    match payload.downcast::<Payload>() {
        Ok(payload) => payload.0,
        Err(other) => panic!("another payload: {}", text_of(&*other)),
    }
}

/// What became of a write.
enum Outcome {
    Answered(usize),
    Panicked(usize),
    HandedBack(usize),
}

fn try_write(handle: &mut nr::Handle<'_, Fragile>, op: Op) -> Outcome {
    match catch_unwind(AssertUnwindSafe(|| handle.try_execute_mut(op))) {
        Ok(Ok(answer)) => Outcome::Answered(answer),
        Ok(Err(error)) => Outcome::HandedBack(error.into_returned().number),
        Err(payload) => Outcome::Panicked(number_of(payload)),
    }
}

/// The state of every replica, which must be the same on all.
fn state(nr: &NodeReplicated<Fragile>) -> u64 {
    let states: Vec<_> = (0..nr.replicas()).map(|replica| nr.handle(replica).read(|fragile| fragile.state)).collect();
    assert!(states.iter().all(|state| *state == states[0]), "replicas differ: {states:?}");
    states[0]
}

fn poisons(configuration: &Configuration) -> bool {
    configuration.on_panic != Some(PanicPolicy::Continue)
}

#[test]
fn the_payload_reaches_the_owner_as_it_is() {
    for_each_policy(|configuration| {
        for replica in 0..configuration.replicas {
            let (nr, executed) = Fragile::build(configuration, 3);
            let mut handle = nr.handle(replica);
            handle.execute_mut(sound(0));
            assert_eq!(number_of(panic_of(|| handle.execute_mut(panicking(1)))), 1);
            assert_eq!(nr.is_poisoned(), poisons(configuration));
            nr.clear_poison();
            assert_eq!(handle.execute_mut(sound(2)), 2);
            state(&nr);
            assert_eq!([0, 1, 2].map(|number| executed.times(number)), [1; 3]);
        }
    });
}

#[test]
fn try_methods_pass_the_panic_on_as_well() {
    for_each_policy(|configuration| {
        let (nr, _) = Fragile::build(configuration, 2);
        let mut handle = nr.handle(0);
        assert_eq!(number_of(panic_of(|| handle.try_execute_mut(panicking(0)))), 0);
        nr.clear_poison();
        assert_eq!(number_of(panic_of(|| handle.try_execute_mut_batch([panicking(1)]))), 1);
        assert_eq!(nr.is_poisoned(), poisons(configuration));
    });
}

#[test]
fn payloads_of_every_kind() {
    struct Throws;
    impl Dispatch for Throws {
        type ReadOperation<'a> = ();
        type WriteOperation = u8;
        type Response = ();
        fn dispatch(&self, (): ()) {}
        fn dispatch_mut(&mut self, op: &u8) {
            match op {
                0 => panic!("a literal"),
                1 => panic!("number {op}"),
                2 => panic_any(17_u64),
                3 => assert_eq!(op, &4, "compared"),
                _ => drop([0_u8; 3][usize::from(*op)..].to_vec()),
            }
        }
    }
    for_each_policy(|configuration| {
        let nr = configuration.build(|_| Throws);
        let mut handle = nr.handle(1);
        let mut throw = |op| {
            let payload = panic_of(|| handle.execute_mut(op));
            nr.clear_poison();
            payload
        };
        assert_eq!(throw(0).downcast_ref(), Some(&"a literal"));
        assert_eq!(throw(1).downcast_ref(), Some(&"number 1".to_owned()));
        assert_eq!(throw(2).downcast_ref(), Some(&17_u64));
        assert!(text_of(&*throw(3)).contains("compared"));
        assert!(text_of(&*throw(9)).contains("range"));
        nr.sync();
        assert!(!nr.is_poisoned(), "replaying on other replicas poisons nothing anew");
    });
}

#[test]
fn the_rest_of_a_batch_runs_everywhere() {
    for_each_policy(|configuration| {
        let len = configuration.batch_of(4);
        for panics_at in 0..len {
            let (nr, executed) = Fragile::build(configuration, len + 1);
            let mut handle = nr.handle(panics_at);
            let batch = || (0..len).map(|number| Op { number, panics: number == panics_at });
            assert_eq!(number_of(panic_of(|| handle.execute_mut_batch(batch()))), panics_at);
            assert_eq!(nr.is_poisoned(), poisons(configuration));
            nr.clear_poison();
            let found = state(&nr);
            (0..len).for_each(|number| assert_eq!(executed.times(number), 1, "operation {number}"));
            // The same operations one by one leave the same state.
            let (one_by_one, _) = Fragile::build(&configuration.on_panic(PanicPolicy::Continue), len + 1);
            let mut handle = one_by_one.handle(0);
            batch().for_each(|op| drop(catch_unwind(AssertUnwindSafe(|| handle.execute_mut(op)))));
            assert_eq!(found, state(&one_by_one));
        }
    });
}

/// Two panics in one batch: one of them arrives, and nothing is lost or run again.
#[test]
fn several_panics_in_one_batch() {
    for_each_policy(|configuration| {
        let len = configuration.batch_of(4);
        let (nr, executed) = Fragile::build(configuration, len + 1);
        let mut handle = nr.handle(1);
        assert!(number_of(panic_of(|| handle.execute_mut_batch((0..len).map(panicking)))) < len);
        nr.clear_poison();
        assert_eq!(handle.execute_mut(sound(len)), len);
        state(&nr);
        (0..=len).for_each(|number| assert_eq!(executed.times(number), 1, "operation {number}"));
    });
}

/// Many threads, whose operations are combined by each other: everybody hears of his own panic and of no other.
#[test]
fn each_thread_hears_of_its_own_panics_only() {
    for_each_configuration(|configuration| {
        let configuration = &configuration.on_panic(PanicPolicy::Continue);
        let each = scaled(50);
        let (nr, executed) = Fragile::build(configuration, MANY_THREADS * each);
        run_threads(MANY_THREADS, |thread| {
            let mut handle = nr.handle(thread);
            let mut random = Random::new(thread);
            for number in thread * each..(thread + 1) * each {
                let panics = random.one_in(3);
                match try_write(&mut handle, Op { number, panics }) {
                    Outcome::Answered(answer) => check!(!panics && answer == number, "{number} was answered {answer}"),
                    Outcome::Panicked(other) => check!(panics && other == number, "{number} heard of {other}"),
                    Outcome::HandedBack(_) => panic!("operation {number} was handed back though nothing poisons"),
                }
                if random.one_in(4) {
                    handle.execute(false);
                }
            }
        });
        assert!(!nr.is_poisoned());
        state(&nr);
        (0..MANY_THREADS * each).for_each(|number| assert_eq!(executed.times(number), 1, "operation {number}"));
    });
}

/// The same with batches.
#[test]
fn batches_that_panic_beside_others() {
    for_each_configuration(|configuration| {
        let configuration = &configuration.on_panic(PanicPolicy::Continue);
        let (threads, each, len) = (12, scaled(12), configuration.batch_of(3));
        let operations = threads * each * len;
        let (nr, executed) = Fragile::build(configuration, operations);
        run_threads(threads, |thread| {
            let mut handle = nr.handle(thread);
            let mut random = Random::new(thread);
            for batch in 0..each {
                let first = (thread * each + batch) * len;
                let panics_at = random.below(2 * len);
                let ops = (0..len).map(|n| Op { number: first + n, panics: n == panics_at });
                match catch_unwind(AssertUnwindSafe(|| handle.execute_mut_batch(ops))) {
                    Ok(answers) => {
                        check!(panics_at >= len, "a panic was lost");
                        check!(answers.into_iter().eq(first..first + len), "answers of others");
                    }
                    Err(payload) => check!(number_of(payload) == first + panics_at, "a panic of others"),
                }
            }
        });
        state(&nr);
        (0..operations).for_each(|number| assert_eq!(executed.times(number), 1, "operation {number}"));
    });
}

#[test]
fn a_poisoned_structure_hands_everything_back() {
    for_each_configuration(|configuration| {
        let (nr, executed) = Fragile::build(configuration, 10);
        assert!(!nr.is_poisoned());
        panic_of(|| nr.handle(0).execute_mut(panicking(0)));
        assert!(nr.is_poisoned(), "Poison is the default");
        for replica in 0..configuration.replicas {
            let mut handle = nr.handle(replica);
            let message = handle.try_execute(false).expect_err("poisoned").to_string();
            assert!(message.contains("poison"), "{message}");

            match handle.try_execute_mut(sound(1)) {
                Err(ExecuteError::Poisoned { returned, .. }) => assert_eq!(returned.number, 1),
                other => panic!("{other:?}"),
            }
            assert_eq!(handle.try_execute(true).err().map(ExecuteError::into_returned), Some(true));
            let batch = configuration.batch_of(3);
            let error = handle.try_execute_mut_batch((2..2 + batch).map(sound)).expect_err("poisoned");
            assert!(matches!(error, ExecuteError::Poisoned { .. }));
            assert_eq!(error.to_string(), message);
            assert!(error.into_returned().iter().map(|op| op.number).eq(2..2 + batch));
            // The closure comes back, and can be called.
            let seven = 7;
            let error = handle.try_read(|fragile| fragile.replica + seven).expect_err("poisoned");
            let closure = error.into_returned();
            let own = Fragile { replica: 1, state: 0, executed: executed.clone() };
            assert_eq!(closure(&own), 8);

            // The plain methods panic with the same message.
            let panics = [
                panic_of(|| handle.execute(false)),
                panic_of(|| handle.execute_mut(sound(1))),
                panic_of(|| handle.execute_mut_batch([sound(1)])),
                panic_of(|| handle.read(|_| ())),
            ];
            for payload in panics {
                assert!(text_of(&*payload).contains(&message), "`{}` holds `{message}`", text_of(&*payload));
            }
        }
        nr.sync();
        nr.stats();
        assert!(nr.is_poisoned(), "only clear_poison lifts it");
        (1..10).for_each(|number| assert_eq!(executed.times(number), 0, "operation {number} was handed back"));

        // It is reported to handles made later, too; and then lifted for all.
        let mut before = nr.handle(0);
        nr.clear_poison();
        assert!(!nr.is_poisoned());
        assert_eq!(before.execute_mut(sound(1)), 1);
        assert_eq!(nr.handle(1).execute_mut(sound(2)), 2);
        state(&nr);
        assert_eq!([0, 1, 2].map(|number| executed.times(number)), [1; 3]);
        nr.clear_poison();
        assert!(!nr.is_poisoned(), "to clear what is clear does nothing");
    });
}

/// The panicking operation still lies before the other replicas when the poison is lifted.
#[test]
fn a_lagging_replica_that_replays_the_panic_later_poisons_nothing() {
    for_each_configuration(|configuration| {
        for lagging in 0..configuration.replicas {
            let (nr, executed) = Fragile::build(configuration, 20);
            let mut writer = nr.handle(lagging + 1);
            let mut lagging = nr.handle(lagging);
            assert_eq!(number_of(panic_of(|| writer.execute_mut(panicking(0)))), 0);
            nr.clear_poison();
            // The replica replays for its own reader …
            lagging.execute(false);
            assert!(!nr.is_poisoned(), "a reader replayed the panic of another");
            // … for a writer of its own …
            panic_of(|| writer.execute_mut(panicking(1)));
            nr.clear_poison();
            assert_eq!(lagging.execute_mut(sound(2)), 2);
            assert!(!nr.is_poisoned(), "a combiner replayed the panic of another");
            // … for somebody who needs the space …
            panic_of(|| writer.execute_mut(panicking(3)));
            nr.clear_poison();
            (4..14).for_each(|number| assert_eq!(writer.execute_mut(sound(number)), number));
            assert!(!nr.is_poisoned(), "a helper replayed the panic of another");
            // … and for sync.
            panic_of(|| writer.execute_mut(panicking(14)));
            nr.clear_poison();
            nr.sync();
            assert!(!nr.is_poisoned(), "sync replayed the panic of another");
            state(&nr);
            (0..15).for_each(|number| assert_eq!(executed.times(number), 1, "operation {number}"));
        }
    });
}

/// Everybody writes, some operations panic: each ends in exactly one of three ways, and only what was handed back
/// has not run.
#[test]
fn poison_among_many_threads() {
    for_each_configuration(|configuration| {
        let rounds = scaled(10);
        for round in 0..rounds {
            let each = 12;
            let (nr, executed) = Fragile::build(configuration, MANY_THREADS * each);
            let handed_back = run_threads(MANY_THREADS, |thread| {
                let mut handle = nr.handle(thread);
                let mut random = Random::new(round * MANY_THREADS + thread);
                (thread * each..(thread + 1) * each)
                    .filter(|&number| {
                        let panics = random.one_in(30);
                        match try_write(&mut handle, Op { number, panics }) {
                            Outcome::Answered(answer) => {
                                check!(!panics && answer == number, "{number} was answered {answer}");
                                false
                            }
                            Outcome::Panicked(other) => {
                                check!(panics && other == number, "{number} heard of {other}");
                                check!(nr.is_poisoned(), "a panic reached its caller, and nothing is poisoned");
                                false
                            }
                            Outcome::HandedBack(returned) => {
                                check!(returned == number, "another operation was handed back");
                                true
                            }
                        }
                    })
                    .collect::<Vec<_>>()
            })
            .concat();
            nr.clear_poison();
            state(&nr);
            for number in 0..MANY_THREADS * each {
                let expected = u32::from(!handed_back.contains(&number));
                assert_eq!(executed.times(number), expected, "operation {number}");
            }
        }
    });
}

/// As above, while another thread keeps lifting the poison.
#[test]
fn poison_lifted_again_and_again() {
    for_each_configuration(|configuration| {
        let each = scaled(15);
        let (nr, executed) = Fragile::build(configuration, MANY_THREADS * each);
        let writers = AtomicUsize::new(MANY_THREADS);
        let handed_back = run_threads(MANY_THREADS + 1, |thread| {
            if thread == MANY_THREADS {
                while writers.load(SeqCst) > 0 {
                    nr.clear_poison();
                    std::thread::yield_now();
                }
                return Vec::new();
            }
            let _left = CountDownOnDrop(&writers);
            let mut handle = nr.handle(thread);
            let mut random = Random::new(thread);
            let mut handed_back = Vec::new();
            for number in thread * each..(thread + 1) * each {
                if let Outcome::HandedBack(number) = try_write(&mut handle, Op { number, panics: random.one_in(5) }) {
                    handed_back.push(number);
                }
                let _ = handle.try_execute(false);
            }
            handed_back
        })
        .concat();
        nr.clear_poison();
        state(&nr);
        for number in 0..MANY_THREADS * each {
            let expected = u32::from(!handed_back.contains(&number));
            assert_eq!(executed.times(number), expected, "operation {number}");
        }
    });
}

/// A read changes nothing, so its panic is nobody else's business; its locks are let go.
#[test]
fn a_panic_in_a_read_stays_with_its_caller() {
    for_each_policy(|configuration| {
        let (nr, _) = Fragile::build(configuration, 8);
        for number in 0..4 {
            let mut handle = nr.handle(number);
            assert_eq!(text_of(&*panic_of(|| handle.execute(true))), "in dispatch");
            assert_eq!(text_of(&*panic_of(|| handle.try_execute(true))), "in dispatch");
            assert_eq!(text_of(&*panic_of(|| handle.read(|_| panic!("in a closure")))), "in a closure");
            assert_eq!(*panic_of(|| handle.try_read(|_| panic_any(3_u8))).downcast::<u8>().expect("a u8"), 3);
            assert!(!nr.is_poisoned());
            assert_eq!(handle.execute_mut(sound(number)), number, "the same handle");
            assert_eq!(nr.handle(number + 1).execute_mut(sound(number + 4)), number + 4, "another one");
        }
        state(&nr);
    });
}

#[test]
fn reads_that_panic_among_many_threads() {
    for_each_configuration(|configuration| {
        let each = scaled(15);
        let (nr, executed) = Fragile::build(configuration, MANY_THREADS * each);
        run_threads(MANY_THREADS, |thread| {
            let mut handle = nr.handle(thread);
            for number in thread * each..(thread + 1) * each {
                let payload = panic_of(|| handle.read(|_| resume_unwind(Box::new(Payload(number)))));
                assert_eq!(number_of(payload), number);
                assert_eq!(handle.execute_mut(sound(number)), number);
            }
        });
        assert!(!nr.is_poisoned());
        state(&nr);
        (0..MANY_THREADS * each).for_each(|number| assert_eq!(executed.times(number), 1));
    });
}

/// A handle dies with its thread, in the midst of a panic; its slot goes to the next.
#[test]
fn a_handle_dropped_by_a_panic() {
    for_each_configuration(|configuration| {
        let configuration = &configuration.on_panic(PanicPolicy::Continue);
        let (nr, executed) = Fragile::build(configuration, 60);
        for number in 0..50 {
            let payload = panic_of(|| {
                let mut handle = nr.handle(number);
                handle.execute_mut(panicking(number))
            });
            assert_eq!(number_of(payload), number);
        }
        run_threads(10, |thread| assert_eq!(nr.handle(thread).execute_mut(sound(50 + thread)), 50 + thread));
        state(&nr);
        (0..60).for_each(|number| assert_eq!(executed.times(number), 1));
        assert!(nr.stats().replicas.iter().all(|replica| replica.handles == 0), "no handle is left");
    });
}

/// A thread that is unwinding for reasons of its own may use the structure; that is not a panic of the structure.
#[test]
fn used_by_a_thread_that_is_unwinding() {
    for_each_policy(|configuration| {
        let (nr, executed) = Fragile::build(configuration, 4);
        struct Last<'a>(nr::Handle<'a, Fragile>, usize);
        impl Drop for Last<'_> {
            fn drop(&mut self) {
                assert_eq!(self.0.execute_mut(sound(self.1)), self.1);
                self.0.execute(false);
                self.0.read(|_| ());
            }
        }
        for number in 0..4 {
            let payload = panic_of(|| {
                let _last = Last(nr.handle(number), number);
                panic!("for another reason");
            });
            assert_eq!(text_of(&*payload), "for another reason");
            assert!(!nr.is_poisoned(), "the structure took another's panic for its own");
        }
        state(&nr);
        (0..4).for_each(|number| assert_eq!(executed.times(number), 1));
    });
}

/// Also then, a panic in `dispatch_mut` is one of the structure; it must not be taken for the one underway.
#[test]
fn a_panic_caught_within_a_panic() {
    for_each_policy(|configuration| {
        let (nr, executed) = Fragile::build(configuration, 1);
        struct Last<'a>(nr::Handle<'a, Fragile>);
        impl Drop for Last<'_> {
            fn drop(&mut self) {
                assert_eq!(number_of(panic_of(|| self.0.execute_mut(panicking(0)))), 0);
            }
        }
        let payload = panic_of(|| {
            let _last = Last(nr.handle(0));
            panic!("for another reason");
        });
        assert_eq!(text_of(&*payload), "for another reason");
        assert_eq!(nr.is_poisoned(), poisons(configuration));
        nr.clear_poison();
        state(&nr);
        assert_eq!(executed.times(0), 1);
    });
}

/// What was handed back is the caller's, and dropped by nobody else.
#[test]
fn operations_handed_back_are_dropped_once() {
    use common::tracked::{Ledger, Tracked};
    struct Breaks;
    impl Dispatch for Breaks {
        type ReadOperation<'a> = Tracked;
        type WriteOperation = Tracked;
        type Response = ();
        fn dispatch(&self, _: Tracked) {}
        fn dispatch_mut(&mut self, op: &Tracked) {
            assert!(op.number != 0, "breaks");
        }
    }
    for_each_configuration(|configuration| {
        let ledger = Ledger::new(configuration.replicas, 20);
        let nr = configuration.build(|_| Breaks);
        let mut handle = nr.handle(1);
        handle.execute_mut(ledger.op(1));
        panic_of(|| handle.execute_mut(ledger.op(0)));
        let batch = configuration.batch_of(3);
        let kept = (
            handle.try_execute_mut(ledger.op(2)).expect_err("poisoned"),
            handle.try_execute_mut_batch((3..3 + batch).map(|n| ledger.op(n))).expect_err("poisoned"),
            handle.try_execute(ledger.op(9)).expect_err("poisoned"),
        );
        assert!(ledger.live() >= 2 + batch, "what was handed back lives");
        nr.sync();
        assert_eq!(ledger.live(), 2 + batch, "and nothing else");
        drop(kept);
        // The plain methods drop what they cannot hand back, once.
        panic_of(|| handle.execute_mut(ledger.op(10)));
        panic_of(|| handle.execute_mut_batch([ledger.op(11)]));
        panic_of(|| handle.execute(ledger.op(12)));
        nr.clear_poison();
        handle.execute(ledger.op(13));
        drop(handle);
        drop(nr);
        ledger.assert_dropped_once();
    });
}

/// The structure that remains after a panic can be had.
#[test]
fn into_inner_after_a_panic() {
    for_each_policy(|configuration| {
        let (nr, executed) = Fragile::build(configuration, 3);
        let mut handle = nr.handle(configuration.replicas - 1);
        handle.execute_mut(sound(0));
        panic_of(|| handle.execute_mut(panicking(1)));
        if !poisons(configuration) {
            handle.execute_mut(sound(2));
        }
        drop(handle);
        let (reference, _) = Fragile::build(&Configuration::new(1, None).on_panic(PanicPolicy::Continue), 3);
        let mut handle = reference.handle(0);
        handle.execute_mut(sound(0));
        panic_of(|| handle.execute_mut(panicking(1)));
        if !poisons(configuration) {
            handle.execute_mut(sound(2));
        }
        let expected = handle.read(|fragile| fragile.state);
        assert_eq!(nr.into_inner().state, expected);
        assert!(executed.0.iter().flatten().all(|times| times.load(SeqCst) <= 1), "nothing ran again");
    });
}
