//! What a run is drawn from: how many replicas and threads, how large a log, who writes, and what disturbs.

use crate::common::{Configuration, Random, configurations};
use crate::program::pace::Pace;
use std::fmt;

/// The most operations in a batch.
pub const MAX_BATCH: usize = 4;

/// One way to run a check.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub configuration: Configuration,
    /// Whether replicas come and go meanwhile.
    pub elastic: bool,
    pub pace: Pace,
    pub threads: usize,
    pub mix: Mix,
    /// Whether all threads but one for each other replica are on the first.
    pub crowded: bool,
    pub seed: usize,
}

/// Who writes how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// The first thread always, the others never.
    OneWriter,
    /// One operation in sixteen.
    FewWrites,
    Half,
    /// Seven operations in eight.
    MostlyWrites,
}

impl Mix {
    const ALL: [Self; 4] = [Self::OneWriter, Self::FewWrites, Self::Half, Self::MostlyWrites];
}

impl Setting {
    /// Another one at each call. With more threads than processors for the most part.
    pub fn random(random: &mut Random, threads: Option<usize>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let configurations: Vec<_> = configurations().collect();
        Self {
            configuration: *pick(random, &configurations),
            elastic: random.one_in(3),
            pace: *pick(random, &Pace::ALL),
            threads: threads.unwrap_or(*pick(random, &[2, 3, 4, 8, 16, 2 * processors + 1])),
            mix: *pick(random, &Mix::ALL),
            crowded: random.one_in(3),
            seed: random.below(1 << 20),
        }
    }

    /// For which replica a thread gets a handle.
    pub fn replica_of(&self, thread: usize) -> usize {
        let others = self.configuration.replicas - 1;
        match self.crowded && thread + others < self.threads {
            true => 0,
            false => thread,
        }
    }

    /// Random numbers of a thread's own.
    pub fn random_of(&self, thread: usize) -> Random {
        Random::new(self.seed + thread * 7919)
    }

    /// Whether a thread's next operation is to be a write.
    pub fn writes(&self, thread: usize, random: &mut Random) -> bool {
        match self.mix {
            Mix::OneWriter => thread == 0,
            Mix::FewWrites => random.one_in(16),
            Mix::Half => random.one_in(2),
            Mix::MostlyWrites => !random.one_in(8),
        }
    }

    /// How many operations the next write is to be: 1 is not a batch.
    pub fn batch(&self, random: &mut Random) -> usize {
        match random.one_in(4) {
            true => 1 + random.below(self.configuration.batch_of(MAX_BATCH)),
            false => 1,
        }
    }
}

fn pick<'a, T>(random: &mut Random, from: &'a [T]) -> &'a T {
    &from[random.below(from.len())]
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { configuration, pace, threads, .. } = self;
        write!(f, "{configuration}, {threads} threads")?;
        if self.crowded {
            f.write_str(", most on the first replica")?;
        }
        f.write_str(match self.mix {
            Mix::OneWriter => ", one writer",
            Mix::FewWrites => ", few writes",
            Mix::Half => ", half of it writes",
            Mix::MostlyWrites => ", mostly writes",
        })?;
        write!(f, ", {pace}")?;
        if self.elastic {
            f.write_str(", replicas that come and go")?;
        }
        Ok(())
    }
}
