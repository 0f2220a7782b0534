//! The command line, and the order of things.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::{fs, io};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use crate::models::{Program, Verdict};
use crate::source::{self, Operation};
use crate::table::{self, Verdicts};

/// Weakens each atomic operation of the crate by one step, in turn, and runs the loom models that execute it: does one fail?
///
/// Exit status: 0 if each weakened operation is caught by a model, or its comment says why none catches it; else 1.
#[derive(Debug, Parser)]
struct Options {
    /// Weaken only operations whose file or function contains this text.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Weaken only so many, spread over all that the table says are caught, and see that they still are.
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["only", "write", "check"])]
    sample: Option<usize>,
    /// Write docs/orderings.md.
    #[arg(long)]
    write: bool,
    /// Run no models, but look whether docs/orderings.md has a row for each operation as it is now, and a verdict that is argued.
    #[arg(long, conflicts_with_all = ["only", "write"])]
    check: bool,
    /// How many models run at a time. All processors' worth if not given.
    #[arg(long, value_name = "COUNT")]
    jobs: Option<usize>,
}

pub(crate) fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("{trouble}");
            ExitCode::FAILURE
        }
    }
}

type Weakening<'a> = (&'a Operation, (usize, &'static str));

fn run(options: &Options) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let operations = source::operations(&root.join("nr/src"))?;
    let document = root.join("docs/orderings.md");
    let known = match fs::read_to_string(&document) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(format!("{}: {error}", document.display())),
    };
    let mut verdicts = table::verdicts(&known);
    let all: Vec<Weakening<'_>> = operations
        .iter()
        .flat_map(|operation| operation.weakenings().into_iter().map(move |weakening| (operation, weakening)))
        .collect();
    if options.check {
        if table::render(&operations, &verdicts) != known {
            return Err("docs/orderings.md is not that of the source: `cargo run --release -p nr-loom-tests --bin weaken -- --write`".into());
        }
        return conclude(&operations, &all, &verdicts);
    }

    let is_caught = |weakening: &&Weakening<'_>| {
        verdicts.get(&table::key(weakening.0, weakening.1)).is_some_and(|verdict| guard(verdict).is_some())
    };
    let chosen: Vec<Weakening<'_>> = match (options.sample, &options.only) {
        (Some(count), _) => {
            let caught: Vec<_> = all.iter().filter(is_caught).copied().collect();
            (0..count.min(caught.len())).map(|index| caught[index * caught.len() / count.min(caught.len())]).collect()
        }
        (None, Some(text)) => {
            let has_text = |operation: &Operation| operation.file.contains(text) || operation.function.contains(text);
            all.iter().filter(|(operation, _)| has_text(operation)).copied().collect()
        }
        (None, None) => all.clone(),
    };
    if chosen.is_empty() {
        return Err("there is no such operation that can be weakened".into());
    }
    let jobs = options.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let found = judge(&root, &chosen, &verdicts, options.sample.is_some(), jobs)?;
    for ((operation, weakening), verdict) in chosen.iter().zip(&found) {
        let (row, step) = table::key(operation, *weakening);
        println!("{row}, {step}: {}", table::verdict_text(verdict));
    }
    if options.sample.is_some() {
        return match found.iter().filter(|verdict| guard(verdict).is_none()).count() {
            0 => Ok(()),
            lost => Err(format!("{lost} of {} are caught no longer", found.len())),
        };
    }
    verdicts.extend(
        chosen.iter().zip(found).map(|((operation, weakening), verdict)| (table::key(operation, *weakening), verdict)),
    );
    if options.write {
        fs::write(&document, table::render(&operations, &verdicts))
            .map_err(|error| format!("{}: {error}", document.display()))?;
        println!("{}: written", document.display());
    }
    conclude(&operations, &chosen, &verdicts)
}

/// The model that is known to fail.
fn guard(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Caught(model) | Verdict::Endless(model) => Some(model),
        _ => None,
    }
}

/// Says how many there are of each kind, and what is left to be argued.
fn conclude(operations: &[Operation], weakenings: &[Weakening<'_>], verdicts: &Verdicts) -> Result<(), String> {
    let (mut caught, mut explained, mut unexplained) = (0, 0, Vec::new());
    for (operation, weakening) in weakenings {
        let key = table::key(operation, *weakening);
        // What is said where no model can say it. What the facade has for others is left out of the models.
        let is_explained = operation.comment.to_lowercase().contains("no model fails");
        match verdicts.get(&key) {
            Some(Verdict::Caught(_) | Verdict::Endless(_)) => caught += 1,
            Some(Verdict::Survives) if is_explained => explained += 1,
            Some(Verdict::NotReached) if is_explained && operation.file.starts_with("sync/") => explained += 1,
            other => {
                let verdict = other.map_or("not run".into(), table::verdict_text);
                unexplained.push(format!("{}:{}: {}, {}: {verdict}", operation.file, operation.line, key.0, key.1));
            }
        }
    }
    let uncommented = operations.iter().filter(|operation| operation.comment.is_empty());
    unexplained.extend(
        uncommented.map(|operation| format!("{}:{}: no comment argues its ordering", operation.file, operation.line)),
    );
    println!(
        "{} operations; of {} weakenings {caught} are caught, {explained} are not, for reasons given in the source",
        operations.len(),
        weakenings.len()
    );
    if unexplained.is_empty() { Ok(()) } else { Err(format!("unexplained:\n{}", unexplained.join("\n"))) }
}

/// The verdict on each. `quickly`: only the models that are known to fail are run.
fn judge(
    root: &Path,
    chosen: &[Weakening<'_>],
    known: &Verdicts,
    quickly: bool,
    jobs: usize,
) -> Result<Vec<Verdict>, String> {
    let program = Program::build(root)?;
    let likely = |weakening: &Weakening<'_>| known.get(&table::key(weakening.0, weakening.1)).and_then(guard);
    let mut names = program.names()?;
    if quickly {
        names.retain(|name| chosen.iter().any(|weakening| likely(weakening) == Some(name)));
    }
    let models = in_parallel("models as they are", &names, jobs, |name| program.look_at(name))?;
    let executions: u64 = models.iter().map(|model| model.executions).sum();
    println!("{} models pass as they are, in {executions} executions", models.len());
    in_parallel("weakenings", chosen, jobs, |weakening| {
        program.judge(&models, weakening.0, weakening.1, likely(weakening))
    })
}

fn in_parallel<T: Sync, R: Send>(
    what: &'static str,
    items: &[T],
    jobs: usize,
    each: impl Fn(&T) -> Result<R, String> + Sync,
) -> Result<Vec<R>, String> {
    let style =
        ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}, {elapsed}").map_err(|error| error.to_string())?;
    let bar = ProgressBar::new(items.len() as u64).with_style(style).with_message(what);
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, Result<R, String>)>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    // Relaxed: a number for each; the results go through the mutex.
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let result = each(item);
                    bar.inc(1);
                    results.lock().unwrap().push((index, result));
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
