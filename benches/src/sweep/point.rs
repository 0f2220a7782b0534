//! One point: one implementation under one load, measured in this process.

use crate::cpu_time;
use crate::keys::{Distribution, Keys};
use crate::peers::{Bare, BuildFailure, Handle, Peer, SharedPeer, SharedPeerVisitor, for_each_swept_peer};
use crate::sequence::Sequence;
use crate::ticks::{self, Stretch};
use crate::workloads::{Workload, WorkloadVisitor, for_each_workload};
use hdrhistogram::Histogram;
use nr::topology::{Topology, pin};
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, OnceLock, mpsc};
use std::time::{Duration, Instant};
use std::{fmt, fs, thread};

/// What is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The structure's name.
    pub structure: String,
    /// The peer's name.
    pub implementation: String,
    /// How many threads there are.
    pub threads: usize,
    /// How many operations of a hundred are writes.
    pub writes: u8,
    /// How the operations are spread over the entries.
    pub keys: Distribution,
    /// How many entries the structure has.
    pub entries: u64,
    /// Steps of work that has nothing to do with the structure, after each operation; one takes about a nanosecond.
    pub work: u32,
    /// How long it is measured.
    pub length: Length,
    /// For how long the threads run before, in seconds.
    pub warm_up: f64,
    /// Where the threads run.
    pub pin: Pin,
}

/// How long a point is measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// So many seconds.
    Seconds(f64),
    /// Until each thread has done so many operations.
    Operations(u64),
}

/// Where threads run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Pin {
    /// Where the system puts them.
    No,
    /// On CPUs as close together as possible: a cache domain's cores, their further hardware threads, the next domain.
    Compact,
    /// On CPUs as far apart as possible.
    Scattered,
    /// On CPUs 0, 1, 2 …, as the system numbers them.
    Number,
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// How long was measured.
    pub seconds: f64,
    /// Operations of all threads in that time.
    pub operations: u64,
    /// CPU time of the whole process in that time.
    pub cpu_seconds: f64,
    /// Jain's index of the threads' shares: 1 if all did the same, 1/n if one of n did everything.
    pub fairness: f64,
    /// Operations of the thread that did the fewest, and of the one that did the most.
    pub extremes: [u64; 2],
    /// Of one operation in [`SAMPLED`].
    pub latency: Option<Latency>,
    /// Of reads only.
    pub read_latency: Option<Latency>,
    /// Of writes only.
    pub write_latency: Option<Latency>,
    /// Resident memory that was added by filling and building, and the most there was at any time, in bytes.
    pub memory: Option<[u64; 2]>,
}

/// Times of operations, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many were timed.
    pub samples: u64,
    /// The median.
    pub p50: u64,
    /// Of ten operations nine are at least as fast.
    pub p90: u64,
    /// Of a hundred.
    pub p99: u64,
    /// Of a thousand.
    pub p999: u64,
    /// Of ten thousand.
    pub p9999: u64,
    /// The longest.
    pub max: u64,
}

/// One operation in so many is timed.
pub const SAMPLED: u64 = 8;

/// No operation is thought to take more ticks; one that does is counted as this.
const LONGEST: u64 = 1 << 38;

impl Measurement {
    /// Millions of operations a second.
    pub fn mops(&self) -> f64 {
        self.operations as f64 / self.seconds / 1e6
    }

    /// Nanoseconds of CPU time that an operation took.
    pub fn cpu_nanoseconds(&self) -> f64 {
        self.cpu_seconds * 1e9 / self.operations.max(1) as f64
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { structure, implementation, threads, writes, .. } = self;
        write!(f, "{structure}, {implementation}, {threads} threads, {writes} % writes")
    }
}

/// Measures `point`, here and now.
///
/// # Errors
/// If there is no such structure or implementation, if it can't be built, or if it gives wrong answers.
pub fn measure(point: &Point) -> Result<Measurement, String> {
    struct Find<'a>(&'a Point, Option<Result<Measurement, String>>);

    impl WorkloadVisitor for Find<'_> {
        fn visit<W: Workload>(&mut self) {
            let Self(point, outcome) = self;
            if W::NAME != point.structure {
                return;
            }
            if <Bare<W> as Peer<W>>::NAME == point.implementation {
                *outcome = Some(alone::<W>(point));
            }
            struct Shared<'a, 'b>(&'a Point, &'b mut Option<Result<Measurement, String>>);
            impl<W: Workload> SharedPeerVisitor<W> for Shared<'_, '_> {
                fn visit<P: SharedPeer<W>>(&mut self) {
                    if P::NAME == self.0.implementation {
                        *self.1 = Some(together::<W, P>(self.0));
                    }
                }
            }
            for_each_swept_peer::<W>(&mut Shared(point, outcome));
        }
    }

    let mut find = Find(point, None);
    for_each_workload(&mut find);
    find.1.unwrap_or_else(|| Err(format!("there is no {} for {}", point.implementation, point.structure)))
}

fn failure(failure: BuildFailure) -> String {
    failure.to_string()
}

const WARM_UP: u8 = 0;
const MEASURE: u8 = 1;
const STOP: u8 = 2;

/// The state that a point's threads share.
///
/// Its atomics are Relaxed: they are signals that carry nothing along. What threads have measured goes through a channel.
struct Course {
    point: Point,
    phase: AtomicU8,
    start: Barrier,
    running: AtomicUsize,
    /// What passed while it was measured.
    window: OnceLock<Window>,
}

#[derive(Clone, Copy)]
struct Window {
    time: Duration,
    cpu: Duration,
    nanoseconds_a_tick: f64,
}

/// What one thread did.
struct Tally {
    operations: u64,
    unanswered: u64,
    /// In ticks.
    reads: Histogram<u64>,
    writes: Histogram<u64>,
    began: Instant,
    ended: Instant,
}

fn alone<W: Workload>(point: &Point) -> Result<Measurement, String> {
    if point.threads != 1 {
        return Err("the bare structure is for one thread".into());
    }
    let (peer, memory) = built(|| Bare::build(W::filled(point.entries)))?;
    let (course, topology) = (Course::new(point), Topology::detect());
    let (tallies, tally) = mpsc::channel();
    let thread = {
        let (mut peer, course) = (peer, Arc::clone(&course));
        thread::spawn(move || {
            let seated = seat(&course.point, &topology, 0);
            let handle = seated.and_then(|_| peer.solo().map_err(failure));
            course.take_part::<W, _>(0, handle, &tallies);
        })
    };
    course.conduct();
    let measurement = sum_up(&course, W::ALWAYS_ANSWERS, memory, vec![received(&tally)]);
    let _ = thread.join();
    measurement
}

fn together<W: Workload, P: SharedPeer<W>>(point: &Point) -> Result<Measurement, String> {
    let (peer, memory) = built(|| P::build(W::filled(point.entries)))?;
    let (peer, topology) = (Arc::new(peer), Arc::new(Topology::detect()));
    let course = Course::new(point);
    let (tallies, tally) = mpsc::channel();
    for index in 0..point.threads {
        let (course, peer, topology, tallies) =
            (Arc::clone(&course), Arc::clone(&peer), Arc::clone(&topology), tallies.clone());
        thread::spawn(move || {
            let place = seat(&course.point, &topology, index);
            let handle = place.and_then(|place| peer.handle(place).map_err(failure));
            course.take_part::<W, _>(index, handle, &tallies);
        });
    }
    drop(tallies);
    course.conduct();
    // Threads are not waited for any longer than that: with some peers one may be left that waits for ever, with all others gone.
    sum_up(&course, W::ALWAYS_ANSWERS, memory, (0..point.threads).map(|_| received(&tally)).collect())
}

/// A peer, and the resident memory that filling and building added.
fn built<P>(build: impl FnOnce() -> Result<P, BuildFailure>) -> Result<(P, Option<u64>), String> {
    let before = resident();
    let peer = build().map_err(failure)?;
    Ok((peer, before.map(|before| resident().unwrap_or(before).saturating_sub(before))))
}

fn received(tally: &mpsc::Receiver<Result<Tally, String>>) -> Result<Tally, String> {
    tally.recv().unwrap_or_else(|_| Err("a thread panicked".into()))
}

/// Pins the calling thread as the point says, and gives its place: the index of its node if there are several, else its own.
fn seat(point: &Point, topology: &Topology, index: usize) -> Result<usize, String> {
    let cpus = match point.pin {
        Pin::No => Vec::new(),
        Pin::Compact => pin::order(topology, pin::Order::Compact),
        Pin::Scattered => pin::order(topology, pin::Order::Scattered),
        Pin::Number => topology.usable_cpus().to_vec(),
    };
    let cpu = cpus.get(index % cpus.len().max(1)).copied();
    if let Some(cpu) = cpu {
        pin::current_thread(cpu).map_err(|error| error.to_string())?;
    }
    let nodes = topology.nodes();
    let node = cpu.and_then(|cpu| nodes.iter().position(|node| node.cpus().binary_search(&cpu).is_ok()));
    Ok(node.filter(|_| nodes.len() > 1).unwrap_or(index))
}

impl Course {
    fn new(point: &Point) -> Arc<Self> {
        Arc::new(Self {
            point: point.clone(),
            phase: AtomicU8::new(WARM_UP),
            start: Barrier::new(point.threads + 1),
            running: AtomicUsize::new(point.threads),
            window: OnceLock::new(),
        })
    }

    /// A thread's life, from its handle on.
    fn take_part<W: Workload, H: Handle<W>>(
        &self,
        index: usize,
        handle: Result<H, String>,
        tallies: &mpsc::Sender<Result<Tally, String>>,
    ) {
        match handle {
            Ok(mut handle) => self.work::<W, _>(index, &mut handle, tallies),
            // Nothing is measured, but the others shall not wait.
            Err(why) => {
                self.phase.store(STOP, Ordering::Relaxed);
                self.start.wait();
                self.running.fetch_sub(1, Ordering::Relaxed);
                // Nobody receives it if the first error was enough.
                let _ = tallies.send(Err(why));
            }
        }
    }

    /// The main thread's part: says when to measure, and when to stop.
    fn conduct(&self) {
        self.start.wait();
        thread::sleep(Duration::from_secs_f64(self.point.warm_up));
        let (stretch, cpu) = (Stretch::begin(), cpu_time::of_this_process());
        // Fails if a thread has given up.
        let _ = self.phase.compare_exchange(WARM_UP, MEASURE, Ordering::Relaxed, Ordering::Relaxed);
        match self.point.length {
            Length::Seconds(seconds) => thread::sleep(Duration::from_secs_f64(seconds)),
            Length::Operations(_) => {
                while self.running.load(Ordering::Relaxed) > 0 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
        }
        self.phase.store(STOP, Ordering::Relaxed);
        let (time, nanoseconds_a_tick) = stretch.end();
        let cpu = cpu_time::of_this_process() - cpu;
        let _ = self.window.set(Window { time, cpu, nanoseconds_a_tick });
    }

    /// Runs operations, and tells of them when they are done.
    fn work<W: Workload, H: Handle<W>>(
        &self,
        index: usize,
        handle: &mut H,
        tallies: &mpsc::Sender<Result<Tally, String>>,
    ) {
        let Point { writes, keys, entries, work, length, .. } = self.point;
        let mut client = W::client(Keys::new(keys, entries, index as u64 + 1));
        let mut choices = Sequence::new(!(index as u64));
        let most = match length {
            Length::Seconds(_) => u64::MAX,
            Length::Operations(most) => most,
        };
        let (mut reads, mut write_times) = (histogram(), histogram());
        let (mut operations, mut unanswered, mut turns) = (0, 0, index as u64);
        let running = Running(&self.running);
        self.start.wait();
        let mut began = Instant::now();
        let mut phase = self.phase.load(Ordering::Relaxed);
        let mut operate = || {
            let writes_now = choices.below(100) < u64::from(writes);
            turns += 1;
            let timed = turns.is_multiple_of(SAMPLED).then(ticks::now);
            let answer =
                if writes_now { W::write_through(&mut client, handle) } else { W::read_through(&mut client, handle) };
            let took = timed.map(|began| ticks::now().saturating_sub(began));
            for step in 0..work {
                black_box(step);
            }
            (writes_now, black_box(answer).is_none(), took)
        };
        while phase != STOP && operations < most {
            let (was_write, no_answer, took) = operate();
            unanswered += u64::from(no_answer);
            let now = self.phase.load(Ordering::Relaxed);
            if now != phase && now == MEASURE {
                began = Instant::now();
            }
            operations += u64::from(now == MEASURE);
            // Those that were under way at the end are late, and belong to the picture.
            if let Some(took) = took.filter(|_| now != WARM_UP) {
                let times = if was_write { &mut write_times } else { &mut reads };
                times.saturating_record(took.max(1));
            }
            phase = now;
        }
        let ended = Instant::now();
        let _ = tallies.send(Ok(Tally { operations, unanswered, reads, writes: write_times, began, ended }));
        drop(running);
        // Others may still be in an operation: the load stays as it is until they are out. With some peers they would never get out else.
        while self.running.load(Ordering::Relaxed) > 0 {
            operate();
        }
    }
}

/// Counts a thread out, also if it panics: the others wait for it.
struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the threads did together.
fn sum_up(
    course: &Course,
    always_answers: bool,
    built: Option<u64>,
    tallies: Vec<Result<Tally, String>>,
) -> Result<Measurement, String> {
    let tallies: Vec<Tally> = tallies.into_iter().collect::<Result<_, _>>()?;
    let unanswered: u64 = tallies.iter().map(|tally| tally.unanswered).sum();
    if always_answers && unanswered > 0 {
        return Err(format!("WRONG: {unanswered} operations had no answer, and each should have one"));
    }
    let window = course.window.get().copied().ok_or("nothing was measured")?;
    let time = match course.point.length {
        Length::Seconds(_) => window.time,
        Length::Operations(_) => {
            let began = tallies.iter().map(|tally| tally.began).min();
            let ended = tallies.iter().map(|tally| tally.ended).max();
            began.zip(ended).map(|(began, ended)| ended - began).unwrap_or_default()
        }
    };
    let each = || tallies.iter().map(|tally| tally.operations);
    let operations: u64 = each().sum();
    if operations == 0 {
        return Err("not one operation ended while it was measured".into());
    }
    let squares: f64 = each().map(|operations| (operations as f64).powi(2)).sum();
    let merged = |of: &dyn Fn(&Tally) -> Vec<&Histogram<u64>>| {
        let mut all = histogram();
        for times in tallies.iter().flat_map(of) {
            all.add(times).expect("all have the same bounds");
        }
        Latency::of(&all, window.nanoseconds_a_tick)
    };
    Ok(Measurement {
        seconds: time.as_secs_f64(),
        operations,
        cpu_seconds: window.cpu.as_secs_f64(),
        fairness: (operations as f64).powi(2) / (tallies.len() as f64 * squares),
        extremes: [each().min().unwrap_or(0), each().max().unwrap_or(0)],
        latency: merged(&|tally| vec![&tally.reads, &tally.writes]),
        read_latency: merged(&|tally| vec![&tally.reads]),
        write_latency: merged(&|tally| vec![&tally.writes]),
        memory: built.zip(most_resident()).map(|(built, most)| [built, most]),
    })
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("three digits of a minute or so")
}

impl Latency {
    fn of(times: &Histogram<u64>, nanoseconds_a_tick: f64) -> Option<Self> {
        let time = |ticks: u64| (ticks as f64 * nanoseconds_a_tick).round() as u64;
        (!times.is_empty()).then(|| Self {
            samples: times.len(),
            p50: time(times.value_at_quantile(0.5)),
            p90: time(times.value_at_quantile(0.9)),
            p99: time(times.value_at_quantile(0.99)),
            p999: time(times.value_at_quantile(0.999)),
            p9999: time(times.value_at_quantile(0.9999)),
            max: time(times.max()),
        })
    }
}

/// The line `name:  123 kB` of `/proc/self/status`, in bytes; none where there is no such file.
fn status(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

fn resident() -> Option<u64> {
    status("VmRSS")
}

fn most_resident() -> Option<u64> {
    status("VmHWM")
}

#[cfg(test)]
mod tests {
    use super::{Length, Pin, Point, SAMPLED, measure};
    use crate::keys::Distribution;

    fn point(structure: &str, implementation: &str, threads: usize) -> Point {
        Point {
            structure: structure.into(),
            implementation: implementation.into(),
            threads,
            writes: 50,
            keys: Distribution::Zipf,
            entries: 1000,
            work: 3,
            length: Length::Operations(500),
            warm_up: 0.0,
            pin: Pin::No,
        }
    }

    #[test]
    fn operations_are_counted_and_timed() {
        for implementation in ["nr", "parking_lot-mutex", "flat-combining", "dashmap"] {
            let measured = measure(&point("map", implementation, 3)).unwrap();
            assert_eq!((measured.operations, measured.extremes), (1500, [500, 500]), "{implementation}");
            assert!((measured.fairness - 1.0).abs() < 1e-9);
            let [all, reads, writes] =
                [measured.latency, measured.read_latency, measured.write_latency].map(|latency| latency.unwrap());
            assert_eq!(all.samples, reads.samples + writes.samples);
            assert!(all.samples.abs_diff(1500 / SAMPLED) < 4, "{all:?}");
            assert!(all.p50 <= all.p99 && all.p99 <= all.max && reads.max.max(writes.max) == all.max);
        }
    }

    #[test]
    fn time_is_measured_alone_too() {
        let timed = Point { length: Length::Seconds(0.05), warm_up: 0.01, ..point("sorted-set", "seq", 1) };
        let measured = measure(&timed).unwrap();
        assert!(measured.seconds >= 0.05 && measured.operations > 100, "{measured:?}");
        assert!(measure(&Point { threads: 2, ..timed }).unwrap_err().contains("one thread"));
    }

    #[test]
    fn what_is_unknown_is_refused() {
        assert_eq!(measure(&point("map", "treiber-stack", 1)).unwrap_err(), "there is no treiber-stack for map");
    }
}
