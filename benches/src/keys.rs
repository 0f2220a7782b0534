//! Which entry each operation is about.

use crate::sequence::Sequence;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand_distr::Distribution as _;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How the operations are spread over the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// Each entry as often as any other.
    Uniform,
    /// Zipf's law with exponent 0.99, as in YCSB: of a million entries the most popular is chosen seven times in a hundred.
    Zipf,
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uniform => "uniform",
            Self::Zipf => "zipf",
        })
    }
}

/// Zipf's exponent.
const EXPONENT: f64 = 0.99;

/// Drawn beforehand: to draw one takes longer than many an operation. So many that they are not seen to repeat.
const DRAWN: usize = 1 << 16;

/// Spreads popular entries over all of them. A prime above every possible number of entries, so that none collide.
const SPREADING: u128 = 4_294_967_311;

fn spread(rank: u64, entries: u64) -> u32 {
    (u128::from(rank) * SPREADING % u128::from(entries)) as u32
}

/// One thread's choice of entries, endless, and the random numbers for whatever else it has to choose.
#[derive(Clone, Debug)]
pub struct Keys {
    /// For other choices.
    pub random: Sequence,
    entries: u64,
    /// Under Zipf's law.
    drawn: Vec<u32>,
    next: usize,
}

impl Keys {
    /// Keys in `0..entries`, at most 2³², the same for equal seeds.
    pub fn new(distribution: Distribution, entries: u64, seed: u64) -> Self {
        let random = Sequence::new(seed);
        let drawn = match distribution {
            Distribution::Uniform => Vec::new(),
            Distribution::Zipf => {
                let zipf = rand_distr::Zipf::new(entries as f64, EXPONENT).expect("there are entries");
                let mut draws = SmallRng::seed_from_u64(seed);
                (0..DRAWN).map(|_| spread(zipf.sample(&mut draws) as u64 - 1, entries)).collect()
            }
        };
        Self { random, entries, drawn, next: 0 }
    }

    /// The next key.
    #[inline]
    pub fn next_key(&mut self) -> u64 {
        if self.drawn.is_empty() {
            return self.random.below(self.entries);
        }
        self.next = (self.next + 1) % DRAWN;
        u64::from(self.drawn[self.next])
    }

    /// How many entries there are.
    #[inline]
    pub fn entries(&self) -> u64 {
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::{Distribution, Keys};
    use std::collections::HashMap;

    fn most_popular(distribution: Distribution) -> (f64, usize) {
        let mut keys = Keys::new(distribution, 1_000_000, 1);
        let mut seen: HashMap<u64, u64> = HashMap::new();
        for _ in 0..60_000 {
            let key = keys.next_key();
            assert!(key < 1_000_000);
            *seen.entry(key).or_default() += 1;
        }
        (*seen.values().max().unwrap() as f64 / 60_000.0, seen.len())
    }

    #[test]
    fn uniform_keys_hardly_repeat_and_popular_ones_do() {
        let (share, different) = most_popular(Distribution::Uniform);
        assert!(share < 0.001 && different > 55_000, "{share} {different}");
        let (share, different) = most_popular(Distribution::Zipf);
        assert!((0.05..0.09).contains(&share) && different < 40_000, "{share} {different}");
    }

    #[test]
    fn popular_keys_are_different_keys() {
        let mut keys: Vec<u32> = (0..1000).map(|rank| super::spread(rank, 1000)).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 1000);
    }
}
