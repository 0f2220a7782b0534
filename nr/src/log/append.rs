//! Appending: reserve positions with one compare-and-swap, then move the operations in and publish each.

use crate::log::Log;
use crate::log::entry::Stamp;
use crate::sync::Ordering;

/// Consecutive positions that belong to the combiner that reserved them until it has published them.
#[must_use = "positions that are never published stop every replica"]
pub(crate) struct Reservation {
    start: u64,
    end: u64,
}

impl Reservation {
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }
}

impl<Op> Log<Op> {
    /// Reserves `count` positions for the combiner of `replica`, if there is room and nobody else is to go first.
    pub(crate) fn try_reserve(&self, replica: usize, count: u64) -> Option<Reservation> {
        let own_claim = replica as u32 + 1;
        loop {
            // Relaxed: a request for courtesy; whoever misses it overtakes the claimant once more.
            let claim = self.append.claimant.load(Ordering::Relaxed);
            if claim != 0 && claim != own_claim {
                return None;
            }
            let start = self.tail();
            let end = start + count;
            // The Acquire in `reclaimed` makes the entries below it ours to write once the positions are.
            if end > self.reclaimed() + self.capacity() {
                return None;
            }
            // Relaxed: the positions are ours alone whatever the ordering (see the module), and what makes their
            // entries writable was acquired from `reclaimed` above.
            let swapped = self.append.tail.compare_exchange_weak(start, end, Ordering::Relaxed, Ordering::Relaxed);
            if swapped.is_ok() {
                if claim == own_claim {
                    // Relaxed: courtesy again.
                    self.append.claimant.store(0, Ordering::Relaxed);
                }
                return Some(Reservation { start, end });
            }
        }
    }

    /// Asks to go first, after [`try_reserve`](Self::try_reserve) found no room. Kept until a reservation succeeds.
    pub(crate) fn claim(&self, replica: usize) {
        let claimant = &self.append.claimant;
        // Relaxed: courtesy, see `try_reserve`. At most one replica holds the claim, since it is taken only from 0.
        let _ = claimant.compare_exchange(0, replica as u32 + 1, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Moves an operation to its reserved position, for every replica to see.
    ///
    /// # Safety
    /// `position` lies in the reservation, which the caller made, and is published once.
    #[inline]
    pub(crate) unsafe fn publish(&self, reservation: &Reservation, position: u64, operation: Op) {
        let entry = self.entry(position);
        // SAFETY: reserved by the caller and not yet published; the space check in `try_reserve` saw (Acquire) that the
        // entry's previous position is reclaimed.
        unsafe { entry.write(operation) };
        entry.publish(Stamp::new(position, position + 1 == reservation.end));
    }
}
