//! Loom's atomics and cells, and the sizes that let a model be searched.

mod atomic;

use loom::sync::{Condvar, Mutex};

pub(crate) use atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};

/// So few that every model meets a combiner that leaves, and a reader whose patience is at its end.
pub(crate) const COMBINING_LIMIT: usize = 1;
pub(crate) const STRETCH: u64 = 2;
pub(crate) const REIGN: u64 = 2;
pub(crate) const DOUBTS: u64 = 1;
pub(crate) const READER_PATIENCE: u32 = 1;

#[track_caller]
pub(crate) fn fence_after_read_modify_write() {
    fence(core::sync::atomic::Ordering::SeqCst);
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
