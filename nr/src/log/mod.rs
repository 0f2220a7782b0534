//! The shared log: a bounded ring of write operations, in the order in which they take effect.
//!
//! Positions are `u64`, grow for ever and map onto the ring by a mask. At all times
//!
//! ```text
//! reclaimed ≤ min(applied[r]) ≤ completed ≤ tail ≤ reclaimed + capacity
//! ```
//!
//! | position | meaning | who moves it |
//! |---|---|---|
//! | `tail` | next free position | a combiner, by compare-and-swap, once per round ([`append`]) |
//! | `completed` | below it lies every operation whose caller may have its answer; a read waits for it | whoever replays: before anybody has an answer, before `applied` and before local readers are let in ([`replay`]) |
//! | `applied[r]` | replica `r` has executed everything below; [`NOBODY`] while there is no such replica | whoever holds the combiner lock of `r` ([`replay`]), and who lets it in or out ([`membership`]) |
//! | `reclaimed` | below it every operation has been moved out and its entry may be used again | one thread at a time ([`reclaim`]) |
//!
//! **Data travels by three of them only**: an operation by its entry's stamp or by `completed` (Release by whoever has
//! seen the stamps, Acquire by whoever replays up to it), and an entry's emptiness by `applied` and then `reclaimed`.
//! `tail` carries no data: it hands out positions, each once, and that much is true of any read-modify-write.
//!
//! **A round is atomic.** What a combiner appends at once, whole batches among it, occupies consecutive positions, and a replay
//! shows readers all of it or nothing: it goes to the end of a round of its own, or to `completed`, which only ever is the end
//! of a round since only such replays move it; and one that is to be shorter stops where an entry is stamped as a round's last.
//!
//! **Why nobody gets stuck.** Between reserving and publishing there is no user code, no allocation and no lock, so the
//! entries below `tail` are published as soon as their combiners get processor time. A combiner waits for room
//! only while it holds no reservation; meanwhile it replays its own replica and every laggard's, so room comes unless
//! user code on some replica doesn't return. Nobody is overtaken for ever, a large batch least of all: those who have found
//! no room draw tickets, are served in that order, and others reserve nothing meanwhile.

mod append;
mod entry;
mod membership;
mod reclaim;
mod replay;
mod ring;

use alloc::boxed::Box;
use alloc::vec::Vec;

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};

pub(crate) use append::{Reservation, Ticket};
pub(crate) use entry::Entry;
pub(crate) use reclaim::Garbage;
pub(crate) use replay::{PREFETCH_DISTANCE, Published};
use ring::Ring;
pub(crate) use ring::{LogPlacement, LogPlan, OutOfMemory};

/// The log that the replicas of one structure share.
#[derive(Debug)]
pub(crate) struct Log<Op> {
    entries: Ring<Op>,
    append: CachePadded<AppendLine>,
    completed: CachePadded<AtomicU64>,
    reclaim: CachePadded<ReclaimLine>,
    applied: Box<[CachePadded<AtomicU64>]>,
    /// `applied` from here on has never been in use. Grows only, under `reclaim.busy`.
    used: AtomicU32,
}

/// What `applied` is where there is no replica: nobody waits for it.
const NOBODY: u64 = u64::MAX;

/// What a combiner that appends looks at together.
#[derive(Debug)]
struct AppendLine {
    tail: AtomicU64,
    /// How many tickets have been drawn by combiners that found no room; wraps round.
    drawn: AtomicU32,
    /// Which of them is served: it goes before the others, and before those without.
    serving: AtomicU32,
}

#[derive(Debug)]
struct ReclaimLine {
    reclaimed: AtomicU64,
    /// Whether a thread is moving operations out.
    busy: AtomicBool,
}

impl<Op> Log<Op> {
    /// A log with room for `replicas` replicas, none of which takes part yet.
    pub(crate) fn new(plan: &LogPlan, replicas: usize) -> Result<Self, OutOfMemory> {
        debug_assert!(plan.entries.is_power_of_two());
        let mut applied = Vec::new();
        applied.try_reserve_exact(replicas).map_err(|_| OutOfMemory)?;
        applied.extend((0..replicas).map(|_| CachePadded::new(AtomicU64::new(NOBODY))));
        Ok(Self {
            entries: Ring::new(plan)?,
            append: CachePadded::new(AppendLine {
                tail: AtomicU64::new(0),
                drawn: AtomicU32::new(0),
                serving: AtomicU32::new(0),
            }),
            completed: CachePadded::new(AtomicU64::new(0)),
            reclaim: CachePadded::new(ReclaimLine { reclaimed: AtomicU64::new(0), busy: AtomicBool::new(false) }),
            applied: applied.into_boxed_slice(),
            used: AtomicU32::new(0),
        })
    }

    /// Where it lies.
    pub(crate) fn placement(&self) -> &LogPlacement {
        self.entries.placement()
    }

    /// How many operations the ring holds.
    pub(crate) fn capacity(&self) -> u64 {
        self.entries.len() as u64
    }

    #[inline]
    fn entry(&self, position: u64) -> &Entry<Op> {
        // The length is a power of two, so the mask keeps the index in bounds.
        &self.entries[position as usize & (self.entries.len() - 1)]
    }

    /// The next free position.
    pub(crate) fn tail(&self) -> u64 {
        // Relaxed: a number to compare with; it carries no data (see the module).
        self.append.tail.load(Ordering::Relaxed)
    }

    /// How far `replica` has come.
    #[inline]
    pub(crate) fn applied(&self, replica: usize) -> u64 {
        // Acquire: pairs with the Release in `advance`. For a reader that finds its replica fresh, the replay is then
        // before its read; for the reclaimer, every look at the operations below is before it moves them out.
        // Weakened, the model `reclaim_waits_for_the_slowest` sees an operation moved out while it is being read.
        self.applied[replica].load(Ordering::Acquire)
    }

    /// Below this lies every operation whose caller may have its answer.
    #[inline]
    pub(crate) fn completed(&self) -> u64 {
        // Acquire: pairs with the Release in `Published::complete`, whose caller has seen the stamps of everything below; so those
        // operations may be read without looking at their stamps. Weakened, the model
        // `completed_hands_on_what_is_published` sees an operation read while it is being written.
        self.completed.load(Ordering::Acquire)
    }

    /// Below this every entry may be used again.
    pub(crate) fn reclaimed(&self) -> u64 {
        // Acquire: pairs with the Release in `reclaim`; what was moved out is out before we write over it. Weakened, the
        // model `entry_publish_replay_reuse` sees an entry written while it is being emptied.
        self.reclaim.reclaimed.load(Ordering::Acquire)
    }

    /// How far the replica is that has come least far; none if nobody takes part.
    fn least_applied(&self) -> Option<u64> {
        // Relaxed: ordered by `reclaim.busy`, except for the reclaimer's second look, after which it looks under that again.
        let used = self.used.load(Ordering::Relaxed) as usize;
        (0..used).map(|replica| self.applied(replica)).min().filter(|applied| *applied != NOBODY)
    }
}

impl<Op> Drop for Log<Op> {
    fn drop(&mut self) {
        // Nobody else is left, so everything reserved is published and everything not reclaimed is still in place.
        let mut garbage = Garbage::new();
        for position in self.reclaimed()..self.tail() {
            // SAFETY: published, since no round is under way; nobody is left who could read it; positions from
            // `reclaimed` on have not been moved out, and each is taken once here.
            garbage.push(unsafe { self.entry(position).take() });
        }
    }
}

// Where atomics are those of models or schedules, tests are models or schedules too.
#[cfg(all(test, not(loom), not(feature = "shuttle")))]
mod tests;
