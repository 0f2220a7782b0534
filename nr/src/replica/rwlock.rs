//! The readers-writer lock around a replica: readers spread over cells of their own, one writer at a time.
//!
//! A reader raises its cell, then looks for a writer; a writer raises its flag, then looks at every cell. Each side's fence
//! between the two steps makes sure that at least one of them sees the other:
//!
//! * if the reader's fence comes first, the writer finds the cell raised, and waits until it is lowered;
//! * if the writer's fence comes first, the reader finds the flag, lowers its cell again, and waits for the flag to go.
//!
//! Both may see each other; then the reader gives way. So a writer waits only for reads that began before it. A reader waits
//! for a write phase to end, and may find the next one begun when it comes; but after [`READER_PATIENCE`] of them it counts
//! itself as starving, and writers begin no phase until it is in. Readers whose cells differ share no cache line that any
//! of them writes.
//!
//! Writers never meet here: a replica is written only by who holds its combiner lock.
//!
//! A lock may be *closed*, with nothing in it: then readers are turned away. They find that out where they look for a writer, so
//! it costs those of an open lock nothing.

use alloc::boxed::Box;
use core::ptr;

use crossbeam_utils::CachePadded;

use crate::sync::{
    AtomicU32, AtomicU64, AtomicUsize, Backoff, Hint, Ordering, READER_PATIENCE, UnsafeCell,
    fence_after_read_modify_write, park, unpark_all,
};

/// A writer is at work, or waits for readers to leave.
const WRITER: u32 = 1;
/// Readers are parked until the writer is done. Only ever set together with [`WRITER`].
const READERS_PARKED: u32 = 2;
/// The writer is parked until readers have left. Only ever set together with [`WRITER`].
const WRITER_PARKED: u32 = 4;
/// There is nothing in it.
const CLOSED: u32 = 8;
/// One reader whose patience is at its end; the upper bits count them.
const STARVING: u32 = 16;

/// What one that goes in adds to [`ReaderCell::visits`]: one inside, and one more that has come. That number wraps round at the top.
const ENTER: u64 = 1 << 32 | 1;
/// What one that goes out takes off.
const LEAVE: u64 = 1;

/// Whether anybody is inside.
fn is_inside(visits: u64) -> bool {
    visits as u32 != 0
}

/// A structure and the lock around it.
///
/// | `state` | meaning |
/// |---|---|
/// | 0 | free: readers come and go, each raising and lowering its cell |
/// | `WRITER` | a writer waits for the raised cells, then works; readers stay out |
/// | … `+ READERS_PARKED` | unparks them when it is done |
/// | … `+ WRITER_PARKED` | a reader that leaves unparks the writer |
/// | … `+ n · STARVING` | so many readers have waited for too long; no writer begins |
/// | `CLOSED` | there is no structure; readers are turned away, and nobody writes |
#[derive(Debug)]
pub(crate) struct ReplicaLock<D> {
    state: CachePadded<AtomicU32>,
    cells: Box<[CachePadded<ReaderCell>]>,
    /// Those from here on have never been assigned, and writers need not look at them.
    assigned: AtomicUsize,
    /// The sum of all visits when it was last looked at. For who could be the writer.
    seen: CachePadded<Hint>,
    /// 1. Shared between readers: while a cell is raised and the reader has seen no writer since; and with them by who alone could
    ///    be the writer, while it isn't.
    /// 2. Exclusively: by the writer, once it has set `WRITER` and then seen every cell lowered, until it clears it; and by who
    ///    could be the writer while `CLOSED` is set.
    /// 3. It is there unless `CLOSED` is set.
    data: UnsafeCell<Option<D>>,
}

// SAFETY: moving the lock moves the structure, and nothing else in it is tied to a thread.
unsafe impl<D: Send> Send for ReplicaLock<D> {}
// SAFETY: `read` lends `&D` to several threads at once (`D: Sync`); `write` lends `&mut D` to one thread after the other,
// which may replace and drop what it finds (`D: Send`).
unsafe impl<D: Send + Sync> Sync for ReplicaLock<D> {}

/// Counts the readers inside that came through it: those of the handles that were given this cell.
#[derive(Debug)]
pub(crate) struct ReaderCell {
    /// How many are inside, in the lower bits, which are enough for all threads that there can be; how often one has come, in the others.
    visits: AtomicU64,
    /// How many handles have this cell. For sharing out only.
    handles: AtomicU32,
}

impl<D> ReplicaLock<D> {
    /// A free lock with that many cells, at least one; closed if there are no `data`. More readers than cells share them.
    pub(crate) fn new(data: Option<D>, cells: usize) -> Self {
        let cell = || CachePadded::new(ReaderCell { visits: AtomicU64::new(0), handles: AtomicU32::new(0) });
        Self {
            state: CachePadded::new(AtomicU32::new(if data.is_some() { 0 } else { CLOSED })),
            cells: (0..cells.max(1)).map(|_| cell()).collect(),
            assigned: AtomicUsize::new(0),
            seen: CachePadded::default(),
            data: UnsafeCell::new(data),
        }
    }

    /// Gives a new handle the cell that fewest handles have. O(cells).
    pub(crate) fn assign_cell(&self) -> usize {
        // Relaxed: a stale count makes the sharing a little uneven, no more.
        let handles = |index: &usize| self.cells[*index].handles.load(Ordering::Relaxed);
        let index = (0..self.cells.len()).min_by_key(handles).unwrap_or(0);
        // Relaxed: as above.
        self.cells[index].handles.fetch_add(1, Ordering::Relaxed);
        // Relaxed: happens before each read through the cell, and so before the fence of a reader that a writer's fence comes after;
        // that writer sees it then. If the writer looks before its fence, the model `rwlock_awaits_a_new_reader` sees a torn value.
        self.assigned.fetch_max(index + 1, Ordering::Relaxed);
        index
    }

    pub(crate) fn cell(&self, index: usize) -> &ReaderCell {
        &self.cells[index]
    }

    /// All of them.
    pub(crate) fn cells(&self) -> &[CachePadded<ReaderCell>] {
        &self.cells
    }

    /// Runs `f` on the structure together with other readers; hands `input` back if the lock is closed.
    ///
    /// Everything that was written before the last write phase ended is visible to `f`.
    ///
    /// # Safety
    /// `cell` is one of this lock's, and was [assigned](Self::assign_cell) before.
    #[inline]
    pub(crate) unsafe fn read<T, R>(&self, cell: &ReaderCell, input: T, f: impl FnOnce(&D, T) -> R) -> Result<R, T> {
        struct Leave<'a, D>(&'a ReplicaLock<D>, &'a ReaderCell);
        impl<D> Drop for Leave<'_, D> {
            #[inline]
            fn drop(&mut self) {
                self.0.leave(self.1);
            }
        }

        if !self.enter(cell) {
            return Err(input);
        }
        let _leave = Leave(self, cell);
        self.data.with(|data| {
            // SAFETY: rule 1 of `data`: `enter` has raised the cell, which is ours by the caller, and seen no writer since; it
            // is lowered after `f`.
            let data = unsafe { &*data };
            // SAFETY: rule 3: `enter` has seen the lock open, and who closes it waits for us first.
            Ok(f(unsafe { data.as_ref().unwrap_unchecked() }, input))
        })
    }

    /// False if the lock is closed.
    #[inline]
    fn enter(&self, cell: &ReaderCell) -> bool {
        self.try_enter(cell) || self.enter_slow(cell)
    }

    #[inline]
    fn try_enter(&self, cell: &ReaderCell) -> bool {
        // Relaxed: ordered by the fence. Announce, then check: see the module.
        cell.visits.fetch_add(ENTER, Ordering::Relaxed);
        fence_after_read_modify_write();
        // Acquire: pairs with the Release in `end_write` and `open`, so what the writer did is visible. Weakened, the model
        // `rwlock_excludes` sees a torn value; without the fence too.
        self.state.load(Ordering::Acquire) & (WRITER | CLOSED) == 0
    }

    #[cold]
    fn enter_slow(&self, cell: &ReaderCell) -> bool {
        let mut phases = 0;
        let entered = loop {
            self.leave(cell);
            // Relaxed: nothing is read on the strength of it.
            if self.state.load(Ordering::Relaxed) & CLOSED != 0 {
                break false;
            }
            self.await_end_of_write();
            if self.try_enter(cell) {
                break true;
            }
            phases += 1;
            if phases == READER_PATIENCE {
                // Relaxed: a request to the next writer, which finds it in its exchange on the same atomic.
                self.state.fetch_add(STARVING, Ordering::Relaxed);
            }
        };
        if phases >= READER_PATIENCE {
            // Relaxed: as above.
            self.state.fetch_sub(STARVING, Ordering::Relaxed);
        }
        entered
    }

    #[inline]
    fn leave(&self, cell: &ReaderCell) {
        // Release: our reads come before the writer's writes; pairs with the Acquire in `await_readers`. Weakened, the
        // model `rwlock_excludes` sees a write during a read.
        cell.visits.fetch_sub(LEAVE, Ordering::Release);
        // Lower, then look for a parked writer; it sets its bit, then looks at the cell. Whichever fence comes first, either
        // we see the bit or it sees the cell lowered. Without the fence the model `rwlock_wakes_the_writer` hangs.
        fence_after_read_modify_write();
        // Relaxed: nothing is read on the strength of it.
        if self.state.load(Ordering::Relaxed) & WRITER_PARKED != 0 {
            self.wake_writer();
        }
    }

    #[cold]
    fn wake_writer(&self) {
        unpark_all(self.writer_key());
    }

    #[cold]
    fn await_end_of_write(&self) {
        let backoff = Backoff::new();
        loop {
            // Relaxed: a hint; `try_enter` decides.
            let state = self.state.load(Ordering::Relaxed);
            if state & WRITER == 0 {
                return;
            }
            if !backoff.is_completed() {
                backoff.snooze();
                continue;
            }
            let parked = state | READERS_PARKED;
            // Relaxed: a request to the writer, which finds it when it subtracts: same atomic, so nothing to be ordered.
            let marked = state == parked
                || self.state.compare_exchange(state, parked, Ordering::Relaxed, Ordering::Relaxed).is_ok();
            if marked {
                // Relaxed: asked under the lock that the writer's unpark takes after it has changed the state.
                let parked = || self.state.load(Ordering::Relaxed) & READERS_PARKED != 0;
                park(self.readers_key(), parked);
                // The phase that we have waited for is over, whether or not the next one has begun: that is for
                // `enter_slow` to find out, and to count.
                return;
            }
        }
    }

    /// Runs `f` on the structure for who could write it but does not want to: beside readers, and without keeping them out.
    ///
    /// # Safety
    /// As for [`write`](Self::write).
    pub(crate) unsafe fn read_as_writer<R>(&self, f: impl FnOnce(&D) -> R) -> R {
        self.data.with(|data| {
            // SAFETY: the only one who may write is the caller, who is here.
            let data = unsafe { &*data };
            // SAFETY: rule 3, by the caller.
            f(unsafe { data.as_ref().unwrap_unchecked() })
        })
    }

    /// Takes the structure out and closes the lock. Waits for the readers that are inside.
    ///
    /// # Safety
    /// As for [`write`](Self::write).
    pub(crate) unsafe fn close(&self) -> D {
        let take = |data: &mut Option<D>| {
            // Relaxed: readers stay out for the writer's sake, and `end_write` releases what comes before it.
            self.state.fetch_or(CLOSED, Ordering::Relaxed);
            // SAFETY: rule 3, by the caller.
            unsafe { data.take().unwrap_unchecked() }
        };
        // SAFETY: by the caller.
        unsafe { self.write_option(take) }
    }

    /// Puts a structure in and opens the lock.
    ///
    /// # Safety
    /// One caller at a time, as for [`write`](Self::write), and the lock is closed.
    pub(crate) unsafe fn open(&self, data: D) {
        self.data.with_mut(|place| {
            // SAFETY: rule 2 of `data`: it is closed, so no reader looks at it. Who was inside before it was closed had left then.
            unsafe { *place = Some(data) }
        });
        // Release: the structure is visible to readers; pairs with the Acquire in `try_enter`. Weakened, the model
        // `rwlock_closes_and_opens` sees a read of what is being put in.
        self.state.fetch_and(!CLOSED, Ordering::Release);
    }

    /// Runs `f` on the structure, alone. Waits for the readers that are inside.
    ///
    /// # Safety
    /// One caller at a time: who holds the replica's combiner lock. The lock is open.
    #[inline]
    pub(crate) unsafe fn write<R>(&self, f: impl FnOnce(&mut D) -> R) -> R {
        let f = |data: &mut Option<D>| {
            // SAFETY: rule 3, by the caller.
            f(unsafe { data.as_mut().unwrap_unchecked() })
        };
        // SAFETY: by the caller.
        unsafe { self.write_option(f) }
    }

    /// # Safety
    /// As for [`write`](Self::write).
    #[inline]
    unsafe fn write_option<R>(&self, f: impl FnOnce(&mut Option<D>) -> R) -> R {
        if !self.try_begin_write() {
            self.begin_write_slow();
        }
        for cell in self.assigned_cells() {
            self.await_readers(cell);
        }
        // SAFETY: begun, every cell has been seen lowered since, and other writers are excluded by the caller.
        unsafe { self.write_begun(f) }
    }

    /// As [`write`](Self::write), but None instead of waiting, and if the lock is closed.
    ///
    /// # Safety
    /// One caller at a time, as for `write`.
    pub(crate) unsafe fn try_write<R>(&self, f: impl FnOnce(&mut D) -> R) -> Option<R> {
        if !self.try_begin_write() {
            return None;
        }
        // Acquire: as in `await_readers`.
        if self.assigned_cells().iter().any(|cell| is_inside(cell.visits.load(Ordering::Acquire))) {
            self.end_write();
            return None;
        }
        let f = |data: &mut Option<D>| {
            // SAFETY: rule 3: `try_begin_write` has found the lock open, and only who could write closes it.
            f(unsafe { data.as_mut().unwrap_unchecked() })
        };
        // SAFETY: as in `write_option`.
        Some(unsafe { self.write_begun(f) })
    }

    /// The cells that there may be readers in; to be asked for after the writer's fence.
    #[inline]
    fn assigned_cells(&self) -> &[CachePadded<ReaderCell>] {
        // Relaxed: see `assign_cell`.
        let assigned = self.assigned.load(Ordering::Relaxed);
        debug_assert!(assigned <= self.cells.len());
        // SAFETY: it is 0, or one more than an index of a cell, since only `assign_cell` changes it.
        unsafe { self.cells.get_unchecked(..assigned) }
    }

    /// Raises the flag, unless a reader is starving.
    #[inline]
    fn try_begin_write(&self) -> bool {
        // From 0: neither is a reader starving nor the lock closed.
        // Relaxed: the previous writer's work came with the combiner lock; readers are ordered by the fence.
        let begun = self.state.compare_exchange(0, WRITER, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        // Announce, then check: see the module.
        fence_after_read_modify_write();
        begun
    }

    /// Lets the starving in first. They are awake, or were unparked at the end of the last phase, and nobody writes: all
    /// that can hold them up is the scheduler.
    #[cold]
    fn begin_write_slow(&self) {
        let backoff = Backoff::new();
        while !self.try_begin_write() {
            backoff.rest();
        }
    }

    /// # Safety
    /// `WRITER` is set by the caller, and it has seen every cell lowered since. Nobody else writes.
    #[inline]
    unsafe fn write_begun<R>(&self, f: impl FnOnce(&mut Option<D>) -> R) -> R {
        struct EndWrite<'a, D>(&'a ReplicaLock<D>);
        impl<D> Drop for EndWrite<'_, D> {
            #[inline]
            fn drop(&mut self) {
                self.0.end_write();
            }
        }

        let _end = EndWrite(self);
        self.data.with_mut(|data| {
            // SAFETY: rule 2 of `data`, by the caller.
            f(unsafe { &mut *data })
        })
    }

    #[inline]
    fn await_readers(&self, cell: &ReaderCell) {
        // Acquire: pairs with the Release in `leave`.
        if is_inside(cell.visits.load(Ordering::Acquire)) {
            self.await_readers_slow(cell);
        }
    }

    #[cold]
    fn await_readers_slow(&self, cell: &ReaderCell) {
        let backoff = Backoff::new();
        // Acquire: as in `await_readers`.
        while is_inside(cell.visits.load(Ordering::Acquire)) {
            if !backoff.is_completed() {
                backoff.snooze();
                continue;
            }
            // Relaxed: ordered by the fence, see `leave`. The bit stays until the end of the write.
            self.state.fetch_or(WRITER_PARKED, Ordering::Relaxed);
            fence_after_read_modify_write();
            // Relaxed: decides about sleeping only; the loop looks again.
            park(self.writer_key(), || is_inside(cell.visits.load(Ordering::Relaxed)));
        }
    }

    /// Whether anybody has read since this was last asked. For the writer, in its write phase, whose look at the cells has brought them
    /// near; a hint.
    pub(crate) fn had_readers(&self) -> bool {
        // Relaxed: a hint.
        let visits = self.assigned_cells().iter().map(|cell| cell.visits.load(Ordering::Relaxed));
        let seen = visits.fold(0, u64::wrapping_add);
        let before = self.seen.get();
        self.seen.set(seen);
        seen != before
    }

    #[inline]
    fn end_write(&self) {
        // Release: the write is visible to readers; pairs with the Acquire in `try_enter`. (Other read-modify-writes may come
        // between; they carry it on.)
        let state = self.state.fetch_sub(WRITER, Ordering::Release);
        if state & (READERS_PARKED | WRITER_PARKED) != 0 {
            self.wake_readers();
        }
    }

    #[cold]
    fn wake_readers(&self) {
        // Relaxed: nobody sets these bits while there is no writer, and we are still the only one who could become it.
        self.state.fetch_and(!(READERS_PARKED | WRITER_PARKED), Ordering::Relaxed);
        unpark_all(self.readers_key());
    }

    pub(crate) fn into_inner(self) -> Option<D> {
        self.data.into_inner()
    }

    fn readers_key(&self) -> usize {
        ptr::from_ref(&self.state).addr()
    }

    /// Another address within the lock, so that the two kinds of waiters are not woken for each other.
    fn writer_key(&self) -> usize {
        self.readers_key() + 1
    }
}

impl ReaderCell {
    /// Gives the cell back: a handle that had it is gone.
    pub(crate) fn resign(&self) {
        // Relaxed: see `assign_cell`.
        self.handles.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom), not(feature = "shuttle")))]
mod tests;
