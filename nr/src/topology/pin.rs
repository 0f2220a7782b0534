//! Threads where one wants them: in what order to use the CPUs, and how to stay on one.
//!
//! ```
//! use nr::topology::{Topology, pin};
//!
//! let topology = Topology::detect();
//! let cpus = pin::order(&topology, pin::Order::Compact);
//! std::thread::scope(|scope| {
//!     for &cpu in cpus.iter().take(4) {
//!         scope.spawn(move || {
//!             if let Err(error) = pin::current_thread(cpu) {
//!                 eprintln!("goes on unpinned: {error}");
//!             }
//!         });
//!     }
//! });
//! ```

use alloc::vec::Vec;
use core::fmt;

use super::{Node, Topology};

/// In what order to use the CPUs, if threads are fewer than those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Order {
    /// As close together as possible: a cache domain's cores, then their further hardware threads, then the next domain, then the next
    /// node.
    Compact,
    /// As far apart as possible: a CPU of each node in turn, within a node of each cache domain in turn, of each core the first
    /// hardware thread before any second one.
    Scattered,
    /// One CPU of each node, and no more.
    OnePerNode,
}

/// The CPUs that this process may use, in that order. O(*n* log *n*) for *n* CPUs.
///
/// ```
/// use nr::topology::{Topology, pin::{Order, order}};
///
/// let topology = Topology::from_nodes([0..4, 4..8])?;
/// assert_eq!(order(&topology, Order::Compact), [0, 1, 2, 3, 4, 5, 6, 7]);
/// assert_eq!(order(&topology, Order::Scattered), [0, 4, 1, 5, 2, 6, 3, 7]);
/// assert_eq!(order(&topology, Order::OnePerNode), [0, 4]);
/// # Ok::<(), nr::topology::TopologyError>(())
/// ```
pub fn order(topology: &Topology, order: Order) -> Vec<usize> {
    let nodes = topology.nodes().iter().map(|node| domains(topology, node));
    match order {
        Order::Compact => nodes.flatten().flatten().flatten().collect(),
        Order::OnePerNode => nodes.filter_map(|domains| domains.into_iter().flatten().flatten().next()).collect(),
        Order::Scattered => {
            let mut nodes: Vec<Vec<Vec<Vec<usize>>>> = nodes.collect();
            let levels = nodes.iter().flatten().map(Vec::len).max().unwrap_or(0);
            let mut scattered = Vec::new();
            for level in 0..levels {
                let of_node = |domains: &mut Vec<Vec<Vec<usize>>>| {
                    let of_domain = |domain: &mut Vec<Vec<usize>>| domain.get_mut(level).map(core::mem::take);
                    deal(domains.iter_mut().filter_map(of_domain).collect())
                };
                scattered.extend(deal(nodes.iter_mut().map(of_node).collect()));
            }
            scattered
        }
    }
}

/// Of each cache domain of a node the usable CPUs: first hardware threads of its cores, second ones …
fn domains(topology: &Topology, node: &Node) -> Vec<Vec<Vec<usize>>> {
    let of_domain = |cpus: &[usize]| {
        let mut levels: Vec<Vec<usize>> = Vec::new();
        for core in node.cores().iter().filter(|core| cpus.binary_search(&core.threads()[0]).is_ok()) {
            for (level, cpu) in topology.usable_of(core.threads()).into_iter().enumerate() {
                if levels.len() == level {
                    levels.push(Vec::new());
                }
                levels[level].push(cpu);
            }
        }
        levels
    };
    node.cache_domains().iter().map(|domain| of_domain(domain.cpus())).collect()
}

/// One of each pile in turn.
fn deal(piles: Vec<Vec<usize>>) -> Vec<usize> {
    let longest = piles.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|turn| piles.iter().filter_map(move |pile| pile.get(turn).copied())).collect()
}

/// Has the calling thread run on that CPU only, from now on.
///
/// # Errors
/// [`PinError`] if the system does not do that: the CPU is not there or this process may not use it, or it knows no such thing.
pub fn current_thread(cpu: usize) -> Result<(), PinError> {
    // `core_affinity` has tables of a fixed size.
    let set = cpu < 1024 && core_affinity::set_for_current(core_affinity::CoreId { id: cpu });
    // On Linux one can look; elsewhere the answer has to do.
    let is_there = super::current_cpu().is_none_or(|now| now == cpu);
    if set && is_there { Ok(()) } else { Err(PinError { cpu }) }
}

/// Why a thread was not pinned: the system refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PinError {
    /// The CPU that it was to run on.
    pub cpu: usize,
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu } = self;
        write!(
            f,
            "the system does not let this thread run on CPU {cpu} alone: it is offline, not allowed to this process (see \
             Topology::usable_cpus), above 1023, or threads can't be pinned here"
        )
    }
}

impl core::error::Error for PinError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_of_a_machine_with_everything() {
        let topology: Topology = "\
            node 0: cpus 0-7; caches 0-1,4-5 | 2-3,6-7; cores 0,4 | 1,5 | 2,6 | 3,7\n\
            node 1: cpus 8-11; cores 8,10 | 9,11\n\
            node 2: cpus; memory 1 GiB\n\
            usable: 0-8,10"
            .parse()
            .unwrap();
        assert_eq!(order(&topology, Order::Compact), [0, 1, 4, 5, 2, 3, 6, 7, 8, 10]);
        assert_eq!(order(&topology, Order::Scattered), [0, 8, 2, 1, 3, 4, 10, 6, 5, 7]);
        assert_eq!(order(&topology, Order::OnePerNode), [0, 8]);
    }

    #[test]
    fn a_core_whose_first_thread_is_not_usable_is_used_by_its_second() {
        let topology: Topology = "node 0: cpus 0-3; cores 0,2 | 1,3\nusable: 1-3".parse().unwrap();
        assert_eq!(order(&topology, Order::Scattered), [2, 1, 3]);
    }

    #[test]
    fn a_thread_stays_where_it_is_pinned() {
        std::thread::spawn(|| {
            for cpu in order(&Topology::detect(), Order::Compact) {
                // Where the system forbids it, it says so.
                if current_thread(cpu).is_ok() {
                    assert!(super::super::current_cpu().is_none_or(|now| now == cpu));
                }
            }
            for absurd in [1023, 1024, usize::MAX] {
                assert_eq!(current_thread(absurd), Err(PinError { cpu: absurd }));
            }
        })
        .join()
        .unwrap();
    }
}
