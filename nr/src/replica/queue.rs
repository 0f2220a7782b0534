//! The combiner lock of a replica and the queue of requests behind it, in one word.
//!
//! Because the two are one atomic, "nobody combines" and "a request is posted" can't slip past each other: a request is
//! posted only onto a lock that is held, by the very compare-and-swap that finds it held, and the holder lets go only by one
//! that finds the queue empty. So a posted request always has somebody who owes it an answer, and no fence, no scan
//! over threads and no timed wake-up is needed for it.
//!
//! One exception keeps a thread from combining for others for ever: after [`COMBINING_LIMIT`](crate::sync::COMBINING_LIMIT)
//! operations the holder leaves although requests are posted. It is likely to be back at once with its next operation, and its caches
//! have the structure: so it is the one who should go on, and has its answers as often as others. It takes the lock together with
//! the queue if it comes back within about a microsecond; meanwhile others post, though nobody holds the lock. After that, any of
//! those who have posted takes it. The leaver invites the newest of them to look after that, and wakes it; one that posts after the leaver
//! has gone invites itself.
//!
//! No wake-up is lost: the leaver first lets go and then unparks; a thread parks only if it finds, under the lock that the
//! unpark takes too, that the combiner lock is held. So while requests are posted and nobody holds the lock, the thread of at
//! least one is awake and on its way to take it.

use core::ptr;

use crate::dispatch::Dispatch;
use crate::replica::request::{Request, RequestList};
use crate::replica::{ReaderCell, Replica, Standing};
use crate::sync::{AtomicPtr, Hint, Ordering};

/// Set in the word while somebody combines. Requests are aligned to more than this.
const LOCKED: usize = 1;

/// | word | meaning |
/// |---|---|
/// | null | nobody combines, nothing is posted |
/// | `LOCKED` | somebody combines, nothing is posted |
/// | newest request + `LOCKED` | somebody combines and owes the posted requests an answer |
/// | newest request | nobody combines; the last combiner's turn is over and it has left these to itself, if it is back soon, or to their threads |
#[derive(Debug)]
pub(crate) struct CombinerQueue<D: Dispatch> {
    word: AtomicPtr<Request<D>>,
    /// The last who left although requests were posted.
    leaver: Hint,
}

/// For whom a thread works: its handle, by the address of its reader cell. For hints only, since handles may share a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller(u64);

impl Caller {
    /// No handle.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn of(cell: &ReaderCell) -> Self {
        Self(ptr::from_ref(cell).addr() as u64)
    }
}

/// Splits the word into the newest request and whether the lock is held.
fn split<D: Dispatch>(word: *mut Request<D>) -> (*mut Request<D>, bool) {
    (word.map_addr(|address| address & !LOCKED), word.addr() & LOCKED != 0)
}

fn locked<D: Dispatch>(newest: *mut Request<D>) -> *mut Request<D> {
    newest.map_addr(|address| address | LOCKED)
}

impl<D: Dispatch> CombinerQueue<D> {
    pub(crate) fn new() -> Self {
        Self { word: AtomicPtr::new(ptr::null_mut()), leaver: Hint::default() }
    }

    /// Takes the lock if nobody has it and nothing is posted: what a lone writer does.
    #[inline]
    pub(crate) fn try_lock_idle(&self) -> bool {
        // Acquire: what the previous holder did to the replica is visible; pairs with the Release of `try_unlock` and
        // `leave`. Weakened, the model `poison_is_seen_by_whoever_is_next` fails; for the replica's data alone the fence of
        // its lock would do. Relaxed on failure: nothing is read on the strength of it.
        self.word
            .compare_exchange(ptr::null_mut(), locked(ptr::null_mut()), Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Takes the lock if nobody has it, together with what may be posted.
    fn try_lock(&self) -> bool {
        // Relaxed: the exchange decides.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let (newest, held) = split(word);
            if held {
                return false;
            }
            // Acquire: as in `try_lock_idle`. Relaxed on failure: as above.
            match self.word.compare_exchange_weak(word, locked(newest), Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Takes the lock (true), or posts `request` to who has it or is expected to take it (false).
    fn lock_or_post(&self, request: &Request<D>, caller: Caller) -> bool {
        // Relaxed: the exchange decides.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let (newest, held) = split(word);
            let ours = ptr::from_ref(request).cast_mut();
            let posts = held || !newest.is_null() && self.leaver.get() != caller.0;
            let wanted = if posts {
                // SAFETY: not posted yet, and made by this thread.
                unsafe { request.set_next(newest) };
                if held { locked(ours) } else { ours }
            } else {
                locked(newest)
            };
            request.set_invited(posts && !held);
            // Acquire: as in `try_lock_idle`, when we take the lock. Release: when we post, the request is visible to who
            // takes it from the queue; pairs with the Acquire in `take_posted`. Weakened, the model `request_post_answer`
            // sees the work read while it is being written. Relaxed on failure: as above.
            match self.word.compare_exchange_weak(word, wanted, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return !posts,
                Err(now) => word = now,
            }
        }
    }

    /// Whether nobody combines and nothing is posted.
    pub(crate) fn is_idle(&self) -> bool {
        // Relaxed: a hint.
        self.word.load(Ordering::Relaxed).is_null()
    }

    /// Whether nobody combines, and something is posted.
    pub(crate) fn is_left(&self) -> bool {
        // Relaxed: a hint.
        let (newest, held) = split(self.word.load(Ordering::Relaxed));
        !held && !newest.is_null()
    }

    /// Whether nobody combines.
    pub(crate) fn is_unattended(&self) -> bool {
        // Relaxed: a hint, or asked under the parking lot's lock (see the module).
        !split(self.word.load(Ordering::Relaxed)).1
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
            match self.word.compare_exchange_weak(word, newest, Ordering::Release, Ordering::Acquire) {
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
}

impl<'a, D: Dispatch> Turn<'a, D> {
    /// The turn of whoever has just taken the lock.
    ///
    /// # Safety
    /// The caller has, by [`CombinerQueue::try_lock_idle`], and makes one turn of it.
    #[inline]
    pub(crate) unsafe fn of_locked(replica: &'a Replica<D>) -> Self {
        Self { replica }
    }

    /// If nobody combines.
    pub(crate) fn attempt(replica: &'a Replica<D>) -> Option<Self> {
        replica.queue.try_lock().then(|| Self { replica })
    }

    /// A turn; or else `request` is posted and will be answered, by who has the turn now or by who finds the queue
    /// [unattended](CombinerQueue::is_unattended).
    ///
    /// # Safety
    /// `request` stays where it is until it is answered, or until the turn returned here is over.
    pub(crate) unsafe fn or_post(replica: &'a Replica<D>, request: &Request<D>, caller: Caller) -> Option<Self> {
        replica.queue.lock_or_post(request, caller).then(|| Self { replica })
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
    /// failure means that one more thread has posted, and waits.
    pub(crate) fn put_back(&mut self, mut requests: RequestList<D>) {
        while !requests.is_empty() {
            let newest = requests.into_newest().cast_mut();
            // Relaxed, both: the links that we have written are for us, who take the requests again, or for who comes after us, to
            // whom `leave` hands them on: weakened there, the model `who_makes_room_leaves_writers_posted` fails.
            let put = self.replica.queue.word.compare_exchange(
                locked(ptr::null_mut()),
                locked(newest),
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

    /// Ends the turn, whatever is posted; the caller is expected back.
    pub(crate) fn leave(self, caller: Caller) {
        self.replica.queue.leaver.set(caller.0);
    }

    /// Ends the turn if nothing is posted.
    #[inline]
    pub(crate) fn finish(self) -> Result<(), Self> {
        if self.replica.queue.try_unlock() {
            core::mem::forget(self);
            Ok(())
        } else {
            Err(self)
        }
    }
}

impl<D: Dispatch> Drop for Turn<'_, D> {
    fn drop(&mut self) {
        let newest = self.replica.queue.leave();
        if !newest.is_null() {
            // By address only: once we have let go, the request may be answered and gone.
            crate::sync::unpark_one(Request::key_of(newest));
        }
    }
}
