//! What keys cost in memory: the resident set before and after they are loaded, and what the server says it uses.

use crate::client::{Client, encode};
use crate::comparison::{Comparison, Goal, show};
use crate::peer::{Peer, Running};
use clap::ValueEnum;
use serde_json::Value;
use std::thread::sleep;
use std::time::Duration;

/// How long a server may tidy up before its memory is looked at.
const SETTLE: Duration = Duration::from_millis(500);
/// A value of 64 bytes.
const VALUE: &str = "a value of 64 bytes, which is a usual size for a small record...";

/// What is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Data {
    /// 1,000,000 keys of 10 bytes with values of 64 bytes.
    Strings,
    /// 1,000,000 keys of 10 bytes with small integers.
    Integers,
    /// 100,000 hashes of 10 fields.
    Hashes,
}

impl Data {
    fn headline(self) -> &'static str {
        match self {
            Data::Strings => "1,000,000 keys of 10 bytes, values of 64 bytes",
            Data::Integers => "1,000,000 keys of 10 bytes, small integers",
            Data::Hashes => "100,000 hashes of 10 fields",
        }
    }

    fn keys(self) -> u64 {
        match self {
            Data::Strings | Data::Integers => 1_000_000,
            Data::Hashes => 100_000,
        }
    }

    fn load(self, client: &mut Client) -> Result<(), String> {
        let key = |number| format!("key:{number:06}");
        match self {
            Data::Strings => {
                client.load(self.keys(), "+OK\r\n", |number, into| encode(&["SET", &key(number), VALUE], into))
            }
            Data::Integers => client.load(self.keys(), "+OK\r\n", |number, into| {
                encode(&["SET", &key(number), &(number % 1000).to_string()], into);
            }),
            Data::Hashes => client.load(self.keys(), ":10\r\n", |number, into| {
                let pairs: Vec<String> =
                    (0..10).flat_map(|n| [format!("field:{n}"), format!("value:{number}")]).collect();
                let (key, mut words) = (key(number), vec!["HSET"]);
                words.push(&key);
                words.extend(pairs.iter().map(String::as_str));
                encode(&words, into);
            }),
        }
    }
}

/// What one server needed.
struct Measured {
    before: u64,
    after: u64,
    used: u64,
    /// Bytes a key: growth of the resident set over the number of keys.
    per_key: f64,
}

/// Loads both servers in turn, prints a table for each kind of data, and gives the figures for the file.
pub(crate) fn compare(peers: &[Peer; 2], data: &[Data], rounds: usize) -> Result<Value, String> {
    let mut tables = Vec::new();
    for data in data {
        let goal = (*data == Data::Strings).then_some(Goal::RatioAtMost(1.2));
        let mut figures = [
            Comparison::new("resident before, MiB", 1, None),
            Comparison::new("resident after, MiB", 1, goal),
            Comparison::new("growth, bytes a key", 1, goal),
            Comparison::new("used_memory, MiB", 1, None),
        ];
        for round in 0..rounds {
            eprintln!("memory: {}, round {} of {rounds}", data.headline(), round + 1);
            let [a, b] = [&peers[0], &peers[1]]
                .map(|peer| measure(peer, *data).map_err(|error| format!("{}: {error}", peer.name)));
            let (a, b) = (a?, b?);
            let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
            figures[0].add([mib(a.before), mib(b.before)]);
            figures[1].add([mib(a.after), mib(b.after)]);
            figures[2].add([a.per_key, b.per_key]);
            figures[3].add([mib(a.used), mib(b.used)]);
        }
        tables.push(show(data.headline(), [&peers[0].name, &peers[1].name], &figures));
    }
    Ok(tables.into())
}

/// Starts a server, loads it, and looks at its memory before and after.
fn measure(peer: &Peer, data: Data) -> Result<Measured, String> {
    let server = peer.start()?;
    let before = server.resident()?;
    let mut client = server.client()?;
    data.load(&mut client)?;
    sleep(SETTLE);
    let after = server.resident()?;
    let used = used_memory(&server)?;
    Ok(Measured { before, after, used, per_key: after.saturating_sub(before) as f64 / data.keys() as f64 })
}

/// What the server itself counts.
fn used_memory(server: &Running) -> Result<u64, String> {
    let information = server.client()?.call(&["INFO", "memory"])?;
    let information = String::from_utf8_lossy(&information);
    let number = information.lines().find_map(|line| line.strip_prefix("used_memory:")?.parse().ok());
    number.ok_or_else(|| "INFO memory has no used_memory".into())
}

#[cfg(test)]
mod tests {
    use super::VALUE;

    #[test]
    fn the_value_has_its_size() {
        assert_eq!(VALUE.len(), 64);
    }
}
