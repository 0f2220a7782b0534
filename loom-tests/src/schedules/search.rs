//! How schedules are chosen, kept when they fail, and run again.

use std::cell::RefCell;
use std::path::PathBuf;

use nr_loom_tests::topology::Topology;
use nr_loom_tests::{Builder, Dispatch, NodeReplicated, ReplicaId, Replicas};
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

/// By default, so many schedules are chosen at random for each scenario, and as many with few preemptions: two minutes for all scenarios.
const SCHEDULES: usize = 5_000;
/// One more than how many preemptions those have: "probabilistic concurrency testing" finds what shows after so many, with a probability that
/// can be told.
const DEPTHS: [usize; 2] = [3, 5];
/// More than ten times what the longest scenario takes: who comes so far will not come to an end.
const MAX_STEPS: usize = 200_000;

/// Runs `scenario` under as many schedules as `NR_SCHEDULES` says, or under the one in the file that `NR_REPLAY` names.
pub(crate) fn search(scenario: fn()) {
    if let Ok(file) = std::env::var("NR_REPLAY") {
        let mut schedule = ReplayScheduler::new_from_file(file).expect("a file with a schedule");
        // It ends where the failure was.
        schedule.set_allow_incomplete();
        return run(schedule, scenario, FailurePersistence::None);
    }
    let schedules = std::env::var("NR_SCHEDULES").map_or(SCHEDULES, |number| number.parse().expect("a number"));
    let keep = || FailurePersistence::File(Some(folder()));
    run(RandomScheduler::new(schedules), scenario, keep());
    for depth in DEPTHS {
        run(PctScheduler::new(depth, schedules.div_ceil(DEPTHS.len())), scenario, keep());
    }
}

std::thread_local! {
    /// What was wrong in this schedule, all threads of which are one to the operating system.
    static WRONG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// An assertion for what the crate calls and may keep the panics of to itself: operations, on the replicas of others, and `Drop`. Such a
/// panic would be seen by nobody; this fails when the scenario is over.
pub(crate) fn note_unless(holds: bool, wrong: impl FnOnce() -> String) {
    if !holds {
        WRONG.with_borrow_mut(|all| all.push(wrong()));
    }
}

fn run(scheduler: impl Scheduler + 'static, scenario: fn(), persistence: FailurePersistence) {
    let mut config = Config::new();
    config.stack_size = 256 << 10;
    config.max_steps = MaxSteps::FailAfter(MAX_STEPS);
    config.silence_warnings = true;
    config.failure_persistence = persistence;
    Runner::new(scheduler, config).run(move || {
        WRONG.take();
        scenario();
        let wrong = WRONG.take();
        assert!(wrong.is_empty(), "{wrong:?}");
    });
}

/// Where schedules that fail are kept: `schedules` in the folder that cargo builds in.
fn folder() -> PathBuf {
    let program = std::env::current_exe().expect("a program has a path");
    let target = program.ancestors().nth(3).expect("cargo puts tests into target/PROFILE/deps");
    let folder = target.join("schedules");
    std::fs::create_dir_all(&folder).expect("what cargo has written to can be written to");
    folder
}

/// So many replicas, on a machine that has a processor for each thread; none of them is one that this thread could be on, so that nothing
/// depends on where it is.
pub(crate) fn builder(replicas: usize, log_entries: usize) -> Builder {
    let topology =
        Topology::from_nodes(std::iter::once(Topology::MAX_CPUS - 8..Topology::MAX_CPUS)).expect("a sound topology");
    let count = Replicas::Count(replicas.try_into().expect("a replica"));
    Builder::default().topology(topology).replicas(count).log_entries(log_entries)
}

/// With the structure's default on each replica.
pub(crate) fn build<D: Dispatch + Default>(replicas: usize, log_entries: usize) -> NodeReplicated<D> {
    builder(replicas, log_entries).build_with(|_| D::default()).expect("a sound builder")
}

/// Runs `body` on so many threads, which are told their numbers, and gives what they return.
pub(crate) fn together<R: Send>(threads: usize, body: impl Fn(usize) -> R + Sync) -> Vec<R> {
    shuttle::thread::scope(|scope| {
        let body = &body;
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(move || body(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a panic ends the test")).collect()
    })
}

/// The replica that a thread of that number works through, when they are dealt out in turn.
pub(crate) fn replica_of(thread: usize, replicas: usize) -> ReplicaId {
    ReplicaId::new(thread % replicas)
}

/// A number below `bound`, as the schedule has it.
pub(crate) fn below(bound: usize) -> usize {
    shuttle::rand::Rng::gen_range(&mut shuttle::rand::thread_rng(), 0..bound)
}

/// Lets others go on here, if the schedule wants.
pub(crate) fn step() {
    shuttle::thread::sleep(std::time::Duration::ZERO);
}
