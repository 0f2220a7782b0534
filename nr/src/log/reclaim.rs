//! Reclaiming: operations that every replica has applied are moved out of the ring, and dropped outside every lock.

use alloc::vec::Vec;
use core::mem::needs_drop;

use crate::log::Log;
use crate::panic::contain;
use crate::sync::Ordering;

/// Operations that are no longer needed and are dropped with this value, each on its own: a panic in
/// one's `Drop` neither leaks the others nor reaches the thread that happens to do the dropping.
///
/// `Drop` is user code and may take its time, block, or use the structure itself, so let go of every lock first.
pub(crate) struct Garbage<Op>(Vec<Op>);

impl<Op> Garbage<Op> {
    /// Nothing yet. Doesn't allocate.
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn push(&mut self, operation: Op) {
        if needs_drop::<Op>() {
            self.0.push(operation);
        }
    }
}

impl<Op> From<Vec<Op>> for Garbage<Op> {
    fn from(operations: Vec<Op>) -> Self {
        Self(operations)
    }
}

impl<Op> Drop for Garbage<Op> {
    fn drop(&mut self) {
        for operation in self.0.drain(..) {
            contain(|| drop(operation));
        }
    }
}

impl<Op> Log<Op> {
    /// Whether operations have to be moved out as soon as they are applied everywhere: if they own nothing, it is enough
    /// to do so when room is needed.
    pub(crate) const RECLAIMS_PROMPTLY: bool = needs_drop::<Op>();

    /// Whether, as `replica` has come to see it, so much is in use that it is time to reclaim, before anybody has to wait for room.
    pub(crate) fn is_filling(&self, replica: usize) -> bool {
        // Its own `applied` and not the tail, which others write all the time. Wraps round to 0 for who takes no part.
        self.applied(replica).wrapping_add(1) > self.reclaimed() + self.capacity() / 2
    }

    /// Moves what every replica has applied into `garbage` and makes its entries free for reuse.
    ///
    /// One thread at a time does this. A thread that finds another at it leaves, and nothing stays behind: its swap of
    /// `busy` comes before the other's swap back, which therefore acquires the `applied` that the leaver had
    /// stored, and the other looks once more after it.
    pub(crate) fn reclaim(&self, garbage: &mut Garbage<Op>) {
        // Acquire: the previous holder's emptying is before ours. Release: our `applied` is visible to a holder that
        // this swap leaves the rest to. Weakened, the model `reclaim_leaves_nothing_behind` finds operations left.
        while !self.reclaim.busy.swap(true, Ordering::AcqRel) {
            if self.reclaim_as_holder(garbage) {
                return;
            }
        }
    }

    /// What [`reclaim`](Self::reclaim) does with `busy` held, of which it lets go. Whether that was all: else it is to be done again, by
    /// whoever comes first.
    pub(crate) fn reclaim_as_holder(&self, garbage: &mut Garbage<Op>) -> bool {
        // Relaxed: only the holder of `busy` writes it.
        let start = self.reclaim.reclaimed.load(Ordering::Relaxed);
        let end = self.least_applied().unwrap_or(start);
        if needs_drop::<Op>() {
            for position in start..end {
                // SAFETY: every replica has applied it (`applied` was read with Acquire), so it was published and
                // nobody reads it any more; `busy` and `reclaimed` see to it that it is taken once.
                garbage.push(unsafe { self.entry(position).take() });
            }
        }
        // Release: the entries are empty; pairs with the Acquire in `reclaimed`.
        self.reclaim.reclaimed.store(end, Ordering::Release);
        // Acquire: the `applied` of those who found us at it and left. Release: our emptying, and who has joined, for the next
        // holder.
        self.reclaim.busy.swap(false, Ordering::AcqRel);
        self.least_applied().is_none_or(|least| least == end)
    }
}
