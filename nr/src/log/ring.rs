//! The memory of the log: allocated like any other, or mapped so that it lies where it should.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::ops::Deref;
use core::ptr::NonNull;

use crate::log::Entry;
use crate::topology::memory::{LogMemory, PlaceError, PlaceMemory};

/// What the memory that [`PlaceMemory`] gives is aligned to at least.
const PROMISED_ALIGNMENT: usize = 4096;

/// How a log is to be made.
#[derive(Debug)]
pub(crate) struct LogPlan {
    /// How many entries, a power of two.
    pub(crate) entries: usize,
    /// The nodes to spread it over, if they are several.
    pub(crate) nodes: Vec<usize>,
    pub(crate) huge_pages: bool,
    pub(crate) memory: Option<&'static dyn PlaceMemory>,
}

/// What has become of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogPlacement {
    /// None if there is one node only.
    pub(crate) interleaved: Option<Result<(), PlaceError>>,
    /// None if nobody asked for them.
    pub(crate) huge_pages: Option<Result<(), PlaceError>>,
}

/// The entries of a log.
#[derive(Debug)]
pub(crate) struct Ring<Op> {
    /// Owned: from `Box::leak` if there is no `mapping`, else written to that.
    entries: NonNull<[Entry<Op>]>,
    mapping: Option<Mapping>,
    placement: LogPlacement,
}

/// Memory that is not the allocator's.
#[derive(Debug)]
struct Mapping {
    from: &'static dyn PlaceMemory,
    bytes: usize,
}

impl LogPlan {
    fn wants_placement(&self) -> bool {
        self.nodes.len() > 1 || self.huge_pages
    }
}

/// There is no memory for the log.
#[derive(Debug)]
pub(crate) struct OutOfMemory;

impl<Op> Ring<Op> {
    pub(crate) fn new(plan: &LogPlan) -> Result<Self, OutOfMemory> {
        let bytes = plan.entries.checked_mul(size_of::<Entry<Op>>()).ok_or(OutOfMemory)?;
        let refusal = match plan.memory.filter(|_| plan.wants_placement()) {
            None => PlaceError::new("there are no means to place memory on this system"),
            Some(_) if align_of::<Entry<Op>>() > PROMISED_ALIGNMENT => {
                PlaceError::new(format!("operations are aligned to more than {PROMISED_ALIGNMENT} bytes"))
            }
            Some(from) => match from.allocate_log(bytes, &plan.nodes, plan.huge_pages) {
                // SAFETY: for so many bytes, and for an alignment that is promised.
                Ok(memory) => return Ok(unsafe { Self::mapped(plan, from, bytes, memory) }),
                Err(refusal) => refusal,
            },
        };
        let refusal = |wanted: bool| wanted.then(|| Err(refusal.clone()));
        Self::boxed(
            plan,
            LogPlacement { interleaved: refusal(plan.nodes.len() > 1), huge_pages: refusal(plan.huge_pages) },
        )
    }

    fn boxed(plan: &LogPlan, placement: LogPlacement) -> Result<Self, OutOfMemory> {
        let mut entries = Vec::new();
        entries.try_reserve_exact(plan.entries).map_err(|_| OutOfMemory)?;
        entries.extend((0..plan.entries).map(|_| Entry::new()));
        let entries = NonNull::from(Box::leak(entries.into_boxed_slice()));
        Ok(Self { entries, mapping: None, placement })
    }

    /// # Safety
    /// `memory` is from `from`, for `bytes`, which are enough, and aligned as entries have to be.
    unsafe fn mapped(plan: &LogPlan, from: &'static dyn PlaceMemory, bytes: usize, memory: LogMemory) -> Self {
        let first = memory.start.cast::<Entry<Op>>();
        for index in 0..plan.entries {
            // SAFETY: within the memory, which is for so many entries, by the caller.
            let entry = unsafe { first.add(index) };
            // SAFETY: ours, by the promise of `PlaceMemory`, aligned, and nothing lies there that would want to be dropped.
            unsafe { entry.write(Entry::new()) };
        }
        let placement = LogPlacement {
            interleaved: (plan.nodes.len() > 1).then_some(memory.interleaved),
            huge_pages: plan.huge_pages.then_some(memory.huge_pages),
        };
        let entries = NonNull::slice_from_raw_parts(first, plan.entries);
        Self { entries, mapping: Some(Mapping { from, bytes }), placement }
    }

    pub(crate) fn placement(&self) -> &LogPlacement {
        &self.placement
    }
}

impl<Op> Deref for Ring<Op> {
    type Target = [Entry<Op>];

    #[inline]
    fn deref(&self) -> &[Entry<Op>] {
        // SAFETY: initialised and owned since `new`, and only shared references are given out.
        unsafe { self.entries.as_ref() }
    }
}

impl<Op> Drop for Ring<Op> {
    fn drop(&mut self) {
        match &self.mapping {
            None => {
                // SAFETY: from `Box::leak` in `boxed`; references to it borrowed `self`.
                drop(unsafe { Box::from_raw(self.entries.as_ptr()) });
            }
            Some(mapping) => {
                // SAFETY: initialised in `mapped`, and dropped once.
                unsafe { self.entries.drop_in_place() };
                // SAFETY: what `allocate_log` gave for so many bytes, and empty now.
                unsafe { mapping.from.free_log(self.entries.cast(), mapping.bytes) };
            }
        }
    }
}
