//! The text form of a topology: for files, bug reports, and machines that one does not have.

use alloc::{format, string::String, vec::Vec};
use core::fmt::Write;
use core::str::FromStr;

use super::list::{parse_list, parse_number};
use super::{Topology, TopologyError, ranges};

impl Topology {
    /// The topology as text that [`from_str`](Self::from_str) reads, with everything but its source.
    ///
    /// ```
    /// use nr::topology::Topology;
    ///
    /// let topology = Topology::from_nodes([0..4, 4..8])?.with_distances([[10, 21], [21, 10]])?;
    /// assert_eq!(topology.to_text(), "node 0: cpus 0-3\nnode 1: cpus 4-7\ndistances: 10 21 / 21 10\n");
    /// assert!(topology.to_text().parse::<Topology>()?.is_same_machine(&topology));
    /// # Ok::<(), nr::topology::TopologyError>(())
    /// ```
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let groups = |groups: &mut dyn Iterator<Item = &[usize]>| {
            groups.map(|cpus| format!("{}", ranges(cpus))).collect::<Vec<_>>().join(" | ")
        };
        for node in &self.nodes {
            // A `String` takes everything.
            let _ = write!(text, "node {}: cpus {}", node.id(), ranges(node.cpus()));
            if node.cache_domains().len() > 1 {
                let _ =
                    write!(text, "; caches {}", groups(&mut node.cache_domains().iter().map(|domain| domain.cpus())));
            }
            if node.cores().len() < node.cpus().len() {
                let several = node.cores().iter().map(|core| core.threads()).filter(|threads| threads.len() > 1);
                let _ = write!(text, "; cores {}", groups(&mut several.into_iter()));
            }
            if let Some(bytes) = node.memory() {
                let _ = write!(text, "; memory {bytes}");
            }
            text.push('\n');
        }
        if !self.distances.is_empty() {
            let row = |row: &[u32]| row.iter().map(|distance| format!("{distance}")).collect::<Vec<_>>().join(" ");
            let rows: Vec<String> = self.distances.chunks(self.nodes.len()).map(row).collect();
            let _ = writeln!(text, "distances: {}", rows.join(" / "));
        }
        if self.usable.len() < self.cpus() {
            let _ = writeln!(text, "usable: {}", ranges(&self.usable));
        }
        if let Some(nodes) = &self.usable_memory {
            let _ = writeln!(text, "usable memory: {}", ranges(nodes));
        }
        text
    }
}

/// Reads a topology from text, a line for each node:
///
/// ```text
/// # two sockets of two chiplets, and memory on a bus
/// node 0: cpus 0-7; caches 0-3 | 4-7; cores 0,4 | 1,5 | 2,6 | 3,7; memory 64 GiB
/// node 1: cpus 8-15
/// node 2: cpus; memory 256 GiB
/// distances: 10 21 17 / 21 10 28 / 17 28 10
/// usable: 0-11
/// ```
///
/// * `node ID: cpus LIST`, by ascending id, with the CPUs as the kernel lists them. After it, in any order and each after a semicolon:
///   `caches` and the CPUs of each last-level cache; `cores` and the CPUs of each core with several hardware threads; `memory` and a number of
///   bytes, or of `KiB`, `MiB`, `GiB` or `TiB`.
/// * `distances:` and a row for each node, as in [`with_distances`](Topology::with_distances); `usable:` and CPUs, as in
///   [`with_usable_cpus`](Topology::with_usable_cpus); and `usable memory:` and the ids of nodes, as in
///   [`with_usable_memory`](Topology::with_usable_memory).
/// * Empty lines, and what follows a `#`, are left out.
///
/// # Errors
/// [`TopologyError::Text`] says in which line what is wrong; what is well written but makes no sense has the error of the
/// method that would refuse it.
///
/// ```
/// use nr::topology::Topology;
///
/// let topology: Topology = "node 0: cpus 0-1\nnode 2: cpus 2-3".parse()?;
/// assert_eq!(topology.nodes()[1].id(), 2);
/// let error = "node 0: cpus 0-1\nnode one".parse::<Topology>().unwrap_err();
/// assert_eq!(error.to_string(), "line 2: `node ID: cpus LIST` is expected, not \"node one\"");
/// # Ok::<(), nr::topology::TopologyError>(())
/// ```
impl FromStr for Topology {
    type Err = TopologyError;

    fn from_str(text: &str) -> Result<Self, TopologyError> {
        let mut parsed = Parsed::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            parsed.line(line).map_err(|reason| TopologyError::Text { line: index + 1, reason })?;
        }
        parsed.build()
    }
}

#[derive(Default)]
struct Parsed {
    ids: Vec<usize>,
    nodes: Vec<Vec<usize>>,
    caches: Vec<Vec<usize>>,
    cores: Vec<Vec<usize>>,
    memory: Vec<(usize, u64)>,
    distances: Option<Vec<Vec<u32>>>,
    usable: Option<Vec<usize>>,
    usable_memory: Option<Vec<usize>>,
}

impl Parsed {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some(rows) = line.strip_prefix("distances:") {
            let number = |word: &str| word.parse().map_err(|_| format!("{word:?} is not a distance"));
            let row = |row: &str| row.split_whitespace().map(number).collect();
            let rows: Result<Vec<Vec<u32>>, String> = rows.split('/').map(row).collect();
            return once(&mut self.distances, rows?, "distances");
        }
        if let Some(nodes) = line.strip_prefix("usable memory:") {
            let nodes = parse_list(nodes.trim(), Topology::MAX_NODES)?;
            return once(&mut self.usable_memory, nodes, "usable memory");
        }
        if let Some(cpus) = line.strip_prefix("usable:") {
            return once(&mut self.usable, list(cpus)?, "usable");
        }
        match line {
            "" => Ok(()),
            line => self.node(line),
        }
    }

    fn node(&mut self, line: &str) -> Result<(), String> {
        let expected = || format!("`node ID: cpus LIST` is expected, not {line:?}");
        let (id, rest) = line.strip_prefix("node ").and_then(|rest| rest.split_once(':')).ok_or_else(expected)?;
        let id = parse_number(id.trim()).map_err(|_| expected())?;
        if id >= Topology::MAX_NODES || self.ids.last().is_some_and(|last| *last >= id) {
            let most = Topology::MAX_NODES - 1;
            return Err(format!("nodes come by ascending id, from 0 to {most}; {id} does not fit"));
        }
        let mut clauses = rest.split(';').map(str::trim);
        let cpus = clauses.next().and_then(|clause| clause.strip_prefix("cpus"));
        let cpus = cpus.filter(|cpus| cpus.is_empty() || cpus.starts_with(' ')).ok_or_else(expected)?;
        self.ids.push(id);
        self.nodes.push(list(cpus)?);
        let (mut caches, mut cores, mut memory) = (None, None, None);
        for clause in clauses.filter(|clause| !clause.is_empty()) {
            let (name, value) = clause.split_once(' ').unwrap_or((clause, ""));
            match name {
                "caches" => once(&mut caches, self.groups(value)?, name)?,
                "cores" => once(&mut cores, self.groups(value)?, name)?,
                "memory" => once(&mut memory, bytes(value)?, name)?,
                _ => return Err(format!("`caches`, `cores` or `memory` is expected, not {clause:?}")),
            }
        }
        self.caches.extend(caches.into_iter().flatten());
        self.cores.extend(cores.into_iter().flatten());
        self.memory.extend(memory.map(|bytes| (id, bytes)));
        Ok(())
    }

    /// Lists of CPUs of the last node.
    fn groups(&self, text: &str) -> Result<Vec<Vec<usize>>, String> {
        let groups: Vec<Vec<usize>> = text.split('|').map(list).collect::<Result<_, String>>()?;
        let node = self.nodes.last().map_or(&[][..], Vec::as_slice);
        match groups.iter().flatten().find(|cpu| node.binary_search(cpu).is_err()) {
            None => Ok(groups),
            Some(stranger) => Err(format!("CPU {stranger} is not one of the node's")),
        }
    }

    fn build(self) -> Result<Topology, TopologyError> {
        let mut topology =
            Topology::from_nodes(self.nodes)?.with_node_ids(self.ids)?.with_cache_domains(self.caches)?;
        topology = topology.with_cores(self.cores)?.with_memory(self.memory)?;
        if let Some(distances) = self.distances {
            topology = topology.with_distances(distances)?;
        }
        if let Some(usable) = self.usable {
            topology = topology.with_usable_cpus(usable)?;
        }
        match self.usable_memory {
            Some(usable) => topology.with_usable_memory(usable),
            None => Ok(topology),
        }
    }
}

fn once<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("`{name}` is given a second time")),
    }
}

fn list(text: &str) -> Result<Vec<usize>, String> {
    parse_list(text.trim(), Topology::MAX_CPUS)
}

fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit.trim() {
        "" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => 64,
    };
    let bytes = number.parse::<u64>().ok().filter(|_| shift < 64).and_then(|number| number.checked_mul(1 << shift));
    bytes
        .ok_or_else(|| format!("{text:?} is not a number of bytes; `17179869184` and `16 GiB` are, up to 16777215 TiB"))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    const FULL: &str = "\
# two sockets of two chiplets, and memory on a bus
node 0: cpus 0-7; caches 0-3 | 4-7; cores 0,2 | 1,3; memory 64 GiB

node 3: cpus 8-15; memory 0   # without memory
node 7: cpus; memory 1 TiB
distances: 10 21 17 / 21 10 28 / 17 28 10
usable: 0-11
";

    #[test]
    fn everything_goes_there_and_back() {
        let topology: Topology = FULL.parse().unwrap();
        assert_eq!(topology.nodes()[0].memory(), Some(64 << 30));
        assert_eq!(topology.nodes()[1].memory(), Some(0));
        assert_eq!(topology.nodes()[2].memory(), Some(1 << 40));
        assert_eq!(topology.distance(3, 7), Some(28));
        assert_eq!(topology.usable_cpus().len(), 12);
        assert_eq!(topology.nodes()[0].cache_domains().len(), 2);
        assert_eq!(topology.nodes()[0].cores().len(), 6);
        let again: Topology = topology.to_text().parse().unwrap();
        assert_eq!(again, topology);
    }

    /// Every prefix, and every text with one byte changed, is read or refused.
    #[test]
    fn damaged_text_is_refused_or_read() {
        for end in (0..FULL.len()).filter(|end| FULL.is_char_boundary(*end)) {
            let _ = FULL[..end].parse::<Topology>();
            for byte in ["0", "9", ",", "-", "|", ";", "/", "\n", "x", " ", "99999999999999999999999"] {
                let damaged = [&FULL[..end], byte, &FULL[end + 1..]].concat();
                if let Ok(topology) = damaged.parse::<Topology>() {
                    assert_eq!(topology.to_text().parse(), Ok(topology), "{damaged}");
                }
            }
        }
    }

    #[test]
    fn errors_say_where_and_what() {
        let error = |text: &str| text.parse::<Topology>().unwrap_err().to_string();
        assert_eq!(error(""), "no node has a CPU; at least one must have one");
        assert_eq!(error("node 0: cpus 0-1\nnodes"), "line 2: `node ID: cpus LIST` is expected, not \"nodes\"");
        assert_eq!(error("node 0: cpus 1-0"), "line 1: a list must ascend, and does not at \"1-0\"");
        assert_eq!(
            error("node 0: cpus 0; cache 0"),
            "line 1: `caches`, `cores` or `memory` is expected, not \"cache 0\""
        );
        assert!(error("node 0: cpus 0; memory 16 GB").starts_with("line 1: \"16 GB\" is not a number of bytes"));
        assert!(error("node 0: cpus 0; memory 16777216 TiB").starts_with("line 1: "));
        assert_eq!(error("node 0: cpus 0\nusable: 0\nusable: 0"), "line 3: `usable` is given a second time");
        assert_eq!(error("node 0: cpus 0; memory 1; memory 2"), "line 1: `memory` is given a second time");
        assert_eq!(error("node 0: cpus 0; caches 1\nnode 1: cpus 1"), "line 1: CPU 1 is not one of the node's");
        assert!("node 0: cpus 0;".parse::<Topology>().is_ok());
        assert_eq!(
            error("node 0: cpus 0\nnode 1: cpus 0"),
            "CPU 0 is named twice, in node 0 and again in node 1; each CPU may be named once"
        );
    }
}
