//! How a structure is to be set up.

use alloc::vec::Vec;
use core::num::NonZeroUsize;

use crate::dispatch::Dispatch;
use crate::error::BuildError;
use crate::log::{Entry, LogPlan};
use crate::node_replicated::NodeReplicated;
use crate::placement::Placement;
use crate::replica::{NodeMemory, PanicPolicy, Poison, ReplicaId, ReplicaSet, Site};
use crate::topology::memory::{self, PlaceMemory};
use crate::topology::{Node, Topology};

/// The most entries that a log can have: 16 Mi.
const MAX_LOG_ENTRIES: usize = 1 << 24;
/// The most replicas that a structure can have.
pub(crate) const MAX_REPLICAS: usize = 1024;
/// How many replicas there may be at once by default, if no more are asked for from the start.
const DEFAULT_MAX_REPLICAS: usize = 32;
/// What the entries of a log take by default, in bytes, unless operations are so large that these would be very few. The ring
/// is gone through again and again: it should stay in a core's second-level cache, beside some of the user's data.
const DEFAULT_LOG_BYTES: usize = 256 << 10;
/// The bounds of the default number of entries.
const DEFAULT_LOG_ENTRIES: (usize, usize) = (64, 4 << 10);

/// How many replicas there are to be, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Replicas {
    /// One for each NUMA node that has processors.
    #[default]
    PerNumaNode,
    /// One for each group of processors that share a last-level cache: of these one node may have several. More memory and
    /// more replays of each write, but reads that stay within one cache.
    PerCacheDomain,
    /// So many, dealt out over the NUMA nodes in turn, or on nodes far from each other if they are fewer. May be more than there are nodes, which gains nothing but is good for
    /// trying things out on a small machine.
    Count(NonZeroUsize),
}

/// Sets up a [`NodeReplicated`]. Everything has a default that suits most.
///
/// # Examples
///
/// ```
/// use std::num::NonZeroUsize;
/// use nr::{Builder, NodeReplicated, PanicPolicy, Replicas};
/// # #[derive(Clone, Default)]
/// # struct Counter(u64);
/// # impl nr::Dispatch for Counter {
/// #     type ReadOperation<'a> = ();
/// #     type WriteOperation = u64;
/// #     type Response = u64;
/// #     fn dispatch(&self, _: ()) -> u64 { self.0 }
/// #     fn dispatch_mut(&mut self, add: &u64) -> u64 { self.0 += add; self.0 }
/// # }
///
/// let counter: NodeReplicated<Counter> = Builder::default()
///     .replicas(Replicas::Count(NonZeroUsize::new(2).unwrap()))
///     .log_entries(1000)                       // rounded up to 1024
///     .on_panic(PanicPolicy::Continue)
///     .build(Counter::default())?;
/// assert_eq!(counter.replicas(), 2);
/// # Ok::<(), nr::BuildError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a builder builds nothing until `build` is called"]
pub struct Builder {
    replicas: Replicas,
    log_entries: Option<usize>,
    topology: Option<Topology>,
    on_panic: PanicPolicy,
    max_replicas: Option<usize>,
    huge_pages: bool,
    place_memory: Option<Means>,
}

/// Two are equal if they are the same.
#[derive(Clone, Copy, Debug)]
struct Means(&'static dyn PlaceMemory);

impl PartialEq for Means {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::addr_eq(self.0, other.0)
    }
}

impl Eq for Means {}

impl Builder {
    /// How many replicas, and where. Default: [`Replicas::PerNumaNode`].
    pub fn replicas(mut self, replicas: Replicas) -> Self {
        self.replicas = replicas;
        self
    }

    /// How many operations the log holds, rounded up to a power of two: 1 to 2²⁴. By default as many as fit into 256 KiB,
    /// but 64 at least and 4,096 at most.
    ///
    /// It is also the largest batch that is possible, with one replica too, where no log is made. A longer log lets a replica
    /// lag further behind before others help it; a shorter one stays in the cache.
    pub fn log_entries(mut self, entries: usize) -> Self {
        self.log_entries = Some(entries);
        self
    }

    /// Whether the log shall lie on huge pages (2 MiB each), if it is as large as one: fewer misses of the address
    /// translation. Default: no. If the system has none to give, the log lies on ordinary ones, and
    /// [`placement`](NodeReplicated::placement) and [`stats`](NodeReplicated::stats) say why.
    pub fn huge_pages(mut self, huge_pages: bool) -> Self {
        self.huge_pages = huge_pages;
        self
    }

    /// What has memory come from the right node. Default: the means of this system, if it has any: see
    /// [`topology::memory`](crate::topology::memory).
    pub fn place_memory(mut self, means: &'static dyn PlaceMemory) -> Self {
        self.place_memory = Some(Means(means));
        self
    }

    /// How many replicas there may be at once, with those that are [added](NodeReplicated::add_replica) later: at most 1,024. By
    /// default 32, or as many as are built if these are more. Each costs 8 bytes, and 128 in the log, until it is used.
    pub fn max_replicas(mut self, replicas: usize) -> Self {
        self.max_replicas = Some(replicas);
        self
    }

    /// The machine to place replicas on. Default: [`Topology::detect()`].
    pub fn topology(mut self, topology: Topology) -> Self {
        self.topology = Some(topology);
        self
    }

    /// How the structure goes on after a panic in [`Dispatch::dispatch_mut`]. Default: [`PanicPolicy::Poison`].
    pub fn on_panic(mut self, policy: PanicPolicy) -> Self {
        self.on_panic = policy;
        self
    }

    /// Builds the structure. Every replica but the last is a clone of `data`, and the last is `data` itself; but if they are on several
    /// nodes, each is a clone, since `data` can be on one of them only, and is dropped in the end.
    ///
    /// On a machine with several nodes `clone` runs while the thread is bound to the replica's node; so do, from then on, threads that
    /// it starts.
    ///
    /// A `Clone` that gives different results each time (a map that draws a new random hasher state) breaks
    /// [the contract](Dispatch#the-contract-determinism) from the start.
    ///
    /// # Errors
    /// [`BuildError`] if the log or the replicas can't be of the number asked for, or there is no memory for the log.
    pub fn build<D: Dispatch + Clone>(self, data: D) -> Result<NodeReplicated<D>, BuildError> {
        let placement = self.plan()?;
        let last = if placement.is_spread() { None } else { placement.founders().len().checked_sub(1) };
        let mut data = Some(data);
        self.assemble(placement, |replica| {
            let copy = if Some(replica.index()) == last { data.take() } else { data.clone() };
            copy.expect("replicas are made once each, in order")
        })
    }

    /// Builds the structure out of what `make` makes: one for each replica, in order. They must be equal, for
    /// [the contract](Dispatch#the-contract-determinism)'s sake.
    ///
    /// On a machine with several nodes `make` runs while the thread is bound to the replica's node; so do, from then on, threads that it
    /// starts, also those of a pool that it is the first to use.
    ///
    /// # Errors
    /// As for [`build`](Self::build); nothing has been made then.
    pub fn build_with<D: Dispatch>(self, make: impl FnMut(ReplicaId) -> D) -> Result<NodeReplicated<D>, BuildError> {
        let placement = self.plan()?;
        self.assemble(placement, make)
    }

    fn assemble<D: Dispatch>(
        self,
        placement: Placement,
        make: impl FnMut(ReplicaId) -> D,
    ) -> Result<NodeReplicated<D>, BuildError> {
        let entries = self.log_capacity::<D::WriteOperation>()?;
        let replicas = placement.founders().len();
        let room = self.room_for(replicas)?;
        let system = self.place_memory.map(|means| means.0).or_else(memory::system);
        let log_plan = LogPlan { entries, nodes: placement.log_nodes(), huge_pages: self.huge_pages, memory: system };
        let node_memory = NodeMemory::new(system, placement.topology().nodes().iter().map(Node::id));
        let poison = Poison::new(self.on_panic);
        let processors = placement.topology().usable_cpus().len();
        let sites: Vec<Site> = placement.founders().iter().map(|home| placement.site(*home)).collect();
        let set = ReplicaSet::new(log_plan, node_memory, poison, processors, room, &sites, make);
        let set =
            set.map_err(|_| BuildError::LogMemory { entries, entry_bytes: size_of::<Entry<D::WriteOperation>>() })?;
        Ok(NodeReplicated::from_parts(set, placement))
    }

    fn room_for(&self, replicas: usize) -> Result<usize, BuildError> {
        match self.max_replicas {
            None => Ok(DEFAULT_MAX_REPLICAS.max(replicas)),
            Some(room) if room == 0 || room > MAX_REPLICAS => {
                Err(BuildError::Replicas { requested: room, max: MAX_REPLICAS })
            }
            Some(room) if room < replicas => Err(BuildError::Replicas { requested: replicas, max: room }),
            Some(room) => Ok(room),
        }
    }

    fn plan(&self) -> Result<Placement, BuildError> {
        let topology = self.topology.clone().unwrap_or_else(Topology::detect);
        Placement::new(topology, self.replicas)
    }

    fn log_capacity<Op>(&self) -> Result<usize, BuildError> {
        let (least, most) = DEFAULT_LOG_ENTRIES;
        match self.log_entries {
            None => Ok(previous_power_of_two(DEFAULT_LOG_BYTES / size_of::<Entry<Op>>()).clamp(least, most)),
            Some(entries @ 1..=MAX_LOG_ENTRIES) => Ok(entries.next_power_of_two()),
            Some(requested) => Err(BuildError::LogEntries { requested, max: MAX_LOG_ENTRIES }),
        }
    }
}

fn previous_power_of_two(n: usize) -> usize {
    n.checked_ilog2().map_or(0, |exponent| 1 << exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_default<Op>() {
        let (least, most) = DEFAULT_LOG_ENTRIES;
        let entries = Builder::default().log_capacity::<Op>().unwrap();
        let bytes = entries * size_of::<Entry<Op>>();
        assert!(entries.is_power_of_two() && (least..=most).contains(&entries), "{entries}");
        assert!(bytes <= DEFAULT_LOG_BYTES || entries == least, "too large: {bytes}");
        assert!(2 * bytes > DEFAULT_LOG_BYTES || entries == most, "smaller than need be: {bytes}");
    }

    #[test]
    fn the_default_log_has_as_many_entries_as_fit() {
        assert_default::<()>();
        assert_default::<u64>();
        assert_default::<[u64; 7]>();
        assert_default::<[u64; 8]>();
        assert_default::<[u8; 16 << 10]>();
        assert_default::<[u8; 1 << 24]>();
    }

    #[test]
    fn log_entries_are_rounded_up_and_checked() {
        let capacity = |entries| Builder::default().log_entries(entries).log_capacity::<u64>();
        assert_eq!([1, 2, 3, 4, 5, 1000].map(|n| capacity(n).unwrap()), [1, 2, 4, 4, 8, 1024]);
        assert_eq!(capacity(MAX_LOG_ENTRIES), Ok(MAX_LOG_ENTRIES));
        for absurd in [0, MAX_LOG_ENTRIES + 1, usize::MAX] {
            assert_eq!(capacity(absurd), Err(BuildError::LogEntries { requested: absurd, max: MAX_LOG_ENTRIES }));
        }
    }
}
