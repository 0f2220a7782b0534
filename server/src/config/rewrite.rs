//! Writing the parameters back into the file that they came from.
//!
//! Comments, order and whatever line still says the truth stay as they are. Other lines are replaced, and parameters that
//! the file doesn't have are added at its end unless they have their default.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::file::{Loader, split_words};
use super::{Config, PARAMETERS, Parameter, parameters};

/// The comment above what was added to a file.
const SIGNATURE: &[u8] = b"# Added by CONFIG REWRITE";

/// Which parameters are added to a file that doesn't have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// Those that don't have their default.
    Changed,
    /// All.
    All,
}

/// Makes the file say what `config` says. A reader of the file finds the old one or the new one, whole.
///
/// # Errors
///
/// If the file can't be read, or no other file can be written beside it. It is then unchanged.
pub fn rewrite_file(path: &Path, config: &Config, added: Added) -> io::Result<()> {
    let old = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let outcome = replace(path, &beside, &rewritten(&old, config, added));
    if outcome.is_err() {
        // It may not even have been created.
        let _ = fs::remove_file(&beside);
    }
    outcome
}

fn replace(path: &Path, beside: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = File::create(beside)?;
    if let Ok(metadata) = fs::metadata(path) {
        file.set_permissions(metadata.permissions())?;
    }
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(beside, path)?;
    // The new name is on the disk once its directory is.
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

/// The text of a file, made to say what `config` says.
pub fn rewritten(text: &[u8], config: &Config, added: Added) -> Vec<u8> {
    let mut seen = HashSet::new();
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n') {
        lines.extend(rewritten_line(line, config, &mut seen));
    }
    if text.is_empty() {
        lines.clear();
    }
    let defaults = Config::default();
    let is_missing = |parameter: &&Parameter| {
        let wanted = added == Added::All || parameter.get(config) != parameter.get(&defaults);
        wanted && !seen.contains(parameter.name)
    };
    let missing: Vec<Vec<u8>> =
        PARAMETERS.iter().filter(is_missing).map(|parameter| directive(parameter, config)).collect();
    if !missing.is_empty() && !lines.iter().any(|line| line == SIGNATURE) {
        lines.push(SIGNATURE.to_vec());
    }
    lines.extend(missing);
    lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect()
}

/// What becomes of a line; nothing if an earlier one says it all.
fn rewritten_line(line: &[u8], config: &Config, seen: &mut HashSet<&'static str>) -> Option<Vec<u8>> {
    let trimmed = line.trim_ascii();
    if trimmed.is_empty() || trimmed.starts_with(b"#") {
        return Some(line.to_vec());
    }
    let Some(words) = split_words(trimmed) else {
        // Somebody has changed the file since it was read; the next start shall not fail on it.
        return Some([b"# ??? ", trimmed].concat());
    };
    let Some((_, parameter)) = parameters::find(&words[0]) else { return Some(line.to_vec()) };
    if !seen.insert(parameter.name) {
        return None;
    }
    let mut loader = Loader::new();
    let is_true = loader.directive(&words).is_ok() && parameter.get(&loader.finish()) == parameter.get(config);
    Some(if is_true { line.to_vec() } else { directive(parameter, config) })
}

/// A line that gives the parameter its value.
fn directive(parameter: &Parameter, config: &Config) -> Vec<u8> {
    let value = parameter.get(config);
    let mut line = parameter.name.as_bytes().to_vec();
    if parameter.kind.takes_several() {
        value.split(|byte| *byte == b' ').for_each(|word| push_word(&mut line, word));
    } else {
        push_word(&mut line, &value);
    }
    line
}

/// Adds a space and a word, in quotes if it needs them.
fn push_word(line: &mut Vec<u8>, word: &[u8]) {
    line.push(b' ');
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'');
    if !word.is_empty() && word.iter().all(is_plain) {
        line.extend_from_slice(word);
        return;
    }
    line.push(b'"');
    for byte in word {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', *byte]),
            b' '..=b'~' => line.push(*byte),
            _ => line.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file;

    fn rewritten_text(text: &str, pairs: &[(&[u8], &[u8])]) -> String {
        let mut loader = Loader::new();
        loader.text(&file::Source::StandardInput, text.as_bytes()).unwrap();
        let config = loader.finish().set(pairs).unwrap();
        String::from_utf8(rewritten(text.as_bytes(), &config, Added::Changed)).unwrap()
    }

    #[test]
    fn what_is_true_stays() {
        let text = "# My file\n\n  maxmemory 2mb # is no comment\n".replace(" # is no comment", "");
        assert_eq!(rewritten_text(&text, &[]), text);
        assert_eq!(rewritten_text("", &[]), "");
        assert_eq!(rewritten_text("hz 20", &[]), "hz 20\n");
    }

    #[test]
    fn changed_values_take_the_place_of_their_lines() {
        assert_eq!(
            rewritten_text("# Memory\nmaxmemory 2mb\n# End\n", &[(b"maxmemory", b"3mb")]),
            "# Memory\nmaxmemory 3145728\n# End\n"
        );
        assert_eq!(
            rewritten_text(
                "hash-max-ziplist-entries 20\nhash-max-listpack-entries 21\n",
                &[(b"hash-max-listpack-entries", b"100")]
            ),
            "hash-max-listpack-entries 100\n"
        );
        assert_eq!(rewritten_text("save 10 1\nsave 20 2\n", &[]), "save 10 1 20 2\n");
        assert_eq!(rewritten_text("save 10 1\n", &[(b"save", b"")]), "save \"\"\n");
        assert_eq!(rewritten_text("hz 20\n", &[(b"hz", b"10")]), "hz 10\n");
    }

    #[test]
    fn other_changed_values_come_last() {
        let once = rewritten_text("# x\n", &[(b"requirepass", b"a \"b\\\x01"), (b"hz", b"20")]);
        let added = "# Added by CONFIG REWRITE\nrequirepass \"a \\\"b\\\\\\x01\"\nhz 20\n";
        assert_eq!(once, format!("# x\n{added}"));
        let twice = rewritten_text(&once, &[(b"timeout", b"5")]);
        assert_eq!(twice, format!("{once}timeout 5\n"));
    }

    #[test]
    fn unreadable_lines_become_comments() {
        let text = rewritten(b"hz \"2\nmaxmemory x\n", &Config::default(), Added::Changed);
        assert_eq!(text, b"# ??? hz \"2\nmaxmemory 0\n");
    }

    #[test]
    fn a_file_with_everything_gives_the_same_configuration() {
        let pairs: [(&[u8], &[u8]); 4] = [
            (b"save", b""),
            (b"client-output-buffer-limit", b"pubsub 1 2 3"),
            (b"shutdown-on-sigterm", b"nosave now"),
            (b"proc-title-template", b"--'x y'"),
        ];
        let config = Config::default().set(&pairs).unwrap();
        let directory = std::env::temp_dir().join(format!("nr-server-rewrite-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("nr.conf");
        rewrite_file(&path, &config, Added::All).unwrap();
        let read = file::load(&path).unwrap();
        assert_eq!(read, Config { config_file: Some(path.clone()), ..config });
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        fs::remove_dir_all(&directory).unwrap();
    }
}
