//! Goes through a plan.

use super::machine::Machine;
use super::plan::{Options, Plan};
use super::point::{Length, Measurement, Point, measure};
use super::record::{Line, Outcome, Record, Results, Session, Writer};
use crate::child;
use crate::figures::{Spread, Table};
use indicatif::{ProgressBar, ProgressStyle};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Measures what the options say, and prints the medians.
///
/// # Errors
/// If the options make no sense, or the results can't be kept.
pub fn sweep(options: &Options) -> Result<(), String> {
    let plan = options.plan()?;
    let machine = Machine::detect(options.machine.clone(), options.simulated_by.clone());
    let known = if options.fresh { Results::default() } else { Results::read(&options.out)? };
    if let Some(other) = known.sessions.iter().map(|session| &session.machine).find(|other| !machine.is_same(other)) {
        let what = if other.name == machine.name { "another build of this program" } else { "another machine" };
        return Err(format!(
            "{} has results of {what}, which don't belong together with new ones: choose another file by --out, or --fresh",
            options.out.display()
        ));
    }
    let left: Vec<(usize, &Point)> =
        turns(&plan).filter(|(repetition, point)| known.find(point, *repetition).is_none()).collect();
    let all = plan.points.len() * plan.repetitions.len();
    eprintln!(
        "{} of {all} measurements are left to be made, which takes about {}; results go to {}",
        left.len(),
        minutes(left.iter().map(|(_, point)| expected(point)).sum()),
        options.out.display()
    );
    let mut writer = Writer::open(&options.out, options.fresh)?;
    let failed = |error| format!("{}: {error}; what was measured before is kept", options.out.display());
    if !left.is_empty() {
        writer.write(&Line::Session(session(machine))).map_err(failed)?;
    }

    // A point in this process can't be stopped half-way; then the whole is.
    let stop = if options.in_process() { Arc::default() } else { stop_on_signals()? };
    let progress = Progress::new(left.len());
    let mut done = 0;
    for (repetition, point) in &left {
        progress.show(point);
        let outcome = match options.in_process() {
            true => measure(point).map_or_else(Outcome::Failed, |measured| Outcome::Measured(Box::new(measured))),
            false => measure_in_child(point, &plan, &stop),
        };
        // What was under way is not done.
        if stop.load(Ordering::Relaxed) {
            break;
        }
        writer
            .write(&Line::Result(Record { point: (*point).clone(), repetition: *repetition, outcome }))
            .map_err(failed)?;
        done += 1;
        progress.advance();
    }
    progress.finish();
    let results = Results::read(&options.out)?;
    print(&plan, &results);
    if done < left.len() {
        eprintln!("Stopped with {} left; the same command goes on.", left.len() - done);
    }
    Ok(())
}

/// All points in each repetition. Implementations begin with another one each time, so that none always has the same neighbour.
fn turns(plan: &Plan) -> impl Iterator<Item = (usize, &Point)> {
    let load = |point: &Point| Point { implementation: String::new(), ..point.clone() };
    let groups: Vec<&[Point]> = plan.points.chunk_by(move |a, b| load(a) == load(b)).collect();
    plan.repetitions.clone().flat_map(move |repetition| {
        let groups = groups.clone();
        groups.into_iter().flat_map(move |group| {
            (0..group.len()).map(move |index| (repetition, &group[(index + repetition) % group.len()]))
        })
    })
}

/// About how long a point takes, with starting and filling.
fn expected(point: &Point) -> f64 {
    let measured = match point.length {
        Length::Seconds(seconds) => seconds,
        // At a million a second.
        Length::Operations(operations) => operations as f64 * point.threads as f64 / 1e6,
    };
    0.1 + point.entries as f64 / 5e6 + point.warm_up + measured
}

fn minutes(seconds: f64) -> String {
    match seconds as u64 {
        0..100 => format!("{seconds:.0} seconds"),
        100..6000 => format!("{:.0} minutes", seconds / 60.0),
        _ => format!("{:.1} hours", seconds / 3600.0),
    }
}

fn session(machine: Machine) -> Session {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    Session {
        command: format!("nr-benches {}", arguments.join(" ")),
        started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        load: load.split_whitespace().next().and_then(|load| load.parse().ok()),
        machine,
    }
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

fn measure_in_child(point: &Point, plan: &Plan, stop: &AtomicBool) -> Outcome {
    let argument = match serde_json::to_string(point) {
        Ok(argument) => argument,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    let limit = Duration::from_secs_f64(expected(point)) + plan.limit;
    match child::run_self_until(&["point".into(), argument], limit, stop) {
        child::Outcome::Finished(text) => match serde_json::from_str::<Measurement>(&text) {
            Ok(measured) => Outcome::Measured(Box::new(measured)),
            Err(error) => Outcome::Failed(format!("its process printed no result: {error}")),
        },
        child::Outcome::Hung => Outcome::Hung(limit.as_secs_f64()),
        child::Outcome::Failed(why) => Outcome::Failed(why),
    }
}

/// How far the sweep is: a bar for a person, a line now and then for a file.
struct Progress {
    bar: ProgressBar,
    all: u64,
    last: std::cell::Cell<Instant>,
}

/// How often a line is printed where there is no terminal.
const INTERVAL: Duration = Duration::from_secs(30);

impl Progress {
    fn new(all: usize) -> Self {
        let bar = ProgressBar::new(all as u64);
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}, {eta} left\n{msg}");
        bar.set_style(style.expect("the template is sound"));
        Self { bar, all: all as u64, last: std::cell::Cell::new(Instant::now()) }
    }

    fn show(&self, point: &Point) {
        self.bar.set_message(point.to_string());
        if self.bar.is_hidden() && self.last.get().elapsed() > INTERVAL {
            self.last.set(Instant::now());
            eprintln!("{} of {}: {point}", self.bar.position() + 1, self.all);
        }
    }

    fn advance(&self) {
        self.bar.inc(1);
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Prints a table for each load: implementations by threads, median throughput.
fn print(plan: &Plan, results: &Results) {
    let load = |point: &Point| Point { implementation: String::new(), threads: 0, ..point.clone() };
    let mut loads: Vec<Point> = plan.points.iter().map(load).collect();
    loads.dedup();
    for of in loads {
        let points: Vec<&Point> = plan.points.iter().filter(|point| load(point) == of).collect();
        let unique = |names: Vec<&str>| {
            let mut seen = Vec::new();
            names.into_iter().for_each(|name| {
                if !seen.contains(&name) {
                    seen.push(name)
                }
            });
            seen.into_iter().map(String::from).collect::<Vec<String>>()
        };
        let mut threads: Vec<usize> = points.iter().map(|point| point.threads).collect();
        threads.sort_unstable();
        threads.dedup();
        let Point { structure, writes, keys, entries, work, .. } = &of;
        println!(
            "\n{structure}, {entries} entries, {keys} keys, {writes} % writes, {work} steps between: Mops/s by threads\n"
        );
        let headings = threads.iter().map(usize::to_string);
        let mut table = Table::new(std::iter::once(String::new()).chain(headings));
        for implementation in unique(points.iter().map(|point| point.implementation.as_str()).collect()) {
            let cell = |threads: &usize| {
                let point = Point { implementation: implementation.clone(), threads: *threads, ..of.clone() };
                cell(results, plan.repetitions.clone(), &point)
            };
            table.row(std::iter::once(implementation.clone()).chain(threads.iter().map(cell)));
        }
        println!("{table}");
    }
}

fn cell(results: &Results, repetitions: Range<usize>, point: &Point) -> String {
    let outcomes: Vec<&Outcome> = repetitions.filter_map(|index| results.find(point, index)).collect();
    let measured = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Measured(measured) => Some(measured.mops()),
        _ => None,
    });
    match (Spread::of(measured), outcomes.first()) {
        (Some(spread), _) => crate::figures::significant(spread.median),
        (None, Some(Outcome::Hung(_))) => "hung".into(),
        (None, Some(_)) => "failed".into(),
        (None, None) => "—".into(),
    }
}
