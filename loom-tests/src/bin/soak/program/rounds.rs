//! Threads that go through rounds together, until it is time or one of them finds a violation.
//!
//! All begin a round at once, so that their operations meet; when all have ended it, one of them can look at what the round
//! as a whole has to satisfy, in memory that is used again by the next. A violation is a panic of whoever finds it.

use crate::common::text_of;
use crate::program::tally::{Limit, Tally};
use std::hint;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::sync::{Condvar, Mutex, OnceLock};
use std::thread;

/// What the threads of one run share. All threads meet on it between rounds, so that there `SeqCst` costs nothing that counts.
pub struct Rounds<'a> {
    threads: usize,
    tally: &'a Tally,
    limit: &'a Limit<'a>,
    arrived: AtomicUsize,
    /// How often all have met.
    meetings: AtomicUsize,
    rounds: AtomicUsize,
    over: AtomicBool,
    asleep: Mutex<()>,
    wake_up: Condvar,
}

impl<'a> Rounds<'a> {
    pub fn new(threads: usize, tally: &'a Tally, limit: &'a Limit<'a>) -> Self {
        Self {
            threads,
            tally,
            limit,
            arrived: AtomicUsize::new(0),
            meetings: AtomicUsize::new(0),
            rounds: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            asleep: Mutex::new(()),
            wake_up: Condvar::new(),
        }
    }

    pub fn tally(&self) -> &Tally {
        self.tally
    }

    /// Runs `body(0)` to `body(threads - 1)`, each on its own thread. The first panic in time ends all at their next meeting, and
    /// is the result.
    pub fn run(&self, body: impl Fn(usize) + Sync) -> Result<(), String> {
        let first = OnceLock::new();
        thread::scope(|scope| {
            for thread in 0..self.threads {
                let (body, first) = (&body, &first);
                scope.spawn(move || {
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(thread))) {
                        // Before the others are stopped, of whom one might panic for that.
                        let _ = first.set(format!("thread {thread}: {}", text_of(&*panic)));
                        self.stop();
                    }
                });
            }
        });
        first.into_inner().map_or(Ok(()), Err)
    }

    /// Begins a round, when all are there; false if there is none, since it is time or there was a violation.
    pub fn begin(&self) -> bool {
        self.meet(|| {
            let rounds = self.rounds.fetch_add(1, Relaxed);
            if self.limit.is_reached(rounds) {
                self.over.store(true, SeqCst);
            }
        });
        !self.over.load(SeqCst)
    }

    /// The calls of a thread in a long round. They are counted here.
    pub fn calls(&self) -> impl Iterator<Item = usize> {
        let stretches = (0..self.most_calls() / STRETCH).take_while(|stretch| *stretch == 0 || !self.limit.is_past());
        stretches.flat_map(|_| {
            self.count(STRETCH);
            0..STRETCH
        })
    }

    pub fn most_calls(&self) -> usize {
        self.limit.calls
    }

    pub fn count(&self, calls: usize) {
        self.tally.operations.fetch_add(calls as u64, Relaxed);
    }

    /// Ends a round, when all are there: the last one there runs `settle` while the others wait. False if there was a violation:
    /// then others may be in the midst of the round.
    pub fn end(&self, settle: impl FnOnce()) -> bool {
        self.meet(|| {
            if !self.over.load(SeqCst) {
                settle();
            }
        });
        !self.over.load(SeqCst)
    }

    /// Waits until all threads are there.
    fn meet(&self, last_one: impl FnOnce()) {
        let meeting = self.meetings.load(SeqCst);
        if self.arrived.fetch_add(1, SeqCst) + 1 == self.threads {
            last_one();
            self.arrived.store(0, SeqCst);
            self.meetings.store(meeting + 1, SeqCst);
            return self.wake();
        }
        let is_on = || self.meetings.load(SeqCst) == meeting && !self.over.load(SeqCst);
        // Those who are awake go on at the same moment.
        for turn in 0..PATIENCE {
            if !is_on() {
                return;
            }
            match turn % 64 {
                63 => thread::yield_now(),
                _ => hint::spin_loop(),
            }
        }
        let asleep = self.asleep.lock().expect("nobody panics with it");
        drop(self.wake_up.wait_while(asleep, |()| is_on()));
    }

    /// What the sleepers wait for has changed.
    fn wake(&self) {
        drop(self.asleep.lock());
        self.wake_up.notify_all();
    }

    /// No other round.
    fn stop(&self) {
        self.over.store(true, SeqCst);
        self.wake();
    }
}

/// After so many calls a thread looks whether it is time.
const STRETCH: usize = 64;
/// How often a thread looks before it sleeps.
const PATIENCE: usize = 64 * 32;
