//! How much happens in a second.

use std::time::{Duration, Instant};

/// What is counted, in all or in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Commands.
    pub commands: f64,
    /// Bytes received.
    pub input: f64,
    /// Bytes sent.
    pub output: f64,
}

/// Takes a sample when somebody asks: no thread wakes up for it while nobody does.
#[derive(Debug)]
pub(super) struct RateMeter {
    sampled: Instant,
    totals: Rates,
    rates: Rates,
}

impl Default for RateMeter {
    fn default() -> Self {
        RateMeter { sampled: Instant::now(), totals: Rates::default(), rates: Rates::default() }
    }
}

impl RateMeter {
    /// The rates between the time when this was asked last, a second ago or more, and `now`, given the totals of now.
    pub(super) fn rates(&mut self, now: Instant, totals: Rates) -> Rates {
        const SHORTEST: Duration = Duration::from_secs(1);
        let elapsed = now.saturating_duration_since(self.sampled);
        if elapsed >= SHORTEST {
            let rate = |after: f64, before: f64| (after - before).max(0.0) / elapsed.as_secs_f64();
            self.rates = Rates {
                commands: rate(totals.commands, self.totals.commands),
                input: rate(totals.input, self.totals.input),
                output: rate(totals.output, self.totals.output),
            };
            self.sampled = now;
            self.totals = totals;
        }
        self.rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_second() {
        let start = Instant::now();
        let mut meter = RateMeter { sampled: start, ..RateMeter::default() };
        let commands = |commands: f64| Rates { commands, ..Rates::default() };
        let mut at = |seconds: f64, total: f64| meter.rates(start + Duration::from_secs_f64(seconds), commands(total));
        assert_eq!(at(0.5, 10.0), commands(0.0));
        assert_eq!(at(2.0, 10.0), commands(5.0));
        assert_eq!(at(2.5, 99.0), commands(5.0));
        assert_eq!(at(4.0, 30.0), commands(10.0));
        // The totals were reset.
        assert_eq!(at(5.0, 0.0), commands(0.0));
    }
}
