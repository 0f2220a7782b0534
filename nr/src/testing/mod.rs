//! For your tests: does a structure keep [the contract](Dispatch#the-contract-determinism), and does it behave, replicated, as it
//! does alone?
//!
//! * [`check_deterministic`] executes one random sequence of write operations on several copies of the structure, in the ways in which
//!   replicas execute it, and compares what they answer and what becomes of them. It finds iteration orders that differ,
//!   clocks, random numbers, addresses, state that the copies share, a `Clone` that forgets something.
//! * [`check_linearizable`] has several threads use the structure through a [`NodeReplicated`](crate::NodeReplicated) at once, writes down who
//!   called what when and what came back, and looks for an order of these calls in which the bare structure answers the same.
//! * [`NodeReplicated::check_replicas`](crate::NodeReplicated::check_replicas) compares the replicas of a structure in use; it needs no
//!   feature.
//!
//! What is compared needs an equality that holds for itself: not so a response with a `f64` that is no number in it.
//!
//! The two functions panic with an explanation, for use in a `#[test]`. [`Determinism`] and [`Linearizability`] are the same with options,
//! and return errors.
//!
//! # Examples
//!
//! ```
//! use nr::testing::{Rng, Subject, check_deterministic, check_linearizable};
//! use std::collections::HashMap;
//!
//! #[derive(Clone, Default)]
//! struct Map(HashMap<u8, u64>);
//!
//! #[derive(Debug)]
//! enum Write { Put(u8, u64), Remove(u8) }
//!
//! impl nr::Dispatch for Map {
//!     type ReadOperation<'a> = u8;
//!     type WriteOperation = Write;
//!     type Response = Option<u64>;
//!     fn dispatch(&self, key: u8) -> Option<u64> { self.0.get(&key).copied() }
//!     fn dispatch_mut(&mut self, write: &Write) -> Option<u64> {
//!         match *write {
//!             Write::Put(key, value) => self.0.insert(key, value),
//!             Write::Remove(key) => self.0.remove(&key),
//!         }
//!     }
//! }
//!
//! /// Few keys, so that operations meet.
//! fn random_write(random: &mut Rng) -> Write {
//!     match random.u8(0..3) {
//!         0 => Write::Remove(random.u8(0..4)),
//!         _ => Write::Put(random.u8(0..4), random.u64(..)),
//!     }
//! }
//!
//! /// One call, of whatever kind.
//! fn random_call(random: &mut Rng, map: Subject<'_, Map>) -> Vec<Option<u64>> {
//!     match random.u8(0..4) {
//!         0 => map.execute_mut_batch([random_write(random), random_write(random)]),
//!         1 => vec![map.execute_mut(random_write(random))],
//!         _ => vec![map.execute(random.u8(0..4))],
//!     }
//! }
//!
//! /// Sorted: the map's own order differs from copy to copy.
//! fn fingerprint(map: &Map) -> Vec<(u8, u64)> {
//!     let mut entries: Vec<_> = map.0.iter().map(|(key, value)| (*key, *value)).collect();
//!     entries.sort_unstable();
//!     entries
//! }
//!
//! check_deterministic(Map::default, random_write, fingerprint);
//! check_linearizable(Map::default, random_call, fingerprint);
//! ```
//!
//! # How copies are made
//!
//! Both checks are given a closure that makes the structure in its first state, and call it once for each copy. That is what
//! [`Builder::build_with`](crate::Builder::build_with) does. [`Builder::build`](crate::Builder::build) and
//! [`NodeReplicated::new`](crate::NodeReplicated::new) clone one structure instead; `|| first.clone()` checks that. The difference
//! matters to a `HashMap`: maps made anew iterate in different orders; cloned ones share their hasher, and iterate alike as long as std's map
//! happens to copy its table as it is.
//!
//! # Random operations, and seeds
//!
//! Operations are made by a closure from an [`Rng`], the generator of the crate `fastrand`. It should use nothing else, so that
//! one seed always gives the same operations. Each run draws another seed, and a failure names it. To repeat it, set the environment
//! variable `NR_TESTING_SEED` to it, or call [`Determinism::seed`] or [`Linearizability::seed`].
//!
//! # Panics
//!
//! A panic of an operation is an answer like others: right if all copies, or the bare structure, panic with the same message.
//! (The panic hook prints each.)

mod determinism;
mod linearizability;
mod order;
mod outcome;
mod paced;
mod seed;
mod subject;

use std::fmt::Debug;
use std::hash::Hash;

pub use determinism::{Determinism, Nondeterminism};
/// The generator that random operations are made with: small, fast, seeded.
pub use fastrand::Rng;
pub use linearizability::{Linearizability, NotLinearizable};
pub use subject::Subject;

use crate::dispatch::Dispatch;

/// Panics unless copies of a structure that execute the same operations stay equal: [`Determinism::check`] with its defaults. See there.
///
/// ```should_panic
/// # #[derive(Clone)]
/// struct Stamps(Vec<std::time::Instant>);
///
/// impl nr::Dispatch for Stamps {
///     type ReadOperation<'a> = ();
///     type WriteOperation = ();
///     type Response = usize;
///     fn dispatch(&self, (): ()) -> usize { self.0.len() }
///     fn dispatch_mut(&mut self, (): &()) -> usize {
///         self.0.push(std::time::Instant::now());     // another time on each replica
///         self.0.len()
///     }
/// }
///
/// nr::testing::check_deterministic(|| Stamps(vec![]), |_| (), |stamps| stamps.0.clone());
/// ```
///
/// # Panics
/// If they don't, with an explanation.
#[track_caller]
pub fn check_deterministic<D, F>(
    make: impl FnMut() -> D,
    operation: impl FnMut(&mut Rng) -> D::WriteOperation,
    fingerprint: impl Fn(&D) -> F + Sync,
) where
    D: Dispatch<WriteOperation: Debug, Response: PartialEq + Debug> + Clone + Send,
    F: PartialEq + Debug + Send,
{
    if let Err(difference) = Determinism::default().check(make, operation, fingerprint) {
        panic!("{difference}");
    }
}

/// Panics unless threads that use a structure at once get answers that it could have given them one after the other:
/// [`Linearizability::check`] with its defaults. See there.
///
/// ```should_panic
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// # #[derive(Default)]
/// struct Counter { count: u64, cached: AtomicU64 }
///
/// impl nr::Dispatch for Counter {
///     type ReadOperation<'a> = ();
///     type WriteOperation = ();
///     type Response = u64;
///     fn dispatch(&self, (): ()) -> u64 {
///         // Sees the first count for ever; which that is, is another thing on each replica.
///         self.cached.compare_exchange(0, self.count, Relaxed, Relaxed).map_or_else(|cached| cached, |_| self.count)
///     }
///     fn dispatch_mut(&mut self, (): &()) -> u64 { self.count += 1; self.count }
/// }
///
/// nr::testing::check_linearizable(
///     Counter::default,
///     |random, counter| if random.bool() { counter.execute(()) } else { counter.execute_mut(()) },
///     |counter| (counter.count, counter.cached.load(Relaxed)),
/// );
/// ```
///
/// # Panics
/// If they don't, with an explanation.
#[track_caller]
pub fn check_linearizable<D, A, F>(
    make: impl FnMut() -> D,
    call: impl Fn(&mut Rng, Subject<'_, D>) -> A + Sync,
    fingerprint: impl Fn(&D) -> F,
) where
    D: Dispatch + Send + Sync,
    A: PartialEq + Debug + Send,
    F: Eq + Hash + Debug,
{
    if let Err(violation) = Linearizability::default().check(make, call, fingerprint) {
        panic!("{violation}");
    }
}
