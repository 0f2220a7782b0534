//! The file of results: lines of JSON, each a [`Line`]. A session's line comes before the results measured in it.

use super::machine::Machine;
use super::point::{Measurement, Point};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// A sweep begins or goes on.
    Session(Session),
    /// A point was measured.
    Result(Record),
}

/// One run of the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its command line.
    pub command: String,
    /// When it began, in seconds since 1970.
    pub started: u64,
    /// How busy the machine was then: its load average of one minute.
    pub load: Option<f64>,
    /// What it ran on.
    pub machine: Machine,
}

/// What became of a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The point.
    pub point: Point,
    /// Which time it was measured, from 0.
    pub repetition: usize,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was measured.
    Measured(Box<Measurement>),
    /// It had not ended after so many seconds, and was ended.
    Hung(f64),
    /// It could not be measured; the text says why.
    Failed(String),
}

/// A file of results.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// The sessions, in order.
    pub sessions: Vec<Session>,
    /// Their results, in order.
    pub records: Vec<Record>,
}

impl Results {
    /// Reads a file; one that is not there has no results. A last line that was cut off, by a full disk or the end of the machine, does
    /// not count.
    ///
    /// # Errors
    /// What the system says, or which line is none of ours.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text.map_err(|error| format!("{}: {error}", path.display()))?,
        };
        let mut results = Self::default();
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            match serde_json::from_str(line) {
                Ok(Line::Session(session)) => results.sessions.push(session),
                Ok(Line::Result(record)) => results.records.push(record),
                Err(_) if index + 1 == lines.len() && !text.ends_with('\n') => {}
                Err(error) => {
                    return Err(format!("{}, line {}: not a result: {error}", path.display(), index + 1));
                }
            }
        }
        Ok(results)
    }

    /// What a point of that repetition has come to, if it was measured.
    pub fn find(&self, point: &Point, repetition: usize) -> Option<&Outcome> {
        let mut records = self.records.iter().rev();
        records.find(|record| record.point == *point && record.repetition == repetition).map(|record| &record.outcome)
    }
}

/// A file of results to be added to.
#[derive(Debug)]
pub struct Writer {
    file: File,
}

impl Writer {
    /// Opens the file, or makes it; takes away what is there if `fresh`.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path, fresh: bool) -> Result<Self, String> {
        let explain = |error: io::Error| format!("{}: {error}", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(explain)?;
        }
        if fresh && path.exists() {
            fs::remove_file(path).map_err(explain)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(explain)?;
        // A line that was cut off stays by itself.
        let cut_off = fs::read(path).map_err(explain)?.last().is_some_and(|last| *last != b'\n');
        if cut_off {
            let whole = fs::read_to_string(path).map_err(explain)?;
            let end = whole.rfind('\n').map_or(0, |end| end + 1);
            file.set_len(end as u64).map_err(explain)?;
        }
        file.flush().map_err(explain)?;
        Ok(Self { file })
    }

    /// Adds a line, at once.
    ///
    /// # Errors
    /// What the system says: of a full disk, for example.
    pub fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        self.file.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, Outcome, Record, Results, Writer};
    use crate::keys::Distribution;
    use crate::sweep::point::{Length, Pin, Point};
    use std::fs;

    #[test]
    fn results_are_read_as_written_and_a_cut_line_is_dropped() {
        let path = std::env::temp_dir().join(format!("nr-benches-record-{}.jsonl", std::process::id()));
        let point = Point {
            structure: "map".into(),
            implementation: "nr".into(),
            threads: 2,
            writes: 10,
            keys: Distribution::Uniform,
            entries: 5,
            work: 0,
            length: Length::Seconds(0.5),
            warm_up: 0.1,
            pin: Pin::No,
        };
        let record = |repetition| Record { point: point.clone(), repetition, outcome: Outcome::Hung(3.5) };
        let mut writer = Writer::open(&path, true).unwrap();
        writer.write(&Line::Result(record(0))).unwrap();
        fs::write(&path, fs::read_to_string(&path).unwrap() + "{\"result\":{\"poi").unwrap();
        assert_eq!(Results::read(&path).unwrap().records, [record(0)]);
        let mut writer = Writer::open(&path, false).unwrap();
        writer.write(&Line::Result(record(1))).unwrap();
        let results = Results::read(&path).unwrap();
        assert_eq!(results.records, [record(0), record(1)]);
        assert_eq!(results.find(&point, 1), Some(&Outcome::Hung(3.5)));
        assert_eq!(results.find(&Point { threads: 3, ..point }, 1), None);
        fs::write(&path, "what\n{}\n").unwrap();
        assert!(Results::read(&path).unwrap_err().contains("line 1: not a result"));
        fs::remove_file(&path).unwrap();
        assert!(Results::read(&path).unwrap().records.is_empty());
    }
}
