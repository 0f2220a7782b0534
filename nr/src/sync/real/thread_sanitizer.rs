//! What ThreadSanitizer does not understand, in other words.
//!
//! It leaves `fetch_max` out of its accounts, and takes no notice of fences; where one of these is what orders two accesses it reports a race.
//!
//! * With `--cfg nr_thread_sanitizer` a maximum is a loop of compare-and-swaps, which it understands. Then it has nothing to report: no data
//!   of this crate's is ordered by a fence alone. (Fences decide who gives way; that the data are then ordered is for the accesses.)
//! * With `--cfg 'nr_thread_sanitizer="fences"'`, alone or as well, a fence too is a read-modify-write of one atomic. That tells whether a race that is
//!   reported without it is one: if it is still reported, yes. It is stronger than a fence: of two threads that come to one, the later is
//!   ordered after the earlier. So it can hide a race, and is not for every day.

use core::ops::Deref;
use core::sync::atomic;

use crate::sync::Ordering;

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

#[cfg(nr_thread_sanitizer = "fences")]
pub(crate) use fences::{fence, fence_after_read_modify_write};

#[cfg(nr_thread_sanitizer = "fences")]
mod fences {
    use core::sync::atomic::{AtomicU32, Ordering};

    static FENCES: AtomicU32 = AtomicU32::new(0);

    pub(crate) fn fence(_order: Ordering) {
        // SeqCst: the fence itself. All of these are in one order, and each acquires what those before it have released.
        FENCES.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn fence_after_read_modify_write() {
        fence(Ordering::SeqCst);
    }
}
