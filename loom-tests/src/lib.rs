//! Models of `nr`'s concurrent parts, checked by [loom] over every interleaving and every reordering that the memory model
//! allows (within the bound on preemptions that `models` names).
//!
//! The crate's own source is compiled here a second time, so that its private parts can be modelled as they are, with nothing made
//! public for it and no stand-in: `sync` gives them loom's atomics, cells and threads.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --release -p nr-loom-tests
//! ```
//!
//! [loom]: https://docs.rs/loom

#![cfg(loom)]
#![allow(dead_code, reason = "each model uses a part of the crate")]

extern crate alloc;

#[path = "../../nr/src/builder.rs"]
mod builder;
#[path = "../../nr/src/dispatch.rs"]
mod dispatch;
#[path = "../../nr/src/error.rs"]
mod error;
#[path = "../../nr/src/handle.rs"]
mod handle;
#[path = "../../nr/src/log/mod.rs"]
mod log;
#[path = "../../nr/src/node_replicated.rs"]
mod node_replicated;
#[path = "../../nr/src/panic.rs"]
mod panic;
#[path = "../../nr/src/placement.rs"]
mod placement;
#[path = "../../nr/src/placement_report.rs"]
mod placement_report;
#[path = "../../nr/src/replica/mod.rs"]
mod replica;
#[path = "../../nr/src/stats.rs"]
mod stats;
#[path = "../../nr/src/sync/mod.rs"]
mod sync;
#[path = "../../nr/src/topology/mod.rs"]
pub mod topology;

pub use builder::{Builder, Replicas};
pub use dispatch::Dispatch;
pub use error::{AddReplicaError, BuildError, ExecuteError, RegisterError, RemoveReplicaError};
pub use handle::{Handle, OwnedHandle};
pub use node_replicated::NodeReplicated;
pub use placement::Place;
pub use placement_report::{PlacementReport, ReplicaPlacement};
pub use replica::{MemoryPlacement, PanicPolicy, ReplicaId};
pub use stats::{LogStats, ReplicaStats, Stats};
pub use topology::{Topology, TopologyError};

#[cfg(test)]
mod models;
