//! Node Replication: a linearizable, NUMA-aware concurrent structure out of any sequential one.
//!
//! Implement [`Dispatch`] for a structure; share it as a [`NodeReplicated`]; let each thread work through a [`Handle`].
//!
//! ```
//! use std::collections::HashMap;
//! use nr::{Dispatch, NodeReplicated};
//!
//! #[derive(Clone, Default)]
//! struct Map(HashMap<u64, u64>);
//!
//! impl Dispatch for Map {
//!     type ReadOperation<'a> = u64;
//!     type WriteOperation = (u64, u64);
//!     type Response = Option<u64>;
//!     fn dispatch(&self, key: u64) -> Option<u64> { self.0.get(&key).copied() }
//!     fn dispatch_mut(&mut self, &(key, value): &(u64, u64)) -> Option<u64> { self.0.insert(key, value) }
//! }
//!
//! let map = NodeReplicated::new(Map::default());
//! std::thread::scope(|scope| {
//!     for key in 0..8 {
//!         let map = &map;
//!         scope.spawn(move || map.register().unwrap().execute_mut((key, key * key)));
//!     }
//! });
//! assert_eq!(map.register()?.execute(7), Some(49));
//! # Ok::<(), nr::RegisterError>(())
//! ```
//!
//! # When to use it
//!
//! For a structure that is hard or impossible to make concurrent by other means (a priority queue, a sorted set with ranks, a
//! file system's tables, several structures that change together) and that many threads read and write, most of all on a
//! machine with several NUMA nodes; and where a lock is right but batches, fairness and a processor left alone while
//! waiting are worth having.
//!
//! # When not to
//!
//! * **Hash maps under uniform writes**: a sharded map (dashmap, papaya, scc) lets writes to different keys go on at once; here
//!   every replica executes every write.
//! * **A counter, a flag, a pointer that is swapped**: atomics.
//! * **Memory is short**: every replica is a whole copy.
//! * **Writes that can't be deterministic**, or take long: all replicas repeat them.
//!
//! # How it works
//!
//! Each NUMA node has a *replica* of the structure. Write operations go into one shared *log*, a bounded ring in memory; the log's
//! order is the order in which they take effect. On each replica one thread at a time, the *combiner*, takes the operations
//! that its threads have posted, appends them to the log in one go, and replays the log into the replica up to there; the
//! others wait for the answer. A read first looks how far the log is *completed*; if its replica has applied that much, it runs
//! there at once, beside other readers. A replica that nobody uses is brought along by the others. With one replica there is
//! no log: the combiner applies operations straight away. Replicas can be [added](NodeReplicated::add_replica) and
//! [removed](NodeReplicated::remove_replica) at any time.
//!
//! The technique is from Calciu, Sen, Balakrishnan and Aguilera, *Black-box Concurrent Data Structures for NUMA
//! Architectures*, ASPLOS 2017.
//!
//! # Guarantees
//!
//! * **Linearizable**, reads included; a batch is atomic.
//! * **Each operation** is moved into the log once, never cloned, executed once per replica, dropped once and soon.
//! * **Progress**: a posted operation is executed by whoever combines or by its own thread; unused replicas stop nobody; waiting
//!   threads park.
//! * **Panics** in user code reach the thread whose operation it was; nobody hangs; see [`PanicPolicy`].
//! * **Memory**: the replicas, the log, a page per replica and 128 bytes per replica and processor, and nothing per handle.
//!
//! # Testing your structure
//!
//! With the feature `testing`, `nr::testing::check_deterministic` executes random operations on several copies of a structure and names the first
//! after which they differ, and `nr::testing::check_linearizable` has threads use it through replicas at once and compares that with the
//! bare structure. [`NodeReplicated::check_replicas`] compares the replicas of a structure in use.
//!
//! # Features
//!
//! * `std` (default): parking, catching panics, the machine's topology, memory on the right node, and pinning. Without it the crate is
//!   `no_std` + `alloc`:
//!   waiting is spinning, a panic in [`Dispatch::dispatch_mut`] that would have to be carried to another thread or replica
//!   aborts, [`Topology::detect`] finds a single node, and memory is placed by who implements [`topology::memory::PlaceMemory`].
//! * `hwloc`: `Topology::detect_with_hwloc`, through the C library of that name, which has to be there with its headers.
//! * `testing`: the module `testing`, for your tests: see above. Needs `std`, and the crate `fastrand`.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod builder;
mod dispatch;
mod error;
mod handle;
mod log;
mod node_replicated;
mod panic;
mod placement;
mod placement_report;
mod replica;
mod stats;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
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
