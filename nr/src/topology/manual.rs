//! What else can be said of a topology made by hand; and checked, of one that was read.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{Core, Node, Source, Topology, TopologyError};

impl Topology {
    /// Gives the nodes other ids than 0, 1, 2 …: as many as there are nodes, ascending.
    ///
    /// # Errors
    /// [`NodeIds`](TopologyError::NodeIds): they are not as many, don't ascend, or one is not below
    /// [`MAX_NODES`](Self::MAX_NODES).
    ///
    /// ```
    /// use nr::topology::Topology;
    ///
    /// let topology = Topology::from_nodes([0..2, 2..4, 4..6])?.with_node_ids([0, 2, 5])?;
    /// assert_eq!(topology.node_of_cpu(3).unwrap().id(), 2);
    /// # Ok::<(), nr::topology::TopologyError>(())
    /// ```
    pub fn with_node_ids(mut self, ids: impl IntoIterator<Item = usize>) -> Result<Self, TopologyError> {
        let wanted = self.nodes.len();
        let ids: Vec<usize> = ids.into_iter().take(wanted + 1).collect();
        let ascends = ids.windows(2).all(|pair| pair[0] < pair[1]);
        if ids.len() != wanted || !ascends || ids.last().is_some_and(|last| *last >= Self::MAX_NODES) {
            return Err(TopologyError::NodeIds { nodes: wanted });
        }
        for (node, id) in self.nodes.iter_mut().zip(ids) {
            node.set_id(id);
        }
        self.source = Source::Manual;
        Ok(self)
    }

    /// Gives nodes their memory, as pairs of an id and bytes. Nodes that are not named keep what they have: nothing known.
    ///
    /// # Errors
    /// [`UnknownNode`](TopologyError::UnknownNode): there is no node of that id. [`EmptyNode`](TopologyError::EmptyNode): it would have
    /// neither CPUs nor memory.
    ///
    /// ```
    /// use nr::topology::Topology;
    ///
    /// let topology = Topology::from_nodes([0..2, 0..0])?.with_memory([(0, 1 << 30), (1, 4 << 30)])?;
    /// assert_eq!(topology.nodes()[1].memory(), Some(4 << 30));
    /// # Ok::<(), nr::topology::TopologyError>(())
    /// ```
    pub fn with_memory(mut self, memory: impl IntoIterator<Item = (usize, u64)>) -> Result<Self, TopologyError> {
        for (id, bytes) in memory {
            let node = self.nodes.iter_mut().find(|node| node.id() == id);
            let node = node.ok_or(TopologyError::UnknownNode { id })?;
            if bytes == 0 && node.cpus().is_empty() {
                return Err(TopologyError::EmptyNode { id });
            }
            node.set_memory(bytes);
        }
        self.source = Source::Manual;
        Ok(self)
    }

    /// Says how far nodes are from each other: for each node, in order, how far it is to each, in order; 10 stands for near, 20
    /// for twice as long to wait, as in the firmware's tables (ACPI's SLIT).
    ///
    /// # Errors
    /// [`Distances`](TopologyError::Distances): it is not a square of as many rows as there are nodes, a number is
    /// not from 1 to 255, or a node is nearer to another than to itself.
    ///
    /// ```
    /// use nr::topology::Topology;
    ///
    /// let topology = Topology::from_nodes([0..2, 2..4])?.with_distances([[10, 21], [21, 10]])?;
    /// assert_eq!(topology.distance(0, 1), Some(21));
    /// # Ok::<(), nr::topology::TopologyError>(())
    /// ```
    pub fn with_distances<R>(mut self, rows: R) -> Result<Self, TopologyError>
    where
        R: IntoIterator,
        R::Item: IntoIterator<Item = u32>,
    {
        self.set_distances(rows)?;
        self.source = Source::Manual;
        Ok(self)
    }

    pub(super) fn set_distances<R>(&mut self, rows: R) -> Result<(), TopologyError>
    where
        R: IntoIterator,
        R::Item: IntoIterator<Item = u32>,
    {
        let nodes = self.nodes.len();
        let error = TopologyError::Distances { nodes };
        let mut distances = Vec::new();
        for (index, row) in rows.into_iter().enumerate() {
            let row: Vec<u32> = row.into_iter().take(nodes + 1).collect();
            let sound = index < nodes && row.len() == nodes && row.iter().all(|distance| (1..=255).contains(distance));
            if !sound || row.iter().any(|distance| *distance < row[index]) {
                return Err(error);
            }
            distances.extend(row);
        }
        if distances.len() != nodes * nodes {
            return Err(error);
        }
        self.distances = distances;
        Ok(())
    }

    /// Says which CPUs are hardware threads of one core; each core is given as its CPU numbers, in any order. CPUs that no core names
    /// are cores by themselves.
    ///
    /// # Errors
    /// [`Core`](TopologyError::Core): a core has no CPU, a CPU is in no node or in two cores, or a core's CPUs lie in different
    /// cache domains.
    ///
    /// ```
    /// use nr::topology::Topology;
    ///
    /// let topology = Topology::from_nodes([0..4])?.with_cores([[0, 2], [1, 3]])?;
    /// assert_eq!(topology.nodes()[0].cores()[1].threads(), [1, 3]);
    /// # Ok::<(), nr::topology::TopologyError>(())
    /// ```
    pub fn with_cores<C>(mut self, cores: C) -> Result<Self, TopologyError>
    where
        C: IntoIterator,
        C::Item: IntoIterator<Item = usize>,
    {
        self.set_cores(cores)?;
        self.source = Source::Manual;
        Ok(self)
    }

    pub(super) fn set_cores<C>(&mut self, cores: C) -> Result<(), TopologyError>
    where
        C: IntoIterator,
        C::Item: IntoIterator<Item = usize>,
    {
        let domain_of = |cpu: usize| {
            let position = *self.node_of_cpu.get(&cpu)?;
            let domains = self.nodes[position].cache_domains();
            Some((position, domains.iter().position(|domain| domain.cpus().binary_search(&cpu).is_ok())?))
        };
        let mut core_of_cpu: BTreeMap<usize, usize> = BTreeMap::new();
        let mut cores_of_node: Vec<Vec<Core>> = self.nodes.iter().map(|_| Vec::new()).collect();
        for (core, cpus) in cores.into_iter().enumerate() {
            let mut place = None;
            let mut threads = Vec::new();
            for cpu in cpus {
                let error = TopologyError::Core { core, cpu: Some(cpu) };
                let here = domain_of(cpu).ok_or(error.clone())?;
                if core_of_cpu.insert(cpu, core).is_some() || *place.get_or_insert(here) != here {
                    return Err(error);
                }
                threads.push(cpu);
            }
            let (node, _) = place.ok_or(TopologyError::Core { core, cpu: None })?;
            cores_of_node[node].push(Core::new(threads));
        }
        for (node, mut cores) in self.nodes.iter_mut().zip(cores_of_node) {
            let alone = node.cpus().iter().filter(|cpu| !core_of_cpu.contains_key(cpu));
            cores.extend(alone.map(|cpu| Core::new([*cpu].into())));
            node.set_cores(cores);
        }
        Ok(())
    }

    /// Says which CPUs the process may use, in any order; replicas are placed near these only.
    ///
    /// # Errors
    /// [`NoUsableCpu`](TopologyError::NoUsableCpu): none of them is in a node. Others that are in no node are left out.
    ///
    /// ```
    /// use nr::topology::Topology;
    ///
    /// let topology = Topology::from_nodes([0..4, 4..8])?.with_usable_cpus(2..6)?;
    /// assert_eq!(topology.usable_cpus(), [2, 3, 4, 5]);
    /// # Ok::<(), nr::topology::TopologyError>(())
    /// ```
    pub fn with_usable_cpus(mut self, cpus: impl IntoIterator<Item = usize>) -> Result<Self, TopologyError> {
        // No more are looked at than there can be, in case there is no end to them.
        let known = cpus.into_iter().take(Self::MAX_CPUS).filter(|cpu| self.node_of_cpu.contains_key(cpu));
        let mut usable: Vec<usize> = known.collect();
        usable.sort_unstable();
        usable.dedup();
        if usable.is_empty() {
            return Err(TopologyError::NoUsableCpu);
        }
        self.usable = usable;
        self.source = Source::Manual;
        Ok(self)
    }

    /// Says the memory of which nodes the process may use, by their ids, in any order; that of replicas on others comes from the nearest of
    /// these.
    ///
    /// # Errors
    /// [`UnknownNode`](TopologyError::UnknownNode): there is no node of that id. [`NoUsableMemory`](TopologyError::NoUsableMemory): none of
    /// them has memory.
    ///
    /// ```
    /// use nr::topology::Topology;
    ///
    /// let topology = Topology::from_nodes([0..2, 2..4])?.with_usable_memory([1])?;
    /// assert!(topology.has_usable_memory(1) && !topology.has_usable_memory(0));
    /// # Ok::<(), nr::topology::TopologyError>(())
    /// ```
    pub fn with_usable_memory(mut self, ids: impl IntoIterator<Item = usize>) -> Result<Self, TopologyError> {
        let mut usable = Vec::new();
        for id in ids {
            self.position(id).ok_or(TopologyError::UnknownNode { id })?;
            usable.push(id);
        }
        usable.sort_unstable();
        usable.dedup();
        if !self.restrict_memory_to(&usable) {
            return Err(TopologyError::NoUsableMemory);
        }
        self.source = Source::Manual;
        Ok(self)
    }

    /// Restricts memory to that of the nodes with these ids, ascending, if that leaves any.
    pub(super) fn restrict_memory_to(&mut self, ids: &[usize]) -> bool {
        let may = |node: &&Node| node.memory() != Some(0) && ids.binary_search(&node.id()).is_ok();
        let usable: Vec<usize> = self.nodes.iter().filter(may).map(Node::id).collect();
        let all = self.nodes.iter().filter(|node| node.memory() != Some(0)).count();
        let any = !usable.is_empty();
        if any {
            self.usable_memory = (usable.len() < all).then_some(usable);
        }
        any
    }

    /// Whether the node has memory, as far as is known, and this process may use it: on Linux a control group's cpuset may forbid
    /// it. False if there is no such node. Takes O(log *n*) for *n* nodes.
    pub fn has_usable_memory(&self, id: usize) -> bool {
        let has = self.position(id).is_some_and(|position| self.nodes[position].memory() != Some(0));
        has && self.usable_memory.as_ref().is_none_or(|usable| usable.binary_search(&id).is_ok())
    }

    /// Where in the list of nodes the one with that id is.
    fn position(&self, id: usize) -> Option<usize> {
        self.nodes.binary_search_by_key(&id, Node::id).ok()
    }

    /// Whether two topologies say the same of the machine, wherever they come from.
    pub fn is_same_machine(&self, other: &Self) -> bool {
        self.nodes == other.nodes
            && self.distances == other.distances
            && self.usable == other.usable
            && self.usable_memory == other.usable_memory
    }

    /// How far it is from one node to another, both given by their ids: 10 is near, 20 twice as long to wait. `None` if one of
    /// them is unknown, or the distances are. Takes O(log *n*) for *n* nodes.
    pub fn distance(&self, from: usize, to: usize) -> Option<u32> {
        if self.distances.is_empty() {
            return None;
        }
        let (from, to) = (self.position(from)?, self.position(to)?);
        self.distances.get(from * self.nodes.len() + to).copied()
    }

    /// The CPUs that this process may use, ascending: of those in the nodes the ones in the affinity mask of at least one of its
    /// threads, to which the kernel lets no more than the control group's cpuset allows. Never empty.
    ///
    /// Of a topology made by hand these are all, unless [`with_usable_cpus`](Self::with_usable_cpus) says otherwise.
    pub fn usable_cpus(&self) -> &[usize] {
        &self.usable
    }

    /// Whether this process may use the CPU. Takes O(log *n*) for *n* CPUs.
    pub fn is_usable(&self, cpu: usize) -> bool {
        self.usable.binary_search(&cpu).is_ok()
    }

    /// Of those CPUs the ones that may be used.
    pub(crate) fn usable_of(&self, cpus: &[usize]) -> Vec<usize> {
        cpus.iter().copied().filter(|cpu| self.is_usable(*cpu)).collect()
    }

    /// For a topology that was read: restricts it to what the process may use, if that leaves anything.
    #[cfg(all(target_os = "linux", feature = "std"))]
    pub(super) fn restrict_to(&mut self, allowed: &[usize]) {
        let usable: Vec<usize> = self.usable.iter().copied().filter(|cpu| allowed.binary_search(cpu).is_ok()).collect();
        if !usable.is_empty() {
            self.usable = usable;
        }
    }

    #[cfg(all(target_os = "linux", feature = "std"))]
    pub(super) fn nodes_mut(&mut self) -> &mut [super::Node] {
        &mut self.nodes
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn two() -> Topology {
        Topology::from_nodes([0..4, 4..8]).unwrap().with_cache_domains([0..2, 2..4]).unwrap()
    }

    #[test]
    fn odd_node_ids_are_refused() {
        for ids in [vec![], vec![0], vec![0, 1, 2], vec![1, 0], vec![3, 3], vec![0, Topology::MAX_NODES]] {
            assert_eq!(two().with_node_ids(ids), Err(TopologyError::NodeIds { nodes: 2 }));
        }
        assert!(two().with_node_ids(0..).is_err());
    }

    #[test]
    fn odd_distances_are_refused() {
        let rows = [
            vec![],
            vec![vec![10, 20]],
            vec![vec![10], vec![10]],
            vec![vec![10, 20], vec![20, 10], vec![20, 20]],
            vec![vec![20, 10], vec![10, 20]],
            vec![vec![10, 256], vec![20, 10]],
            vec![vec![0, 20], vec![20, 10]],
        ];
        for rows in rows {
            assert_eq!(two().with_distances(rows.clone()), Err(TopologyError::Distances { nodes: 2 }), "{rows:?}");
        }
        let lopsided = two().with_distances([[10, 21], [31, 10]]).unwrap();
        assert_eq!((lopsided.distance(0, 1), lopsided.distance(1, 0)), (Some(21), Some(31)));
        assert_eq!((lopsided.distance(0, 2), two().distance(0, 1)), (None, None));
    }

    #[test]
    fn odd_cores_are_refused() {
        let refused = |cores: &[&[usize]]| two().with_cores(cores.iter().map(|core| core.iter().copied())).unwrap_err();
        assert_eq!(refused(&[&[0, 2]]), TopologyError::Core { core: 0, cpu: Some(2) });
        assert_eq!(refused(&[&[0, 1], &[1]]), TopologyError::Core { core: 1, cpu: Some(1) });
        assert_eq!(refused(&[&[8]]), TopologyError::Core { core: 0, cpu: Some(8) });
        assert_eq!(refused(&[&[0], &[]]), TopologyError::Core { core: 1, cpu: None });
        let cores = two().with_cores([[1, 0], [7, 5]]).unwrap();
        let threads =
            |node: usize| cores.nodes()[node].cores().iter().map(|core| core.threads().to_vec()).collect::<Vec<_>>();
        assert_eq!(threads(0), [vec![0, 1], vec![2], vec![3]]);
        assert_eq!(threads(1), [vec![4], vec![5, 7], vec![6]]);
    }

    #[test]
    fn something_must_be_usable() {
        assert_eq!(two().with_usable_cpus([]), Err(TopologyError::NoUsableCpu));
        assert_eq!(two().with_usable_cpus([8, 9]), Err(TopologyError::NoUsableCpu));
        assert_eq!(two().with_usable_cpus([9, 4, 1, 4]).unwrap().usable_cpus(), [1, 4]);
        assert_eq!(two().with_usable_cpus(6..).unwrap().usable_cpus(), [6, 7]);
        assert_eq!(two().with_memory([(2, 1)]), Err(TopologyError::UnknownNode { id: 2 }));
        assert_eq!(two().with_usable_memory([2]), Err(TopologyError::UnknownNode { id: 2 }));
        let second = two().with_memory([(0, 0)]).unwrap();
        assert_eq!(second.clone().with_usable_memory([0]), Err(TopologyError::NoUsableMemory));
        assert!(second.with_usable_memory([1]).unwrap().usable_memory.is_none(), "that is all there is");
        let memory_only = Topology::from_nodes([vec![0], vec![]]).unwrap();
        assert_eq!(memory_only.with_memory([(0, 0), (1, 0)]), Err(TopologyError::EmptyNode { id: 1 }));
    }
}
