//! What the measuring programs of this folder share: the [`peers`] that nr is compared with, the [`workloads`] they run,
//! and the means to time them and print what came out. `README.md` beside the manifest says which program measures what.

pub mod child;
pub mod cpu_time;
pub mod figures;
pub mod keys;
pub mod peers;
pub mod report;
pub mod sequence;
pub mod sweep;
pub mod ticks;
pub mod workloads;
