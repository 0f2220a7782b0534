//! Replicas are compared while threads write, and while replicas come and go.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use nr_loom_tests::Place;

use crate::search::{below, build, replica_of, search, together};
use crate::structures::{Counter, Increment, Known, assert_dense, assert_everywhere};

/// How many write, each through another replica.
const WRITERS: usize = 3;
/// How often each of them writes one, and two at once.
const TURNS: u64 = 3;

/// Three that write, in a log of two entries; one that changes the replicas or brings them up to date; and the others compare. What a
/// comparison sees is one state of all replicas, not older than what was known when it began, not younger than what had been asked for when it
/// ended, and known from then on.
fn replicas_are_compared(checkers: usize, changes: bool) {
    let counter = build::<Counter>(WRITERS, 2);
    let known = Known::default();
    // So many operations somebody has begun with.
    let issued = AtomicU64::new(0);
    let answers = together(WRITERS + 1 + checkers, |thread| {
        match thread {
            0..WRITERS => {
                let replica = replica_of(thread, WRITERS);
                let mut handle = counter.register_on(replica).or_else(|_| counter.register()).unwrap();
                let mut answers = Vec::new();
                for _ in 0..TURNS {
                    issued.fetch_add(1, SeqCst);
                    answers.push(known.check(|| handle.execute_mut(Increment) + 1) - 1);
                    issued.fetch_add(2, SeqCst);
                    known.check(|| {
                        let both = handle.execute_mut_batch([Increment, Increment]);
                        answers.extend(&both);
                        both[1] + 1
                    });
                }
                return answers;
            }
            WRITERS if changes => {
                for _ in 0..2 {
                    let added = counter.add_replica(Place::Here).unwrap();
                    counter.sync();
                    let other = replica_of(below(WRITERS), WRITERS);
                    let _ = counter.remove_replica(if below(2) == 0 { added } else { other });
                }
            }
            WRITERS => (0..4).for_each(|_| counter.sync()),
            _ => {
                for _ in 0..3 {
                    let seen = known.check(|| counter.check_replicas(Counter::value).expect("one state of all"));
                    let issued = issued.load(SeqCst);
                    assert!(seen <= issued, "{seen} are counted when {issued} have been asked for");
                }
            }
        }
        Vec::new()
    });
    assert_dense(&answers);
    let all = WRITERS as u64 * TURNS * 3;
    assert_eq!(counter.check_replicas(Counter::value).ok(), Some(all));
    assert_everywhere(&counter, all);
}

/// Fails if who compares draws no ticket, or has the replicas catch up once only; with the crate's own assertion that nothing is appended
/// meanwhile, and without it.
#[test]
fn replicas_are_compared_under_load() {
    search(|| replicas_are_compared(1, false));
}

/// Fails as the one before does.
#[test]
fn two_compare_replicas_under_load() {
    search(|| replicas_are_compared(2, false));
}

/// Fails as the ones before do.
#[test]
fn replicas_are_compared_while_they_come_and_go() {
    search(|| replicas_are_compared(2, true));
}
