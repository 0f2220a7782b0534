use alloc::string::String;
use core::{error::Error, fmt};

use super::Topology;

/// Why a [`Topology`] made by hand is refused. Its message says what is wrong and what is allowed.
///
/// ```
/// use nr::topology::Topology;
///
/// let error = Topology::from_nodes([0..4, 3..8]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "CPU 3 is named twice, in node 0 and again in node 1; each CPU may be named once"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopologyError {
    /// There is no node, or no node has a CPU.
    NoCpu,
    /// There are more nodes than [`Topology::MAX_NODES`].
    TooManyNodes,
    /// A CPU number is not below [`Topology::MAX_CPUS`].
    CpuOutOfRange {
        /// The number.
        cpu: usize,
    },
    /// A CPU is named twice, in two nodes or in one.
    CpuInTwoNodes {
        /// The CPU's number.
        cpu: usize,
        /// The ids of the two nodes, in the order given; equal if one node names the CPU twice.
        nodes: [usize; 2],
    },
    /// A CPU is named twice, in two cache domains or in one.
    CpuInTwoDomains {
        /// The CPU's number.
        cpu: usize,
        /// The positions of the two domains, in the order given; equal if one domain names the CPU
        /// twice.
        domains: [usize; 2],
    },
    /// A cache domain has CPUs of two nodes.
    DomainAcrossNodes {
        /// The position of the domain, in the order given.
        domain: usize,
        /// The ids of the two nodes.
        nodes: [usize; 2],
    },
    /// A cache domain names a CPU that is in no node.
    UnknownCpu {
        /// The CPU's number.
        cpu: usize,
        /// The position of the domain, in the order given.
        domain: usize,
    },
    /// A cache domain has no CPU.
    EmptyDomain {
        /// The position of the domain, in the order given.
        domain: usize,
    },
    /// A core has no CPU, or one that is in no node, in another core, or in another cache domain than the core's first.
    Core {
        /// The position of the core, in the order given.
        core: usize,
        /// The CPU's number, if it is about one.
        cpu: Option<usize>,
    },
    /// Ids of nodes are not as many as there are nodes, don't ascend, or are too large.
    NodeIds {
        /// How many nodes there are.
        nodes: usize,
    },
    /// There is no node of that id.
    UnknownNode {
        /// The id.
        id: usize,
    },
    /// A node has neither CPUs nor memory.
    EmptyNode {
        /// The id.
        id: usize,
    },
    /// Distances are not a square, or not distances.
    Distances {
        /// How many nodes there are.
        nodes: usize,
    },
    /// None of the CPUs that may be used is in a node.
    NoUsableCpu,
    /// None of the nodes whose memory may be used has any.
    NoUsableMemory,
    /// A text form is not written as it should be.
    Text {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCpu => write!(f, "no node has a CPU; at least one must have one"),
            Self::TooManyNodes => {
                let max = Topology::MAX_NODES;
                write!(f, "there are more than {max} nodes; at most {max} are allowed")
            }
            Self::CpuOutOfRange { cpu } => {
                let max = Topology::MAX_CPUS - 1;
                write!(f, "CPU {cpu} is out of range; CPU numbers go from 0 to {max}")
            }
            Self::CpuInTwoNodes { cpu, nodes: [first, second] } => write!(
                f,
                "CPU {cpu} is named twice, in node {first} and again in node {second}; \
                 each CPU may be named once"
            ),
            Self::CpuInTwoDomains { cpu, domains: [first, second] } => write!(
                f,
                "CPU {cpu} is named twice, in cache domain {first} \
                 and again in cache domain {second}; each CPU may be named once"
            ),
            Self::DomainAcrossNodes { domain, nodes: [first, second] } => write!(
                f,
                "cache domain {domain} has CPUs of node {first} and of node {second}; \
                 a cache domain lies within one node"
            ),
            Self::UnknownCpu { cpu, domain } => write!(
                f,
                "cache domain {domain} names CPU {cpu}, which is in no node; \
                 a cache domain has CPUs of its node only"
            ),
            Self::EmptyDomain { domain } => {
                write!(f, "cache domain {domain} has no CPU; each cache domain needs at least one")
            }
            Self::Core { core, cpu: None } => write!(f, "core {core} has no CPU; each core needs at least one"),
            Self::Core { core, cpu: Some(cpu) } => write!(
                f,
                "core {core} names CPU {cpu}, which is in no node, in another core, or in another cache domain than the \
                 core's first CPU; a core has CPUs of one cache domain that no other core has"
            ),
            Self::NodeIds { nodes } => {
                let max = Topology::MAX_NODES - 1;
                write!(f, "the nodes' ids don't fit; {nodes} are wanted, ascending, from 0 to {max}")
            }
            Self::UnknownNode { id } => write!(f, "there is no node {id}"),
            Self::EmptyNode { id } => {
                write!(f, "node {id} has neither CPUs nor memory; a node has one of them at least")
            }
            Self::Distances { nodes } => write!(
                f,
                "the distances don't fit; {nodes} rows of {nodes} numbers from 1 to 255 are wanted, none of a row smaller \
                 than that of the node to itself"
            ),
            Self::NoUsableCpu => write!(f, "none of the CPUs that may be used is in a node; at least one must be"),
            Self::NoUsableMemory => write!(f, "none of the nodes whose memory may be used has any; at least one must"),
            Self::Text { line, reason } => write!(f, "line {line}: {reason}"),
        }
    }
}

impl Error for TopologyError {}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString, vec, vec::Vec};
    use core::iter;

    use super::*;

    #[test]
    fn no_cpu() {
        assert_eq!(Topology::from_nodes(Vec::<Vec<usize>>::new()), Err(TopologyError::NoCpu));
        assert_eq!(Topology::from_nodes([[], []]), Err(TopologyError::NoCpu));
    }

    #[test]
    fn a_cpu_named_twice() {
        let across = Topology::from_nodes([[0, 1], [2, 0]]);
        assert_eq!(across, Err(TopologyError::CpuInTwoNodes { cpu: 0, nodes: [0, 1] }));
        let within = Topology::from_nodes([vec![0], vec![1, 1]]);
        assert_eq!(within, Err(TopologyError::CpuInTwoNodes { cpu: 1, nodes: [1, 1] }));
    }

    #[test]
    fn endless_input_ends_in_an_error() {
        let max = Topology::MAX_CPUS;
        assert_eq!(Topology::from_nodes([0..]), Err(TopologyError::CpuOutOfRange { cpu: max }));
        assert_eq!(Topology::from_nodes(iter::repeat([])), Err(TopologyError::TooManyNodes));
        let repeated = Topology::from_nodes([iter::repeat(7)]);
        assert_eq!(repeated, Err(TopologyError::CpuInTwoNodes { cpu: 7, nodes: [0, 0] }));
    }

    #[test]
    fn domains_that_do_not_fit() -> Result<(), TopologyError> {
        let topology = Topology::from_nodes([0..4, 4..8])?;
        let refused = |domains: &[&[usize]]| {
            let domains = domains.iter().map(|cpus| cpus.iter().copied());
            topology.clone().with_cache_domains(domains).unwrap_err()
        };
        assert_eq!(refused(&[&[0], &[3, 4]]), TopologyError::DomainAcrossNodes { domain: 1, nodes: [0, 1] });
        assert_eq!(refused(&[&[0, 8]]), TopologyError::UnknownCpu { cpu: 8, domain: 0 });
        assert_eq!(refused(&[&[0, 1], &[1, 2]]), TopologyError::CpuInTwoDomains { cpu: 1, domains: [0, 1] });
        assert_eq!(refused(&[&[0, 0]]), TopologyError::CpuInTwoDomains { cpu: 0, domains: [0, 0] });
        assert_eq!(refused(&[&[0], &[]]), TopologyError::EmptyDomain { domain: 1 });
        Ok(())
    }

    #[test]
    fn messages_say_what_is_allowed() {
        let error = TopologyError::CpuOutOfRange { cpu: 70_000 };
        assert_eq!(error.to_string(), "CPU 70000 is out of range; CPU numbers go from 0 to 65535");
        let error = TopologyError::TooManyNodes;
        assert_eq!(error.to_string(), "there are more than 1024 nodes; at most 1024 are allowed");
    }
}
