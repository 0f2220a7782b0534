//! Combining: one thread executes what the threads of a replica have asked for, round by round.
//!
//! A thread that finds the combiner lock free executes its own request and then whatever has been posted meanwhile; a
//! thread that finds it held posts its request and waits. With a log, a round is
//!
//! 1. collect the requests (no more operations than the log holds; what is about the replica itself, such as to bring it up to
//!    date, is done before; if the replica has been [removed](super::membership), they are handed back),
//! 2. reserve as many positions, making room if there is none ([`help`](super::help)),
//! 3. move the operations in and publish them,
//! 4. wait until what other replicas have reserved before is published too,
//! 5. take the replica's write lock; replay from `applied` to the end of the round, keeping the results of the round's own
//!    operations; advance `completed` and `applied`; let go,
//! 6. answer the requests whose threads are awake (the others are woken when the turn is over), and see whether another
//!    replica wants [`help`](super::help).
//!
//! Without a log a round executes the operations where they are, under the write lock, and answers. Nobody but the
//! requesting thread ever owns them.
//!
//! To make room may take long: a reader elsewhere may be in the way. Who only wants to read does not wait for that. A combiner
//! answers readers before it begins with the writers; and one that is a reader itself leaves writers posted if there is no room
//! for them, so that one of them goes on.
//!
//! User code runs in step 5 only, with its panics caught; dropping operations comes after the turn.

use alloc::vec::Vec;

use crate::dispatch::Dispatch;
use crate::log::{Garbage, Log, Published, Reservation};
use crate::panic::{AbortOnUnwind, DropContained, Payload, contain, discard, resume};
use crate::replica::request::{RequestList, Work};
use crate::replica::{Refusal, Refused, Replica, ReplicaSet, Request, Standing, Task, Turn};
use crate::sync::{Backoff, COMBINING_LIMIT};

impl<D: Dispatch> ReplicaSet<D> {
    /// Executes one write operation through `replica`.
    #[inline]
    pub(crate) fn execute_mut(
        &self,
        replica: &Replica<D>,
        operation: D::WriteOperation,
    ) -> Result<D::Response, Refused<D::WriteOperation>> {
        if !replica.queue.try_lock_idle() {
            return self.execute_posted(replica, operation);
        }
        // SAFETY: taken just now.
        let turn = unsafe { Turn::of_locked(replica) };
        if self.poison.is_set() {
            return Err(Refused { reason: Refusal::Poisoned, returned: operation });
        }
        if replica.is_alone() {
            return Ok(self.execute_alone(DropContained::new(operation), turn));
        }
        match self.log.get() {
            Some(log) if replica.is_present() => Ok(self.execute_alone_through(log, operation, turn)),
            _ => Err(Refused { reason: Refusal::Removed, returned: operation }),
        }
    }

    /// The short way: no log, no contention, no request. A panic needs no catching: it goes straight to the caller,
    /// whose operation it was. On its way it poisons, ends the write phase, leaves the turn and only then, as the parameters
    /// are ordered, drops the operation.
    #[inline]
    fn execute_alone(&self, operation: DropContained<D::WriteOperation>, mut turn: Turn<'_, D>) -> D::Response {
        turn.replica().counters.lone.add_exclusive(1);
        let response = turn.write(|data| {
            let report = ReportOnUnwind(self);
            let response = data.dispatch_mut(&operation);
            report.disarm();
            response
        });
        if let Err(turn) = turn.finish() {
            self.combine_posted(turn, Patience::Any, &mut Garbage::new());
        }
        response
    }

    /// The short way through the log: a round of one operation, without a request.
    fn execute_alone_through(
        &self,
        log: &Log<D::WriteOperation>,
        operation: D::WriteOperation,
        mut turn: Turn<'_, D>,
    ) -> D::Response {
        turn.replica().counters.lone.add_exclusive(1);
        let mut garbage = Garbage::new();
        let mut result = None;
        let reservation = match log.try_reserve(1, None) {
            Some(reservation) => reservation,
            None => self.reserve_with_patience(log, &mut turn, 1, &mut garbage),
        };
        self.round(log, &mut turn, &reservation, |reservation| {
            // SAFETY: reserved for this one operation.
            unsafe { log.publish(reservation, reservation.start(), operation) };
            |answer| result = Some(answer)
        });
        self.help_laggards(log, &turn, &reservation);
        match turn.finish() {
            Ok(()) => self.reclaim_promptly(&mut garbage),
            Err(turn) => self.combine_posted(turn, Patience::Any, &mut garbage),
        }
        drop(garbage);
        match result {
            Some(Ok(response)) => response,
            Some(Err(payload)) => resume(payload),
            None => unreachable!("a round replays what it has appended"),
        }
    }

    #[cold]
    fn execute_posted(
        &self,
        replica: &Replica<D>,
        operation: D::WriteOperation,
    ) -> Result<D::Response, Refused<D::WriteOperation>> {
        let work = self.submit(replica, Task::One { operation: Some(operation), response: None });
        match (work.task, work.refused) {
            (Task::One { operation: Some(returned), .. }, Some(reason)) => Err(Refused { reason, returned }),
            (Task::One { operation, response: Some(response) }, _) => {
                contain(|| drop(operation));
                Ok(response)
            }
            (task, _) => give_up(task, work.panic),
        }
    }

    /// Executes a batch of write operations through `replica`, with nothing between them. No more than
    /// [`max_batch`](Self::max_batch).
    pub(crate) fn execute_mut_batch(
        &self,
        replica: &Replica<D>,
        operations: Vec<D::WriteOperation>,
    ) -> Result<Vec<D::Response>, Refused<Vec<D::WriteOperation>>> {
        let responses = Vec::with_capacity(operations.len());
        let work = self.submit(replica, Task::Batch { operations, responses });
        match (work.task, work.refused) {
            (Task::Batch { operations: returned, .. }, Some(reason)) => Err(Refused { reason, returned }),
            (Task::Batch { operations, responses }, _) if work.panic.is_none() => {
                drop(Garbage::from(operations));
                Ok(responses)
            }
            (task, _) => give_up(task, work.panic),
        }
    }

    /// Brings `replica` up to what is completed when the call begins.
    pub(crate) fn catch_up(&self, replica: &Replica<D>) {
        self.submit(replica, Task::CatchUp);
    }

    /// Has a task done by the combiner of `replica`, which may be this thread.
    fn submit(&self, replica: &Replica<D>, task: Task<D>) -> Work<D> {
        self.submit_without_drops(replica, task, &mut Garbage::new())
    }

    /// As [`submit`](Self::submit), but leaves it to the caller to drop operations, which is user code that may use the structure.
    pub(crate) fn submit_without_drops(
        &self,
        replica: &Replica<D>,
        task: Task<D>,
        garbage: &mut Garbage<D::WriteOperation>,
    ) -> Work<D> {
        let patience = match task {
            Task::One { .. } | Task::Batch { .. } => Patience::Any,
            Task::CatchUp | Task::Copy { .. } | Task::Leave { .. } | Task::Settle => Patience::None,
        };
        let request = Request::new(task);
        // The combiner has a pointer to `request`.
        let abort = AbortOnUnwind;
        // SAFETY: we stay here until the request is answered or our turn is over.
        match unsafe { Turn::or_post(replica, &request) } {
            Some(turn) => {
                // SAFETY: made here, not posted, and `combine` answers it before it lets go of the turn.
                self.combine(turn, unsafe { RequestList::of_one(&request) }, patience, garbage);
            }
            None => self.await_answer(replica, &request, patience, garbage),
        }
        abort.disarm();
        request.into_work()
    }

    /// Waits until a posted request is answered, combining if nobody else does.
    fn await_answer(
        &self,
        replica: &Replica<D>,
        request: &Request<D>,
        patience: Patience,
        garbage: &mut Garbage<D::WriteOperation>,
    ) {
        let backoff = Backoff::new();
        while !request.is_answered() {
            if request.is_promised() {
                request.park_unless(|| false);
            } else if replica.queue.is_unattended() {
                if let Some(turn) = Turn::attempt(replica) {
                    self.combine_posted(turn, patience, garbage);
                }
            } else if backoff.is_completed() {
                replica.counters.waits.add(1);
                request.park_unless(|| replica.queue.is_unattended());
                backoff.reset();
            } else {
                backoff.snooze();
            }
        }
    }

    #[cold]
    fn combine_posted(&self, mut turn: Turn<'_, D>, patience: Patience, garbage: &mut Garbage<D::WriteOperation>) {
        let posted = turn.take_posted();
        self.combine(turn, posted, patience, garbage);
    }

    /// Serves `requests`, then what is posted meanwhile, until there is nothing more or the turn is over. What is to be dropped
    /// goes to `garbage`.
    fn combine(
        &self,
        mut turn: Turn<'_, D>,
        mut requests: RequestList<D>,
        patience: Patience,
        garbage: &mut Garbage<D::WriteOperation>,
    ) {
        let mut asleep = RequestList::empty();
        let mut served = 0;
        while let Some(more) = self.serve(&mut turn, requests, patience, &mut asleep, garbage) {
            served += more;
            // What is to be dropped is kept no longer than what is to be executed.
            if served.max(garbage.len()) >= COMBINING_LIMIT {
                break;
            }
            match turn.finish() {
                Ok(()) => {
                    asleep.answer();
                    return self.reclaim_promptly(garbage);
                }
                Err(still) => turn = still,
            }
            requests = turn.take_posted();
        }
        drop(turn);
        asleep.answer();
        self.reclaim_promptly(garbage);
    }

    /// What is left to do when the turn is over and no lock is held: find what every replica has applied, to be dropped.
    fn reclaim_promptly(&self, garbage: &mut Garbage<D::WriteOperation>) {
        if let Some(log) = self.log.get().filter(|_| Log::<D::WriteOperation>::RECLAIMS_PROMPTLY) {
            log.reclaim(garbage);
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
                    turn.write(|data| batch.execute(data, &self.poison));
                    batch.answer_awake();
                    asleep.append_list(batch);
                }
                (_, Some(log)) => {
                    let Some(reservation) = self.reserve(log, turn, operations as u64, patience, garbage) else {
                        batch.append_list(requests);
                        turn.put_back(batch);
                        return None;
                    };
                    turn.replica().counters.add_round(operations);
                    self.round(log, turn, &reservation, |reservation| {
                        // SAFETY: made just now, for as many operations.
                        unsafe { batch.append(log, reservation) };
                        batch.responder()
                    });
                    batch.answer();
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

    /// A round of the operations through the log for which positions are reserved: have `append` publish them, replay up to
    /// there. What `append` returns is given their results, in order.
    fn round<R: FnMut(Result<D::Response, Payload>)>(
        &self,
        log: &Log<D::WriteOperation>,
        turn: &mut Turn<'_, D>,
        reservation: &Reservation,
        append: impl FnOnce(&Reservation) -> R,
    ) {
        let replica = turn.replica();
        let respond = append(reservation);
        // SAFETY: our turn, until the end of the function.
        let published = unsafe { log.await_published(replica.index, reservation.end()) };
        turn.write(|data| self.replay(log, replica, data, &published, reservation.start(), respond));
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
        // SAFETY: executed just now by who has the replica's turn, and seen published by whoever made `published`.
        unsafe { log.advance(replica.index, published.end()) };
        replica.counters.replayed.add_exclusive(published.before(own));
    }
}

/// Whether a combiner waits for room in the log.
#[derive(Clone, Copy)]
enum Patience {
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

/// Lets the panic of an operation go on in the thread whose operation it was, once what is left of its task is dropped.
#[cold]
fn give_up<D: Dispatch>(task: Task<D>, panic: Option<Payload>) -> ! {
    contain(|| drop(task));
    match panic {
        Some(payload) => resume(payload),
        None => unreachable!("an answered task has its responses, a panic, or was refused"),
    }
}
