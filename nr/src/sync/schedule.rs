//! Shuttle's atomics, a cell that notices who should not have been there, and sizes that let a few dozen operations meet everything.
//!
//! All threads of a test are coroutines of one thread of the system, which go on in turn, where the schedule says so. So what is
//! plain here needs no protection; and orderings are not checked, which is what [`model`](super) is for.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::sync::PoisonError;

use shuttle::rand::Rng;
use shuttle::sync::{Condvar, Mutex};

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};

/// A round serves two or three of five threads: so with the next one a combiner leaves, in nearly every scenario.
pub(crate) const COMBINING_LIMIT: usize = 3;
/// Where there are runs, a thread has eight to ten operations: time to be interrupted twice, which is a reign, and to go on.
pub(crate) const STRETCH: u64 = 3;
pub(crate) const REIGN: u64 = 2;
/// Enough to get into that state and out of it again.
pub(crate) const DOUBTS: u64 = 2;
/// One: two write phases in a row that a reader waits for are rare enough among so few operations.
pub(crate) const READER_PATIENCE: u32 = 1;

pub(crate) fn fence_after_read_modify_write() {
    // SeqCst: as the name says; here all operations are.
    fence(super::Ordering::SeqCst);
}

/// Lets the schedule go on with another thread, without asking it to.
fn step() {
    shuttle::thread::sleep(Duration::ZERO);
}

/// A number below `bound`, which belongs to the schedule.
fn below(bound: u32) -> u32 {
    shuttle::rand::thread_rng().gen_range(0..bound)
}

/// A cell in whose accesses others may come between, and which fails if one does that excludes them.
#[derive(Debug)]
pub(crate) struct UnsafeCell<T> {
    value: core::cell::UnsafeCell<T>,
    /// How many are inside, or [`ALONE`].
    inside: Cell<u32>,
}

/// Who is inside has it alone.
const ALONE: u32 = u32::MAX;

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: core::cell::UnsafeCell::new(value), inside: Cell::new(0) }
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        assert_ne!(self.inside.get(), ALONE, "read while it is being written");
        let _inside = Inside::enter(&self.inside, self.inside.get() + 1);
        f(self.value.get())
    }

    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        assert_eq!(self.inside.get(), 0, "written while it is being read or written");
        let _inside = Inside::enter(&self.inside, ALONE);
        f(self.value.get())
    }

    pub(crate) fn into_inner(self) -> T {
        assert_eq!(self.inside.get(), 0, "taken out while it is being read or written");
        self.value.into_inner()
    }
}

/// An access under way.
struct Inside<'a>(&'a Cell<u32>);

impl<'a> Inside<'a> {
    fn enter(inside: &'a Cell<u32>, now: u32) -> Self {
        inside.set(now);
        let entered = Self(inside);
        step();
        entered
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let inside = self.0.get();
        self.0.set(if inside == ALONE { 0 } else { inside - 1 });
    }
}

/// Parks after some snoozes, how many is left to chance: so a thread that waits is met asleep and awake, and what it does when it has
/// waited for a while is executed too.
pub(crate) struct Backoff {
    snoozes: Cell<u32>,
    /// After how many it is time to park; not yet decided if it is 0.
    enough: Cell<u32>,
}

/// From the first one on this has taken long.
const LONG: u32 = 1;
/// Enough for a [`Stopwatch`] to show that patience is at its end.
const LONGEST: u32 = 12;

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { snoozes: Cell::new(0), enough: Cell::new(0) }
    }

    pub(crate) fn snooze(&self) {
        self.snoozes.set(self.snoozes.get() + 1);
        shuttle::thread::yield_now();
    }

    pub(crate) fn hesitate() {
        shuttle::thread::yield_now();
    }

    pub(crate) fn pause() {
        shuttle::thread::yield_now();
    }

    pub(crate) fn is_due(&self) -> bool {
        self.snoozes.get().is_multiple_of(2)
    }

    pub(crate) fn is_long(&self) -> bool {
        self.snoozes.get() >= LONG
    }

    pub(crate) fn is_completed(&self) -> bool {
        if self.enough.get() == 0 {
            self.enough.set(LONG + below(LONGEST));
        }
        self.snoozes.get() >= self.enough.get()
    }

    pub(crate) fn reset(&self) {
        self.snoozes.set(0);
        self.enough.set(0);
    }

    pub(crate) fn rest(&self) {
        self.snooze();
    }
}

/// Time goes on with the schedule.
pub(crate) struct Stopwatch {
    started: usize,
}

/// How long a step of the schedule takes, an access to shared memory.
const STEP_NANOSECONDS: u64 = 100;

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { started: shuttle::current::context_switches() }
    }

    pub(crate) fn nanoseconds(&self) -> u64 {
        STEP_NANOSECONDS * (shuttle::current::context_switches() - self.started) as u64
    }
}

/// Those who park on one key. Who is not unparked sleeps on, so a wake-up that is lost is a deadlock; except that now and then one goes
/// on by itself, as [`park`] allows.
#[derive(Default)]
struct Parked {
    lock: Mutex<()>,
    wake_up: Condvar,
}

/// One sleep in so many ends for no reason.
const SPURIOUS: u32 = 8;

std::thread_local! {
    /// By key, as long as somebody needs them. Not one of shuttle's own statics, which can't be made while another thread of the test unwinds.
    static PARKING_LOT: RefCell<BTreeMap<usize, Weak<Parked>>> = const { RefCell::new(BTreeMap::new()) };
}

pub(crate) fn park(key: usize, validate: impl FnOnce() -> bool) {
    let parked = parked_on(key).unwrap_or_else(|| {
        let parked = Arc::default();
        PARKING_LOT.with_borrow_mut(|lot| {
            lot.retain(|_, parked| parked.strong_count() > 0);
            lot.insert(key, Arc::downgrade(&parked));
        });
        parked
    });
    // Poisoned, here and below, if another thread of the test unwinds meanwhile: that says nothing.
    let guard = parked.lock.lock().unwrap_or_else(PoisonError::into_inner);
    if !validate() {
        return;
    }
    // Seldom enough that a thread whose wake-up is lost sleeps for good before long.
    if below(SPURIOUS) == 0 {
        drop(guard);
        (0..below(LONGEST)).for_each(|_| shuttle::thread::yield_now());
    } else {
        drop(parked.wake_up.wait(guard));
    }
}

pub(crate) fn unpark_one(key: usize) {
    unpark(key, Condvar::notify_one);
}

pub(crate) fn unpark_all(key: usize) {
    unpark(key, Condvar::notify_all);
}

fn unpark(key: usize, notify: fn(&Condvar)) {
    // Whoever parks later asks first whether there is reason to, and what this unpark is for has been done.
    if let Some(parked) = parked_on(key) {
        let _guard = parked.lock.lock().unwrap_or_else(PoisonError::into_inner);
        notify(&parked.wake_up);
    }
}

fn parked_on(key: usize) -> Option<Arc<Parked>> {
    PARKING_LOT.with_borrow(|lot| lot.get(&key).and_then(Weak::upgrade))
}
