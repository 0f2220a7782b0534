//! Sleeping until another thread says that there is something to look at.

#[cfg(feature = "std")]
pub(crate) use parking_lot::{park, unpark_all, unpark_one};
#[cfg(not(feature = "std"))]
pub(crate) use spinning::{park, unpark_all, unpark_one};

#[cfg(feature = "std")]
mod parking_lot {
    use parking_lot_core::{DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN};

    /// Sleeps until somebody unparks `key`, unless `validate` says no. It is asked under the lock that an unpark
    /// of the same key takes, so a change made before an unpark is either seen by it or followed by the wake-up.
    /// May return for no reason.
    pub(crate) fn park(key: usize, validate: impl FnOnce() -> bool) {
        // SAFETY: `key` is the address of a live object of this crate's, so no other user of the parking lot has it,
        // and our `validate` only reads atomics: it neither panics nor calls into the parking lot.
        unsafe {
            parking_lot_core::park(key, validate, || {}, |_, _| {}, DEFAULT_PARK_TOKEN, None);
        }
    }

    /// Wakes one thread parked on `key`.
    pub(crate) fn unpark_one(key: usize) {
        // SAFETY: the callback does nothing, and the address is not dereferenced, so the object may be gone already. Should
        // another waiter have taken its place by then, it wakes for no reason, as parking_lot's own locks let happen
        // (they too unpark after letting go) and all of its waiters expect.
        unsafe {
            parking_lot_core::unpark_one(key, |_| DEFAULT_UNPARK_TOKEN);
        }
    }

    /// Wakes all threads parked on `key`.
    pub(crate) fn unpark_all(key: usize) {
        // SAFETY: as for `unpark_one`.
        unsafe {
            parking_lot_core::unpark_all(key, DEFAULT_UNPARK_TOKEN);
        }
    }
}

/// Without an operating system there is nobody to park with: waiting is spinning.
#[cfg(not(feature = "std"))]
mod spinning {
    pub(crate) fn park(_key: usize, _validate: impl FnOnce() -> bool) {
        core::hint::spin_loop();
    }

    pub(crate) fn unpark_one(_key: usize) {}

    pub(crate) fn unpark_all(_key: usize) {}
}
