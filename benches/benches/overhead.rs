//! What one operation costs on one thread: every peer, every structure, all in the same run.
//!
//! Criterion measures one peer after the other, and a busy machine drifts meanwhile. So the ratios that the goals are
//! about come from a second measurement at the end: many short rounds, each of which runs every peer, and the ratio is
//! taken within the round. It covers the groups that the filter chose. And it counts the thread's CPU time, not the time
//! that passed, so that being interrupted for other programs costs nobody anything; no peer waits for anything here.

use criterion::{Criterion, Throughput};
use nr_benches::cpu_time;
use nr_benches::figures::{Spread, Table, verdict};
use nr_benches::peers::{Peer, PeerVisitor, for_each_peer};
use nr_benches::workloads::{ClientOf, Solo, SoloVisitor, Workload, for_each_solo};
use std::cell::Cell;
use std::hint::black_box;
use std::marker::PhantomData;
use std::time::Duration;

/// How often each peer has its turn.
const ROUNDS: usize = 30;
/// The same under `--quick`.
const QUICK_ROUNDS: usize = 7;
/// How many slices a peer's time in one round is cut into: the finer they alternate, the less a round's ratios are
/// touched by a neighbour on the machine that comes or goes.
const SLICES: u64 = 10;
/// Steps timed in a slice. All slices of a round together fill a log of some thousand entries many times over.
const STEPS: u64 = 10_000;
/// Steps before the timed ones, which bring the peer's own code and data back into the caches.
const WARM_UP_STEPS: u64 = 2_000;

/// A ratio worth a line of its own.
struct Ratio {
    of: &'static str,
    over: &'static str,
    goal: Option<f64>,
}

/// The ratios shown for a group: nr over the lock that suits the operation, and over its predecessor.
fn ratios(group: &str) -> [Ratio; 4] {
    let (lock, one_replica, two_replicas) = match group {
        "map/read" => ("parking_lot-rwlock", Some(1.25), None),
        "map/write" => ("parking_lot-mutex", Some(1.5), Some(2.5)),
        "heap/peek" | "counter/read" => ("parking_lot-rwlock", None, None),
        _ => ("parking_lot-mutex", None, None),
    };
    [
        Ratio { of: "nr", over: lock, goal: one_replica },
        Ratio { of: "nr-2", over: lock, goal: two_replicas },
        Ratio { of: "nr", over: "predecessor", goal: None },
        Ratio { of: "nr-2", over: "predecessor-2", goal: None },
    ]
}

fn main() {
    // First, so that the command line can say otherwise.
    let mut criterion = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .nresamples(2_000)
        .configure_from_args();
    let mut groups = CriterionGroups { criterion: &mut criterion, run: Vec::new() };
    for_each_solo(&mut groups);
    let groups = groups.run;
    criterion.final_summary();
    if let Some(rounds) = rounds().filter(|_| !groups.is_empty()) {
        print_interleaved(&groups, rounds);
    }
}

/// Whether the command line has this option.
fn given(option: &str) -> bool {
    std::env::args().any(|argument| argument.split('=').next() == Some(option))
}

/// Whether everything shall only be run once, to see that it runs: so does criterion unless cargo says that this is a bench.
fn only_a_test() -> bool {
    !given("--bench") || given("--test")
}

/// How many rounds suit the command line; `None` where criterion itself was told not to measure.
fn rounds() -> Option<usize> {
    if only_a_test() || given("--list") || given("--profile-time") {
        return None;
    }
    Some(if given("--quick") { QUICK_ROUNDS } else { ROUNDS })
}

/// Gives criterion a group for each workload and notes which of them the filter let through.
struct CriterionGroups<'a> {
    criterion: &'a mut Criterion,
    run: Vec<&'static str>,
}

impl SoloVisitor for CriterionGroups<'_> {
    fn visit<K: Solo>(&mut self) {
        let has_run = Cell::new(false);
        let mut group = self.criterion.benchmark_group(K::NAME);
        group.throughput(Throughput::Elements(1));
        for_each_peer(&mut CriterionBenches::<K, _> { group: &mut group, has_run: &has_run, kind: PhantomData });
        group.finish();
        if has_run.get() {
            self.run.push(K::NAME);
        }
    }
}

/// Gives criterion a benchmark for each peer.
struct CriterionBenches<'a, 'g, K, M: criterion::measurement::Measurement> {
    group: &'a mut criterion::BenchmarkGroup<'g, M>,
    has_run: &'a Cell<bool>,
    kind: PhantomData<K>,
}

impl<K: Solo, M: criterion::measurement::Measurement> PeerVisitor<K::Workload> for CriterionBenches<'_, '_, K, M> {
    fn visit<P: Peer<K::Workload>>(&mut self) {
        if let Err(failure) = P::build(K::Workload::filled(8)) {
            eprintln!("{}/{}: cannot be built: {failure}", K::NAME, P::NAME);
            return;
        }
        let mut parts = None;
        let has_run = self.has_run;
        self.group.bench_function(P::NAME, |bencher| {
            // Not before: the filter may leave this benchmark out.
            let (peer, client) = parts.get_or_insert_with(|| {
                let entries = if only_a_test() { K::Workload::ENTRIES.min(1_000) } else { K::Workload::ENTRIES };
                let peer = P::build(K::Workload::filled(entries)).expect("a small one could be built");
                (peer, K::client(entries))
            });
            has_run.set(true);
            let mut handle = peer.solo().expect("the last handle was dropped");
            // The handle is opaque each time, lest the bare structure's fields stay in registers, where no shared structure
            // can have them; the same below.
            bencher.iter(|| K::step(client, black_box(&mut handle)));
        });
    }
}

/// Measures the given groups in rounds and prints costs and ratios.
fn print_interleaved(groups: &[&'static str], rounds: usize) {
    let mut measured = Interleaved { groups, rounds, results: Vec::new() };
    for_each_solo(&mut measured);
    let results = measured.results;

    let steps = SLICES * STEPS;
    println!(
        "\nInterleaved: {rounds} rounds, in each of them every peer runs {steps} steps; CPU time, median (quartiles).\n"
    );
    let mut table = Table::new(["", "ns a step", "÷ seq"]);
    for group in groups {
        for lane in results.iter().filter(|lane| lane.group == *group) {
            let cost = Spread::of(lane.nanoseconds.iter().copied());
            let over_bare = spread_of_ratio(&results, group, lane.peer, "seq");
            let show = |spread: Option<Spread>| spread.map_or("—".into(), |spread| format!("{spread:.2}"));
            table.row([format!("{group}/{}", lane.peer), show(cost), show(over_bare)]);
        }
    }
    println!("{table}");

    let mut table = Table::new(["ratio", "median (quartiles)", "goal", ""]);
    for (group, Ratio { of, over, goal }) in groups.iter().flat_map(|group| ratios(group).map(|ratio| (*group, ratio)))
    {
        let name = format!("{group}: {of} ÷ {over}");
        match (spread_of_ratio(&results, group, of, over), goal) {
            (Some(spread), Some(goal)) => {
                let met = verdict(spread.median <= goal);
                table.row([name, spread.to_string(), format!("≤ {goal}"), met.into()]);
            }
            (Some(spread), None) => table.row([name, spread.to_string()]),
            (None, _) => table.row([name, "not measured".into()]),
        }
    }
    println!("{table}");
}

/// The ratio of two peers, taken round by round.
fn spread_of_ratio(results: &[Lane], group: &str, of: &str, over: &str) -> Option<Spread> {
    let find = |peer: &str| results.iter().find(|lane| lane.group == group && lane.peer == peer);
    let (of, over) = (find(of)?, find(over)?);
    Spread::of(of.nanoseconds.iter().zip(&over.nanoseconds).map(|(of, over)| of / over))
}

/// One peer's times, a round each.
struct Lane {
    group: &'static str,
    peer: &'static str,
    nanoseconds: Vec<f64>,
}

/// Runs the chosen workloads in rounds over the peers.
struct Interleaved<'a> {
    groups: &'a [&'static str],
    rounds: usize,
    results: Vec<Lane>,
}

impl SoloVisitor for Interleaved<'_> {
    fn visit<K: Solo>(&mut self) {
        if !self.groups.contains(&K::NAME) {
            return;
        }
        eprintln!("{}: {} rounds over all peers", K::NAME, self.rounds);
        let mut runners = Runners::<K>(Vec::new(), PhantomData);
        for_each_peer(&mut runners);
        let mut lanes: Vec<_> = runners.0.iter().map(|(peer, _)| lane(K::NAME, peer)).collect();
        let count = lanes.len();
        for _ in 0..self.rounds {
            let mut times = vec![Duration::ZERO; count];
            for slice in 0..SLICES as usize {
                for turn in 0..count {
                    // Each slice begins with another peer and goes the other way round than the last, so that no peer
                    // always finds the caches as the same neighbour left them.
                    let turn = if slice % 2 == 0 { turn } else { count - 1 - turn };
                    let place = (turn + slice) % count;
                    times[place] += runners.0[place].1.turn();
                }
            }
            for (lane, time) in lanes.iter_mut().zip(times) {
                lane.nanoseconds.push(time.as_secs_f64() * 1e9 / (SLICES * STEPS) as f64);
            }
        }
        self.results.append(&mut lanes);
    }
}

fn lane(group: &'static str, peer: &'static str) -> Lane {
    Lane { group, peer, nanoseconds: Vec::new() }
}

/// A peer and its client, ready to run.
struct Ready<K: Solo, P>(P, ClientOf<K>);

trait Runner {
    /// Runs the peer's turn of a slice and gives the CPU time that its `STEPS` took.
    fn turn(&mut self) -> Duration;
}

impl<K: Solo, P: Peer<K::Workload>> Runner for Ready<K, P> {
    fn turn(&mut self) -> Duration {
        let Self(peer, client) = self;
        let mut handle = peer.solo().expect("the last handle was dropped");
        for _ in 0..WARM_UP_STEPS {
            black_box(K::step(client, black_box(&mut handle)));
        }
        let before = cpu_time::of_this_thread();
        for _ in 0..STEPS {
            black_box(K::step(client, black_box(&mut handle)));
        }
        cpu_time::of_this_thread() - before
    }
}

/// All peers that can be built, with their names.
struct Runners<K>(Vec<(&'static str, Box<dyn Runner>)>, PhantomData<K>);

impl<K: Solo> PeerVisitor<K::Workload> for Runners<K> {
    fn visit<P: Peer<K::Workload>>(&mut self) {
        match P::build(K::Workload::filled(K::Workload::ENTRIES)) {
            Ok(peer) => self.0.push((P::NAME, Box::new(Ready::<K, P>(peer, K::client(K::Workload::ENTRIES))))),
            Err(failure) => eprintln!("{}/{}: cannot be built: {failure}", K::NAME, P::NAME),
        }
    }
}
