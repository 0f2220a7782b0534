//! What a person sees: how far it is, and in the end what was checked.

use crate::program::check::CHECKS;
use crate::program::tally::Tally;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Mutex;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// The figures of each check, and which one is running.
pub struct Board {
    pub tallies: [Tally; CHECKS.len()],
    running: Mutex<String>,
}

impl Board {
    pub fn new() -> Self {
        Self { tallies: std::array::from_fn(|_| Tally::default()), running: Mutex::default() }
    }

    pub fn operations(&self) -> u64 {
        self.tallies.iter().map(|tally| tally.operations.load(Relaxed)).sum()
    }

    pub fn windows(&self) -> u64 {
        self.tallies.iter().map(|tally| tally.windows.load(Relaxed)).sum()
    }

    pub fn violations(&self) -> usize {
        self.tallies.iter().map(|tally| tally.violations().len()).sum()
    }

    pub fn set_running(&self, what: String) {
        *self.running.lock().expect("nobody panics with it") = what;
    }

    pub fn running(&self) -> String {
        self.running.lock().expect("nobody panics with it").clone()
    }

    /// A table of all checks that have run; `stands_still` if one has not come to its end.
    pub fn print(&self, time: Duration, stands_still: bool) {
        println!(
            "{:<20} {:>15} {:>12} {:>12} {:>7} {:>11}",
            "check", "operations", "windows", "overlapping", "s", "violations"
        );
        for (check, tally) in CHECKS.iter().zip(&self.tallies).filter(|(_, tally)| tally.time() > Duration::ZERO) {
            let windows = tally.windows.load(Relaxed);
            let (windows, overlapping) = match windows {
                0 => ("—".into(), "—".into()),
                _ => (grouped(windows), format!("{} %", 100 * tally.overlapping.load(Relaxed) / windows)),
            };
            let (operations, violations) = (grouped(tally.operations.load(Relaxed)), tally.violations().len());
            let seconds = tally.time().as_secs_f64();
            println!(
                "{:<20} {operations:>15} {windows:>12} {overlapping:>12} {seconds:>7.1} {violations:>11}",
                check.name
            );
        }
        println!(
            "\n{} operations checked, {} windows decided in {:.1} s: {} violations{}.",
            grouped(self.operations()),
            grouped(self.windows()),
            time.as_secs_f64(),
            self.violations(),
            if stands_still { format!(", and A STANDSTILL in {}", self.running()) } else { String::new() }
        );
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group)).collect();
    groups.join(",")
}

/// How far it is: a bar for a person, a line now and then for a file.
pub struct Progress {
    bar: ProgressBar,
    start: Instant,
    next_line: Duration,
    moved: (u64, Instant),
}

const LINE_EVERY: Duration = Duration::from_secs(30);

impl Progress {
    pub fn new(whole: Duration) -> Self {
        let bar = ProgressBar::new(whole.as_millis() as u64);
        let style = ProgressStyle::with_template("{wide_bar} {elapsed} of it, {eta} left\n{msg}");
        bar.set_style(style.expect("the template is sound"));
        let start = Instant::now();
        Self { bar, start, next_line: LINE_EVERY, moved: (0, start) }
    }

    pub fn show(&mut self, board: &Board) {
        let operations = board.operations();
        if operations != self.moved.0 {
            self.moved = (operations, Instant::now());
        }
        let line = format!(
            "{} operations, {} windows, {} violations; {}",
            grouped(operations),
            grouped(board.windows()),
            board.violations(),
            board.running()
        );
        let elapsed = self.start.elapsed();
        if self.bar.is_hidden() && elapsed > self.next_line {
            self.next_line += LINE_EVERY;
            eprintln!("{:.0} s: {line}", elapsed.as_secs_f64());
        }
        self.bar.set_position(elapsed.as_millis() as u64);
        self.bar.set_message(line);
    }

    /// For how long nothing has moved.
    pub fn standstill(&self) -> Duration {
        self.moved.1.elapsed()
    }

    pub fn say(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{:.1} s: VIOLATION: {text}\n", self.start.elapsed().as_secs_f64()));
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
