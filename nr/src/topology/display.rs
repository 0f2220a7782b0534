//! How a topology reads: `node 0: CPUs 0-3 (2 cache domains: 0-1 | 2-3)`.

use core::fmt::{self, Display, Formatter};

use super::{CacheDomain, Node, Source, Topology};

impl Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", Count(self.nodes.len(), "NUMA node"), Count(self.cpus(), "CPU"))?;
        if self.usable.len() < self.cpus() {
            write!(f, ", of which this process may use {}", Ranges(&self.usable))?;
        }
        if let Some(nodes) = &self.usable_memory {
            write!(f, ", of which this process may use the memory of {}", Ranges(nodes))?;
        }
        for node in &self.nodes {
            write!(f, "\n  {node}")?;
        }
        if self.nodes.len() > 1 && !self.distances.is_empty() {
            write!(f, "\n  distances  ")?;
            for node in &self.nodes {
                write!(f, "{:>5}", node.id())?;
            }
            for (node, row) in self.nodes.iter().zip(self.distances.chunks(self.nodes.len())) {
                write!(f, "\n    node {:<4}", node.id())?;
                for distance in row {
                    write!(f, "{distance:>5}")?;
                }
            }
        }
        match &self.source {
            Source::Fallback { reason } => write!(f, "\n  assumed, as the machine's nodes are unknown: {reason}"),
            Source::Single => write!(f, "\n  assumed, without looking at the machine"),
            Source::Sysfs | Source::Hwloc | Source::Manual => Ok(()),
        }
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}: ", self.id())?;
        let memory = self.memory().map(Bytes);
        match (self.cpus(), memory) {
            ([], Some(memory)) => return write!(f, "memory only, {memory}"),
            ([], None) => return write!(f, "memory only"),
            ([cpu], _) => write!(f, "CPU {cpu}")?,
            (cpus, _) => write!(f, "CPUs {}", Ranges(cpus))?,
        }
        match memory {
            Some(Bytes(0)) => write!(f, ", no memory")?,
            Some(memory) => write!(f, ", {memory}")?,
            None => {}
        }
        let cores = self.cores().len();
        write!(f, " (")?;
        if cores < self.cpus().len() {
            write!(f, "{}, ", Count(cores, "core"))?;
        }
        write!(f, "{}", Count(self.cache_domains().len(), "cache domain"))?;
        // Of many, a line for each few.
        if self.cache_domains().len() > 1 {
            for (index, domain) in self.cache_domains().iter().enumerate() {
                match index {
                    0 => write!(f, ": ")?,
                    index if index % DOMAINS_IN_A_LINE == 0 => write!(f, "\n      | ")?,
                    _ => write!(f, " | ")?,
                }
                write!(f, "{domain}")?;
            }
        }
        write!(f, ")")
    }
}

/// How many cache domains are named in a line.
const DOMAINS_IN_A_LINE: usize = 8;

/// A number of bytes, in the largest unit of which there is one.
#[derive(Clone, Copy)]
struct Bytes(u64);

impl Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        match units.into_iter().find(|(shift, _)| self.0 >> shift > 0) {
            Some((shift, unit)) => write!(f, "{:.1} {unit}", self.0 as f64 / (1_u64 << shift) as f64),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

/// The CPU numbers alone, as in `0-3,8`.
impl Display for CacheDomain {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Ranges(self.cpus()).fmt(f)
    }
}

/// A number of things, with their singular name.
struct Count(usize, &'static str);

impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(number, noun) = *self;
        let plural = if number == 1 { "" } else { "s" };
        write!(f, "{number} {noun}{plural}")
    }
}

/// Ascending numbers as the kernel writes them.
pub(crate) fn ranges(numbers: &[usize]) -> impl Display {
    Ranges(numbers)
}

/// Ascending numbers, as the kernel writes them: `0-3,8,10-11`.
struct Ranges<'a>(&'a [usize]);

impl Display for Ranges<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for run in self.0.chunk_by(|number, next| number + 1 == *next) {
            match run {
                [first, .., last] => write!(f, "{separator}{first}-{last}")?,
                [only] => write!(f, "{separator}{only}")?,
                [] => {}
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString, vec};

    use super::*;
    use crate::topology::TopologyError;

    #[test]
    fn ranges_are_compressed() {
        assert_eq!(Ranges(&[]).to_string(), "");
        assert_eq!(Ranges(&[7]).to_string(), "7");
        assert_eq!(Ranges(&[0, 1, 2, 3, 8, 10, 11]).to_string(), "0-3,8,10-11");
    }

    #[test]
    fn every_kind_of_node() -> Result<(), TopologyError> {
        let topology =
            Topology::from_nodes([vec![0, 1, 2, 3], vec![8], vec![]])?.with_cache_domains([[0, 2], [1, 3]])?;
        let lines = [
            "3 NUMA nodes, 5 CPUs",
            "  node 0: CPUs 0-3 (2 cache domains: 0,2 | 1,3)",
            "  node 1: CPU 8 (1 cache domain)",
            "  node 2: memory only",
        ];
        assert_eq!(topology.to_string(), lines.join("\n"));
        Ok(())
    }

    #[test]
    fn everything_that_is_known() {
        let topology: Topology = "node 0: cpus 0-3; cores 0,2 | 1,3; memory 1536 MiB\nnode 2: cpus 4; memory 0\n\
                                  node 5: cpus; memory 4 TiB\ndistances: 10 21 17 / 21 10 28 / 17 28 10\nusable: 1-4"
            .parse()
            .unwrap();
        let lines = [
            "3 NUMA nodes, 5 CPUs, of which this process may use 1-4",
            "  node 0: CPUs 0-3, 1.5 GiB (2 cores, 1 cache domain)",
            "  node 2: CPU 4, no memory (1 cache domain)",
            "  node 5: memory only, 4.0 TiB",
            "  distances      0    2    5",
            "    node 0      10   21   17",
            "    node 2      21   10   28",
            "    node 5      17   28   10",
        ];
        assert_eq!(topology.to_string(), lines.join("\n"));
    }

    #[test]
    fn an_assumption_is_called_one() -> Result<(), TopologyError> {
        let by_hand = Topology::from_nodes([[0]])?;
        assert_eq!(by_hand.to_string(), "1 NUMA node, 1 CPU\n  node 0: CPU 0 (1 cache domain)");

        let fallback = Topology { source: Source::Fallback { reason: "no such file".into() }, ..by_hand.clone() };
        let line = "\n  assumed, as the machine's nodes are unknown: no such file";
        assert_eq!(fallback.to_string(), by_hand.to_string() + line);
        Ok(())
    }
}
