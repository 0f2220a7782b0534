//! Reads a topology through the library hwloc, by the crate `hwloc2`.
//!
//! The crate, made for hwloc 2.0, does not reach objects that lie beside the tree of depths, as NUMA nodes do since then. But each
//! object knows the numbers of its nodes, so the processing units (hwloc's name for CPUs) give the nodes of CPUs, and the root gives the rest.

use alloc::{collections::BTreeMap, format, string::String, string::ToString, vec::Vec};

use hwloc2::{Bitmap, ObjectType, TopologyFlag, TopologyObject};

use super::{Source, Topology};

/// The machine, with what this process may not use.
pub(super) fn read() -> Result<Topology, String> {
    let machine = hwloc2::Topology::with_flags([TopologyFlag::IncludeDisallowed].into());
    let machine = machine.ok_or("hwloc can't read this machine")?;
    let units = machine.objects_with_type(&ObjectType::PU).map_err(|error| format!("hwloc has no CPUs: {error:?}"))?;
    let root = machine.object_at_root();
    let mut nodes: BTreeMap<usize, Vec<usize>> =
        members(root.nodeset()).into_iter().map(|node| (node, Vec::new())).collect();
    let (mut caches, mut cores) = (BTreeMap::new(), BTreeMap::new());
    for unit in units {
        let cpu = unit.os_index() as usize;
        // The node of a CPU comes first; what has been added to it on a bus has higher numbers.
        let node =
            members(unit.nodeset()).first().copied().ok_or_else(|| format!("hwloc has no node for CPU {cpu}"))?;
        nodes.entry(node).or_default().push(cpu);
        let parents = || core::iter::successors(unit.parent(), |parent| parent.parent());
        let group = |object: &TopologyObject| members(object.cpuset());
        if let Some(cache) = parents().filter(|parent| is_data_cache(parent)).last() {
            insert(&mut caches, (node, group(cache)), cpu);
        }
        if let Some(core) = parents().find(|parent| parent.object_type() == ObjectType::Core) {
            insert(&mut cores, (node, group(core)), cpu);
        }
    }
    let mut topology = Topology::assemble(nodes, Source::Hwloc).map_err(|error| error.to_string())?;
    topology.set_cache_domains(caches.into_values()).map_err(|error| error.to_string())?;
    topology.set_cores(cores.into_values()).map_err(|error| error.to_string())?;
    Ok(topology)
}

fn insert<K: Ord>(groups: &mut BTreeMap<K, Vec<usize>>, key: K, cpu: usize) {
    groups.entry(key).or_default().push(cpu);
}

fn is_data_cache(object: &TopologyObject) -> bool {
    use ObjectType::{L1Cache, L2Cache, L3Cache, L4Cache, L5Cache};
    matches!(object.object_type(), L1Cache | L2Cache | L3Cache | L4Cache | L5Cache)
}

/// The numbers in a set, ascending; none if it has no end.
fn members(set: Option<Bitmap>) -> Vec<usize> {
    let Some(set) = set else { return Vec::new() };
    let last = u32::try_from(set.last()).unwrap_or(0).min(Topology::MAX_CPUS as u32);
    (0..=last).filter(|number| set.is_set(*number)).map(|number| number as usize).collect()
}
