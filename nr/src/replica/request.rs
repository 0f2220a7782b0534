//! A thread's request to the combiner of its replica, and the answer.
//!
//! A request lies on the stack of the thread that makes it, which waits until it is answered; so nothing is kept per
//! handle or per thread, and a combiner meets only requests that are pending.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::{iter, ptr};

use crate::dispatch::Dispatch;
use crate::log::{Garbage, Log, PREFETCH_DISTANCE, Reservation};
use crate::panic::{Payload, catch, contain, discard, resume};
use crate::replica::Poison;
use crate::replica::combiner::Operations;
use crate::sync::{AtomicBool, AtomicU32, Ordering, UnsafeCell, park, unpark_one};

/// Posted, or about to be; its thread is awake.
const PENDING: u32 = 0;
/// Posted; its thread is parked or about to park.
const PARKED: u32 = 1;
/// Done, and to be answered by a combiner whose turn may be over; its thread, which was parked, has nothing to do but sleep.
const PROMISED: u32 = 2;
/// Answered: the request belongs to its thread again, and to nobody else.
const ANSWERED: u32 = 3;

/// What is to be done, and what came of it: for small operations in one cache line, which goes to the combiner and comes back.
#[repr(align(64))]
pub(crate) struct Request<D: Dispatch> {
    /// `PENDING` ⇄ `PARKED` by the thread itself; `PARKED` → `PROMISED` and all → `ANSWERED` by the combiner, which after that
    /// does not touch the request.
    state: AtomicU32,
    /// Whether this thread is to go on for a combiner that left: that one, or the thread itself, has decided so.
    invited: AtomicBool,
    /// The request that was posted before. For whose the request is: of the thread that made it until it posts it; then of
    /// who holds the combiner lock, who takes it from the queue; and of that thread until it answers, even when its turn is over.
    next: UnsafeCell<*const Request<D>>,
    /// For whose the request is, as above, and once it is answered for the thread that made it.
    work: UnsafeCell<Work<D>>,
}

/// What is to be done, and what came of it.
pub(crate) struct Work<D: Dispatch> {
    pub(crate) task: Task<D>,
    /// Nothing was done, and `task` is as it was given: the structure is poisoned, or the replica has been removed.
    pub(crate) refused: Option<Refusal>,
    /// How many operations have been appended to the log.
    appended: u32,
}

/// Several operations, with nothing between them.
pub(crate) struct Batch<D: Dispatch> {
    pub(crate) operations: Vec<D::WriteOperation>,
    /// There is room for all of them from the start. After a panic nobody sees them; they are dropped by who asked for them.
    pub(crate) responses: Vec<D::Response>,
    /// The first panic among them.
    pub(crate) panic: Option<Payload>,
}

/// A copy of a replica, wanted or made.
pub(crate) struct Copy<D: Dispatch> {
    pub(crate) clone: fn(&D) -> D,
    /// The place that it is for, and the node of its memory.
    pub(crate) newcomer: usize,
    pub(crate) node: usize,
    pub(crate) copy: Option<Result<Box<D>, Payload>>,
}

/// Why operations are handed back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Poisoned,
    /// The replica has been removed: another one will take them.
    Removed,
}

/// What was not done, and is handed back.
pub(crate) struct Refused<T> {
    pub(crate) reason: Refusal,
    pub(crate) returned: T,
}

/// Of a size that does not depend on the structure's: it lies on a stack, and is moved.
pub(crate) enum Task<D: Dispatch> {
    /// Bring the replica up to what is completed now.
    CatchUp,
    /// Make a copy of the replica for another, on that node, and let it take part in the log from there on.
    Copy(Box<Copy<D>>),
    /// Be removed, and give the structure out.
    Leave { data: Option<Box<D>> },
    /// Go on without the log, as the only one that is left.
    Settle,
    /// Execute one operation. (A panic is boxed once more, which makes it as small as most responses.)
    One { operation: Option<D::WriteOperation>, response: Option<Result<D::Response, Box<Payload>>> },
    /// Execute several, with nothing between them.
    Batch(Box<Batch<D>>),
}

/// Why a task comes back with what came of it.
const OUTCOME: &str = "an answered task has its responses, a panic, or was refused";

impl<D: Dispatch> Task<D> {
    pub(crate) fn one(operation: D::WriteOperation) -> Self {
        Self::One { operation: Some(operation), response: None }
    }
}

impl<D: Dispatch> Work<D> {
    pub(crate) fn new(task: Task<D>) -> Self {
        Self { task, refused: None, appended: 0 }
    }

    /// What came of one operation; goes on with its panic.
    pub(crate) fn into_response(self) -> Result<D::Response, Refused<D::WriteOperation>> {
        match (self.task, self.refused) {
            (Task::One { operation: Some(returned), .. }, Some(reason)) => Err(Refused { reason, returned }),
            (Task::One { operation, response: Some(response) }, _) => {
                contain(|| drop(operation));
                response.map_err(|payload| resume(*payload))
            }
            _ => unreachable!("{OUTCOME}"),
        }
    }

    /// What came of several operations; goes on with the first panic among them.
    pub(crate) fn into_responses(self) -> Result<Vec<D::Response>, Refused<Vec<D::WriteOperation>>> {
        match (self.task, self.refused) {
            (Task::Batch(batch), Some(reason)) => Err(Refused { reason, returned: batch.operations }),
            (Task::Batch(batch), None) => {
                let Batch { operations, responses, panic } = *batch;
                drop(Garbage::from(operations));
                match panic {
                    None => Ok(responses),
                    Some(payload) => {
                        drop(Garbage::from(responses));
                        resume(payload)
                    }
                }
            }
            _ => unreachable!("{OUTCOME}"),
        }
    }

    fn is_catch_up(&self) -> bool {
        matches!(self.task, Task::CatchUp)
    }

    /// Whether it is about the replica and not about operations.
    fn is_errand(&self) -> bool {
        match self.task {
            Task::CatchUp | Task::Copy(_) | Task::Leave { .. } | Task::Settle => true,
            Task::One { .. } | Task::Batch(_) => false,
        }
    }

    /// How many operations are still to be executed.
    fn operations(&self) -> usize {
        match &self.task {
            _ if self.refused.is_some() => 0,
            Task::CatchUp | Task::Copy(_) | Task::Leave { .. } | Task::Settle => 0,
            Task::One { operation, .. } => usize::from(operation.is_some()),
            Task::Batch(batch) => batch.operations.len(),
        }
    }

    fn has_panicked(&self) -> bool {
        match &self.task {
            Task::CatchUp | Task::Copy(_) | Task::Leave { .. } | Task::Settle => false,
            Task::One { response, .. } => matches!(response, Some(Err(_))),
            Task::Batch(batch) => batch.panic.is_some(),
        }
    }

    /// Hands the operations back, even if there are none of them.
    fn refuse(&mut self, reason: Refusal) {
        self.refused = (!self.is_errand()).then_some(reason);
    }

    /// Executes the operations where they are.
    fn execute(&mut self, data: &mut D) {
        match &mut self.task {
            _ if self.refused.is_some() => {}
            Task::CatchUp | Task::Copy(_) | Task::Leave { .. } | Task::Settle => {}
            Task::One { operation, response } => {
                if let Some(operation) = operation {
                    *response = Some(catch(|| data.dispatch_mut(operation)).map_err(Box::new));
                }
            }
            Task::Batch(batch) => {
                for index in 0..batch.operations.len() {
                    if let Some(ahead) = batch.operations.get(index + PREFETCH_DISTANCE) {
                        contain(|| data.prefetch(ahead));
                    }
                    let result = catch(|| data.dispatch_mut(&batch.operations[index]));
                    batch.respond(result);
                }
            }
        }
    }

    /// Moves the operations out, in order. For work that has not been refused.
    fn take_operations(&mut self, mut take: impl FnMut(D::WriteOperation)) {
        debug_assert!(self.refused.is_none());
        self.appended = self.operations() as u32;
        match &mut self.task {
            Task::CatchUp | Task::Copy(_) | Task::Leave { .. } | Task::Settle => {}
            Task::One { operation, .. } => {
                if let Some(operation) = operation.take() {
                    take(operation);
                }
            }
            Task::Batch(batch) => batch.operations.drain(..).for_each(take),
        }
    }

    /// Takes the result of the next operation.
    fn respond(&mut self, result: Result<D::Response, Payload>) {
        match &mut self.task {
            Task::CatchUp | Task::Copy(_) | Task::Leave { .. } | Task::Settle => {}
            Task::One { response, .. } => *response = Some(result.map_err(Box::new)),
            Task::Batch(batch) => batch.respond(result),
        }
    }
}

impl<D: Dispatch> Batch<D> {
    pub(crate) fn new(operations: Vec<D::WriteOperation>) -> Self {
        let responses = Vec::with_capacity(operations.len());
        Self { operations, responses, panic: None }
    }

    /// Takes the result of the next operation.
    fn respond(&mut self, result: Result<D::Response, Payload>) {
        match (result, &self.panic) {
            (Ok(response), _) => self.responses.push(response),
            (Err(payload), None) => self.panic = Some(payload),
            (Err(payload), Some(_)) => discard(payload),
        }
    }
}

impl<D: Dispatch> Request<D> {
    pub(crate) fn new(task: Task<D>) -> Self {
        Self {
            state: AtomicU32::new(PENDING),
            invited: AtomicBool::new(false),
            next: UnsafeCell::new(ptr::null()),
            work: UnsafeCell::new(Work::new(task)),
        }
    }

    pub(crate) fn into_work(self) -> Work<D> {
        self.work.into_inner()
    }

    /// The request posted before this one.
    ///
    /// # Safety
    /// The request is the caller's: made by it and not yet posted, or posted to a queue whose lock the caller holds, or taken
    /// from there by it and not yet answered.
    pub(crate) unsafe fn next(&self) -> *const Self {
        self.next.with(|next| {
            // SAFETY: the caller has the sole right to the field (see its rules).
            unsafe { *next }
        })
    }

    /// # Safety
    /// As for [`next`](Self::next).
    pub(crate) unsafe fn set_next(&self, request: *const Self) {
        self.next.with_mut(|next| {
            // SAFETY: the caller has the sole right to the field (see its rules).
            unsafe { *next = request };
        });
    }

    /// # Safety
    /// As for [`next`](Self::next).
    unsafe fn with_work<R>(&self, f: impl FnOnce(&mut Work<D>) -> R) -> R {
        self.work.with_mut(|work| {
            // SAFETY: the caller has the sole right to the field (see its rules).
            f(unsafe { &mut *work })
        })
    }

    pub(crate) fn is_answered(&self) -> bool {
        // Acquire: pairs with the Release in `answer`; the results are visible. Weakened, the model `request_post_answer` sees
        // the work read while the combiner writes it.
        self.state.load(Ordering::Acquire) == ANSWERED
    }

    /// Whether the answer is on its way, whoever has the turn.
    pub(crate) fn is_promised(&self) -> bool {
        // Relaxed: a hint; `is_answered` acquires.
        self.state.load(Ordering::Relaxed) == PROMISED
    }

    /// Whether the last combiner left it to this thread to go on.
    pub(crate) fn is_invited(&self) -> bool {
        // Relaxed: a hint, of where to look; `CombinerQueue::try_lock` acquires.
        self.invited.load(Ordering::Relaxed)
    }

    /// Tells the thread that it is to go on, or not.
    pub(crate) fn set_invited(&self, invited: bool) {
        // Relaxed: as above.
        self.invited.store(invited, Ordering::Relaxed);
    }

    /// Sleeps until the request is answered or `unattended` (nobody combines, so its thread should). May return early.
    pub(crate) fn park_unless(&self, unattended: impl FnOnce() -> bool) {
        // Relaxed, both: `is_answered` acquires; that we are parked tells the combiner to unpark, nothing else.
        let _ = self.state.compare_exchange(PENDING, PARKED, Ordering::Relaxed, Ordering::Relaxed);
        // Relaxed: asked under the lock that the combiner's unpark takes after `answer`'s swap.
        park(Self::key_of(self), || match self.state.load(Ordering::Relaxed) {
            PARKED => !unattended(),
            state => state == PROMISED,
        });
        // Relaxed, both: as above. Fails if the request is answered or promised.
        let _ = self.state.compare_exchange(PARKED, PENDING, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// What a parked thread is woken by. Only an address: usable when the request is gone.
    pub(crate) fn key_of(this: *const Self) -> usize {
        this.addr()
    }

    /// Gives the request back to its thread, waking it if need be. It may be gone when this returns.
    ///
    /// # Safety
    /// As for [`next`](Self::next); and the caller does not touch the request again.
    unsafe fn answer(this: *const Self) {
        // SAFETY: not answered yet, so its thread is waiting and the request is alive.
        let request = unsafe { &*this };
        // Release: the results are visible to the thread; pairs with the Acquire in `is_answered`.
        if request.state.swap(ANSWERED, Ordering::Release) != PENDING {
            unpark_one(Self::key_of(this));
        }
    }

    /// Gives the request back to its thread if that is awake, and says whether it did: then it may be gone. Else the answer is
    /// promised.
    ///
    /// # Safety
    /// As for [`answer`](Self::answer), if it does.
    unsafe fn answer_if_awake(this: *const Self) -> bool {
        // SAFETY: as in `answer`.
        let request = unsafe { &*this };
        loop {
            // Release: as in `answer`. Relaxed on failure: nothing has happened.
            if request.state.compare_exchange(PENDING, ANSWERED, Ordering::Release, Ordering::Relaxed).is_ok() {
                return true;
            }
            // Relaxed, both: tells the thread to sleep on, nothing else.
            if request.state.compare_exchange(PARKED, PROMISED, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return false;
            }
        }
    }
}

/// Requests that a combiner has in hand, oldest first. The order in which they were posted is the order in which their operations
/// are executed.
pub(crate) struct RequestList<D: Dispatch> {
    first: *const Request<D>,
}

impl<D: Dispatch> RequestList<D> {
    pub(crate) const fn empty() -> Self {
        Self { first: ptr::null() }
    }

    /// A list of one.
    ///
    /// # Safety
    /// The caller made the request and has not posted it, and answers it, as all in the list, before it leaves.
    pub(crate) unsafe fn of_one(request: &Request<D>) -> Self {
        // An attempt to post it that came too late may have left its mark.
        // SAFETY: made by the caller and not posted.
        unsafe { request.set_next(ptr::null()) };
        Self { first: request }
    }

    /// The chain of posted requests that begins with the `newest`, turned round.
    ///
    /// # Safety
    /// The caller has just taken them from the queue, as the holder of its lock, and answers all of them.
    pub(crate) unsafe fn from_newest(newest: *const Request<D>) -> Self {
        let mut first = ptr::null();
        let mut request = newest;
        while !request.is_null() {
            // SAFETY: pending, so alive.
            let this = unsafe { &*request };
            // SAFETY: pending, and the caller holds the combiner lock.
            let before = unsafe { this.next() };
            // SAFETY: as above.
            unsafe { this.set_next(first) };
            first = request;
            request = before;
        }
        Self { first }
    }

    /// The list as a chain that begins with the newest: what [`from_newest`](Self::from_newest) takes.
    pub(crate) fn into_newest(self) -> *const Request<D> {
        // SAFETY: turning a chain round twice gives the chain; the requests are ours, as the list is.
        unsafe { Self::from_newest(self.first) }.first
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    /// Splits off as many of the oldest requests as together have at most `most` operations, but at least one.
    pub(crate) fn take_front(&mut self, most: usize) -> Self {
        let mut operations = 0;
        let fits = |request: &&Request<D>| {
            // SAFETY: in the list, so ours.
            operations += unsafe { request.with_work(|work| work.operations()) };
            operations <= most || ptr::eq(*request, self.first)
        };
        self.split_after(self.iter().take_while(fits).last().map_or(ptr::null(), ptr::from_ref))
    }

    /// Splits off what is up to `last`, which is in the list unless that is empty.
    fn split_after(&mut self, last: *const Request<D>) -> Self {
        let front = Self { first: self.first };
        // SAFETY: in the list, so not answered, and alive (a null `last` belongs to an empty list).
        if let Some(last) = unsafe { last.as_ref() } {
            // SAFETY: in the list, so ours.
            self.first = unsafe { last.next() };
            // SAFETY: as above.
            unsafe { last.set_next(ptr::null()) };
        }
        front
    }

    /// Puts another list, of the same lock's, behind this one.
    pub(crate) fn append_list(&mut self, other: Self) {
        match self.iter().last() {
            None => *self = other,
            // SAFETY: in the list, so ours.
            Some(last) => unsafe { last.set_next(other.first) },
        }
    }

    /// Whether one of them is about the replica and not about operations.
    pub(crate) fn has_errands(&self) -> bool {
        // SAFETY: in the list, so ours.
        self.iter().any(|request| unsafe { request.with_work(|work| work.is_errand()) })
    }

    /// Runs and answers those that are about the replica, and keeps the others.
    pub(crate) fn answer_errands(&mut self, mut run: impl FnMut(&mut Work<D>)) {
        self.answer_each(|request| {
            // SAFETY: in the list, so not answered, and alive.
            let this = unsafe { &*request };
            // SAFETY: in the list, so ours.
            let is_errand = unsafe { this.with_work(|work| work.is_errand()) };
            if is_errand {
                // SAFETY: as above.
                unsafe { this.with_work(&mut run) };
                // SAFETY: in the list until now, so ours, and not touched again.
                unsafe { Request::answer(request) };
            }
            is_errand
        });
    }

    /// Answers those that want no more than the replica brought up to date, which it is, and keeps the others.
    pub(crate) fn answer_catch_ups(&mut self) {
        self.answer_each(|request| {
            // SAFETY: in the list, so not answered, and alive.
            let this = unsafe { &*request };
            // SAFETY: in the list, so ours.
            let is_catch_up = unsafe { this.with_work(|work| work.is_catch_up()) };
            if is_catch_up {
                // SAFETY: in the list until now, so ours, and not touched again.
                unsafe { Request::answer(request) };
            }
            is_catch_up
        });
    }

    fn iter(&self) -> impl Iterator<Item = &Request<D>> {
        // SAFETY: in the list, so not answered, and alive.
        let mut request = unsafe { self.first.as_ref() };
        iter::from_fn(move || {
            let this = request?;
            // SAFETY: in the list, so ours.
            let next = unsafe { this.next() };
            // SAFETY: in the list, so not answered, and alive.
            request = unsafe { next.as_ref() };
            Some(this)
        })
    }

    fn each(&mut self, mut f: impl FnMut(&mut Work<D>)) {
        for request in self.iter() {
            // SAFETY: in the list, so ours.
            unsafe { request.with_work(&mut f) };
        }
    }

    /// How many operations they have together.
    pub(crate) fn operations(&mut self) -> usize {
        let mut operations = 0;
        self.each(|work| operations += work.operations());
        operations
    }

    /// Hands the operations back to those who posted them.
    pub(crate) fn refuse(&mut self, reason: Refusal) {
        self.each(|work| work.refuse(reason));
    }

    /// Executes the operations where they are, on a replica that has no log, until one of them poisons the structure; answers each request
    /// as soon as it has all of its results, and gives those whose threads have to be woken.
    pub(crate) fn execute(mut self, data: &mut D, poison: &Poison) -> Self {
        self.prefetch(data);
        let mut asleep = Self::empty();
        while let Some(request) = self.pop() {
            // SAFETY: from the list, so not answered, and alive.
            let this = unsafe { &*request };
            let execute = |work: &mut Work<D>| {
                if poison.is_set() {
                    work.refuse(Refusal::Poisoned);
                }
                work.execute(data);
                if work.has_panicked() {
                    poison.report();
                }
            };
            // SAFETY: from the list, so ours.
            unsafe { this.with_work(execute) };
            asleep.answer_or_keep(request);
        }
        asleep
    }

    fn prefetch(&mut self, data: &D) {
        // With one request there is nothing to overlap with.
        for request in self.iter().skip(1) {
            // SAFETY: in the list, so ours.
            unsafe {
                request.with_work(|work| {
                    if let Task::One { operation: Some(operation), .. } = &work.task {
                        contain(|| data.prefetch(operation));
                    }
                });
            }
        }
    }

    /// Gives all requests back to their threads, waking those that have to be woken.
    pub(crate) fn answer(&mut self) {
        self.answer_each(|request| {
            // SAFETY: in the list until now, so ours, and not touched again.
            unsafe { Request::answer(request) };
            true
        });
    }

    /// Takes the first out, which is from then on the caller's to answer.
    fn pop(&mut self) -> Option<*const Request<D>> {
        // SAFETY: in the list, so not answered, and alive.
        let first = unsafe { self.first.as_ref()? };
        // SAFETY: in the list, so ours.
        self.first = unsafe { first.next() };
        Some(first)
    }

    /// Answers a request that was taken out, if its thread is awake; else it is kept in the list, with a promise: waking takes its
    /// time, which is better taken when the turn is over and others can go on.
    fn answer_or_keep(&mut self, request: *const Request<D>) {
        // SAFETY: taken out by the caller, so ours, and not touched again if it is answered.
        if unsafe { !Request::answer_if_awake(request) } {
            // SAFETY: not answered, so alive, and ours.
            unsafe { self.push(request) };
        }
    }

    /// Puts a request in front.
    ///
    /// # Safety
    /// It was taken out by the caller, and not answered.
    unsafe fn push(&mut self, request: *const Request<D>) {
        // SAFETY: not answered, so alive.
        let this = unsafe { &*request };
        // SAFETY: ours, by the caller.
        unsafe { this.set_next(self.first) };
        self.first = request;
    }

    /// Keeps the requests for which `answer` says no.
    fn answer_each(&mut self, mut answer: impl FnMut(*const Request<D>) -> bool) {
        let mut kept = Self::empty();
        let mut last_kept: Option<&Request<D>> = None;
        let mut request = self.first;
        while !request.is_null() {
            // SAFETY: not yet answered, so alive.
            let this = unsafe { &*request };
            // SAFETY: not yet answered, and ours.
            let next = unsafe { this.next() };
            if !answer(request) {
                // SAFETY: as above, `answer` has left it alone.
                unsafe { this.set_next(ptr::null()) };
                match last_kept {
                    None => kept.first = request,
                    // SAFETY: kept, so not answered, and ours.
                    Some(last) => unsafe { last.set_next(request) },
                }
                last_kept = Some(this);
            }
            request = next;
        }
        *self = kept;
    }
}

/// A round's requests on their way through the log: their operations go in, results come out, and each request is answered when it has all of
/// its results and that is [allowed](Operations::release).
pub(crate) struct Responder<D: Dispatch> {
    /// Those that lack results.
    waiting: RequestList<D>,
    /// How many the first of them lacks.
    missing: u32,
    /// Those that have all of them, and wait for [`release`](Self::release).
    done: RequestList<D>,
    is_released: bool,
    /// Those whose threads have to be woken.
    asleep: RequestList<D>,
}

impl<D: Dispatch> Responder<D> {
    pub(crate) fn new(requests: RequestList<D>) -> Self {
        Self {
            waiting: requests,
            missing: 0,
            done: RequestList::empty(),
            is_released: false,
            asleep: RequestList::empty(),
        }
    }

    /// Finds the next request that lacks results; those before it have nothing to wait for.
    fn go_on(&mut self) {
        // SAFETY: in the list, so not answered, and alive.
        while let Some(request) = unsafe { self.waiting.first.as_ref() } {
            // SAFETY: in the list, so ours.
            self.missing = unsafe { request.with_work(|work| work.appended) };
            if self.missing > 0 {
                return;
            }
            self.finish_first();
        }
    }

    /// The first request has all of its results.
    fn finish_first(&mut self) {
        if let Some(request) = self.waiting.pop() {
            if self.is_released {
                self.asleep.answer_or_keep(request);
            } else {
                // SAFETY: taken out just now, so ours.
                unsafe { self.done.push(request) };
            }
        }
    }

    /// All results are there: the requests that are still to be answered, since their threads have to be woken.
    pub(crate) fn into_asleep(mut self) -> RequestList<D> {
        debug_assert!(self.waiting.is_empty());
        self.release();
        self.asleep
    }
}

impl<D: Dispatch> Operations<D> for Responder<D> {
    unsafe fn append(&mut self, log: &Log<D::WriteOperation>, reservation: &Reservation) {
        let mut position = reservation.start();
        self.waiting.each(|work| {
            work.take_operations(|operation| {
                // SAFETY: reserved by our caller for these operations, each of which has a position of its own.
                unsafe { log.publish(reservation, position, operation) };
                position += 1;
            });
        });
        debug_assert_eq!(position, reservation.end(), "as many operations as were counted");
        self.go_on();
    }

    fn release(&mut self) {
        self.is_released = true;
        while let Some(request) = self.done.pop() {
            self.asleep.answer_or_keep(request);
        }
    }

    fn respond(&mut self, result: Result<D::Response, Payload>) {
        // SAFETY: in the list, so not answered, and alive.
        let request = unsafe { self.waiting.first.as_ref() }.expect("a result for each operation that was appended");
        // SAFETY: in the list, so ours.
        unsafe { request.with_work(|work| work.respond(result)) };
        self.missing -= 1;
        if self.missing == 0 {
            self.finish_first();
            self.go_on();
        }
    }
}

#[cfg(all(test, not(loom), not(feature = "shuttle")))]
mod tests;
