//! What a result was measured on, and with what.

use nr::topology::Topology;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A machine and a program that measures on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its name: the processor's, unless told otherwise.
    pub name: String,
    /// What simulates it; none if it is real.
    pub simulated_by: Option<String>,
    /// How many CPUs this process may use.
    pub cpus: usize,
    /// Nodes, caches and cores, in the text form of nr's `Topology`.
    pub topology: String,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// The operating system's kernel.
    pub kernel: String,
    /// The compiler.
    pub rustc: String,
    /// Of nr and of all rivals.
    pub versions: BTreeMap<String, String>,
    /// Tells this build of the program from others.
    pub build: String,
}

/// Crates that results depend on.
const RIVALS: [&str; 18] = [
    "node-replicated",
    "node-replication",
    "parking_lot",
    "spin",
    "dashmap",
    "papaya",
    "scc",
    "flurry",
    "evmap",
    "left-right",
    "crossbeam-skiplist",
    "crossbeam-epoch",
    "moka",
    "quick_cache",
    "lru",
    "hashbrown",
    "hdrhistogram",
    "nr-server",
];

impl Machine {
    /// This machine and this program.
    pub fn detect(name: Option<String>, simulated_by: Option<String>) -> Self {
        let topology = Topology::detect();
        Self {
            name: name.unwrap_or_else(processor),
            simulated_by,
            cpus: topology.usable_cpus().len(),
            topology: topology.to_text(),
            memory: kilobytes("MemTotal"),
            kernel: first_words("/proc/version", 3),
            rustc: env!("NR_BENCHES_RUSTC").into(),
            versions: versions(),
            build: build(),
        }
    }

    /// Whether results of both belong together.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.name, &self.simulated_by, &self.topology, &self.build)
            == (&other.name, &other.simulated_by, &other.topology, &other.build)
    }
}

/// Bytes of memory that programs can still have.
pub fn available_memory() -> Option<u64> {
    kilobytes("MemAvailable")
}

fn kilobytes(name: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.into(), |(_, name)| name.trim().into())
}

fn first_words(file: &str, count: usize) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().take(count).collect::<Vec<_>>().join(" ")
}

/// As the lock file has them.
fn versions() -> BTreeMap<String, String> {
    let quoted = |line: &str, key: &str| Some(line.strip_prefix(key)?.trim().trim_matches('"').to_owned());
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut name = String::new();
    for line in include_str!("../../../Cargo.lock").lines() {
        if let Some(new) = quoted(line, "name = ") {
            name = new;
        } else if let Some(version) = quoted(line, "version = ").filter(|_| RIVALS.contains(&name.as_str())) {
            // Of several the newest, which comes last.
            found.insert(name.clone(), version);
        }
    }
    found
}

fn build() -> String {
    let mut hasher = DefaultHasher::new();
    std::env::current_exe().and_then(fs::read).unwrap_or_default().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::{Machine, RIVALS};

    #[test]
    fn a_machine_says_what_it_is() {
        let machine = Machine::detect(None, None);
        assert!(machine.cpus > 0 && !machine.name.is_empty() && machine.rustc.starts_with("rustc"));
        for rival in RIVALS {
            assert!(machine.versions.contains_key(rival), "{rival}");
        }
        let text = serde_json::to_string(&machine).unwrap();
        assert_eq!(serde_json::from_str::<Machine>(&text).unwrap(), machine);
        assert!(machine.is_same(&Machine::detect(None, None)));
        assert!(!machine.is_same(&Machine::detect(Some("another".into()), None)));
    }
}
