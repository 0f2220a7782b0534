//! Files of directives, in the format of `redis.conf`.
//!
//! A directive is a line with a name and its values. Values can be quoted: between double quotes,
//! `\n`, `\r`, `\t`, `\b`, `\a` and `\xHH` stand for bytes and any other escaped byte for itself;
//! between single quotes only `\'` is special. Empty lines and lines that begin with `#` are skipped.
//! `include` reads another file in its place; wildcards in its file name read every match in
//! alphabetical order. The last directive for a parameter wins, except that `save` adds up.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Config;
use super::parameters;
use crate::resp::pattern;

/// Includes may be nested this deep, so that a file that includes itself is found out.
const MAXIMUM_DEPTH: usize = 16;

/// Where a directive stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In a file.
    File(PathBuf),
    /// On the standard input.
    StandardInput,
    /// On the command line.
    CommandLine,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(formatter),
            Self::StandardInput => formatter.write_str("standard input"),
            Self::CommandLine => formatter.write_str("command line"),
        }
    }
}

/// Why a configuration can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where the directive stood, or what couldn't be read at all.
    pub source: Source,
    /// The line, counted from one, if the source has lines and could be read.
    pub line: Option<usize>,
    /// The directive; empty if the source couldn't be read.
    pub directive: String,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.source)?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        if !self.directive.is_empty() {
            write!(formatter, ": '{}'", self.directive)?;
        }
        write!(formatter, ": {}", self.reason)
    }
}

impl std::error::Error for ConfigError {}

/// Reads a file into a configuration that begins with the defaults.
///
/// # Errors
///
/// If the file or one that it includes can't be read, or has a directive that is unknown or has a
/// bad value.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let mut loader = Loader::new();
    loader.file(path)?;
    Ok(loader.finish())
}

/// Collects directives from several sources.
#[derive(Debug)]
pub(super) struct Loader {
    config: Config,
    /// Whether a `save` has been seen. The first replaces the defaults, the others add to it.
    saves: bool,
    depth: usize,
}

/// What can go wrong with one directive.
enum Failure {
    /// The directive itself.
    Reason(String),
    /// A directive of an included file, which knows its own place.
    Included(ConfigError),
}

impl Loader {
    pub(super) fn new() -> Self {
        Self { config: Config::default(), saves: false, depth: 0 }
    }

    pub(super) fn finish(mut self) -> Config {
        self.config.settle();
        self.config
    }

    /// Reads the main file.
    pub(super) fn file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let text = fs::read(&path).map_err(|error| ConfigError {
            source: Source::File(path.clone()),
            line: None,
            directive: String::new(),
            reason: error.to_string(),
        })?;
        self.text(&Source::File(path.clone()), &text)?;
        self.config.config_file = Some(path);
        Ok(())
    }

    /// Reads all lines of a text.
    pub(super) fn text(&mut self, source: &Source, text: &[u8]) -> Result<(), ConfigError> {
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let outcome = match split_words(line) {
                Some(words) => self.apply(&words),
                None => Err(Failure::Reason("unbalanced quotes".to_owned())),
            };
            outcome.map_err(|failure| match failure {
                Failure::Included(error) => error,
                Failure::Reason(reason) => ConfigError {
                    source: source.clone(),
                    line: Some(index + 1),
                    directive: String::from_utf8_lossy(line).into_owned(),
                    reason,
                },
            })?;
        }
        Ok(())
    }

    /// Reads a directive of the command line.
    pub(super) fn directive(&mut self, words: &[Vec<u8>]) -> Result<(), ConfigError> {
        self.apply(words).map_err(|failure| match failure {
            Failure::Included(error) => error,
            Failure::Reason(reason) => {
                let mut directive = String::from_utf8_lossy(&words[0]).into_owned();
                for word in &words[1..] {
                    directive.push_str(&format!(" \"{}\"", String::from_utf8_lossy(word)));
                }
                ConfigError { source: Source::CommandLine, line: None, directive, reason }
            }
        })
    }

    fn apply(&mut self, words: &[Vec<u8>]) -> Result<(), Failure> {
        let Some((name, values)) = words.split_first() else {
            return Ok(());
        };
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        if let Some((name, parameter)) = parameters::find(name) {
            let before = self.config.save.clone();
            let outcome = match values.as_slice() {
                // Several values can be one quoted text.
                [text] if parameter.kind.takes_several() && !text.is_empty() => match split_words(text) {
                    Some(words) => {
                        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                        parameter.set(&mut self.config, &words)
                    }
                    None => Err("unbalanced quotes".to_owned()),
                },
                values => parameter.set(&mut self.config, values),
            };
            outcome.map_err(Failure::Reason)?;
            if name == "save" {
                if self.saves && !self.config.save.is_empty() {
                    self.config.save.splice(0..0, before);
                }
                self.saves = true;
            }
            return Ok(());
        }
        match name.to_ascii_lowercase().as_slice() {
            b"include" => match values.as_slice() {
                [path] => self.include(Path::new(OsStr::from_bytes(path))),
                _ => Err(Failure::Reason("wrong number of arguments".to_owned())),
            },
            // Once parameters, now without a meaning.
            b"list-max-ziplist-entries" | b"list-max-ziplist-value" | b"lua-replicate-commands" => Ok(()),
            name @ (b"loadmodule" | b"rename-command" | b"sentinel" | b"user") => {
                Err(Failure::Reason(format!("{} is not supported", String::from_utf8_lossy(name))))
            }
            _ => Err(Failure::Reason("unknown directive".to_owned())),
        }
    }

    fn include(&mut self, path: &Path) -> Result<(), Failure> {
        if self.depth == MAXIMUM_DEPTH {
            return Err(Failure::Reason("files include each other too deep".to_owned()));
        }
        let unreadable = |path: &Path, error: io::Error| Failure::Reason(format!("{}: {error}", path.display()));
        for path in expand(path).map_err(|error| unreadable(path, error))? {
            let text = fs::read(&path).map_err(|error| unreadable(&path, error))?;
            self.depth += 1;
            let outcome = self.text(&Source::File(path), &text);
            self.depth -= 1;
            outcome.map_err(Failure::Included)?;
        }
        Ok(())
    }
}

/// The files that a path stands for: itself, or all that match if its file name has wildcards.
fn expand(path: &Path) -> io::Result<Vec<PathBuf>> {
    let name = path.file_name().unwrap_or_default().as_bytes();
    if !name.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) {
        return Ok(vec![path.to_owned()]);
    }
    let directory = path.parent().unwrap_or(Path::new(""));
    let shown = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let mut matching = Vec::new();
    for entry in fs::read_dir(shown)? {
        let found = entry?.file_name();
        let hidden = found.as_bytes().starts_with(b".") && !name.starts_with(b".");
        if !hidden && pattern::matches(name, found.as_bytes(), false) {
            matching.push(directory.join(found));
        }
    }
    matching.sort();
    Ok(matching)
}

/// Splits a line into words, or answers with nothing if a quote isn't closed or text follows a
/// closing quote at once.
pub fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let (word, after) = next_word(rest)?;
        words.push(word);
        rest = after.trim_ascii_start();
    }
    Some(words)
}

fn next_word(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    let mut rest = line;
    loop {
        match rest {
            [] => return Some((word, rest)),
            [byte, ..] if byte.is_ascii_whitespace() => return Some((word, rest)),
            [quote @ (b'"' | b'\''), after @ ..] => {
                let after = quoted(*quote, after, &mut word)?;
                return match after.first() {
                    Some(byte) if !byte.is_ascii_whitespace() => None,
                    _ => Some((word, after)),
                };
            }
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

/// Reads up to the closing quote, and answers with what comes after it.
fn quoted<'a>(quote: u8, text: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut rest = text;
    loop {
        rest = match (quote, rest) {
            (_, []) => return None,
            (_, [byte, after @ ..]) if *byte == quote => return Some(after),
            (b'"', [b'\\', b'x', high, low, after @ ..]) if digit(*high).is_some() && digit(*low).is_some() => {
                word.push(digit(*high)? << 4 | digit(*low)?);
                after
            }
            (b'"', [b'\\', escaped, after @ ..]) => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                after
            }
            (b'\'', [b'\\', b'\'', after @ ..]) => {
                word.push(b'\'');
                after
            }
            (_, [byte, after @ ..]) => {
                word.push(*byte);
                after
            }
        };
    }
}
