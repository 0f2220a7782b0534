//! Replicas and handles come and go under load.

use nr_loom_tests::{Place, ReplicaId};

use crate::search::{below, build, replica_of, search, together};
use crate::structures::{Counter, Increment, Known, assert_dense, assert_everywhere};

/// How many work while one changes the replicas.
const WORKERS: usize = 4;

/// One thread adds and removes replicas, from one to four and back, while the others write, read and go home.
fn come_and_go(replicas: usize) {
    let counter = build::<Counter>(replicas, 8);
    let known = Known::default();
    let answers = together(WORKERS + 1, |thread| {
        if thread == WORKERS {
            for _ in 0..5 {
                let ids = counter.replica_ids();
                match ids.len() > 1 && (ids.len() == 4 || below(2) == 0) {
                    true => counter.remove_replica(ids[below(ids.len())]).expect("one of several"),
                    false => drop(counter.add_replica(Place::Here).expect("there is room")),
                }
            }
            return Vec::new();
        }
        let mut handle = counter.register_on(replica_of(thread, replicas)).or_else(|_| counter.register()).unwrap();
        let mut answers = Vec::new();
        for step in 0..4 {
            answers.push(known.check(|| handle.execute_mut(Increment) + 1) - 1);
            if step == thread {
                handle.rehome();
            }
            known.check(|| handle.execute(()));
        }
        answers
    });
    assert_dense(&answers);
    assert_everywhere(&counter, 4 * WORKERS as u64);
}

/// From one: the log comes into use, and out of it again.
///
/// Fails if the source goes on without the log, if a newcomer joins where the log ends and not where its source is, or if who is left alone
/// does not replay the rest.
#[test]
fn replicas_come_and_go_from_one() {
    search(|| come_and_go(1));
}

/// From three.
///
/// Fails if the source is not brought up to date before it is copied, or if a newcomer joins where the log ends.
#[test]
fn replicas_come_and_go_from_three() {
    search(|| come_and_go(3));
}

/// One of three replicas goes and another comes in its place, again and again, while threads that have written elsewhere read through
/// handles that they have there.
///
/// Fails if a reader that has had its replica brought up to date does not look again, or if the source is not brought up to date before it is
/// copied.
#[test]
fn old_handles_meet_newcomers() {
    search(|| {
        let counter = build::<Counter>(3, 8);
        let place = ReplicaId::new(1);
        let known = Known::default();
        together(4, |thread| {
            if thread == 0 {
                for _ in 0..3 {
                    counter.remove_replica(place).expect("nobody else removes it");
                    assert_eq!(counter.add_replica(Place::Here), Ok(place));
                }
                return;
            }
            let mut elsewhere = counter.register_on(ReplicaId::new(2)).unwrap();
            for _ in 0..3 {
                let old = counter.register_on(place);
                known.check(|| elsewhere.execute_mut(Increment) + 1);
                if let Ok(mut old) = old {
                    known.check(|| old.execute(()));
                }
            }
        });
        assert_everywhere(&counter, 9);
    });
}

/// Two threads change the replicas at once, while three write; the places are used again.
///
/// Comes to no end if both may do so at once.
#[test]
fn two_change_replicas() {
    search(|| {
        let counter = build::<Counter>(2, 8);
        let answers = together(5, |thread| {
            if thread < 2 {
                for _ in 0..2 {
                    let added = counter.add_replica(Place::Here).unwrap();
                    counter.remove_replica(added).expect("nobody else removes it");
                }
                return Vec::new();
            }
            let mut handle = counter.register_on(replica_of(thread, 2)).unwrap();
            [(); 4].map(|()| handle.execute_mut(Increment)).to_vec()
        });
        assert_dense(&answers);
        assert_eq!(counter.replica_ids(), [0, 1].map(ReplicaId::new));
        assert_everywhere(&counter, 12);
    });
}

/// Each operation through a handle of its own, on whichever replica, beside one that is kept.
///
/// Fails if a new reader's cell is not looked at by writers, if a handle that goes is still counted, or if who leaves wakes nobody.
#[test]
fn handles_come_and_go() {
    search(|| {
        let counter = build::<Counter>(2, 8);
        let known = Known::default();
        let answers = together(5, |thread| {
            let mut kept = counter.register_on(replica_of(thread, 2)).unwrap();
            let mut answers = Vec::new();
            for _ in 0..3 {
                let mut new = counter.register_on(ReplicaId::new(below(2))).unwrap();
                known.check(|| new.execute(()));
                answers.push(known.check(|| new.execute_mut(Increment) + 1) - 1);
                drop(new);
                known.check(|| kept.execute(()));
            }
            answers
        });
        assert_dense(&answers);
        let handles: usize = counter.stats().replicas.iter().map(|replica| replica.handles).sum();
        assert_eq!(handles, 0, "all are gone");
        assert_everywhere(&counter, 15);
    });
}
