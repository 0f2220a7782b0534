//! The two servers: children of this program, each with a port and a folder of its own.

use crate::client::Client;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A server that can be started.
pub(crate) struct Peer {
    /// What tables call it.
    pub(crate) name: String,
    line: String,
    patience: Duration,
}

/// The line that starts the nr-server that lies beside this program, with more options.
pub(crate) fn built_beside_this_program(more: &str) -> Result<String, String> {
    let this = std::env::current_exe().map_err(|error| format!("cannot tell which program this is: {error}"))?;
    let program = this.with_file_name("nr-server");
    if !program.exists() {
        return Err(format!(
            "there is no {}: build it with `cargo build --release -p nr-server`, or name another server with --b",
            program.display()
        ));
    }
    let program = quoted(&program);
    Ok(format!("{program} --port {{port}} --bind 127.0.0.1 --save '' --appendonly no --dir {{dir}} --workers 2{more}"))
}

impl Peer {
    /// The servers that two lines start, in their order.
    pub(crate) fn pair(lines: [String; 2], patience: Duration) -> [Peer; 2] {
        let name = |line: &str| {
            let program = line.split_whitespace().next().unwrap_or_default().trim_matches('\'');
            program.rsplit('/').next().unwrap_or_default().to_string()
        };
        let mut names = lines.each_ref().map(|line| name(line));
        if names[0] == names[1] {
            names = [format!("{} (a)", names[0]), format!("{} (b)", names[1])];
        }
        let [a, b] = lines;
        let [name_a, name_b] = names;
        [Peer { name: name_a, line: a, patience }, Peer { name: name_b, line: b, patience }]
    }

    /// Starts the server and waits until it answers.
    pub(crate) fn start(&self) -> Result<Running, String> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        // Relaxed: the number only has to be unique.
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("nr-benches-server-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        let port = free_port().map_err(|error| format!("there is no free port: {error}"))?;
        let child = spawn(&self.line, port, &folder).map_err(|error| format!("cannot start {}: {error}", self.name))?;
        let mut running = Running { child, port, folder, patience: self.patience };
        running.wait_until_it_answers().map_err(|error| format!("{}: {error}", self.name))?;
        Ok(running)
    }
}

/// Has a shell become the server, so that the child's process id is the server's.
fn spawn(line: &str, port: u16, folder: &Path) -> std::io::Result<Child> {
    let line = line.replace("{port}", &port.to_string()).replace("{dir}", &quoted(folder));
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec {line}")]).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(File::create(folder.join("stderr"))?);
    let end_with_this_thread = || {
        // SAFETY: with this option `prctl` takes a signal's number and touches no memory.
        match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec the closure only makes a system call, which takes no lock and allocates nothing.
    unsafe { command.pre_exec(end_with_this_thread) };
    command.spawn()
}

/// A path as one word for the shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// A port that nobody has at the moment.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A server that runs; it is killed when this is dropped, and also when the thread that started it ends in any other way.
pub(crate) struct Running {
    child: Child,
    port: u16,
    folder: PathBuf,
    patience: Duration,
}

impl Running {
    fn wait_until_it_answers(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + self.patience;
        loop {
            if let Ok(mut client) = self.client()
                && client.call(&["PING"]).is_ok_and(|reply| reply == b"+PONG\r\n")
            {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                let said = fs::read_to_string(self.folder.join("stderr")).unwrap_or_default();
                let said =
                    said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing on stderr").to_string();
                return Err(match status.code() {
                    Some(127) => format!("no such program is installed here ({said}); --a and --b name others"),
                    _ => format!("it has ended, {status}: {said}"),
                });
            }
            if Instant::now() > deadline {
                return Err(format!("it did not answer a PING within {:?}", self.patience));
            }
            sleep(Duration::from_millis(10));
        }
    }

    /// A new connection to it.
    pub(crate) fn client(&self) -> Result<Client, String> {
        Client::connect(self.port, self.patience)
    }

    /// CPU time of its threads so far; that of threads that have ended is not in it.
    pub(crate) fn cpu_time(&self) -> Result<Duration, String> {
        self.sum_over_threads("schedstat", |text| text.split_whitespace().next()?.parse().ok())
            .map(Duration::from_nanos)
    }

    /// How long its threads so far were ready to run and had no core.
    pub(crate) fn time_without_core(&self) -> Result<Duration, String> {
        self.sum_over_threads("schedstat", |text| text.split_whitespace().nth(1)?.parse().ok())
            .map(Duration::from_nanos)
    }

    /// How often its threads have gone to sleep so far.
    pub(crate) fn sleeps(&self) -> Result<u64, String> {
        self.sum_over_threads("status", |text| field(text, "voluntary_ctxt_switches:"))
    }

    /// Bytes of memory that it has in RAM.
    pub(crate) fn resident(&self) -> Result<u64, String> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        field(&text, "VmRSS:").map(|kib| kib * 1024).ok_or_else(|| format!("{path} has no VmRSS"))
    }

    fn sum_over_threads(&self, file: &str, number: impl Fn(&str) -> Option<u64>) -> Result<u64, String> {
        let path = format!("/proc/{}/task", self.child.id());
        let threads = fs::read_dir(&path).map_err(|error| format!("{path}: {error}"))?;
        // A thread that ends meanwhile takes its file with it.
        let texts = threads.flatten().flat_map(|thread| fs::read_to_string(thread.path().join(file)));
        Ok(texts.filter_map(|text| number(&text)).sum())
    }
}

/// The number behind a name at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; and a folder that stays is one for the system to clean up.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::{Peer, field};
    use std::time::Duration;

    #[test]
    fn peers_have_different_names() {
        let names = |a: &str, b: &str| Peer::pair([a.into(), b.into()], Duration::ZERO).map(|peer| peer.name);
        assert_eq!(names("redis-server --port 1", "'/a/nr-server' --port 1"), ["redis-server", "nr-server"]);
        assert_eq!(names("/a/x 1", "/b/x 2"), ["x (a)", "x (b)"]);
    }

    #[test]
    fn a_server_that_does_not_start_says_why() {
        let start = |line: &str| {
            let [peer, _] = Peer::pair([line.into(), String::new()], Duration::from_secs(20));
            peer.start().err().unwrap_or_default()
        };
        assert!(start("there-is-no-such-server {port}").contains("no such program is installed"));
        let failing = start("sh -c 'echo why >&2; exit 3'");
        assert!(failing.contains("exit status: 3") && failing.ends_with("why"), "{failing}");
    }

    #[test]
    fn fields_of_a_status() {
        assert_eq!(field("Name:\tx\nVmRSS:\t    1424 kB\n", "VmRSS:"), Some(1424));
    }
}
