//! Helping: what the combiner of one replica does for others that lag behind.
//!
//! A replica that nobody uses applies nothing by itself, and the log may not be reused before it has. So whoever finds the
//! log full replays for the laggard; and so that nobody finds it full, a combiner looks round every now and then and
//! takes a replica that is far behind a few operations further than it has itself put in meanwhile.
//!
//! A helper never waits for a laggard's readers: it comes back later. Those of them who are in a hurry, because what they
//! want to read is not there yet, replay for themselves.

use crate::dispatch::Dispatch;
use crate::log::{Garbage, Log, Reservation};
use crate::replica::{Replica, ReplicaSet, Turn};
use crate::sync::Backoff;

/// How many positions lie between two looks round, if the log is large enough: four times as many, if no operation is to be dropped soon.
const INTERVAL: u64 = 64;
/// How far a replica may lag, at most, if operations own something that is not to be kept for long.
const PROMPT_LAG: u64 = 512;

impl<D: Dispatch> ReplicaSet<D> {
    /// Reserves positions for a round of the replica whose turn it is, when there was no room or others went first; None if
    /// that would take waiting for others.
    #[cold]
    pub(crate) fn reserve_without_waiting(
        &self,
        log: &Log<D::WriteOperation>,
        turn: &mut Turn<'_, D>,
        operations: u64,
        garbage: &mut Garbage<D::WriteOperation>,
    ) -> Option<Reservation> {
        self.catch_up_now(log, turn);
        self.make_room(log, turn.replica(), operations, garbage);
        log.try_reserve(operations, None)
    }

    /// As [`reserve_without_waiting`](Self::reserve_without_waiting), but waits.
    ///
    /// Goes on answering meanwhile those who only want to read; other requests stay posted.
    #[cold]
    pub(crate) fn reserve_with_patience(
        &self,
        log: &Log<D::WriteOperation>,
        turn: &mut Turn<'_, D>,
        operations: u64,
        garbage: &mut Garbage<D::WriteOperation>,
    ) -> Reservation {
        let ticket = log.draw_ticket();
        let backoff = Backoff::new();
        let mut completed = log.completed();
        loop {
            let mut arrived = turn.take_posted_if_any();
            self.catch_up_now(log, turn);
            arrived.answer_catch_ups();
            turn.put_back(arrived);
            self.make_room(log, turn.replica(), operations, garbage);
            if let Some(reservation) = log.try_reserve(operations, Some(ticket)) {
                return reservation;
            }
            // Others are at it: they replay, or publish, or go first. They may need this replica to keep up.
            let before = core::mem::replace(&mut completed, log.completed());
            if completed != before {
                backoff.reset();
            }
            backoff.rest();
        }
    }

    /// Replays for those whose lag is in the way, and reclaims.
    fn make_room(
        &self,
        log: &Log<D::WriteOperation>,
        replica: &Replica<D>,
        operations: u64,
        garbage: &mut Garbage<D::WriteOperation>,
    ) {
        // Positions below this have to be applied everywhere. `tail` moves only up, and others move it too.
        let needed = (log.tail() + operations).saturating_sub(log.capacity());
        for laggard in self.replicas().filter(|other| other.index != replica.index) {
            while log.applied(laggard.index) < needed && self.help(log, laggard, replica.node(), INTERVAL) {}
        }
        log.reclaim(garbage);
    }

    /// Every now and then, replays a little for those who are far behind.
    pub(crate) fn help_laggards(&self, log: &Log<D::WriteOperation>, turn: &Turn<'_, D>, reservation: &Reservation) {
        let prompt = Log::<D::WriteOperation>::RECLAIMS_PROMPTLY;
        let interval = if prompt { INTERVAL } else { 4 * INTERVAL }.min(log.capacity() / 4).max(1);
        // `interval` is a power of two: both ends lie in the same stretch of it if they differ in lower bits only.
        if reservation.start() ^ reservation.end() < interval {
            return;
        }
        let half = log.capacity() / 2;
        let allowed = if prompt { half.min(PROMPT_LAG) } else { half };
        let appended = reservation.end() - reservation.start();
        for laggard in self.replicas().filter(|other| other.index != turn.replica().index) {
            if log.applied(laggard.index).saturating_add(allowed) < reservation.end() {
                self.help(log, laggard, turn.replica().node(), 2 * interval.max(appended));
            }
        }
    }

    /// Replays about `count` completed operations for `laggard`, if nobody has its turn and nobody reads there, with new memory from
    /// its node, for the sake of a replica on node `own`. Whether anything was done. (Nothing is for one that has joined the log and is
    /// not in its place yet: its lock is closed.)
    fn help(&self, log: &Log<D::WriteOperation>, laggard: &Replica<D>, own: usize, count: u64) -> bool {
        let Some(mut turn) = Turn::attempt(laggard) else { return false };
        // SAFETY: its turn, until the end of the function.
        let published = unsafe { log.completed_for(laggard.index) }.at_most(count);
        if published.len() == 0 {
            return false;
        }
        let replay = |data: &mut D| self.replay(log, laggard, data, &published, u64::MAX, |_| {});
        let done = self.memory.help(laggard.node(), Some(own), || turn.try_write(replay).is_some());
        laggard.counters.helped.add_exclusive(if done { published.len() } else { 0 });
        done
    }
}

#[cfg(all(test, not(loom), not(feature = "shuttle")))]
mod tests;
