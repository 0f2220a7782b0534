//! Runs: the only replica, whose writers go on with their own operations while others wait.

use crate::search::{build, search, step, together};
use crate::structures::{Counter, Increment, Known, assert_dense, assert_everywhere};

/// Five writers and a reader. Each writer stays away for a while in the middle and for good in the end, whoever waits for it.
///
/// Comes to a deadlock if who pauses does not look whether somebody insists, if one parks without having insisted or although nobody combines,
/// or if who leaves wakes nobody.
#[test]
fn a_runner_stays_away() {
    search(|| {
        let counter = build::<Counter>(1, 8);
        let known = Known::default();
        let answers = together(6, |thread| {
            let mut handle = counter.register().unwrap();
            if thread == 5 {
                for _ in 0..5 {
                    known.check(|| handle.execute(()));
                }
                return Vec::new();
            }
            let mut write = |_| known.check(|| handle.execute_mut(Increment) + 1) - 1;
            let mut answers: Vec<u64> = (0..4).map(&mut write).collect();
            (0..40).for_each(|_| step());
            answers.extend((0..4).map(&mut write));
            answers
        });
        assert_dense(&answers);
        assert_everywhere(&counter, 40);
    });
}

/// Two writers without a pause, one with batches, which take no part in runs, and one that comes late: long runs, and interrupted ones.
///
/// Fails as the one before does.
#[test]
fn runs_are_interrupted() {
    search(|| {
        let counter = build::<Counter>(1, 8);
        let answers = together(4, |thread| {
            let mut handle = counter.register().unwrap();
            match thread {
                0 | 1 => [(); 10].map(|()| handle.execute_mut(Increment)).to_vec(),
                2 => [(); 4].map(|()| handle.execute_mut_batch([Increment, Increment])).concat(),
                _ => {
                    (0..60).for_each(|_| step());
                    [(); 3].map(|()| handle.execute_mut(Increment)).to_vec()
                }
            }
        });
        assert_dense(&answers);
        assert_everywhere(&counter, 31);
    });
}
