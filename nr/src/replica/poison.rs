//! Whether a write operation has panicked and nobody has looked into it yet.

use crate::sync::{AtomicU64, Ordering};

/// How a structure goes on after a panic in [`Dispatch::dispatch_mut`](crate::Dispatch::dispatch_mut). In either case the panic
/// reaches the thread whose operation it was, the operation counts as executed on every replica, and no thread hangs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PanicPolicy {
    /// As [`std::sync::Mutex`] does: every later call reports that the structure is poisoned, until
    /// [`clear_poison`](crate::NodeReplicated::clear_poison).
    #[default]
    Poison,
    /// The structure goes on as the panic has left it. Right for structures that check their operation before they change
    /// anything; the replicas stay equal, since the panic is as deterministic as the rest.
    Continue,
}

/// The poison of one structure: `reported << 1 | poisoned`.
///
/// With a log, `reported` is the position after the last panic that has poisoned. Every replica meets the same panics in the
/// same order and reports each before it lets readers in, so that nobody sees what a panic has left without the poison; the
/// same report a second time, from a laggard, changes nothing, so that what has been cleared stays so. Because the two are
/// one atomic, a second reporter that finds the first one's report finds its poison too. Without a log there is no position.
#[derive(Debug)]
pub(crate) struct Poison {
    policy: PanicPolicy,
    state: AtomicU64,
}

const POISONED: u64 = 1;

impl Poison {
    pub(crate) fn new(policy: PanicPolicy) -> Self {
        Self { policy, state: AtomicU64::new(0) }
    }

    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        // Relaxed: asked under a replica's lock, which orders it after any panic whose effects could be seen there.
        self.state.load(Ordering::Relaxed) & POISONED != 0
    }

    /// After a panic on the only replica. To be called before readers are let in again.
    #[cold]
    pub(crate) fn report(&self) {
        if self.policy == PanicPolicy::Poison {
            // Relaxed: see `is_set`.
            self.state.fetch_or(POISONED, Ordering::Relaxed);
        }
    }

    /// After a panic of the operation at `position`, on any replica. To be called before readers are let in again.
    #[cold]
    pub(crate) fn report_at(&self, position: u64) {
        if self.policy == PanicPolicy::Poison {
            let report = (position + 1) << 1 | POISONED;
            // Relaxed, both: see `is_set`. A state that is further already has this report, whatever became of it.
            let raise = |state: u64| (state >> 1 <= position).then_some(report);
            let _ = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, raise);
        }
    }

    pub(crate) fn clear(&self) {
        // Relaxed: who clears it has looked at the structure through its locks.
        self.state.fetch_and(!POISONED, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom), not(feature = "shuttle")))]
mod tests;
