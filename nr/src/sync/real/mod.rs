//! What programs run with: the processor's atomics and cells, waiting and parking. And the same as two kinds of tests need it.

mod backoff;
mod parking;
mod processor;

pub(crate) use {backoff::*, parking::*, processor::*};

// Named, so that they go before those of `processor` and `parking`.
#[cfg(feature = "preemption")]
mod preemption;
#[cfg(feature = "preemption")]
pub(crate) use preemption::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, UnsafeCell, observe, park, unobserve,
};

// Where steps are observed, the atomics are those of `preemption`.
#[cfg(all(any(nr_thread_sanitizer, nr_thread_sanitizer = "fences"), not(feature = "preemption")))]
mod thread_sanitizer;
#[cfg(all(any(nr_thread_sanitizer, nr_thread_sanitizer = "fences"), not(feature = "preemption")))]
pub(crate) use thread_sanitizer::{AtomicU32, AtomicU64, AtomicUsize};
#[cfg(all(nr_thread_sanitizer = "fences", not(feature = "preemption")))]
pub(crate) use thread_sanitizer::{fence, fence_after_read_modify_write};
