//! What is to be measured: chosen on the command line, or by a preset. All of it is checked before anything is measured.

use super::machine::available_memory;
use super::point::{Length, Pin, Point};
use crate::figures::bytes;
use crate::keys::Distribution;
use crate::peers::{Bare, Peer, SharedPeer, SharedPeerVisitor, for_each_swept_peer};
use crate::workloads::{Workload, WorkloadVisitor, for_each_workload};
use clap::{Args, ValueEnum};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

/// The most threads.
const MOST_THREADS: usize = 4096;

/// The command line of a sweep.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// What is not chosen by another option.
    #[arg(long, value_enum, default_value_t = Preset::Quick)]
    pub preset: Preset,
    /// Structures, with commas between them, or `all`; `nr-benches list` shows which there are.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub structure: Option<Vec<String>>,
    /// Implementations, with commas between them, or `all`; `nr-benches list` shows which there are.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub implementation: Option<Vec<String>>,
    /// Numbers of threads, with commas between them.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    pub threads: Option<Vec<usize>>,
    /// Shares of writes in per cent, with commas between them.
    #[arg(long, value_name = "PERCENT", value_delimiter = ',')]
    pub writes: Option<Vec<u8>>,
    /// How operations are spread over entries, with commas between.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub keys: Option<Vec<Distribution>>,
    /// Numbers of entries, with commas between them, such as 1M,64M; by default each structure's own.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = entries)]
    pub entries: Option<Vec<u64>>,
    /// Steps of other work after each operation, about a nanosecond each; with commas between them.
    #[arg(long, value_name = "STEPS", value_delimiter = ',')]
    pub work: Option<Vec<u32>>,
    /// How long a point is measured, in seconds.
    #[arg(long, conflicts_with = "operations")]
    pub seconds: Option<f64>,
    /// Measure until each thread has done so many operations.
    #[arg(long)]
    pub operations: Option<u64>,
    /// How long threads run before they are measured, in seconds.
    #[arg(long, value_name = "SECONDS")]
    pub warm_up: Option<f64>,
    /// How often each point is measured.
    #[arg(long, value_name = "NUMBER")]
    pub repetitions: Option<usize>,
    /// Measure each point once, as the repetition of that number: for programs that put repetitions together from several runs.
    #[arg(long, value_name = "NUMBER", conflicts_with = "repetitions")]
    pub repetition: Option<usize>,
    /// Where the threads run.
    #[arg(long, value_enum)]
    pub pin: Option<Pin>,
    /// A point that has not ended so many seconds after it should have is called hung.
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0)]
    pub limit: f64,
    /// The file of results. What it has already is not measured again.
    #[arg(long, value_name = "FILE", default_value = "target/sweep.jsonl")]
    pub out: PathBuf,
    /// Begin the file of results anew.
    #[arg(long)]
    pub fresh: bool,
    /// What the machine is called in the results; by default as its processor.
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,
    /// What simulates the machine, for the results.
    #[arg(long, value_name = "NAME")]
    pub simulated_by: Option<String>,
    /// Measure in this process and not in one for each point; so does the preset `simulated`.
    #[arg(long)]
    pub in_process: bool,
}

/// A choice of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// Map, priority queue and sorted set, nr and its main rivals; about ten minutes.
    Quick,
    /// Everything; many hours.
    Full,
    /// One replica beside `parking_lot`'s locks, with up to 64 threads.
    FewCores,
    /// Small points for a simulator that times threads: in this process, 2 ms to warm up and 6 ms measured, thread n on CPU n.
    Simulated,
}

fn entries(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.find(|character: char| !character.is_ascii_digit()) {
        Some(end) => text.split_at(end),
        None => (text, ""),
    };
    let unit = match unit {
        "" => 1,
        "k" | "K" => 1_000,
        "M" => 1_000_000,
        _ => return Err("expected a number such as 500, 10k or 64M".into()),
    };
    digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(|| "that is no number".into())
}

/// What is known of a structure without building it.
#[derive(Clone, Debug)]
pub struct Structure {
    /// Its name.
    pub name: &'static str,
    /// What is kept, what a read does, what a write does.
    pub about: [&'static str; 3],
    /// Entries unless told otherwise.
    pub entries: u64,
    /// The most there may be.
    pub most_entries: u64,
    /// About how many bytes so many entries take.
    pub bytes: fn(u64) -> u64,
    /// The implementations that can be measured on it.
    pub implementations: Vec<&'static str>,
}

/// All structures, with their implementations.
pub fn structures() -> Vec<Structure> {
    struct All(Vec<Structure>);
    impl WorkloadVisitor for All {
        fn visit<W: Workload>(&mut self) {
            struct Names(Vec<&'static str>);
            impl<W: Workload> SharedPeerVisitor<W> for Names {
                fn visit<P: SharedPeer<W>>(&mut self) {
                    self.0.push(P::NAME);
                }
            }
            let mut names = Names(vec![<Bare<W> as Peer<W>>::NAME]);
            for_each_swept_peer::<W>(&mut names);
            self.0.push(Structure {
                name: W::NAME,
                about: W::ABOUT,
                entries: W::ENTRIES,
                most_entries: W::MOST_ENTRIES,
                bytes: W::bytes,
                implementations: names.0,
            });
        }
    }
    let mut all = All(Vec::new());
    for_each_workload(&mut all);
    all.0
}

/// What is measured, in order, and how often.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Points, those that differ only in the implementation next to each other.
    pub points: Vec<Point>,
    /// Which times each is measured.
    pub repetitions: Range<usize>,
    /// How long after its end a point is called hung.
    pub limit: Duration,
}

/// Left out of all but the full sweep: variants of others, and those that are seldom ahead of the rest.
const LESSER: [&str; 8] =
    ["nr-1", "nr-4", "std-mutex", "flat-combining", "predecessor-2", "predecessor-4", "evmap", "left-right"];

impl Options {
    /// What is to be measured.
    ///
    /// # Errors
    /// What is not possible, and what would be.
    pub fn plan(&self) -> Result<Plan, String> {
        let structures = self.structures()?;
        let writes = self.writes.clone().unwrap_or_else(|| self.preset.writes());
        let keys = self.keys.clone().unwrap_or_else(|| vec![Distribution::Uniform]);
        let threads = self.threads.clone().unwrap_or_else(|| self.preset.threads());
        let work = self.work.clone().unwrap_or_else(|| vec![0]);
        let pin = self.pin.unwrap_or(if self.preset == Preset::Simulated { Pin::Number } else { Pin::No });
        let length = self.length()?;
        let warm_up = self.warm_up.unwrap_or_else(|| self.preset.warm_up());
        if !(0.0..=60.0).contains(&warm_up) {
            return Err(format!("--warm-up {warm_up}: 0 to 60 seconds are possible"));
        }
        if let Some(threads) = threads.iter().find(|threads| !(1..=MOST_THREADS).contains(*threads)) {
            return Err(format!("--threads {threads}: 1 to {MOST_THREADS} are possible"));
        }
        if let Some(writes) = writes.iter().find(|writes| **writes > 100) {
            return Err(format!("--writes {writes}: 0 to 100 per cent are possible"));
        }
        let repetitions = self.repetitions.unwrap_or(if self.preset == Preset::Simulated { 1 } else { 3 });
        if repetitions == 0 || repetitions > 1000 {
            return Err(format!("--repetitions {repetitions}: 1 to 1000 are possible"));
        }
        if !(self.limit > 0.0 && self.limit <= 86_400.0) {
            return Err(format!("--limit {}: more than 0 and at most 86400 seconds are possible", self.limit));
        }

        let mut points = Vec::new();
        for (structure, implementations) in &structures {
            let entries = self.entries.clone().unwrap_or_else(|| vec![structure.entries]);
            for entries in entries {
                check_entries(structure, implementations, entries)?;
                for (&keys, &work) in keys.iter().flat_map(|keys| work.iter().map(move |work| (keys, work))) {
                    for (&writes, &threads) in writes.iter().flat_map(|writes| threads.iter().map(move |t| (writes, t)))
                    {
                        for implementation in implementations.iter().filter(|name| **name != "seq" || threads == 1) {
                            points.push(Point {
                                structure: structure.name.into(),
                                implementation: (*implementation).into(),
                                threads,
                                writes,
                                keys,
                                entries,
                                work,
                                length,
                                warm_up,
                                pin,
                            });
                        }
                    }
                }
            }
        }
        if points.is_empty() {
            return Err("nothing is left to be measured: `seq` is for one thread only".into());
        }
        let repetitions = self.repetition.map_or(0..repetitions, |only| only..only.saturating_add(1));
        Ok(Plan { points, repetitions, limit: Duration::from_secs_f64(self.limit) })
    }

    fn structures(&self) -> Result<Vec<(Structure, Vec<&'static str>)>, String> {
        let all = structures();
        let names: Vec<&str> = all.iter().map(|structure| structure.name).collect();
        let default: Vec<String> = self.preset.structures(&names).iter().map(|name| (*name).into()).collect();
        let chosen = choose("structure", self.structure.as_ref().unwrap_or(&default), &names)?;
        let mut implementations: Vec<&str> = all.iter().flat_map(|all| all.implementations.iter().copied()).collect();
        implementations.sort_unstable();
        implementations.dedup();
        let wanted = match &self.implementation {
            Some(wanted) => choose("implementation", wanted, &implementations)?,
            None => implementations.iter().copied().filter(|name| self.preset.has(name)).collect(),
        };
        let mut found = Vec::new();
        for structure in all.into_iter().filter(|structure| chosen.contains(&structure.name)) {
            let of_it: Vec<&str> =
                structure.implementations.iter().copied().filter(|name| wanted.contains(name)).collect();
            if of_it.is_empty() {
                return Err(format!(
                    "none of the implementations chosen is for {}, which has {}",
                    structure.name,
                    structure.implementations.join(", ")
                ));
            }
            found.push((structure, of_it));
        }
        Ok(found)
    }

    /// Whether points are measured in this process.
    pub fn in_process(&self) -> bool {
        self.in_process || self.preset == Preset::Simulated
    }

    fn length(&self) -> Result<Length, String> {
        match (self.operations, self.seconds) {
            (Some(operations @ 1..=1_000_000_000_000), _) => Ok(Length::Operations(operations)),
            (Some(operations), _) => Err(format!("--operations {operations}: 1 to 1000000000000 are possible")),
            (None, seconds) => {
                let seconds = seconds.unwrap_or_else(|| self.preset.seconds());
                let possible = seconds > 0.0 && seconds <= 3600.0;
                let refused = || format!("--seconds {seconds}: more than 0 and at most 3600 are possible");
                possible.then_some(Length::Seconds(seconds)).ok_or_else(refused)
            }
        }
    }
}

/// `wanted` among `names`; `all` stands for all.
fn choose(option: &str, wanted: &[String], names: &[&'static str]) -> Result<Vec<&'static str>, String> {
    let mut chosen = Vec::new();
    for name in wanted {
        match names.iter().find(|known| *known == name) {
            Some(known) => chosen.push(*known),
            None if name == "all" => chosen.extend(names),
            None => {
                return Err(format!("--{option} {name}: there is none of that name. There are: {}", names.join(", ")));
            }
        }
    }
    Ok(chosen)
}

/// Whether so many entries are possible, and fit into the memory that there is.
fn check_entries(structure: &Structure, implementations: &[&str], entries: u64) -> Result<(), String> {
    let Structure { name, most_entries, .. } = structure;
    if entries == 0 || entries > *most_entries {
        return Err(format!("--entries {entries}: for {name} 1 to {most_entries} are possible"));
    }
    let copies = implementations.iter().map(|name| copies(name)).max().unwrap_or(1);
    // One more: from which the others are made.
    let needed = (structure.bytes)(entries).saturating_mul(copies + 1);
    match available_memory() {
        Some(available) if needed > available / 10 * 9 => Err(format!(
            "--entries {entries}: with {copies} copies and one to make them from, {name} takes about {}; {} are available. \
             Choose fewer entries, or --implementation without replicas",
            bytes(needed as i64),
            bytes(available as i64)
        )),
        _ => Ok(()),
    }
}

/// How many copies of the structure an implementation has.
fn copies(implementation: &str) -> u64 {
    match implementation.rsplit_once('-') {
        Some((_, replicas)) if replicas.parse::<u64>().is_ok() => replicas.parse().unwrap_or(1),
        _ if implementation == "left-right" || implementation == "evmap" => 2,
        _ if implementation == "nr" => nr::topology::Topology::detect().nodes().len() as u64,
        _ => 1,
    }
}

impl Preset {
    fn structures<'a>(self, all: &[&'a str]) -> Vec<&'a str> {
        let few = ["map", "heap", "sorted-set"];
        all.iter().copied().filter(|name| self == Self::Full || few.contains(name)).collect()
    }

    fn has(self, implementation: &str) -> bool {
        match self {
            Self::Full => true,
            Self::Quick => !LESSER.contains(&implementation),
            Self::FewCores => {
                ["seq", "nr", "parking_lot-mutex", "parking_lot-rwlock", "papaya"].contains(&implementation)
            }
            Self::Simulated => implementation == "nr",
        }
    }

    fn threads(self) -> Vec<usize> {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let mut threads = match self {
            Self::Quick => vec![1, cpus, 4 * cpus],
            Self::Full => (0..)
                .map(|power| 1 << power)
                .take_while(|threads| *threads < cpus)
                .chain([cpus, 4 * cpus, 16 * cpus])
                .collect(),
            Self::FewCores => vec![1, 2, 8, 32, 64],
            Self::Simulated => vec![cpus],
        };
        threads.dedup();
        threads.into_iter().map(|threads: usize| threads.min(MOST_THREADS)).collect()
    }

    fn writes(self) -> Vec<u8> {
        match self {
            Self::Quick | Self::FewCores => vec![0, 10, 50, 100],
            Self::Full => vec![0, 1, 10, 50, 100],
            Self::Simulated => vec![10],
        }
    }

    fn seconds(self) -> f64 {
        match self {
            Self::Quick => 0.2,
            Self::Full | Self::FewCores => 0.4,
            Self::Simulated => 0.006,
        }
    }

    fn warm_up(self) -> f64 {
        match self {
            Self::Simulated => 0.002,
            _ => 0.05,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Options, entries, structures};
    use crate::sweep::point::Length;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn plan(line: &str) -> Result<super::Plan, String> {
        let line = Line::try_parse_from(std::iter::once("sweep").chain(line.split_whitespace()));
        line.map_err(|error| error.to_string())?.options.plan()
    }

    #[test]
    fn every_combination_is_a_point_and_seq_has_one_thread() {
        let plan =
            plan("--structure map,heap --implementation nr,seq --threads 1,4 --writes 0,50 --entries 1k").unwrap();
        assert_eq!(plan.points.len(), 2 * 2 * (2 + 1));
        assert!(
            plan.points
                .iter()
                .all(|point| point.entries == 1000 && (point.implementation != "seq" || point.threads == 1))
        );
        assert_eq!(plan.repetitions, 0..3);
    }

    #[test]
    fn what_is_not_possible_is_refused_and_says_what_is() {
        let refused = |line: &str| plan(line).unwrap_err();
        assert!(refused("--structure map,what").contains("There are: map, heap, sorted-set"));
        assert!(refused("--implementation nrr").contains("There are: "));
        assert!(refused("--structure heap --implementation dashmap").contains("which has seq, nr"));
        assert!(refused("--threads 0").contains("1 to 4096 are possible"));
        assert!(refused("--threads 1,100000").contains("1 to 4096 are possible"));
        assert!(refused("--writes 101").contains("0 to 100 per cent"));
        assert!(refused("--entries 0").contains("1 to"));
        assert!(refused("--entries 9999999M").contains("are possible"));
        assert!(refused("--structure map --entries 4000M").contains("are available. Choose fewer entries"));
        assert!(refused("--seconds 0").contains("more than 0"));
        assert!(refused("--seconds NaN").contains("more than 0"));
        assert!(refused("--repetitions 0").contains("1 to 1000"));
        assert!(refused("--implementation seq --threads 2").contains("one thread only"));
        assert!(refused("--seconds 1 --operations 5").contains("cannot be used with"));
    }

    #[test]
    fn presets_are_possible() {
        for preset in ["quick", "full", "few-cores", "simulated"] {
            let plan = plan(&format!("--preset {preset}")).unwrap();
            assert!(!plan.points.is_empty(), "{preset}");
        }
        let simulated = plan("--preset simulated --structure heap").unwrap();
        assert_eq!((simulated.points.len(), simulated.points[0].length), (1, Length::Seconds(0.006)));
    }

    #[test]
    fn entries_may_have_a_unit() {
        assert_eq!((entries("7"), entries("10k"), entries("64M")), (Ok(7), Ok(10_000), Ok(64_000_000)));
        assert!(entries("1G").is_err() && entries("").is_err() && entries("99999999999999M").is_err());
    }

    #[test]
    fn every_structure_has_a_limit_and_rivals() {
        for structure in structures() {
            assert!(structure.implementations.len() > 10, "{}", structure.name);
            assert!((structure.bytes)(structure.entries) > 0);
        }
    }
}
