//! A replica that nobody uses stops nobody.

use crate::search::{build, replica_of, search, together};
use crate::structures::{Counter, Increment, assert_dense, assert_everywhere};

/// Four writers on two of three replicas, in a log of two entries: each round needs that the third has come along.
///
/// Comes to no end if nobody replays for it, or if the log is reclaimed as far as the furthest has come; and to a deadlock if a combiner that
/// leaves wakes nobody.
#[test]
fn an_unused_replica_is_brought_along() {
    search(|| {
        let counter = build::<Counter>(3, 2);
        let answers = together(4, |thread| {
            let mut handle = counter.register_on(replica_of(thread, 2)).unwrap();
            [(); 5].map(|()| handle.execute_mut(Increment)).to_vec()
        });
        assert_dense(&answers);
        let lag = counter.stats().replicas[2].lag;
        assert!(lag <= 2, "no more than the log holds: {lag}");
        assert_everywhere(&counter, 20);
    });
}

/// Batches as large as the log, a single writer each on two replicas, and a replica on which somebody only reads, now and then.
///
/// Fails as the one before does.
#[test]
fn large_batches_find_room() {
    search(|| {
        let counter = build::<Counter>(3, 4);
        let answers = together(4, |thread| {
            let mut handle = counter.register_on(replica_of(thread, 3)).unwrap();
            match thread {
                0 => [(); 3].map(|()| handle.execute_mut_batch([(); 4].map(|()| Increment))).concat(),
                1 => [(); 3].map(|()| handle.execute_mut_batch([(); 3].map(|()| Increment))).concat(),
                2 => {
                    let seen = [(); 3].map(|()| handle.execute(()));
                    assert!(seen.is_sorted(), "{seen:?}");
                    Vec::new()
                }
                _ => [(); 3].map(|()| handle.execute_mut(Increment)).to_vec(),
            }
        });
        assert_dense(&answers);
        assert_everywhere(&counter, 24);
    });
}
