//! Runs this very program once more as a child, with a limit on its time: a fresh address space for each measurement, and
//! a peer that hangs does not take the others with it.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How a child ended.
#[derive(Debug)]
pub enum Outcome {
    /// It succeeded and printed this.
    Finished(String),
    /// It did not end within its time and was killed.
    Hung,
    /// It could not be started or ended with an error; the text says which.
    Failed(String),
}

/// Runs this program with `arguments` and waits for its end, `limit` at most.
pub fn run_self(arguments: &[String], limit: Duration) -> Outcome {
    run_self_until(arguments, limit, &AtomicBool::new(false))
}

/// As [`run_self`], but ends the child when `stop` is raised.
pub fn run_self_until(arguments: &[String], limit: Duration, stop: &AtomicBool) -> Outcome {
    match std::env::current_exe() {
        Ok(program) => {
            let mut command = Command::new(program);
            command.args(arguments);
            run_until(&mut command, limit, stop)
        }
        Err(error) => Outcome::Failed(format!("cannot tell which program this is: {error}")),
    }
}

/// Runs `command` and waits for its end, `limit` at most.
pub fn run(command: &mut Command, limit: Duration) -> Outcome {
    run_until(command, limit, &AtomicBool::new(false))
}

fn run_until(command: &mut Command, limit: Duration, stop: &AtomicBool) -> Outcome {
    let started = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return Outcome::Failed(format!("cannot start {:?}: {error}", command.get_program())),
    };
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                let (stdout, stderr) = output_of(&mut child);
                return if status.success() {
                    Outcome::Finished(stdout)
                } else {
                    let said = stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing on stderr");
                    Outcome::Failed(format!("{status}: {said}"))
                };
            }
            Ok(None) if started.elapsed() > limit || stop.load(Ordering::Relaxed) => {
                // A child that is gone by now is as good as killed.
                let _ = child.kill();
                let _ = child.wait();
                return Outcome::Hung;
            }
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
            Err(error) => return Outcome::Failed(format!("cannot wait for the child: {error}")),
        }
    }
}

/// What an ended child left in its pipes; children print less than a pipe holds, so they never wait for us.
fn output_of(child: &mut Child) -> (String, String) {
    let (mut stdout, mut stderr) = (String::new(), String::new());
    if let Some(pipe) = child.stdout.as_mut() {
        let _ = pipe.read_to_string(&mut stdout);
    }
    if let Some(pipe) = child.stderr.as_mut() {
        let _ = pipe.read_to_string(&mut stderr);
    }
    (stdout, stderr)
}

#[cfg(test)]
mod tests {
    use super::{Outcome, run};
    use std::process::Command;
    use std::time::Duration;

    #[test]
    fn output_failure_and_hang_are_told_apart() {
        let shell = |script: &str, limit| run(Command::new("sh").args(["-c", script]), Duration::from_millis(limit));
        assert!(matches!(shell("echo 7", 20_000), Outcome::Finished(text) if text == "7\n"));
        assert!(matches!(shell("echo why >&2; exit 3", 20_000), Outcome::Failed(text) if text.ends_with("why")));
        assert!(matches!(shell("exec sleep 60", 50), Outcome::Hung));
    }
}
