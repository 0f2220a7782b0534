//! The machine as `nr` sees it, and where it would put replicas and log.
//!
//! ```text
//! cargo run --release --example topology
//! cargo run --release --example topology -- --per-cache-domain
//! cargo run --release --example topology -- --text > machine.txt
//! cargo run --release --example topology -- --file machine.txt --replicas 6
//! ```
//!
//! The text form describes a machine in a line for each node; see `Topology::from_str`. So one can look at the
//! placement on a machine that one does not have.

use std::{fs, num::NonZeroUsize, path::PathBuf, process::ExitCode};

use clap::Parser;
use nr::{
    Builder, Dispatch, Replicas,
    topology::{Topology, pin},
};
use nr_examples::{Result, say};

/// The machine as `nr` sees it, and where it would put replicas and log.
#[derive(Parser)]
struct Options {
    /// A machine to look at instead of this one, in the text form.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print the text form of the machine and nothing else.
    #[arg(long)]
    text: bool,
    /// A replica for each last-level cache, not for each NUMA node.
    #[arg(long, conflicts_with = "replicas")]
    per_cache_domain: bool,
    /// So many replicas.
    #[arg(long, value_name = "NUMBER")]
    replicas: Option<NonZeroUsize>,
}

/// Something to build replicas of.
#[derive(Clone)]
struct Nothing;

impl Dispatch for Nothing {
    type ReadOperation<'a> = ();
    type WriteOperation = u64;
    type Response = ();
    fn dispatch(&self, (): ()) {}
    fn dispatch_mut(&mut self, _: &u64) {}
}

fn main() -> ExitCode {
    nr_examples::finish(run(&Options::parse()))
}

fn run(options: &Options) -> Result {
    let topology = match &options.file {
        None => Topology::detect(),
        Some(path) => {
            let about = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            let text = fs::read_to_string(path).map_err(|error| about(&error))?;
            text.parse().map_err(|error| about(&error))?
        }
    };
    if options.text {
        say!("{}", topology.to_text().trim_end());
        return Ok(());
    }
    say!("{topology}\n");
    let replicas = match options.replicas {
        Some(number) => Replicas::Count(number),
        None if options.per_cache_domain => Replicas::PerCacheDomain,
        None => Replicas::PerNumaNode,
    };
    let structure = Builder::default().topology(topology.clone()).replicas(replicas).build(Nothing)?;
    let placement = structure.placement();
    match options.file {
        None => say!("{placement}"),
        // Of a machine that is not this one only the plan means anything.
        Some(_) => placement.replicas.iter().for_each(|replica| say!("{replica}")),
    }
    match structure.stats().log {
        Some(log) => say!("log: {} entries", log.capacity),
        None => say!("log: none, as there is one replica"),
    }
    let compact = pin::order(&topology, pin::Order::Compact);
    let scattered = pin::order(&topology, pin::Order::Scattered);
    say!("\nthreads, close together: CPUs {}", some(&compact));
    say!("threads, far apart:      CPUs {}", some(&scattered));
    Ok(())
}

fn some(cpus: &[usize]) -> String {
    let first: Vec<String> = cpus.iter().take(16).map(usize::to_string).collect();
    first.join(" ") + if cpus.len() > 16 { " …" } else { "" }
}
