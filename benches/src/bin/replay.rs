//! What each part of replay is worth, on a table that no cache holds: `cargo run --release -p nr-benches --bin replay`.
//!
//! Replay is the ceiling for writes, since every replica executes every write. A structure with two replicas is written through one of them,
//! and then brought up to date on the other, which is timed. Each row leaves one thing out that makes replay cheap; variants take
//! turns, so that all of them meet the same noise.

use clap::Parser;
use nr::{Dispatch, Handle, NodeReplicated, ReplicaId, Replicas};
use nr_benches::figures::{Spread, Table, bytes};
use nr_benches::sequence::Sequence;
use std::hint::black_box;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Operations that are appended at once.
const BATCH: usize = 64;
/// Operations that are replayed at once: so few that nobody has helped the second replica before.
const STRETCH: usize = 256;
/// So often in one measurement.
const STRETCHES: usize = 64;

const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// What prefetching, executing by reference, packing and combining are worth when a replica replays the log.
#[derive(Debug, Parser)]
struct Arguments {
    /// Entries of the table, 8 + 8 bytes each, in as many slots as the next power of two of twice that has.
    #[arg(long, default_value_t = 4_000_000)]
    entries: u64,
    /// How often each variant is measured.
    #[arg(long, default_value_t = 31)]
    repetitions: usize,
}

/// A table of open addressing: std's map has no way to prefetch.
#[derive(Clone)]
struct Slots {
    /// Keys, none of which is 0, with their values.
    slots: Vec<(u64, u64)>,
}

/// Overwrites the value of a key.
#[derive(Clone, Copy)]
struct Put {
    key: u64,
    value: u64,
}

impl Slots {
    fn filled(entries: u64) -> Self {
        let mut table = Self { slots: vec![(0, 0); (2 * entries).next_power_of_two() as usize] };
        for key in 1..=entries {
            let place = table.find(key);
            table.slots[place] = (key, key);
        }
        table
    }

    fn bytes(entries: u64) -> u64 {
        (2 * entries).next_power_of_two() * 16
    }

    fn home(&self, key: u64) -> usize {
        (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as usize & (self.slots.len() - 1)
    }

    /// Where the key is, or could be.
    fn find(&self, key: u64) -> usize {
        let mut place = self.home(key);
        while self.slots[place].0 != key && self.slots[place].0 != 0 {
            place = (place + 1) & (self.slots.len() - 1);
        }
        place
    }

    fn write(&mut self, put: Put) -> Option<u64> {
        let place = self.find(put.key);
        let before = std::mem::replace(&mut self.slots[place], (put.key, put.value));
        (before.0 != 0).then_some(before.1)
    }

    fn prefetch(&self, put: Put) {
        let slot = &self.slots[self.home(put.key)];
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: a hint about an address, here of an element; every processor of this kind has the instruction.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(slot).cast()) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        black_box(slot);
    }
}

/// How an operation lies in the log, and what is done with it beside executing it.
trait Form: From<Put> + Send + Sync + 'static {
    const NAME: &'static str;
    fn put(&self) -> Put;
    fn execute(&self, table: &mut Slots) -> Option<u64> {
        table.write(self.put())
    }
    fn prefetch(&self, table: &Slots) {
        table.prefetch(self.put());
    }
}

/// As nr does it: 16 bytes and a stamp, executed where it lies, with the lines of later operations on their way.
impl Form for Put {
    const NAME: &'static str = "all of it";
    fn put(&self) -> Put {
        *self
    }
}

struct NotAhead(Put);

impl From<Put> for NotAhead {
    fn from(put: Put) -> Self {
        Self(put)
    }
}

impl Form for NotAhead {
    const NAME: &'static str = "without prefetch";
    fn put(&self) -> Put {
        self.0
    }
    fn prefetch(&self, _table: &Slots) {}
}

/// Looks the key up ahead, which touches the same lines.
struct LookedUp(Put);

impl From<Put> for LookedUp {
    fn from(put: Put) -> Self {
        Self(put)
    }
}

impl Form for LookedUp {
    const NAME: &'static str = "a look-up in place of the prefetch";
    fn put(&self) -> Put {
        self.0
    }
    fn prefetch(&self, table: &Slots) {
        black_box(table.slots[table.find(self.0.key)]);
    }
}

/// In a cache line of its own, with the stamp in another.
#[repr(align(64))]
struct Apart(Put);

impl From<Put> for Apart {
    fn from(put: Put) -> Self {
        Self(put)
    }
}

impl Form for Apart {
    const NAME: &'static str = "without packing: lines of its own for each";
    fn put(&self) -> Put {
        self.0
    }
}

/// Owns memory, as operations with strings do.
impl Form for Box<Put> {
    const NAME: &'static str = "operations that own memory";
    fn put(&self) -> Put {
        **self
    }
}

struct Cloned(Box<Put>);

impl From<Put> for Cloned {
    fn from(put: Put) -> Self {
        Self(put.into())
    }
}

impl Form for Cloned {
    const NAME: &'static str = "the same, cloned for each replica";
    fn put(&self) -> Put {
        *self.0
    }
    fn execute(&self, table: &mut Slots) -> Option<u64> {
        let own = black_box(self.0.clone());
        table.write(*own)
    }
}

struct Replayed<F>(Slots, PhantomData<fn(F)>);

impl<F> Clone for Replayed<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<F: Form> Dispatch for Replayed<F> {
    type ReadOperation<'a> = ();
    type WriteOperation = F;
    type Response = Option<u64>;
    fn dispatch(&self, (): ()) -> Option<u64> {
        None
    }
    fn dispatch_mut(&mut self, op: &F) -> Option<u64> {
        op.execute(&mut self.0)
    }
    fn prefetch(&self, op: &F) {
        op.prefetch(&self.0);
    }
}

/// A structure with two replicas, written through the first.
struct Variant<F: Form> {
    structure: NodeReplicated<Replayed<F>>,
    sequence: Sequence,
    entries: u64,
}

/// What is measured of one structure or another.
trait Measured {
    fn name(&self) -> &'static str;
    /// Nanoseconds an operation: for the second replica to replay what the first has executed.
    fn replay(&mut self) -> f64;
    /// The same, for the first replica to append and execute so many at a time.
    fn write(&mut self, batch: usize) -> f64;
}

impl<F: Form> Variant<F> {
    fn build(table: &Slots, entries: u64) -> Result<Box<dyn Measured>, nr::BuildError> {
        let builder = NodeReplicated::<Replayed<F>>::builder().replicas(Replicas::Count(TWO));
        let structure = builder.build(Replayed(table.clone(), PhantomData))?;
        Ok(Box::new(Self { structure, sequence: Sequence::new(1), entries }))
    }

    fn put(&mut self) -> F {
        let key = 1 + self.sequence.below(self.entries);
        Put { key, value: key + 1 }.into()
    }

    fn handle(&self, replica: usize) -> Handle<'_, Replayed<F>> {
        self.structure.register_on(ReplicaId::new(replica)).expect("there are two")
    }
}

impl<F: Form> Measured for Variant<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn replay(&mut self) -> f64 {
        let mut time = Duration::ZERO;
        for _ in 0..STRETCHES {
            for _ in 0..STRETCH / BATCH {
                let batch: Vec<F> = (0..BATCH).map(|_| self.put()).collect();
                self.handle(0).execute_mut_batch(batch);
            }
            let mut reader = self.handle(1);
            let start = Instant::now();
            reader.read(|_| ());
            time += start.elapsed();
        }
        time.as_nanos() as f64 / (STRETCHES * STRETCH) as f64
    }

    fn write(&mut self, batch: usize) -> f64 {
        let mut time = Duration::ZERO;
        for _ in 0..STRETCHES {
            let batches: Vec<Vec<F>> = (0..STRETCH / batch).map(|_| (0..batch).map(|_| self.put()).collect()).collect();
            let mut writer = self.handle(0);
            let start = Instant::now();
            for mut operations in batches {
                match operations.pop() {
                    Some(only) if batch == 1 => drop(black_box(writer.execute_mut(only))),
                    Some(last) => {
                        operations.push(last);
                        black_box(writer.execute_mut_batch(operations));
                    }
                    None => {}
                }
            }
            time += start.elapsed();
            self.handle(1).read(|_| ());
        }
        time.as_nanos() as f64 / (STRETCHES * STRETCH) as f64
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("replay: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let Arguments { entries, repetitions } = *arguments;
    if !(1..=1 << 32).contains(&entries) || !(1..=10_000).contains(&repetitions) {
        return Err("--entries 1 to 4294967296 and --repetitions 1 to 10000 are possible".into());
    }
    eprintln!("filling twelve tables of {entries} entries, {} each", bytes(Slots::bytes(entries) as i64));
    let filled = Slots::filled(entries);
    let mut variants = [
        Variant::<Put>::build(&filled, entries),
        Variant::<NotAhead>::build(&filled, entries),
        Variant::<LookedUp>::build(&filled, entries),
        Variant::<Apart>::build(&filled, entries),
        Variant::<Box<Put>>::build(&filled, entries),
        Variant::<Cloned>::build(&filled, entries),
    ]
    .into_iter()
    .collect::<Result<Vec<_>, _>>()
    .map_err(|error| error.to_string())?;
    drop(filled);

    let batches = [BATCH, 8, 1];
    let mut replays = vec![Vec::new(); variants.len()];
    let mut writes = vec![Vec::new(); batches.len()];
    for repetition in 0..repetitions {
        for (variant, times) in variants.iter_mut().zip(&mut replays) {
            times.push(variant.replay());
        }
        for (batch, times) in batches.iter().zip(&mut writes) {
            times.push(variants[0].write(*batch));
        }
        eprint!("\r{} of {repetitions}", repetition + 1);
    }
    eprintln!();

    let names = variants.iter().map(|variant| variant.name().to_owned()).collect();
    println!("{}", table("replay of what another replica has executed", names, &replays));
    let names = batches.iter().map(|batch| format!("rounds of {batch}")).collect();
    println!("{}", table("append and execute", names, &writes));
    Ok(())
}

/// Medians and quartiles, and the medians' ratios to the first.
fn table(what: &str, names: Vec<String>, times: &[Vec<f64>]) -> Table {
    let mut table = Table::new([what, "ns an operation", "÷ first"]);
    let spreads: Vec<Spread> = times.iter().filter_map(|times| Spread::of(times.iter().copied())).collect();
    for (name, spread) in names.into_iter().zip(&spreads) {
        table.row([name, format!("{spread:.1}"), format!("{:.2}", spread.median / spreads[0].median)]);
    }
    table
}
