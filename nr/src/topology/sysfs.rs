//! Reads a topology from `/sys/devices/system` of a Linux kernel. An error is a reason for
//! [`Source::Fallback`]: nothing found there is trusted, and nothing makes this module panic.

use alloc::{format, string::String, vec::Vec};
use core::fmt::Display;
use std::{fs, io::ErrorKind, path::Path};

use super::list::{parse_list, parse_number};
use super::{Source, Topology};

pub(super) const ROOT: &str = "/sys/devices/system";

/// The topology below `root`, which is [`ROOT`] except in tests.
pub(super) fn read(root: &Path) -> Result<Topology, String> {
    let online = read_list(&root.join("cpu/online"), Topology::MAX_CPUS)?;
    let (mut nodes, mut left_out) = (Vec::new(), Vec::new());
    for (index, id) in read_list(&root.join("node/online"), Topology::MAX_NODES)?.into_iter().enumerate() {
        let cpulist = root.join(format!("node/node{id}/cpulist"));
        let mut cpus = read_list(&cpulist, Topology::MAX_CPUS)?;
        cpus.retain(|cpu| online.binary_search(cpu).is_ok());
        let memory = memory(&root.join(format!("node/node{id}/meminfo")));
        // Such places are kept for what may come, memory of a device for example.
        if !cpus.is_empty() || memory != Some(0) {
            nodes.push((id, cpus));
        } else {
            left_out.push(index);
        }
    }
    let mut topology = Topology::assemble(nodes, Source::Sysfs).map_err(about(root))?;

    let mut domains = Vec::new();
    for node in topology.nodes() {
        domains.extend(cache_domains(root, node.cpus())?);
    }
    topology.set_cache_domains(domains).map_err(about(root))?;
    describe(root, &mut topology, &left_out);
    Ok(topology)
}

/// Adds what is good to know: memory, distances, cores. What is missing or makes no sense is left out, and so are the distances to nodes
/// that are, given by their place among all.
fn describe(root: &Path, topology: &mut Topology, left_out: &[usize]) {
    let mut distances: Vec<Vec<u32>> = Vec::new();
    for node in topology.nodes_mut() {
        let folder = root.join(format!("node/node{}", node.id()));
        if let Some(bytes) = memory(&folder.join("meminfo")) {
            node.set_memory(bytes);
        }
        let row = fs::read_to_string(folder.join("distance")).unwrap_or_default();
        let row = row.split_whitespace().enumerate().filter(|(index, _)| !left_out.contains(index));
        distances.push(row.map_while(|(_, distance)| distance.parse().ok()).collect());
    }
    // Refused as a whole if it is not whole.
    let _ = topology.set_distances(distances);
    let siblings =
        |cpu: &usize| read_list(&root.join(format!("cpu/cpu{cpu}/topology/thread_siblings_list")), Topology::MAX_CPUS);
    let mut cores: Vec<Vec<usize>> = Vec::new();
    for node in topology.nodes() {
        for cpu in node.cpus() {
            let mut threads = siblings(cpu).unwrap_or_default();
            threads.retain(|thread| topology.node_of_cpu(*thread).is_some());
            // Each core is named by its first CPU.
            if threads.first() == Some(cpu) {
                cores.push(threads);
            }
        }
    }
    let _ = topology.set_cores(cores);
}

/// The bytes in the line `Node 0 MemTotal:  16318324 kB`.
fn memory(meminfo: &Path) -> Option<u64> {
    let text = fs::read_to_string(meminfo).ok()?;
    let total = text.lines().find_map(|line| line.split_once("MemTotal:"))?.1;
    total.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The groups of one node's CPUs that share a last-level cache; none if the kernel does not
/// describe all their caches.
fn cache_domains(root: &Path, node_cpus: &[usize]) -> Result<Vec<Vec<usize>>, String> {
    let mut domains: Vec<Vec<usize>> = Vec::new();
    for &cpu in node_cpus {
        // The kernel tells every sharer the same, so one of them is asked for all.
        let mut asked = domains.iter();
        if asked.any(|domain| domain.binary_search(&cpu).is_ok()) {
            continue;
        }
        let caches = root.join(format!("cpu/cpu{cpu}/cache"));
        let Some(mut sharers) = last_level_sharers(&caches)? else {
            return Ok(Vec::new());
        };
        if sharers.binary_search(&cpu).is_err() {
            let reason = format!("CPU {cpu} is not among those that share its cache");
            return Err(about(&caches)(reason));
        }
        sharers.retain(|sharer| node_cpus.binary_search(sharer).is_ok());
        domains.push(sharers);
    }
    Ok(domains)
}

/// The CPUs that share the highest data or unified cache in the folder `caches` of a CPU.
fn last_level_sharers(caches: &Path) -> Result<Option<Vec<usize>>, String> {
    let entries = match fs::read_dir(caches) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(about(caches))?,
    };
    let mut last = None;
    for entry in entries {
        let entry = entry.map_err(about(caches))?;
        if entry.file_name().as_encoded_bytes().starts_with(b"index") {
            last = last.max(data_cache(&entry.path())?);
        }
    }
    Ok(last.map(|(_level, sharers)| sharers))
}

/// Level and sharers of the cache in the folder `index`, if it holds data and the kernel describes
/// it whole.
fn data_cache(index: &Path) -> Result<Option<(usize, Vec<usize>)>, String> {
    let [kind, level, sharers] = ["type", "level", "shared_cpu_list"].map(|name| index.join(name));
    let described = [&kind, &level, &sharers].iter().all(|file| file.exists());
    if !described || !matches!(read_text(&kind)?.trim(), "Data" | "Unified") {
        return Ok(None);
    }
    let level = parse_number(read_text(&level)?.trim()).map_err(about(&level))?;
    let sharers = read_list(&sharers, Topology::MAX_CPUS)?;
    Ok(Some((level, sharers)))
}

fn read_list(file: &Path, limit: usize) -> Result<Vec<usize>, String> {
    parse_list(read_text(file)?.trim(), limit).map_err(about(file))
}

fn read_text(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(about(file))
}

/// Puts the path that an error is about before it.
fn about<E: Display>(path: &Path) -> impl Fn(E) -> String {
    move |error| format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use std::{env, path::PathBuf, process};

    use super::*;
    use crate::topology::{CacheDomain, Node};

    /// A fabricated `/sys/devices/system` in a folder of its own, which goes when this is dropped.
    struct Tree {
        root: PathBuf,
    }

    impl Tree {
        /// `name` tells apart the tests of one process.
        fn empty(name: &str) -> Self {
            let root = env::temp_dir().join(format!("nr-topology-{}-{name}", process::id()));
            fs::create_dir_all(&root).expect("the temporary folder can be written");
            Self { root }
        }

        /// A tree with these online CPUs and `(id, CPU list)` nodes, and without caches.
        fn new(name: &str, online: &str, nodes: &[(usize, &str)]) -> Self {
            let ids: Vec<String> = nodes.iter().map(|(id, _)| id.to_string()).collect();
            let tree = Self::empty(name).file("cpu/online", online).file("node/online", &(ids.join(",") + "\n"));
            nodes.iter().fold(tree, |tree, (id, cpus)| tree.file(&format!("node/node{id}/cpulist"), cpus))
        }

        fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
            let path = self.root.join(path);
            fs::create_dir_all(path.parent().expect("it is below the root")).expect("a folder can be made");
            fs::write(path, content).expect("a file can be written");
            self
        }

        fn cache(self, cpu: usize, index: usize, [level, kind, sharers]: [&str; 3]) -> Self {
            let folder = format!("cpu/cpu{cpu}/cache/index{index}");
            self.file(&format!("{folder}/level"), level)
                .file(&format!("{folder}/type"), kind)
                .file(&format!("{folder}/shared_cpu_list"), sharers)
        }

        /// Gives each of `cpus` two private caches, a third-level cache with these sharers, and
        /// what else is there.
        fn shared_cache(self, cpus: impl IntoIterator<Item = usize>, sharers: &str) -> Self {
            cpus.into_iter().fold(self, |tree, cpu| {
                tree.cache(cpu, 0, ["1\n", "Data\n", &format!("{cpu}\n")])
                    .cache(cpu, 1, ["1\n", "Instruction\n", &format!("{cpu}\n")])
                    .cache(cpu, 3, ["3\n", "Unified\n", sharers])
                    .file(&format!("cpu/cpu{cpu}/cache/uevent"), "")
            })
        }

        /// The nodes as `id: domain | domain`.
        fn nodes(&self) -> Vec<String> {
            let topology = read(&self.root).expect("the tree makes sense");
            assert_eq!(*topology.source(), Source::Sysfs);
            let domains = |node: &Node| {
                let domains: Vec<String> = node.cache_domains().iter().map(CacheDomain::to_string).collect();
                domains.join(" | ")
            };
            topology.nodes().iter().map(|node| format!("{}: {}", node.id(), domains(node))).collect()
        }

        /// Why the tree is refused, without the path of its root.
        fn refusal(&self) -> String {
            let reason = read(&self.root).expect_err("the tree makes no sense");
            reason.replace(&*self.root.to_string_lossy(), "ROOT")
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.root);
        }
    }

    #[test]
    fn two_nodes_of_four() {
        let tree = Tree::new("normal", "0-7\n", &[(0, "0-3\n"), (1, "4-7\n")]);
        let tree = tree.shared_cache(0..4, "0-3\n").shared_cache(4..8, "4-7\n");
        assert_eq!(tree.nodes(), ["0: 0-3", "1: 4-7"]);
    }

    #[test]
    fn ids_with_gaps() {
        let tree = Tree::new("gaps", "0-5\n", &[(0, "0-1\n"), (2, "2-3\n"), (5, "4-5\n")]);
        assert_eq!(tree.nodes(), ["0: 0-1", "2: 2-3", "5: 4-5"]);
    }

    #[test]
    fn memory_only_nodes_are_kept() {
        let tree = Tree::new("memory-only", "0-1\n", &[(0, "0-1\n"), (1, "\n"), (2, "")]);
        assert_eq!(tree.nodes(), ["0: 0-1", "1: ", "2: "]);
    }

    #[test]
    fn offline_cpus_are_left_out() {
        let tree = Tree::new("offline", "0,2-4\n", &[(0, "0-3\n"), (1, "4-7\n")]);
        let tree = tree.shared_cache([0, 2, 3], "0-3\n").shared_cache([4], "4\n");
        assert_eq!(tree.nodes(), ["0: 0,2-3", "1: 4"]);
    }

    #[test]
    fn several_caches_in_a_node() {
        let tree = Tree::new("epyc", "0-15\n", &[(0, "0-3,8-11\n"), (1, "4-7,12-15\n")]);
        let tree = tree.shared_cache([0, 1, 8, 9], "0-1,8-9\n").shared_cache([2, 3, 10, 11], "2-3,10-11\n");
        let tree = tree.shared_cache([4, 5, 12, 13], "4-5,12-13\n").shared_cache([6, 7, 14, 15], "6-7,14-15\n");
        assert_eq!(tree.nodes(), ["0: 0-1,8-9 | 2-3,10-11", "1: 4-5,12-13 | 6-7,14-15"]);
    }

    #[test]
    fn a_cache_across_nodes_is_a_domain_in_each() {
        let tree = Tree::new("across", "0-3\n", &[(0, "0-1\n"), (1, "2-3\n")]).shared_cache(0..4, "0-3\n");
        assert_eq!(tree.nodes(), ["0: 0-1", "1: 2-3"]);
    }

    #[test]
    fn a_node_whose_caches_are_not_all_described_is_one_domain() {
        let nodes = [(0, "0-3\n"), (1, "4-7\n")];
        let tree = Tree::new("undescribed", "0-7\n", &nodes).shared_cache([0, 1], "0-1\n");
        let tree = tree.shared_cache([4, 5], "4-5\n").shared_cache([6, 7], "6-7\n");
        assert_eq!(tree.nodes(), ["0: 0-3", "1: 4-5 | 6-7"]);

        let tree = tree.file("cpu/cpu2/cache/index0/level", "3\n");
        assert_eq!(tree.nodes(), ["0: 0-3", "1: 4-5 | 6-7"]);
    }

    #[test]
    fn caches_that_contradict_each_other() {
        let tree = Tree::new("contradiction", "0-3\n", &[(0, "0-3\n")]);
        let tree = tree.shared_cache([0, 1], "0-1\n").shared_cache([2, 3], "1-3\n");
        let twice = "CPU 1 is named twice, in cache domain 0 and again in cache domain 1";
        assert!(tree.refusal().contains(twice), "{}", tree.refusal());

        let tree = tree.shared_cache([2], "3\n");
        assert_eq!(tree.refusal(), "ROOT/cpu/cpu2/cache: CPU 2 is not among those that share its cache");

        let tree = tree.cache(2, 3, ["top\n", "Unified\n", "2\n"]);
        assert_eq!(tree.refusal(), "ROOT/cpu/cpu2/cache/index3/level: \"top\" is not a number");
    }

    #[test]
    fn a_cpu_in_two_nodes() {
        let tree = Tree::new("overlap", "0-7\n", &[(0, "0-4\n"), (2, "4-7\n")]);
        let reason = "ROOT: CPU 4 is named twice, in node 0 and again in node 2; each CPU may be named once";
        assert_eq!(tree.refusal(), reason);
    }

    #[test]
    fn no_cpu_at_all() {
        let reason = "ROOT: no node has a CPU; at least one must have one";
        assert_eq!(Tree::new("no-node", "0\n", &[]).refusal(), reason);
        assert_eq!(Tree::new("no-cpu", "0-1\n", &[(0, "\n")]).refusal(), reason);
        assert_eq!(Tree::new("all-offline", "4\n", &[(0, "0-3\n")]).refusal(), reason);
    }

    #[test]
    fn missing_files() {
        let missing = "No such file or directory (os error 2)";
        let tree = Tree::empty("missing");
        assert_eq!(tree.refusal(), format!("ROOT/cpu/online: {missing}"));
        let tree = tree.file("cpu/online", "0-1\n");
        assert_eq!(tree.refusal(), format!("ROOT/node/online: {missing}"));
        let tree = tree.file("node/online", "0\n");
        assert_eq!(tree.refusal(), format!("ROOT/node/node0/cpulist: {missing}"));
        assert_eq!(tree.file("node/node0/cpulist", "0-1\n").nodes(), ["0: 0-1"]);
    }

    #[test]
    fn content_that_is_no_list() {
        let tree = Tree::new("garbage", "0-1\n", &[(0, "all of them\n")]);
        assert_eq!(tree.refusal(), "ROOT/node/node0/cpulist: \"all of them\" is not a number");
        let tree = tree.file("node/online", "0-4294967295\n");
        assert_eq!(tree.refusal(), "ROOT/node/online: 4294967295 is too large; numbers go from 0 to 1023");
        let tree = tree.file("node/online", b"\xff\xfe");
        assert_eq!(tree.refusal(), "ROOT/node/online: stream did not contain valid UTF-8");
    }

    #[test]
    fn memory_distances_and_cores() {
        let tree = Tree::new("rich", "0-3\n", &[(0, "0-1\n"), (2, "2-3\n"), (3, "\n")])
            .file("node/node0/meminfo", "\nNode 0 MemTotal:       2048 kB\nNode 0 MemFree: 1 kB\n")
            .file("node/node2/meminfo", "Node 2 MemTotal: many\n")
            .file("node/node3/meminfo", "Node 3 MemTotal: 0 kB\n")
            .file("node/node0/distance", "10 21 31\n")
            .file("node/node2/distance", "21 10 31\n")
            .file("node/node3/distance", "31 31 10\n")
            .file("cpu/cpu0/topology/thread_siblings_list", "0-1\n")
            .file("cpu/cpu2/topology/thread_siblings_list", "2\n");
        let topology = read(&tree.root).unwrap();
        let memory: Vec<Option<u64>> = topology.nodes().iter().map(Node::memory).collect();
        assert_eq!(memory, [Some(2 << 20), None], "the node with neither CPUs nor memory is left out");
        assert_eq!((topology.distance(0, 2), topology.distance(2, 3)), (Some(21), None));
        assert_eq!(topology.nodes()[0].cores().len(), 1);
        assert_eq!(topology.nodes()[1].cores().len(), 2);
        assert!(topology.to_text().parse::<Topology>().unwrap().is_same_machine(&topology));

        let tree = tree.file("node/node2/distance", "21 10\n").file("cpu/cpu0/topology/thread_siblings_list", "0-2\n");
        let topology = read(&tree.root).unwrap();
        assert_eq!(topology.distance(0, 2), Some(21), "what is said of a node that is left out does not matter");
        let tree = tree.file("node/node2/distance", "21\n");
        assert_eq!(read(&tree.root).unwrap().distance(0, 2), None, "not a square");
        assert_eq!(topology.nodes()[0].cores().len(), 2, "a core across nodes");
    }
}
