//! The command line.
//!
//! Its form is `nr-server [FILE] [-] [--NAME VALUE ...] ...`, with the names that directives have in
//! a file. What is given here wins over `-`, which is the standard input, and that over the file.
//!
//! - `--port 7000`, `--port=7000` and `'--port 7000'` are the same.
//! - A name takes all words up to the next one that begins with `--`, so that `--save 60 1` works.
//! - The word after a name is always its value, even if it begins with `--`: a password may. Only
//!   `--save` without a value turns snapshots off.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::file::{ConfigError, Loader, Source, split_words};
use super::{Config, PARAMETERS, parameters};

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Invocation {
    /// To run with this configuration.
    Run(Box<Config>),
    /// To print [`help`].
    Help,
    /// To print [`version`].
    Version,
}

/// Reads the arguments that follow the name of the program, and all sources that they name.
///
/// # Errors
///
/// If a file can't be read, or if a directive anywhere is unknown or has a bad value.
///
/// # Examples
///
/// ```
/// use nr_server::config::flags::{self, Invocation};
///
/// let arguments = ["--port", "7000", "--save", ""].map(Into::into);
/// let Invocation::Run(config) = flags::parse(arguments, &mut std::io::empty())? else {
///     unreachable!("neither help nor the version was asked for");
/// };
/// assert_eq!(config.port, 7000);
/// assert!(config.save.is_empty());
/// # Ok::<(), nr_server::config::ConfigError>(())
/// ```
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    standard_input: &mut dyn Read,
) -> Result<Invocation, ConfigError> {
    let arguments: Vec<Vec<u8>> = arguments.into_iter().map(OsString::into_vec).collect();
    let mut arguments = arguments.as_slice();
    match arguments.first().map(Vec::as_slice) {
        Some(b"-h" | b"--help") => return Ok(Invocation::Help),
        Some(b"-v" | b"--version") => return Ok(Invocation::Version),
        _ => {}
    }

    let mut loader = Loader::new();
    if let Some((path, rest)) = arguments.split_first().filter(|(path, _)| !path.starts_with(b"-")) {
        loader.file(&PathBuf::from(OsString::from_vec(path.clone())))?;
        arguments = rest;
    }
    let from_input = match arguments {
        [first, rest @ ..] if first == b"-" => {
            arguments = rest;
            true
        }
        [rest @ .., last] if last == b"-" => {
            arguments = rest;
            true
        }
        _ => false,
    };
    if from_input {
        let mut text = Vec::new();
        standard_input.read_to_end(&mut text).map_err(|error| ConfigError {
            source: Source::StandardInput,
            line: None,
            directive: String::new(),
            reason: error.to_string(),
        })?;
        loader.text(&Source::StandardInput, &text)?;
    }
    for directive in directives(arguments) {
        match directive[0].as_slice() {
            b"help" => return Ok(Invocation::Help),
            b"version" => return Ok(Invocation::Version),
            _ => loader.directive(&directive)?,
        }
    }
    Ok(Invocation::Run(Box::new(loader.finish())))
}

/// Groups arguments into directives, none of them empty.
fn directives(arguments: &[Vec<u8>]) -> Vec<Vec<Vec<u8>>> {
    let mut directives: Vec<Vec<Vec<u8>>> = Vec::new();
    // Whether the last directive still needs a value, so that the next word can't be a name.
    let mut wanting = false;
    for (index, argument) in arguments.iter().enumerate() {
        let name = argument.strip_prefix(b"--").filter(|name| !wanting && !name.is_empty());
        match (name, directives.last_mut()) {
            (Some(name), _) => {
                let mut words = named(name);
                let next = arguments.get(index + 1);
                if words.len() == 1
                    && words[0].eq_ignore_ascii_case(b"save")
                    && next.is_none_or(|next| next.starts_with(b"--"))
                {
                    words.push(Vec::new());
                }
                wanting = words.len() == 1 && !matches!(words[0].as_slice(), b"help" | b"version");
                directives.push(words);
            }
            (None, Some(last)) => {
                last.push(argument.clone());
                wanting = false;
            }
            (None, None) => directives.push(vec![argument.clone()]),
        }
    }
    directives
}

/// The words of an argument without its dashes: a name, perhaps with values.
fn named(argument: &[u8]) -> Vec<Vec<u8>> {
    if let Some(place) = argument.iter().position(|byte| *byte == b'=') {
        let (name, value) = (&argument[..place], &argument[place + 1..]);
        if parameters::find(name).is_some() {
            return vec![name.to_vec(), value.to_vec()];
        }
    }
    match split_words(argument) {
        Some(words) if !words.is_empty() => words,
        _ => vec![argument.to_vec()],
    }
}

/// The name and version of the server.
pub fn version() -> String {
    format!("nr-server {}\n", env!("CARGO_PKG_VERSION"))
}

/// How to call the server, with all parameters and their defaults.
pub fn help() -> String {
    let mut text = String::from(
        "A server that speaks the Redis protocol and keeps its keyspace in a node-replicated structure.

Usage: nr-server [FILE] [-] [--NAME VALUE ...] ...

  FILE                a file of directives: on each line a name from the list below and its value
  -                   read directives from the standard input as well
  --NAME VALUE ...    a directive; wins over the file and the standard input
  -h, --help          print this text
  -v, --version       print the version

Examples:
  nr-server --port 7000 --workers 4
  nr-server /etc/nr-server.conf --maxmemory 2gb --maxmemory-policy allkeys-lru
  nr-server --save '' --client-output-buffer-limit normal 0 0 0
  echo 'requirepass secret' | nr-server -

Parameters, with their defaults:
",
    );
    describe(&mut text, false);
    text.push_str("\nParameters that are accepted but have no effect:\n");
    describe(&mut text, true);
    text
}

fn describe(text: &mut String, inert: bool) {
    let defaults = Config::default();
    for parameter in PARAMETERS.iter().filter(|parameter| parameter.inert == inert && !parameter.hidden) {
        let default = parameter.get(&defaults);
        let default = match (parameter.name, default.is_empty()) {
            // It depends on where the server is started.
            ("dir", _) => "the current directory".into(),
            (_, true) => "''".into(),
            (_, false) => String::from_utf8_lossy(&default),
        };
        text.push_str(&format!("  --{} {}  [{default}]\n", parameter.name, parameter.kind.syntax()));
    }
}
