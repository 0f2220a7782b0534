//! Flat combining (Hendler et al., SPAA 2010): the paper's FC, and with a readers-writer lock its FC+.
//!
//! Each thread has a place for one request. Whoever takes the combiner lock serves all requests that it finds; the others
//! wait for their answers. In FC reads are requests too; in FC+ they go through the distributed readers-writer lock of
//! `distributed_rwlock`, which the combiner takes for a round.

use super::distributed_rwlock::{Lock, SEATS, wait_while};
use super::{BuildFailure, Handle, Peer, SharedPeer};
use crate::workloads::Structure;
use crossbeam_utils::CachePadded;
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

enum Request<S: Structure> {
    Read(S::Read),
    Write(S::Write),
}

/// A thread's place: while `pending` it is the combiner's, else the thread's.
struct Seat<S: Structure> {
    pending: AtomicBool,
    request: UnsafeCell<Option<Request<S>>>,
    answer: UnsafeCell<Option<u64>>,
}

/// Flat combining, with a way for readers of their own if `READERS_APART`.
pub struct Combining<S: Structure, const READERS_APART: bool> {
    combining: CachePadded<AtomicBool>,
    seats: Box<[CachePadded<Seat<S>>]>,
    taken: AtomicUsize,
    data: Lock<S>,
}

/// FC.
pub type FlatCombining<S> = Combining<S, false>;
/// FC+.
pub type FlatCombiningRwLock<S> = Combining<S, true>;

// SAFETY: each seat is touched by its thread or by the combiner, as `pending` says; the structure is behind a lock.
unsafe impl<S: Structure, const READERS_APART: bool> Sync for Combining<S, READERS_APART> {}

/// A thread's access.
pub struct CombiningHandle<'a, S: Structure, const READERS_APART: bool> {
    on: &'a Combining<S, READERS_APART>,
    seat: usize,
}

impl<S: Structure, const READERS_APART: bool> Peer<S> for Combining<S, READERS_APART> {
    const NAME: &'static str = if READERS_APART { "flat-combining-rwlock" } else { "flat-combining" };
    type Handle<'a> = CombiningHandle<'a, S, READERS_APART>;

    fn build(data: S) -> Result<Self, BuildFailure> {
        let seat =
            || Seat { pending: AtomicBool::new(false), request: UnsafeCell::new(None), answer: UnsafeCell::new(None) };
        let seats = (0..SEATS).map(|_| CachePadded::new(seat())).collect();
        Ok(Self { combining: CachePadded::default(), seats, taken: AtomicUsize::new(0), data: Lock::new(data) })
    }

    fn solo(&mut self) -> Result<CombiningHandle<'_, S, READERS_APART>, BuildFailure> {
        *self.taken.get_mut() = 1;
        Ok(CombiningHandle { on: self, seat: 0 })
    }
}

impl<S: Structure, const READERS_APART: bool> SharedPeer<S> for Combining<S, READERS_APART> {
    fn handle(&self, _place: usize) -> Result<CombiningHandle<'_, S, READERS_APART>, BuildFailure> {
        let seat = self.data.seat()?;
        // Relaxed: who is overlooked for that becomes the combiner itself.
        self.taken.fetch_max(seat + 1, Ordering::Relaxed);
        Ok(CombiningHandle { on: self, seat })
    }
}

impl<S: Structure, const READERS_APART: bool> Combining<S, READERS_APART> {
    #[inline]
    fn execute(&self, seat: usize, request: Request<S>) -> Option<u64> {
        let mine = &self.seats[seat];
        // SAFETY: ours while nothing is pending.
        unsafe { *mine.request.get() = Some(request) };
        // Release: hands the request over; pairs with the Acquire in `serve`.
        mine.pending.store(true, Ordering::Release);
        wait_while(|| {
            // Acquire, here and below: the answer; pairs with the Release in `serve`.
            if !mine.pending.load(Ordering::Acquire) {
                return false;
            }
            // Relaxed: a hint. Acquire and Release: a lock, so that combiners see what the last one took out.
            if !self.combining.load(Ordering::Relaxed) && !self.combining.swap(true, Ordering::Acquire) {
                self.serve();
                self.combining.store(false, Ordering::Release);
            }
            mine.pending.load(Ordering::Acquire)
        });
        // SAFETY: ours again.
        unsafe { *mine.answer.get() }
    }

    /// Serves what is pending.
    fn serve(&self) {
        self.data.write(|data| {
            // Relaxed: see `handle`.
            for seat in &self.seats[..self.taken.load(Ordering::Relaxed)] {
                // Acquire: the request; pairs with the Release in `execute`.
                if !seat.pending.load(Ordering::Acquire) {
                    continue;
                }
                // SAFETY: pending, so the combiner's, and that is this thread.
                let request = unsafe { &mut *seat.request.get() }.take();
                let answer = match request {
                    Some(Request::Read(op)) => S::read(data, op),
                    Some(Request::Write(op)) => S::write(data, &op),
                    None => unreachable!("a pending request is there"),
                };
                // SAFETY: as before.
                unsafe { *seat.answer.get() = answer };
                // Release: hands the answer over, and the seat back.
                seat.pending.store(false, Ordering::Release);
            }
        });
    }
}

impl<S: Structure, const READERS_APART: bool> Handle<S> for CombiningHandle<'_, S, READERS_APART> {
    #[inline]
    fn read(&mut self, op: S::Read) -> Option<u64> {
        if READERS_APART {
            self.on.data.read(self.seat, |data| data.read(op))
        } else {
            self.on.execute(self.seat, Request::Read(op))
        }
    }

    #[inline]
    fn write(&mut self, op: S::Write) -> Option<u64> {
        self.on.execute(self.seat, Request::Write(op))
    }
}
