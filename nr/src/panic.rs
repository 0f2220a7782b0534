//! Panics in user code, held back until every lock and every waiting thread has been seen to.

use core::mem::{ManuallyDrop, needs_drop};
use core::ops::Deref;

#[cfg(feature = "std")]
pub(crate) use with_unwinding::{Payload, catch, discard, resume};
#[cfg(not(feature = "std"))]
pub(crate) use without_unwinding::{Payload, catch, discard, resume};

/// Runs `f`, which is somebody's `Drop` or a hint, and lets a panic in it end there: the panic hook has reported it, and
/// the thread that happens to run it has no part in it.
pub(crate) fn contain(f: impl FnOnce()) {
    if let Err(payload) = catch(f) {
        discard(payload);
    }
}

/// A value whose `Drop`, if it panics, does so without consequence: see [`contain`].
pub(crate) struct DropContained<T>(ManuallyDrop<T>);

impl<T> DropContained<T> {
    #[inline]
    pub(crate) fn new(value: T) -> Self {
        Self(ManuallyDrop::new(value))
    }
}

impl<T> Deref for DropContained<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Drop for DropContained<T> {
    #[inline]
    fn drop(&mut self) {
        if needs_drop::<T>() {
            contain(|| {
                // SAFETY: dropped here only, and not used afterwards.
                unsafe { ManuallyDrop::drop(&mut self.0) }
            });
        }
    }
}

/// Aborts the process if dropped by unwinding: for places where another thread holds a pointer into our frame.
pub(crate) struct AbortOnUnwind;

impl AbortOnUnwind {
    pub(crate) fn disarm(self) {
        core::mem::forget(self);
    }
}

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        // A panic while unwinding aborts; nothing else that `core` offers does.
        panic!("nr: unwinding out of a place that must not be left");
    }
}

#[cfg(feature = "std")]
mod with_unwinding {
    use std::any::Any;
    use std::boxed::Box;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    /// What a panic carries.
    pub(crate) type Payload = Box<dyn Any + Send>;

    /// Runs `f` and holds back its panic. What it may leave half done is the user's structure, which
    /// [`PanicPolicy`](crate::PanicPolicy) speaks for.
    #[inline]
    pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Payload> {
        catch_unwind(AssertUnwindSafe(f))
    }

    /// How often a payload may panic in its own `Drop`, with another payload.
    const PATIENCE: usize = 16;

    /// Drops a payload that nobody waits for. If its own `Drop` panics, that ends there too, and the same goes for the payload of that.
    pub(crate) fn discard(mut payload: Payload) {
        for _ in 0..PATIENCE {
            match catch(move || drop(payload)) {
                Ok(()) => return,
                Err(next) => payload = next,
            }
        }
        // It might go on like that for ever.
        std::mem::forget(payload);
    }

    /// Lets a panic that was held back go on, in the thread whose operation it was.
    pub(crate) fn resume(payload: Payload) -> ! {
        resume_unwind(payload)
    }
}

#[cfg(not(feature = "std"))]
mod without_unwinding {
    /// There is no way to hold a panic back without `std`: [`catch`] aborts.
    pub(crate) enum Payload {}

    #[inline]
    pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Payload> {
        let abort = super::AbortOnUnwind;
        let result = f();
        abort.disarm();
        Ok(result)
    }

    pub(crate) fn discard(payload: Payload) {
        match payload {}
    }

    pub(crate) fn resume(payload: Payload) -> ! {
        match payload {}
    }
}
