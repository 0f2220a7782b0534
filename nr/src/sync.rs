//! The one file that names atomics, cells, fences, parking or loom.
//!
//! The rest of the crate is written against these names, so that the very same code runs in the model checker when
//! `loom-tests` compiles it: that package has a feature `loom`, which this crate itself has not, so a program that sets
//! `--cfg loom` for models of its own still gets the real thing.

#[cfg(all(loom, feature = "loom"))]
pub(crate) use model::*;
#[cfg(not(all(loom, feature = "loom")))]
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

#[cfg(not(all(loom, feature = "loom")))]
mod real {
    use core::cell::Cell;

    pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};

    pub(crate) use parking::{park, unpark_all, unpark_one};

    /// How many operations a thread executes for others before it leaves the rest to them: few enough that its own caller
    /// is not kept waiting for long, many enough that the change of combiners costs little.
    pub(crate) const COMBINING_LIMIT: usize = 64;
    /// How many operations of its own a runner executes before it serves what others have posted: so many that these do not
    /// slow it down much, so few that they wait for some microseconds at most.
    pub(crate) const STRETCH: u64 = 16;
    /// How often a runner is interrupted before it lets others run: some milliseconds, since each time the whole structure moves to other caches.
    pub(crate) const REIGN: u64 = 4096;
    /// How often combiners serve at once, after one has not come back from a pause in time.
    pub(crate) const DOUBTS: u64 = 16;
    /// How many write phases a reader that waits sees begin before writers have to wait for it.
    pub(crate) const READER_PATIENCE: u32 = 4;

    /// A full fence for a thread that has just done an atomic read-modify-write.
    ///
    /// Announce-then-check needs the announcement to be visible before the check reads. On x86-64 the announcement, a
    /// locked instruction, is a full fence by itself, so all that is left to do is to keep the compiler from moving
    /// the check up; `mfence` on top would cost twice the instruction that it follows. Elsewhere it is the fence that
    /// the memory model asks for.
    #[inline(always)]
    pub(crate) fn fence_after_read_modify_write() {
        use core::sync::atomic::Ordering::SeqCst;
        if cfg!(all(target_arch = "x86_64", not(miri))) {
            core::sync::atomic::compiler_fence(SeqCst);
        } else {
            core::sync::atomic::fence(SeqCst);
        }
    }

    /// [`core::cell::UnsafeCell`] in the form that loom can watch.
    #[derive(Debug)]
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        #[inline(always)]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }

        pub(crate) fn into_inner(self) -> T {
            self.0.into_inner()
        }
    }

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

    #[cfg(feature = "std")]
    mod parking {
        use parking_lot_core::{DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN};

        /// Sleeps until somebody unparks `key`, unless `validate` says no. It is asked under the lock that an unpark
        /// of the same key takes, so a change made before an unpark is either seen by it or followed by the wake-up.
        /// May return for no reason.
        pub(crate) fn park(key: usize, validate: impl FnOnce() -> bool) {
            // SAFETY: `key` is the address of a live object of this crate's, so no other user of the parking lot has it,
            // and our `validate` only reads atomics: it neither panics nor calls into the parking lot.
            unsafe {
                parking_lot_core::park(key, validate, || {}, |_, _| {}, DEFAULT_PARK_TOKEN, None);
            }
        }

        /// Wakes one thread parked on `key`.
        pub(crate) fn unpark_one(key: usize) {
            // SAFETY: the callback does nothing, and the address is not dereferenced, so the object may be gone already. Should
            // another waiter have taken its place by then, it wakes for no reason, as parking_lot's own locks let happen
            // (they too unpark after letting go) and all of its waiters expect.
            unsafe {
                parking_lot_core::unpark_one(key, |_| DEFAULT_UNPARK_TOKEN);
            }
        }

        /// Wakes all threads parked on `key`.
        pub(crate) fn unpark_all(key: usize) {
            // SAFETY: as for `unpark_one`.
            unsafe {
                parking_lot_core::unpark_all(key, DEFAULT_UNPARK_TOKEN);
            }
        }
    }

    /// Without an operating system there is nobody to park with: waiting is spinning.
    #[cfg(not(feature = "std"))]
    mod parking {
        pub(crate) fn park(_key: usize, _validate: impl FnOnce() -> bool) {
            core::hint::spin_loop();
        }

        pub(crate) fn unpark_one(_key: usize) {}

        pub(crate) fn unpark_all(_key: usize) {}
    }
}

#[cfg(all(loom, feature = "loom"))]
mod model {
    use loom::sync::{Condvar, Mutex};

    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};

    /// So few that every model meets a combiner that leaves, and a reader whose patience is at its end.
    pub(crate) const COMBINING_LIMIT: usize = 1;
    pub(crate) const STRETCH: u64 = 2;
    pub(crate) const REIGN: u64 = 2;
    pub(crate) const DOUBTS: u64 = 1;
    pub(crate) const READER_PATIENCE: u32 = 1;

    pub(crate) fn fence_after_read_modify_write() {
        loom::sync::atomic::fence(loom::sync::atomic::Ordering::SeqCst);
    }

    /// Loom's cell; taking the value out counts as an access too.
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T>(loom::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::cell::UnsafeCell::new(value))
        }

        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            self.0.with(f)
        }

        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            self.0.with_mut(f)
        }

        pub(crate) fn into_inner(self) -> T {
            self.with_mut(|_| ());
            self.0.into_inner()
        }
    }

    /// Parks at the first opportunity: that is where wake-ups can be lost. Spinning would only add states.
    pub(crate) struct Backoff;

    impl Backoff {
        pub(crate) fn new() -> Self {
            Self
        }

        pub(crate) fn snooze(&self) {
            loom::thread::yield_now();
        }

        pub(crate) fn hesitate() {}

        pub(crate) fn pause() {
            loom::thread::yield_now();
        }

        pub(crate) fn is_due(&self) -> bool {
            true
        }

        pub(crate) fn is_long(&self) -> bool {
            true
        }

        pub(crate) fn is_completed(&self) -> bool {
            true
        }

        pub(crate) fn reset(&self) {}

        pub(crate) fn rest(&self) {
            loom::thread::yield_now();
        }
    }

    /// In a model everything takes the same time: longer than a combiner gathers.
    pub(crate) struct Stopwatch;

    impl Stopwatch {
        pub(crate) fn start() -> Self {
            Self
        }

        pub(crate) fn nanoseconds(&self) -> u64 {
            10_000
        }
    }

    loom::lazy_static! {
        /// One bucket for all keys: an unpark wakes everybody, and spurious wake-ups are allowed.
        static ref PARKING_LOT: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());
    }

    pub(crate) fn park(_key: usize, validate: impl FnOnce() -> bool) {
        let guard = PARKING_LOT.0.lock().unwrap();
        if validate() {
            drop(PARKING_LOT.1.wait(guard).unwrap());
        }
    }

    pub(crate) fn unpark_one(key: usize) {
        unpark_all(key);
    }

    pub(crate) fn unpark_all(_key: usize) {
        let _guard = PARKING_LOT.0.lock().unwrap();
        PARKING_LOT.1.notify_all();
    }
}
