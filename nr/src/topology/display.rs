//! How a topology reads: `node 0: CPUs 0-3 (2 cache domains: 0-1 | 2-3)`.

use core::fmt::{self, Display, Formatter};

use super::{CacheDomain, Node, Source, Topology};

impl Display for Topology {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", Count(self.nodes.len(), "NUMA node"), Count(self.cpus(), "CPU"))?;
        for node in &self.nodes {
            write!(f, "\n  {node}")?;
        }
        match &self.source {
            Source::Fallback { reason } => write!(f, "\n  assumed, as the machine's nodes are unknown: {reason}"),
            Source::Single => write!(f, "\n  assumed, without looking at the machine"),
            Source::Sysfs | Source::Manual => Ok(()),
        }
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "node {}: ", self.id())?;
        match self.cpus() {
            [] => return write!(f, "memory only"),
            [cpu] => write!(f, "CPU {cpu}")?,
            cpus => write!(f, "CPUs {}", Ranges(cpus))?,
        }
        write!(f, " ({}", Count(self.cache_domains().len(), "cache domain"))?;
        if let [first, second, others @ ..] = self.cache_domains() {
            write!(f, ": {first} | {second}")?;
            for domain in others {
                write!(f, " | {domain}")?;
            }
        }
        write!(f, ")")
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
    fn an_assumption_is_called_one() -> Result<(), TopologyError> {
        let by_hand = Topology::from_nodes([[0]])?;
        assert_eq!(by_hand.to_string(), "1 NUMA node, 1 CPU\n  node 0: CPU 0 (1 cache domain)");

        let fallback = Topology { source: Source::Fallback { reason: "no such file".into() }, ..by_hand.clone() };
        let line = "\n  assumed, as the machine's nodes are unknown: no such file";
        assert_eq!(fallback.to_string(), by_hand.to_string() + line);
        Ok(())
    }
}
