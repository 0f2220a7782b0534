//! Executes the same operations on several copies, and compares them.

use std::error::Error;
use std::fmt::{self, Debug};
use std::ops::Range;
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use crate::dispatch::Dispatch;
use crate::panic::contain;
use crate::testing::outcome::Outcome;
use crate::testing::{Rng, seed};

/// [`check_deterministic`](crate::testing::check_deterministic) with options.
///
/// ```
/// use nr::testing::Determinism;
/// # #[derive(Clone, Default)]
/// # struct Counter(u64);
/// # impl nr::Dispatch for Counter {
/// #     type ReadOperation<'a> = ();
/// #     type WriteOperation = u64;
/// #     type Response = u64;
/// #     fn dispatch(&self, _: ()) -> u64 { self.0 }
/// #     fn dispatch_mut(&mut self, add: &u64) -> u64 { self.0 += add; self.0 }
/// # }
///
/// Determinism::default()
///     .operations(1_000)
///     .copies(3)
///     .check(Counter::default, |random| random.u64(0..10), |counter| counter.0)?;
/// # Ok::<(), nr::testing::Nondeterminism>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing is checked until `check` is called"]
pub struct Determinism {
    operations: usize,
    copies: usize,
    pause: Duration,
    seed: Option<u64>,
}

impl Default for Determinism {
    fn default() -> Self {
        Self { operations: 500, copies: 4, pause: Duration::from_millis(2), seed: None }
    }
}

/// How many shorter sequences are tried, at most, after a long one has shown a difference.
const ATTEMPTS: usize = 200;
/// How long their pauses may be in all.
const PAUSES: Duration = Duration::from_secs(2);
/// How many operations on end a copy executes on one thread, at most.
const STRETCH: usize = 16;
/// How many operations a report shows, at most.
const SHOWN: usize = 30;

impl Determinism {
    /// How many operations are executed. Default: 500. The fingerprint is taken after each, on each copy.
    pub fn operations(self, operations: usize) -> Self {
        Self { operations, ..self }
    }

    /// How many copies there are, at least 2. Default: 4.
    pub fn copies(self, copies: usize) -> Self {
        Self { copies: copies.max(2), ..self }
    }

    /// How long it is, at least, from the first copy's operations to those of the others. Default: 2 ms. A clock whose ticks are longer goes
    /// unnoticed: for one that counts seconds, choose two seconds. The longer it is, the fewer shorter sequences are tried.
    pub fn pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// What the random numbers begin with. Default: what the environment variable `NR_TESTING_SEED` says, else another one each
    /// time.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Executes one random sequence of operations on several copies, as replicas would do it, and compares what each operation answers and
    /// the fingerprint after it.
    ///
    /// The first copy is made by `make`, and executes everything on the calling thread. The others, one after the other, are told ahead of
    /// operations by [`Dispatch::prefetch`] and are moved between threads. The second is made by `make` too; the third is a clone of the
    /// second, made somewhere on the way, as [`add_replica`](crate::NodeReplicated::add_replica) does it, and goes on from there; the fourth is made
    /// by `make`, and so on.
    ///
    /// `fingerprint` is what has to be equal. To compare what reads answer, let it [`dispatch`](Dispatch::dispatch) some.
    ///
    /// After a difference shorter sequences are tried, so that few operations are left to look at.
    ///
    /// # Errors
    /// [`Nondeterminism`], with the first operation after which copies differ.
    ///
    /// # Panics
    /// If `make`, `operation`, `fingerprint` or `clone` does. A panic in [`Dispatch::dispatch_mut`] is an answer.
    pub fn check<D, F>(
        &self,
        make: impl FnMut() -> D,
        operation: impl FnMut(&mut Rng) -> D::WriteOperation,
        fingerprint: impl Fn(&D) -> F + Sync,
    ) -> Result<(), Nondeterminism>
    where
        D: Dispatch<WriteOperation: Debug, Response: PartialEq + Debug> + Clone + Send,
        F: PartialEq + Debug + Send,
    {
        self.check_copies(make, Some(D::clone), operation, fingerprint)
    }

    /// As [`check`](Self::check), for a structure that can't be cloned: all copies are made by `make`.
    ///
    /// # Errors
    /// As for [`check`](Self::check).
    ///
    /// # Panics
    /// As for [`check`](Self::check).
    pub fn check_without_clones<D, F>(
        &self,
        make: impl FnMut() -> D,
        operation: impl FnMut(&mut Rng) -> D::WriteOperation,
        fingerprint: impl Fn(&D) -> F + Sync,
    ) -> Result<(), Nondeterminism>
    where
        D: Dispatch<WriteOperation: Debug, Response: PartialEq + Debug> + Send,
        F: PartialEq + Debug + Send,
    {
        self.check_copies(make, None, operation, fingerprint)
    }

    fn check_copies<D, F>(
        &self,
        mut make: impl FnMut() -> D,
        clone: Option<fn(&D) -> D>,
        mut operation: impl FnMut(&mut Rng) -> D::WriteOperation,
        fingerprint: impl Fn(&D) -> F + Sync,
    ) -> Result<(), Nondeterminism>
    where
        D: Dispatch<WriteOperation: Debug, Response: PartialEq + Debug> + Send,
        F: PartialEq + Debug + Send,
    {
        let seed = seed::choose(self.seed);
        let mut random = Rng::with_seed(seed);
        let operations: Vec<_> = (0..self.operations).map(|_| operation(&mut random)).collect();
        let mut replay = |operations: &[&D::WriteOperation]| {
            Replay { options: self, clone, fingerprint: &fingerprint, operations, random: Rng::with_seed(seed) }
                .run(&mut make)
        };
        let Some(difference) = replay(&operations.iter().collect::<Vec<_>>()) else { return Ok(()) };
        let affordable = PAUSES.as_nanos() / self.pause.as_nanos().max(1);
        let attempts = ATTEMPTS.min(usize::try_from(affordable).unwrap_or(ATTEMPTS));
        let (kept, difference) = shrink(&operations, attempts, difference, replay);
        Err(Nondeterminism::new(&kept, operations.len(), &difference, seed))
    }
}

/// Leaves operations out as long as copies still differ.
fn shrink<Op>(
    operations: &[Op],
    mut attempts: usize,
    mut difference: Difference,
    mut replay: impl FnMut(&[&Op]) -> Option<Difference>,
) -> (Vec<&Op>, Difference) {
    let mut kept: Vec<&Op> = operations[..difference.executed].iter().collect();
    let mut length = kept.len().div_ceil(2);
    while length > 0 {
        let mut start = 0;
        while start < kept.len() && attempts > 0 {
            attempts -= 1;
            let end = kept.len().min(start + length);
            let mut fewer = [&kept[..start], &kept[end..]].concat();
            match replay(&fewer) {
                Some(earlier) => {
                    fewer.truncate(earlier.executed);
                    (kept, difference) = (fewer, earlier);
                }
                None => start = end,
            }
        }
        length /= 2;
    }
    (kept, difference)
}

/// Where copies part.
struct Difference {
    /// How many operations had been executed.
    executed: usize,
    /// What differs.
    what: &'static str,
    /// What the first copy has, and another one.
    first: String,
    other: String,
    name: String,
}

/// What one operation answers, and the state after it.
struct Step<R, F> {
    outcome: Outcome<R>,
    state: F,
}

/// What the first copy does: what others are compared with.
struct Trace<R, F> {
    start: F,
    steps: Vec<Step<R, F>>,
}

impl<R, F> Trace<R, F> {
    fn state_after(&self, operations: usize) -> &F {
        operations.checked_sub(1).map_or(&self.start, |last| &self.steps[last].state)
    }
}

struct Copy<D> {
    /// In a box, so that it has an address of its own, whatever thread it is on.
    data: Box<D>,
    executed: usize,
    name: String,
}

/// The same operations on all copies.
struct Replay<'a, D: Dispatch, P> {
    options: &'a Determinism,
    clone: Option<fn(&D) -> D>,
    fingerprint: &'a P,
    operations: &'a [&'a D::WriteOperation],
    random: Rng,
}

impl<D, F, P> Replay<'_, D, P>
where
    D: Dispatch<WriteOperation: Debug, Response: PartialEq + Debug> + Send,
    F: PartialEq + Debug + Send,
    P: Fn(&D) -> F + Sync,
{
    /// The first difference.
    fn run(mut self, make: &mut impl FnMut() -> D) -> Option<Difference> {
        let is_made = |index: usize| self.clone.is_none() || index == 0 || index % 2 == 1;
        let made = (0..self.options.copies).filter(|index| is_made(*index));
        // None is dropped before the end, so none gets the memory that another has had.
        let mut copies: Vec<Copy<D>> = made
            .map(|index| Copy { data: Box::new(make()), executed: 0, name: format!("copy {index}, made anew") })
            .collect();
        let mut clones = vec![];
        let [first, others @ ..] = &mut copies[..] else { unreachable!("at least two copies") };
        let start = (self.fingerprint)(&first.data);
        let trace = Trace { start, steps: self.execute(&mut first.data, 0..self.operations.len()) };

        thread::sleep(self.options.pause);
        let mut differences = vec![];
        for (index, copy) in others.iter_mut().enumerate() {
            let clone_index = 2 * index + 2;
            if let Some(clone) = self.clone.filter(|_| clone_index < self.options.copies) {
                let end = self.random.usize(0..=self.operations.len());
                if let Some(difference) = self.go_on(copy, end, &trace) {
                    differences.push(difference);
                    continue;
                }
                let name = format!("copy {clone_index}, a clone of copy {} after {end} operation(s)", clone_index - 1);
                clones.push(Copy { data: Box::new(clone(&copy.data)), executed: copy.executed, name });
            }
            differences.extend(self.go_on(copy, self.operations.len(), &trace));
        }
        for clone in &mut clones {
            differences.extend(self.go_on(clone, self.operations.len(), &trace));
        }
        differences.into_iter().min_by_key(|difference| difference.executed)
    }

    /// Has a copy execute operations up to `end`, on ever new threads, until it differs from the first one.
    fn go_on(&mut self, copy: &mut Copy<D>, end: usize, trace: &Trace<D::Response, F>) -> Option<Difference> {
        let (mut state, expected) = ((self.fingerprint)(&copy.data), trace.state_after(copy.executed));
        if state != *expected {
            return Some(difference(copy, "the fingerprint", expected, &state));
        }
        while copy.executed < end {
            let stretch = copy.executed..end.min(copy.executed + self.random.usize(1..=STRETCH));
            let execute = || {
                self.operations[stretch.clone()].iter().for_each(|ahead| contain(|| copy.data.prefetch(ahead)));
                self.execute(&mut copy.data, stretch)
            };
            let steps = thread::scope(|scope| scope.spawn(execute).join()).unwrap_or_else(|panic| resume_unwind(panic));
            for step in steps {
                let expected = &trace.steps[copy.executed];
                copy.executed += 1;
                if step.outcome != expected.outcome {
                    return Some(difference(copy, "the answer", &expected.outcome, &step.outcome));
                }
                state = step.state;
                if state != expected.state {
                    return Some(difference(copy, "the fingerprint", &expected.state, &state));
                }
            }
        }
        None
    }

    fn execute(&self, data: &mut D, range: Range<usize>) -> Vec<Step<D::Response, F>> {
        let step = |operation: &&D::WriteOperation| {
            let outcome = Outcome::of(|| data.dispatch_mut(operation));
            Step { outcome, state: (self.fingerprint)(data) }
        };
        self.operations[range].iter().map(step).collect()
    }
}

fn difference<D, T: Debug>(copy: &Copy<D>, what: &'static str, first: &T, other: &T) -> Difference {
    Difference {
        executed: copy.executed,
        what,
        first: format!("{first:?}"),
        other: format!("{other:?}"),
        name: copy.name.clone(),
    }
}

/// What [`Determinism::check`] has found; it shows the operations and what differs.
#[derive(Clone, PartialEq, Eq)]
pub struct Nondeterminism {
    seed: u64,
    executed: usize,
    report: String,
}

impl Nondeterminism {
    fn new<Op: Debug>(executed: &[&Op], of: usize, difference: &Difference, seed: u64) -> Self {
        let Difference { what, first, other, name, .. } = difference;
        let after = match executed {
            [] => "before any operation".to_owned(),
            [.., last] => format!("after operation {}, {last:?}", executed.len()),
        };
        let mut lines = vec![
            format!("not deterministic: copies that have executed the same operations differ in {what} {after}:"),
            format!("  copy 0, made anew: {first}"),
            format!("  {name}: {other}"),
            format!("{} of {of} operations are enough to see that:", executed.len()),
        ];
        let hidden = executed.len().saturating_sub(SHOWN);
        lines.extend((hidden > 0).then(|| format!("  … {hidden} before")));
        let shown = executed.iter().enumerate().skip(hidden);
        lines.extend(shown.map(|(index, operation)| format!("  {}: {operation:?}", index + 1)));
        lines.push("what does this most often: see the contract of nr::Dispatch".to_owned());
        lines.push(seed::advice(seed));
        Self { seed, executed: executed.len(), report: lines.join("\n") }
    }

    /// The seed with which it was found.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many operations had been executed when copies differed for the first time, in the shortest sequence that was found: the
    /// number, from 1, of the one after which they did; 0 if they differ from the start.
    pub fn operation(&self) -> usize {
        self.executed
    }
}

impl fmt::Display for Nondeterminism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report)
    }
}

// What a failed `unwrap`, and a test that returns it, show.
impl Debug for Nondeterminism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Nondeterminism {}
