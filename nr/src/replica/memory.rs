//! Memory on the right node: what is built and what is done for a replica, where that is.

use alloc::{boxed::Box, format, vec::Vec};
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
    /// Some of it does; the reason says what does not, and why.
    InPart(PlaceError),
    /// It comes from wherever the thread happens to run, for this reason.
    NotPlaced(PlaceError),
}

impl fmt::Display for MemoryPlacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneNode => f.write_str("one node, nothing to place"),
            Self::Placed => f.write_str("placed"),
            Self::InPart(reason) => write!(f, "placed in part: {reason}"),
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
    /// By ascending id.
    nodes: Box<[NodeFailures]>,
}

/// What did not work for one node. What fails for one may work for another; and of what can be asked for, one thing
/// may be forbidden and not the others.
#[derive(Debug)]
struct NodeFailures {
    id: usize,
    build: SetOnce<PlaceError>,
    help: SetOnce<PlaceError>,
    moves: SetOnce<PlaceError>,
}

impl NodeMemory {
    /// For nodes with these ids, ascending.
    pub(crate) fn new(system: Option<&'static dyn PlaceMemory>, nodes: impl ExactSizeIterator<Item = usize>) -> Self {
        let node = |id| NodeFailures { id, build: SetOnce::new(), help: SetOnce::new(), moves: SetOnce::new() };
        Self { means: (nodes.len() > 1).then(|| Means { system, nodes: nodes.map(node).collect() }) }
    }

    /// How things are for a replica on that node.
    pub(crate) fn placement_on(&self, node: usize) -> MemoryPlacement {
        let Some(means) = &self.means else { return MemoryPlacement::OneNode };
        let Some((_, failures)) = means.for_node(node) else {
            let reason = "there are no means to place memory on this system (see Builder::place_memory)";
            return MemoryPlacement::NotPlaced(PlaceError::new(reason));
        };
        let of = |failure: &SetOnce<PlaceError>, what: &str| {
            failure.get().map(|reason| PlaceError::new(format!("{what}: {reason}")))
        };
        let later = || of(&failures.help, "what other nodes' threads do for a replica");
        let locks = || of(&failures.moves, "a replica's locks");
        match (failures.build.get(), later().or_else(locks)) {
            (Some(reason), _) => MemoryPlacement::NotPlaced(reason.clone()),
            (None, Some(reason)) => MemoryPlacement::InPart(reason),
            (None, None) => MemoryPlacement::Placed,
        }
    }

    /// How things are for replicas on those nodes together.
    pub(crate) fn placement(&self, nodes: impl Iterator<Item = usize>) -> MemoryPlacement {
        let each: Vec<MemoryPlacement> = nodes.map(|node| self.placement_on(node)).collect();
        let worst = each.iter().find(|placement| matches!(placement, MemoryPlacement::NotPlaced(_)));
        let worst = worst.or_else(|| each.iter().find(|placement| matches!(placement, MemoryPlacement::InPart(_))));
        match worst {
            Some(MemoryPlacement::NotPlaced(reason)) if each.contains(&MemoryPlacement::Placed) => {
                MemoryPlacement::InPart(reason.clone())
            }
            Some(worst) => worst.clone(),
            None => each.first().cloned().unwrap_or(MemoryPlacement::OneNode),
        }
    }

    /// Runs `work`, which builds a replica for `node`, on its `cpus`.
    pub(crate) fn build<R>(&self, node: usize, cpus: &[usize], work: impl FnOnce() -> R) -> R {
        let Some((system, failures)) = self.means_for(node) else { return work() };
        run(&failures.build, work, |work| system.build_on(node, cpus, work))
    }

    /// Runs `work`, which does something for the replica on `node` for the sake of one on node `own`.
    pub(crate) fn help<R>(&self, node: usize, own: Option<usize>, work: impl FnOnce() -> R) -> R {
        if own == Some(node) {
            return work();
        }
        match self.means_for(node) {
            Some((system, failures)) if failures.help.get().is_none() => {
                run(&failures.help, work, |work| system.help_on(node, work))
            }
            _ => work(),
        }
    }

    /// Moves what belongs to a replica itself to its node.
    pub(crate) fn move_to<T: ?Sized>(&self, node: usize, value: &T) {
        let Some((system, failures)) = self.means_for(node) else { return };
        let moved = catch(|| system.move_to(node, NonNull::from(value).cast(), size_of_val(value)));
        note(&failures.moves, moved);
    }

    fn means_for(&self, node: usize) -> Option<(&'static dyn PlaceMemory, &NodeFailures)> {
        self.means.as_ref()?.for_node(node)
    }
}

impl Means {
    fn for_node(&self, id: usize) -> Option<(&'static dyn PlaceMemory, &NodeFailures)> {
        let position = self.nodes.binary_search_by_key(&id, |node| node.id).ok()?;
        Some((self.system?, &self.nodes[position]))
    }
}

/// Has `work` run by `place`. Whoever implements that, and whatever it does, even panic: nobody waits for ever on account of it, and the
/// work is done.
fn run<R>(
    failure: &SetOnce<PlaceError>,
    work: impl FnOnce() -> R,
    place: impl FnOnce(&mut dyn FnMut()) -> Result<(), PlaceError>,
) -> R {
    let (mut work, mut result) = (Some(work), None);
    let placed = catch(|| {
        place(&mut || {
            if let Some(work) = work.take() {
                result = Some(catch(work));
            }
        })
    });
    note(failure, placed);
    match (result, work) {
        (Some(Ok(result)), _) => result,
        (Some(Err(payload)), _) => resume(payload),
        (None, Some(work)) => work(),
        (None, None) => unreachable!("work that was taken has a result"),
    }
}

/// The first failure is kept.
fn note(failure: &SetOnce<PlaceError>, outcome: Result<Result<(), PlaceError>, Payload>) {
    let reason = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(reason)) => reason,
        Err(payload) => {
            discard(payload);
            PlaceError::new("the implementation of PlaceMemory has panicked")
        }
    };
    failure.get_or_set(reason);
}
