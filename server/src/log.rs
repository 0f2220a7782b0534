//! What the server tells its operator: lines on the standard output, or in the file that `logfile` names.
//!
//! ```text
//! 2026-11-27T12:34:56.123Z 7582 notice: listens at 127.0.0.1:6379
//! ```
//!
//! A server that runs within another program, as in tests, says nothing: only [`open`] begins a log.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::config::{Config, LogLevel};

/// Above every level: nothing is written.
const SILENT: u8 = u8::MAX;

/// The lowest level that is written.
static LEVEL: AtomicU8 = AtomicU8::new(SILENT);
/// Where lines go; the standard output if it is `None`.
static FILE: Mutex<Option<LogFile>> = Mutex::new(None);

struct LogFile {
    path: PathBuf,
    file: File,
}

/// Where lines go. A panic leaves it whole.
fn file() -> MutexGuard<'static, Option<LogFile>> {
    FILE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LogFile {
    fn open(path: PathBuf) -> io::Result<LogFile> {
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        Ok(LogFile { path, file })
    }
}

/// Begins the log of this process, as the configuration says.
///
/// # Errors
///
/// If the file can't be opened.
pub fn open(config: &Config) -> io::Result<()> {
    if !config.logfile.as_os_str().is_empty() {
        *file() = Some(LogFile::open(config.dir.join(&config.logfile))?);
    }
    // Relaxed, here and below: the file is behind a lock, and the level stands alone.
    LEVEL.store(config.loglevel as u8, Ordering::Relaxed);
    Ok(())
}

/// Opens the log's file by its name again, if it has one: whoever keeps old logs has given the present one another name.
pub fn reopen() {
    let mut log = file();
    let Some(path) = log.as_ref().map(|log| log.path.clone()) else { return };
    match LogFile::open(path) {
        Ok(new) => *log = Some(new),
        Err(error) => {
            drop(log);
            warning(format_args!("can't open the log file again: {error}"));
        }
    }
}

/// Follows a change of `loglevel`, if there is a log.
pub fn set_level(level: LogLevel) {
    if LEVEL.load(Ordering::Relaxed) != SILENT {
        LEVEL.store(level as u8, Ordering::Relaxed);
    }
}

/// Whether lines of this level are written.
#[inline]
pub fn writes(level: LogLevel) -> bool {
    level as u8 >= LEVEL.load(Ordering::Relaxed)
}

/// Writes one line, if lines of this level are written.
pub fn write(level: LogLevel, text: impl Display) {
    if !writes(level) {
        return;
    }
    let time = humantime::format_rfc3339_millis(SystemTime::now());
    let line = format!("{time} {} {}: {text}\n", std::process::id(), level.name());
    let mut log = file();
    // A full disk or a closed pipe must not end the server, and there is no other place to say so.
    let _ = match &mut *log {
        Some(log) => log.file.write_all(line.as_bytes()),
        None => io::stdout().write_all(line.as_bytes()),
    };
}

/// Something that an operator wants to know.
pub fn notice(text: impl Display) {
    write(LogLevel::Notice, text);
}

/// Something that an operator should look at.
pub fn warning(text: impl Display) {
    write(LogLevel::Warning, text);
}
