//! The lock in one thread's hands. What happens between threads is for the models.

extern crate std;

use std::vec::Vec;

use super::*;

fn handles<D>(lock: &ReplicaLock<D>) -> Vec<u32> {
    lock.cells().iter().map(|cell| cell.handles.load(Ordering::Relaxed)).collect()
}

fn read<D, R>(lock: &ReplicaLock<D>, cell: usize, f: impl FnOnce(&D) -> R) -> Option<R> {
    // SAFETY: the tests assign the cells that they read through.
    unsafe { lock.read(lock.cell(cell), (), |data, ()| f(data)) }.ok()
}

fn try_write<D, R>(lock: &ReplicaLock<D>, f: impl FnOnce(&mut D) -> R) -> Option<R> {
    // SAFETY: one caller at a time.
    unsafe { lock.try_write(f) }
}

#[test]
fn handles_are_spread_over_the_cells() {
    let lock = ReplicaLock::new(Some(()), 3);
    let cells: Vec<usize> = (0..5).map(|_| lock.assign_cell()).collect();
    assert_eq!(cells, [0, 1, 2, 0, 1]);
    assert_eq!(handles(&lock), [2, 2, 1]);
    lock.cell(0).resign();
    lock.cell(0).resign();
    assert_eq!(lock.assign_cell(), 0);
    assert_eq!(handles(&lock), [1, 2, 1]);
    assert_eq!(ReplicaLock::new(Some(()), 0).cells().len(), 1);
}

#[test]
fn a_writer_looks_at_the_cells_that_have_been_assigned() {
    let lock = ReplicaLock::new(Some(()), 3);
    assert_eq!(lock.assigned_cells().len(), 0);
    lock.assign_cell();
    lock.assign_cell();
    assert_eq!(lock.assigned_cells().len(), 2);
    lock.cell(0).resign();
    lock.assign_cell();
    assert_eq!(lock.assigned_cells().len(), 2, "those from here on have never been");
}

#[test]
fn inside_is_who_has_not_left() {
    let visits = [ENTER, LEAVE.wrapping_neg(), ENTER, ENTER, LEAVE.wrapping_neg(), LEAVE.wrapping_neg()];
    let mut sum = 0_u64;
    let inside = visits.map(|visit| {
        sum = sum.wrapping_add(visit);
        is_inside(sum)
    });
    assert_eq!(inside, [true, false, true, true, true, false]);
    assert_eq!(sum >> 32, 3, "so many have come");
}

#[test]
fn who_only_tries_to_write_stays_out_of_readers_ways() {
    let lock = ReplicaLock::new(Some(1), 2);
    let (first, second) = (lock.assign_cell(), lock.assign_cell());
    for cell in [first, second] {
        let outcome = read(&lock, cell, |_| {
            assert_eq!(try_write(&lock, |data| *data = 2), None);
            assert_eq!(lock.state.load(Ordering::Relaxed), 0, "readers may come");
            read(&lock, first, |data| *data)
        });
        assert_eq!(outcome, Some(Some(1)));
    }
    assert_eq!(try_write(&lock, |data| core::mem::replace(data, 3)), Some(1));
    assert_eq!(lock.state.load(Ordering::Relaxed), 0);
    assert_eq!(read(&lock, second, |data| *data), Some(3));
}

#[test]
fn nobody_begins_to_write_while_a_reader_starves() {
    let lock = ReplicaLock::new(Some(1), 1);
    lock.state.fetch_add(STARVING, Ordering::Relaxed);
    assert_eq!(try_write(&lock, |_| ()), None);
    lock.state.fetch_sub(STARVING, Ordering::Relaxed);
    assert_eq!(try_write(&lock, |_| ()), Some(()));
}

#[test]
fn a_reader_starves_when_its_patience_is_at_its_end() {
    let lock = ReplicaLock::new(Some(7), 1);
    lock.assign_cell();
    assert!(lock.try_begin_write());
    let starving: Vec<bool> = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read(&lock, 0, |data| *data));
        let starving = (0..=READER_PATIENCE).map(|_| {
            while lock.state.load(Ordering::Relaxed) & READERS_PARKED == 0 {
                std::thread::yield_now();
            }
            let is_starving = lock.state.load(Ordering::Relaxed) >= STARVING;
            // As if the phase had ended, and the next begun before the reader looks.
            lock.wake_readers();
            is_starving
        });
        let starving = starving.collect();
        lock.end_write();
        assert_eq!(reader.join().ok(), Some(Some(7)));
        starving
    });
    let expected: Vec<bool> = (0..=READER_PATIENCE).map(|phases| phases == READER_PATIENCE).collect();
    assert_eq!(starving, expected);
    assert_eq!(lock.state.load(Ordering::Relaxed), 0);
}

#[test]
fn a_closed_lock_turns_everybody_away() {
    let lock = ReplicaLock::new(Some(1), 1);
    lock.assign_cell();
    // SAFETY: one caller at a time, and it is open.
    assert_eq!(unsafe { lock.close() }, 1);
    assert_eq!(read(&lock, 0, |data| *data), None);
    assert_eq!(try_write(&lock, |_| ()), None);
    // SAFETY: one caller at a time, and it is closed.
    unsafe { lock.open(2) };
    assert_eq!(read(&lock, 0, |data| *data), Some(2));
    assert_eq!(try_write(&lock, |data| *data), Some(2));
    assert_eq!(lock.into_inner(), Some(2));
    let lock = ReplicaLock::<i32>::new(None, 1);
    lock.assign_cell();
    assert_eq!(read(&lock, 0, |data| *data), None);
    assert_eq!(try_write(&lock, |_| ()), None);
    assert_eq!(lock.into_inner(), None);
}

#[test]
fn who_panics_inside_leaves_the_lock() {
    let lock = ReplicaLock::new(Some(1), 1);
    lock.assign_cell();
    let panic = || std::panic::resume_unwind(std::boxed::Box::new(()));
    let write = std::panic::AssertUnwindSafe(|| {
        // SAFETY: one caller at a time, and it is open.
        unsafe { lock.write(|_| panic()) }
    });
    assert!(std::panic::catch_unwind(write).is_err());
    let read_and_panic = std::panic::AssertUnwindSafe(|| read(&lock, 0, |_| panic()));
    assert!(std::panic::catch_unwind(read_and_panic).is_err());
    assert_eq!(try_write(&lock, |data| *data), Some(1), "nobody is inside");
}

#[test]
fn a_writer_finds_out_whether_anybody_has_read() {
    let lock = ReplicaLock::new(Some(()), 2);
    let (first, second) = (lock.assign_cell(), lock.assign_cell());
    let had_readers = || {
        // SAFETY: one caller at a time, and it is open.
        unsafe { lock.write(|()| lock.had_readers()) }
    };
    assert!(!had_readers());
    for cells in [&[first][..], &[second], &[first, second], &[first, first]] {
        for cell in cells {
            read(&lock, *cell, |()| ());
        }
        assert!(had_readers());
        assert!(!had_readers());
    }
}

#[test]
fn readers_and_writers_sleep_apart() {
    let lock = ReplicaLock::new(Some(()), 1);
    assert_ne!(lock.readers_key(), lock.writer_key());
    // Within the lock, so that no other has the same.
    let start = ptr::from_ref(&lock.state).addr();
    let within = start..start + size_of_val(&lock.state);
    assert!(within.contains(&lock.readers_key()) && within.contains(&lock.writer_key()));
}
