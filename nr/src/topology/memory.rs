//! Where memory comes from: what an operating system is asked for so that each replica lies on its node.
//!
//! On Linux, with the feature `std`, this is done by the kernel's [memory policies]. Elsewhere a kernel or a runtime of its own may do
//! it, by [`PlaceMemory`] and [`Builder::place_memory`](crate::Builder::place_memory); without, memory is wherever the allocator finds it.
//!
//! **What this can't do**: an allocator that hands out memory that was in use before does so whichever node it is on. New memory that a
//! replica allocates is on its node if it takes new pages; glibc's `malloc` does for large pieces (from 128 KiB on, until it has seen such
//! pieces freed: `mallopt(M_MMAP_THRESHOLD, …)` or the environment variable `MALLOC_MMAP_THRESHOLD_` fixes that), and for small ones as long
//! as its heap grows. For structures that free as much as they allocate, an implementation of [`PlaceMemory`] around
//! an allocator with an arena for each node gives the same events the right effect.
//!
//! All of it is a matter of speed: what can't be done is reported by [`NodeReplicated::placement`](crate::NodeReplicated::placement), and
//! everything works without it.
//!
//! [memory policies]: https://docs.kernel.org/admin-guide/mm/numa_memory_policy.html

#[cfg(all(target_os = "linux", feature = "std"))]
mod linux;

use alloc::string::String;
use core::fmt;
use core::ptr::NonNull;

#[cfg(all(target_os = "linux", feature = "std"))]
pub use linux::LinuxMemory;

/// What an operating system does for replicas to lie on their nodes. Node ids and CPU numbers are those of the
/// [`Topology`](super::Topology) that the structure is built with. If that has a single node it is asked for huge pages only.
///
/// An implementation that can't do what it is asked for says so by an error, or panics. To help a node's replica it is not asked again
/// then. It is called while locks of the structure are held, within one another, from any thread: it must not use the structure.
///
/// # Safety
/// What [`allocate_log`](Self::allocate_log) returns is as it says there: so many bytes, zeroed, aligned to 4,096 bytes at least, that nobody
/// else has, until they are given to [`free_log`](Self::free_log). And [`move_to`](Self::move_to) changes nothing in the memory that it
/// is told of.
pub unsafe trait PlaceMemory: fmt::Debug + Send + Sync {
    /// Runs `work`, once and whatever happens, on the calling thread, while that runs on one of `cpus`, and such that memory that it
    /// touches first comes from `node`. A replica is made so.
    ///
    /// # Errors
    /// If the memory may have come from elsewhere.
    fn build_on(&self, node: usize, cpus: &[usize], work: &mut dyn FnMut()) -> Result<(), PlaceError>;

    /// Runs `work`, once and whatever happens, on the calling thread, wherever that runs, such that memory that it touches first
    /// comes from `node`. What is done for the replica of another node is done so: some 100 operations at a time, or all that it lacks.
    ///
    /// # Errors
    /// If `work` was run without that.
    fn help_on(&self, node: usize, work: &mut dyn FnMut()) -> Result<(), PlaceError>;

    /// Moves the pages of memory that is in use to `node`: those that a replica's locks and slots are on, which the allocator may
    /// have had before. Pages that can't be moved at the moment may stay.
    ///
    /// # Errors
    /// If none can be moved.
    fn move_to(&self, node: usize, start: NonNull<u8>, bytes: usize) -> Result<(), PlaceError>;

    /// New zeroed memory for a log, `bytes` of it, which are not 0, aligned to a page, whose pages come from each of `nodes` in turn if they are several, and
    /// are huge if `huge` says so.
    ///
    /// # Errors
    /// If there is none; then the log is allocated as usual.
    fn allocate_log(&self, bytes: usize, nodes: &[usize], huge: bool) -> Result<LogMemory, PlaceError>;

    /// Gives back what [`allocate_log`](Self::allocate_log) gave.
    ///
    /// # Safety
    /// `start` and `bytes` are what that returned and was asked for, given back once and not used any more.
    unsafe fn free_log(&self, start: NonNull<u8>, bytes: usize);
}

/// Memory for a log.
#[derive(Debug)]
#[non_exhaustive]
pub struct LogMemory {
    /// Its first byte.
    pub start: NonNull<u8>,
    /// Why its pages are not spread over the nodes, if they were to be.
    pub interleaved: Result<(), PlaceError>,
    /// Why they are not huge, if they were to be.
    pub huge_pages: Result<(), PlaceError>,
}

impl LogMemory {
    /// Memory of which all is as it was asked for.
    pub fn new(start: NonNull<u8>) -> Self {
        Self { start, interleaved: Ok(()), huge_pages: Ok(()) }
    }
}

/// Why memory is not placed. Says what was refused, by whom, and what one can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceError {
    reason: String,
}

impl PlaceError {
    /// An error with that text.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl core::error::Error for PlaceError {}

/// Of those nodes the ones whose memory this process may use; all if that can't be found out.
#[cfg(all(target_os = "linux", feature = "std"))]
pub(super) fn usable_nodes(mut nodes: alloc::vec::Vec<usize>) -> alloc::vec::Vec<usize> {
    nodes.retain(|node| linux::may_use_memory_of(*node));
    nodes
}

/// The means of this system, if it has any.
pub(crate) fn system() -> Option<&'static dyn PlaceMemory> {
    #[cfg(all(target_os = "linux", feature = "std"))]
    return Some(&LinuxMemory);
    #[cfg(not(all(target_os = "linux", feature = "std")))]
    None
}
