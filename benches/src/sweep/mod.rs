//! Sweeps: structure × implementation × threads × share of writes × distribution of keys × entries × work between operations.
//!
//! A [`Plan`](plan::Plan) says which points are measured. Each is measured by [`point`] in a process of its own, with a limit
//! on its time, and gives one [`Record`](record::Record), a line of JSON in the file of results. [`run`] goes through the plan:
//! all implementations in turn at each point, and all points again in each repetition, so that whatever else the machine does
//! meets all implementations alike.

pub mod machine;
pub mod plan;
pub mod point;
pub mod record;
pub mod run;
