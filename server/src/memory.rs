//! How much memory the server uses: an allocator that counts.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use mimalloc::MiMalloc;

/// The program's allocator: mimalloc, counted.
#[derive(Debug, Default)]
pub struct CountingAllocator;

/// Bytes allocated by all threads, but for what each has not reported yet.
static USED: AtomicI64 = AtomicI64::new(0);
/// The most that [`USED`] was when somebody asked.
static PEAK: AtomicU64 = AtomicU64::new(0);

/// A thread reports when it has allocated or freed so many bytes.
const REPORTED_AT: i64 = 4 * 1024;

thread_local! {
    /// What this thread has allocated less what it has freed, since it reported. It needs no destructor, so that it can be
    /// used as long as the thread allocates.
    static UNREPORTED: Cell<i64> = const { Cell::new(0) };
}

#[inline]
fn count(bytes: i64) {
    UNREPORTED.with(|unreported| {
        let sum = unreported.get() + bytes;
        if sum.abs() < REPORTED_AT {
            unreported.set(sum);
        } else {
            unreported.set(0);
            // Relaxed: a sum, from which nothing else is concluded.
            USED.fetch_add(sum, Ordering::Relaxed);
        }
    });
}

/// Bytes allocated now, exact but for 4 KiB a thread.
pub fn used() -> u64 {
    // Relaxed: as in `count`.
    let used = USED.load(Ordering::Relaxed).max(0) as u64;
    PEAK.fetch_max(used, Ordering::Relaxed);
    used
}

/// The most bytes that were seen allocated.
pub fn peak() -> u64 {
    let used = used();
    // Relaxed: as in `count`.
    PEAK.load(Ordering::Relaxed).max(used)
}

// SAFETY: every call is passed on to an allocator that keeps the contract, with the arguments unchanged; counting neither
// allocates nor unwinds.
unsafe impl GlobalAlloc for CountingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: our caller keeps `alloc`'s contract, which is the same.
        unsafe { MiMalloc.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: our caller keeps `alloc_zeroed`'s contract, which is the same.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: `pointer` came from our `alloc` or `realloc`, thus from this allocator, with this layout.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as i64 - layout.size() as i64);
        // SAFETY: `pointer` came from our `alloc` or `realloc`, thus from this allocator, with this layout, and our
        // caller keeps `realloc`'s contract for the size.
        unsafe { MiMalloc.realloc(pointer, layout, size) }
    }
}
