//! One order for all: what writes answer and what reads see.

use crate::search::{build, replica_of, search, together};
use crate::structures::{Counter, Increment, Known, assert_dense, assert_everywhere};

/// Five writers on three replicas, in a ring that is used three times.
///
/// Fails if the tail is read and written instead of exchanged, if a round does not wait until those before it are published, or if an
/// answer wakes nobody.
#[test]
fn answers_are_a_permutation() {
    search(|| {
        let counter = build::<Counter>(3, 8);
        let answers = together(5, |thread| {
            let mut handle = counter.register_on(replica_of(thread, 3)).unwrap();
            [(); 5].map(|()| handle.execute_mut(Increment)).to_vec()
        });
        assert_dense(&answers);
        assert_everywhere(&counter, 25);
    });
}

/// Two writers and three readers, one on each replica: what anybody has seen or been answered, everybody sees who asks later. So
/// if W1 ∥ R1 and R1 saw it, no later R2 elsewhere misses it.
///
/// Fails if a read is not brought up to date, or if what is executed counts as completed only when local readers have been let in.
#[test]
fn no_read_goes_back() {
    search(|| {
        let counter = build::<Counter>(3, 8);
        let known = Known::default();
        together(5, |thread| {
            let mut handle = counter.register_on(replica_of(thread, 3)).unwrap();
            for _ in 0..5 {
                match thread {
                    0..3 => known.check(|| handle.execute(())),
                    _ => known.check(|| handle.execute_mut(Increment) + 1),
                };
            }
        });
        assert_everywhere(&counter, 10);
    });
}

/// Who writes on one replica and reads on another sees what it has written; and so does who only looks, by a closure.
///
/// Fails if a read is not brought up to date, or if answers that are given early are given before they count as completed.
#[test]
fn own_writes_are_seen_elsewhere() {
    search(|| {
        let counter = build::<Counter>(3, 8);
        together(4, |thread| {
            let mut here = counter.register_on(replica_of(thread, 3)).unwrap();
            let mut there = counter.register_on(replica_of(thread + 1, 3)).unwrap();
            for _ in 0..3 {
                let written = here.execute_mut(Increment) + 1;
                assert!(there.execute(()) >= written, "an answered write is missing");
                assert!(here.read(Counter::value) >= written, "an answered write is missing");
            }
        });
        assert_everywhere(&counter, 12);
    });
}
