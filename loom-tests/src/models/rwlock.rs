//! The readers-writer lock around a replica.

use arr_macro::arr;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering::Relaxed};
use loom::thread;

use super::{check, check_within};
use crate::replica::ReplicaLock;

/// Two values that a writer changes together and a reader must find equal.
type Pair = [u64; 2];

fn lock(cells: usize) -> Arc<ReplicaLock<Pair>> {
    let lock = ReplicaLock::new(Some([0, 0]), cells);
    (0..cells).for_each(|cell| assert_eq!(lock.assign_cell(), cell));
    Arc::new(lock)
}

fn write(lock: &ReplicaLock<Pair>, value: u64) {
    // SAFETY: every model has one thread that writes, or ends one writer before the next begins.
    unsafe { lock.write(|pair| *pair = [value; 2]) }
}

fn read(lock: &ReplicaLock<Pair>, cell: usize) -> u64 {
    read_if_open(lock, cell).expect("the lock is open")
}

fn read_if_open(lock: &ReplicaLock<Pair>, cell: usize) -> Option<u64> {
    let look = |pair: &Pair, ()| {
        assert_eq!(pair[0], pair[1], "torn");
        pair[0]
    };
    // SAFETY: the lock's own cell, assigned before.
    unsafe { lock.read(lock.cell(cell), (), look) }.ok()
}

/// A writer and two readers, each with a cell: nobody reads while somebody writes, and a read after a read sees no less.
///
/// Fails if the fence of `try_enter` or of `write` goes, if `try_enter`'s load of `state` is Relaxed, if `end_write` is
/// Relaxed, if `leave`'s subtraction is Relaxed, or if `await_readers`' load is.
#[test]
fn rwlock_excludes() {
    check_within(2, || {
        let lock = lock(2);
        let readers = [0, 1].map(|cell| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || read(&lock, cell))
        });
        write(&lock, 1);
        for reader in readers {
            assert!(reader.join().unwrap() <= 1);
        }
        assert_eq!(read(&lock, 0), 1);
    });
}

/// A reader that has its cell only since the writer came: the writer waits for it too.
///
/// Fails if a writer counts the cells that are assigned before its fence, or if `assign_cell` does not count a new one.
#[test]
fn rwlock_awaits_a_new_reader() {
    check(|| {
        let lock = Arc::new(ReplicaLock::new(Some([0, 0]), 1));
        let reader = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || read(&lock, lock.assign_cell()))
        };
        write(&lock, 1);
        assert!(reader.join().unwrap() <= 1);
    });
}

/// Two readers that share a cell: the writer waits for both.
///
/// Fails if a reader stores 0 instead of subtracting.
#[test]
fn rwlock_shared_cell() {
    check_within(2, || {
        let lock = lock(1);
        let seen = Arc::new(arr![AtomicU32::new(0); 2]);
        let readers = [0, 1].map(|reader: usize| {
            let (lock, seen) = (Arc::clone(&lock), Arc::clone(&seen));
            thread::spawn(move || seen[reader].store(read(&lock, 0) as u32, Relaxed))
        });
        write(&lock, 1);
        for reader in readers {
            reader.join().unwrap();
        }
        assert!(seen.iter().all(|value| value.load(Relaxed) <= 1));
    });
}

/// Parking both ways, a writer that writes twice against a reader that reads twice: loom reports a deadlock if a wake-up is
/// lost.
///
/// Fails if the fence of `leave` goes, if `await_readers_slow` doesn't fence after setting its bit, if `end_write` stores
/// instead of subtracting, or if `await_end_of_write` parks without asking again.
#[test]
fn rwlock_wakes_the_writer() {
    check(|| {
        let lock = lock(1);
        let reader = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                let first = read(&lock, 0);
                assert!(read(&lock, 0) >= first, "went back");
            })
        };
        write(&lock, 1);
        write(&lock, 2);
        reader.join().unwrap();
    });
}

/// Write phases against a reader whose patience ends after one: the next waits for it, and nobody waits for ever. And an
/// attempt to write gives up rather than wait.
///
/// Fails if `try_write` forgets to end what it has begun. (That writers begin only when nobody starves is a matter of fairness,
/// which no model can decide: `a_reader_is_let_in_between_writes` among the crate's tests looks at it.)
#[test]
fn rwlock_lets_the_starving_in() {
    check_within(2, || {
        let lock = lock(1);
        let reader = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || read(&lock, 0))
        };
        write(&lock, 1);
        // SAFETY: as in `write`.
        let written = unsafe { lock.try_write(|pair| *pair = [2; 2]) }.is_some();
        write(&lock, 3);
        let seen = reader.join().unwrap();
        assert!(seen != 2 || written);
        assert_eq!(read(&lock, 0), 3);
    });
}

/// A lock is closed and opened again with something else, while a reader comes twice: it reads the one or the other, or is
/// turned away; and is in the end not left waiting.
///
/// Fails if `open`'s fetch is Relaxed, if `close` does not set `CLOSED` before the write ends, or if `try_enter` doesn't look for it.
#[test]
fn rwlock_closes_and_opens() {
    check(|| {
        let lock = lock(1);
        let reader = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                let first = read_if_open(&lock, 0).unwrap_or(0);
                assert!(read_if_open(&lock, 0).is_none_or(|second| second >= first), "went back");
            })
        };
        // SAFETY: as in `write`.
        assert_eq!(unsafe { lock.close() }, [0, 0]);
        // SAFETY: as in `write`, and closed just now.
        unsafe { lock.open([1, 1]) };
        reader.join().unwrap();
        assert_eq!(read(&lock, 0), 1);
    });
}
