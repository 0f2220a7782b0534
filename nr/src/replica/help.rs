//! Helping: what the combiner of one replica does for others that lag behind.
//!
//! A replica that nobody uses applies nothing by itself, and the log may not be reused before it has. So whoever finds the
//! log full replays for the laggard; and so that nobody finds it full, a combiner looks round every now and then and
//! takes a replica that is half the log behind a few operations further than it has itself put in meanwhile.

use crate::dispatch::Dispatch;
use crate::log::{Garbage, Log, Reservation};
use crate::replica::{Replica, ReplicaSet, Turn};
use crate::sync::Backoff;

/// How many positions lie between two looks round, if the log is large enough.
const INTERVAL: u64 = 64;

impl<D: Dispatch> ReplicaSet<D> {
    /// Reserves positions for the round of the replica whose turn it is, making room if there is none.
    pub(crate) fn reserve(
        &self,
        log: &Log<D::WriteOperation>,
        turn: &mut Turn<'_, D>,
        operations: u64,
        garbage: &mut Garbage<D::WriteOperation>,
    ) -> Reservation {
        let replica = turn.replica().index;
        if let Some(reservation) = log.try_reserve(replica, operations) {
            return reservation;
        }
        let backoff = Backoff::new();
        loop {
            log.claim(replica);
            self.make_room(log, turn, operations, garbage);
            if let Some(reservation) = log.try_reserve(replica, operations) {
                return reservation;
            }
            // Others are at it: they replay, or publish, or have gone first.
            backoff.rest();
        }
    }

    fn make_room(
        &self,
        log: &Log<D::WriteOperation>,
        turn: &mut Turn<'_, D>,
        operations: u64,
        garbage: &mut Garbage<D::WriteOperation>,
    ) {
        let replica = turn.replica();
        // SAFETY: our turn, until the end of the function.
        let published = unsafe { log.completed_for(replica.index) };
        self.replay(log, turn, &published, u64::MAX, |_| {});
        // Positions below this have to be applied everywhere. `tail` moves only up, and others move it too.
        let needed = (log.tail() + operations).saturating_sub(log.capacity());
        for laggard in self.replicas.iter().filter(|other| other.index != replica.index) {
            while log.applied(laggard.index) < needed && self.help(log, laggard, INTERVAL) {}
        }
        log.reclaim(garbage);
    }

    /// Every now and then, replays a little for those who are half the log behind.
    pub(crate) fn help_laggards(&self, log: &Log<D::WriteOperation>, turn: &Turn<'_, D>, reservation: &Reservation) {
        let interval = INTERVAL.min(log.capacity() / 4).max(1);
        if reservation.start() / interval == reservation.end() / interval {
            return;
        }
        let appended = reservation.end() - reservation.start();
        for laggard in self.replicas.iter().filter(|other| other.index != turn.replica().index) {
            if log.applied(laggard.index) + log.capacity() / 2 < reservation.end() {
                self.help(log, laggard, 2 * interval.max(appended));
            }
        }
    }

    /// Replays about `count` completed operations for `laggard`, if nobody has its turn. Whether there was anything done.
    fn help(&self, log: &Log<D::WriteOperation>, laggard: &Replica<D>, count: u64) -> bool {
        let Some(mut turn) = Turn::attempt(laggard) else { return false };
        // SAFETY: its turn, until the end of the function.
        let published = unsafe { log.completed_for(laggard.index) }.at_most(count);
        self.replay(log, &mut turn, &published, u64::MAX, |_| {});
        laggard.counters.helped.add_exclusive(published.len());
        published.len() > 0
    }
}
