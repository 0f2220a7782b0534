//! When there is no memory: for the log, that is an error, and nothing has happened; handles go on without any; and elsewhere the process ends
//! as Rust has it, with a message, and never in another way.

#![cfg(unix)]

mod common;

use common::structures::*;
use common::*;
use nr::{AddReplicaError, BuildError, Builder, Dispatch, NodeReplicated, PanicPolicy, Place, ReplicaId, Topology};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Command, Output};
use std::ptr::null_mut;
use std::sync::Arc;

/// The system's allocator, which refuses a thread what it has been told to.
struct Refusing;

thread_local! {
    /// Whatever is larger.
    static LARGEST: Cell<usize> = const { Cell::new(usize::MAX) };
    /// The allocation after so many more; none if there are none so many.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

fn is_refused(size: usize) -> bool {
    let left = LEFT.get();
    LEFT.set(left.and_then(|left| left.checked_sub(1)));
    size > LARGEST.get() || left == Some(0)
}

// SAFETY: every call is refused, with null, or handed on as it is to the system's allocator, which keeps the contract; to decide which
// touches no memory of the caller's and does not allocate.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_refused(layout.size()) {
            return null_mut();
        }
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_refused(layout.size()) {
            return null_mut();
        }
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, handed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if is_refused(size) {
            return null_mut();
        }
        // SAFETY: the caller's promise, handed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

/// Without any allocation of more than `bytes`.
fn with_at_most<R>(bytes: usize, run: impl FnOnce() -> R) -> R {
    LARGEST.set(bytes);
    let result = run();
    LARGEST.set(usize::MAX);
    result
}

/// A counter that knows how many of them there are.
#[derive(Clone)]
struct Counted(Counter, #[allow(dead_code, reason = "counts by being there")] Arc<()>);

impl Dispatch for Counted {
    type ReadOperation<'a> = Get;
    type WriteOperation = Add;
    type Response = u64;
    fn dispatch(&self, op: Get) -> u64 {
        self.0.dispatch(op)
    }
    fn dispatch_mut(&mut self, op: &Add) -> u64 {
        self.0.dispatch_mut(op)
    }
}

fn builder(replicas: usize) -> Builder {
    Configuration::new(replicas, Some(4)).builder().topology(Topology::single())
}

/// What the log takes, and with it everything of that size.
#[test]
fn a_build_without_memory_for_the_log_is_refused() {
    let logs = [
        // Many entries.
        builder(2).log_entries(1 << 16),
        builder(4).log_entries(1 << 16),
        // Positions of many replicas.
        builder(2).max_replicas(1024),
    ];
    for builder in logs {
        let alive = Arc::new(());
        let data = Counted(Counter::default(), Arc::clone(&alive));
        let refused = with_at_most(100 << 10, || builder.clone().build(data)).map(drop).expect_err("no memory");
        assert!(matches!(refused, BuildError::LogMemory { .. }), "{refused}");
        assert_eq!(Arc::strong_count(&alive), 1, "what was given is dropped, and no clone is left");
        let data = Counted(Counter::default(), Arc::clone(&alive));
        let nr = builder.build(data).expect("now there is memory");
        assert_eq!(Arc::strong_count(&alive), nr.replicas() + 1);
    }
    // One replica needs no log.
    let alone = builder(1).log_entries(1 << 16);
    let nr = with_at_most(100 << 10, || alone.build(Counter::default())).expect("it builds");
    assert_eq!(nr.handle(0).execute_mut(Add(1)), 0);
}

#[test]
fn a_second_replica_without_memory_for_the_log_is_refused() {
    let alive = Arc::new(());
    let alone =
        builder(1).log_entries(1 << 16).build(Counted(Counter::default(), Arc::clone(&alive))).expect("it builds");
    let mut handle = alone.handle(0);
    for before in 0..3 {
        let refused = with_at_most(100 << 10, || alone.add_replica(Place::Here)).expect_err("no memory");
        assert!(matches!(refused, AddReplicaError::LogMemory { .. }), "{refused}");
        assert_eq!((alone.replicas(), Arc::strong_count(&alive)), (1, 2), "nothing has changed");
        assert!(alone.stats().log.is_none());
        assert_eq!(handle.execute_mut(Add(1)), before);
    }
    let second = alone.add_replica(Place::Here).expect("now there is memory");
    assert_eq!(alone.register_on(second).expect("it is there").execute(Get), 3);
}

/// A handle on a given replica needs no memory, whatever is done with it, as long as the structure and the operations need none. (To find
/// the nearest one takes a list, for a moment.)
#[test]
fn handles_need_no_memory() {
    for replicas in [1, 2, 4] {
        let nr = Arc::new(builder(replicas).build(Counter::default()).expect("it builds"));
        let work = || {
            for id in (0..replicas).map(ReplicaId::new) {
                let mut handle = nr.register_on(id).expect("a handle");
                // More than the log holds: others are helped.
                for _ in 0..20 {
                    let before = handle.execute_mut(Add(1));
                    assert!(handle.execute(Get) == before + 1 && handle.read(|counter| counter.0) == before + 1);
                }
                let mut handle = nr.register_owned_on(id).expect("a handle");
                handle.execute_mut(Add(1));
            }
            nr.sync();
        };
        with_at_most(0, work);
        assert_eq!(nr.handle(0).execute(Get), 21 * replicas as u64);
    }
}

/// Keeps what it was told; panics at nothing.
#[derive(Clone, Default)]
struct Words(Vec<String>);

impl Dispatch for Words {
    type ReadOperation<'a> = ();
    type WriteOperation = String;
    type Response = usize;
    fn dispatch(&self, (): ()) -> usize {
        self.0.len()
    }
    fn dispatch_mut(&mut self, op: &String) -> usize {
        if op.is_empty() {
            resume_unwind(Box::new("as told"));
        }
        self.0.push(op.clone());
        self.0.len()
    }
}

fn words(replicas: usize) -> NodeReplicated<Words> {
    builder(replicas).on_panic(PanicPolicy::Continue).build(Words::default()).expect("it builds")
}

fn three() -> impl Iterator<Item = String> {
    ["one", "two", "three"].into_iter().map(str::to_owned)
}

/// Refuses the allocation after so many more, while `run` runs. None if it has not come to that.
fn refusing<R>(after: usize, run: impl FnOnce() -> R) -> Option<R> {
    LEFT.set(Some(after));
    let result = run();
    LEFT.take().is_none().then_some(result)
}

/// What a process does whose allocation of that number is refused. Each checks that all is well if it comes to an end.
const SCENARIOS: [fn(usize) -> Option<bool>; 8] = [
    |after| {
        let built = refusing(after, || builder(2).build(Words::default()))?;
        Some(built.map(drop).is_err_and(|error| matches!(error, BuildError::LogMemory { .. })))
    },
    |after| {
        let words = words(1);
        let added = refusing(after, || words.add_replica(Place::Here))?;
        assert_eq!(words.handle(0).execute_mut("one".to_owned()), 1);
        Some(added.is_err_and(|error| matches!(error, AddReplicaError::LogMemory { .. })))
    },
    |after| {
        let words = words(2);
        refusing(after, || (0..4).map(|n| words.handle(n).execute_mut(n.to_string())).sum::<usize>()).map(|_| false)
    },
    |after| {
        let words = words(2);
        refusing(after, || words.handle(0).execute_mut_batch(three())).map(|_| false)
    },
    |after| {
        let words = words(2);
        let panics = || catch_unwind(AssertUnwindSafe(|| words.handle(0).execute_mut(String::new()))).is_err();
        refusing(after, panics).map(|_| false)
    },
    |after| {
        let words = words(3);
        words.handle(0).execute_mut_batch(three());
        refusing(after, || words.remove_replica(ReplicaId::new(2))).map(|removed| removed.is_err())
    },
    |after| {
        let words = words(2);
        words.handle(0).execute_mut_batch(three());
        refusing(after, || words.stats().replicas.len() + words.replica_ids().len()).map(|_| false)
    },
    |after| {
        let words = words(2);
        words.handle(0).execute_mut_batch(three());
        refusing(after, || words.into_inner().0.len()).map(|_| false)
    },
];

/// Given to a process that is to run a scenario: its number, and after how many allocations one is refused.
const CHILD: &str = "NR_ALLOCATION_CHILD";
/// The exit status of one that has come to its end without a refusal, with a refusal that it was told of, and with one that it was not.
const DONE: i32 = 10;
const REFUSED: i32 = 11;
const UNNOTICED: i32 = 12;

#[test]
#[ignore = "for the processes that the next test starts"]
fn child() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let (scenario, after) = task.split_once(' ').expect("two numbers");
    let number = |text: &str| text.parse::<usize>().expect("a number");
    // It is meant to abort, and nobody wants to look at what it was then.
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it reads a struct of ours.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) };
    let status = match SCENARIOS[number(scenario)](number(after)) {
        None => DONE,
        Some(true) => REFUSED,
        Some(false) => UNNOTICED,
    };
    std::process::exit(status);
}

fn in_a_child(scenario: usize, after: usize) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "child", "--ignored", "--nocapture", "--test-threads", "1"]);
    command.env(CHILD, format!("{scenario} {after}")).env("RUST_BACKTRACE", "0").output().expect("it can be started")
}

/// Whichever allocation fails: it is an error, or the process ends with the message that Rust has for it.
#[test]
fn whichever_allocation_fails() {
    let mut told = 0;
    for scenario in 0..SCENARIOS.len() {
        for after in 0.. {
            let _watchdog = Watchdog::new(&format!("scenario {scenario}, allocation {after}"));
            let output = in_a_child(scenario, after);
            let errors = String::from_utf8_lossy(&output.stderr);
            match (output.status.code(), output.status.signal()) {
                (Some(DONE), _) => break,
                (Some(REFUSED), _) => told += 1,
                (_, Some(libc::SIGABRT)) if errors.contains("memory allocation of") => {}
                _ => panic!("scenario {scenario}, allocation {after}: {}\n{errors}", output.status),
            }
        }
    }
    // The log of a build, and that of a second replica, each with its entries and its positions.
    assert_eq!(told, 4, "refusals that are errors");
}
