//! What an instance costs in memory: `cargo run --release -p nr-benches --bin memory`. An 8-byte counter as it stands, and
//! what is left after thousands of operations of 16 KiB each, once they have been applied everywhere.
//!
//! Every measurement runs in a child process of its own: bytes as the allocator counts them, and the growth of the resident
//! set as the system does, which also knows pages that were freed and not given back.

use clap::{Parser, Subcommand, ValueEnum};
use nr_benches::child::{Outcome, run_self};
use nr_benches::figures::{Table, bytes, verdict};
use nr_benches::peers::{BuildFailure, Handle, Nr, Predecessor, SharedPeer};
use nr_benches::workloads::{Counter, Structure};
use std::alloc::{GlobalAlloc, Layout, System};
use std::borrow::Borrow;
use std::process::ExitCode;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// The payload of a large operation.
const PAYLOAD: usize = 16 * 1024;
/// A counter with one replica must allocate less than this.
const GOAL_ONE_REPLICA: i64 = 256 << 10;
/// A counter with four replicas must allocate less than this.
const GOAL_FOUR_REPLICAS: i64 = 5 << 19;
/// So much may be left after the large operations, at most.
const GOAL_LEFT: i64 = 64 << 20;
/// The predecessor builds large arrays on the stack.
const STACK: usize = 256 << 20;

/// What an instance costs in memory, for nr and its predecessor.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many large operations are written.
    #[arg(long, default_value_t = 40_000, value_parser = clap::value_parser!(u32).range(1..))]
    operations: u32,
    /// A measurement that takes longer than so many seconds is called hung.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,
    #[command(subcommand)]
    child: Option<Child>,
}

#[derive(Clone, Debug, Subcommand)]
enum Child {
    /// Makes one measurement.
    #[command(hide = true)]
    Measure { peer: String, case: Case, operations: u32 },
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Case {
    /// An instance with one handle.
    Counter,
    /// Operations that own their payload on the heap.
    Boxed,
    /// Operations that carry it in themselves.
    Inline,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.child {
        Some(Child::Measure { peer, case, operations }) => measure_on_large_stack(&peer, case, operations),
        None => {
            print_all(arguments.operations, Duration::from_secs(arguments.limit.into()));
            ExitCode::SUCCESS
        }
    }
}

fn print_all(operations: u32, limit: Duration) {
    let cases = [
        (Case::Counter, "an 8-byte counter with one handle".to_string()),
        (Case::Boxed, format!("left after {operations} operations of 16 KiB in a box")),
        (Case::Inline, format!("left after {operations} operations of 16 KiB inline")),
    ];
    for (case, title) in cases {
        let mut table = Table::new([title.as_str(), "allocated", "most allocated", "resident", "goal", ""]);
        for peer in ["nr", "nr-4", "predecessor", "predecessor-4"] {
            eprintln!("{peer}: {title}");
            let case_name = case.to_possible_value().expect("no case is hidden");
            let child = ["measure", peer, case_name.get_name(), &operations.to_string()].map(String::from);
            let goal = match (case, peer) {
                (_, "predecessor" | "predecessor-4") => None,
                (Case::Counter, "nr") => Some(GOAL_ONE_REPLICA),
                (Case::Counter, _) => Some(GOAL_FOUR_REPLICAS),
                _ => Some(GOAL_LEFT),
            };
            match run_self(&child, limit) {
                Outcome::Finished(line) => table.row(cells(peer, &line, goal)),
                Outcome::Hung => table.row([peer, "hung"]),
                Outcome::Failed(why) => table.row([peer, &why]),
            }
        }
        println!("{table}");
    }
    println!("Goals are for `allocated`; `resident` also holds code, stacks and what the allocator keeps for later.");
}

/// The row of a child that printed the allocated, the most allocated and the resident bytes.
fn cells(peer: &str, line: &str, goal: Option<i64>) -> Vec<String> {
    let numbers: Vec<i64> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let mut cells = vec![peer.to_string()];
    cells.extend(numbers.iter().map(|number| bytes(*number)));
    if let (Some(goal), Some(allocated)) = (goal, numbers.first()) {
        cells.extend([format!("< {}", bytes(goal)), verdict(*allocated < goal).into()]);
    }
    cells
}

fn measure_on_large_stack(peer: &str, case: Case, operations: u32) -> ExitCode {
    let peer = peer.to_owned();
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || measure_named(&peer, case, operations));
    let outcome = thread.map(|thread| thread.join());
    match outcome {
        Ok(Ok(Some(Ok(())))) => ExitCode::SUCCESS,
        Ok(Ok(Some(Err(failure)))) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
        Ok(Ok(None)) => {
            eprintln!("there is no such peer");
            ExitCode::FAILURE
        }
        Ok(Err(_)) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot start a thread: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure_named(peer: &str, case: Case, operations: u32) -> Option<Result<(), BuildFailure>> {
    Some(match peer {
        "nr" => measure_case::<Nr<_, 0>, Nr<_, 0>, Nr<_, 0>>(case, operations),
        "nr-4" => measure_case::<Nr<_, 4>, Nr<_, 4>, Nr<_, 4>>(case, operations),
        "predecessor" => measure_case::<Predecessor<_, 1>, Predecessor<_, 1>, Predecessor<_, 1>>(case, operations),
        "predecessor-4" => measure_case::<Predecessor<_, 4>, Predecessor<_, 4>, Predecessor<_, 4>>(case, operations),
        _ => return None,
    })
}

fn measure_case<C, B, I>(case: Case, operations: u32) -> Result<(), BuildFailure>
where
    C: SharedPeer<Counter>,
    B: SharedPeer<Sum<Box<[u8; PAYLOAD]>>>,
    I: SharedPeer<Sum<[u8; PAYLOAD]>>,
{
    match case {
        Case::Counter => measure::<_, C>(Counter::default(), 0, |_| 0),
        Case::Boxed => measure::<_, B>(Sum::default(), operations, |byte| Box::new([byte; PAYLOAD])),
        Case::Inline => measure::<_, I>(Sum::default(), operations, |byte| [byte; PAYLOAD]),
    }
}

/// Builds a peer, writes, brings all replicas up to date and prints what it all takes.
fn measure<S: Structure, P: SharedPeer<S>>(
    data: S,
    operations: u32,
    operation: impl Fn(u8) -> S::Write,
) -> Result<(), BuildFailure> {
    let resident_before = resident_bytes();
    let allocated_before = ALLOCATED.load(Ordering::Relaxed);
    MOST_ALLOCATED.store(allocated_before, Ordering::Relaxed);
    let mut peer = P::build(data)?;
    let mut handle = peer.solo()?;
    for number in 0..operations {
        handle.write(operation(number as u8));
    }
    if operations > 0 {
        drop(handle);
        peer.sync();
        print_growth(allocated_before, resident_before);
    } else {
        print_growth(allocated_before, resident_before);
        drop(handle);
    }
    Ok(())
}

fn print_growth(allocated_before: i64, resident_before: i64) {
    // Relaxed: this thread made all the allocations itself.
    let allocated = ALLOCATED.load(Ordering::Relaxed) - allocated_before;
    let most = MOST_ALLOCATED.load(Ordering::Relaxed) - allocated_before;
    println!("{allocated} {most} {}", resident_bytes() - resident_before);
}

/// The resident set, from `/proc`; 0 where there is none.
fn resident_bytes() -> i64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<i64>().ok());
    // SAFETY: `sysconf` only looks a constant of the system up.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages.unwrap_or(0) * page
}

/// Adds up bytes of the operations, so that each is really looked at.
#[derive(Clone, Debug)]
struct Sum<T> {
    sum: u64,
    operation: std::marker::PhantomData<fn(T)>,
}

impl<T> Default for Sum<T> {
    fn default() -> Self {
        Self { sum: 0, operation: std::marker::PhantomData }
    }
}

impl<T> Structure for Sum<T>
where
    T: Borrow<[u8; PAYLOAD]> + Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static,
{
    type Read = ();
    type Write = T;

    fn read(&self, (): ()) -> Option<u64> {
        Some(self.sum)
    }

    fn write(&mut self, op: &T) -> Option<u64> {
        let payload: &[u8; PAYLOAD] = op.borrow();
        self.sum += u64::from(payload[0]) + u64::from(payload[PAYLOAD - 1]);
        Some(self.sum)
    }
}

/// Bytes allocated and not yet freed, and the most there ever were.
static ALLOCATED: AtomicI64 = AtomicI64::new(0);
static MOST_ALLOCATED: AtomicI64 = AtomicI64::new(0);

/// The system's allocator, with a count.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

impl Counting {
    fn count(change: i64) {
        // Relaxed: numbers for statistics, which order nothing.
        let now = ALLOCATED.fetch_add(change, Ordering::Relaxed) + change;
        MOST_ALLOCATED.fetch_max(now, Ordering::Relaxed);
    }
}

// SAFETY: every call is handed on to the system's allocator as it came, and its answer is handed back; counting neither
// allocates nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size() as i64);
        // SAFETY: our caller keeps to the contract of `alloc`, which is the same there.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size() as i64);
        // SAFETY: our caller keeps to the contract of `alloc_zeroed`, which is the same there.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        Self::count(-(layout.size() as i64));
        // SAFETY: `memory` came from `System` through one of these methods, with this layout, as our caller vouches.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(size as i64 - layout.size() as i64);
        // SAFETY: `memory` came from `System` through one of these methods, with this layout, as our caller vouches.
        unsafe { System.realloc(memory, layout, size) }
    }
}
