//! Replicas come and go: from when on the log waits for one, and until when.

use crate::log::{Garbage, Log, NOBODY};
use crate::sync::{Backoff, Ordering};

impl<Op> Log<Op> {
    /// Whether `replica` lacks something that is completed, or takes no part.
    #[inline]
    pub(crate) fn lacks(&self, replica: usize) -> bool {
        // `applied` first: an old value of it leads to catching up, an old value of `completed` could miss a write. `NOBODY` wraps
        // round to 0.
        self.applied(replica).wrapping_add(1) <= self.completed()
    }

    /// Whether `replica` lacks something below `position`, or takes no part.
    pub(crate) fn lacks_before(&self, replica: usize, position: u64) -> bool {
        self.applied(replica).wrapping_add(1) <= position
    }

    /// Lets `replica` take part, as one that has executed everything below `position` and nothing else. From here on nothing
    /// from there on is reclaimed before it has executed that too.
    ///
    /// Nobody reclaims meanwhile: a reclaimer that did not yet see the newcomer could go by replicas that have come further
    /// since. Weakened to a plain store of `applied`, the model `a_newcomer_is_waited_for` finds an operation gone that the
    /// newcomer has not executed.
    ///
    /// # Safety
    /// `position` has not been reclaimed and can't be during the call: the caller holds the combiner lock of a replica that has
    /// applied so much and no more, or nobody takes part and `position` is the tail. Nobody else lets replicas in or out.
    pub(crate) unsafe fn join(&self, replica: usize, position: u64, garbage: &mut Garbage<Op>) {
        let backoff = Backoff::new();
        // Acquire: as in `reclaim`; weakened, the model `a_joiner_reclaims_nothing_twice` fails. Nothing to release: we leave
        // nothing to the holder, which runs no user code, so it is soon done.
        while self.reclaim.busy.swap(true, Ordering::Acquire) {
            backoff.rest();
        }
        // Relaxed: the newcomer has looked at nothing, and whoever reclaims up to here has acquired as much from its source.
        self.applied[replica].store(position, Ordering::Relaxed);
        // Relaxed: ordered by `busy`.
        self.used.fetch_max(replica as u32 + 1, Ordering::Relaxed);
        if !self.reclaim_as_holder(garbage) {
            self.reclaim(garbage);
        }
    }

    /// `replica` takes no part any more: nobody waits for it.
    ///
    /// # Safety
    /// The caller holds its combiner lock, and sees to it that nobody replays into it before it joins again.
    pub(crate) unsafe fn leave(&self, replica: usize) {
        // Release: our looks at the operations come before they are moved out, as in `advance`. Weakened, the model
        // `a_leaver_has_looked_before` sees one moved out while it is being read.
        self.applied[replica].store(NOBODY, Ordering::Release);
    }
}
