#![doc = include_str!("../README.md")]
//!
//! # This package
//!
//! What the examples share: threads that start together, a small random number generator, checked
//! command-line values, and numbers that a person likes to read.
//!
//! Nothing here is needed to use `nr`; each example stands in its own file and says there what it shows.

use std::{
    error::Error,
    fmt, fs,
    io::{self, Write},
    num::NonZeroUsize,
    ops::RangeInclusive,
    process::{self, ExitCode},
    sync::RwLock,
    thread,
};

use nr::{Dispatch, NodeReplicated, ReplicaId, Replicas};

/// What can go wrong in an example; the text is shown to the user.
pub type Failure = Box<dyn Error + Send + Sync>;

/// The outcome of an example, or of a part of one.
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// `println!` that ends the program quietly when its reader has gone (`… | head`), instead of panicking.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::write_line(format_args!($($text)*)) };
}

/// Returns with a [`Failure`] unless the condition holds: a check that the user sees fail, not a panic.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+).into());
        }
    };
}

/// Ends an example: success, or the failure on stderr and a non-zero exit status.
pub fn finish(outcome: Result) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The work of [`say!`](crate::say).
pub fn write_line(text: fmt::Arguments<'_>) {
    if let Err(error) = writeln!(io::stdout(), "{text}") {
        if error.kind() != io::ErrorKind::BrokenPipe {
            eprintln!("error: could not write the output: {error}");
            process::exit(1);
        }
        // What a shell reports for a program that a closed pipe has ended: not a success, since the checks did not run.
        process::exit(141);
    }
}

/// Runs `work(0)`, …, `work(threads - 1)` on a thread each and returns their results in this order.
///
/// The threads start working together, once all of them exist. If the system refuses one, none works.
pub fn on_threads<T: Send>(threads: usize, work: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    // Closed while we hold it for writing; what is inside says whether there is anything to do once it opens.
    let gate = RwLock::new(false);
    let wait_and_work = |index| if *gate.read().unwrap() { work(index) } else { Err("not started".into()) };

    thread::scope(|scope| {
        let mut all_started = gate.write().unwrap();
        let mut started = Vec::with_capacity(threads);
        for index in 0..threads {
            let wait_and_work = &wait_and_work;
            let thread = thread::Builder::new().name(format!("worker-{index}"));
            match thread.spawn_scoped(scope, move || wait_and_work(index)) {
                Ok(thread) => started.push(thread),
                Err(error) => {
                    return Err(format!("only {index} of {threads} threads could be started: {error}").into());
                }
            }
        }
        *all_started = true;
        drop(all_started);
        started.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a thread panicked".into()))).collect()
    })
}

/// Brings every replica up to date and returns what `look` finds in each, the first replica first.
pub fn on_every_replica<D: Dispatch, T>(
    structure: &NodeReplicated<D>,
    mut look: impl FnMut(&D) -> T,
) -> Result<Vec<T>> {
    structure.sync();
    (0..structure.replicas()).map(|index| Ok(structure.register_on(ReplicaId::new(index))?.read(&mut look))).collect()
}

/// A random number generator (SplitMix64) that costs about a nanosecond, so that it does not hide what is measured.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator of its own for each `seed`: give every thread another one.
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed);
        random.0 = random.next();
        random
    }

    /// The next 64 random bits.
    #[expect(clippy::should_implement_trait, reason = "it never ends, so an Option would only be in the way")]
    #[inline]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from 0 to `bound - 1`, all equally likely. The bound is at most 2³².
    #[inline]
    pub fn below(&mut self, bound: usize) -> usize {
        (((self.next() >> 32) * bound as u64) >> 32) as usize
    }
}

/// Spreads the bits of `value`: two inputs that differ anywhere give unrelated outputs.
#[inline]
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The option `--replicas`, the same in every example.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct ReplicasOption {
    /// Copies of the structure to keep, 1 to 64 [default: one per NUMA node of this machine]
    #[arg(long, value_name = "NUMBER", value_parser = whole(1..=64))]
    replicas: Option<usize>,
}

impl ReplicasOption {
    /// The number, if the user gave one.
    pub fn number(self) -> Option<usize> {
        self.replicas
    }

    /// What to tell the builder.
    pub fn choice(self) -> Replicas {
        self.replicas.and_then(NonZeroUsize::new).map_or(Replicas::PerNumaNode, Replicas::Count)
    }
}

/// Reads a whole number within `allowed`, for clap's `value_parser`; `100_000` and `100,000` are fine too where no
/// list is expected.
pub fn whole(
    allowed: RangeInclusive<usize>,
) -> impl Fn(&str) -> std::result::Result<usize, String> + Clone + Send + Sync + 'static {
    move |text| match text.replace(['_', ','], "").parse() {
        Ok(number) if allowed.contains(&number) => Ok(number),
        _ => Err(format!("give a whole number from {} to {}", grouped(*allowed.start()), grouped(*allowed.end()))),
    }
}

/// How many threads this machine runs at once.
pub fn cpus() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Says so if `bytes` more are not to be had, as far as this system tells: better than being killed halfway.
pub fn check_memory(bytes: u64, advice: &str) -> Result {
    match available_memory() {
        Some(available) if bytes > available => {
            let gigabytes = |bytes: u64| bytes as f64 / 1e9;
            Err(format!(
                "this takes about {:.1} GB of memory and {:.1} GB are available: {advice}",
                gigabytes(bytes),
                gigabytes(available)
            )
            .into())
        }
        _ => Ok(()),
    }
}

/// Bytes of memory that can still be used, by the word of the Linux kernel: of the machine, and of this process's
/// control group where it is limited.
fn available_memory() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let number = |path: &str| read(path)?.trim().parse::<u64>().ok();
    let meminfo = read("/proc/meminfo")?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let machine = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024;
    let group = number("/sys/fs/cgroup/memory.max")
        .zip(number("/sys/fs/cgroup/memory.current"))
        .map(|(limit, used)| limit.saturating_sub(used));
    Some(group.map_or(machine, |group| group.min(machine)))
}

/// A number with a comma between thousands: `1,234,567`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A noun with its number: `1 replica`, `1,024 replicas`.
pub fn counted(number: usize, noun: &str) -> String {
    let noun = match noun.strip_suffix('y') {
        _ if number == 1 => noun.to_owned(),
        Some(stem) => format!("{stem}ies"),
        None => format!("{noun}s"),
    };
    format!("{} {noun}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 12, 999, 1_000, 1_234_567].map(grouped), ["0", "12", "999", "1,000", "1,234,567"]);
        assert_eq!([counted(1, "replica"), counted(0, "replica")], ["1 replica", "0 replicas"]);
        assert_eq!([counted(1, "entry"), counted(2, "entry")], ["1 entry", "2 entries"]);
    }

    #[test]
    fn a_number_out_of_range_is_told_the_range() {
        let parse = whole(1..=1024);
        assert_eq!(parse("1_024"), Ok(1024));
        for wrong in ["0", "1025", "", "-1", "ten", "99999999999999999999999"] {
            assert_eq!(parse(wrong), Err("give a whole number from 1 to 1,024".to_owned()), "{wrong:?}");
        }
    }

    #[test]
    fn random_numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut random = Random::new(1);
        let mut seen = [0; 10];
        (0..10_000).for_each(|_| seen[random.below(10)] += 1);
        assert!(seen.iter().all(|&count| count > 800), "{seen:?}");
    }

    #[test]
    fn threads_hand_back_results_in_order_and_a_failure_reaches_the_caller() {
        assert_eq!(on_threads(4, |index| Ok(index * 10)).unwrap(), [0, 10, 20, 30]);
        let failed = on_threads(2, |index| if index == 1 { Err("no luck".into()) } else { Ok(()) });
        assert_eq!(failed.unwrap_err().to_string(), "no luck");
    }
}
