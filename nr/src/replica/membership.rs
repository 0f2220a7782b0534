//! Membership: replicas come and go while the structure is in use.
//!
//! Each replica has a [`Standing`], which only the holder of its combiner lock changes and which every round goes by. So there is
//! no moment at which it is unclear whether an operation goes through the log. One change at a time is made, by who holds
//! `membership`:
//!
//! **A replica comes.** The combiner of one that is there, the *source*, brings that up to date, clones it (beside its readers), and
//! has the copy [join](Log::join) the log at the source's own `applied`: all under one turn, so the position is exactly what the
//! copy has executed, and nothing from there on is reclaimed before the copy has executed it too. If the source was alone, it
//! goes through the log from then on. Then the combiner lock of the newcomer's place is taken, and the copy put in.
//!
//! **A replica goes.** Its own combiner takes the structure out, under the write lock, has it [leave](Log::leave) the log, and hands back
//! whatever is posted now or later; who posted it chooses another replica. What it has appended is in the log, for the others. If only
//! one is left, that one's combiner replays to the end of the log, where nobody else can append any more, and goes on without.
//!
//! **Handles of a replica that is gone** find it absent, at once, whether or not another one is on its way into the same place. They may
//! still see an old `applied` there, of any time: the former replica's, nobody's, or that at which the newcomer has joined. So a reader
//! that finds it too small, and has had the replica brought up to date, looks once more: if that was done before the newcomer was there,
//! nothing has come of it. And one that finds it large enough is right whoever's it was: a newcomer begins with no less than was
//! `completed` when it came, and so with no less than any earlier replica in its place had applied.
//!
//! **Invariant**: a replica's `applied` is a position while it is present, and from the moment in which it was copied;
//! otherwise it is nobody's.
//!
//! **Why nobody gets stuck.** Who holds `membership` holds no combiner lock while it waits for another: it waits for combiners, each of
//! which answers what is posted after a bounded number of rounds, and for the combiner lock of a place where nobody is, whose holder
//! finds that out and lets go. No combiner waits for `membership`. The log waits for a newcomer that has joined and is not yet in its
//! place; who moves it in may be combining, and then serves a bounded number of others before, without waiting for room. What it has
//! found to drop it drops in the end: that is user code, which may write, and wait for the newcomer.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::dispatch::Dispatch;
use crate::log::{Garbage, Log};
use crate::panic::{catch, contain, resume};
use crate::replica::request::{Copy, Task, Work};
use crate::replica::{Caller, Replica, ReplicaId, ReplicaSet, Site, Standing, Turn};
use crate::sync::{AtomicBool, Backoff, Ordering};

/// Why no replica came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MembershipError {
    /// There is no room for another one.
    Full,
    /// There is no memory for the log.
    LogMemory,
    /// There is no such replica.
    NoSuchReplica,
    /// It is the last one.
    Last,
}

impl<D: Dispatch> ReplicaSet<D> {
    /// How many replicas there may be at once.
    pub(crate) fn room(&self) -> usize {
        self.replicas.len()
    }

    /// Lets another replica in. A panic of `clone` goes on here and leaves things as they were.
    pub(crate) fn add(&self, clone: fn(&D) -> D, site: Site) -> Result<ReplicaId, MembershipError> {
        // Dropped last: that is user code, which may write, and wait for the newcomer, or let replicas in and out.
        let mut garbage = Garbage::new();
        let _membership = Membership::lock(&self.membership);
        let present: Vec<&Replica<D>> = self.present().collect();
        let vacant = |index: &usize| !self.replica(*index).is_some_and(Replica::is_present);
        let index = (0..self.room()).find(vacant).ok_or(MembershipError::Full)?;
        // The one that fewest are disturbed by.
        let source = present.iter().copied().min_by_key(|replica| replica.handles());
        let source = source.expect("the last replica can't be removed");
        self.provide_log(source)?;

        let place = &self.replicas[index];
        let place = place.get().unwrap_or_else(|| {
            let new = || place.get_or_set(Replica::new(index, None, Standing::Absent, site));
            self.memory.build(site.node, site.cpus, new)
        });
        place.settle(site);
        self.bring_home(place);
        let errand = Task::Copy(Box::new(Copy { clone, newcomer: index, node: site.node, copy: None }));
        let work = self.send_errand(source, errand, &mut garbage);
        let copy = match work.task {
            Task::Copy(wanted) => wanted.copy.expect("the source is present, and is copied"),
            _ => unreachable!("a task comes back"),
        };
        let copy = copy.unwrap_or_else(|payload| resume(payload));
        wait_for_turn(place).install(*copy);
        self.count_change();
        Ok(ReplicaId(index))
    }

    /// Lets a replica out, and gives its structure.
    pub(crate) fn remove(&self, id: ReplicaId) -> Result<Box<D>, MembershipError> {
        // Dropped last, as in `add`.
        let mut garbage = Garbage::new();
        let _membership = Membership::lock(&self.membership);
        let leaver = self.present().find(|replica| replica.index == id.0).ok_or(MembershipError::NoSuchReplica)?;
        let mut others = self.present().filter(|replica| replica.index != id.0);
        let remaining = others.next().ok_or(MembershipError::Last)?;
        let is_last = others.next().is_none();
        let work = self.send_errand(leaver, Task::Leave { data: None }, &mut garbage);
        self.count_change();
        if is_last {
            self.send_errand(remaining, Task::Settle, &mut garbage);
        }
        match work.task {
            Task::Leave { data: Some(data) } => Ok(data),
            _ => unreachable!("a replica that is present has its structure"),
        }
    }

    /// A replica has come or gone. For who holds `membership`.
    fn count_change(&self) {
        // Release: who finds it counted sees it; pairs with the Acquire in `present_now`.
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Has something done for a replica itself by its combiner. If that is this thread, then for a replica that it has nothing to do
    /// with: new memory comes from that one's node.
    pub(crate) fn send_errand(
        &self,
        replica: &Replica<D>,
        errand: Task<D>,
        garbage: &mut Garbage<D::WriteOperation>,
    ) -> Work<D> {
        self.memory.help(replica.node(), None, || self.submit_without_drops(replica, Caller::NONE, errand, garbage))
    }

    /// Makes the log if there has been none, with the only replica taking part: so that whoever sees the log sees that.
    fn provide_log(&self, source: &Replica<D>) -> Result<(), MembershipError> {
        if self.log.get().is_none() {
            let log = Log::new(&self.log_plan, self.room()).map_err(|_| MembershipError::LogMemory)?;
            // SAFETY: the log is new, and nobody else has it.
            unsafe { log.join(source.index, 0, &mut Garbage::new()) };
            self.log.get_or_set(log);
        }
        Ok(())
    }

    /// Does what is asked of a replica itself, for its combiner.
    pub(crate) fn run_errand(
        &self,
        turn: &mut Turn<'_, D>,
        work: &mut Work<D>,
        garbage: &mut Garbage<D::WriteOperation>,
    ) {
        let Some(log) = self.log.get() else { return };
        let replica = turn.replica();
        match &mut work.task {
            // There may be something to replay where nobody is yet.
            Task::CatchUp if replica.is_present() => self.catch_up_now(log, turn),
            Task::CatchUp => {}
            Task::Copy(wanted) => {
                self.catch_up_now(log, turn);
                let Copy { clone, newcomer, node, copy } = &mut **wanted;
                let made = catch(|| self.memory.help(*node, None, || turn.read(*clone)));
                if copy.insert(made.map(Box::new)).is_err() {
                    return;
                }
                replica.set_standing(Standing::Member);
                // SAFETY: our turn, and this is what we have applied; the request's thread holds `membership`.
                unsafe { log.join(*newcomer, log.applied(replica.index), garbage) };
            }
            Task::Leave { data } => {
                *data = Some(Box::new(turn.remove()));
                // SAFETY: our turn; whoever has the next one finds the replica absent.
                unsafe { log.leave(replica.index) };
                log.reclaim(garbage);
            }
            Task::Settle => {
                // SAFETY: our turn, until the end of the block. Others can't append any more: the last of them has left.
                let published = unsafe { log.await_published(replica.index, log.tail()) };
                self.replay_all(log, turn, &published);
                replica.set_standing(Standing::Alone);
                log.reclaim(garbage);
            }
            Task::One { .. } | Task::Batch(_) => {}
        }
    }
}

/// The turn of a place where no replica is. Whoever else has it finds that out and lets go.
fn wait_for_turn<D: Dispatch>(place: &Replica<D>) -> Turn<'_, D> {
    let backoff = Backoff::new();
    loop {
        match Turn::attempt(place) {
            Some(turn) => return turn,
            None => backoff.rest(),
        }
    }
}

/// The right to let replicas in and out.
pub(crate) struct Membership<'a>(&'a AtomicBool);

impl<'a> Membership<'a> {
    pub(crate) fn lock(held: &'a AtomicBool) -> Self {
        let backoff = Backoff::new();
        // Acquire: what the previous holder did is visible. Weakened, the model `two_newcomers_take_two_places` finds one.
        while held.swap(true, Ordering::Acquire) {
            backoff.rest();
        }
        Self(held)
    }
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        // Release: for the next holder.
        self.0.store(false, Ordering::Release);
    }
}

/// Drops the structure of a replica that has been removed; a panic in its `Drop` ends there.
pub(crate) fn drop_removed<D>(data: D) {
    contain(|| drop(data));
}
