//! The slow log, and spikes of latency.

use std::collections::{BTreeMap, VecDeque};

use crate::commands::table::table;
use crate::config::is_sensitive;
use crate::store::Arguments;

/// The commands that took long.
#[derive(Debug, Default)]
pub struct SlowLog {
    /// The entries, the latest first.
    pub entries: VecDeque<SlowCommand>,
    /// The number of the next one.
    pub next: u64,
}

impl SlowLog {
    /// Adds a command, and forgets the oldest where there would be more than `most`.
    pub fn add(&mut self, most: usize, command: impl FnOnce(u64) -> SlowCommand) {
        let id = self.next;
        self.next += 1;
        self.entries.push_front(command(id));
        self.entries.truncate(most);
    }
}

/// A command that took long.
#[derive(Clone, Debug)]
pub struct SlowCommand {
    /// Its number.
    pub id: u64,
    /// When it was executed, in seconds since 1970.
    pub time: i64,
    /// How long it took, in microseconds.
    pub duration: u64,
    /// Its arguments, shortened and without secrets.
    pub arguments: Vec<Vec<u8>>,
    /// The client's address.
    pub peer: String,
    /// The client's name.
    pub name: Vec<u8>,
}

/// The arguments as the log keeps them: at most 32, each of at most 128 bytes, with a note of what is missing, and without
/// secrets.
pub(super) fn shorten(arguments: Arguments<'_>) -> Vec<Vec<u8>> {
    const ARGUMENTS: usize = 32;
    const BYTES: usize = 128;
    let count = arguments.len();
    let shown = if count > ARGUMENTS { ARGUMENTS - 1 } else { count };
    let secrets = Secrets::of(arguments);
    let mut kept: Vec<Vec<u8>> = arguments
        .from(0)
        .take(shown)
        .enumerate()
        .map(|(index, argument)| match argument.len().checked_sub(BYTES) {
            _ if secrets.hide(arguments, index) => b"(redacted)".to_vec(),
            None | Some(0) => argument.to_vec(),
            Some(more) => [&argument[..BYTES], format!("... ({more} more bytes)").as_bytes()].concat(),
        })
        .collect();
    if count > shown {
        kept.push(format!("... ({} more arguments)", count - shown).into_bytes());
    }
    kept
}

/// Which arguments of a command nobody may read in a log.
enum Secrets {
    None,
    /// `AUTH`: all.
    All,
    /// `HELLO … AUTH user password`: the two behind the option at this index.
    BehindAuth(usize),
    /// `CONFIG SET name value …`: the values of some parameters.
    Parameters,
}

impl Secrets {
    fn of(arguments: Arguments<'_>) -> Self {
        let is = |index: usize, name: &str| {
            index < arguments.len() && arguments.get(index).eq_ignore_ascii_case(name.as_bytes())
        };
        if is(0, "auth") {
            Secrets::All
        } else if is(0, "hello") {
            (1..arguments.len()).find(|index| is(*index, "auth")).map_or(Secrets::None, Secrets::BehindAuth)
        } else if is(0, "config") && is(1, "set") {
            Secrets::Parameters
        } else {
            Secrets::None
        }
    }

    fn hide(&self, arguments: Arguments<'_>, index: usize) -> bool {
        match self {
            Secrets::None => false,
            Secrets::All => index > 0,
            Secrets::BehindAuth(option) => (option + 1..=option + 2).contains(&index),
            Secrets::Parameters => index > 2 && index % 2 == 1 && is_sensitive(arguments.get(index - 1)),
        }
    }
}

/// Spikes of latency, by event.
#[derive(Debug, Default)]
pub struct Latency {
    /// The events that had one.
    pub events: BTreeMap<&'static str, LatencyEvent>,
}

/// The spikes of one event.
#[derive(Clone, Debug, Default)]
pub struct LatencyEvent {
    /// Seconds since 1970 and milliseconds; the latest last, one a second.
    pub samples: VecDeque<(i64, u64)>,
    /// The highest ever.
    pub maximum: u64,
}

impl Latency {
    /// As which event a command counts, given its name.
    pub fn event_of(name: &[u8]) -> &'static str {
        use crate::commands::Flags;
        let fast = table().find(name).is_some_and(|id| table().get(id).command.flags.has(Flags::FAST));
        if fast { "fast-command" } else { "command" }
    }

    /// Adds a spike of so many milliseconds in this second since 1970.
    pub fn add(&mut self, event: &'static str, second: i64, milliseconds: u64) {
        const SAMPLES: usize = 160;
        let event = self.events.entry(event).or_default();
        event.maximum = event.maximum.max(milliseconds);
        match event.samples.back_mut() {
            Some((last, longest)) if *last == second => *longest = (*longest).max(milliseconds),
            _ => {
                if event.samples.len() == SAMPLES {
                    event.samples.pop_front();
                }
                event.samples.push_back((second, milliseconds));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OwnedArguments;

    fn shortened(arguments: &[&str]) -> Vec<String> {
        let arguments: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
        let kept = shorten(OwnedArguments::from_slices(&arguments).borrow());
        kept.into_iter().map(|argument| String::from_utf8(argument).unwrap()).collect()
    }

    #[test]
    fn long_commands_are_shortened() {
        let long = "a".repeat(130);
        assert_eq!(shortened(&["get", &long]), ["get".to_string(), format!("{}... (2 more bytes)", &long[..128])]);
        let many = ["x"; 34];
        let kept = shortened(&many);
        assert_eq!((kept.len(), kept[31].as_str()), (32, "... (3 more arguments)"));
        assert_eq!(shortened(&many[..32]), many[..32]);
    }

    #[test]
    fn secrets_are_not_kept() {
        assert_eq!(shortened(&["AUTH", "me", "secret"]), ["AUTH", "(redacted)", "(redacted)"]);
        assert_eq!(
            shortened(&["HELLO", "3", "AUTH", "me", "secret", "SETNAME", "x"]),
            ["HELLO", "3", "AUTH", "(redacted)", "(redacted)", "SETNAME", "x"]
        );
        assert_eq!(
            shortened(&["config", "SET", "hz", "10", "requirepass", "secret"]),
            ["config", "SET", "hz", "10", "requirepass", "(redacted)"]
        );
        assert_eq!(shortened(&["config", "get", "requirepass"]), ["config", "get", "requirepass"]);
        assert_eq!(shortened(&["hello", "auth"]), ["hello", "auth"]);
    }

    #[test]
    fn one_spike_a_second_is_kept() {
        let mut latency = Latency::default();
        for second in 0..200 {
            latency.add("command", second, 10);
            latency.add("command", second, 5);
        }
        let event = &latency.events["command"];
        assert_eq!((event.samples.len(), event.samples[0], event.maximum), (160, (40, 10), 10));
    }
}
