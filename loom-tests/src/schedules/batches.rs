//! Batches: nobody sees a part of one.

use crate::search::{build, replica_of, search, together};
use crate::structures::{Counter, Increment, assert_dense, assert_everywhere};

/// How many operations each batch has: no divisor of how many are replayed at once for who lags behind.
const BATCH: usize = 3;

/// Three that write batches, dealt out over the first of the replicas, and two that read, on the last.
fn batches_are_whole(replicas: usize, log_entries: usize) {
    let counter = build::<Counter>(replicas, log_entries);
    let answers = together(5, |thread| {
        if thread >= 3 {
            let mut handle = counter.register_on(replica_of(replicas - 1, replicas)).unwrap();
            for _ in 0..6 {
                assert_eq!(handle.execute(()) % BATCH as u64, 0, "a part of a batch is seen");
            }
            return Vec::new();
        }
        let mut handle = counter.register_on(replica_of(thread, (replicas - 1).max(1))).unwrap();
        let batches = [(); 4].map(|()| handle.execute_mut_batch([(); BATCH].map(|()| Increment)));
        for batch in &batches {
            assert!(batch[0].is_multiple_of(BATCH as u64) && batch.is_sorted_by(|a, b| a + 1 == *b), "{batches:?}");
        }
        batches.concat()
    });
    assert_dense(&answers);
    assert_everywhere(&counter, 12 * BATCH as u64);
}

/// A log of several batches, so that a reader's replica lags behind and is helped in part.
///
/// Fails if help stops where no round ends, or if every operation is stamped as the end of one.
#[test]
fn batches_are_whole_on_three_replicas() {
    search(|| batches_are_whole(3, 16));
}

/// A log of one batch and a part of another: each waits for all before it.
///
/// Fails if nobody replays for a laggard to make room, if readers don't look for a writer, or if an answer wakes nobody.
#[test]
fn batches_are_whole_in_a_tiny_log() {
    search(|| batches_are_whole(3, 4));
}

/// Without a log.
///
/// Fails if readers don't look for a writer, or a writer does not wait for readers.
#[test]
fn batches_are_whole_on_one_replica() {
    search(|| batches_are_whole(1, 4));
}
