//! Combining: one thread executes what the threads of a replica have asked for, round by round.
//!
//! A thread that finds the combiner lock free executes its own request and then whatever has been posted meanwhile; a
//! thread that finds it held posts its request and waits. With a log, a round is
//!
//! 1. collect the requests (no more operations than the log holds),
//! 2. reserve as many positions, making room if there is none ([`help`](super::help)),
//! 3. move the operations in and publish them,
//! 4. wait until what other replicas have reserved before is published too,
//! 5. take the replica's write lock; replay from `applied` to the end of the round, keeping the results of the round's own
//!    operations; advance `completed` and `applied`; let go,
//! 6. answer the requests.
//!
//! Without a log a round executes the operations where they are, under the write lock, and answers. Nobody but the
//! requesting thread ever owns them.
//!
//! User code runs in step 5 only, with its panics caught; dropping operations comes after the turn.

use alloc::vec::Vec;

use crate::dispatch::Dispatch;
use crate::error::ExecuteError;
use crate::log::{Garbage, Log, Published, Reservation};
use crate::panic::{AbortOnUnwind, Payload, contain, discard, resume};
use crate::replica::request::{RequestList, Work};
use crate::replica::{Replica, ReplicaSet, Request, Task, Turn};
use crate::sync::{Backoff, COMBINING_ROUNDS};

impl<D: Dispatch> ReplicaSet<D> {
    /// Executes one write operation through `replica`.
    #[inline]
    pub(crate) fn execute_mut(
        &self,
        replica: &Replica<D>,
        operation: D::WriteOperation,
    ) -> Result<D::Response, ExecuteError<D::WriteOperation>> {
        if !replica.queue.try_lock_idle() {
            return self.execute_posted(replica, operation);
        }
        // SAFETY: taken just now.
        let turn = unsafe { Turn::of_locked(replica) };
        if self.poison.is_set() {
            return Err(ExecuteError::Poisoned { returned: operation });
        }
        Ok(match &self.log {
            None => self.execute_alone(turn, operation),
            Some(log) => self.execute_alone_through(log, turn, operation),
        })
    }

    /// The short way: no log, no contention, no request. A panic needs no catching: it goes straight to the caller,
    /// whose operation it was, and on its way poisons, ends the write phase and leaves the turn.
    #[inline]
    fn execute_alone(&self, mut turn: Turn<'_, D>, operation: D::WriteOperation) -> D::Response {
        let response = turn.write(|data| {
            let report = self.poison.report_on_unwind();
            let response = data.dispatch_mut(&operation);
            report.disarm();
            response
        });
        self.end_lone_turn(turn);
        response
    }

    /// The short way through the log: a round of one operation, without a request.
    fn execute_alone_through(
        &self,
        log: &Log<D::WriteOperation>,
        mut turn: Turn<'_, D>,
        operation: D::WriteOperation,
    ) -> D::Response {
        let mut garbage = Garbage::new();
        let mut result = None;
        let append = |reservation: &Reservation| {
            // SAFETY: reserved for this one operation.
            unsafe { log.publish(reservation, reservation.start(), operation) };
            |answer| result = Some(answer)
        };
        self.round(log, &mut turn, 1, &mut garbage, append);
        self.end_lone_turn(turn);
        self.clean_up(garbage);
        match result {
            Some(Ok(response)) => response,
            Some(Err(payload)) => resume(payload),
            None => unreachable!("a round replays what it has appended"),
        }
    }

    #[inline]
    fn end_lone_turn(&self, turn: Turn<'_, D>) {
        turn.replica().counters.lone.add_exclusive(1);
        if let Err(turn) = turn.finish() {
            self.combine_posted(turn);
        }
    }

    #[cold]
    fn execute_posted(
        &self,
        replica: &Replica<D>,
        operation: D::WriteOperation,
    ) -> Result<D::Response, ExecuteError<D::WriteOperation>> {
        let work = self.submit(replica, Task::One { operation: Some(operation), response: None });
        match work.task {
            Task::One { operation: Some(operation), .. } if work.refused => {
                Err(ExecuteError::Poisoned { returned: operation })
            }
            Task::One { operation, response: Some(response) } => {
                drop(operation);
                Ok(response)
            }
            task => give_up(task, work.panic),
        }
    }

    /// Executes a batch of write operations through `replica`, with nothing between them. No more than
    /// [`max_batch`](Self::max_batch).
    pub(crate) fn execute_mut_batch(
        &self,
        replica: &Replica<D>,
        operations: Vec<D::WriteOperation>,
    ) -> Result<Vec<D::Response>, ExecuteError<Vec<D::WriteOperation>>> {
        let responses = Vec::with_capacity(operations.len());
        let work = self.submit(replica, Task::Batch { operations, responses });
        match work.task {
            Task::Batch { operations, .. } if work.refused => Err(ExecuteError::Poisoned { returned: operations }),
            Task::Batch { operations, responses } if work.panic.is_none() => {
                drop(operations);
                Ok(responses)
            }
            task => give_up(task, work.panic),
        }
    }

    /// Brings `replica` up to what is completed when the call begins.
    pub(crate) fn catch_up(&self, replica: &Replica<D>) {
        self.submit(replica, Task::CatchUp);
    }

    /// Has a task done by the combiner of `replica`, which may be this thread.
    fn submit(&self, replica: &Replica<D>, task: Task<D>) -> Work<D> {
        let request = Request::new(task);
        // The combiner has a pointer to `request`.
        let abort = AbortOnUnwind;
        // SAFETY: we stay here until the request is answered or our turn is over.
        match unsafe { Turn::or_post(replica, &request) } {
            Some(turn) => {
                // SAFETY: made here, not posted, and `combine` answers it before it lets go of the turn.
                self.combine(turn, unsafe { RequestList::of_one(&request) });
            }
            None => self.await_answer(replica, &request),
        }
        abort.disarm();
        request.into_work()
    }

    /// Waits until a posted request is answered, combining if nobody else does.
    fn await_answer(&self, replica: &Replica<D>, request: &Request<D>) {
        let backoff = Backoff::new();
        while !request.is_answered() {
            if replica.queue.is_unattended() {
                if let Some(turn) = Turn::attempt(replica) {
                    self.combine_posted(turn);
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
    fn combine_posted(&self, mut turn: Turn<'_, D>) {
        let posted = turn.take_posted();
        self.combine(turn, posted);
    }

    /// Serves `requests`, then what is posted meanwhile, until there is nothing more or the turn is over.
    fn combine(&self, mut turn: Turn<'_, D>, mut requests: RequestList<D>) {
        let mut garbage = Garbage::new();
        self.serve(&mut turn, &mut requests, &mut garbage);
        for _ in 1..COMBINING_ROUNDS {
            match turn.finish() {
                Ok(()) => return self.clean_up(garbage),
                Err(still) => turn = still,
            }
            requests = turn.take_posted();
            self.serve(&mut turn, &mut requests, &mut garbage);
        }
        drop(turn);
        self.clean_up(garbage);
    }

    /// What is left to do when the turn is over and no lock is held: drop operations that every replica has applied.
    fn clean_up(&self, mut garbage: Garbage<D::WriteOperation>) {
        if let Some(log) = self.log.as_ref().filter(|_| Log::<D::WriteOperation>::RECLAIMS_PROMPTLY) {
            log.reclaim(&mut garbage);
        }
    }

    fn serve(&self, turn: &mut Turn<'_, D>, requests: &mut RequestList<D>, garbage: &mut Garbage<D::WriteOperation>) {
        while !requests.is_empty() {
            let mut round = requests.take_front(self.max_batch);
            if self.poison.is_set() {
                round.refuse();
            }
            let operations = round.operations();
            match &self.log {
                None => self.execute_in_place(turn, &mut round),
                Some(log) => self.execute_through(log, turn, &mut round, operations as u64, garbage),
            }
            let counters = &turn.replica().counters;
            counters.rounds.add_exclusive(u64::from(operations > 0));
            counters.operations.add_exclusive(operations as u64);
            round.answer();
        }
    }

    /// A round without a log.
    fn execute_in_place(&self, turn: &mut Turn<'_, D>, round: &mut RequestList<D>) {
        turn.write(|data| {
            round.execute(data);
            if round.has_panic() {
                self.poison.report();
            }
        });
    }

    /// A round through the log, or a look whether there is something to replay.
    fn execute_through(
        &self,
        log: &Log<D::WriteOperation>,
        turn: &mut Turn<'_, D>,
        requests: &mut RequestList<D>,
        operations: u64,
        garbage: &mut Garbage<D::WriteOperation>,
    ) {
        if operations == 0 {
            // SAFETY: our turn, until the end of the function.
            let published = unsafe { log.completed_for(turn.replica().index) };
            self.replay(log, turn, &published, u64::MAX, |_| {});
            return;
        }
        self.round(log, turn, operations, garbage, |reservation| {
            requests.append(log, reservation);
            requests.responder()
        });
    }

    /// A round of so many operations through the log: reserve, have `append` publish them, replay up to there. What
    /// `append` returns is given their results, in order.
    fn round<R: FnMut(Result<D::Response, Payload>)>(
        &self,
        log: &Log<D::WriteOperation>,
        turn: &mut Turn<'_, D>,
        operations: u64,
        garbage: &mut Garbage<D::WriteOperation>,
        append: impl FnOnce(&Reservation) -> R,
    ) {
        let reservation = self.reserve(log, turn, operations, garbage);
        let respond = append(&reservation);
        // SAFETY: our turn, until the end of the function.
        let published = unsafe { log.await_published(turn.replica().index, reservation.end()) };
        self.replay(log, turn, &published, reservation.start(), respond);
        self.help_laggards(log, turn, &reservation);
    }

    /// Replays `published` into the replica whose turn it is; the results from position `own` on go to `respond`.
    pub(crate) fn replay(
        &self,
        log: &Log<D::WriteOperation>,
        turn: &mut Turn<'_, D>,
        published: &Published<'_, D::WriteOperation>,
        own: u64,
        mut respond: impl FnMut(Result<D::Response, Payload>),
    ) {
        let replica = turn.replica();
        if published.len() == 0 {
            return;
        }
        turn.write(|data| {
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
            // SAFETY: our turn; executed just now, and seen published by whoever made `published`.
            unsafe { log.advance(replica.index, published.end()) };
        });
        replica.counters.replayed.add_exclusive(published.before(own));
    }
}

/// What an operation of another replica has answered, or panicked with, is for its caller there.
fn drop_result<R>(result: Result<R, Payload>) {
    match result {
        Ok(response) => contain(|| drop(response)),
        Err(payload) => discard(payload),
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
