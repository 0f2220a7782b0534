//! Which replica serves which processors.

use alloc::{vec, vec::Vec};
use core::fmt;

use crate::builder::{MAX_REPLICAS, Replicas};
use crate::error::BuildError;
use crate::replica::{ReplicaId, Site};
use crate::sync::Counter;
use crate::topology::{Node, Topology, current_cpu};

/// The bounds of the number of reader cells of a replica, of 128 bytes each. More than processors that can read at once gain nothing; and
/// a replica that is left by itself is read from all of them.
const READER_CELLS: (usize, usize) = (2, 64);

/// Where a replica is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// On the NUMA node that the calling thread runs on; if the topology doesn't know it, on the first node that has processors.
    Here,
    /// On the NUMA node with that id, near all its processors.
    Node(usize),
    /// On the NUMA node of that processor, near those that share a last-level cache with it.
    CacheDomainOf(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => f.write_str("node of the calling thread"),
            Self::Node(id) => write!(f, "node {id}"),
            Self::CacheDomainOf(cpu) => write!(f, "cache domain of CPU {cpu}"),
        }
    }
}

/// Where the replicas of a structure are and may be, and which processors each place is nearest to.
#[derive(Debug)]
pub(crate) struct Placement {
    topology: Topology,
    /// Nodes by ascending id, then cache domains by node.
    homes: Vec<Home>,
    /// The homes of the replicas to begin with.
    founders: Vec<usize>,
    /// Deals threads out over replicas that are equally near.
    next: Counter,
}

/// A place where a replica may be: a node with processors, or a cache domain of one.
#[derive(Debug)]
struct Home {
    node: usize,
    cpus: Vec<usize>,
    is_node: bool,
}

impl Placement {
    /// Where `replicas` has replicas on a machine like that.
    pub(crate) fn new(topology: Topology, replicas: Replicas) -> Result<Self, BuildError> {
        // Nodes and domains of which this process may use no processor, and those that have none, get no replica.
        let home = |node: &Node, cpus: &[usize], is_node| {
            let cpus = topology.usable_of(cpus);
            (!cpus.is_empty()).then(|| Home { node: node.id(), cpus, is_node })
        };
        let whole = topology.nodes().iter().filter_map(|node| home(node, node.cpus(), true));
        let parts = topology.nodes().iter().flat_map(|node| {
            let domains = node.cache_domains().iter();
            domains.filter_map(move |domain| home(node, domain.cpus(), false))
        });
        let homes: Vec<Home> = whole.chain(parts).collect();
        let nodes = homes.iter().filter(|home| home.is_node).count();
        let founders: Vec<usize> = match replicas {
            Replicas::PerNumaNode => (0..nodes).collect(),
            Replicas::PerCacheDomain => (nodes..homes.len()).collect(),
            Replicas::Count(count) if count.get() < nodes => {
                far_apart(nodes, count.get(), |a, b| topology.distance(homes[a].node, homes[b].node))
            }
            // One too many is enough to be refused.
            Replicas::Count(count) => (0..nodes).cycle().take(count.get().min(MAX_REPLICAS + 1)).collect(),
        };
        if founders.len() > MAX_REPLICAS {
            let requested = if let Replicas::Count(count) = replicas { count.get() } else { founders.len() };
            return Err(BuildError::Replicas { requested, max: MAX_REPLICAS });
        }
        Ok(Self { topology, homes, founders, next: Counter::default() })
    }

    /// The homes of the replicas to begin with, in order.
    pub(crate) fn founders(&self) -> &[usize] {
        &self.founders
    }

    /// Whether those are on several nodes.
    pub(crate) fn is_spread(&self) -> bool {
        self.founders.windows(2).any(|pair| self.node(pair[0]) != self.node(pair[1]))
    }

    pub(crate) fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The NUMA node of a home.
    pub(crate) fn node(&self, home: usize) -> usize {
        self.homes[home].node
    }

    /// The home at a place, if there is one.
    pub(crate) fn home_at(&self, place: Place) -> Option<usize> {
        match place {
            Place::Here => {
                let node = current_cpu().and_then(|cpu| self.node_of(cpu));
                Some(node.and_then(|id| self.home_at(Place::Node(id))).unwrap_or(0))
            }
            Place::Node(id) => self.homes.iter().position(|home| home.is_node && home.node == id),
            Place::CacheDomainOf(cpu) => self.homes.iter().position(|home| !home.is_node && home.has(cpu)),
        }
    }

    fn node_of(&self, cpu: usize) -> Option<usize> {
        self.topology.node_of_cpu(cpu).map(Node::id)
    }

    /// What a replica there has to know.
    pub(crate) fn site(&self, home: usize) -> Site<'_> {
        let (least, most) = READER_CELLS;
        let Home { node, cpus, .. } = &self.homes[home];
        let node = self.memory_node(*node);
        Site { home, node, cpus, cells: self.topology.cpus().clamp(least, most) }
    }

    /// The node that a node's replica has its memory from: itself, or the nearest that has any.
    fn memory_node(&self, node: usize) -> usize {
        let has_memory = |other: &&Node| self.topology.has_usable_memory(other.id());
        let nodes = || self.topology.nodes().iter().filter(has_memory);
        if nodes().any(|other| other.id() == node) {
            return node;
        }
        // Without distances the order of the numbers is the best guess.
        let distance = |other: &&Node| (self.topology.distance(node, other.id()), other.id().abs_diff(node));
        nodes().min_by_key(distance).map_or(node, Node::id)
    }

    /// The nodes that the log is spread over: those of the memory of the replicas to begin with, or of all that may come if that is one.
    pub(crate) fn log_nodes(&self) -> Vec<usize> {
        let nodes = |homes: &[usize]| {
            let mut nodes: Vec<usize> = homes.iter().map(|home| self.memory_node(self.node(*home))).collect();
            nodes.sort_unstable();
            nodes.dedup();
            nodes
        };
        match nodes(&self.founders) {
            founders if founders.len() > 1 => founders,
            _ => nodes(&(0..self.homes.len()).collect::<Vec<_>>()),
        }
    }

    /// The processors that a home is nearest to.
    pub(crate) fn cpus(&self, home: usize) -> &[usize] {
        &self.homes[home].cpus
    }

    /// Of the replicas with their homes, of which there is at least one: that nearest the calling thread. Of several that are
    /// equally near the favourite, or each in turn.
    pub(crate) fn nearest(
        &self,
        replicas: impl Iterator<Item = (ReplicaId, usize)>,
        favourite: Option<ReplicaId>,
    ) -> ReplicaId {
        self.nearest_to(current_cpu(), replicas, favourite)
    }

    fn nearest_to(
        &self,
        cpu: Option<usize>,
        replicas: impl Iterator<Item = (ReplicaId, usize)>,
        favourite: Option<ReplicaId>,
    ) -> ReplicaId {
        let node = cpu.and_then(|cpu| self.node_of(cpu));
        let mut near: Vec<ReplicaId> = Vec::new();
        let mut least = None;
        for (id, home) in replicas {
            let distance = Some(self.distance(cpu, node, &self.homes[home]));
            if least.is_none() || distance < least {
                near.clear();
                least = distance;
                near.push(id);
            } else if distance == least {
                near.push(id);
            }
        }
        match favourite.filter(|id| near.contains(id)) {
            Some(favourite) => favourite,
            None => near.get(self.next.add(1) as usize % near.len().max(1)).copied().unwrap_or(ReplicaId::new(0)),
        }
    }

    /// How far a home is from a processor. From one that the topology does not know, all are equally far.
    fn distance(&self, cpu: Option<usize>, node: Option<usize>, home: &Home) -> Distance {
        match (cpu, node) {
            (Some(cpu), Some(_)) if home.has(cpu) => Distance::Within(home.cpus.len()),
            (_, Some(node)) if home.node == node => Distance::SameNode,
            (_, Some(node)) => Distance::OtherNode(self.topology.distance(node, home.node)),
            (_, None) => Distance::OtherNode(None),
        }
    }
}

/// `count` of the first `nodes` homes that are far from each other, ascending: nodes of one socket are near each other, and have
/// numbers in a row.
fn far_apart(nodes: usize, count: usize, distance: impl Fn(usize, usize) -> Option<u32>) -> Vec<usize> {
    if distance(0, 0).is_none() {
        return (0..count).map(|index| index * nodes / count).collect();
    }
    // How far the nearest chosen node is; none for a chosen one.
    let mut nearest = vec![Some(u32::MAX); nodes];
    for _ in 0..count {
        // Of several that are equally far the first.
        let Some(next) = (0..nodes).rev().max_by_key(|node| nearest[*node]) else { break };
        for node in 0..nodes {
            nearest[node] = nearest[node].map(|nearest| distance(node, next).map_or(nearest, |new| nearest.min(new)));
        }
        nearest[next] = None;
    }
    (0..nodes).filter(|node| nearest[*node].is_none()).collect()
}

/// From a processor to a home, the nearest first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Distance {
    /// It has the processor, among so many.
    Within(usize),
    SameNode,
    /// As far as the topology says, if it does.
    OtherNode(Option<u32>),
}

impl Home {
    fn has(&self, cpu: usize) -> bool {
        self.cpus.binary_search(&cpu).is_ok()
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

    impl Placement {
        fn nearest_founder(&self, cpu: Option<usize>) -> usize {
            let founders = self.founders().iter().enumerate().map(|(index, &home)| (ReplicaId::new(index), home));
            self.nearest_to(cpu, founders, None).index()
        }
    }

    #[test]
    fn memory_only_nodes_get_no_replica() {
        let placement = Placement::new(four_by_two(), Replicas::PerNumaNode).unwrap();
        let nodes: Vec<usize> = placement.founders().iter().map(|home| placement.node(*home)).collect();
        assert_eq!(nodes, [0, 2, 3, 4]);
        assert_eq!(placement.home_at(Place::Node(1)), None);
        assert_eq!(placement.home_at(Place::Node(9)), None);
        assert_eq!(placement.home_at(Place::CacheDomainOf(8)), None);
        assert_eq!(placement.home_at(Place::Node(4)).map(|home| placement.node(home)), Some(4));
        assert_eq!(placement.home_at(Place::CacheDomainOf(3)).map(|home| placement.node(home)), Some(2));
    }

    #[test]
    fn what_the_process_may_not_use_gets_no_replica() {
        let topology = four_by_two().with_cache_domains([[6], [7]]).unwrap().with_usable_cpus([1, 4, 5, 7]).unwrap();
        let founders = |replicas| {
            let placement = Placement::new(topology.clone(), replicas).unwrap();
            let of = |home: &usize| (placement.node(*home), placement.cpus(*home).to_vec());
            placement.founders().iter().map(of).collect::<Vec<_>>()
        };
        let homes = [(0, vec![1]), (3, vec![4, 5]), (4, vec![7])];
        assert_eq!(founders(Replicas::PerNumaNode), homes);
        assert_eq!(founders(Replicas::PerCacheDomain), homes);
        assert_eq!(founders(Replicas::Count(NonZeroUsize::new(3).unwrap())), homes);
        let placement = Placement::new(topology.clone(), Replicas::PerNumaNode).unwrap();
        assert_eq!(placement.home_at(Place::Node(2)), None);
    }

    #[test]
    fn few_replicas_are_far_apart() {
        let nodes = |text: &str, count| {
            let placement =
                Placement::new(text.parse().unwrap(), Replicas::Count(NonZeroUsize::new(count).unwrap())).unwrap();
            placement.founders().iter().map(|home| placement.node(*home)).collect::<Vec<_>>()
        };
        let four = "node 0: cpus 0\nnode 1: cpus 1\nnode 2: cpus 2\nnode 3: cpus 3\n";
        let two_sockets = "distances: 10 12 21 21 / 12 10 21 21 / 21 21 10 12 / 21 21 12 10";
        let alternating = "distances: 10 21 12 21 / 21 10 21 12 / 12 21 10 21 / 21 12 21 10";
        assert_eq!(nodes(four, 2), [0, 2]);
        assert_eq!(nodes(four, 3), [0, 1, 2]);
        assert_eq!(nodes(&[four, two_sockets].concat(), 1), [0]);
        assert_eq!(nodes(&[four, two_sockets].concat(), 2), [0, 2]);
        assert_eq!(nodes(&[four, two_sockets].concat(), 3), [0, 1, 2]);
        assert_eq!(nodes(&[four, alternating].concat(), 2), [0, 1]);
        assert_eq!(nodes(&[four, two_sockets].concat(), 6), [0, 1, 2, 3, 0, 1]);
    }

    #[test]
    fn many_nodes_are_no_trouble() {
        let nodes = 1000;
        let distances = (0..nodes)
            .map(|from: u32| (0..nodes).map(move |to| if from == to { 10 } else { 11 + from.abs_diff(to) % 200 }));
        let topology = Topology::from_nodes((0..nodes as usize).map(|cpu| [cpu])).unwrap();
        let topology = topology.with_distances(distances).unwrap();
        let count = NonZeroUsize::new(500).unwrap();
        let placement = Placement::new(topology, Replicas::Count(count)).unwrap();
        assert_eq!(placement.founders().len(), 500);
        assert!(placement.founders().is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn memory_that_may_not_be_used_is_not() {
        let text = "node 0: cpus 0\nnode 1: cpus 1\nnode 2: cpus 2\ndistances: 10 30 20 / 30 10 20 / 20 20 10\n\
                    usable memory: 0,2";
        let placement = Placement::new(text.parse().unwrap(), Replicas::PerNumaNode).unwrap();
        let nodes: Vec<usize> = placement.founders().iter().map(|home| placement.site(*home).node).collect();
        assert_eq!(nodes, [0, 2, 2]);
        assert_eq!(placement.log_nodes(), [0, 2]);
    }

    #[test]
    fn a_node_without_memory_has_it_from_the_nearest() {
        let text = "node 0: cpus 0; memory 1 GiB\nnode 1: cpus 1; memory 0\nnode 2: cpus 2; memory 0\n\
                    node 3: cpus; memory 1 GiB\ndistances: 10 20 20 30 / 20 10 20 15 / 20 20 10 30 / 30 15 30 10";
        let placement = Placement::new(text.parse().unwrap(), Replicas::PerNumaNode).unwrap();
        let nodes: Vec<usize> = placement.founders().iter().map(|home| placement.site(*home).node).collect();
        assert_eq!(nodes, [0, 3, 0]);
        assert_eq!(placement.log_nodes(), [0, 3]);
    }

    #[test]
    fn a_thread_far_from_all_replicas_gets_the_least_far() {
        let rows = [[10, 20, 30, 40], [20, 10, 20, 30], [30, 20, 10, 20], [40, 30, 20, 10]];
        let topology = Topology::from_nodes([[0], [1], [2], [3]]).unwrap().with_distances(rows).unwrap();
        let placement = Placement::new(topology, Replicas::PerNumaNode).unwrap();
        let of_two = || [(ReplicaId::new(0), 0), (ReplicaId::new(2), 2)].into_iter();
        assert_eq!(placement.nearest_to(Some(3), of_two(), None), ReplicaId::new(2));
    }

    #[test]
    fn a_thread_gets_the_replica_of_its_processor() {
        let placement = Placement::new(four_by_two(), Replicas::PerNumaNode).unwrap();
        for (cpu, replica) in [(0, 0), (1, 0), (2, 1), (5, 2), (7, 3), (7, 3)] {
            assert_eq!(placement.nearest_founder(Some(cpu)), replica);
        }
    }

    #[test]
    fn several_replicas_on_a_node_take_turns() {
        let count = Replicas::Count(NonZeroUsize::new(6).unwrap());
        let placement = Placement::new(four_by_two(), count).unwrap();
        let on_node_0: Vec<usize> = (0..4).map(|_| placement.nearest_founder(Some(1))).collect();
        assert_eq!(on_node_0, [0, 4, 0, 4]);
        let anywhere: Vec<usize> = (0..6).map(|_| placement.nearest_founder(None)).collect();
        assert_eq!(anywhere, [4, 5, 0, 1, 2, 3]);
        assert!(placement.nearest_founder(Some(99)) < 6);
    }

    #[test]
    fn the_narrowest_home_is_nearest_and_the_favourite_stays() {
        let topology = Topology::from_nodes([0..4, 4..8]).unwrap().with_cache_domains([[0, 1], [2, 3]]).unwrap();
        let placement = Placement::new(topology, Replicas::PerNumaNode).unwrap();
        let homes = [Place::Node(0), Place::CacheDomainOf(0), Place::CacheDomainOf(1), Place::Node(1)];
        let homes = homes.map(|place| placement.home_at(place).unwrap());
        let nearest = |cpu, of: &[usize], favourite: Option<usize>| {
            let replicas = of.iter().map(|&index| (ReplicaId::new(index), homes[index]));
            placement.nearest_to(Some(cpu), replicas, favourite.map(ReplicaId::new)).index()
        };
        assert_eq!(nearest(2, &[0, 1, 3], None), 0);
        assert_eq!(nearest(2, &[1, 3], None), 1, "on the same node");
        assert_eq!(nearest(5, &[0, 1, 3], Some(0)), 3);
        for favourite in [1, 2] {
            assert_eq!(nearest(0, &[0, 1, 2, 3], Some(favourite)), favourite);
        }
        assert!([1, 2].contains(&nearest(0, &[0, 1, 2, 3], Some(0))));
    }

    #[test]
    fn as_many_replicas_as_are_possible() {
        let count = |n| Placement::new(four_by_two(), Replicas::Count(NonZeroUsize::new(n).unwrap()));
        assert_eq!(count(MAX_REPLICAS).unwrap().founders().len(), MAX_REPLICAS);
        let error = count(1_000_000_000).unwrap_err();
        assert_eq!(error, BuildError::Replicas { requested: 1_000_000_000, max: MAX_REPLICAS });
    }
}
