//! Readers against writers of the same replica.

use crate::search::{build, replica_of, search, together};
use crate::structures::{Counter, Increment, Known};

/// Two that write and three that read, without a pause: write phase follows write phase, so that readers lose patience, and reader
/// follows reader, so that writers wait.
fn nobody_is_kept_out(replicas: usize) {
    let counter = build::<Counter>(replicas, 8);
    let known = Known::default();
    together(5, |thread| {
        let mut handle = counter.register_on(replica_of(0, replicas)).unwrap();
        for _ in 0..6 {
            match thread {
                0 | 1 => known.check(|| handle.execute_mut(Increment) + 1),
                _ => known.check(|| handle.execute(())),
            };
        }
    });
    assert_eq!(counter.into_inner().value(), 12);
}

/// On the only replica.
///
/// Fails if readers don't look for a writer, if the end of a write wakes no reader, if a reader that leaves does not wake the writer, or if
/// one that has starved stays so.
#[test]
fn readers_and_writers_of_the_only_replica() {
    search(|| nobody_is_kept_out(1));
}

/// On one of two, where a combiner waits for more before it writes, and who helps the other is in nobody's way.
///
/// Fails as the one before does, and if a writer does not wait for readers.
#[test]
fn readers_and_writers_of_one_of_two() {
    search(|| nobody_is_kept_out(2));
}
