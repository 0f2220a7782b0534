//! Models of `nr`'s concurrent parts, checked by [loom] over every interleaving and every reordering that the memory model
//! allows (within the bound on preemptions that `models` names); and scenarios at nearly real sizes, run by [shuttle] under random schedules.
//!
//! The crate's own source is compiled here a second time, so that its private parts can be modelled as they are, with nothing made
//! public for it and no stand-in: `sync` gives them loom's atomics, cells and threads, or shuttle's.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --release -p nr-loom-tests             # the models
//! cargo test --release -p nr-loom-tests --features shuttle                 # random schedules, two minutes
//! ```
//!
//! # Random schedules
//!
//! A model is small: two or three threads, two operations each, sizes at which everything happens at once. What takes five threads and a
//! few dozen operations, such as combiners that leave, runs that are interrupted, helpers that come in between, replicas that
//! come and go meanwhile, no model reaches. The scenarios in `src/schedules`, a file for each theme, do: up to four replicas, three to six
//! threads, a log of 8 entries (2 to 16). A schedule is a random choice at each access to shared memory. Half of them choose among all threads each
//! time; half are of few preemptions at random places (probabilistic concurrency testing), which finds what needs one thread to run for
//! long while another stands still.
//!
//! What they can show: wrong answers; an overlap of two accesses to one cell (`sync`'s cells look); a lost wake-up, as a deadlock; waiting
//! without end, as too many steps. What they can't: anything about orderings, since shuttle takes each for the strongest; that is what
//! the models are for.
//!
//! What the facade makes of them: waiting threads park after a random number of looks; a clock goes on with each step of the
//! schedule; combiners leave after three operations instead of 64, runs are interrupted after 3 instead of 16.
//!
//! `NR_SCHEDULES` says how many there are for each scenario and each of the two kinds, 5,000 by default. One that fails is kept in
//! `schedules` in cargo's target folder, of which the test tells the name (the first one it names, if it names two), and can be run again by itself,
//! step by step the same:
//!
//! ```sh
//! NR_REPLAY=target/schedules/schedule000.txt cargo test --release -p nr-loom-tests --features shuttle -- counting::no_read_goes_back
//! ```
//!
//! Every scenario says which faults it has been seen to find.
//!
//! # Preemption
//!
//! Without `--cfg loom` the same source is compiled with the processor's own atomics and an observer of each step: there the tests of
//! `preemption` see what becomes of the others while a thread is stopped, at whatever step.
//!
//! [loom]: https://docs.rs/loom
//! [shuttle]: https://docs.rs/shuttle

// Under schedules the crate is tested from outside; its unit tests are run where it is real.
#![cfg(any(loom, all(feature = "shuttle", not(test)), all(test, feature = "preemption", not(feature = "shuttle"))))]
#![allow(dead_code, reason = "each model uses a part of the crate")]

extern crate alloc;
// For what these tests share with those of the crate.
#[cfg(not(loom))]
extern crate self as nr;

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
pub use error::{AddReplicaError, BuildError, CheckReplicasError, ExecuteError, RegisterError, RemoveReplicaError};
pub use handle::{Handle, OwnedHandle};
pub use node_replicated::NodeReplicated;
pub use placement::Place;
pub use placement_report::{PlacementReport, ReplicaPlacement};
pub use replica::{MemoryPlacement, PanicPolicy, ReplicaId};
pub use stats::{LogStats, ReplicaStats, Stats};
pub use topology::{Topology, TopologyError};

#[cfg(all(loom, test))]
mod models;
#[cfg(all(test, not(loom)))]
mod preemption;
