//! One entry of the log: every unsafe access to an operation that lies in the ring is here.

use core::mem::MaybeUninit;

use crate::sync::{AtomicU64, Ordering, UnsafeCell};

/// A place in the ring.
///
/// Position `p` uses the entry `p mod capacity`, so one entry serves `p`, `p + capacity`, `p + 2·capacity` … in turn, and
/// its `stamp` tells which of them has been published here last:
///
/// | stage, for position `p` | `stamp` | `operation` | who may touch `operation` |
/// |---|---|---|---|
/// | reserved | of an earlier position, or 0 | uninitialised | the combiner that reserved `p` |
/// | published | of `p` | initialised | everybody, shared |
/// | reclaimed | of `p` | uninitialised (moved out) | nobody, until `p + capacity` is reserved |
///
/// A replica reads `p` only before its own `applied` has passed `p`, and `p` is reclaimed only once all have: so a reader
/// of the entry never meets a stamp of `p` whose operation is gone.
#[derive(Debug)]
pub(crate) struct Entry<Op> {
    stamp: AtomicU64,
    operation: UnsafeCell<MaybeUninit<Op>>,
}

/// Which position an entry holds, and whether a combiner's round ends with it.
///
/// `(position + 1) << 1 | ends_round`: never zero for a published entry, which is what a new ring is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(u64);

impl Stamp {
    pub(crate) fn new(position: u64, ends_round: bool) -> Self {
        Self((position + 1) << 1 | u64::from(ends_round))
    }

    pub(crate) fn is_of(self, position: u64) -> bool {
        self.0 >> 1 == position + 1
    }

    pub(crate) fn ends_round(self) -> bool {
        self.0 & 1 == 1
    }
}

impl<Op> Entry<Op> {
    pub(crate) fn new() -> Self {
        Self { stamp: AtomicU64::new(0), operation: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// Moves an operation in.
    ///
    /// # Safety
    /// The caller has reserved this entry's present position and not yet published it.
    #[inline]
    pub(crate) unsafe fn write(&self, operation: Op) {
        self.operation.with_mut(|place| {
            // SAFETY: by the reservation this thread alone may touch the place, and nothing initialised lies in it
            // (see the table on `Entry`), so nothing is overwritten that would want to be dropped.
            unsafe { place.write(MaybeUninit::new(operation)) }
        });
    }

    /// Makes the operation visible to every replica.
    #[inline]
    pub(crate) fn publish(&self, stamp: Stamp) {
        // Release: makes the operation (`write`) visible; pairs with the Acquire in `stamp`. Weakened, the model
        // `entry_publish_replay_reuse` sees a replay that reads the operation while it is being written.
        self.stamp.store(stamp.0, Ordering::Release);
    }

    /// What has been published here last.
    #[inline]
    pub(crate) fn stamp(&self) -> Stamp {
        // Acquire: pairs with the Release in `publish`; whoever sees the stamp may read the operation.
        Stamp(self.stamp.load(Ordering::Acquire))
    }

    /// Looks at the operation.
    ///
    /// # Safety
    /// The entry's present position is published, that is known to this thread by an Acquire, and it can't be reclaimed
    /// during the call.
    #[inline]
    pub(crate) unsafe fn with<R>(&self, f: impl FnOnce(&Op) -> R) -> R {
        self.operation.with(|place| {
            // SAFETY: published, so nobody holds the place mutably until it is reclaimed; the caller excludes that.
            let place = unsafe { &*place };
            // SAFETY: published, so initialised.
            f(unsafe { place.assume_init_ref() })
        })
    }

    /// Moves the operation out.
    ///
    /// # Safety
    /// The entry's present position is published, every replica has applied it and this thread knows so by Acquire;
    /// and it is moved out only once.
    #[inline]
    pub(crate) unsafe fn take(&self) -> Op {
        self.operation.with_mut(|place| {
            // SAFETY: no replica reads the place any more, and no combiner may reserve it before `reclaimed` passes it.
            let place = unsafe { &mut *place };
            // SAFETY: published and not taken before, so initialised; from here on it counts as uninitialised.
            unsafe { place.assume_init_read() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_tells_its_position_and_no_other_lap() {
        for capacity in [1, 4, 1 << 20] {
            for position in [0, 1, capacity, 7 * capacity + 3, u64::MAX >> 2] {
                for ends in [false, true] {
                    let stamp = Stamp::new(position, ends);
                    assert!(stamp.is_of(position));
                    assert_eq!(stamp.ends_round(), ends);
                    assert!(!stamp.is_of(position + capacity));
                    assert!(position < capacity || !stamp.is_of(position - capacity));
                }
            }
        }
        assert!(!Stamp(0).is_of(0), "a new ring holds nothing");
    }
}
