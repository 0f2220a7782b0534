//! One readers-writer lock whose readers do not share a cache line: the paper's RWL, and the lock within its FC+.

use super::{BuildFailure, Handle, Peer, SharedPeer};
use crate::workloads::Structure;
use crossbeam_utils::CachePadded;
use std::cell::UnsafeCell;
use std::hint;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::thread;

/// Threads that may use one lock.
pub(super) const SEATS: usize = 4096;

/// Spins, and after a while lets others run: where threads are more than CPUs, pure spinning would not end.
pub(super) fn wait_while(mut condition: impl FnMut() -> bool) {
    let mut turns = 0u32;
    while condition() {
        turns += 1;
        if turns.is_multiple_of(128) { thread::yield_now() } else { hint::spin_loop() }
    }
}

/// A flag for each reader, one for the writer, which waits for them all. Writers come first.
pub(super) struct Lock<S> {
    writer: CachePadded<AtomicBool>,
    readers: Box<[CachePadded<AtomicBool>]>,
    seats: AtomicUsize,
    data: UnsafeCell<S>,
}

// SAFETY: readers share the structure and writers have it alone, as with any readers-writer lock.
unsafe impl<S: Send + Sync> Sync for Lock<S> {}

impl<S> Lock<S> {
    pub(super) fn new(data: S) -> Self {
        let readers = (0..SEATS).map(|_| CachePadded::default()).collect();
        Self { writer: CachePadded::default(), readers, seats: AtomicUsize::new(0), data: UnsafeCell::new(data) }
    }

    /// A place for another thread.
    pub(super) fn seat(&self) -> Result<usize, BuildFailure> {
        // Relaxed: before each fence of a reader in the seat; a writer whose fence comes later counts it.
        let seat = self.seats.fetch_add(1, Ordering::Relaxed);
        if seat < SEATS { Ok(seat) } else { Err(BuildFailure::new("it has no place for another thread")) }
    }

    #[inline]
    pub(super) fn read<R>(&self, seat: usize, f: impl FnOnce(&S) -> R) -> R {
        let flag = &self.readers[seat];
        loop {
            // Relaxed: ordered by the fence. Either we see the writer, or it sees us.
            flag.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            // Acquire: what the last writer did, whose Release in `write` this reads.
            if !self.writer.load(Ordering::Acquire) {
                break;
            }
            // Release: as below. Relaxed: the loop looks again.
            flag.store(false, Ordering::Release);
            wait_while(|| self.writer.load(Ordering::Relaxed));
        }
        // SAFETY: our flag is up and no writer was there: the next one waits for us.
        let result = f(unsafe { &*self.data.get() });
        // Release: our reads come before what a writer does that sees the flag down.
        flag.store(false, Ordering::Release);
        result
    }

    #[inline]
    pub(super) fn write<R>(&self, f: impl FnOnce(&mut S) -> R) -> R {
        // Relaxed: a hint. Acquire: what the last writer did.
        wait_while(|| self.writer.load(Ordering::Relaxed) || self.writer.swap(true, Ordering::Acquire));
        fence(Ordering::SeqCst);
        // Relaxed: see `seat`.
        let seats = self.seats.load(Ordering::Relaxed).min(SEATS);
        for reader in &self.readers[..seats] {
            // Acquire: pairs with the Release with which a reader lowers its flag.
            wait_while(|| reader.load(Ordering::Acquire));
        }
        // SAFETY: the only writer, and no reader is left or can come.
        let result = f(unsafe { &mut *self.data.get() });
        // Release: for the readers and writers that come next.
        self.writer.store(false, Ordering::Release);
        result
    }
}

/// The structure behind the lock.
pub struct DistributedRwLock<S>(Lock<S>);

/// A thread's access.
pub struct ReaderHandle<'a, S> {
    lock: &'a Lock<S>,
    seat: usize,
}

impl<S: Structure> Peer<S> for DistributedRwLock<S> {
    const NAME: &'static str = "distributed-rwlock";
    type Handle<'a> = ReaderHandle<'a, S>;

    fn build(data: S) -> Result<Self, BuildFailure> {
        Ok(Self(Lock::new(data)))
    }

    fn solo(&mut self) -> Result<ReaderHandle<'_, S>, BuildFailure> {
        Ok(ReaderHandle { lock: &self.0, seat: 0 })
    }
}

impl<S: Structure> SharedPeer<S> for DistributedRwLock<S> {
    fn handle(&self, _place: usize) -> Result<ReaderHandle<'_, S>, BuildFailure> {
        Ok(ReaderHandle { lock: &self.0, seat: self.0.seat()? })
    }
}

impl<S: Structure> Handle<S> for ReaderHandle<'_, S> {
    #[inline]
    fn read(&mut self, op: S::Read) -> Option<u64> {
        self.lock.read(self.seat, |data| data.read(op))
    }

    #[inline]
    fn write(&mut self, op: S::Write) -> Option<u64> {
        self.lock.write(|data| data.write(&op))
    }
}
