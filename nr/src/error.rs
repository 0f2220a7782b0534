//! What can go wrong, by operation. Errors of operations hand back what was given.

use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

use crate::placement::Place;
use crate::replica::ReplicaId;

/// Why an operation was not executed. Nothing has happened to the structure, and `returned` is what the caller had given: the
/// operation, the batch, or the closure.
#[non_exhaustive]
pub enum ExecuteError<T> {
    /// A write operation panicked under [`PanicPolicy::Poison`](crate::PanicPolicy::Poison), and the structure may be half
    /// changed. [`clear_poison`](crate::NodeReplicated::clear_poison) lifts this once its state has been seen to.
    #[non_exhaustive]
    Poisoned {
        /// What the caller had given.
        returned: T,
    },
    /// A batch has more operations than the log has entries, so it could never be atomic.
    /// [`Builder::log_entries`](crate::Builder::log_entries) sets the limit; it holds with one replica too, where there is no
    /// log, so that a program behaves alike on every machine.
    #[non_exhaustive]
    BatchTooLarge {
        /// How many operations the batch has.
        len: usize,
        /// How many a batch may have.
        max: usize,
        /// What the caller had given.
        returned: T,
    },
}

impl<T> ExecuteError<T> {
    /// What the caller had given: the operation, the batch, or the closure.
    pub fn into_returned(self) -> T {
        match self {
            Self::Poisoned { returned } | Self::BatchTooLarge { returned, .. } => returned,
        }
    }

    /// The panic of the methods that return no `Result`.
    #[cold]
    #[track_caller]
    pub(crate) fn raise(self) -> ! {
        panic!("{self}")
    }
}

impl<T> fmt::Display for ExecuteError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poisoned { .. } => f.write_str(
                "the structure is poisoned: an earlier write operation panicked (see NodeReplicated::clear_poison)",
            ),
            Self::BatchTooLarge { len, max, .. } => {
                write!(
                    f,
                    "a batch of {len} operations is too large: at most {max} are allowed (see Builder::log_entries)"
                )
            }
        }
    }
}

// By hand, so that what is handed back needs no `Debug`: a closure has none.
impl<T> fmt::Debug for ExecuteError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poisoned { .. } => f.debug_struct("Poisoned").finish_non_exhaustive(),
            Self::BatchTooLarge { len, max, .. } => {
                f.debug_struct("BatchTooLarge").field("len", len).field("max", max).finish_non_exhaustive()
            }
        }
    }
}

impl<T> Error for ExecuteError<T> {}

/// Why no handle was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// There is no such replica.
    #[non_exhaustive]
    NoSuchReplica {
        /// The replica that was asked for.
        id: ReplicaId,
        /// Those that there are, ascending.
        present: Vec<ReplicaId>,
    },
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::NoSuchReplica { id, present } = self;
        let replicas = present.len();
        write!(f, "there is no {id}: the structure has {replicas}, numbered ")?;
        let last = present.last().map_or(0, |last| last.index());
        if last + 1 == replicas {
            return write!(f, "0 to {last}");
        }
        for (index, id) in present.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}", id.index())?;
        }
        Ok(())
    }
}

impl Error for RegisterError {}

/// Why no structure was built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The log can't have so many entries.
    #[non_exhaustive]
    LogEntries {
        /// How many were asked for.
        requested: usize,
        /// How many it may have at most; at least 1.
        max: usize,
    },
    /// There is not enough memory for the log.
    #[non_exhaustive]
    LogMemory {
        /// How many entries the log was to have.
        entries: usize,
        /// The size of one, in bytes.
        entry_bytes: usize,
    },
    /// There can't be so many replicas.
    #[non_exhaustive]
    Replicas {
        /// How many were asked for.
        requested: usize,
        /// How many there may be at most.
        max: usize,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LogEntries { requested, max } => {
                write!(f, "a log of {requested} entries is not possible: 1 to {max} are allowed")
            }
            Self::LogMemory { entries, entry_bytes } => write!(
                f,
                "no memory for a log of {entries} entries of {entry_bytes} bytes each: choose fewer entries, or box large \
                 operations"
            ),
            Self::Replicas { requested, max } => {
                write!(f, "{requested} replicas are not possible: 1 to {max} are allowed")
            }
        }
    }
}

impl Error for BuildError {}

/// Why no replica was added.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddReplicaError {
    /// The topology has no such place with processors that this process may use.
    #[non_exhaustive]
    NoSuchPlace {
        /// Where the replica was to be.
        place: Place,
    },
    /// There are as many replicas as there may be.
    #[non_exhaustive]
    Full {
        /// How many: see [`Builder::max_replicas`](crate::Builder::max_replicas).
        max: usize,
    },
    /// There is not enough memory for the log, which a second replica needs.
    #[non_exhaustive]
    LogMemory {
        /// How many entries the log was to have.
        entries: usize,
    },
}

impl fmt::Display for AddReplicaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPlace { place } => {
                write!(f, "the topology has no {place} with CPUs that may be used (see NodeReplicated::topology)")
            }
            Self::Full { max } => {
                write!(f, "there can't be more than {max} replicas at once (see Builder::max_replicas)")
            }
            Self::LogMemory { entries } => {
                write!(
                    f,
                    "no memory for a log of {entries} entries, which a second replica needs (see Builder::log_entries)"
                )
            }
        }
    }
}

impl Error for AddReplicaError {}

/// What is wrong with the replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckReplicasError<F> {
    /// They differ, though each has executed the same operations: the structure breaks
    /// [the contract](crate::Dispatch#the-contract-determinism).
    #[non_exhaustive]
    Differ {
        /// The fingerprint of each replica, in the order of their ids.
        fingerprints: Vec<(ReplicaId, F)>,
    },
}

impl<F: fmt::Debug> fmt::Display for CheckReplicasError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Differ { fingerprints } = self;
        f.write_str("the replicas differ, though each has executed the same operations (see Dispatch's contract):")?;
        fingerprints.iter().try_for_each(|(id, fingerprint)| write!(f, "\n  {id}: {fingerprint:?}"))
    }
}

impl<F: fmt::Debug> Error for CheckReplicasError<F> {}

/// Why no replica was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoveReplicaError {
    /// There is no such replica, or not any more.
    #[non_exhaustive]
    NoSuchReplica {
        /// The replica that was to be removed.
        id: ReplicaId,
    },
    /// It is the only one left.
    #[non_exhaustive]
    Last {
        /// The replica that was to be removed.
        id: ReplicaId,
    },
}

impl fmt::Display for RemoveReplicaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchReplica { id } => write!(f, "there is no {id} (see NodeReplicated::replica_ids)"),
            Self::Last { id } => write!(f, "{id} is the only one: add another before removing it"),
        }
    }
}

impl Error for RemoveReplicaError {}
