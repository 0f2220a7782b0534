//! What has happened in a structure so far.

use alloc::vec::Vec;
use core::fmt;

use crate::dispatch::Dispatch;
use crate::log::Log;
use crate::replica::{Replica, ReplicaId, ReplicaSet};
use crate::topology::memory::PlaceError;

/// Counts since a structure was built, from [`NodeReplicated::stats`](crate::NodeReplicated::stats). Prints as a small table.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Of each replica, in order.
    pub replicas: Vec<ReplicaStats>,
    /// Of the log; none with a single replica.
    pub log: Option<LogStats>,
    /// Write operations that handles of replicas have executed that have been removed, and whose places nobody has taken.
    pub former_operations: u64,
    /// Their batches.
    pub former_rounds: u64,
}

/// What has happened on one replica. If it has taken the place of one that was removed, it goes on with that one's counts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicaStats {
    /// Which.
    pub id: ReplicaId,
    /// The number of its NUMA node.
    pub node: usize,
    /// How many handles are registered on it now.
    pub handles: usize,
    /// Batches: rounds in which a combiner executed what the replica's handles had asked for.
    pub rounds: u64,
    /// Write operations that its own handles have executed.
    pub operations: u64,
    /// Write operations of other replicas that it has executed too.
    pub replayed: u64,
    /// Those of them that a thread of another replica executed for it.
    pub helped: u64,
    /// How many completed operations it has yet to execute.
    pub lag: u64,
    /// How often a thread of its, waiting for the combiner's answer, went to sleep.
    pub waits: u64,
}

/// Where the log is. Positions count operations since the structure was built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStats {
    /// How many operations it holds.
    pub capacity: u64,
    /// The next free position.
    pub tail: u64,
    /// Below it lies every operation whose caller may have its answer.
    pub completed: u64,
    /// Below it every operation has been executed by all replicas, and its entry may be used again.
    pub reclaimed: u64,
    /// Why it does not lie on huge pages, if it was to; see [`Builder::huge_pages`](crate::Builder::huge_pages).
    pub huge_pages_refused: Option<PlaceError>,
}

impl Stats {
    /// `node` tells where a [home](Replica::home) is.
    pub(crate) fn of<D: Dispatch>(set: &ReplicaSet<D>, node: impl Fn(usize) -> usize) -> Self {
        let replica = |replica: &Replica<D>| {
            let id = replica.id();
            let counters = &replica.counters;
            let lag = |log: &Log<_>| log.completed().saturating_sub(log.applied(id.index()));
            ReplicaStats {
                id,
                node: node(replica.home()),
                handles: replica.handles(),
                rounds: counters.lone.get() + counters.rounds.get(),
                operations: counters.lone.get() + counters.operations.get(),
                replayed: counters.replayed.get(),
                helped: counters.helped.get(),
                lag: set.log().map_or(0, lag),
                waits: counters.waits.get(),
            }
        };
        let log = |log: &Log<_>| LogStats {
            capacity: log.capacity(),
            tail: log.tail(),
            completed: log.completed(),
            reclaimed: log.reclaimed(),
            huge_pages_refused: log.placement().huge_pages.clone().and_then(Result::err),
        };
        let (present, absent): (Vec<_>, Vec<_>) = set.replicas().partition(|replica| replica.is_present());
        let former: Vec<ReplicaStats> = absent.into_iter().map(replica).collect();
        Self {
            log: set.log().filter(|_| present.len() > 1).map(log),
            replicas: present.into_iter().map(replica).collect(),
            former_operations: former.iter().map(|replica| replica.operations).sum(),
            former_rounds: former.iter().map(|replica| replica.rounds).sum(),
        }
    }

    /// Write operations executed, each counted once.
    pub fn operations(&self) -> u64 {
        self.replicas.iter().map(|replica| replica.operations).sum::<u64>() + self.former_operations
    }

    /// Batches in which they were executed.
    pub fn rounds(&self) -> u64 {
        self.replicas.iter().map(|replica| replica.rounds).sum::<u64>() + self.former_rounds
    }

    /// How many operations a batch had on average; 0 if there was none.
    pub fn mean_batch(&self) -> f64 {
        match self.rounds() {
            0 => 0.0,
            rounds => self.operations() as f64 / rounds as f64,
        }
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operations, rounds) = (self.operations(), self.rounds());
        writeln!(f, "{operations} write operations in {rounds} batches ({:.2} each)", self.mean_batch())?;
        match &self.log {
            None => writeln!(f, "one replica, no log")?,
            Some(log) => writeln!(
                f,
                "log of {} entries: tail {}, completed {}, reclaimed {}",
                log.capacity, log.tail, log.completed, log.reclaimed
            )?,
        }
        if let Some(reason) = self.log.as_ref().and_then(|log| log.huge_pages_refused.as_ref()) {
            writeln!(f, "the log is not on huge pages: {reason}")?;
        }
        write!(
            f,
            "{:>7} {:>5} {:>8} {:>12} {:>12} {:>12} {:>12} {:>8} {:>8}",
            "replica", "node", "handles", "batches", "operations", "replayed", "helped", "lag", "waits"
        )?;
        for r in &self.replicas {
            let (id, node, handles, rounds, operations) = (r.id.index(), r.node, r.handles, r.rounds, r.operations);
            write!(f, "\n{id:>7} {node:>5} {handles:>8} {rounds:>12} {operations:>12}")?;
            write!(f, " {:>12} {:>12} {:>8} {:>8}", r.replayed, r.helped, r.lag, r.waits)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    #[test]
    fn sums_and_prints() {
        let replica = |index, rounds, operations| ReplicaStats {
            id: ReplicaId::new(index),
            node: 0,
            handles: 3,
            rounds,
            operations,
            replayed: 5,
            helped: 4,
            lag: 0,
            waits: 1,
        };
        let mut stats = Stats {
            replicas: vec![replica(0, 2, 3), replica(1, 2, 7)],
            log: None,
            former_operations: 0,
            former_rounds: 0,
        };
        assert_eq!((stats.operations(), stats.rounds()), (10, 4));
        assert_eq!(stats.mean_batch(), 2.5);
        let text = stats.to_string();
        assert!(text.starts_with("10 write operations in 4 batches (2.50 each)\n"), "{text}");
        assert_eq!(text.lines().count(), 5, "{text}");
        stats.replicas.clear();
        assert_eq!(stats.mean_batch(), 0.0);
        (stats.former_operations, stats.former_rounds) = (10, 4);
        assert_eq!(stats.mean_batch(), 2.5);
    }
}
