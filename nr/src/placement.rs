//! Which replica serves which processors.

use alloc::vec::Vec;

use crate::builder::{MAX_REPLICAS, Replicas};
use crate::error::BuildError;
use crate::replica::ReplicaId;
use crate::sync::Counter;
use crate::topology::{Topology, current_cpu};

/// The bounds of the number of reader cells of a replica. A cell is 128 bytes that a writer looks at; more cells than
/// processors that can read at once gain nothing.
const READER_CELLS: (usize, usize) = (2, 64);

/// The replicas of a structure and the processors that each is nearest to.
#[derive(Debug)]
pub(crate) struct Placement {
    topology: Topology,
    homes: Vec<Home>,
    /// Deals threads out over replicas that are equally near.
    next: Counter,
}

/// Where a replica is.
#[derive(Debug)]
struct Home {
    node: usize,
    cpus: Vec<usize>,
}

impl Placement {
    /// Where `replicas` has replicas on a machine like that.
    pub(crate) fn new(topology: Topology, replicas: Replicas) -> Result<Self, BuildError> {
        let nodes = || topology.nodes().iter().filter(|node| !node.cpus().is_empty());
        let homes: Vec<Home> = match replicas {
            Replicas::PerNumaNode => nodes().map(|node| Home { node: node.id(), cpus: node.cpus().to_vec() }).collect(),
            Replicas::PerCacheDomain => nodes()
                .flat_map(|node| {
                    let home = |cpus: &[usize]| Home { node: node.id(), cpus: cpus.to_vec() };
                    node.cache_domains().iter().map(move |domain| home(domain.cpus()))
                })
                .collect(),
            Replicas::Count(count) => {
                // One too many is enough to be refused.
                let count = count.get().min(MAX_REPLICAS + 1);
                nodes().cycle().take(count).map(|node| Home { node: node.id(), cpus: node.cpus().to_vec() }).collect()
            }
        };
        if homes.len() > MAX_REPLICAS {
            let requested = if let Replicas::Count(count) = replicas { count.get() } else { homes.len() };
            return Err(BuildError::Replicas { requested, max: MAX_REPLICAS });
        }
        Ok(Self { topology, homes, next: Counter::default() })
    }

    pub(crate) fn replicas(&self) -> usize {
        self.homes.len()
    }

    pub(crate) fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The NUMA node of a replica.
    pub(crate) fn node(&self, replica: usize) -> usize {
        self.homes[replica].node
    }

    pub(crate) fn reader_cells(&self, replica: usize) -> usize {
        let (least, most) = READER_CELLS;
        // With fewer replicas than nodes, some are read from other nodes too.
        let share = self.topology.cpus().div_ceil(self.replicas());
        self.homes[replica].cpus.len().max(share).clamp(least, most)
    }

    /// The replica nearest the calling thread, and each of several that are equally near in turn.
    pub(crate) fn nearest(&self) -> ReplicaId {
        self.nearest_to(current_cpu())
    }

    fn nearest_to(&self, cpu: Option<usize>) -> ReplicaId {
        let near: Vec<usize> = match cpu {
            Some(cpu) => self.indices(|home| home.cpus.binary_search(&cpu).is_ok()),
            None => Vec::new(),
        };
        // On a processor that the topology does not know, all are equally near.
        let near = if near.is_empty() { self.indices(|_| true) } else { near };
        let turn = self.next.add(1);
        ReplicaId::new(near[turn as usize % near.len()])
    }

    fn indices(&self, mut is_near: impl FnMut(&Home) -> bool) -> Vec<usize> {
        (0..self.homes.len()).filter(|index| is_near(&self.homes[*index])).collect()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use core::num::NonZeroUsize;

    use super::*;

    fn four_by_two() -> Topology {
        Topology::from_nodes([vec![0, 1], vec![], vec![2, 3], vec![4, 5], vec![6, 7]]).unwrap()
    }

    #[test]
    fn memory_only_nodes_get_no_replica() {
        let placement = Placement::new(four_by_two(), Replicas::PerNumaNode).unwrap();
        let nodes: Vec<usize> = (0..placement.replicas()).map(|replica| placement.node(replica)).collect();
        assert_eq!(nodes, [0, 2, 3, 4]);
    }

    #[test]
    fn a_thread_gets_the_replica_of_its_processor() {
        let placement = Placement::new(four_by_two(), Replicas::PerNumaNode).unwrap();
        for (cpu, replica) in [(0, 0), (1, 0), (2, 1), (5, 2), (7, 3), (7, 3)] {
            assert_eq!(placement.nearest_to(Some(cpu)), ReplicaId::new(replica));
        }
    }

    #[test]
    fn several_replicas_on_a_node_take_turns() {
        let count = Replicas::Count(NonZeroUsize::new(6).unwrap());
        let placement = Placement::new(four_by_two(), count).unwrap();
        let on_node_0: Vec<usize> = (0..4).map(|_| placement.nearest_to(Some(1)).index()).collect();
        assert_eq!(on_node_0, [0, 4, 0, 4]);
        let anywhere: Vec<usize> = (0..6).map(|_| placement.nearest_to(None).index()).collect();
        assert_eq!(anywhere, [4, 5, 0, 1, 2, 3]);
        assert!(placement.nearest_to(Some(99)).index() < 6);
    }

    #[test]
    fn as_many_replicas_as_are_possible() {
        let count = |n| Placement::new(four_by_two(), Replicas::Count(NonZeroUsize::new(n).unwrap()));
        assert_eq!(count(MAX_REPLICAS).unwrap().replicas(), MAX_REPLICAS);
        let error = count(1_000_000_000).unwrap_err();
        assert_eq!(error, BuildError::Replicas { requested: 1_000_000_000, max: MAX_REPLICAS });
    }
}
