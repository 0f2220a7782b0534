//! The models: which operations each executes, and whether one notices that an operation is weaker.

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::source::Operation;

/// What the models say of a weakened operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This model fails.
    Caught(String),
    /// This model has an execution that goes on and on.
    Endless(String),
    /// None fails.
    Survives,
    /// None fails, but these take longer than they may.
    TooLong(Vec<String>),
    /// No model executes it.
    NotReached,
}

pub(crate) struct Model {
    /// From `models::` on.
    name: String,
    takes: Duration,
    pub(crate) executions: u64,
    reaches: HashSet<String>,
}

/// The program with all models in it.
pub(crate) struct Program {
    binary: PathBuf,
    folder: PathBuf,
}

const PREFIX: &str = "models::";

/// How a run of a model ended, and what it said.
enum End {
    Passed(String),
    Failed(String),
    TooLong,
}

/// What loom says of an execution that does not come to an end.
const ENDLESS: &str = "exceeded maximum number of branches";

impl Program {
    /// Builds it.
    pub(crate) fn build(root: &Path) -> Result<Self, String> {
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["test", "--release", "-p", "nr-loom-tests", "--lib", "--no-run", "--message-format=json"])
            .args(["--target-dir".as_ref(), root.join("target/loom").as_os_str()])
            .env("RUSTFLAGS", "--cfg loom")
            .current_dir(root)
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("cargo: {error}"))?;
        let messages = String::from_utf8_lossy(&output.stdout);
        let executable = |line: &str| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            message["executable"].as_str().map(PathBuf::from)
        };
        match messages.lines().find_map(executable) {
            Some(binary) if output.status.success() => Ok(Self { binary, folder: root.join("loom-tests") }),
            _ => Err("the models can't be built".into()),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.current_dir(&self.folder).env_remove("NR_WEAKEN").env_remove("NR_REACHED").env("RUST_BACKTRACE", "0");
        command
    }

    pub(crate) fn names(&self) -> Result<Vec<String>, String> {
        let output = self.command().args(["--list", "--format=terse"]).output();
        let output = output.map_err(|error| format!("{}: {error}", self.binary.display()))?;
        let list = String::from_utf8_lossy(&output.stdout);
        let name = |line: &str| line.strip_suffix(": test")?.strip_prefix(PREFIX).map(str::to_owned);
        Ok(list.lines().filter_map(name).collect())
    }

    fn run(&self, model: &str, variable: (&str, &str), limit: Duration) -> Result<End, String> {
        let error = |error: std::io::Error| format!("{}: {error}", self.binary.display());
        let started = Instant::now();
        // A file, which takes as much as it says, and its end can be waited for meanwhile.
        let mut output = tempfile::tempfile().map_err(error)?;
        let mut child = self
            .command()
            .args(["--exact", &format!("{PREFIX}{model}"), "--test-threads=1", "--nocapture"])
            .env(variable.0, variable.1)
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(error)?)
            .stderr(output.try_clone().map_err(error)?)
            .spawn()
            .map_err(error)?;
        loop {
            if let Some(status) = child.try_wait().map_err(error)? {
                let mut said = Vec::new();
                output.rewind().map_err(error)?;
                output.read_to_end(&mut said).map_err(error)?;
                let said = String::from_utf8_lossy(&said).into_owned();
                if status.success() {
                    return Ok(End::Passed(said));
                }
                // Else it has not failed, but the search has.
                let is_failure =
                    said.contains("panicked at") && !said.contains("loom internal bug") && !said.contains("NR_WEAKEN=");
                return if is_failure {
                    Ok(End::Failed(said))
                } else {
                    Err(format!("the model {model}, with {}={}, ended with {status}:\n{said}", variable.0, variable.1))
                };
            }
            if started.elapsed() > limit {
                child.kill().map_err(error)?;
                child.wait().map_err(error)?;
                return Ok(End::TooLong);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs a model as it is, to see which operations it executes.
    pub(crate) fn look_at(&self, name: &str) -> Result<Model, String> {
        let file = std::env::temp_dir().join(format!("nr-weaken-{}-{}", std::process::id(), name.replace("::", "-")));
        let started = Instant::now();
        let end = self.run(name, ("NR_REACHED", &file.to_string_lossy()), LIMIT);
        let takes = started.elapsed();
        let places = fs::read_to_string(&file).unwrap_or_default();
        // If it is not there, there is nothing to be removed.
        let _ = fs::remove_file(&file);
        match end? {
            End::Passed(said) => {
                let count = |line: &str| line.strip_suffix(" executions")?.rsplit(' ').next()?.parse::<u64>().ok();
                let executions = said.lines().filter_map(count).sum();
                Ok(Model { name: name.into(), takes, executions, reaches: places.lines().map(str::to_owned).collect() })
            }
            End::Failed(said) => {
                Err(format!("the model {name} fails as it is, so nothing can be said of weakened operations:\n{said}"))
            }
            End::TooLong => Err(format!("the model {name} takes longer than {LIMIT:?}")),
        }
    }

    /// Whether a model fails when the operation's ordering `which` is `weaker`. Those that the operation's comment names are tried
    /// first, then `likely`, then the rest, short ones first.
    pub(crate) fn judge(
        &self,
        models: &[Model],
        operation: &Operation,
        (which, weaker): (usize, &str),
        likely: Option<&str>,
    ) -> Result<Verdict, String> {
        let place = operation.place();
        let mut guards: Vec<&Model> = models.iter().filter(|model| model.reaches.contains(&place)).collect();
        if guards.is_empty() {
            return Ok(Verdict::NotReached);
        }
        let is_named = |model: &Model| {
            let short = model.name.rsplit("::").next().unwrap_or(&model.name);
            operation.comment.contains(&format!("`{short}`"))
        };
        guards.sort_by_key(|model| (!is_named(model), Some(model.name.as_str()) != likely, model.takes));
        let mut long = Vec::new();
        for model in guards {
            // A weaker ordering has more executions.
            let limit = (20 * model.takes).clamp(Duration::from_secs(60), LIMIT);
            match self.run(&model.name, ("NR_WEAKEN", &format!("{place}:{which}:{weaker}")), limit)? {
                End::Failed(said) if said.contains(ENDLESS) => return Ok(Verdict::Endless(model.name.clone())),
                End::Failed(_) => return Ok(Verdict::Caught(model.name.clone())),
                End::TooLong => long.push(model.name.clone()),
                End::Passed(_) => {}
            }
        }
        Ok(if long.is_empty() { Verdict::Survives } else { Verdict::TooLong(long) })
    }
}

const LIMIT: Duration = Duration::from_secs(600);
