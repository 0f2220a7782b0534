//! A leaderboard, after the sorted sets of Redis: raise a member's score, ask for its rank, list the best.
//!
//! ```text
//! cargo run --release --example sorted_set
//! cargo run --release --example sorted_set -- --members 100 --threads 8 --replicas 2
//! ```
//!
//! Two collections that must agree, a `HashMap` for the scores and a `BTreeSet` for the order, would need a lock
//! around both or a clever lock-free design. Here they are plain fields of one structure: a write changes both before
//! anyone can look, and everything that happens inside one `read` sees one and the same state.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    process::ExitCode,
    time::Instant,
};

use clap::Parser;
use nr::{Builder, Dispatch};
use nr_examples::{Random, ReplicasOption, Result, counted, ensure, on_every_replica, on_threads, say, whole};

type Member = u32;

/// Whole numbers: with `f64` the sum would depend on the order of the increments, and `NaN` has no place in an order.
type Score = i64;

#[derive(Clone, Default)]
struct SortedSet {
    scores: HashMap<Member, Score>,
    order: BTreeSet<(Score, Member)>,
}

impl SortedSet {
    /// How many members stand below this one. Counts them; a tree that knows the sizes of its branches need not.
    fn rank(&self, member: Member) -> Option<usize> {
        let score = *self.scores.get(&member)?;
        Some(self.order.range(..(score, member)).count())
    }

    /// `ZINCRBY`: a member that is not there yet starts from zero.
    fn increment(&mut self, member: Member, by: Score) -> Score {
        let score = self.scores.entry(member).or_insert(0);
        self.order.remove(&(*score, member));
        *score += by;
        self.order.insert((*score, member));
        *score
    }
}

/// The read `ZRANK`.
struct Rank(Member);

/// The write `ZINCRBY`.
struct Increment {
    member: Member,
    by: Score,
}

/// Reads and writes share one type of answer; an enum keeps them apart.
enum Answer {
    Score(Score),
    Rank(Option<usize>),
}

impl Dispatch for SortedSet {
    type ReadOperation<'a> = Rank;
    type WriteOperation = Increment;
    type Response = Answer;

    fn dispatch(&self, Rank(member): Rank) -> Answer {
        Answer::Rank(self.rank(member))
    }

    fn dispatch_mut(&mut self, &Increment { member, by }: &Increment) -> Answer {
        Answer::Score(self.increment(member, by))
    }
}

/// Raises and lowers scores in a sorted set from many threads, and checks scores, ranks and order.
#[derive(Parser)]
struct Options {
    /// Threads that increment and look, 1 to 256
    #[arg(long, value_name = "NUMBER", default_value = "4", value_parser = whole(1..=256))]
    threads: usize,

    /// Members of the set, 1 to 10,000
    #[arg(long, value_name = "NUMBER", default_value = "1000", value_parser = whole(1..=10_000))]
    members: usize,

    /// Increments of all threads together, 1 to 10,000,000
    #[arg(long, value_name = "NUMBER", default_value = "400000", value_parser = whole(1..=10_000_000))]
    increments: usize,

    #[command(flatten)]
    replicas: ReplicasOption,
}

fn main() -> ExitCode {
    nr_examples::finish(run(&Options::parse()))
}

fn run(&Options { threads, members, increments, replicas }: &Options) -> Result {
    let set = Builder::default().replicas(replicas.choice()).build(SortedSet::default())?;

    let begin = Instant::now();
    let tallies = on_threads(threads, |thread| {
        let mut handle = set.register()?;
        let mut random = Random::new(thread as u64);
        let mut tally = BTreeMap::new();
        let (mut looks, mut peak) = (0, 0);
        for round in (thread..increments).step_by(threads) {
            let member = random.below(members) as Member;
            let by = random.below(1_000) as Score - 300;
            if let Answer::Score(score) = handle.execute_mut(Increment { member, by }) {
                peak = peak.max(score);
            }
            *tally.entry(member).or_insert(0) += by;

            // Others go on incrementing, so two separate questions could get answers that don't fit together: a rank,
            // and a member that has moved there since. One `read` is one moment.
            if round % 16 == 0 {
                looks += 1;
                handle.read(|set| look(set, member))?;
            }
        }
        Ok((tally, looks, peak))
    })?;
    let seconds = begin.elapsed().as_secs_f64();

    let looks = tallies.iter().map(|(_, looks, _)| looks).sum();
    say!(
        "{} to {} by {}, {} at ranks, on {}:",
        counted(increments, "increment"),
        counted(members, "member"),
        counted(threads, "thread"),
        counted(looks, "look"),
        counted(set.replicas(), "replica")
    );
    say!("{:.2} s, {:.2} million operations a second\n", seconds, (increments + looks) as f64 / seconds / 1e6);

    // Increments commute: in whatever order the log took them, each member ends at the sum of its own.
    let mut model = SortedSet::default();
    for (&member, &by) in tallies.iter().flat_map(|(tally, ..)| tally) {
        model.increment(member, by);
    }
    let equal = on_every_replica(&set, |set| set.scores == model.scores && set.order == model.order)?;
    for (index, equal) in equal.into_iter().enumerate() {
        ensure!(equal, "replica {index} differs from the sum of all increments");
    }

    let mut handle = set.register()?;
    say!("rank  member    score");
    for &(score, member) in model.order.iter().rev().take(5) {
        let Answer::Rank(Some(rank)) = handle.execute(Rank(member)) else {
            return Err(format!("member {member} has no rank").into());
        };
        say!("{:>4}  {:>6}  {:>7}", model.scores.len() - rank, member, score);
    }
    let peak = tallies.iter().map(|&(.., peak)| peak).max().unwrap_or(0);
    say!("The highest score that any increment led to was {peak}.");
    say!("\nCheck passed: all scores are the sums of their increments, and rank and order always agreed.");
    Ok(())
}

/// Whether the two collections agree about a member, at this moment.
fn look(set: &SortedSet, member: Member) -> Result {
    let score = set.scores.get(&member).copied();
    let rank = set.rank(member).ok_or("a member that was just incremented is not in the set")?;
    let mut from_there = set.order.iter().skip(rank);
    let at_rank = from_there.next().map(|&(score, member)| (member, Some(score)));
    ensure!(at_rank == Some((member, score)), "member {member} is not at its rank {rank}");
    ensure!(set.scores.len() == set.order.len(), "the set has two different sizes");
    Ok(())
}
