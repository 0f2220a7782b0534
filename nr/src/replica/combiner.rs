//! Combining: one thread executes what the threads of a replica have asked for, round by round.
//!
//! A thread that finds the combiner lock free executes its own request and then whatever has been posted meanwhile; a
//! thread that finds it held posts its request and [waits](super::wait). With a log, a round is
//!
//! 1. collect the requests (no more operations than the log holds; what is about the replica itself, such as to bring it up to
//!    date, is done before; if the replica has been [removed](super::membership), they are handed back),
//! 2. reserve as many positions, making room if there is none ([`help`](super::help)),
//! 3. move the operations in and publish them,
//! 4. wait until what other replicas have reserved before is published too,
//! 5. take the replica's write lock; replay from `applied` to the end of the round, keeping the results of the round's own
//!    operations; advance `completed` and `applied`; let go,
//! 6. answer the requests, and see whether another replica wants [`help`](super::help).
//!
//! Where nobody reads, `completed` is advanced before the replay, and requests are answered during it, one by one: their threads can
//! post the next meanwhile. Beside readers it is done afterwards, since from then on readers of all replicas have to wait for what this one
//! is executing. There a combiner also waits a little before it begins, if that is likely to save write phases ([`gather`]).
//!
//! [`gather`]: ReplicaSet::gather
//!
//! Without a log a round executes the operations where they are, under the write lock, and answers. Nobody but the
//! requesting thread ever owns them. There who has executed its own operation does not always serve at once what has been posted
//! meanwhile: see [runs](super::queue#runs).
//!
//! To make room may take long: a reader elsewhere may be in the way. Who only wants to read does not wait for that. A combiner
//! answers readers before it begins with the writers; and one that is a reader itself leaves writers posted if there is no room
//! for them, so that one of them goes on.
//!
//! User code runs in step 5 only, with its panics caught; dropping operations comes after the turn.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::dispatch::Dispatch;
use crate::log::{Garbage, Log, Published, Reservation};
use crate::panic::{AbortOnUnwind, DropContained, Payload, contain, discard, resume};
use crate::replica::request::{Batch, RequestList, Responder, Work};
use crate::replica::{Caller, Refusal, Refused, Replica, ReplicaSet, Request, Standing, Task, Turn};
use crate::sync::{Backoff, COMBINING_LIMIT, Stopwatch};

impl<D: Dispatch> ReplicaSet<D> {
    /// Executes one write operation through `replica`.
    #[inline]
    pub(crate) fn execute_mut(
        &self,
        replica: &Replica<D>,
        caller: Caller,
        operation: D::WriteOperation,
    ) -> Result<D::Response, Refused<D::WriteOperation>> {
        match Turn::attempt_idle(replica) {
            Some(turn) if replica.is_alone() && !self.poison.is_set() => {
                Ok(self.execute_alone(DropContained::new(operation), turn, caller))
            }
            turn => self.execute_otherwise(replica, caller, operation, turn),
        }
    }

    /// As [`execute_mut`](Self::execute_mut), in all cases but that of the short way.
    #[inline(never)]
    fn execute_otherwise(
        &self,
        replica: &Replica<D>,
        caller: Caller,
        operation: D::WriteOperation,
        turn: Option<Turn<'_, D>>,
    ) -> Result<D::Response, Refused<D::WriteOperation>> {
        let Some(turn) = turn.or_else(|| Turn::resume(replica, caller)) else {
            return self.submit(replica, caller, Task::one(operation)).into_response();
        };
        if self.poison.is_set() {
            return Err(Refused { reason: Refusal::Poisoned, returned: operation });
        }
        if replica.is_alone() {
            return Ok(self.execute_alone(DropContained::new(operation), turn, caller));
        }
        match self.log.get() {
            Some(_) if replica.is_gathering() => self.execute_with_others(operation, turn, caller),
            Some(log) if replica.is_present() => Ok(self.execute_alone_through(log, operation, turn, caller)),
            _ => Err(Refused { reason: Refusal::Removed, returned: operation }),
        }
    }

    /// The short way: no log, no request of the caller's. A panic needs no catching: it goes straight to the caller,
    /// whose operation it was. On its way it poisons, ends the write phase, leaves the turn and only then, as the parameters
    /// are ordered, drops the operation.
    #[inline]
    fn execute_alone(
        &self,
        operation: DropContained<D::WriteOperation>,
        mut turn: Turn<'_, D>,
        caller: Caller,
    ) -> D::Response {
        turn.replica().counters.lone.add_exclusive(1);
        let response = turn.write(|data| {
            let report = ReportOnUnwind(self);
            let response = data.dispatch_mut(&operation);
            report.disarm();
            response
        });
        if let Err(turn) = turn.finish_idle() {
            self.finish_otherwise(turn, caller);
        }
        response
    }

    #[inline(never)]
    fn finish_otherwise(&self, turn: Turn<'_, D>, caller: Caller) {
        if let Err(turn) = turn.finish_slowly(caller) {
            self.combine_posted(turn, caller, Patience::Any, &mut Garbage::new());
        }
    }

    /// The short way through the log: a round of one operation, without a request.
    fn execute_alone_through(
        &self,
        log: &Log<D::WriteOperation>,
        operation: D::WriteOperation,
        mut turn: Turn<'_, D>,
        caller: Caller,
    ) -> D::Response {
        let replica = turn.replica();
        replica.counters.lone.add_exclusive(1);
        let mut garbage = Garbage::new();
        let mut lone = Lone { operation: Some(operation), result: None };
        let reservation = match log.try_reserve(1, None) {
            Some(reservation) => reservation,
            None => self.reserve_with_patience(log, &mut turn, 1, &mut garbage),
        };
        self.round(log, &mut turn, &reservation, &mut lone);
        self.help_laggards(log, &turn, &reservation);
        match turn.finish(caller) {
            Ok(()) => self.reclaim_in_time(replica, &mut garbage),
            Err(turn) => self.combine_posted(turn, caller, Patience::Any, &mut garbage),
        }
        drop(garbage);
        match lone.result {
            Some(Ok(response)) => response,
            Some(Err(payload)) => resume(payload),
            None => unreachable!("a round replays what it has appended"),
        }
    }

    /// Where others are likely to write too: a round that begins with one operation.
    #[cold]
    fn execute_with_others(
        &self,
        operation: D::WriteOperation,
        turn: Turn<'_, D>,
        caller: Caller,
    ) -> Result<D::Response, Refused<D::WriteOperation>> {
        let request = Request::new(Task::one(operation));
        self.combine_own(turn, caller, &request, Patience::Any, &mut Garbage::new());
        request.into_work().into_response()
    }

    /// Executes a batch of write operations through `replica`, with nothing between them. No more than
    /// [`max_batch`](Self::max_batch).
    pub(crate) fn execute_mut_batch(
        &self,
        replica: &Replica<D>,
        caller: Caller,
        operations: Vec<D::WriteOperation>,
    ) -> Result<Vec<D::Response>, Refused<Vec<D::WriteOperation>>> {
        self.submit(replica, caller, Task::Batch(Box::new(Batch::new(operations)))).into_responses()
    }

    /// Brings `replica` up to what is completed when the call begins.
    pub(crate) fn catch_up(&self, replica: &Replica<D>, caller: Caller) {
        self.submit(replica, caller, Task::CatchUp);
    }

    /// Has a task done by the combiner of `replica`, which may be this thread.
    fn submit(&self, replica: &Replica<D>, caller: Caller, task: Task<D>) -> Work<D> {
        self.submit_without_drops(replica, caller, task, &mut Garbage::new())
    }

    /// As [`submit`](Self::submit), but leaves it to the caller to drop operations, which is user code that may use the structure.
    pub(crate) fn submit_without_drops(
        &self,
        replica: &Replica<D>,
        caller: Caller,
        task: Task<D>,
        garbage: &mut Garbage<D::WriteOperation>,
    ) -> Work<D> {
        let patience = match task {
            Task::One { .. } | Task::Batch(_) => Patience::Any,
            Task::CatchUp | Task::Copy(_) | Task::Leave { .. } | Task::Settle => Patience::None,
        };
        let request = Request::new(task);
        // The combiner has a pointer to `request`.
        let abort = AbortOnUnwind;
        // SAFETY: we stay here until the request is answered or our turn is over.
        match unsafe { Turn::or_post(replica, &request, caller) } {
            Some(turn) => self.combine_own(turn, caller, &request, patience, garbage),
            None => self.await_answer(replica, caller, &request, patience, garbage),
        }
        abort.disarm();
        request.into_work()
    }

    /// As [`combine`](Self::combine), beginning with a request of the caller's that has not been posted.
    fn combine_own(
        &self,
        mut turn: Turn<'_, D>,
        caller: Caller,
        request: &Request<D>,
        patience: Patience,
        garbage: &mut Garbage<D::WriteOperation>,
    ) {
        // `combine` has pointers to `request`.
        let abort = AbortOnUnwind;
        // What a combiner has left comes first.
        let mut requests = turn.take_posted_if_any();
        // SAFETY: made by the caller, not posted, and `combine` answers it before it lets go of the turn.
        requests.append_list(unsafe { RequestList::of_one(request) });
        self.combine(turn, caller, requests, patience, garbage);
        abort.disarm();
    }

    #[cold]
    pub(crate) fn combine_posted(
        &self,
        mut turn: Turn<'_, D>,
        caller: Caller,
        patience: Patience,
        garbage: &mut Garbage<D::WriteOperation>,
    ) {
        let posted = turn.take_posted();
        self.combine(turn, caller, posted, patience, garbage);
    }

    /// Serves `requests`, then what is posted meanwhile, until there is nothing more or the turn is over. What is to be dropped
    /// goes to `garbage`.
    fn combine(
        &self,
        mut turn: Turn<'_, D>,
        caller: Caller,
        mut requests: RequestList<D>,
        patience: Patience,
        garbage: &mut Garbage<D::WriteOperation>,
    ) {
        let replica = turn.replica();
        let mut asleep = RequestList::empty();
        let mut served = 0;
        self.gather(&mut turn, &mut requests);
        while let Some(more) = self.serve(&mut turn, requests, patience, &mut asleep, garbage) {
            served += more;
            match turn.finish(caller) {
                Ok(()) => {
                    asleep.answer();
                    return self.reclaim_in_time(replica, garbage);
                }
                Err(still) => turn = still,
            }
            // What is to be dropped is kept no longer than what is to be executed.
            if served.max(garbage.len()) >= COMBINING_LIMIT {
                break;
            }
            requests = turn.take_posted();
            self.gather(&mut turn, &mut requests);
        }
        // On the only replica who wants to go on has had its chance in `finish`.
        turn.leave(if replica.is_alone() { Caller::NONE } else { caller });
        asleep.answer();
        self.reclaim_in_time(replica, garbage);
    }

    /// Waits a little for more requests before a round, if others are likely to make some.
    ///
    /// A write phase keeps all readers of the replica out, and has to look at each one's cell before it can begin. So it is better to have
    /// one for many operations than one for each: those who could go on reading until then, and have written when it begins. The wait
    /// is over when there are as many operations as handles, when there is something to replay anyway, which readers have to wait for, or after a
    /// fraction of what the last phase took, so no round takes much longer by it. Where threads compete for processors nobody
    /// waits, since those waited for may not be running.
    fn gather(&self, turn: &mut Turn<'_, D>, requests: &mut RequestList<D>) {
        let replica = turn.replica();
        let is_worth_it = replica.is_gathering() && replica.standing() == Standing::Member && !requests.is_empty();
        let Some(log) = self.log.get().filter(|_| is_worth_it && !self.is_crowded()) else { return };
        let longest = longest_gathering(replica.combining.last_phase.get());
        let start = Stopwatch::start();
        while !requests.has_errands()
            && replica.handles() > requests.operations()
            && !log.lacks(replica.index)
            && start.nanoseconds() < longest
        {
            Backoff::pause();
            let more = turn.take_posted_if_any();
            if !more.is_empty() {
                requests.append_list(more);
            }
        }
    }

    /// What is left to do when the turn is over and no lock is held: find what every replica has applied, to be dropped, or to make room
    /// before anybody has to wait for it.
    fn reclaim_in_time(&self, replica: &Replica<D>, garbage: &mut Garbage<D::WriteOperation>) {
        if let Some(log) = self.log.get() {
            if Log::<D::WriteOperation>::RECLAIMS_PROMPTLY || log.is_filling(replica.index) {
                log.reclaim(garbage);
            }
        }
    }

    /// Serves all `requests`, in rounds, and says how many operations that were; a round without any counts as one. None if there
    /// is no room for them in the log and no `patience`: they are posted again.
    ///
    /// Those whose threads have to be woken are left in `asleep`, to be answered when the turn is over; not so with a log, since the
    /// next round may have to wait for room.
    fn serve(
        &self,
        turn: &mut Turn<'_, D>,
        mut requests: RequestList<D>,
        patience: Patience,
        asleep: &mut RequestList<D>,
        garbage: &mut Garbage<D::WriteOperation>,
    ) -> Option<usize> {
        let mut served = 0;
        if requests.has_errands() {
            // These may take long.
            asleep.answer();
            requests.answer_errands(|errand| self.run_errand(turn, errand, garbage));
            served += 1;
        }
        while !requests.is_empty() {
            let mut batch = requests.take_front(self.max_batch());
            let standing = turn.replica().standing();
            if self.poison.is_set() {
                batch.refuse(Refusal::Poisoned);
            } else if standing == Standing::Absent {
                batch.refuse(Refusal::Removed);
            }
            let operations = batch.operations();
            served += operations.max(1);
            match (standing, self.log.get()) {
                // Refused, or empty.
                _ if operations == 0 => batch.answer(),
                (Standing::Alone, _) | (_, None) => {
                    turn.replica().counters.add_round(operations);
                    asleep.append_list(turn.write(|data| batch.execute(data, &self.poison)));
                }
                (_, Some(log)) => {
                    let Some(reservation) = self.reserve(log, turn, operations as u64, patience, garbage) else {
                        batch.append_list(requests);
                        turn.put_back(batch);
                        return None;
                    };
                    turn.replica().counters.add_round(operations);
                    let mut responder = Responder::new(batch);
                    let phase = self.round(log, turn, &reservation, &mut responder);
                    turn.replica().combining.last_phase.set(phase);
                    responder.into_asleep().answer();
                    self.help_laggards(log, turn, &reservation);
                }
            }
        }
        Some(served)
    }

    /// Reserves positions for a round; None if that takes more patience.
    fn reserve(
        &self,
        log: &Log<D::WriteOperation>,
        turn: &mut Turn<'_, D>,
        operations: u64,
        patience: Patience,
        garbage: &mut Garbage<D::WriteOperation>,
    ) -> Option<Reservation> {
        match log.try_reserve(operations, None) {
            Some(reservation) => Some(reservation),
            None => match patience {
                Patience::Any => Some(self.reserve_with_patience(log, turn, operations, garbage)),
                Patience::None => self.reserve_without_waiting(log, turn, operations, garbage),
            },
        }
    }

    /// Replays what is completed into the replica whose turn it is.
    pub(crate) fn catch_up_now(&self, log: &Log<D::WriteOperation>, turn: &mut Turn<'_, D>) {
        let replica = turn.replica();
        // SAFETY: our turn, until the end of the function.
        let published = unsafe { log.completed_for(replica.index) };
        self.replay_all(log, turn, &published);
    }

    /// Replays what was published for the replica whose turn it is, if anything was, for the sake of that alone.
    pub(crate) fn replay_all(
        &self,
        log: &Log<D::WriteOperation>,
        turn: &mut Turn<'_, D>,
        published: &Published<'_, D::WriteOperation>,
    ) {
        let replica = turn.replica();
        if published.len() > 0 {
            turn.write(|data| self.replay(log, replica, data, published, u64::MAX, drop_result));
        }
    }

    /// A round of the operations through the log for which positions are reserved: publishes them, replays up to there. Gives how long the
    /// write phase took, in nanoseconds, if rounds like that are worth [gathering](Self::gather) for; else 0.
    fn round(
        &self,
        log: &Log<D::WriteOperation>,
        turn: &mut Turn<'_, D>,
        reservation: &Reservation,
        operations: &mut impl Operations<D>,
    ) -> u64 {
        let replica = turn.replica();
        // SAFETY: made by our caller, for these operations.
        unsafe { operations.append(log, reservation) };
        // SAFETY: our turn, until the end of the function.
        let published = unsafe { log.await_published(replica.index, reservation.end()) };
        let mut phase = 0;
        turn.write(|data| {
            let had_readers = replica.lock.had_readers();
            let stopwatch = (had_readers && published.len() > FEW).then(Stopwatch::start);
            // Answers may be given as soon as readers everywhere wait for what they answer. Where there are readers that is better done late, since
            // they can go on meanwhile elsewhere; where there are none it is better done early, since writers can go on then.
            if !had_readers {
                published.complete();
                operations.release();
            }
            self.replay(log, replica, data, &published, reservation.start(), |result| operations.respond(result));
            phase = stopwatch.map_or(0, |stopwatch| stopwatch.nanoseconds().max(1));
        });
        phase
    }

    /// Replays `published` into `data`, the replica whose turn it is; the results from position `own` on go to `respond`. To
    /// be called before readers are let in again.
    pub(crate) fn replay(
        &self,
        log: &Log<D::WriteOperation>,
        replica: &Replica<D>,
        data: &mut D,
        published: &Published<'_, D::WriteOperation>,
        own: u64,
        mut respond: impl FnMut(Result<D::Response, Payload>),
    ) {
        published.replay(data, |position, result| {
            if result.is_err() {
                self.poison.report_at(position);
            }
            if position >= own {
                respond(result);
            } else {
                drop_result(result);
            }
        });
        published.complete();
        // SAFETY: executed just now by who has the replica's turn.
        unsafe { log.advance(replica.index, published.end()) };
        replica.counters.replayed.add_exclusive(published.before(own));
    }
}

/// So many operations in a round are not many.
const FEW: u64 = 2;

/// The part of the last write phase that a combiner waits for more to do in the next.
const GATHERING: u64 = 4;
/// The longest that it waits, in nanoseconds, whatever the last write phase was held up by.
const LONGEST_GATHERING: u64 = 50_000;

/// How long a combiner waits for more to do, in nanoseconds, after a write phase of that many.
fn longest_gathering(last_phase: u64) -> u64 {
    (last_phase / GATHERING).min(LONGEST_GATHERING)
}

/// The operations of a round, and what becomes of their results.
pub(crate) trait Operations<D: Dispatch> {
    /// Moves them into the log and publishes them.
    ///
    /// # Safety
    /// The caller made the reservation, for as many operations as there are, and appends nothing else to it.
    unsafe fn append(&mut self, log: &Log<D::WriteOperation>, reservation: &Reservation);

    /// Answers may be given from now on.
    fn release(&mut self);

    /// Takes the result of the next one.
    fn respond(&mut self, result: Result<D::Response, Payload>);
}

/// That of a lone writer.
struct Lone<D: Dispatch> {
    operation: Option<D::WriteOperation>,
    result: Option<Result<D::Response, Payload>>,
}

impl<D: Dispatch> Operations<D> for Lone<D> {
    #[inline]
    unsafe fn append(&mut self, log: &Log<D::WriteOperation>, reservation: &Reservation) {
        if let Some(operation) = self.operation.take() {
            // SAFETY: reserved for this one operation, by the caller.
            unsafe { log.publish(reservation, reservation.start(), operation) };
        }
    }

    fn release(&mut self) {}

    #[inline]
    fn respond(&mut self, result: Result<D::Response, Payload>) {
        self.result = Some(result);
    }
}

/// Whether a combiner waits for room in the log.
#[derive(Clone, Copy)]
pub(crate) enum Patience {
    /// It wants to read.
    None,
    /// It has written.
    Any,
}

/// What an operation of another replica has answered, or panicked with, is for its caller there.
fn drop_result<R>(result: Result<R, Payload>) {
    match result {
        Ok(response) => contain(|| drop(response)),
        Err(payload) => discard(payload),
    }
}

/// Reports a panic of the operation that a lone writer executes.
struct ReportOnUnwind<'a, D: Dispatch>(&'a ReplicaSet<D>);

impl<D: Dispatch> ReportOnUnwind<'_, D> {
    #[inline]
    fn disarm(self) {
        core::mem::forget(self);
    }
}

impl<D: Dispatch> Drop for ReportOnUnwind<'_, D> {
    fn drop(&mut self) {
        self.0.poison.report();
    }
}

#[cfg(all(test, not(loom), not(feature = "shuttle")))]
mod tests;
