//! Appending: reserve positions with one compare-and-swap, move the operations in, publish.

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

    /// Moves one operation to its reserved position. Not visible before [`publish`](Self::publish).
    ///
    /// # Safety
    /// `position` lies in a reservation of the caller's that is not yet published, and is filled once.
    #[inline]
    pub(crate) unsafe fn fill(&self, position: u64, operation: Op) {
        // SAFETY: reserved and not published, by the caller; the space check in `try_reserve` saw (Acquire) that the
        // entry's previous position is reclaimed.
        unsafe { self.entry(position).write(operation) };
    }

    /// Publishes a reservation, from its last position to its first, so that nobody finds the beginning of a round
    /// without its end.
    ///
    /// # Safety
    /// The caller made the reservation, has filled every position of it and publishes it once.
    pub(crate) unsafe fn publish(&self, reservation: &Reservation) {
        let last = reservation.end - 1;
        for position in (reservation.start..=last).rev() {
            self.entry(position).publish(Stamp::new(position, position == last));
        }
    }
}
