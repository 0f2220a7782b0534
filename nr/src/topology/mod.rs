//! The machine as the replicas see it: NUMA nodes, their CPUs, and the groups of CPUs that share a
//! last-level cache.
//!
//! [`Topology::detect`] reads the running machine; [`Topology::from_nodes`] describes another one
//! by hand, for tests, for simulations, or where the machine describes itself wrongly.

#[cfg(all(target_os = "linux", feature = "std"))]
mod allowed;
mod display;
mod error;
#[cfg(feature = "hwloc")]
mod hwloc;
mod list;
mod manual;
pub mod memory;
mod node;
#[cfg(feature = "std")]
pub mod pin;
#[cfg(all(target_os = "linux", feature = "std"))]
mod sysfs;
mod text;

use alloc::{collections::BTreeMap, string::String, vec, vec::Vec};

pub(crate) use display::ranges;
pub use error::TopologyError;
pub use node::{CacheDomain, Core, Node};

/// The NUMA nodes of a machine, with their CPUs and cache domains.
///
/// A topology has at least one CPU, and no CPU is in two nodes. None of the methods panics. Two
/// topologies are equal when their nodes, their cache domains and their [`source`](Self::source)
/// are.
///
/// Its `Display` form is made for people, and may change:
///
/// ```
/// use nr::topology::Topology;
///
/// let topology = Topology::from_nodes([0..4, 4..8])?.with_cache_domains([0..2, 2..4])?;
/// assert_eq!(
///     topology.to_string(),
///     "2 NUMA nodes, 8 CPUs\n  \
///        node 0: CPUs 0-3 (2 cache domains: 0-1 | 2-3)\n  \
///        node 1: CPUs 4-7 (1 cache domain)"
/// );
/// # Ok::<(), nr::topology::TopologyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// By ascending id.
    nodes: Vec<Node>,
    /// Every CPU of every node, with the position of its node in `nodes`.
    node_of_cpu: BTreeMap<usize, usize>,
    /// Of each node to each, by position, row by row; empty if unknown.
    distances: Vec<u32>,
    /// Of the CPUs those that this process may use. Ascending, never empty.
    usable: Vec<usize>,
    /// The ids of the nodes whose memory this process may use, ascending, if these are not all that have any.
    usable_memory: Option<Vec<usize>>,
    source: Source,
}

/// Where a [`Topology`] comes from, and so how far to trust it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// [`Topology::detect`] read it from the running Linux kernel.
    Sysfs,
    /// `Topology::detect_with_hwloc` has it from the library hwloc.
    Hwloc,
    /// [`Topology::detect`] could not use what the machine says about itself, and assumed a single
    /// node.
    Fallback {
        /// What was missing or wrong, in words.
        reason: String,
    },
    /// [`Topology::single`]: a single node, without looking.
    Single,
    /// Made by hand, by [`Topology::from_nodes`] or [`Topology::with_cache_domains`].
    Manual,
}

impl Topology {
    /// The largest number of nodes; the Linux kernel has the same limit.
    pub const MAX_NODES: usize = 1024;

    /// CPU numbers are below this. The largest machine that a Linux kernel is built for has 8192
    /// CPUs.
    pub const MAX_CPUS: usize = 65_536;

    /// Reads the topology of this machine.
    ///
    /// On Linux with the feature `std` it comes from `/sys/devices/system`: the online nodes, with
    /// the ids that the kernel gave them, and their online CPUs. A node with memory and no CPU is
    /// kept. A node whose caches the kernel does not describe is a single cache domain; memory, distances and cores are left out where
    /// they are not described. Which CPUs the process may use, and which nodes' memory, the kernel is asked. A node with neither CPUs nor memory is
    /// left out. Elsewhere,
    /// and where those files are missing or contradict each other, the answer is that of
    /// [`single`](Self::single), and [`source`](Self::source) says why.
    ///
    /// Costs some system calls for each node and each cache domain: call it once, at start-up.
    ///
    /// ```
    /// use nr::topology::{Source, Topology};
    ///
    /// let topology = Topology::detect();
    /// println!("{topology}");
    /// if let Source::Fallback { reason } = topology.source() {
    ///     eprintln!("this machine's NUMA nodes are unknown: {reason}");
    /// }
    /// # assert!(topology.cpus() > 0);
    /// ```
    pub fn detect() -> Self {
        read_machine().unwrap_or_else(|reason| Self::one_node(Source::Fallback { reason }))
    }

    /// As [`detect`](Self::detect), but from the C library [hwloc], through the crate `hwloc2`: for systems other than Linux, and to
    /// compare. Memory and distances are not known then; they can't be had through that crate.
    ///
    /// # Errors
    /// What hwloc could not do, or what makes no sense in what it says.
    ///
    /// [hwloc]: https://www.open-mpi.org/projects/hwloc/
    #[cfg(feature = "hwloc")]
    pub fn detect_with_hwloc() -> Result<Self, String> {
        let mut topology = hwloc::read()?;
        #[cfg(target_os = "linux")]
        restrict_to_this_process(&mut topology);
        Ok(topology)
    }

    /// One node with the id 0 and one cache domain, with the CPUs that this process may use.
    ///
    /// Elsewhere than on Linux there are as many as `std::thread::available_parallelism` says, numbered from 0; and a single one
    /// without the feature `std`.
    ///
    /// ```
    /// use nr::topology::Topology;
    ///
    /// let topology = Topology::single();
    /// assert_eq!(topology.nodes().len(), 1);
    /// assert_eq!(topology.nodes()[0].cpus().len(), topology.cpus());
    /// ```
    pub fn single() -> Self {
        Self::one_node(Source::Single)
    }

    /// A topology made by hand: one node for each item, with ids from 0, each given as its CPU
    /// numbers in any order.
    ///
    /// An empty node is one that has only memory. Each node starts as a single cache domain; see
    /// [`with_cache_domains`](Self::with_cache_domains). Takes O(*n* log *n*) for *n* CPUs.
    ///
    /// # Errors
    ///
    /// - [`NoCpu`](TopologyError::NoCpu): there is no node, or all are empty.
    /// - [`CpuInTwoNodes`](TopologyError::CpuInTwoNodes): a CPU is named twice, in two nodes or in
    ///   one.
    /// - [`CpuOutOfRange`](TopologyError::CpuOutOfRange): a CPU number is not below
    ///   [`MAX_CPUS`](Self::MAX_CPUS).
    /// - [`TooManyNodes`](TopologyError::TooManyNodes): there are more nodes than
    ///   [`MAX_NODES`](Self::MAX_NODES).
    ///
    /// ```
    /// use nr::topology::{Topology, TopologyError};
    ///
    /// let topology = Topology::from_nodes([vec![0, 2, 4], vec![1, 3, 5], vec![]])?;
    /// assert_eq!(topology.nodes()[1].cpus(), [1, 3, 5]);
    ///
    /// let error = Topology::from_nodes([[0, 1], [1, 2]]).unwrap_err();
    /// assert_eq!(error, TopologyError::CpuInTwoNodes { cpu: 1, nodes: [0, 1] });
    /// # Ok::<(), TopologyError>(())
    /// ```
    pub fn from_nodes<N>(nodes: N) -> Result<Self, TopologyError>
    where
        N: IntoIterator,
        N::Item: IntoIterator<Item = usize>,
    {
        Self::assemble(nodes.into_iter().enumerate(), Source::Manual)
    }

    /// Replaces the cache domains of every node; each domain is given as its CPU numbers, in any
    /// order.
    ///
    /// CPUs of a node that no domain names form one further domain of that node, and each CPU is a core of its own again, until
    /// [`with_cores`](Self::with_cores). The topology counts as made by hand from then on. Takes O(*n* log *n*) for *n* CPUs.
    ///
    /// # Errors
    ///
    /// - [`UnknownCpu`](TopologyError::UnknownCpu): a CPU is in no node.
    /// - [`CpuInTwoDomains`](TopologyError::CpuInTwoDomains): a CPU is named twice, in two domains
    ///   or in one.
    /// - [`DomainAcrossNodes`](TopologyError::DomainAcrossNodes): a domain has CPUs of two nodes.
    /// - [`EmptyDomain`](TopologyError::EmptyDomain): a domain has no CPU.
    ///
    /// ```
    /// use nr::topology::Topology;
    ///
    /// let topology = Topology::from_nodes([0..8])?.with_cache_domains([0..2, 2..4])?;
    /// let domains = topology.nodes()[0].cache_domains();
    /// assert_eq!(domains.len(), 3);
    /// assert_eq!(domains[2].cpus(), [4, 5, 6, 7]);
    /// # Ok::<(), nr::topology::TopologyError>(())
    /// ```
    pub fn with_cache_domains<G>(mut self, domains: G) -> Result<Self, TopologyError>
    where
        G: IntoIterator,
        G::Item: IntoIterator<Item = usize>,
    {
        self.set_cache_domains(domains)?;
        self.source = Source::Manual;
        Ok(self)
    }

    /// The nodes by ascending id, those without CPUs among them. A node's position here is not its
    /// id: the kernel may leave ids out.
    ///
    /// ```
    /// use nr::topology::Topology;
    ///
    /// let topology = Topology::from_nodes([0..4, 4..8, 0..0])?;
    /// let with_cpus = topology.nodes().iter().filter(|node| !node.cpus().is_empty());
    /// assert_eq!(with_cpus.count(), 2);
    /// # Ok::<(), nr::topology::TopologyError>(())
    /// ```
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The number of CPUs in all nodes together, at least 1. Takes O(1).
    ///
    /// ```
    /// use nr::topology::Topology;
    ///
    /// assert_eq!(Topology::from_nodes([0..4, 8..12])?.cpus(), 8);
    /// # Ok::<(), nr::topology::TopologyError>(())
    /// ```
    pub fn cpus(&self) -> usize {
        self.node_of_cpu.len()
    }

    /// The node of a CPU; `None` if no node has it, as with a CPU that came online later. Takes
    /// O(log *n*) for *n* CPUs.
    ///
    /// ```
    /// use nr::topology::{Node, Topology};
    ///
    /// let topology = Topology::from_nodes([0..4, 4..8])?;
    /// assert_eq!(topology.node_of_cpu(5).map(Node::id), Some(1));
    /// assert_eq!(topology.node_of_cpu(8), None);
    /// # Ok::<(), nr::topology::TopologyError>(())
    /// ```
    pub fn node_of_cpu(&self, cpu: usize) -> Option<&Node> {
        self.node_of_cpu.get(&cpu).map(|&position| &self.nodes[position])
    }

    /// Where this topology comes from.
    ///
    /// ```
    /// use nr::topology::{Source, Topology};
    ///
    /// assert_eq!(*Topology::from_nodes([0..4])?.source(), Source::Manual);
    /// # Ok::<(), nr::topology::TopologyError>(())
    /// ```
    pub fn source(&self) -> &Source {
        &self.source
    }

    fn one_node(source: Source) -> Self {
        let cpus = available_cpus();
        Self {
            node_of_cpu: cpus.iter().map(|cpu| (*cpu, 0)).collect(),
            nodes: vec![Node::new(0, cpus.clone())],
            distances: Vec::new(),
            usable: cpus,
            usable_memory: None,
            source,
        }
    }

    /// Makes a topology of `(id, CPUs)` pairs with ascending ids. Checks each CPU as it comes, so
    /// that even an endless iterator ends in an error.
    fn assemble<C>(nodes: impl IntoIterator<Item = (usize, C)>, source: Source) -> Result<Self, TopologyError>
    where
        C: IntoIterator<Item = usize>,
    {
        let mut topology = Self {
            nodes: Vec::new(),
            node_of_cpu: BTreeMap::new(),
            distances: Vec::new(),
            usable: Vec::new(),
            usable_memory: None,
            source,
        };
        for (id, cpus) in nodes {
            topology.push_node(id, cpus)?;
        }
        if topology.node_of_cpu.is_empty() {
            return Err(TopologyError::NoCpu);
        }
        topology.usable = topology.node_of_cpu.keys().copied().collect();
        Ok(topology)
    }

    fn push_node(&mut self, id: usize, cpus: impl IntoIterator<Item = usize>) -> Result<(), TopologyError> {
        let position = self.nodes.len();
        if position == Self::MAX_NODES {
            return Err(TopologyError::TooManyNodes);
        }
        let mut members = Vec::new();
        for cpu in cpus {
            if cpu >= Self::MAX_CPUS {
                return Err(TopologyError::CpuOutOfRange { cpu });
            }
            if let Some(earlier) = self.node_of_cpu.insert(cpu, position) {
                let earlier = self.nodes.get(earlier).map_or(id, Node::id);
                return Err(TopologyError::CpuInTwoNodes { cpu, nodes: [earlier, id] });
            }
            members.push(cpu);
        }
        self.nodes.push(Node::new(id, members));
        Ok(())
    }

    fn set_cache_domains<G>(&mut self, domains: G) -> Result<(), TopologyError>
    where
        G: IntoIterator,
        G::Item: IntoIterator<Item = usize>,
    {
        let mut domain_of_cpu = BTreeMap::new();
        let mut domains_of_node = vec![Vec::new(); self.nodes.len()];
        for (domain, cpus) in domains.into_iter().enumerate() {
            let (node, domain) = self.gather_domain(domain, cpus, &mut domain_of_cpu)?;
            domains_of_node[node].push(domain);
        }
        for (node, mut domains) in self.nodes.iter_mut().zip(domains_of_node) {
            let unnamed = node.cpus().iter().copied();
            let unnamed = unnamed.filter(|cpu| !domain_of_cpu.contains_key(cpu));
            domains.extend(CacheDomain::new(unnamed.collect()));
            node.set_cache_domains(domains);
        }
        // What was said of cores before may not fit any more.
        for node in &mut self.nodes {
            node.reset_cores();
        }
        Ok(())
    }

    /// The domain at the position `domain`, with the position of its node. Its CPUs are entered in
    /// `domain_of_cpu`.
    fn gather_domain(
        &self,
        domain: usize,
        cpus: impl IntoIterator<Item = usize>,
        domain_of_cpu: &mut BTreeMap<usize, usize>,
    ) -> Result<(usize, CacheDomain), TopologyError> {
        let mut domain_node = None;
        let mut members = Vec::new();
        for cpu in cpus {
            let Some(&node) = self.node_of_cpu.get(&cpu) else {
                return Err(TopologyError::UnknownCpu { cpu, domain });
            };
            if let Some(earlier) = domain_of_cpu.insert(cpu, domain) {
                return Err(TopologyError::CpuInTwoDomains { cpu, domains: [earlier, domain] });
            }
            let first = *domain_node.get_or_insert(node);
            if first != node {
                let nodes = [self.nodes[first].id(), self.nodes[node].id()];
                return Err(TopologyError::DomainAcrossNodes { domain, nodes });
            }
            members.push(cpu);
        }
        domain_node.zip(CacheDomain::new(members)).ok_or(TopologyError::EmptyDomain { domain })
    }
}

/// The CPU that the calling thread runs on, which may be another one by the time the answer
/// arrives.
///
/// `None` where it cannot be known: elsewhere than on Linux, and without the feature `std`. On the
/// usual architectures it is cheap, without a real system call.
///
/// ```
/// use nr::topology::{Node, Topology, current_cpu};
///
/// let topology = Topology::detect();
/// let node = current_cpu().and_then(|cpu| topology.node_of_cpu(cpu)).map(Node::id);
/// println!("this thread runs on the node {node:?}");
/// ```
pub fn current_cpu() -> Option<usize> {
    #[cfg(all(target_os = "linux", feature = "std"))]
    {
        // SAFETY: `sched_getcpu` takes no argument, touches no memory of ours and may be called by
        // any thread at any time.
        let cpu = unsafe { libc::sched_getcpu() };
        // It is -1 where the kernel does not tell.
        usize::try_from(cpu).ok()
    }
    #[cfg(not(all(target_os = "linux", feature = "std")))]
    None
}

#[cfg(all(target_os = "linux", feature = "std"))]
fn read_machine() -> Result<Topology, String> {
    let mut topology = sysfs::read(sysfs::ROOT.as_ref())?;
    restrict_to_this_process(&mut topology);
    Ok(topology)
}

#[cfg(all(target_os = "linux", feature = "std"))]
fn restrict_to_this_process(topology: &mut Topology) {
    topology.restrict_to(&allowed::cpus());
    let nodes: Vec<usize> = topology.nodes.iter().map(Node::id).collect();
    topology.restrict_memory_to(&memory::usable_nodes(nodes));
}

#[cfg(not(all(target_os = "linux", feature = "std")))]
fn read_machine() -> Result<Topology, String> {
    Err("NUMA nodes are read only on Linux, with the feature `std`".into())
}

/// The CPUs that this process may use, as far as that can be found out without knowing the nodes.
fn available_cpus() -> Vec<usize> {
    #[cfg(all(target_os = "linux", feature = "std"))]
    {
        let allowed = allowed::cpus();
        if !allowed.is_empty() {
            return allowed;
        }
    }
    #[cfg(feature = "std")]
    let number = std::thread::available_parallelism().map_or(1, usize::from).min(Topology::MAX_CPUS);
    #[cfg(not(feature = "std"))]
    let number = 1;
    (0..number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domains(node: &Node) -> Vec<&[usize]> {
        node.cache_domains().iter().map(CacheDomain::cpus).collect()
    }

    #[test]
    fn the_machine_under_test_has_a_node_with_a_cpu() {
        for topology in [Topology::detect(), Topology::single()] {
            let in_nodes: usize = topology.nodes().iter().map(|node| node.cpus().len()).sum();
            assert!(topology.cpus() > 0);
            assert_eq!(topology.cpus(), in_nodes);
        }
    }

    #[test]
    fn nodes_made_by_hand_are_sorted_and_whole() -> Result<(), TopologyError> {
        let topology = Topology::from_nodes([vec![9, 1, 5], vec![], vec![0]])?;
        assert_eq!(topology.nodes().iter().map(Node::id).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(domains(&topology.nodes()[0]), [[1, 5, 9]]);
        assert!(topology.nodes()[1].cache_domains().is_empty());
        assert_eq!(topology.node_of_cpu(9), Some(&topology.nodes()[0]));
        assert_eq!(topology.node_of_cpu(0), Some(&topology.nodes()[2]));
        assert_eq!(topology.node_of_cpu(2), None);
        Ok(())
    }

    #[test]
    fn the_limits_themselves_are_allowed() -> Result<(), TopologyError> {
        let topology = Topology::from_nodes((0..Topology::MAX_NODES).map(|node| [node]))?;
        assert_eq!(topology.nodes().len(), Topology::MAX_NODES);
        let last = Topology::MAX_CPUS - 1;
        assert_eq!(Topology::from_nodes([[last]])?.nodes()[0].cpus(), [last]);
        Ok(())
    }

    #[test]
    fn unnamed_cpus_form_a_domain_of_their_node() -> Result<(), TopologyError> {
        let topology = Topology::from_nodes([0..6, 6..8])?.with_cache_domains([[5, 4], [3, 2]])?;
        assert_eq!(domains(&topology.nodes()[0]), [[0, 1], [2, 3], [4, 5]]);
        assert_eq!(domains(&topology.nodes()[1]), [[6, 7]]);

        let again = topology.with_cache_domains([[7]])?;
        assert_eq!(domains(&again.nodes()[0]), [[0, 1, 2, 3, 4, 5]]);
        assert_eq!(domains(&again.nodes()[1]), [[6], [7]]);
        Ok(())
    }

    #[test]
    fn the_source_tells_who_made_it() -> Result<(), TopologyError> {
        let single = Topology::single();
        assert_eq!(*single.source(), Source::Single);
        assert_eq!(*single.with_cache_domains([[0]])?.source(), Source::Manual);
        Ok(())
    }
}
