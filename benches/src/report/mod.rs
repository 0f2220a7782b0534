//! The report: what sweeps have measured, as one page of pictures and tables for people, and as files for programs.
//!
//! `data` takes the medians over repetitions, `charts` draws, `page` puts all of it together, `png` makes pixels of what was drawn.

mod charts;
mod data;
mod page;
mod png;

use crate::sweep::record::Results;
use clap::Args;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// The command line of a report.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Files of results; those of one machine are put together.
    #[arg(long = "in", value_name = "FILES", num_args = 1.., default_value = "target/sweep.jsonl")]
    pub inputs: Vec<PathBuf>,
    /// Where the report goes: report.html with everything in it, each picture as an SVG and a PNG file, and all figures as CSV.
    #[arg(long, value_name = "FOLDER", default_value = "target/report")]
    pub out: PathBuf,
}

/// Writes the report.
///
/// # Errors
/// If there are no results at all, or files can't be read or written.
pub fn report(options: &Options) -> Result<(), String> {
    let mut sets: Vec<Results> = Vec::new();
    for path in &options.inputs {
        let results = Results::read(path)?;
        let Some(session) = results.sessions.first().filter(|_| !results.records.is_empty()) else {
            eprintln!("{} has no results, and is left out", path.display());
            continue;
        };
        let same = |set: &&mut Results| set.sessions.iter().any(|other| other.machine.is_same(&session.machine));
        match sets.iter_mut().find(same) {
            Some(set) => {
                set.sessions.extend(results.sessions);
                set.records.extend(results.records);
            }
            None => sets.push(results),
        }
    }
    if sets.is_empty() {
        return Err("there are no results: `nr-benches sweep` makes some".into());
    }
    // Real machines first.
    sets.sort_by_key(|set| set.sessions.first().is_some_and(|session| session.machine.simulated_by.is_some()));
    let machines: Vec<data::Machine> = sets.iter().map(data::Machine::of).collect();

    let write = |name: &str, content: &[u8]| -> Result<(), String> {
        let path = options.out.join(name);
        fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))
    };
    fs::create_dir_all(&options.out).map_err(|error| format!("{}: {error}", options.out.display()))?;
    let mut pictures = Vec::new();
    let page = page::html(&machines, &mut pictures);
    let renderer = png::Renderer::new();
    for (name, svg) in &pictures {
        write(&format!("{name}.svg"), svg.as_bytes())?;
        let png = renderer.render(svg).map_err(|error| format!("{name}.png: {error}"))?;
        write(&format!("{name}.png"), &png)?;
    }
    write("report.html", page.as_bytes())?;
    write("results.csv", csv(&machines).as_bytes())?;
    let (page, pictures) = (options.out.join("report.html"), pictures.len());
    println!("{}: one page; beside it {pictures} pictures, each as SVG and PNG, and results.csv", page.display());
    Ok(())
}

/// A line for each point, with medians over its repetitions.
fn csv(machines: &[data::Machine]) -> String {
    let mut text = String::from(
        "machine,structure,keys,entries,work,writes,threads,implementation,repetitions,mops,mops_lower,mops_upper,cpu_ns,p50_ns,\
         p99_ns,p999_ns,max_ns,fairness,memory_bytes,trouble\n",
    );
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    for machine in machines {
        for (load, structure) in machine.loads() {
            for point in &load.points {
                let data::Structure { name, keys, entries, work, .. } = structure;
                let (machine, writes) = (quoted(&machine.machine.name), load.writes);
                let data::Figure { threads, implementation, figures } = point;
                // A `String` takes everything.
                let _ = write!(text, "{machine},{name},{keys},{entries},{work},{writes},{threads},{implementation},");
                let _ = match figures {
                    Ok(figures) => writeln!(
                        text,
                        "{},{:.4},{:.4},{:.4},{:.1},{:.0},{:.0},{:.0},{:.0},{:.3},{:.0},",
                        figures.repetitions,
                        figures.mops.median,
                        figures.mops.lower,
                        figures.mops.upper,
                        figures.cpu_nanoseconds,
                        figures.quantiles[0],
                        figures.quantiles[2],
                        figures.quantiles[3],
                        figures.quantiles[5],
                        figures.fairness,
                        figures.memory
                    ),
                    Err(trouble) => writeln!(text, ",,,,,,,,,,,{}", quoted(trouble)),
                };
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Options, report};
    use crate::keys::Distribution;
    use crate::sweep::machine::Machine;
    use crate::sweep::point::{Latency, Length, Measurement, Pin, Point};
    use crate::sweep::record::{Line, Outcome, Record, Session, Writer};
    use std::collections::BTreeSet;
    use std::fs;

    fn measured(mops: f64) -> Outcome {
        let latency = Latency { samples: 10, p50: 100, p90: 200, p99: 300, p999: 4000, p9999: 5000, max: 60_000 };
        Outcome::Measured(Box::new(Measurement {
            seconds: 1.0,
            operations: (mops * 1e6) as u64,
            cpu_seconds: 2.0,
            fairness: 0.9,
            extremes: [1, 2],
            latency: Some(latency),
            read_latency: Some(latency),
            write_latency: None,
            memory: Some([1 << 20, 2 << 20]),
        }))
    }

    #[test]
    fn a_report_has_all_that_was_measured_and_what_failed() {
        let folder = std::env::temp_dir().join(format!("nr-benches-report-{}", std::process::id()));
        let file = folder.join("in.jsonl");
        let mut writer = Writer::open(&file, true).unwrap();
        let machine = Machine::detect(Some("A <machine>".into()), Some("a simulator".into()));
        let session = Session { command: "sweep".into(), started: 0, load: None, machine };
        writer.write(&Line::Session(session)).unwrap();
        for (threads, implementation, outcome) in [
            (1, "seq", measured(4.0)),
            (1, "nr", measured(3.0)),
            (8, "nr", measured(9.0)),
            (1, "parking_lot-mutex", measured(3.5)),
            (8, "parking_lot-mutex", measured(1.0)),
            (8, "predecessor", Outcome::Hung(9.0)),
        ] {
            for writes in [0, 10] {
                let point = Point {
                    structure: "map".into(),
                    implementation: implementation.into(),
                    threads,
                    writes,
                    keys: Distribution::Uniform,
                    entries: 1000,
                    work: 0,
                    length: Length::Seconds(1.0),
                    warm_up: 0.1,
                    pin: Pin::No,
                };
                writer.write(&Line::Result(Record { point, repetition: 0, outcome: outcome.clone() })).unwrap();
            }
        }
        let options = Options { inputs: vec![file], out: folder.join("out") };
        report(&options).unwrap();
        let page = fs::read_to_string(folder.join("out/report.html")).unwrap();
        for part in ["A &lt;machine&gt;", "a simulator", "<svg", "parking_lot-mutex", "hung", "9.00", "COST"] {
            assert!(page.contains(part), "{part}");
        }
        assert!(
            !page.contains("<script") && !page.contains("src=") && !page.contains("<link"),
            "it needs nothing else"
        );
        let csv = fs::read_to_string(folder.join("out/results.csv")).unwrap();
        assert_eq!(csv.lines().count(), 1 + 12);
        assert!(csv.contains("\"A <machine>\",map,uniform,1000,0,10,8,nr,1,9.0000"));
        let pictures = |kind: &str| {
            let files = fs::read_dir(folder.join("out")).unwrap().flatten();
            let files = files.filter(|file| file.path().extension().is_some_and(|extension| extension == kind));
            files.filter_map(|file| file.path().file_stem().map(ToOwned::to_owned)).collect::<BTreeSet<_>>()
        };
        assert!(pictures("svg").len() >= 3);
        assert_eq!(pictures("svg"), pictures("png"));
        let none = Options { inputs: vec![folder.join("none.jsonl")], ..options };
        assert!(report(&none).unwrap_err().contains("there are no results"));
        fs::remove_dir_all(folder).unwrap();
    }
}
