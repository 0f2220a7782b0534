//! The server of this workspace beside the real Redis: `cargo run --release -p nr-benches --bin server`, after `cargo
//! build --release -p nr-server`. Slow reads with small commands beside them, memory, and CPU time when there is nothing
//! to do.
//!
//! Both servers run as children on this machine and are measured in turn; ratios are taken within each round, so that a
//! machine that others use too disturbs them less. Nothing waits for a server longer than `--patience`.

mod client;
mod comparison;
mod idle;
mod machine;
mod memory;
mod peer;
mod slow_reads;
mod small;

use clap::{Parser, ValueEnum};
use nr_benches::figures::matching;
use peer::Peer;
use serde_json::{Map, json};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// The server of this workspace beside the real Redis: slow reads with small commands beside them, memory, idle CPU time.
#[derive(Debug, Parser)]
struct Arguments {
    /// The server that is compared with; a shell runs the line, with a port and an empty folder for {port} and {dir}.
    #[arg(long, value_name = "COMMAND", default_value = REDIS)]
    a: String,
    /// The server that is measured [default: nr-server beside this program, with --workers 2, and with --replicas 1 where
    /// memory is measured].
    #[arg(long, value_name = "COMMAND")]
    b: Option<String>,
    /// What is measured; several with commas between them.
    #[arg(long, value_delimiter = ',', default_value = "all")]
    part: Vec<Part>,
    /// How often each measurement is made; memory and idle time at most 3 times.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How long one measurement of slow reads runs, in seconds.
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// Small commands that each of their connections sends in a second.
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// The threads that send small commands run before all others, as if they had a machine of their own: what they wait
    /// for is then the server, and not also a core for themselves. Needs root or CAP_SYS_NICE.
    #[arg(long)]
    realtime: bool,
    /// Only slow reads whose name contains this.
    #[arg(long, default_value = "")]
    read: String,
    /// What memory is measured with; several with commas between them.
    #[arg(long, value_delimiter = ',', default_value = "strings,integers,hashes")]
    data: Vec<memory::Data>,
    /// Seconds after which a server that does not answer is given up.
    #[arg(long, default_value_t = 30.0, value_parser = seconds)]
    patience: f64,
    /// Writes all figures to this file as well.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The real Redis, which keeps nothing on disk.
const REDIS: &str = "redis-server --port {port} --bind 127.0.0.1 --save '' --appendonly no --dir {dir}";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    SlowReads,
    Memory,
    Idle,
    All,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(seconds),
        _ => Err("expected seconds, more than 0 and at most 3600, such as 0.5".into()),
    }
}

fn main() -> ExitCode {
    match measure(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("server: {message}");
            ExitCode::from(2)
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), String> {
    let patience = Duration::from_secs_f64(arguments.patience);
    let ours = |more| match &arguments.b {
        Some(line) => Ok(line.clone()),
        None => peer::built_beside_this_program(more),
    };
    let pair = |more| Ok::<_, String>(Peer::pair([arguments.a.clone(), ours(more)?], patience));
    let has = |part| arguments.part.iter().any(|chosen| [part, Part::All].contains(chosen));
    let rounds = arguments.rounds.into();

    println!("{}\n", machine::description());
    let mut figures = Map::new();
    figures.insert("machine".into(), machine::description().into());
    if has(Part::SlowReads) {
        let kinds = matching("read", &arguments.read, &slow_reads::KINDS)?;
        let (seconds, rate, realtime) = (arguments.seconds, arguments.rate, arguments.realtime);
        let plan = slow_reads::Plan { seconds, rate, realtime, rounds };
        figures.insert("slow-reads".into(), slow_reads::compare(&pair("")?, &kinds, &plan)?);
    }
    if has(Part::Memory) {
        let peers = pair(" --replicas 1")?;
        figures.insert("memory".into(), memory::compare(&peers, &arguments.data, rounds.min(3))?);
    }
    if has(Part::Idle) {
        figures.insert("idle".into(), idle::compare(&pair("")?, rounds.min(3))?);
    }
    println!("{}", machine::description());
    figures.insert("machine-afterwards".into(), machine::description().into());
    if let Some(file) = &arguments.json {
        std::fs::write(file, format!("{:#}\n", json!(figures)))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    Ok(())
}
