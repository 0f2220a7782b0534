use alloc::vec::Vec;

/// One NUMA node of a [`Topology`](super::Topology).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    id: usize,
    /// Ascending.
    cpus: Vec<usize>,
    /// By their first CPU.
    cache_domains: Vec<CacheDomain>,
    /// By their first thread.
    cores: Vec<Core>,
    memory: Option<u64>,
}

/// A core of a [`Node`], which is one CPU, or several if it has several hardware threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// Ascending.
    threads: Vec<usize>,
}

/// CPUs of one [`Node`] that share their last-level cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheDomain {
    /// Ascending.
    cpus: Vec<usize>,
}

impl Node {
    /// A node whose CPUs, in any order, are one cache domain.
    pub(super) fn new(id: usize, mut cpus: Vec<usize>) -> Self {
        cpus.sort_unstable();
        let cache_domains = CacheDomain::new(cpus.clone()).into_iter().collect();
        let mut node = Self { id, cpus, cache_domains, cores: Vec::new(), memory: None };
        node.reset_cores();
        node
    }

    /// Each CPU a core.
    pub(super) fn reset_cores(&mut self) {
        self.cores = self.cpus.iter().map(|cpu| Core::new([*cpu].into())).collect();
    }

    /// The cores, in any order, have every CPU of this node, each once.
    pub(super) fn set_cores(&mut self, mut cores: Vec<Core>) {
        cores.sort_unstable_by(|a, b| a.threads.cmp(&b.threads));
        self.cores = cores;
    }

    pub(super) fn set_id(&mut self, id: usize) {
        self.id = id;
    }

    pub(super) fn set_memory(&mut self, bytes: u64) {
        self.memory = Some(bytes);
    }

    /// The domains, in any order, have every CPU of this node, each once.
    pub(super) fn set_cache_domains(&mut self, mut domains: Vec<CacheDomain>) {
        domains.sort_unstable_by(|a, b| a.cpus.cmp(&b.cpus));
        self.cache_domains = domains;
    }

    /// The number that the kernel, or the position in
    /// [`Topology::from_nodes`](super::Topology::from_nodes), gave to this node.
    ///
    /// ```
    /// # use nr::topology::Topology;
    /// assert_eq!(Topology::single().nodes()[0].id(), 0);
    /// ```
    pub fn id(&self) -> usize {
        self.id
    }

    /// The numbers of this node's CPUs, ascending. Empty if the node has only memory.
    ///
    /// ```
    /// # use nr::topology::Topology;
    /// assert_eq!(Topology::from_nodes([[3, 1, 2]])?.nodes()[0].cpus(), [1, 2, 3]);
    /// # Ok::<(), nr::topology::TopologyError>(())
    /// ```
    pub fn cpus(&self) -> &[usize] {
        &self.cpus
    }

    /// The groups of CPUs that share a last-level cache, by their first CPU. Together they have
    /// every CPU of the node, each once; there is none if the node has only memory.
    ///
    /// ```
    /// # use nr::topology::Topology;
    /// assert_eq!(Topology::from_nodes([0..4])?.nodes()[0].cache_domains().len(), 1);
    /// # Ok::<(), nr::topology::TopologyError>(())
    /// ```
    pub fn cache_domains(&self) -> &[CacheDomain] {
        &self.cache_domains
    }

    /// The cores, by their first CPU. Together they have every CPU of the node, each once. Where the machine does not tell,
    /// each CPU is one.
    ///
    /// ```
    /// # use nr::topology::Topology;
    /// assert_eq!(Topology::from_nodes([0..4])?.nodes()[0].cores().len(), 4);
    /// # Ok::<(), nr::topology::TopologyError>(())
    /// ```
    pub fn cores(&self) -> &[Core] {
        &self.cores
    }

    /// How much memory the node has, in bytes; 0 if it has only CPUs, `None` if that is unknown.
    pub fn memory(&self) -> Option<u64> {
        self.memory
    }
}

impl Core {
    /// A core of these CPUs, at least one, in any order.
    pub(super) fn new(mut threads: Vec<usize>) -> Self {
        threads.sort_unstable();
        Self { threads }
    }

    /// The numbers of its CPUs, ascending. Never empty.
    pub fn threads(&self) -> &[usize] {
        &self.threads
    }
}

impl CacheDomain {
    /// A domain of these CPUs, in any order; `None` if there are none.
    pub(super) fn new(mut cpus: Vec<usize>) -> Option<Self> {
        cpus.sort_unstable();
        (!cpus.is_empty()).then_some(Self { cpus })
    }

    /// The numbers of this domain's CPUs, ascending. Never empty.
    ///
    /// ```
    /// # use nr::topology::Topology;
    /// let topology = Topology::from_nodes([0..4])?.with_cache_domains([[0, 2], [1, 3]])?;
    /// assert_eq!(topology.nodes()[0].cache_domains()[1].cpus(), [1, 3]);
    /// # Ok::<(), nr::topology::TopologyError>(())
    /// ```
    pub fn cpus(&self) -> &[usize] {
        &self.cpus
    }
}
