//! What a person wants to know about where things are.

use alloc::vec::Vec;
use core::fmt;

use crate::dispatch::Dispatch;
use crate::placement::Placement;
use crate::replica::{MemoryPlacement, ReplicaId, ReplicaSet};
use crate::topology::memory::PlaceError;
use crate::topology::ranges;

/// Where the replicas and the log of a structure are, from [`NodeReplicated::placement`](crate::NodeReplicated::placement). Prints as
/// a small list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlacementReport {
    /// Of each replica, in order.
    pub replicas: Vec<ReplicaPlacement>,
    /// Whether what is allocated for replicas comes from their nodes.
    pub memory: MemoryPlacement,
    /// Whether the log's pages are spread over the nodes, all of those that the replicas were to begin with; none if it needs no
    /// spreading, or there has been none yet.
    pub log_interleaved: Option<Result<(), PlaceError>>,
    /// Whether the kernel is to give the log huge pages, as far as it has any; none if nobody asked for them, or there has been no
    /// log yet.
    pub log_huge_pages: Option<Result<(), PlaceError>>,
}

/// Where one replica is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicaPlacement {
    /// Which.
    pub id: ReplicaId,
    /// The id of its NUMA node.
    pub node: usize,
    /// The id of the node that its memory is to come from: the same, or the nearest one that has any.
    pub memory_node: usize,
    /// Whether it does.
    pub memory: MemoryPlacement,
    /// The numbers of the CPUs that it is nearest to, ascending: threads there register on it.
    pub cpus: Vec<usize>,
}

impl PlacementReport {
    pub(crate) fn of<D: Dispatch>(set: &ReplicaSet<D>, placement: &Placement) -> Self {
        let present = set.present_now();
        let replicas = present.iter().map(|replica| ReplicaPlacement {
            id: replica.id(),
            node: placement.node(replica.home()),
            memory_node: replica.node(),
            memory: set.memory().placement_on(replica.node()),
            cpus: placement.cpus(replica.home()).to_vec(),
        });
        let log = set.log().map(|log| log.placement().clone());
        Self {
            replicas: replicas.collect(),
            memory: set.memory().placement(present.iter().map(|replica| replica.node())),
            log_interleaved: log.as_ref().and_then(|log| log.interleaved.clone()),
            log_huge_pages: log.and_then(|log| log.huge_pages),
        }
    }
}

impl fmt::Display for PlacementReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for replica in &self.replicas {
            writeln!(f, "{replica}")?;
        }
        write!(f, "memory of the replicas: {}", self.memory)?;
        for (what, outcome) in
            [("spread over the nodes", &self.log_interleaved), ("on huge pages", &self.log_huge_pages)]
        {
            match outcome {
                None => {}
                Some(Ok(())) => write!(f, "\nlog: {what}")?,
                Some(Err(reason)) => write!(f, "\nlog: not {what}: {reason}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for ReplicaPlacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, node, memory_node, memory, cpus } = self;
        write!(f, "{id}: node {node}, CPUs {}", ranges(cpus))?;
        if memory_node != node {
            write!(f, ", memory of node {memory_node}")?;
        }
        match memory {
            MemoryPlacement::OneNode | MemoryPlacement::Placed => Ok(()),
            MemoryPlacement::InPart(_) | MemoryPlacement::NotPlaced(_) => write!(f, ", memory {memory}"),
        }
    }
}
