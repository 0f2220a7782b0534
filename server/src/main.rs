//! The program `nr-server`.

use std::io::Write;
use std::process::ExitCode;

use mio::net::UnixStream;
use nr_server::config::flags::{self, Invocation};
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
    let signals = match signals() {
        Ok(signals) => signals,
        Err(error) => return fail(&format!("can't watch for signals: {error}")),
    };
    match net::start(config, Some(signals)) {
        Ok(running) => {
            let mut stdout = std::io::stdout();
            for address in running.addresses() {
                // Who starts the server may read this from a pipe, or may have closed it.
                let _ = writeln!(stdout, "nr-server {} listens at {address}", env!("CARGO_PKG_VERSION"));
            }
            let _ = stdout.flush();
            if running.wait() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => fail(&error.to_string()),
    }
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
