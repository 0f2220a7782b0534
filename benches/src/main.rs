//! nr beside its rivals: `sweep` measures how they scale, `report` draws it, `list` says what there is to be measured.

use clap::{Parser, Subcommand};
use nr_benches::sweep::{plan, point, run};
use std::process::ExitCode;

/// nr beside its rivals: how they scale with threads and writes, and what an operation takes.
#[derive(Debug, Parser)]
#[command(name = "nr-benches")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures structures × implementations × threads × shares of writes, each point in a process of its own.
    Sweep(Box<plan::Options>),
    /// Draws what sweeps have measured: one page with everything, pictures, and a table for programs.
    Report(nr_benches::report::Options),
    /// Says which structures and implementations there are.
    List,
    /// Measures one point, given as JSON, in this process.
    #[command(hide = true)]
    Point { point: String },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Sweep(options) => run::sweep(&options),
        Command::Report(options) => nr_benches::report::report(&options),
        Command::List => {
            list();
            Ok(())
        }
        Command::Point { point } => measure(&point),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("nr-benches: {message}");
            ExitCode::from(2)
        }
    }
}

fn measure(text: &str) -> Result<(), String> {
    let point: point::Point = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let measured = point::measure(&point)?;
    println!("{}", serde_json::to_string(&measured).map_err(|error| error.to_string())?);
    Ok(())
}

fn list() {
    for plan::Structure { name, about: [what, read, write], entries, implementations, .. } in plan::structures() {
        println!("{name}: {what}; {entries} entries unless told otherwise");
        println!("  a read: {read}");
        println!("  a write: {write}");
        println!("  implementations: {}\n", implementations.join(", "));
    }
}
