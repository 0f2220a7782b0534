//! One figure of both servers over all rounds, for the table and for the file.

use nr_benches::figures::{Spread, Table, verdict};
use serde_json::{Value, json};

/// What a figure should be.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// The ratio of the second server's figure to the first's is so much or more.
    RatioAtLeast(f64),
    /// The ratio is so much or less.
    RatioAtMost(f64),
    /// The second server's own figure is so much or less.
    AtMost(f64),
}

/// One figure of both servers over all rounds.
pub(crate) struct Comparison {
    name: String,
    digits: usize,
    goal: Option<Goal>,
    rounds: Vec<[f64; 2]>,
}

impl Comparison {
    /// A figure shown with so many digits behind the point, without measurements yet.
    pub(crate) fn new(name: impl Into<String>, digits: usize, goal: Option<Goal>) -> Self {
        Self { name: name.into(), digits, goal, rounds: Vec::new() }
    }

    /// The measurements of one round, in the order of the servers.
    pub(crate) fn add(&mut self, round: [f64; 2]) {
        self.rounds.push(round);
    }

    /// Whether the goal is met, if there is one.
    fn is_met(&self) -> Option<bool> {
        Some(match self.goal? {
            Goal::RatioAtLeast(limit) => self.ratio()?.median >= limit,
            Goal::RatioAtMost(limit) => self.ratio()?.median <= limit,
            Goal::AtMost(limit) => self.of(1)?.median <= limit,
        })
    }

    fn of(&self, server: usize) -> Option<Spread> {
        Spread::of(self.rounds.iter().map(|round| round[server]))
    }

    /// The second server's figure over the first's, each ratio taken within one round; there is none to 0.
    fn ratio(&self) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter(|[a, _]| *a > 0.0).map(|[a, b]| b / a))
    }

    fn cells(&self) -> Vec<String> {
        let figure = |spread: Option<Spread>, digits| spread.map_or_else(String::new, |it| format!("{it:.digits$}"));
        let goal = match self.goal {
            Some(Goal::RatioAtLeast(limit)) => format!("ratio ≥ {limit}"),
            Some(Goal::RatioAtMost(limit)) => format!("ratio ≤ {limit}"),
            Some(Goal::AtMost(limit)) => format!("≤ {limit}"),
            None => String::new(),
        };
        let met = self.is_met().map_or("", verdict);
        let [a, b, ratio] = [(self.of(0), self.digits), (self.of(1), self.digits), (self.ratio(), 2)]
            .map(|(spread, digits)| figure(spread, digits));
        vec![self.name.clone(), a, b, ratio, goal, met.into()]
    }

    fn json(&self) -> Value {
        let spread =
            |it: Option<Spread>| it.map(|it| json!({"lower": it.lower, "median": it.median, "upper": it.upper}));
        json!({
            "figure": self.name,
            "a": spread(self.of(0)),
            "b": spread(self.of(1)),
            "ratio": spread(self.ratio()),
            "goal-met": self.is_met(),
            "rounds": self.rounds,
        })
    }
}

/// Prints a table of figures with a headline, and gives them for the file.
pub(crate) fn show(headline: &str, names: [&str; 2], figures: &[Comparison]) -> Value {
    let mut table = Table::new([headline, names[0], names[1], "ratio", "goal", ""]);
    figures.iter().for_each(|figure| table.row(figure.cells()));
    println!("{table}");
    json!({"headline": headline, "a": names[0], "b": names[1],
        "figures": figures.iter().map(Comparison::json).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::{Comparison, Goal};

    #[test]
    fn ratios_are_taken_within_rounds() {
        let mut figure = Comparison::new("reads/s", 0, Some(Goal::RatioAtLeast(1.6)));
        for round in [[100.0, 200.0], [10.0, 20.0], [1.0, 1.0]] {
            figure.add(round);
        }
        assert_eq!(figure.ratio().unwrap().median, 2.0);
        assert_eq!(figure.is_met(), Some(true));
        assert_eq!(figure.cells()[1], "10 (6–55)");
    }
}
