//! The combiner lock of a replica and the queue of requests behind it, in one word.
//!
//! Because the two are one atomic, "nobody combines" and "a request is posted" can't slip past each other: a request is posted by the very
//! compare-and-swap that finds the lock held, and the holder lets go by one that finds the queue empty. So a posted request has
//! somebody who owes it an answer, and no fence and no scan over threads is needed for it.
//!
//! There are two exceptions, in which the lock is let go although requests are posted. In both, one thread may be *expected* back: it goes
//! first, and others post meanwhile although nobody holds the lock.
//!
//! # Leaving
//!
//! So that nobody combines for others for ever, the holder leaves after [`COMBINING_LIMIT`](crate::sync::COMBINING_LIMIT) operations. It
//! invites the newest of those who have posted to go on, and wakes it. On one of several replicas it is expected itself: it is
//! likely to be back at once with its next operation, and its caches have the structure. So it takes the lock together with the
//! queue if it comes back within about a microsecond, and has its answers as often as others. Who posts meanwhile invites itself.
//!
//! # Runs
//!
//! On the only replica, an operation that takes less than a cache line's way from core to core is best executed by the thread that has
//! the structure in its caches: and that is the one who has written last, for its own next operation. So a holder who has
//! executed its own does not serve at once what others have posted; it *pauses*: lets go, wakes nobody, and is expected back. Is
//! it back in time, it is in a *run*: it goes on with its own operations only, and is expected even while nothing is posted. It
//! serves all that is posted
//!
//! * after [`STRETCH`] operations, or
//! * as soon as one of those who have posted insists, since it has waited for long or is about to park: it marks the word as urgent, and
//!   nobody pauses on a word with that mark, which goes only when all that is posted is taken.
//!
//! The run ends when nobody has posted anything for a stretch; when the runner stays away, which those who have posted look
//! out for ([`wait`](super::wait)): after that, the next [`DOUBTS`] times that somebody would pause it serves instead; and
//! after [`REIGN`] interruptions, when the runner leaves, so that others have the advantage as often.
//!
//! Batches take no part in runs: who is back in time with one serves first what is posted.
//!
//! # Why nobody gets stuck
//!
//! A thread parks only after it has insisted, and only if it finds, under the lock that an unpark takes too, that the combiner lock is held;
//! or when it has been promised an answer, by a thread that has the request in hand. So the request of one who sleeps is in the hands of the holder,
//! who answers it or puts it back as urgent, or in a word that is urgent. Such a word is let go only by leaving, or when a turn is dropped,
//! which first lets go and then unparks the newest. While the word is not urgent, nobody whose request is in it sleeps, and
//! each looks for itself after a while whether anybody holds the lock. So while requests are posted and nobody holds the lock, the thread
//! of at least one is awake and on its way to take it.

use core::mem::ManuallyDrop;
use core::ptr;

use crate::dispatch::Dispatch;
use crate::replica::request::{Request, RequestList};
use crate::replica::{Replica, Standing};
use crate::sync::{AtomicPtr, DOUBTS, Hint, Ordering, REIGN, STRETCH};

/// Set in the word while somebody combines. Requests are aligned to more than these marks.
const LOCKED: usize = 1;
/// Set in the word while somebody whose request is in it waits for too long already, or sleeps.
const URGENT: usize = 2;
/// Set in the word while nobody holds the lock, and others than who is expected post.
const EXPECTED: usize = 4;
const MARKS: usize = LOCKED | URGENT | EXPECTED;

/// The newest of the posted requests, or null, and marks:
///
/// | posted | marks | meaning |
/// |---|---|---|
/// | none | | nobody combines |
/// | any | `LOCKED` | somebody combines |
/// | some | `EXPECTED` | nobody combines: who did has paused or left |
/// | none | `EXPECTED` | nobody combines: who did has paused in a run |
///
/// `URGENT` goes with each of these in which something is posted.
#[derive(Debug)]
pub(crate) struct CombinerQueue<D: Dispatch> {
    word: AtomicPtr<Request<D>>,
    /// Who is expected back, if anybody is. As the others, changed by the holder.
    expected: Hint,
    /// How often holders have paused, or served instead.
    pauses: Hint,
    /// How many of those since the runner has last served others.
    stretch: Hint,
    /// How often the runner has served others.
    interruptions: Hint,
    /// For how many pauses more it is unlikely that anybody is back from one in time.
    doubts: Hint,
}

/// For whom a thread works: a handle. For hints only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller(u64);

impl Caller {
    /// No handle.
    pub(crate) const NONE: Self = Self(0);

    /// That of a handle that so many have been made before.
    pub(crate) fn new(before: u64) -> Self {
        Self(before + 1)
    }
}

/// The newest request in the word, and the marks.
fn split<D: Dispatch>(word: *mut Request<D>) -> (*mut Request<D>, usize) {
    (word.map_addr(|address| address & !MARKS), word.addr() & MARKS)
}

fn with<D: Dispatch>(word: *mut Request<D>, marks: usize) -> *mut Request<D> {
    word.map_addr(|address| address | marks)
}

fn without<D: Dispatch>(word: *mut Request<D>, marks: usize) -> *mut Request<D> {
    word.map_addr(|address| address & !marks)
}

/// With the lock held.
fn locked<D: Dispatch>(word: *mut Request<D>) -> *mut Request<D> {
    with(without(word, EXPECTED), LOCKED)
}

impl<D: Dispatch> CombinerQueue<D> {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicPtr::new(ptr::null_mut()),
            expected: Hint::default(),
            pauses: Hint::default(),
            stretch: Hint::default(),
            interruptions: Hint::default(),
            doubts: Hint::default(),
        }
    }

    /// Takes the lock if nobody has it, nothing is posted, and nobody is expected: what a lone writer does.
    #[inline]
    fn try_lock_idle(&self) -> bool {
        // Acquire: what the previous holder did to the replica is visible; pairs with the Release of `try_unlock`,
        // `try_pause` and `leave`. Weakened, the model `poison_is_seen_by_whoever_is_next` fails; for the replica's data alone the fence of
        // its lock would do. Relaxed on failure: nothing is read on the strength of it.
        self.word
            .compare_exchange(ptr::null_mut(), locked(ptr::null_mut()), Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Takes the lock if `caller` is expected back, whatever is posted, which stays so: the run goes on.
    fn try_resume(&self, caller: Caller) -> bool {
        // Relaxed: the exchange decides.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if split(word).1 & (LOCKED | EXPECTED) != EXPECTED || self.expected.get() != caller.0 {
                return false;
            }
            // Acquire: as in `try_lock_idle`, since a stale hint may let a caller in where another has paused, whose operation has
            // panicked. No model fails if it is weakened: they don't search hints. Relaxed on failure: as above.
            match self.word.compare_exchange_weak(word, locked(word), Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Takes the lock if nobody has it, together with what may be posted.
    fn try_lock(&self) -> bool {
        // Relaxed: the exchange decides.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let (_, marks) = split(word);
            if marks & LOCKED != 0 {
                return false;
            }
            // Acquire: as in `try_lock_idle`. Relaxed on failure: as above.
            match self.word.compare_exchange_weak(word, locked(word), Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        if split(word).1 & EXPECTED != 0 && self.expected.get() != Caller::NONE.0 {
            self.doubts.set(DOUBTS);
        }
        true
    }

    /// Tells who combines, or is expected to, that somebody who has posted can't wait. To be called before one parks.
    pub(crate) fn insist(&self) {
        // Relaxed: the exchange decides.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let (newest, marks) = split(word);
            // Else the holder has all there is in hand, or has been told.
            if newest.is_null() || marks & URGENT != 0 {
                return;
            }
            // Relaxed, both: orders nothing; whoever wants to pause finds it in its own exchange.
            match self.word.compare_exchange_weak(word, with(word, URGENT), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Takes the lock (true), or posts `request` to who has it or is expected to take it (false).
    ///
    /// On one of several replicas, `invites_itself`: who posts while another is expected back looks after that.
    fn lock_or_post(&self, request: &Request<D>, caller: Caller, invites_itself: bool) -> bool {
        // Relaxed: the exchange decides.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let (newest, marks) = split(word);
            let is_held = marks & LOCKED != 0;
            let posts = is_held || marks & EXPECTED != 0 && self.expected.get() != caller.0;
            let wanted = if posts {
                // SAFETY: not posted yet, and made by this thread.
                unsafe { request.set_next(newest) };
                with(ptr::from_ref(request).cast_mut(), marks)
            } else {
                locked(word)
            };
            request.set_invited(posts && !is_held && invites_itself);
            // Acquire: as in `try_lock_idle`, when we take the lock. Release: when we post, the request is visible to who
            // takes it from the queue; pairs with the Acquire in `take_posted`. Weakened, the model `request_post_answer`
            // sees the work read while it is being written. Relaxed on failure: as above.
            match self.word.compare_exchange_weak(word, wanted, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return !posts,
                Err(now) => word = now,
            }
        }
    }

    /// Whether nobody combines.
    pub(crate) fn is_unattended(&self) -> bool {
        // Relaxed: a hint, or asked under the parking lot's lock (see the module).
        split(self.word.load(Ordering::Relaxed)).1 & LOCKED == 0
    }

    /// Whether something is posted, nobody combines, and nobody is expected back: it is for who is invited.
    pub(crate) fn is_handed_over(&self) -> bool {
        // Relaxed: a hint.
        let (newest, marks) = split(self.word.load(Ordering::Relaxed));
        marks & LOCKED == 0 && !newest.is_null() && self.expected.get() == Caller::NONE.0
    }

    /// How often holders have paused, or served instead: changes as long as a run goes on.
    pub(crate) fn pauses(&self) -> u64 {
        self.pauses.get()
    }

    /// Takes what has been posted, keeping the lock. For the holder.
    fn take_posted(&self) -> *const Request<D> {
        // Acquire: the requests are visible; pairs with the Release in `lock_or_post`, each of which this reads from
        // through the chain of exchanges on the word.
        split(self.word.swap(locked(ptr::null_mut()), Ordering::Acquire)).0
    }

    /// Lets go if nothing is posted. For the holder.
    #[inline]
    fn try_unlock(&self) -> bool {
        // Release: what the holder did is visible to the next; pairs with the Acquire of whoever locks. Relaxed on
        // failure: we keep the lock.
        self.word
            .compare_exchange(locked(ptr::null_mut()), ptr::null_mut(), Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// Lets go for a moment, unless what is posted is to be served. `caller` is expected back if something is, and in a run.
    /// For the holder.
    fn try_pause(&self, caller: Caller, in_run: bool) -> bool {
        if self.expected.get() != caller.0 {
            self.expected.set(caller.0);
            self.stretch.set(0);
            self.interruptions.set(0);
        }
        self.pauses.set(self.pauses.get().wrapping_add(1));
        self.stretch.set(self.stretch.get() + 1);
        let stretch = self.stretch.get();
        let doubts = self.doubts.get();
        // Relaxed: the exchange decides.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let (newest, marks) = split(word);
            let is_asked = !newest.is_null();
            if is_asked && (marks & URGENT != 0 || stretch >= STRETCH || doubts > 0) {
                self.stretch.set(0);
                self.interruptions.set(self.interruptions.get() + 1);
                self.doubts.set(doubts.saturating_sub(1));
                return false;
            }
            let goes_on = is_asked || in_run && stretch < 2 * STRETCH;
            let wanted = if goes_on { with(newest, EXPECTED) } else { newest };
            // Release: as in `try_unlock`; the requests' own release goes on through this exchange. Relaxed on failure: we keep the lock.
            match self.word.compare_exchange_weak(word, wanted, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Lets go whatever is posted, and says which request is the newest, whose thread is invited to go on. For the holder.
    fn leave(&self) -> *const Request<D> {
        // Acquire, here and on failure: the newest request is visible; pairs with the Release in `lock_or_post`.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let (newest, _) = split(word);
            // SAFETY: posted to the queue whose lock we still hold, so not answered, and alive.
            if let Some(newest) = unsafe { newest.as_ref() } {
                newest.set_invited(true);
            }
            // Release: as in `try_unlock`; the requests' own release goes on through this exchange.
            let wanted = if newest.is_null() { newest } else { with(without(word, LOCKED), EXPECTED) };
            match self.word.compare_exchange_weak(word, wanted, Ordering::Release, Ordering::Acquire) {
                Ok(_) => return newest,
                Err(now) => word = now,
            }
        }
    }
}

/// The combiner lock of a replica, held: the right to apply operations to it, to move its `applied`, and to take what is
/// posted. Dropped, it leaves to others what is posted.
pub(crate) struct Turn<'a, D: Dispatch> {
    replica: &'a Replica<D>,
    /// Whether the holder has come back in time from a pause.
    in_run: bool,
}

impl<'a, D: Dispatch> Turn<'a, D> {
    /// If nobody combines, and nobody has anything to be done.
    #[inline]
    pub(crate) fn attempt_idle(replica: &'a Replica<D>) -> Option<Self> {
        replica.queue.try_lock_idle().then(|| Self { replica, in_run: false })
    }

    /// If nobody combines and the caller is expected back, on the only replica: its run goes on.
    pub(crate) fn resume(replica: &'a Replica<D>, caller: Caller) -> Option<Self> {
        (replica.is_alone() && replica.queue.try_resume(caller)).then(|| Self { replica, in_run: true })
    }

    /// If nobody combines.
    pub(crate) fn attempt(replica: &'a Replica<D>) -> Option<Self> {
        replica.queue.try_lock().then(|| Self { replica, in_run: false })
    }

    /// A turn; or else `request` is posted and will be answered, by who has the turn now or by who finds the queue
    /// [unattended](CombinerQueue::is_unattended).
    ///
    /// # Safety
    /// `request` stays where it is until it is answered, or until the turn returned here is over.
    pub(crate) unsafe fn or_post(replica: &'a Replica<D>, request: &Request<D>, caller: Caller) -> Option<Self> {
        replica.queue.lock_or_post(request, caller, !replica.is_alone()).then(|| Self { replica, in_run: false })
    }

    pub(crate) fn replica(&self) -> &'a Replica<D> {
        self.replica
    }

    /// What has been posted since the last time.
    pub(crate) fn take_posted(&mut self) -> RequestList<D> {
        // SAFETY: from the queue, whose lock we hold; `combine` keeps the turn until it has answered or promised each, or put it back; it still has those that are promised.
        unsafe { RequestList::from_newest(self.replica.queue.take_posted()) }
    }

    /// As [`take_posted`](Self::take_posted), without disturbing those who post if there is nothing.
    pub(crate) fn take_posted_if_any(&mut self) -> RequestList<D> {
        // Relaxed: a hint.
        let (newest, _) = split(self.replica.queue.word.load(Ordering::Relaxed));
        if newest.is_null() { RequestList::empty() } else { self.take_posted() }
    }

    /// Puts requests back that were taken, before those posted since; for this turn or another to take again. Ends: each
    /// failure means that one more thread has posted, and waits. They are urgent now: some may sleep already.
    pub(crate) fn put_back(&mut self, mut requests: RequestList<D>) {
        while !requests.is_empty() {
            let newest = requests.into_newest().cast_mut();
            // Relaxed, both: the links that we have written are for us, who take the requests again, or for who comes after us, to
            // whom `leave` hands them on: weakened there, the model `who_makes_room_leaves_writers_posted` fails.
            let put = self.replica.queue.word.compare_exchange(
                locked(ptr::null_mut()),
                with(newest, LOCKED | URGENT),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            if put.is_ok() {
                return;
            }
            // SAFETY: taken from the queue by us, and not answered.
            requests = unsafe { RequestList::from_newest(newest) };
            requests.append_list(self.take_posted());
        }
    }

    /// Applies something to the replica, alone.
    #[inline]
    pub(crate) fn write<R>(&mut self, f: impl FnOnce(&mut D) -> R) -> R {
        debug_assert!(self.replica.is_present());
        // SAFETY: a turn is the combiner lock held, and borrowed mutably here: one writer. Open, since the replica is present.
        unsafe { self.replica.lock.write(f) }
    }

    /// As [`write`](Self::write), but None instead of waiting for readers, and if the replica is absent.
    pub(crate) fn try_write<R>(&mut self, f: impl FnOnce(&mut D) -> R) -> Option<R> {
        // SAFETY: as in `write`; open or not.
        unsafe { self.replica.lock.try_write(f) }
    }

    /// Looks at the replica, beside its readers.
    pub(crate) fn read<R>(&self, f: impl FnOnce(&D) -> R) -> R {
        debug_assert!(self.replica.is_present());
        // SAFETY: as in `write`; who could write, by `&mut self`, does not meanwhile.
        unsafe { self.replica.lock.read_as_writer(f) }
    }

    /// Takes the structure out: the replica is there no longer.
    pub(crate) fn remove(&mut self) -> D {
        debug_assert!(self.replica.is_present());
        self.replica.set_standing(Standing::Absent);
        // SAFETY: as in `write`.
        unsafe { self.replica.lock.close() }
    }

    /// Puts a structure in: the replica is there from now on, as one of several.
    pub(crate) fn install(&mut self, data: D) {
        debug_assert!(!self.replica.is_present());
        // SAFETY: our turn, and the lock is closed, since the replica is absent.
        unsafe { self.replica.lock.open(data) };
        self.replica.set_standing(Standing::Member);
    }

    /// Ends the turn, whatever is posted. The caller is expected back, if it is one; else it is for who is invited to go on.
    pub(crate) fn leave(self, caller: Caller) {
        self.replica.queue.expected.set(caller.0);
        ManuallyDrop::new(self).let_go();
    }

    fn let_go(&self) {
        let newest = self.replica.queue.leave();
        if !newest.is_null() {
            // By address only: once we have let go, the request may be answered and gone.
            crate::sync::unpark_one(Request::key_of(newest));
        }
    }

    /// Ends the turn if nothing is posted, and it is not in a run.
    #[inline]
    pub(crate) fn finish_idle(self) -> Result<(), Self> {
        if self.in_run || !self.replica.queue.try_unlock() {
            return Err(self);
        }
        core::mem::forget(self);
        Ok(())
    }

    /// Ends the turn, unless what is posted is to be served: on one of several replicas all of it, on the only one as a [run](self#runs)
    /// has it.
    pub(crate) fn finish(self, caller: Caller) -> Result<(), Self> {
        self.finish_idle().or_else(|turn| turn.finish_slowly(caller))
    }

    /// As [`finish`](Self::finish), when the short way has failed.
    pub(crate) fn finish_slowly(self, caller: Caller) -> Result<(), Self> {
        let queue = &self.replica.queue;
        let may_run = self.replica.is_alone() && caller != Caller::NONE;
        let is_over = if may_run { queue.try_pause(caller, self.in_run) } else { queue.try_unlock() };
        if is_over {
            core::mem::forget(self);
            return Ok(());
        }
        if may_run && queue.interruptions.get() >= REIGN {
            queue.interruptions.set(0);
            self.leave(Caller::NONE);
            return Ok(());
        }
        Err(self)
    }
}

impl<D: Dispatch> Drop for Turn<'_, D> {
    fn drop(&mut self) {
        // A helper does not stand in the way of who is expected on one of several replicas. On the only one nobody is, after a panic.
        if self.replica.is_alone() {
            self.replica.queue.expected.set(Caller::NONE.0);
        }
        self.let_go();
    }
}

#[cfg(all(test, not(loom), not(feature = "shuttle")))]
mod tests;
