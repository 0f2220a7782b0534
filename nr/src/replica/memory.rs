//! Memory on the right node: what is built and what is done for a replica, where that is.

use core::fmt;
use core::ptr::NonNull;

use crate::panic::{Payload, catch, discard, resume};
use crate::replica::SetOnce;
use crate::topology::memory::{PlaceError, PlaceMemory};

/// Whether replicas lie on their nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryPlacement {
    /// The topology has a single node: there is nothing to be placed.
    OneNode,
    /// What is allocated for a replica comes from its node, if the allocator takes new pages for it.
    Placed,
    /// It comes from wherever the thread happens to run, for this reason.
    NotPlaced(PlaceError),
}

impl fmt::Display for MemoryPlacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneNode => f.write_str("one node, nothing to place"),
            Self::Placed => f.write_str("placed"),
            Self::NotPlaced(reason) => write!(f, "not placed: {reason}"),
        }
    }
}

/// The means to have memory come from the right node, as long as they work.
#[derive(Debug)]
pub(crate) struct NodeMemory {
    /// None if there is a single node.
    means: Option<Means>,
}

#[derive(Debug)]
struct Means {
    /// None if there are none on this system.
    system: Option<&'static dyn PlaceMemory>,
    /// Why they are not used any more.
    failed: SetOnce<PlaceError>,
}

impl NodeMemory {
    pub(crate) fn new(system: Option<&'static dyn PlaceMemory>, nodes: usize) -> Self {
        Self { means: (nodes > 1).then(|| Means { system, failed: SetOnce::new() }) }
    }

    pub(crate) fn placement(&self) -> MemoryPlacement {
        match &self.means {
            None => MemoryPlacement::OneNode,
            Some(means) => match (means.failed.get(), means.system) {
                (Some(reason), _) => MemoryPlacement::NotPlaced(reason.clone()),
                (None, Some(_)) => MemoryPlacement::Placed,
                (None, None) => {
                    let reason = "there are no means to place memory on this system (see Builder::place_memory)";
                    MemoryPlacement::NotPlaced(PlaceError::new(reason))
                }
            },
        }
    }

    /// Runs `work`, which builds a replica for `node`, on its `cpus`.
    pub(crate) fn build<R>(&self, node: usize, cpus: &[usize], work: impl FnOnce() -> R) -> R {
        self.run(work, |system, work| system.build_on(node, cpus, work))
    }

    /// Runs `work`, which does something for the replica on `node` for the sake of one on node `own`.
    pub(crate) fn help<R>(&self, node: usize, own: Option<usize>, work: impl FnOnce() -> R) -> R {
        if own == Some(node) {
            return work();
        }
        self.run(work, |system, work| system.help_on(node, work))
    }

    /// Moves what belongs to a replica itself to its node.
    pub(crate) fn move_to<T: ?Sized>(&self, node: usize, value: &T) {
        if let Some((means, system)) = self.working() {
            let moved = catch(|| system.move_to(node, NonNull::from(value).cast(), size_of_val(value)));
            means.note(moved);
        }
    }

    fn run<R>(
        &self,
        work: impl FnOnce() -> R,
        place: impl FnOnce(&'static dyn PlaceMemory, &mut dyn FnMut()) -> Result<(), PlaceError>,
    ) -> R {
        let Some((means, system)) = self.working() else { return work() };
        let (mut work, mut result) = (Some(work), None);
        let placed = catch(|| {
            place(system, &mut || {
                if let Some(work) = work.take() {
                    result = Some(catch(work));
                }
            })
        });
        // Whoever implements it, and whatever it does, even panic: nobody waits for ever on account of it, and the work is done.
        means.note(placed);
        match (result, work) {
            (Some(Ok(result)), _) => result,
            (Some(Err(payload)), _) => resume(payload),
            (None, Some(work)) => work(),
            (None, None) => unreachable!("work that was taken has a result"),
        }
    }

    /// The means, as long as they have not failed.
    fn working(&self) -> Option<(&Means, &'static dyn PlaceMemory)> {
        let means = self.means.as_ref().filter(|means| means.failed.get().is_none())?;
        Some((means, means.system?))
    }
}

impl Means {
    fn note(&self, outcome: Result<Result<(), PlaceError>, Payload>) {
        let failure = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(reason)) => reason,
            Err(payload) => {
                discard(payload);
                PlaceError::new("the implementation of PlaceMemory has panicked")
            }
        };
        self.failed.get_or_set(failure);
    }
}
