//! What is too large to be freed while others wait.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};

/// Objects that wait to be freed, of all keyspaces of the process.
static PENDING: AtomicU64 = AtomicU64::new(0);
/// Objects that were freed.
static FREED: AtomicU64 = AtomicU64::new(0);

/// Something for another thread to drop, which counts as so many objects until it is dropped.
#[derive(Debug)]
pub struct Garbage {
    /// `None` only while it is dropped.
    content: Option<Box<dyn Any + Send>>,
    objects: u64,
}

impl Garbage {
    /// `content` counts as so many objects.
    pub fn new(content: impl Any + Send, objects: usize) -> Self {
        let objects = objects as u64;
        // Relaxed, here and below: sums for people to look at, each by itself.
        PENDING.fetch_add(objects, Ordering::Relaxed);
        Garbage { content: Some(Box::new(content)), objects }
    }
}

impl Drop for Garbage {
    fn drop(&mut self) {
        // The content first: what is counted as freed is.
        self.content = None;
        PENDING.fetch_sub(self.objects, Ordering::Relaxed);
        FREED.fetch_add(self.objects, Ordering::Relaxed);
    }
}

/// How many objects wait to be freed.
pub fn pending() -> u64 {
    PENDING.load(Ordering::Relaxed)
}

/// How many objects were freed, since [`reset`].
pub fn freed() -> u64 {
    FREED.load(Ordering::Relaxed)
}

/// Starts to count anew what is freed.
pub fn reset() {
    FREED.store(0, Ordering::Relaxed);
}
