//! Waiting without parking, and for how long.

use core::cell::Cell;

/// Waiting in three steps: spin while the answer is likely to be nanoseconds away; then give the processor to whoever may be
/// holding things up, and go on spinning if nobody wants it; then say that it is time to park.
///
/// To park and to be woken takes the two threads some 10 µs together, so a waiter that takes nothing from anybody spins for
/// several times that before. Whether it does is found out by yielding: that returns at once if nothing else is to run here.
pub(crate) struct Backoff {
    spins: Cell<u32>,
    yields: Yields,
    naps: Cell<u32>,
}

/// The longest spins between two looks are of 2^`LONGEST_SPIN` pauses.
const LONGEST_SPIN: u32 = 4;
/// So many spins, and then a yield after each.
const SPINS: u32 = 64;

/// From some 0.3 to 2 µs: a pause takes 10 ns on some processors and 70 on others.
const HESITATION: u32 = 32;

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { spins: Cell::new(0), yields: Yields::new(), naps: Cell::new(0) }
    }

    /// Spins or yields, longer each time.
    pub(crate) fn snooze(&self) {
        let spins = self.spins.get();
        for _ in 0..1 << spins.min(LONGEST_SPIN) {
            core::hint::spin_loop();
        }
        if spins < SPINS {
            self.spins.set(spins + 1);
        } else {
            self.yields.another();
        }
    }

    /// Spins for as long as a thread may take from one operation to its next, if it does little else.
    pub(crate) fn hesitate() {
        for _ in 0..HESITATION {
            core::hint::spin_loop();
        }
    }

    /// A moment in a loop that watches for something.
    pub(crate) fn pause() {
        core::hint::spin_loop();
    }

    /// Whether it is time to look at what others write often: at first, and every now and then.
    pub(crate) fn is_due(&self) -> bool {
        self.spins.get().is_multiple_of(8)
    }

    /// Whether this has taken longer than it should: time to look at what others write all the time.
    pub(crate) fn is_long(&self) -> bool {
        self.spins.get() == SPINS
    }

    /// Whether it is time to park.
    pub(crate) fn is_completed(&self) -> bool {
        self.yields.are_enough()
    }

    pub(crate) fn reset(&self) {
        self.spins.set(0);
        self.yields.reset();
        self.naps.set(0);
    }

    /// Waits for something that sends no wake-up: as [`snooze`](Self::snooze), then short sleeps.
    pub(crate) fn rest(&self) {
        if self.is_completed() {
            let naps = self.naps.get();
            nap(naps);
            self.naps.set((naps + 1).min(LONGEST_NAP));
        } else {
            self.snooze();
        }
    }
}

/// Measures time. Without an operating system there is none; there each look at it counts as half a microsecond.
pub(crate) struct Stopwatch {
    #[cfg(feature = "std")]
    started: std::time::Instant,
    #[cfg(not(feature = "std"))]
    looks: Cell<u64>,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self {
            #[cfg(feature = "std")]
            started: std::time::Instant::now(),
            #[cfg(not(feature = "std"))]
            looks: Cell::new(0),
        }
    }

    /// Since the start.
    pub(crate) fn nanoseconds(&self) -> u64 {
        #[cfg(feature = "std")]
        return self.started.elapsed().as_nanos() as u64;
        #[cfg(not(feature = "std"))]
        return 500 * self.looks.replace(self.looks.get() + 1);
    }
}

#[cfg(feature = "std")]
use yields::Yields;

#[cfg(feature = "std")]
mod yields {
    use core::cell::Cell;
    use core::time::Duration;
    use std::time::Instant;

    /// A yield that takes no longer has let nobody else run.
    const PROMPT: Duration = Duration::from_micros(2);
    /// How many yields are enough in which others have run.
    const ENOUGH: u32 = 4;
    /// How long a thread spins on a processor that nobody else wants.
    const PATIENCE: Duration = Duration::from_micros(200);

    pub(super) struct Yields {
        /// When the first was.
        first: Cell<Option<Instant>>,
        /// In how many of them others have run, or `ENOUGH` when patience is at its end.
        taken: Cell<u32>,
    }

    impl Yields {
        pub(super) fn new() -> Self {
            Self { first: Cell::new(None), taken: Cell::new(0) }
        }

        #[cold]
        pub(super) fn another(&self) {
            let before = Instant::now();
            std::thread::yield_now();
            let after = Instant::now();
            let first = self.first.get().unwrap_or(before);
            self.first.set(Some(first));
            if after - first > PATIENCE {
                self.taken.set(ENOUGH);
            } else if after - before > PROMPT {
                self.taken.set(self.taken.get() + 1);
            }
        }

        pub(super) fn are_enough(&self) -> bool {
            self.taken.get() >= ENOUGH
        }

        pub(super) fn reset(&self) {
            self.first.set(None);
            self.taken.set(0);
        }
    }
}

/// Without an operating system there is nobody to yield to.
#[cfg(not(feature = "std"))]
struct Yields;

#[cfg(not(feature = "std"))]
impl Yields {
    fn new() -> Self {
        Self
    }

    fn another(&self) {}

    fn are_enough(&self) -> bool {
        false
    }

    fn reset(&self) {}
}

/// After so many naps of 50 µs they get longer, up to a millisecond.
const SHORT_NAPS: u32 = 64;
const LONGEST_NAP: u32 = 20 * SHORT_NAPS;

#[cfg(feature = "std")]
fn nap(taken: u32) {
    std::thread::sleep(core::time::Duration::from_micros(50) * (taken / SHORT_NAPS).max(1));
}

#[cfg(not(feature = "std"))]
fn nap(_taken: u32) {
    core::hint::spin_loop();
}
