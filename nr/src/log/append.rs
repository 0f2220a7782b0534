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

/// A place in the order in which those who found no room are served.
#[derive(Clone, Copy)]
pub(crate) struct Ticket(u32);

impl<Op> Log<Op> {
    /// Reserves `count` positions, if there is room and nobody else is to go first: those with tickets go in their order, and
    /// before those without.
    pub(crate) fn try_reserve(&self, count: u64, ticket: Option<Ticket>) -> Option<Reservation> {
        loop {
            // Relaxed, both: a rule of courtesy; whoever misses a ticket just drawn overtakes its holder once more.
            let serving = self.append.serving.load(Ordering::Relaxed);
            let turn = ticket.map_or_else(|| self.append.drawn.load(Ordering::Relaxed), |ticket| ticket.0);
            if turn != serving {
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
                if ticket.is_some() {
                    // Relaxed: courtesy again. Only the holder of the ticket that is served does this.
                    self.append.serving.fetch_add(1, Ordering::Relaxed);
                }
                return Some(Reservation { start, end });
            }
        }
    }

    /// Queues up, after [`try_reserve`](Self::try_reserve) found no room. The ticket has to be used, or discarded when its turn
    /// has come: others wait for it.
    pub(crate) fn draw_ticket(&self) -> Ticket {
        // Relaxed: courtesy, see `try_reserve`.
        Ticket(self.append.drawn.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether the ticket's turn has come: nobody else reserves anything who knows of it.
    pub(crate) fn serves(&self, ticket: Ticket) -> bool {
        // Relaxed: courtesy, see `try_reserve`.
        self.append.serving.load(Ordering::Relaxed) == ticket.0
    }

    /// Lets the next one have its turn. For the holder of the ticket that is served.
    pub(crate) fn discard_ticket(&self, ticket: Ticket) {
        debug_assert!(self.serves(ticket));
        // Relaxed: courtesy, see `try_reserve`.
        self.append.serving.fetch_add(1, Ordering::Relaxed);
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
