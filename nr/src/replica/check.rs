//! Looking at every replica in one and the same state, while the structure is in use.
//!
//! A replica's state is what the log has below its `applied`. So the replicas are in the same state if nobody appends while they are
//! looked at, and each has applied everything. The looker sees to that in three steps:
//!
//! 1. It draws a [ticket](Log::draw_ticket), as a combiner does that has found no room. While that is served, nobody reserves positions
//!    who knows of it.
//! 2. It asks each replica to catch up. Who answers knows of the ticket, as does who combines there later: the request and the combiner lock
//!    hand that on. And what was reserved there before is completed, since no request is answered in the middle of a round. So from
//!    here on nothing is appended, and everything is completed.
//! 3. It asks each replica to catch up once more, for what others have completed during step 2.
//!
//! **Why nobody gets stuck.** The looker holds no combiner lock. Combiners that wait for its ticket go on bringing their own replica up
//! to date for who asks, the looker among them, and for readers. Those who have drawn a ticket before need nothing from the looker. Who
//! lets replicas in and out waits for `membership`, which the looker holds, and nobody waits for them.

use alloc::vec::Vec;

use crate::dispatch::Dispatch;
use crate::log::{Garbage, Log, Ticket};
use crate::replica::membership::Membership;
use crate::replica::request::Task;
use crate::replica::{ReaderCell, Replica, ReplicaId, ReplicaSet};
use crate::sync::Backoff;

impl<D: Dispatch> ReplicaSet<D> {
    /// What `look` finds in each replica, all of them in the state that the structure has at some moment during the call, whether
    /// poisoned or not.
    pub(crate) fn look_at_all<R>(&self, mut look: impl FnMut(&D) -> R) -> Vec<(ReplicaId, R)> {
        // Dropped last: that is user code, which may write, or let replicas in and out.
        let mut garbage = Garbage::new();
        let _membership = Membership::lock(&self.membership);
        let present: Vec<&Replica<D>> = self.present().collect();
        let mut look_at_each = || present.iter().map(|replica| (replica.id(), look_at(replica, &mut look))).collect();
        let Some(log) = self.log().filter(|_| present.len() > 1) else { return look_at_each() };
        let _halt = Halt::new(log);
        // See the module. Done once only, the model `replicas_are_seen_in_one_state` sees two.
        for replica in present.iter().chain(&present) {
            self.send_errand(replica, Task::CatchUp, &mut garbage);
        }
        // Both were acquired with the answers, and stand still. So this is no matter of luck, and it costs two loads in a rare call.
        assert_eq!(log.completed(), log.tail(), "somebody appends to the log while the replicas are looked at");
        look_at_each()
    }
}

/// Runs `look` on a replica that is present, beside its readers.
fn look_at<D: Dispatch, R>(replica: &Replica<D>, look: impl FnOnce(&D) -> R) -> R {
    struct Visit<'a, D: Dispatch>(&'a Replica<D>, &'a ReaderCell);
    impl<D: Dispatch> Drop for Visit<'_, D> {
        fn drop(&mut self) {
            self.0.resign(self.1);
        }
    }

    let visit = Visit(replica, replica.lock.cell(replica.enlist()));
    // SAFETY: the cell is this lock's, and `enlist` has just assigned it.
    let seen = unsafe { replica.lock.read(visit.1, (), |data, ()| look(data)) };
    seen.unwrap_or_else(|()| unreachable!("who holds `membership` keeps replicas from going"))
}

/// As long as it lives, nobody reserves positions in the log who knows of it.
struct Halt<'a, Op> {
    log: &'a Log<Op>,
    ticket: Ticket,
}

impl<'a, Op> Halt<'a, Op> {
    fn new(log: &'a Log<Op>) -> Self {
        let ticket = log.draw_ticket();
        let backoff = Backoff::new();
        while !log.serves(ticket) {
            backoff.rest();
        }
        Self { log, ticket }
    }
}

impl<Op> Drop for Halt<'_, Op> {
    fn drop(&mut self) {
        self.log.discard_ticket(self.ticket);
    }
}
