//! A place that is filled once, and from then on is there for everybody.

use alloc::boxed::Box;
use core::marker::PhantomData;
use core::ptr;

use crate::sync::{AtomicPtr, Ordering};

/// Empty, then full, until it is dropped.
#[derive(Debug)]
pub(crate) struct SetOnce<T> {
    value: AtomicPtr<T>,
    owns: PhantomData<Box<T>>,
}

impl<T> SetOnce<T> {
    pub(crate) fn new() -> Self {
        Self { value: AtomicPtr::new(ptr::null_mut()), owns: PhantomData }
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        // Acquire: pairs with the Release in `get_or_set`; what the pointer leads to is visible. Weakened, the model
        // `a_newcomer_misses_nothing` sees a replica that is not yet there.
        let value = self.value.load(Ordering::Acquire);
        // SAFETY: null, or from `Box::into_raw` in `get_or_set` and not freed before `self` is dropped.
        unsafe { value.as_ref() }
    }

    /// What is there, or else `value`, which from now on is.
    pub(crate) fn get_or_set(&self, value: T) -> &T {
        let ours = Box::into_raw(Box::new(value));
        // Release: see `get`. Acquire on failure: as in `get`; the model `two_set_at_once` guards both.
        let set = self.value.compare_exchange(ptr::null_mut(), ours, Ordering::Release, Ordering::Acquire);
        let value = match set {
            Ok(_) => ours,
            Err(theirs) => {
                // SAFETY: from `Box::into_raw` above, and nobody else has seen it.
                drop(unsafe { Box::from_raw(ours) });
                theirs
            }
        };
        // SAFETY: as in `get`, and not null.
        unsafe { &*value }
    }

    pub(crate) fn into_inner(self) -> Option<T> {
        // Relaxed: nobody else has it any longer, and whoever gave it to us has seen what is there.
        let value = self.value.swap(ptr::null_mut(), Ordering::Relaxed);
        if value.is_null() {
            return None;
        }
        // SAFETY: from `Box::into_raw`, and taken out once: nobody else has `self`, and null is left.
        Some(*unsafe { Box::from_raw(value) })
    }
}

impl<T> Drop for SetOnce<T> {
    fn drop(&mut self) {
        // Relaxed: as in `into_inner`.
        let value = self.value.load(Ordering::Relaxed);
        if !value.is_null() {
            // SAFETY: from `Box::into_raw`; nobody has a reference any more, since they borrow `self`.
            drop(unsafe { Box::from_raw(value) });
        }
    }
}
