//! What was measured, as a report needs it: by machine, structure, share of writes, and then threads and implementations.

use crate::figures::Spread;
use crate::keys::Distribution;
use crate::sweep::machine;
use crate::sweep::point::{Latency, Measurement, Point};
use crate::sweep::record::{Outcome, Results, Session};

/// A machine and all that was measured on it.
pub(super) struct Machine {
    pub(super) machine: machine::Machine,
    pub(super) sessions: Vec<Session>,
    pub(super) structures: Vec<Structure>,
}

/// A structure of some size, and how it was used.
pub(super) struct Structure {
    pub(super) name: String,
    pub(super) keys: Distribution,
    pub(super) entries: u64,
    pub(super) work: u32,
    /// By ascending share of writes.
    pub(super) loads: Vec<Load>,
}

/// A share of writes.
pub(super) struct Load {
    pub(super) writes: u8,
    pub(super) points: Vec<Figure>,
}

/// One implementation with so many threads.
pub(super) struct Figure {
    pub(super) implementation: String,
    pub(super) threads: usize,
    /// Or why there are none.
    pub(super) figures: Result<Figures, String>,
}

/// Medians over the repetitions.
pub(super) struct Figures {
    pub(super) repetitions: usize,
    pub(super) mops: Spread,
    pub(super) cpu_nanoseconds: f64,
    /// Latency in nanoseconds at each of [`QUANTILES`].
    pub(super) quantiles: [f64; 6],
    pub(super) fairness: f64,
    pub(super) memory: f64,
}

/// Of how many operations a latency is not exceeded.
pub(super) const QUANTILES: [&str; 6] = ["50 %", "90 %", "99 %", "99.9 %", "99.99 %", "longest"];

impl Machine {
    pub(super) fn of(results: &Results) -> Self {
        let mut structures: Vec<Structure> = Vec::new();
        let mut seen: Vec<&Point> = Vec::new();
        for record in &results.records {
            if seen.contains(&&record.point) {
                continue;
            }
            seen.push(&record.point);
            let same = results.records.iter().filter(|other| other.point == record.point);
            let figures = Figures::of(&same.map(|other| &other.outcome).collect::<Vec<_>>());
            let Point { threads, implementation, .. } = &record.point;
            let load = load_of(&mut structures, &record.point);
            load.points.push(Figure { implementation: implementation.clone(), threads: *threads, figures });
        }
        for structure in &mut structures {
            structure.loads.sort_by_key(|load| load.writes);
        }
        let machine = results.sessions.first().expect("results have a session").machine.clone();
        Self { machine, sessions: results.sessions.clone(), structures }
    }

    pub(super) fn loads(&self) -> impl Iterator<Item = (&Load, &Structure)> {
        self.structures.iter().flat_map(|structure| structure.loads.iter().map(move |load| (load, structure)))
    }
}

/// The load that a point belongs to; made if it is the first.
fn load_of<'a>(structures: &'a mut Vec<Structure>, point: &Point) -> &'a mut Load {
    let Point { structure: name, keys, entries, work, writes, .. } = point;
    let is_it = |structure: &Structure| {
        (&structure.name, structure.keys, structure.entries, structure.work) == (name, *keys, *entries, *work)
    };
    let index = structures.iter().position(is_it).unwrap_or_else(|| {
        let (name, loads) = (name.clone(), Vec::new());
        structures.push(Structure { name, keys: *keys, entries: *entries, work: *work, loads });
        structures.len() - 1
    });
    let loads = &mut structures[index].loads;
    let index = loads.iter().position(|load| load.writes == *writes).unwrap_or_else(|| {
        loads.push(Load { writes: *writes, points: Vec::new() });
        loads.len() - 1
    });
    &mut loads[index]
}

impl Structure {
    /// `map, 1 M entries, uniform keys`.
    pub(super) fn title(&self) -> String {
        let entries = match self.entries {
            entries if entries >= 1_000_000 && entries.is_multiple_of(1_000_000) => {
                format!("{} M", entries / 1_000_000)
            }
            entries if entries >= 1_000 && entries.is_multiple_of(1_000) => format!("{},000", entries / 1_000),
            entries => entries.to_string(),
        };
        let work = if self.work == 0 { String::new() } else { format!(", {} steps of other work", self.work) };
        format!("{}, {entries} entries, {} keys{work}", self.name, self.keys)
    }

    /// All implementations, in the order in which they were measured first.
    pub(super) fn implementations(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for point in self.loads.iter().flat_map(|load| &load.points) {
            if !names.contains(&point.implementation.as_str()) {
                names.push(&point.implementation);
            }
        }
        names
    }

    /// All numbers of threads, ascending.
    pub(super) fn threads(&self) -> Vec<usize> {
        let points = self.loads.iter().flat_map(|load| &load.points);
        let mut threads: Vec<usize> = points.map(|point| point.threads).collect();
        threads.sort_unstable();
        threads.dedup();
        threads
    }
}

impl Load {
    pub(super) fn find(&self, implementation: &str, threads: usize) -> Option<&Figure> {
        self.points.iter().find(|point| point.implementation == implementation && point.threads == threads)
    }

    pub(super) fn figures(&self, implementation: &str, threads: usize) -> Option<&Figures> {
        self.find(implementation, threads)?.figures.as_ref().ok()
    }

    pub(super) fn mops(&self, implementation: &str, threads: usize) -> Option<f64> {
        Some(self.figures(implementation, threads)?.mops.median)
    }

    /// The best rival at so many threads: neither ours nor the bare structure.
    pub(super) fn best_rival(&self, threads: usize) -> Option<(&str, f64)> {
        let rivals = self.points.iter().filter(|point| point.threads == threads && is_rival(&point.implementation));
        let measured =
            rivals.filter_map(|point| Some((&*point.implementation, point.figures.as_ref().ok()?.mops.median)));
        measured.max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

pub(super) fn is_ours(implementation: &str) -> bool {
    implementation == "nr" || implementation.starts_with("nr-")
}

pub(super) fn is_rival(implementation: &str) -> bool {
    !is_ours(implementation) && implementation != "seq"
}

impl Figures {
    fn of(outcomes: &[&Outcome]) -> Result<Self, String> {
        let measured: Vec<&Measurement> = outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Outcome::Measured(measured) => Some(measured.as_ref()),
                Outcome::Hung(_) | Outcome::Failed(_) => None,
            })
            .collect();
        let Some(mops) = Spread::of(measured.iter().map(|measured| measured.mops())) else {
            return Err(outcomes.first().map(|outcome| trouble(outcome)).unwrap_or_default());
        };
        let median = |of: &dyn Fn(&Measurement) -> Option<f64>| {
            Spread::of(measured.iter().filter_map(|measured| of(measured))).map_or(0.0, |spread| spread.median)
        };
        let quantiles: [fn(&Latency) -> u64; 6] =
            [|all| all.p50, |all| all.p90, |all| all.p99, |all| all.p999, |all| all.p9999, |all| all.max];
        Ok(Self {
            repetitions: measured.len(),
            mops,
            cpu_nanoseconds: median(&|measured| Some(measured.cpu_nanoseconds())),
            quantiles: quantiles.map(|of| median(&|measured| Some(of(measured.latency.as_ref()?) as f64))),
            fairness: median(&|measured| Some(measured.fairness)),
            memory: median(&|measured| measured.memory.map(|[built, _]| built as f64)),
        })
    }
}

fn trouble(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Hung(seconds) => format!("hung: no end after {seconds:.0} s"),
        Outcome::Failed(why) => why.clone(),
        Outcome::Measured(_) => String::new(),
    }
}
