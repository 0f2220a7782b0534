//! What ThreadSanitizer does not understand, in other words: with `--cfg nr_thread_sanitizer`.
//!
//! It takes no notice of fences, nor of `fetch_max`, which it leaves out of its accounts; where one of these is what orders two
//! accesses it reports a race. Here a maximum is a loop of compare-and-swaps, and a fence a read-modify-write of one atomic. The latter is
//! stronger than a fence: of two threads that come to one, the later is ordered after the earlier. That may hide a race.

use core::ops::Deref;
use core::sync::atomic;

use super::Ordering;

static FENCES: atomic::AtomicU32 = atomic::AtomicU32::new(0);

pub(crate) fn fence(_order: Ordering) {
    // SeqCst: the fence itself. All of these are in one order, and each acquires what those before it have released.
    FENCES.fetch_add(1, Ordering::SeqCst);
}

pub(crate) fn fence_after_read_modify_write() {
    fence(Ordering::SeqCst);
}

macro_rules! with_maximum {
    ($($name:ident: $value:ty),+) => {$(
        #[derive(Debug)]
        pub(crate) struct $name(atomic::$name);

        impl $name {
            pub(crate) const fn new(value: $value) -> Self {
                Self(atomic::$name::new(value))
            }

            pub(crate) fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                // As asked for on success: always, as `fetch_max` writes always. Relaxed on failure: nothing has happened.
                let maximum = self.0.fetch_update(order, Ordering::Relaxed, |present| Some(present.max(value)));
                maximum.unwrap_or_else(|present| present)
            }
        }

        impl Deref for $name {
            type Target = atomic::$name;

            fn deref(&self) -> &atomic::$name {
                &self.0
            }
        }
    )+};
}
with_maximum!(AtomicU32: u32, AtomicU64: u64, AtomicUsize: usize);
