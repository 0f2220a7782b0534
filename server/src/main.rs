//! The program `nr-server`.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use mio::net::UnixStream;
use nr_server::config::flags::{self, Invocation};
use nr_server::log;
use nr_server::memory::CountingAllocator;
use nr_server::net;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    let config = match flags::parse(std::env::args_os().skip(1), &mut std::io::stdin()) {
        Ok(Invocation::Run(config)) => *config,
        Ok(Invocation::Help) => return print(&flags::help()),
        Ok(Invocation::Version) => return print(&flags::version()),
        Err(error) => return fail(&error.to_string()),
    };
    if let Err(error) = log::open(&config) {
        return fail(&format!("can't open the log file {}: {error}", config.logfile.display()));
    }
    let pidfile = (!config.pidfile.as_os_str().is_empty()).then(|| config.dir.join(&config.pidfile));
    let signals = match reopen_log_on_hangup().and_then(|()| signals()) {
        Ok(signals) => signals,
        Err(error) => return fail(&format!("can't watch for signals: {error}")),
    };
    match net::start(config, Some(signals)) {
        Ok(running) => {
            for address in running.addresses() {
                log::notice(format_args!("listens at {address}"));
            }
            let (workers, replicas) = (running.server().workers.len(), running.server().keyspace.replicas());
            let (version, id) = (env!("CARGO_PKG_VERSION"), std::process::id());
            log::notice(format_args!(
                "nr-server {version} is ready to accept connections, PID: {id}, workers: {workers}, replicas: {replicas}"
            ));
            let identified = Identified::by(pidfile);
            let is_well = running.wait();
            drop(identified);
            log::notice("bye");
            if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => fail(&error.to_string()),
    }
}

/// A file that holds the number of this process, and is gone when this is.
struct Identified(Option<PathBuf>);

impl Identified {
    fn by(pidfile: Option<PathBuf>) -> Identified {
        let written = pidfile.filter(|path| match fs::write(path, format!("{}\n", std::process::id())) {
            Ok(()) => true,
            Err(error) => {
                log::warning(format_args!("can't write the pidfile {}: {error}", path.display()));
                false
            }
        });
        Identified(written)
    }
}

impl Drop for Identified {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = fs::remove_file(path)
        {
            log::warning(format_args!("can't remove the pidfile {}: {error}", path.display()));
        }
    }
}

/// Opens the log again when the process gets `SIGHUP`, as it does from programs that keep old logs, and from a terminal that
/// goes away.
fn reopen_log_on_hangup() -> std::io::Result<()> {
    let (mut reader, writer) = std::os::unix::net::UnixStream::pair()?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGHUP, writer)?;
    std::thread::Builder::new().name("hangup".into()).spawn(move || {
        while reader.read_exact(&mut [0]).is_ok() {
            log::reopen();
        }
    })?;
    Ok(())
}

/// A pipe that becomes readable when the process is asked to end.
fn signals() -> std::io::Result<UnixStream> {
    let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
    }
    reader.set_nonblocking(true)?;
    Ok(UnixStream::from_std(reader))
}

fn print(text: &str) -> ExitCode {
    print!("{text}");
    ExitCode::SUCCESS
}

fn fail(text: &str) -> ExitCode {
    eprintln!("nr-server: {text}");
    ExitCode::FAILURE
}
