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
    /// Whether the log's pages are spread over the nodes; none if it needs no spreading, or there has been none yet.
    pub log_interleaved: Option<Result<(), PlaceError>>,
    /// Whether the log lies on huge pages; none if nobody asked for them, or there has been none yet.
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
    /// The numbers of the CPUs that it is nearest to, ascending: threads there register on it.
    pub cpus: Vec<usize>,
}

impl PlacementReport {
    pub(crate) fn of<D: Dispatch>(set: &ReplicaSet<D>, placement: &Placement) -> Self {
        let replicas = set.present().map(|replica| ReplicaPlacement {
            id: replica.id(),
            node: placement.node(replica.home()),
            cpus: placement.cpus(replica.home()).to_vec(),
        });
        let log = set.log().map(|log| log.placement().clone());
        Self {
            replicas: replicas.collect(),
            memory: set.memory().placement(),
            log_interleaved: log.as_ref().and_then(|log| log.interleaved.clone()),
            log_huge_pages: log.and_then(|log| log.huge_pages),
        }
    }
}

impl fmt::Display for PlacementReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for replica in &self.replicas {
            writeln!(f, "{}: node {}, CPUs {}", replica.id, replica.node, ranges(&replica.cpus))?;
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
