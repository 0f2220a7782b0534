//! Waiting for an answer: when a thread that has posted a request takes the combiner lock after all, and when it sleeps.
//!
//! While somebody combines it looks at its own request only, which is written when it is taken and answered. Each look at the
//! [queue](super::queue) takes a cache line from who works there; so it does that seldom, unless it is invited to go on.

use crate::dispatch::Dispatch;
use crate::log::Garbage;
use crate::replica::combiner::Patience;
use crate::replica::{Caller, Replica, ReplicaSet, Request, Turn};
use crate::sync::{Backoff, Stopwatch};

impl<D: Dispatch> ReplicaSet<D> {
    /// Waits until a posted request is answered, combining if nobody else does.
    pub(crate) fn await_answer(
        &self,
        replica: &Replica<D>,
        caller: Caller,
        request: &Request<D>,
        patience: Patience,
        garbage: &mut Garbage<D::WriteOperation>,
    ) {
        let backoff = Backoff::new();
        let mut watch = None;
        while !request.is_answered() {
            if request.is_promised() {
                request.park_unless(|| false);
                continue;
            }
            let is_time_to_park = backoff.is_completed();
            let turn = if is_time_to_park {
                replica.queue.insist();
                Turn::attempt(replica)
            } else if replica.is_alone() {
                watch.get_or_insert_with(|| Watch::begin(replica)).take_over(request)
            } else {
                take_over(replica, request, &backoff)
            };
            if let Some(turn) = turn {
                self.combine_posted(turn, caller, patience, garbage);
            } else if is_time_to_park {
                replica.counters.waits.add(1);
                request.park_unless(|| replica.queue.is_unattended());
                backoff.reset();
                watch = None;
            } else {
                backoff.snooze();
            }
        }
    }
}

/// Takes the lock that the last combiner has left, on one of several replicas.
fn take_over<'a, D: Dispatch>(replica: &'a Replica<D>, request: &Request<D>, backoff: &Backoff) -> Option<Turn<'a, D>> {
    if !(request.is_invited() || backoff.is_long()) || !replica.queue.is_unattended() {
        return None;
    }
    // Who has left goes first.
    Backoff::hesitate();
    Turn::attempt(replica)
}

/// How a thread that has posted on the only replica watches a [run](super::queue#runs) of another.
struct Watch<'a, D: Dispatch> {
    replica: &'a Replica<D>,
    waiting: Stopwatch,
    /// When to look next, in nanoseconds.
    next: u64,
    /// How often the runner had paused when we looked last.
    pauses: u64,
}

/// When a thread that has posted looks for the first time whether the run goes on, in nanoseconds.
const FIRST_LOOK: u64 = 1_500;
/// Who has paused less often since the last look is not in a run: once may be the end of the operation that we met.
const BRISK: u64 = 2;
/// After which time, in nanoseconds, a thread that has posted insists on its answer.
const PATIENCE: u64 = 3_000;
/// The longest from one look to the next.
const LONGEST_INTERVAL: u64 = 20_000;

impl<'a, D: Dispatch> Watch<'a, D> {
    fn begin(replica: &'a Replica<D>) -> Self {
        Self { replica, waiting: Stopwatch::start(), next: FIRST_LOOK, pauses: replica.queue.pauses() }
    }

    /// Takes the lock if it is this thread's to go on.
    fn take_over(&mut self, request: &Request<D>) -> Option<Turn<'a, D>> {
        let queue = &self.replica.queue;
        if request.is_invited() && queue.is_handed_over() {
            return Turn::attempt(self.replica);
        }
        let waited = self.waiting.nanoseconds();
        if self.next > waited {
            return None;
        }
        self.next = waited + waited.min(LONGEST_INTERVAL);
        let before = core::mem::replace(&mut self.pauses, queue.pauses());
        if queue.is_unattended() && self.pauses.wrapping_sub(before) < BRISK {
            return Turn::attempt(self.replica);
        }
        if waited >= PATIENCE {
            queue.insist();
        }
        None
    }
}

#[cfg(all(test, not(loom), not(feature = "shuttle")))]
mod tests;
