//! Replaying: a replica executes, in the log's order, what it has not yet applied.

use crate::dispatch::Dispatch;
use crate::log::Log;
use crate::panic::{Payload, catch, contain};
use crate::sync::{Backoff, Ordering};

/// How many operations ahead of the one being executed [`Dispatch::prefetch`] is called: enough for a miss to memory
/// (some 100 ns) to be over when its turn comes, at some 10 to 20 ns an operation that hits the cache.
pub(crate) const PREFETCH_DISTANCE: usize = 8;

/// Operations that a replica has not applied and that are known to be published.
#[must_use = "a replica that does not replay falls behind"]
pub(crate) struct Published<'a, Op> {
    log: &'a Log<Op>,
    start: u64,
    end: u64,
}

impl<Op> Log<Op> {
    /// Everything completed that `replica` has not applied. No waiting.
    ///
    /// # Safety
    /// The caller holds the combiner lock of `replica` for as long as the value is used.
    pub(crate) unsafe fn completed_for(&self, replica: usize) -> Published<'_, Op> {
        // Past everything if the replica takes no part: then there is nothing.
        let start = self.applied(replica);
        // The replica itself may be the furthest of all, and `completed` read a little before that: never below `start`.
        Published { log: self, start, end: self.completed().max(start) }
    }

    /// Everything below `end`, which is the end of a round of `replica`'s own, that the replica has not applied. Waits for
    /// combiners that have reserved but not yet published; nothing but the scheduler can hold them up.
    ///
    /// # Safety
    /// The caller holds the combiner lock of `replica` for as long as the value is used.
    pub(crate) unsafe fn await_published(&self, replica: usize, end: u64) -> Published<'_, Op> {
        let start = self.applied(replica);
        for position in start..end {
            let backoff = Backoff::new();
            while !self.entry(position).stamp().is_of(position) {
                backoff.rest();
            }
        }
        Published { log: self, start, end }
    }

    /// Records that `replica` has executed everything below `position`. To be called before local readers are let in.
    ///
    /// # Safety
    /// The caller holds the combiner lock of `replica`, and has executed everything below.
    pub(crate) unsafe fn advance(&self, replica: usize, position: u64) {
        // Release: our looks at the operations come before whatever is done by who sees this; pairs with the Acquire
        // in `applied`. Weakened, the model `reclaim_waits_for_the_slowest` fails.
        self.applied[replica].store(position, Ordering::Release);
    }
}

impl<'a, Op> Published<'a, Op> {
    /// Records that the callers of these operations may have their answers: from now on readers everywhere wait for them. To be called
    /// before anybody is answered and before local readers see an effect.
    pub(crate) fn complete(&self) {
        let completed = &self.log.completed;
        // Relaxed: skips a needless write; whoever raised it as far has published the same operations.
        if completed.load(Ordering::Relaxed) < self.end {
            // Release: hands on what this thread acquired from the stamps below `end`; pairs with the Acquire in
            // `completed`. Being a read-modify-write it also carries on what earlier ones released.
            completed.fetch_max(self.end, Ordering::Release);
        }
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn len(&self) -> u64 {
        self.end - self.start
    }

    /// How many of them lie before `position`.
    pub(crate) fn before(&self, position: u64) -> u64 {
        self.end.min(position).saturating_sub(self.start)
    }

    /// The first rounds of these, up to the one in which `count` operations are reached.
    pub(crate) fn at_most(self, count: u64) -> Self {
        if self.len() <= count {
            return self;
        }
        let ends_round = |position: &u64| self.log.entry(*position).stamp().ends_round();
        let end = (self.start + count.max(1) - 1..self.end).find(ends_round).map_or(self.end, |last| last + 1);
        Self { log: self.log, start: self.start, end }
    }

    /// Executes the operations in order on `data`, the replica that they were found for, and hands each result to
    /// `respond` with its position. A panic of one is a result like others: the next goes on.
    pub(crate) fn replay<D>(&self, data: &mut D, mut respond: impl FnMut(u64, Result<D::Response, Payload>))
    where
        D: Dispatch<WriteOperation = Op>,
    {
        let distance = PREFETCH_DISTANCE as u64;
        for position in self.start + 1..(self.start + distance).min(self.end) {
            self.prefetch(data, position);
        }
        for position in self.start..self.end {
            if position + distance < self.end {
                self.prefetch(data, position + distance);
            }
            let result = self.with(position, |operation| catch(|| data.dispatch_mut(operation)));
            respond(position, result);
        }
    }

    fn prefetch<D: Dispatch<WriteOperation = Op>>(&self, data: &D, position: u64) {
        self.with(position, |operation| contain(|| data.prefetch(operation)));
    }

    #[inline]
    fn with<R>(&self, position: u64, f: impl FnOnce(&'_ Op) -> R) -> R {
        debug_assert!((self.start..self.end).contains(&position));
        // SAFETY: published and acquired, as whoever made `self` established (by stamps or by `completed`); not
        // reclaimed before this replica's `applied` has passed it, which nobody can move while the maker of `self`
        // holds the combiner lock.
        unsafe { self.log.entry(position).with(f) }
    }
}
