//! Throughput, the longest operation and CPU time, over numbers of threads and shares of writes.

use crate::{Arguments, REFERENCE, for_each_measured_peer, outcome};
use nr_benches::child::{Outcome, run_self};
use nr_benches::cpu_time;
use nr_benches::peers::{BuildFailure, Handle, SharedPeer, SharedPeerVisitor};
use nr_benches::report::{Spread, Table, verdict};
use nr_benches::sequence::Sequence;
use nr_benches::workloads::{Map, Put};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

/// One operation in so many is timed: often enough to meet the long ones, seldom enough not to slow the rest down.
const TIMED_EACH: u64 = 16;
/// nr's throughput over that of the reference must not be less.
const GOAL: f64 = 0.8;

/// What is varied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) threads: usize,
    pub(crate) writes: u8,
}

/// What one child measured.
struct Measured {
    operations_per_second: f64,
    longest: Duration,
    cpu_per_operation: Duration,
}

impl Measured {
    fn parse(line: &str) -> Option<Self> {
        let mut numbers = line.split_whitespace().map(str::parse::<f64>);
        let mut next = || numbers.next()?.ok();
        Some(Self {
            operations_per_second: next()?,
            longest: Duration::from_secs_f64(next()?),
            cpu_per_operation: Duration::from_secs_f64(next()?),
        })
    }
}

/// All repetitions of a peer at a point; after one that did not end well, which is told in `trouble`, there are no more.
struct Row {
    peer: &'static str,
    measured: Vec<Measured>,
    trouble: Option<String>,
}

impl Row {
    fn median(&self, what: impl Fn(&Measured) -> f64) -> Option<f64> {
        median(self.measured.iter().map(what))
    }

    /// The median ratio of the throughputs, each taken within one repetition, since the machine may drift.
    fn ratio_to(&self, reference: &Self) -> Option<f64> {
        let pairs = self.measured.iter().zip(&reference.measured);
        median(pairs.map(|(own, reference)| own.operations_per_second / reference.operations_per_second))
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    Spread::of(values).map(|spread| spread.median)
}

/// Measures all points and prints each as soon as it is known.
pub(crate) fn print(arguments: &Arguments, peers: &[&'static str]) {
    let Arguments { entries, seconds, repetitions, .. } = arguments;
    let cores = std::thread::available_parallelism().map_or("an unknown number of".into(), |cores| cores.to_string());
    println!(
        "Map of {entries} entries on {cores} cores; median of {repetitions} measurements of {seconds} s; the longest \
         operation of all of them.\n"
    );
    let mut missed = Vec::new();
    for &threads in &arguments.threads {
        for &writes in &arguments.writes {
            let point = Point { threads, writes };
            print_point(point, &measure_point(arguments, peers, point), &mut missed);
        }
    }
    println!("Goal: at least {GOAL} of the throughput of {REFERENCE}.");
    for peer in peers.iter().filter(|peer| peer.starts_with("nr")) {
        let missed: Vec<_> = missed.iter().filter(|(of, _)| of == peer).map(|(_, point)| point.as_str()).collect();
        println!("  {peer}: {}", verdict(missed.is_empty()));
        for point in missed {
            println!("    with {point}");
        }
    }
    println!();
}

fn measure_point(arguments: &Arguments, peers: &[&'static str], point: Point) -> Vec<Row> {
    let Arguments { entries, seconds, repetitions, limit, .. } = arguments;
    let Point { threads, writes } = point;
    let mut rows: Vec<Row> = peers.iter().map(|&peer| Row { peer, measured: Vec::new(), trouble: None }).collect();
    for repetition in 1..=*repetitions {
        eprintln!("{threads} threads, {writes} % writes, repetition {repetition} of {repetitions}");
        // A hang costs the whole limit; one is enough to know.
        for row in rows.iter_mut().filter(|row| row.trouble.is_none()) {
            let child = format!("throughput {} {threads} {writes} {entries} {seconds}", row.peer);
            let child: Vec<_> = child.split(' ').map(String::from).collect();
            match run_self(&child, Duration::from_secs_f64(seconds + limit)) {
                Outcome::Finished(line) => match Measured::parse(&line) {
                    Some(measured) => row.measured.push(measured),
                    None => row.trouble = Some(format!("printed {line:?}")),
                },
                Outcome::Hung => row.trouble = Some("hung".into()),
                Outcome::Failed(why) => row.trouble = Some(why),
            }
        }
    }
    rows
}

fn print_point(point: Point, rows: &[Row], missed: &mut Vec<(&'static str, String)>) {
    let heading = format!("{} threads, {} % writes", point.threads, point.writes);
    let mut table = Table::new([heading.as_str(), "Mops/s", &format!("÷ {REFERENCE}"), "longest op", "CPU/op", ""]);
    let reference = rows.iter().find(|row| row.peer == REFERENCE);
    let show = |value: Option<f64>, unit: fn(f64) -> String| value.map_or("—".into(), unit);
    for row in rows {
        let ratio = reference.and_then(|reference| row.ratio_to(reference));
        let enough = row.trouble.is_none() && ratio.is_some_and(|ratio| ratio >= GOAL);
        if row.peer.starts_with("nr") && !enough {
            missed.push((row.peer, heading.clone()));
        }
        let longest = row.measured.iter().map(|measured| measured.longest.as_secs_f64()).reduce(f64::max);
        table.row([
            row.peer.to_string(),
            show(row.median(|measured| measured.operations_per_second), |rate| format!("{:.3}", rate / 1e6)),
            show(ratio, |ratio| format!("{ratio:.2}")),
            show(longest, |longest| format!("{:.1} ms", longest * 1e3)),
            show(row.median(|m| m.cpu_per_operation.as_secs_f64()), |cpu| format!("{:.0} ns", cpu * 1e9)),
            row.trouble.clone().unwrap_or_default(),
        ]);
    }
    println!("{table}");
}

/// The child's part: makes one measurement and prints it.
pub(crate) fn child(peer: &str, point: Point, entries: u64, seconds: f64) -> Result<(), String> {
    let mut search = Search { peer, point, entries, time: Duration::from_secs_f64(seconds), done: None };
    for_each_measured_peer(&mut search);
    outcome(search.done)
}

struct Search<'a> {
    peer: &'a str,
    point: Point,
    entries: u64,
    time: Duration,
    done: Option<Result<(), BuildFailure>>,
}

impl SharedPeerVisitor<Map> for Search<'_> {
    fn visit<P: SharedPeer<Map>>(&mut self) {
        if P::NAME == self.peer {
            self.done = Some(measure::<P>(self.point, self.entries, self.time));
        }
    }
}

/// A thread's count of operations, alone on its cache lines.
#[repr(align(128))]
#[derive(Default)]
struct Count(AtomicU64);

fn measure<P: SharedPeer<Map>>(point: Point, entries: u64, time: Duration) -> Result<(), BuildFailure> {
    let peer = P::build(Map::filled(entries))?;
    // All threads' handles at once and once before, so that a failure ends the child and not one thread of it.
    let handles = (0..point.threads).map(|thread| peer.handle(thread)).collect::<Result<Vec<_>, _>>();
    drop(handles?);
    let counts: Vec<Count> = (0..point.threads).map(|_| Count::default()).collect();
    let stop = AtomicBool::new(false);
    let running = AtomicUsize::new(point.threads);
    let start = Barrier::new(point.threads + 1);
    let longest = Mutex::new(Duration::ZERO);
    let (elapsed, cpu, operations) = std::thread::scope(|scope| {
        for (thread, count) in counts.iter().enumerate() {
            let (peer, stop, running, start, longest) = (&peer, &stop, &running, &start, &longest);
            scope.spawn(move || {
                let mut handle = peer.handle(thread).expect("there was one a moment ago");
                start.wait();
                let own_longest = run_until(&mut handle, thread, point.writes, entries, count, stop);
                {
                    let mut longest = longest.lock().expect("no holder panics");
                    *longest = longest.max(own_longest);
                }
                // Relaxed: only the number matters; the scope's end orders the rest.
                running.fetch_sub(1, Ordering::Relaxed);
                while running.load(Ordering::Relaxed) > 0 {
                    handle.keep_up();
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
        }
        start.wait();
        let (started, cpu) = (Instant::now(), cpu_time::of_this_process());
        std::thread::sleep(time);
        // Relaxed: counters for statistics, read while their owners run on.
        let operations: u64 = counts.iter().map(|count| count.0.load(Ordering::Relaxed)).sum();
        let measured = (started.elapsed(), cpu_time::of_this_process() - cpu, operations);
        // Relaxed: it only has to arrive at some time soon.
        stop.store(true, Ordering::Relaxed);
        measured
    });
    let longest = longest.into_inner().expect("no holder panics").as_secs_f64();
    let operations = operations.max(1) as f64;
    println!("{} {longest} {}", operations / elapsed.as_secs_f64(), cpu.as_secs_f64() / operations);
    Ok(())
}

/// Runs operations until told to stop and gives the time of the longest among those that were timed.
fn run_until<H: Handle<Map>>(
    handle: &mut H,
    thread: usize,
    writes: u8,
    entries: u64,
    count: &Count,
    stop: &AtomicBool,
) -> Duration {
    let mut random = Sequence::new(1_000 + thread as u64);
    let mut longest = Duration::ZERO;
    let mut done = 0;
    // Relaxed: it only has to arrive at some time soon.
    while !stop.load(Ordering::Relaxed) {
        let started = (done % TIMED_EACH == 0).then(Instant::now);
        let key = random.below(entries);
        if random.below(100) < u64::from(writes) {
            black_box(handle.write(Put { key, value: done }));
        } else {
            black_box(handle.read(key));
        }
        if let Some(started) = started {
            longest = longest.max(started.elapsed());
        }
        done += 1;
        // Relaxed: a counter for statistics.
        count.0.store(done, Ordering::Relaxed);
    }
    longest
}
