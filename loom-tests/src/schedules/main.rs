//! Scenarios at nearly real sizes, each under thousands of random schedules: see the documentation of the library.
//!
//! One file a theme. Each scenario says which faults make it fail: seen by planting the fault and running the scenario.

#![cfg(not(loom))]

mod batches;
mod check_replicas;
mod counting;
mod drops;
mod laggards;
mod membership;
mod panics;
mod queue;
mod readers;
mod runs;
mod search;
mod structures;
