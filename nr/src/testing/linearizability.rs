//! Records what threads do to a structure at once, and has it explained.

use std::error::Error;
use std::fmt::{self, Debug, Write};
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::{Arc, RwLock};
use std::thread;

use crate::builder::{Builder, Replicas};
use crate::dispatch::Dispatch;
use crate::node_replicated::NodeReplicated;
use crate::replica::{PanicPolicy, ReplicaId};
use crate::sync::Clock;
use crate::testing::order::{self, Event, Found, History, Longest, Specification};
use crate::testing::outcome::Outcome;
use crate::testing::paced::Paced;
use crate::testing::{Rng, Subject, seed};
use crate::topology::Topology;

/// [`check_linearizable`](crate::testing::check_linearizable) with options.
///
/// ```
/// use nr::testing::Linearizability;
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
/// Linearizability::default().threads(4).replicas(2).rounds(50).check(
///     Counter::default,
///     |random, counter| match random.u8(0..3) {
///         0 => counter.execute(()),
///         1 => counter.read(|counter| counter.0),
///         _ => counter.execute_mut(random.u64(1..9)),
///     },
///     |counter| counter.0,
/// )?;
/// # Ok::<(), nr::testing::NotLinearizable>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing is checked until `check` is called"]
pub struct Linearizability {
    threads: usize,
    calls: usize,
    replicas: usize,
    log_entries: usize,
    rounds: usize,
    seed: Option<u64>,
}

impl Default for Linearizability {
    fn default() -> Self {
        Self { threads: 3, calls: 6, replicas: 3, log_entries: 4, rounds: 100, seed: None }
    }
}

impl Linearizability {
    /// How many threads use the structure at once, at least 1. Default: 3.
    pub fn threads(self, threads: usize) -> Self {
        Self { threads: threads.max(1), ..self }
    }

    /// How many calls each thread makes in a round, at least 1. Default: 6. The search for an order takes up to
    /// (calls + 1)^threads steps for each state that the structure can be in.
    pub fn calls(self, calls: usize) -> Self {
        Self { calls: calls.max(1), ..self }
    }

    /// How many replicas there are at most, at least 1. Default: 3. Rounds have from one to so many, in turn; each thread
    /// calls now on one, now on another.
    pub fn replicas(self, replicas: usize) -> Self {
        Self { replicas: replicas.max(1), ..self }
    }

    /// How many operations the log holds, and a batch may have: see [`Builder::log_entries`]. Default: 4, so that it is reused soon.
    pub fn log_entries(self, entries: usize) -> Self {
        Self { log_entries: entries, ..self }
    }

    /// How many rounds there are, at least 1, each with a new structure. Default: 100, which take a fraction of a second for a small
    /// structure on a machine that is not busy.
    pub fn rounds(self, rounds: usize) -> Self {
        Self { rounds: rounds.max(1), ..self }
    }

    /// What the random numbers begin with. Default: what the environment variable `NR_TESTING_SEED` says, else another one each
    /// time. The same seed gives the same calls; in which order the threads make them is for the scheduler.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Has threads make random calls on a [`NodeReplicated`] at once, round by round, and looks for an order of each round's calls in which the
    /// bare structure, executing one after the other, gives the same answers and comes to the state in which all replicas are in the end. An
    /// order must respect real time: what had returned before another call was made comes before it.
    ///
    /// * `make` gives the structure in its first state. It is called for each replica, as [`Builder::build_with`] does, and many times for the bare
    ///   structure.
    /// * `call` makes one call on the [`Subject`], of any kind, with the help of random numbers, and gives what came back, or what is
    ///   to be compared of it. It is called again with the same random numbers on the bare structure, and must make the same call then.
    ///   Operations can be found to be in a wrong order only if they meet: choose among few keys.
    /// * `fingerprint` has to tell apart any two states that could ever answer differently: a search that has come to a dead end in one
    ///   takes the other for one. It is not to depend on what no operation can find out, such as the iteration order of a map.
    ///
    /// # Errors
    /// [`NotLinearizable`], with the calls of the round, when there is no such order, or the replicas differ in the end; and if `fingerprint`
    /// was seen not to tell states apart that differ.
    ///
    /// # Panics
    /// If `make` or `fingerprint` does, and if there can't be so many replicas or log entries. A panic of `call` is an answer.
    pub fn check<D, A, F>(
        &self,
        mut make: impl FnMut() -> D,
        call: impl Fn(&mut Rng, Subject<'_, D>) -> A + Sync,
        fingerprint: impl Fn(&D) -> F,
    ) -> Result<(), NotLinearizable>
    where
        D: Dispatch + Send + Sync,
        A: PartialEq + Debug + Send,
        F: Eq + Hash + Debug,
    {
        let call = |seed, subject: Subject<'_, D>| call(&mut Rng::with_seed(seed), subject);
        let seed = seed::choose(self.seed);
        let mut random = Rng::with_seed(seed);
        let topology = Topology::detect();
        for number in 0..self.rounds {
            let replicas = NonZeroUsize::MIN.saturating_add(number % self.replicas);
            let structure = Builder::default()
                .topology(topology.clone())
                .replicas(Replicas::Count(replicas))
                .log_entries(self.log_entries)
                .on_panic(PanicPolicy::Continue)
                .build_with(|_| Paced(make()))
                .unwrap_or_else(|error| panic!("{error}"));
            let structure = Arc::new(structure);
            let history = self.record(&structure, &call, &mut random);
            let last = structure.check_replicas(|paced| fingerprint(&paced.0));

            let mut specification = Specification { make: &mut make, call: &call, fingerprint: &fingerprint };
            let found = order::find(&mut specification, &history, last.as_ref().ok());
            if matches!(found, Found::Order) && last.is_ok() {
                continue;
            }
            let end = match last {
                Ok(last) => format!("the replicas have come to {last:?}"),
                Err(error) => error.to_string(),
            };
            let mut report = String::new();
            let round = Round { number, replicas: replicas.get(), log_entries: self.log_entries };
            explain(&mut report, &round, &history, &found, &end, |seed| specification.name(seed))
                .expect("`Debug` of calls and answers returns no error");
            report.push_str(&seed::advice(seed));
            return Err(NotLinearizable { seed, report });
        }
        Ok(())
    }

    fn record<D, A>(
        &self,
        structure: &Arc<NodeReplicated<Paced<D>>>,
        call: &(impl Fn(u64, Subject<'_, D>) -> A + Sync),
        random: &mut Rng,
    ) -> History<A>
    where
        D: Dispatch + Send + Sync,
        A: Send,
    {
        let clock = &Clock::default();
        let gate = &RwLock::new(());
        let work = |plan: Vec<(ReplicaId, u64)>| {
            let register =
                |replica| structure.register_owned_on(replica).unwrap_or_else(|error| unreachable!("{error}"));
            let mut handles: Vec<_> = structure.replica_ids().into_iter().map(register).collect();
            // Closed until all threads exist, or one can't be started.
            drop(gate.read());
            let record = |(replica, seed): (ReplicaId, u64)| {
                let handle = &mut handles[replica.index()];
                let began = clock.now();
                let outcome = Outcome::of(|| call(seed, Subject::replicated(handle)));
                let ended = clock.now();
                Event { replica, seed, began, ended, outcome }
            };
            plan.into_iter().map(record).collect()
        };
        let work = &work;
        thread::scope(|scope| {
            let closed = gate.write();
            let start = |_| {
                let choose = |_| (ReplicaId::new(random.usize(0..structure.replicas())), random.u64(..));
                let plan = (0..self.calls).map(choose).collect();
                scope.spawn(move || work(plan))
            };
            let threads: Vec<_> = (0..self.threads).map(start).collect();
            drop(closed);
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        })
    }
}

struct Round {
    number: usize,
    replicas: usize,
    log_entries: usize,
}

/// Lists the calls of a round in the order in which they began, and says what is wrong with them, and with the `end` that they have led to.
fn explain<A: Debug>(
    report: &mut String,
    round: &Round,
    history: &History<A>,
    found: &Found<A>,
    end: &str,
    mut name: impl FnMut(u64) -> String,
) -> fmt::Result {
    report.write_str(match found {
        Found::Order => "not linearizable: the replicas differ after these calls",
        Found::None(_) => "not linearizable: in no order does the bare structure answer these calls in this way",
        Found::Coarse => {
            "not decided: the fingerprint does not tell apart states that answer differently. These calls are in order, but a search that \
             relies on the fingerprint does not find it"
        }
    })?;
    let Round { number, replicas, log_entries } = round;
    writeln!(
        report,
        "\nround {number}, {replicas} replica(s), a log of {log_entries} entries; call and return, in moments of one clock:"
    )?;
    let indices = |thread: usize| (0..history[thread].len()).map(move |index| (thread, index));
    let mut calls: Vec<(usize, usize)> = (0..history.len()).flat_map(indices).collect();
    calls.sort_by_key(|&(thread, index)| history[thread][index].began);
    for (number, &(thread, index)) in calls.iter().enumerate() {
        let Event { replica, seed, began, ended, outcome } = &history[thread][index];
        let name = name(*seed);
        writeln!(report, "  #{number:<3} {began:>3} to {ended:>3}  thread {thread}, {replica}: {name} -> {outcome:?}")?;
    }
    writeln!(report, "{end}")?;
    let Found::None(Longest { order, next, state }) = found else { return Ok(()) };
    let number = |call| calls.iter().position(|&other| other == call).unwrap_or_default();
    let mut taken = vec![0; history.len()];
    report.write_str("the longest order that fits:")?;
    for &thread in order {
        write!(report, " #{}", number((thread, taken[thread])))?;
        taken[thread] += 1;
    }
    if let Some(state) = state {
        write!(report, "; it leads to {state}")?;
    }
    for (thread, outcome) in next {
        write!(report, "; then #{} would answer {outcome:?}", number((*thread, taken[*thread])))?;
    }
    writeln!(report)
}

/// What [`Linearizability::check`] has found; it shows the calls and the answers.
#[derive(Clone, PartialEq, Eq)]
pub struct NotLinearizable {
    seed: u64,
    report: String,
}

impl NotLinearizable {
    /// The seed with which it was found.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

impl fmt::Display for NotLinearizable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report)
    }
}

// What a failed `unwrap`, and a test that returns it, show.
impl Debug for NotLinearizable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for NotLinearizable {}
