//! Whether a write operation has panicked and nobody has looked into it yet.

use crate::sync::{AtomicBool, AtomicU64, Ordering};

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

/// The poison of one structure.
#[derive(Debug)]
pub(crate) struct Poison {
    policy: PanicPolicy,
    flag: AtomicBool,
    /// The log position after the last panic that has been reported. Every replica meets the same panics in the same order;
    /// only the first to meet one reports it, so that a laggard's replay does not bring back what has been cleared.
    reported: AtomicU64,
}

impl Poison {
    pub(crate) fn new(policy: PanicPolicy) -> Self {
        Self { policy, flag: AtomicBool::new(false), reported: AtomicU64::new(0) }
    }

    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        // Relaxed: asked under a replica's lock, which orders it after any panic whose effects could be seen there.
        self.flag.load(Ordering::Relaxed)
    }

    /// After a panic on the only replica. To be called before readers are let in again.
    #[cold]
    pub(crate) fn report(&self) {
        if self.policy == PanicPolicy::Poison {
            // Relaxed: see `is_set`.
            self.flag.store(true, Ordering::Relaxed);
        }
    }

    /// A guard that reports if it is dropped by a panic.
    #[inline]
    pub(crate) fn report_on_unwind(&self) -> ReportOnUnwind<'_> {
        ReportOnUnwind(self)
    }

    /// After a panic of the operation at `position`, on any replica. To be called before readers are let in again.
    #[cold]
    pub(crate) fn report_at(&self, position: u64) {
        // Relaxed: the modification order of this one atomic decides who is first.
        if self.reported.fetch_max(position + 1, Ordering::Relaxed) <= position {
            self.report();
        }
    }

    pub(crate) fn clear(&self) {
        // Relaxed: who clears it has looked at the structure through its locks.
        self.flag.store(false, Ordering::Relaxed);
    }
}

/// From [`Poison::report_on_unwind`].
pub(crate) struct ReportOnUnwind<'a>(&'a Poison);

impl ReportOnUnwind<'_> {
    #[inline]
    pub(crate) fn disarm(self) {
        core::mem::forget(self);
    }
}

impl Drop for ReportOnUnwind<'_> {
    fn drop(&mut self) {
        self.0.report();
    }
}
