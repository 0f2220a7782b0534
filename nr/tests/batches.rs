//! Guarantee 2: a batch is atomic, on every replica, and stands at consecutive positions; and what
//! `execute_mut_batch` does with iterators of every kind.

mod common;

use common::structures::*;
use common::tracked::{Counting, Ledger};
use common::*;
use nr::{ExecuteError, NodeReplicated, ReplicaId};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::thread;
use std::time::Duration;

both! {
    no_read_sees_a_part_of_a_batch: Counter,
    money_is_never_underway: Bank,
    answers_of_a_batch_are_consecutive: Counter,
    a_batch_runs_in_its_own_order: Journal,
    an_empty_batch_does_nothing: Counter,
    an_iterator_may_lie_about_its_size: Counter,
    a_batch_of_one_is_a_single_operation: Counter,
}

/// Only batches of `k` write, so that every value read is a multiple of `k`.
fn no_read_sees_a_part_of_a_batch<S: Shared<Counter>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Counter::default());
    let k = configuration.batch_of(7) as u64;
    let writers = AtomicUsize::new(4);
    run_threads(12, |thread| {
        let mut handle = shared.handle(thread);
        if thread < 4 {
            let _left = CountDownOnDrop(&writers);
            for _ in 0..scaled(100) {
                let answers = handle.execute_mut_batch((0..k).map(|_| Add(1)));
                check!(answers[0] % k == 0, "a batch began at {}, inside of another of {k}", answers[0]);
            }
        } else {
            while writers.load(SeqCst) > 0 {
                let read = if thread % 2 == 0 { handle.execute(Get) } else { handle.read(|counter| counter.0) };
                check!(read % k == 0, "thread {thread} read {read}: a part of a batch of {k}");
                thread::yield_now();
            }
        }
    });
    assert_eq!(shared.into_inner().0, 4 * scaled(100) as u64 * k);
}

/// A transfer is a batch of two; whoever adds up must find the same total. In a log of one entry the transfer does
/// not fit, and moves nothing.
fn money_is_never_underway<S: Shared<Bank>>(configuration: &Configuration) {
    if configuration.batch_of(2) < 2 {
        return;
    }
    let shared = S::make(configuration, |_| Bank([1000; 4]));
    let tellers = AtomicUsize::new(6);
    run_threads(12, |thread| {
        let mut handle = shared.handle(thread);
        let mut random = Random::new(thread);
        if thread < 6 {
            let _left = CountDownOnDrop(&tellers);
            for _ in 0..scaled(60) {
                let amount = random.below(100) as i64;
                let (from, to) = (random.below(4), random.below(4));
                let withdrawal = Deposit { account: from, amount: -amount };
                handle.execute_mut_batch([withdrawal, Deposit { account: to, amount }]);
            }
        } else {
            while tellers.load(SeqCst) > 0 {
                check!(handle.execute(Total) == 4000, "an auditor on thread {thread}");
                thread::yield_now();
            }
        }
    });
    assert_eq!(shared.into_inner().0.iter().sum::<i64>(), 4000);
}

fn answers_of_a_batch_are_consecutive<S: Shared<Counter>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Counter::default());
    let mut all = run_threads(MANY_THREADS, |thread| {
        let mut handle = shared.handle(thread);
        let mut random = Random::new(thread);
        let mut all = Vec::new();
        for _ in 0..scaled(20) {
            let len = 1 + random.below(configuration.batch_of(9));
            let answers = if random.one_in(3) {
                vec![handle.execute_mut(Add(1))]
            } else {
                let answers = handle.execute_mut_batch((0..len).map(|_| Add(1)));
                assert_eq!(answers.len(), len, "as many answers as operations");
                answers
            };
            check!(answers.windows(2).all(|two| two[1] == two[0] + 1), "thread {thread}: {answers:?}");
            all.extend(answers);
        }
        all
    })
    .concat();
    all.sort_unstable();
    assert!(all.iter().copied().eq(0..all.len() as u64), "no position is given out twice, none is left out");
}

fn a_batch_runs_in_its_own_order<S: Shared<Journal>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Journal::default());
    let len = configuration.batch_of(5);
    let placed = run_threads(8, |thread| {
        let mut handle = shared.handle(thread);
        let mut placed = Vec::new();
        for batch in 0..scaled(15) {
            let steps = batch * len..(batch + 1) * len;
            placed.extend(handle.execute_mut_batch(steps.map(|step| Note { thread, step })));
        }
        placed
    });
    let notes = shared.into_inner().notes();
    for (thread, positions) in placed.iter().enumerate() {
        for (step, &position) in positions.iter().enumerate() {
            assert_eq!(notes[position], (thread, step), "the answer stands beside its own operation");
        }
    }
}

fn an_empty_batch_does_nothing<S: Shared<Counter>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Counter::default());
    let mut handle = shared.handle(0);
    assert!(handle.execute_mut_batch([]).is_empty());
    handle.execute_mut(Add(3));
    assert!(handle.execute_mut_batch(None).is_empty());
    assert_eq!(handle.execute(Get), 3);
}

/// Says of itself what it likes.
struct Liar<I> {
    items: I,
    hint: (usize, Option<usize>),
}

impl<I: Iterator> Iterator for Liar<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.items.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.hint
    }
}

fn an_iterator_may_lie_about_its_size<S: Shared<Counter>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Counter::default());
    let mut handle = shared.handle(0);
    let len = configuration.batch_of(3) as u64;
    let hints = [(0, None), (0, Some(0)), (1, Some(1)), (500, Some(2)), (9, None), (0, Some(usize::MAX))];
    for (n, hint) in (0..).zip(hints) {
        let liar = Liar { items: (0..len).map(|_| Add(1)), hint };
        assert_eq!(handle.execute_mut_batch(liar), (n * len..(n + 1) * len).collect::<Vec<_>>(), "hint {hint:?}");
    }
    // A capacity that cannot be had may panic, as it does in `Vec`; the structure must not mind.
    for hint in [(usize::MAX, None), (usize::MAX, Some(usize::MAX))] {
        let liar = Liar { items: std::iter::empty(), hint };
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| handle.execute_mut_batch(liar)));
    }
    assert_eq!(handle.execute(Get), len * hints.len() as u64);
    assert_eq!(shared.handle(1).execute_mut(Add(1)), len * hints.len() as u64);
}

fn a_batch_of_one_is_a_single_operation<S: Shared<Counter>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Counter::default());
    let mut handle = shared.handle(0);
    for position in 0..20 {
        let answers =
            if position % 2 == 0 { handle.execute_mut_batch([Add(1)]) } else { vec![handle.execute_mut(Add(1))] };
        assert_eq!(answers, [position]);
    }
}

/// The capacity, as the error for a batch that certainly does not fit tells it.
fn max_of(nr: &NodeReplicated<Counting>, ledger: &std::sync::Arc<Ledger>, len: usize) -> usize {
    let mut handle = nr.register().expect("a handle");
    match handle.try_execute_mut_batch((0..len).map(|number| ledger.op(number))) {
        Err(ExecuteError::BatchTooLarge { max, len: told, returned, .. }) => {
            assert_eq!(told, len, "the length that was too large");
            assert!(returned.iter().map(|op| op.number).eq(0..len), "handed back whole, in its order");
            max
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("a batch of {len} went through"),
    }
}

#[test]
fn a_batch_too_large_is_handed_back_whole_and_nothing_ran() {
    for_each_configuration(|configuration| {
        let huge = configuration.log_entries.map_or(1 << 17, |entries| entries + 3);
        let ledger = Ledger::new(configuration.replicas, huge);
        let nr = configuration.build(|replica| Counting::new(replica.index(), &ledger));
        let max = max_of(&nr, &ledger, huge);
        if let Some(entries) = configuration.log_entries {
            assert_eq!(max, entries, "the limit is the log's capacity");
        }
        assert_eq!(ledger.live(), 0, "what was handed back is the caller's, who dropped it");
        // One more than fits, through the error's own method.
        let mut handle = nr.register_on(ReplicaId::new(configuration.replicas - 1)).expect("a handle");
        let error = handle.try_execute_mut_batch((0..=max).map(|n| ledger.op(n))).err().expect("one too many");
        let text = error.to_string();
        assert!(text.contains(&max.to_string()), "`{text}` says what is allowed: {max}");
        assert!(text.contains(&(max + 1).to_string()), "`{text}` says what came: {}", max + 1);
        assert_eq!(ledger.live(), max + 1);
        let returned = error.into_returned();
        assert_eq!(ledger.live(), max + 1);
        assert!(returned.iter().map(|op| op.number).eq(0..=max));
        // What was handed back can be sent again, in pieces.
        let mut pieces = returned.into_iter();
        let last = pieces.next_back();
        assert_eq!(handle.execute_mut_batch(pieces).len(), max);
        assert_eq!(handle.execute_mut_batch(last).len(), 1);
        drop(handle);
        assert!(!nr.is_poisoned());
        nr.sync();
        ledger.assert_executed_once(0..=max);
        ledger.assert_never_executed(max + 1..huge);
        drop(nr);
        ledger.assert_dropped_once();
    });
}

#[test]
fn the_plain_method_panics_with_the_message_of_the_error() {
    for_each_configuration(|configuration| {
        let entries = configuration.log_entries.unwrap_or(1 << 17);
        let ledger = Ledger::new(configuration.replicas, entries + 1);
        let nr = configuration.build(|replica| Counting::new(replica.index(), &ledger));
        let mut handle = nr.register().expect("a handle");
        let batch = || (0..=entries).map(|number| ledger.op(number));
        let error = handle.try_execute_mut_batch(batch()).err().expect("too large").to_string();
        let payload = panic_of(|| handle.execute_mut_batch(batch()));
        let text = text_of(&*payload);
        assert!(text.contains(&error), "`{text}` holds `{error}`");
        assert_eq!(ledger.live(), 0, "an unwinding caller leaves no operation behind");
        assert!(!nr.is_poisoned(), "a caller's mistake poisons nothing");
        assert_eq!(handle.execute_mut(ledger.op(0)).number, 0);
        drop(handle);
        drop(nr);
        ledger.assert_dropped_once();
    });
}

/// Several times in a row and from every replica, with replicas that nobody else uses.
#[test]
fn a_batch_of_exactly_the_capacity_fits() {
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Counter::default());
        let capacity = configuration.log_entries.unwrap_or_else(|| {
            let mut handle = nr.register().expect("a handle");
            match handle.try_execute_mut_batch((0..1 << 17).map(|_| Add(1))) {
                Err(ExecuteError::BatchTooLarge { max, .. }) => max,
                other => panic!("{other:?}"),
            }
        });
        let mut at = 0;
        for round in 0..3 {
            for replica in 0..configuration.replicas {
                let mut handle = nr.register_on(ReplicaId::new(replica)).expect("a handle");
                let answers = handle.execute_mut_batch((0..capacity).map(|_| Add(1)));
                let expected = at..at + capacity as u64;
                assert!(answers.into_iter().eq(expected.clone()), "round {round}, replica {replica}");
                at = expected.end;
                if round == 1 {
                    assert_eq!(handle.execute_mut(Add(1)), at, "a single operation between");
                    at += 1;
                }
            }
        }
        assert_eq!(nr.into_inner().0, at);
    });
}

/// Batches of the whole capacity from every replica at once, so that each must wait for all others.
#[test]
fn full_batches_from_all_sides_get_through() {
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Counter::default());
        let len = configuration.log_entries.unwrap_or(64) as u64;
        let starts: Vec<_> = run_threads(8, |thread| {
            let mut handle = nr.handle(thread);
            (0..scaled(10))
                .map(|_| {
                    let answers = handle.execute_mut_batch((0..len).map(|_| Add(1)));
                    check!(answers.iter().copied().eq(answers[0]..answers[0] + len), "{answers:?}");
                    answers[0]
                })
                .collect::<Vec<_>>()
        })
        .concat();
        assert!(starts.iter().all(|start| start % len == 0));
        assert_eq!(nr.into_inner().0, starts.len() as u64 * len);
    });
}

/// Log sizes that are no power of two are rounded up, and so is the largest batch.
#[test]
fn the_limit_is_rounded_up_to_a_power_of_two() {
    for replicas in [1, 2, 4] {
        for (asked, capacity) in [(1, 1), (2, 2), (3, 4), (5, 8), (7, 8), (8, 8), (9, 16), (1000, 1024)] {
            let configuration = Configuration::new(replicas, Some(asked));
            in_configuration(&configuration, |configuration| {
                let nr = configuration.build(|_| Counter::default());
                let mut handle = nr.register().expect("a handle");
                match handle.try_execute_mut_batch((0..=capacity).map(|_| Add(1))) {
                    Err(ExecuteError::BatchTooLarge { len, max, .. }) => {
                        assert_eq!((len, max), (capacity + 1, capacity))
                    }
                    other => panic!("{other:?}"),
                }
                assert_eq!(handle.execute_mut_batch((0..capacity).map(|_| Add(1))).len(), capacity);
            });
        }
    }
}

/// A panic of the caller's own iterator is the caller's; no part of the batch has run, and nothing is lost.
#[test]
fn an_iterator_that_panics_runs_nothing() {
    for_each_policy(|configuration| {
        let ledger = Ledger::new(configuration.replicas, 10);
        let nr = configuration.build(|replica| Counting::new(replica.index(), &ledger));
        let mut handle = nr.register().expect("a handle");
        let breaks_at = configuration.batch_of(3);
        let payload = panic_of(|| {
            handle.execute_mut_batch((0..5).map(|number| {
                assert!(number < breaks_at, "the caller's own");
                ledger.op(number)
            }))
        });
        assert_eq!(text_of(&*payload), "the caller's own");
        assert_eq!(ledger.live(), 0);
        assert!(!nr.is_poisoned());
        assert_eq!(handle.execute_mut(ledger.op(9)).number, 9, "the handle works on");
        nr.sync();
        ledger.assert_never_executed(0..5);
        ledger.assert_executed_once([9]);
    });
}

/// The iterator is the caller's code, so no lock may be held while it runs: it may use the structure itself.
#[test]
fn an_iterator_may_use_the_structure() {
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Counter::default());
        let mut outer = nr.handle(0);
        let mut inner = nr.handle(1);
        let len = configuration.batch_of(3) as u64;
        let answers = outer.execute_mut_batch((0..len).map(|n| {
            assert_eq!(inner.execute_mut(Add(1)), n);
            assert_eq!(inner.execute(Get), n + 1);
            Add(1)
        }));
        assert!(answers.into_iter().eq(len..2 * len));
    });
}

/// A replica that lags is helped by pieces, and a reader there may have looked how far it is just before. Pieces end
/// where a batch ends.
#[test]
fn atomic_also_where_a_helper_replays() {
    for replicas in [2, 4] {
        for (entries, len) in [(4, 3), (16, 3), (64, 5), (512, 7)] {
            in_configuration(&Configuration::new(replicas, Some(entries)), |configuration| {
                let nr = configuration.build(|_| Counter::default());
                let done = AtomicBool::new(false);
                run_threads(8, |thread| {
                    if thread == 0 {
                        let _done = RaiseOnDrop(&done);
                        let mut handle = nr.handle(0);
                        for _ in 0..scaled(1500) {
                            handle.execute_mut_batch((0..len).map(|_| Add(1)));
                        }
                    } else {
                        let mut handle = nr.handle(replicas - 1);
                        let mut random = Random::new(thread);
                        while !done.load(SeqCst) {
                            let read = handle.read(|counter| counter.0);
                            check!(read % len == 0, "read {read}: a part of a batch of {len}");
                            // Now and then all readers are away for a while, and their replica lags.
                            if random.one_in(8) {
                                thread::sleep(Duration::from_micros(random.below(300) as u64));
                            }
                        }
                    }
                });
            });
        }
    }
}
