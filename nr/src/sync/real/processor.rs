//! The processor's own atomics and cells, and the sizes that serve it.

#[allow(unused_imports, reason = "a tool may have its own instead")]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};

/// How many operations a thread executes for others before it leaves the rest to them: few enough that its own caller
/// is not kept waiting for long, many enough that the change of combiners costs little.
pub(crate) const COMBINING_LIMIT: usize = 64;
/// How many operations of its own a runner executes before it serves what others have posted: so many that these do not
/// slow it down much, so few that they wait for some microseconds at most.
pub(crate) const STRETCH: u64 = 16;
/// How often a runner is interrupted before it lets others run: some milliseconds, since each time the whole structure moves to other caches.
pub(crate) const REIGN: u64 = 4096;
/// How often combiners serve at once, after one has not come back from a pause in time.
pub(crate) const DOUBTS: u64 = 16;
/// How many write phases a reader that waits sees begin before writers have to wait for it.
pub(crate) const READER_PATIENCE: u32 = 4;

/// A full fence for a thread that has just done an atomic read-modify-write.
///
/// Announce-then-check needs the announcement to be visible before the check reads. On x86-64 the announcement, a
/// locked instruction, is a full fence by itself, so all that is left to do is to keep the compiler from moving
/// the check up; `mfence` on top would cost twice the instruction that it follows. Elsewhere it is the fence that
/// the memory model asks for.
#[allow(dead_code, reason = "as above")]
#[inline(always)]
pub(crate) fn fence_after_read_modify_write() {
    use core::sync::atomic::Ordering::SeqCst;
    if cfg!(all(target_arch = "x86_64", not(miri))) {
        core::sync::atomic::compiler_fence(SeqCst);
    } else {
        core::sync::atomic::fence(SeqCst);
    }
}

/// [`core::cell::UnsafeCell`] in the form that loom can watch.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}
