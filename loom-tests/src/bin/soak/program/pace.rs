//! Structures that take their time: a pause at the right place does more than a million operations at full speed.

use crate::common::Random;
use nr::Dispatch;
use std::cell::RefCell;
use std::fmt;
use std::hint;
use std::thread;
use std::time::Duration;

/// How long operations take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As long as they need.
    Even,
    /// So long that those of threads on different processors meet.
    Spins,
    /// Now and then one gives its processor away, with whatever locks are held around it.
    Yields,
    /// On the first replica, and on its clones, writes sleep: the others are ahead of it, and its readers fall asleep.
    FirstSleeps,
}

impl Pace {
    pub const ALL: [Self; 4] = [Self::Even, Self::Spins, Self::Yields, Self::FirstSleeps];

    /// That of one of the replicas.
    fn of_replica(self, replica: usize) -> Self {
        match self {
            Self::FirstSleeps if replica > 0 => Self::Even,
            pace => pace,
        }
    }

    fn pause_in_read(self) {
        match self {
            Self::Spins => spin(),
            Self::Yields if one_in(4) => thread::yield_now(),
            _ => {}
        }
    }

    fn pause_in_write(self) {
        match self {
            Self::Spins => spin(),
            Self::Yields if one_in(4) => thread::yield_now(),
            Self::FirstSleeps if one_in(16) => thread::sleep(Duration::from_micros(20)),
            _ => {}
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Even => "no pauses",
            Self::Spins => "operations that spin",
            Self::Yields => "operations that yield",
            Self::FirstSleeps => "a first replica that sleeps",
        })
    }
}

fn spin() {
    (0..chance(|random| random.below(40))).for_each(|_| hint::spin_loop());
}

fn one_in(n: usize) -> bool {
    chance(|random| random.one_in(n))
}

/// Chance that is no part of the structure's state: replicas may pause at different operations.
fn chance<R>(f: impl FnOnce(&mut Random) -> R) -> R {
    thread_local! {
        static RANDOM: RefCell<Random> = RefCell::new(Random::new(0));
    }
    RANDOM.with_borrow_mut(f)
}

/// A structure with pauses between and within its operations.
#[derive(Clone, Debug)]
pub struct Paced<D> {
    pub data: D,
    pace: Pace,
}

impl<D> Paced<D> {
    pub fn new(data: D, pace: Pace, replica: usize) -> Self {
        Self { data, pace: pace.of_replica(replica) }
    }

    /// What the closure makes of the structure, with a pause before.
    pub fn look<R>(&self, f: impl FnOnce(&D) -> R) -> R {
        self.pace.pause_in_read();
        f(&self.data)
    }
}

impl<D: Dispatch> Dispatch for Paced<D> {
    type ReadOperation<'a> = D::ReadOperation<'a>;
    type WriteOperation = D::WriteOperation;
    type Response = D::Response;

    fn dispatch(&self, op: D::ReadOperation<'_>) -> D::Response {
        self.pace.pause_in_read();
        let response = self.data.dispatch(op);
        self.pace.pause_in_read();
        response
    }

    fn dispatch_mut(&mut self, op: &D::WriteOperation) -> D::Response {
        let response = self.data.dispatch_mut(op);
        self.pace.pause_in_write();
        response
    }
}
