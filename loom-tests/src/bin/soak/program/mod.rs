//! The program.

mod check;
mod deciders;
#[cfg(test)]
mod faults;
mod pace;
mod report;
mod rounds;
mod setting;
mod special;
mod structures;
mod tally;
#[cfg(test)]
mod tests;
mod window;
mod windows;

use crate::common::Random;
use check::CHECKS;
use clap::Parser;
use report::{Board, Progress};
use setting::Setting;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tally::Limit;

/// Checks that nr is linearizable, for as long as asked.
#[derive(Parser)]
#[command(name = "soak", version)]
struct Options {
    /// How long, in minutes or parts of one
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Ends earlier, when so many operations are checked
    #[arg(long)]
    operations: Option<u64>,
    /// How long one structure is in use before the next is made, in seconds
    #[arg(long, default_value_t = 0.5)]
    slice: f64,
    /// Where the random settings and operations begin; the schedule of the threads remains the machine's
    #[arg(long)]
    seed: Option<usize>,
    /// Always so many threads
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// Only these checks, of those that --list names
    #[arg(long, value_name = "CHECK", value_delimiter = ',')]
    only: Vec<String>,
    /// Says which checks there are
    #[arg(long)]
    list: bool,
}

/// Long rounds: it takes time to meet.
const CALLS: usize = 4096;

/// Nothing moves for so long: nothing will.
const STANDSTILL: Duration = Duration::from_secs(120);

pub fn main() -> ExitCode {
    let options = Options::parse();
    if options.list {
        CHECKS.iter().for_each(|check| println!("{:<20} {}", check.name, check.about));
        return ExitCode::SUCCESS;
    }
    match soak(&options) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Gives how many violations there were.
fn soak(options: &Options) -> Result<usize, String> {
    let chosen = chosen(&options.only)?;
    let whole = Duration::try_from_secs_f64(60.0 * options.minutes).map_err(|error| format!("--minutes: {error}"))?;
    let slice = Duration::try_from_secs_f64(options.slice).map_err(|error| format!("--slice: {error}"))?;
    let stop = stop_on_signals()?;
    let seed = options.seed.unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as usize % 1_000_000)
    });
    eprintln!("Settings begin with --seed {seed}.");

    let board = Board::new();
    let start = Instant::now();
    let mut progress = Progress::new(whole);
    let (found, violations) = mpsc::channel();
    thread::scope(|scope| {
        let (board, stop, chosen) = (&board, &*stop, &chosen);
        let slices = scope.spawn(move || {
            let mut random = Random::new(seed);
            for check in chosen.iter().cycle() {
                if stop.load(Relaxed) || start.elapsed() >= whole {
                    break;
                }
                let setting = Setting::random(&mut random, options.threads.map(|threads| threads as usize));
                board.set_running(format!("{}, {setting}", CHECKS[*check].name));
                let deadline = Some((Instant::now() + slice).min(start + whole));
                let limit = Limit { deadline, rounds: None, calls: CALLS, stop };
                if let Err(violation) = CHECKS[*check].run(&setting, &board.tallies[*check], &limit) {
                    found.send(violation).expect("there is somebody who listens");
                }
            }
        });
        while !slices.is_finished() {
            thread::sleep(Duration::from_millis(100));
            progress.show(board);
            violations.try_iter().for_each(|violation| progress.say(&violation));
            if options.operations.is_some_and(|enough| board.operations() >= enough) {
                stop.store(true, Relaxed);
            }
            if progress.standstill() > STANDSTILL {
                progress.say(&format!("nothing has moved for {STANDSTILL:?}: {}", board.running()));
                progress.finish();
                board.print(start.elapsed(), true);
                // Its threads can't be waited for.
                std::process::exit(1);
            }
        }
    });
    violations.try_iter().for_each(|violation| progress.say(&violation));
    progress.finish();
    board.print(start.elapsed(), false);
    Ok(board.violations())
}

/// The places in the list of those that are to be run.
fn chosen(only: &[String]) -> Result<Vec<usize>, String> {
    if only.is_empty() {
        return Ok((0..CHECKS.len()).collect());
    }
    let place = |name: &String| {
        let found = CHECKS.iter().position(|check| check.name == name);
        found.ok_or_else(|| format!("there is no check `{name}`: see --list"))
    };
    only.iter().map(place).collect()
}

/// A flag that is raised when someone wants the program to end. At the second time it ends at once.
fn stop_on_signals() -> Result<Arc<AtomicBool>, String> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let registered = signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)));
        registered.map_err(|error| format!("signals can't be received: {error}"))?;
    }
    Ok(stop)
}
