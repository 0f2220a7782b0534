//! The one folder that names atomics, cells, fences, parking, loom or shuttle.
//!
//! The rest of the crate is written against these names, so that the very same code runs in the model checker, under random schedules, and
//! with threads that are stopped at any step, when `loom-tests` compiles it: that package has the features `loom`, `shuttle` and
//! `preemption`, which this crate itself has not, so a program that sets `--cfg loom` for models of its own still gets the real thing.

#[cfg(all(loom, feature = "loom"))]
mod model;
#[cfg(all(loom, feature = "loom"))]
pub(crate) use model::*;

#[cfg(all(feature = "shuttle", not(all(loom, feature = "loom"))))]
mod schedule;
#[cfg(all(feature = "shuttle", not(all(loom, feature = "loom"))))]
pub(crate) use schedule::*;

#[cfg(not(any(all(loom, feature = "loom"), feature = "shuttle")))]
mod real;
#[cfg(not(any(all(loom, feature = "loom"), feature = "shuttle")))]
pub(crate) use real::*;

pub(crate) use core::sync::atomic::Ordering;

/// A statistic: counts, orders nothing, and is therefore left out of the models' search.
#[derive(Debug, Default)]
pub(crate) struct Counter(core::sync::atomic::AtomicU64);

impl Counter {
    /// Adds, from a thread that is the counter's only writer at the time.
    #[inline]
    pub(crate) fn add_exclusive(&self, amount: u64) {
        // Relaxed: a statistic; the lock that makes the caller the only writer also orders it with the next one.
        let value = self.0.load(Ordering::Relaxed);
        // Relaxed: as above.
        self.0.store(value.wrapping_add(amount), Ordering::Relaxed);
    }

    /// Adds, from any thread, and gives the count before.
    pub(crate) fn add(&self, amount: u64) -> u64 {
        // Relaxed: a statistic, nothing is published through it.
        self.0.fetch_add(amount, Ordering::Relaxed)
    }

    pub(crate) fn get(&self) -> u64 {
        // Relaxed: as above.
        self.0.load(Ordering::Relaxed)
    }
}

/// Gives out moments, in one order for all threads.
#[cfg(feature = "testing")]
#[derive(Debug, Default)]
pub(crate) struct Clock(core::sync::atomic::AtomicU64);

#[cfg(feature = "testing")]
impl Clock {
    /// A moment after all those that have been given out.
    pub(crate) fn now(&self) -> u64 {
        // AcqRel: what a thread does before its moment happens before what another does after a later one. No model fails if it is
        // weaker: it is for users' tests, and models have a clock of their own.
        self.0.fetch_add(1, Ordering::AcqRel)
    }
}

/// A number that only speed depends on: any value is right at any time, so it orders nothing, and is left out of the models' search.
#[derive(Debug, Default)]
pub(crate) struct Hint(core::sync::atomic::AtomicU64);

impl Hint {
    #[inline]
    pub(crate) fn get(&self) -> u64 {
        // Relaxed: a hint.
        self.0.load(Ordering::Relaxed)
    }

    /// Without a write if it is so already, which would take the line from those who look at it.
    #[inline]
    pub(crate) fn set(&self, value: u64) {
        if self.get() != value {
            // Relaxed: a hint.
            self.0.store(value, Ordering::Relaxed);
        }
    }

    pub(crate) fn increase(&self) {
        // Relaxed: a hint.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn decrease(&self) {
        // Relaxed: a hint.
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
