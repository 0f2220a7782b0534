//! How long commands took.

use super::statistics::Counter;

/// Counts of durations in steps of a quarter of a power of two.
#[derive(Debug)]
pub struct Histogram([Counter; Histogram::STEPS]);

impl Default for Histogram {
    fn default() -> Self {
        Histogram(std::array::from_fn(|_| Counter::default()))
    }
}

impl Histogram {
    const STEPS: usize = 128;

    /// Counts `times` durations of `nanoseconds` each.
    #[inline]
    pub fn record(&self, nanoseconds: u64, times: u64) {
        self.0[Self::step(nanoseconds)].add(times);
    }

    #[inline]
    fn step(nanoseconds: u64) -> usize {
        let value = nanoseconds.max(4);
        let exponent = 63 - value.leading_zeros() as usize;
        let quarter = (value >> (exponent - 2)) as usize & 3;
        ((exponent - 2) * 4 + quarter).min(Self::STEPS - 1)
    }

    /// Starts anew.
    pub fn reset(&self) {
        self.0.iter().for_each(Counter::reset);
    }
}

/// How long something took how often, over all workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution([u64; Histogram::STEPS]);

impl Distribution {
    /// The sum of these.
    pub fn of<'a>(histograms: impl IntoIterator<Item = &'a Histogram>) -> Self {
        let mut counts = [0; Histogram::STEPS];
        for histogram in histograms {
            counts.iter_mut().zip(&histogram.0).for_each(|(sum, count)| *sum += count.get());
        }
        Distribution(counts)
    }

    /// How many durations there are.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// How many durations there are in each step that has some, with the longest that the step holds, in nanoseconds.
    fn steps(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.0.iter().enumerate().filter(|(_, count)| **count > 0);
        counts.map(|(step, count)| {
            let next = step as u64 + 1;
            (((4 + next % 4) << (next / 4)) - 1, *count)
        })
    }

    /// The duration that so many percent don't exceed, in nanoseconds, rounded up by a quarter at most; 0 if there is none.
    pub fn percentile(&self, percent: f64) -> u64 {
        let rank = (self.count() as f64 * percent / 100.0).ceil().max(1.0) as u64;
        let mut counted = 0;
        let reaches = |(longest, count): &(u64, u64)| {
            counted += count;
            (counted >= rank).then_some(*longest)
        };
        let steps: Vec<(u64, u64)> = self.steps().collect();
        steps.iter().find_map(reaches).or(steps.last().map(|(longest, _)| *longest)).unwrap_or_default()
    }

    /// How many durations are not longer than each power of two microseconds, as far as the count grows.
    pub fn cumulative(&self) -> Vec<(u64, u64)> {
        /// What Redis calls a microsecond here: its steps begin with 1,024 nanoseconds and are a little longer.
        const FIRST: u64 = 1032;
        let mut sums: Vec<(u64, u64)> = Vec::new();
        let mut counted = 0;
        for (longest, count) in self.steps() {
            counted += count;
            let doublings = (longest / 1024).checked_ilog2().map_or(0, |doublings| doublings + 1);
            let microseconds = ((FIRST << doublings) - 1) / 1000;
            match sums.last_mut() {
                Some((bound, sum)) if *bound == microseconds => *sum = counted,
                _ => sums.push((microseconds, counted)),
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(durations: &[(u64, u64)]) -> Distribution {
        let histogram = Histogram::default();
        durations.iter().for_each(|(nanoseconds, times)| histogram.record(*nanoseconds, *times));
        Distribution::of([&histogram, &Histogram::default()])
    }

    #[test]
    fn every_duration_lies_in_its_step() {
        for duration in (0..10_000).chain([1 << 20, 123_456_789, 1 << 33]) {
            let (longest, count) = distribution(&[(duration, 3)]).steps().next().unwrap();
            assert_eq!(count, 3);
            assert!(longest >= duration && longest <= duration.max(4) * 5 / 4, "{duration}: {longest}");
        }
        assert_eq!(distribution(&[(u64::MAX, 1)]).count(), 1);
    }

    #[test]
    fn percentiles() {
        let uneven = distribution(&[(1000, 90), (1_000_000, 9), (50_000_000, 1)]);
        assert_eq!(uneven.count(), 100);
        for (percent, least) in [(0.0, 1000), (50.0, 1000), (90.0, 1000), (91.0, 1_000_000), (99.0, 1_000_000)] {
            let percentile = uneven.percentile(percent);
            assert!((least..=least * 5 / 4).contains(&percentile), "{percent}: {percentile}");
        }
        assert!(uneven.percentile(100.0) >= 50_000_000);
        assert_eq!(distribution(&[]).percentile(50.0), 0);
    }

    #[test]
    fn powers_of_two() {
        let powers = distribution(&[(10, 1), (900, 1), (1500, 2), (40_000, 4), (50_000, 1)]).cumulative();
        assert_eq!(powers, [(1, 2), (2, 4), (66, 9)]);
        assert!(distribution(&[]).cumulative().is_empty());
    }
}
