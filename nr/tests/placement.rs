//! Replicas, threads, memory and log where they should be, on the machine that this runs on. With several NUMA nodes it looks at each
//! page; `nr/tests/placement.sh` runs it on virtual machines of many shapes, each described by `NR_EXPECTED_TOPOLOGY`.
#![cfg(target_os = "linux")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::num::NonZeroUsize;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nr::topology::memory::{LogMemory, PlaceError, PlaceMemory};
use nr::topology::{CacheDomain, Node, Source, Topology, current_cpu, pin};
use nr::{Builder, Dispatch, MemoryPlacement, NodeReplicated, Place, ReplicaId, Replicas};

/// So large that the allocator maps it by itself, so that its pages are new.
const BLOCK: usize = 1 << 20;
const PAGE: usize = 4096;

/// Blocks of memory.
#[derive(Default)]
struct Blocks(Vec<Box<[u8]>>);

impl Clone for Blocks {
    fn clone(&self) -> Self {
        Self(self.0.iter().map(|_| block()).collect())
    }
}

/// Not on huge pages: the kernel gathers pages that lie side by side into one, also if they are of two replicas.
fn block() -> Box<[u8]> {
    let mut block: Vec<u8> = Vec::with_capacity(BLOCK);
    let first = block.as_mut_ptr().map_addr(|address| address.next_multiple_of(PAGE)).cast();
    // SAFETY: advice about pages that are the block's alone, since it is mapped by itself; changes nothing in them.
    unsafe { libc::madvise(first, BLOCK - PAGE, libc::MADV_NOHUGEPAGE) };
    block.resize(BLOCK, 1);
    block.into_boxed_slice()
}

impl Dispatch for Blocks {
    type ReadOperation<'a> = ();
    type WriteOperation = Write;
    type Response = usize;
    fn dispatch(&self, _: ()) -> usize {
        self.0.len()
    }
    fn dispatch_mut(&mut self, op: &Write) -> usize {
        match op {
            Write::Push => self.0.push(block()),
            Write::Nothing => {}
        }
        self.0.len()
    }
}

enum Write {
    Push,
    Nothing,
}

/// The nodes of the pages of all blocks.
fn nodes_of(blocks: &Blocks) -> Vec<i32> {
    let pages = blocks.0.iter().flat_map(|block| block.chunks(PAGE).map(<[u8]>::as_ptr));
    let pages: Vec<*const u8> = pages.map(|page| page.map_addr(|address| address & !(PAGE - 1))).collect();
    let mut nodes = vec![-1; pages.len()];
    // SAFETY: without nodes to move them to, only writes the node of each page, or an error's number.
    let result = unsafe {
        libc::syscall(libc::SYS_move_pages, 0, pages.len(), pages.as_ptr(), ptr::null::<i32>(), nodes.as_mut_ptr(), 0)
    };
    assert_eq!(result, 0, "move_pages: {}", std::io::Error::last_os_error());
    nodes
}

/// Nearly all: the kernel may give a page of another node when there is none left, or move one. Of pages that its automatic balancing
/// is looking at just then it does not tell the node (-2, ENOENT).
fn assert_on(node: usize, pages: &[i32], what: &str) {
    let there = pages.iter().filter(|page| **page == node as i32).count();
    let told = pages.iter().filter(|page| **page != -libc::ENOENT).count();
    let runs: Vec<(i32, usize)> = pages.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
    let free = || {
        let path = format!("/sys/devices/system/node/node{node}/meminfo");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().filter(|line| line.contains("MemFree") || line.contains("MemTotal")).collect::<Vec<_>>().join(", ")
    };
    assert!(there > 0 && there * 100 >= told * 95, "{what}: {there} on node {node} of {runs:?}; {}", free());
}

fn machine() -> Topology {
    // Blocks are to have new pages, always: else the allocator would come to keep and reuse them, whichever node they are on.
    // SAFETY: sets a number of the allocator's.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10) };
    let topology = Topology::detect();
    assert_eq!(*topology.source(), Source::Sysfs);
    topology
}

/// Whether there are pages to be looked at. Says so if not.
fn several_nodes(topology: &Topology) -> bool {
    let nodes = nodes_with_replicas(topology).len();
    if nodes < 2 {
        println!("one node: its pages can be nowhere else");
    }
    nodes > 1
}

fn nodes_with_replicas(topology: &Topology) -> Vec<&Node> {
    topology.nodes().iter().filter(|node| node.cpus().iter().any(|cpu| topology.is_usable(*cpu))).collect()
}

/// Nodes on which memory can be.
fn has_memory(topology: &Topology, id: usize) -> bool {
    topology.has_usable_memory(id)
}

/// On the first CPU of the first node, so that whatever comes from elsewhere does so on purpose.
fn on_the_first_node<R: Send>(topology: &Topology, work: impl FnOnce() -> R + Send) -> R {
    let work = || {
        pin::current_thread(pin::order(topology, pin::Order::OnePerNode)[0]).unwrap();
        work()
    };
    thread::scope(|scope| scope.spawn(work).join().unwrap())
}

#[test]
fn the_topology_is_as_configured() {
    let found = machine();
    println!("{found}\n{}", found.to_text());
    let Ok(expected) = std::env::var("NR_EXPECTED_TOPOLOGY") else {
        return println!("nobody said what to expect");
    };
    let expected: Topology = expected.replace(';', "\n").replace('!', ";").parse().unwrap();
    let shape = |topology: &Topology| -> Vec<(usize, Vec<Vec<usize>>, usize, bool)> {
        let domains = |node: &Node| node.cache_domains().iter().map(CacheDomain::cpus).map(<[usize]>::to_vec).collect();
        let of = |node: &Node| (node.id(), domains(node), node.cores().len(), node.memory() == Some(0));
        topology.nodes().iter().map(of).collect()
    };
    assert_eq!(shape(&found), shape(&expected));
    for from in expected.nodes() {
        for to in expected.nodes() {
            if let Some(distance) = expected.distance(from.id(), to.id()) {
                assert_eq!(found.distance(from.id(), to.id()), Some(distance), "{} to {}", from.id(), to.id());
            }
        }
    }
    assert_eq!(found.usable_cpus().len(), found.cpus());
    for node in expected.nodes() {
        assert_eq!(found.has_usable_memory(node.id()), expected.has_usable_memory(node.id()), "node {}", node.id());
    }
}

/// Two ways to the same answer, but for what one of them does not know.
#[test]
#[cfg(feature = "hwloc")]
fn sysfs_and_hwloc_agree() {
    let (sysfs, hwloc) = (machine(), Topology::detect_with_hwloc().unwrap());
    println!("{hwloc}");
    assert_eq!(*hwloc.source(), Source::Hwloc);
    let shape = |topology: &Topology| {
        let domains = |node: &Node| node.cache_domains().to_vec();
        let of = |node: &Node| (node.id(), node.cpus().to_vec(), domains(node), node.cores().to_vec());
        (topology.nodes().iter().map(of).collect::<Vec<_>>(), topology.usable_cpus().to_vec())
    };
    assert_eq!(shape(&hwloc), shape(&sysfs));
}

#[test]
fn pinned_threads_are_there_and_get_the_replica_of_their_node() {
    let topology = machine();
    let structure = Builder::default().build(Blocks::default()).unwrap();
    let by_domain = Builder::default().replicas(Replicas::PerCacheDomain).build(Blocks::default()).unwrap();
    let nodes = nodes_with_replicas(&topology);
    assert_eq!(structure.replicas(), nodes.len());
    let domains = nodes.iter().flat_map(|node| node.cache_domains());
    let usable = domains.filter(|domain| domain.cpus().iter().any(|cpu| topology.is_usable(*cpu)));
    assert_eq!(by_domain.replicas(), usable.count());
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut traveller: Option<nr::Handle<'_, Blocks>> = None;
            for order in [pin::Order::Compact, pin::Order::Scattered, pin::Order::OnePerNode] {
                for cpu in pin::order(&topology, order) {
                    pin::current_thread(cpu).unwrap();
                    assert_eq!(current_cpu(), Some(cpu));
                    let node = topology.node_of_cpu(cpu).unwrap().id();
                    let at = |report: &nr::PlacementReport, id: ReplicaId| report.replicas[id.index()].clone();
                    let id = structure.register().unwrap().replica_id();
                    assert_eq!(at(&structure.placement(), id).node, node);
                    let id = by_domain.register().unwrap().replica_id();
                    assert!(at(&by_domain.placement(), id).cpus.contains(&cpu));
                    match &mut traveller {
                        None => traveller = Some(structure.register().unwrap()),
                        Some(handle) => drop(handle.rehome()),
                    }
                    let home = traveller.as_ref().unwrap().replica_id();
                    assert_eq!(at(&structure.placement(), home).node, node);
                }
            }
        });
    });
}

#[test]
fn pages_of_replicas_and_log_are_on_their_nodes() {
    let topology = machine();
    if !several_nodes(&topology) {
        return;
    }
    let structure = on_the_first_node(&topology, || NodeReplicated::new(Blocks(vec![block(), block()])));
    let report = structure.placement();
    println!("{report}");
    assert_eq!(report.memory, MemoryPlacement::Placed);
    assert_eq!(report.log_interleaved, Some(Ok(())));
    for replica in &report.replicas {
        let mut handle = structure.register_on(replica.id).unwrap();
        let pages = handle.read(nodes_of);
        let itself = handle.read(|blocks| ptr::from_ref(blocks).addr());
        assert_eq!(replica.memory, MemoryPlacement::Placed);
        assert!(has_memory(&topology, replica.memory_node));
        assert!(replica.memory_node == replica.node || !has_memory(&topology, replica.node));
        assert_on(replica.memory_node, &pages, "pages of a replica");
        assert_on(replica.memory_node, &[node_of_address(itself)], "what belongs to a replica");
    }
    let maps = std::fs::read_to_string("/proc/self/numa_maps").unwrap();
    let log = maps.lines().find(|line| line.contains("interleave")).expect("the log is mapped by itself");
    println!("{log}");
    let pages = |node: usize| -> usize {
        let name = format!("N{node}=");
        log.split_whitespace().find_map(|word| word.strip_prefix(&name)).map_or(0, |number| number.parse().unwrap())
    };
    let nodes: std::collections::BTreeSet<usize> = report.replicas.iter().map(|replica| replica.memory_node).collect();
    let pages: Vec<usize> = nodes.into_iter().map(pages).collect();
    let (least, most) = (pages.iter().min().unwrap(), pages.iter().max().unwrap());
    assert!(most - least <= 1 + most / 10, "spread evenly: {pages:?}");
}

fn node_of_address(address: usize) -> i32 {
    let page = ptr::without_provenance::<u8>(address & !(PAGE - 1));
    let mut node = -1;
    // SAFETY: as in `nodes_of`.
    unsafe { libc::syscall(libc::SYS_move_pages, 0, 1, &raw const page, ptr::null::<i32>(), &raw mut node, 0) };
    node
}

#[test]
fn a_log_on_huge_pages_or_the_reason_why_not() {
    let count = Replicas::Count(NonZeroUsize::new(2).unwrap());
    let build = |entries| {
        Builder::default().replicas(count).huge_pages(true).log_entries(entries).build(Blocks::default()).unwrap()
    };
    let huge = build(1 << 18).placement();
    println!("{huge}");
    if std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
        assert_eq!(huge.log_huge_pages, Some(Ok(())));
    }
    let small = build(8);
    let note = small.stats().to_string();
    assert!(note.contains("the log is not on huge pages"), "{note}");
    let small = small.placement().log_huge_pages;
    let reason = small.unwrap().unwrap_err().to_string();
    assert!(reason.contains("choose more entries"), "{reason}");
    assert_eq!(Builder::default().replicas(count).build(Blocks::default()).unwrap().placement().log_huge_pages, None);
}

#[test]
fn what_is_done_for_a_laggard_is_done_on_its_node() {
    let topology = machine();
    if !several_nodes(&topology) {
        return;
    }
    let structure = Builder::default().log_entries(16).build(Blocks::default()).unwrap();
    let own = on_the_first_node(&topology, || {
        let mut handle = structure.register().unwrap();
        for _ in 0..6 {
            handle.execute_mut(Write::Push);
        }
        for _ in 0..100 {
            handle.execute_mut(Write::Nothing);
        }
        handle.replica_id()
    });
    for replica in structure.stats().replicas {
        if replica.id == own || !has_memory(&topology, replica.node) {
            continue;
        }
        assert!(replica.helped >= 6, "all that it has executed: {replica:?}");
        let pages = structure.register_on(replica.id).unwrap().read(nodes_of);
        assert_eq!(pages.len(), 6 * BLOCK / PAGE);
        assert_on(replica.node, &pages, "pages of a laggard");
    }
    assert_eq!(structure.placement().memory, MemoryPlacement::Placed);
}

/// Nobody lags so far behind that a writer helps; but all are brought up to date, or a copy of one of them is made.
#[test]
fn who_brings_others_up_to_date_does_it_on_their_nodes() {
    let topology = machine();
    if !several_nodes(&topology) {
        return;
    }
    let structure = Builder::default().build(Blocks::default()).unwrap();
    let (nodes, newcomer) = on_the_first_node(&topology, || {
        // The first replica has the most handles, so that another one is the source of a copy.
        let mut handles: Vec<_> = (0..2).map(|_| structure.register().unwrap()).collect();
        let mut push = |count| (0..count).map(|_| handles[0].execute_mut(Write::Push)).last();
        push(3);
        structure.sync();
        let nodes = structure.placement().replicas;
        assert_eq!(push(3), Some(6));
        let newcomer = structure.add_replica(Place::Here).unwrap();
        structure.sync();
        (nodes, newcomer)
    });
    let nodes = nodes.into_iter().map(|replica| (replica.id, replica.memory_node));
    let here = structure.placement().replicas[newcomer.index()].memory_node;
    for (id, node) in nodes.chain([(newcomer, here)]) {
        let pages = structure.register_on(id).unwrap().read(nodes_of);
        assert_eq!(pages.len(), 6 * BLOCK / PAGE);
        assert_on(node, &pages, "pages of a replica that was brought up to date");
    }
}

/// Replicas come and go on every node while threads of all nodes write and read.
#[test]
fn replicas_come_and_go_on_their_nodes() {
    let topology = machine();
    let structure = Builder::default().build(Blocks(vec![block(), block()])).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop = StopOnDrop(&stop);
        for cpu in pin::order(&topology, pin::Order::OnePerNode) {
            let (structure, stop) = (&structure, &stop);
            scope.spawn(move || {
                pin::current_thread(cpu).unwrap();
                let mut handle = structure.register().unwrap();
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(handle.execute_mut(Write::Nothing), 2);
                    assert_eq!(handle.execute(()), 2);
                    handle.rehome();
                }
            });
        }
        let start = Instant::now();
        let mut rounds = 0;
        while rounds < 3 || start.elapsed() < Duration::from_secs(2) {
            for node in nodes_with_replicas(&topology) {
                let id = structure.add_replica(Place::Node(node.id())).unwrap();
                let mut handle = structure.register_on(id).unwrap();
                let pages = handle.read(nodes_of);
                if topology.nodes().len() > 1 && has_memory(&topology, node.id()) {
                    assert_on(node.id(), &pages, "pages of a newcomer");
                }
            }
            let ids = structure.replica_ids();
            for id in &ids[1..] {
                structure.remove_replica(*id).unwrap();
            }
            rounds += 1;
        }
    });
    assert_eq!(structure.replicas(), 1);
}

/// However it ends: threads that wait for it would go on for ever.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// An operating system of its own, which writes down what it is asked for.
#[derive(Debug, Default)]
struct Recorder {
    built: Mutex<Vec<(usize, Vec<usize>)>>,
    helped: Mutex<Vec<usize>>,
    moved: Mutex<Vec<usize>>,
    logs: Mutex<Vec<(Vec<usize>, bool)>>,
    freed: AtomicUsize,
}

impl Recorder {
    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, PAGE).unwrap()
    }
}

// SAFETY: the memory for a log is the allocator's, of the size and alignment asked for, zeroed, until `free_log`; nothing is moved.
unsafe impl PlaceMemory for Recorder {
    fn build_on(&self, node: usize, cpus: &[usize], work: &mut dyn FnMut()) -> Result<(), PlaceError> {
        self.built.lock().unwrap().push((node, cpus.to_vec()));
        work();
        Ok(())
    }

    fn help_on(&self, node: usize, work: &mut dyn FnMut()) -> Result<(), PlaceError> {
        self.helped.lock().unwrap().push(node);
        work();
        Ok(())
    }

    fn move_to(&self, node: usize, _start: NonNull<u8>, _bytes: usize) -> Result<(), PlaceError> {
        self.moved.lock().unwrap().push(node);
        Ok(())
    }

    fn allocate_log(&self, bytes: usize, nodes: &[usize], huge: bool) -> Result<LogMemory, PlaceError> {
        self.logs.lock().unwrap().push((nodes.to_vec(), huge));
        // SAFETY: a log has at least one entry, and an entry is not empty.
        let start =
            NonNull::new(unsafe { alloc_zeroed(Self::layout(bytes)) }).ok_or_else(|| PlaceError::new("no memory"))?;
        let mut memory = LogMemory::new(start);
        memory.huge_pages = Err(PlaceError::new("pages of one size only"));
        Ok(memory)
    }

    unsafe fn free_log(&self, start: NonNull<u8>, bytes: usize) {
        self.freed.fetch_add(1, Ordering::SeqCst);
        // SAFETY: from `allocate_log`, by the caller.
        unsafe { dealloc(start.as_ptr(), Self::layout(bytes)) }
    }
}

#[test]
fn an_operating_system_of_its_own_is_asked() {
    let system: &'static Recorder = Box::leak(Box::default());
    let topology: Topology = "node 0: cpus 0-1\nnode 3: cpus 2-3\nnode 4: cpus 4; memory 0".parse().unwrap();
    let build = Builder::default().topology(topology).place_memory(system).log_entries(16).huge_pages(true);
    let structure = build.build(Blocks::default()).unwrap();
    // What belongs to node 4 comes from a node that has memory.
    assert_eq!(*system.built.lock().unwrap(), [(0, vec![0, 1]), (3, vec![2, 3]), (3, vec![4])]);
    assert_eq!(*system.logs.lock().unwrap(), [(vec![0, 3], true)]);
    assert!(system.moved.lock().unwrap().contains(&3));
    let report = structure.placement();
    assert_eq!((report.memory, report.log_interleaved), (MemoryPlacement::Placed, Some(Ok(()))));
    assert_eq!(report.log_huge_pages.unwrap().unwrap_err().to_string(), "pages of one size only");
    let mut handle = structure.register_on(ReplicaId::new(0)).unwrap();
    for _ in 0..100 {
        handle.execute_mut(Write::Nothing);
    }
    let helped = std::mem::take(&mut *system.helped.lock().unwrap());
    assert!(!helped.is_empty() && helped.iter().all(|node| *node == 3), "{helped:?}");
    let add = |handle: &mut nr::Handle<'_, Blocks>| {
        handle.execute_mut(Write::Nothing);
        system.helped.lock().unwrap().clear();
        structure.add_replica(Place::Node(0)).unwrap();
        system.helped.lock().unwrap().clone()
    };
    assert_eq!(add(&mut handle), [3, 0], "the source is brought up to date, the clone is made");
    handle.execute_mut(Write::Nothing);
    system.helped.lock().unwrap().clear();
    structure.sync();
    assert_eq!(*system.helped.lock().unwrap(), [0, 3, 3, 0], "each is brought up to date");
    assert_eq!(system.freed.load(Ordering::SeqCst), 0);
    drop(handle);
    drop(structure);
    assert_eq!(system.freed.load(Ordering::SeqCst), 1);
}

/// Panics whatever it is asked for, before or after the work.
#[derive(Debug)]
struct Panicking {
    works_first: bool,
    asked: AtomicUsize,
}

impl Panicking {
    fn run(&self, work: &mut dyn FnMut()) -> Result<(), PlaceError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.works_first {
            work();
        }
        panic!("not my day")
    }
}

// SAFETY: it never gives memory for a log, nor moves any.
unsafe impl PlaceMemory for Panicking {
    fn build_on(&self, _: usize, _: &[usize], work: &mut dyn FnMut()) -> Result<(), PlaceError> {
        work();
        Ok(())
    }

    fn help_on(&self, _: usize, work: &mut dyn FnMut()) -> Result<(), PlaceError> {
        self.run(work)
    }

    fn move_to(&self, _: usize, _: NonNull<u8>, _: usize) -> Result<(), PlaceError> {
        Ok(())
    }

    fn allocate_log(&self, _: usize, _: &[usize], _: bool) -> Result<LogMemory, PlaceError> {
        Err(PlaceError::new("none"))
    }

    unsafe fn free_log(&self, _: NonNull<u8>, _: usize) {}
}

#[test]
fn a_system_that_panics_stops_nobody() {
    for works_first in [true, false] {
        let system: &Panicking = Box::leak(Box::new(Panicking { works_first, asked: AtomicUsize::new(0) }));
        let topology = Topology::from_nodes([[0], [1]]).unwrap();
        let build = Builder::default().topology(topology).place_memory(system).log_entries(4);
        let structure = build.build(Blocks::default()).unwrap();
        let mut handle = structure.register_on(ReplicaId::new(0)).unwrap();
        for number in 1..=8 {
            assert_eq!(handle.execute_mut(Write::Push), number);
        }
        for _ in 0..100 {
            assert_eq!(handle.execute_mut(Write::Nothing), 8);
        }
        assert_eq!(structure.register_on(ReplicaId::new(1)).unwrap().execute(()), 8);
        let memory = structure.placement().memory.to_string();
        let expected = "placed in part: what other nodes' threads do for a replica: the implementation of PlaceMemory has panicked";
        assert_eq!(memory, expected);
        assert_eq!(system.asked.load(Ordering::SeqCst), 1, "it is not asked again");
    }
}

/// Some of it works, or for some nodes.
#[derive(Debug, Default)]
struct Partial {
    moves: bool,
    /// Not for this node.
    fails: Option<usize>,
    built: Mutex<Vec<usize>>,
}

// SAFETY: it never gives memory for a log, nor moves any.
unsafe impl PlaceMemory for Partial {
    fn build_on(&self, node: usize, _: &[usize], work: &mut dyn FnMut()) -> Result<(), PlaceError> {
        self.built.lock().unwrap().push(node);
        work();
        if self.fails == Some(node) { Err(PlaceError::new("not there")) } else { Ok(()) }
    }

    fn help_on(&self, _: usize, work: &mut dyn FnMut()) -> Result<(), PlaceError> {
        work();
        Ok(())
    }

    fn move_to(&self, _: usize, _: NonNull<u8>, _: usize) -> Result<(), PlaceError> {
        if self.moves { Ok(()) } else { Err(PlaceError::new("nothing moves")) }
    }

    fn allocate_log(&self, _: usize, _: &[usize], _: bool) -> Result<LogMemory, PlaceError> {
        Err(PlaceError::new("none"))
    }

    unsafe fn free_log(&self, _: NonNull<u8>, _: usize) {}
}

#[test]
fn what_does_not_work_stops_nothing_else() {
    let build = |system: &'static Partial| {
        let topology = Topology::from_nodes([[0], [1], [2]]).unwrap();
        let structure = Builder::default().topology(topology).place_memory(system).build(Blocks::default()).unwrap();
        assert_eq!(*system.built.lock().unwrap(), [0, 1, 2]);
        let report = structure.placement();
        println!("{report}");
        (
            report.memory.to_string(),
            report.replicas.iter().map(|replica| replica.memory.to_string()).collect::<Vec<_>>(),
        )
    };
    let (all, each) = build(Box::leak(Box::default()));
    assert_eq!(all, "placed in part: a replica's locks: nothing moves");
    assert_eq!(each, [all.as_str(); 3]);
    let (all, each) = build(Box::leak(Box::new(Partial { moves: true, fails: Some(1), ..Partial::default() })));
    assert_eq!(all, "placed in part: not there");
    assert_eq!(each, ["placed", "not placed: not there", "placed"]);
}

/// As in a container that has been given the right to set memory policies.
#[test]
fn without_moving_pages_the_rest_goes_on() {
    thread::spawn(|| {
        let topology = machine();
        forbid(&[libc::SYS_move_pages]);
        let structure = NodeReplicated::new(Blocks(vec![block()]));
        let memory = structure.placement().memory;
        match (topology.nodes().len(), &memory) {
            (1, MemoryPlacement::OneNode) => {}
            (_, MemoryPlacement::InPart(reason)) => {
                assert!(reason.to_string().starts_with("a replica's locks: move_pages"), "{reason}");
            }
            _ => panic!("{memory}"),
        }
    })
    .join()
    .unwrap();
}

/// A container's seccomp profile forbids memory policies and affinities: all works, and `placement` says so.
#[test]
fn what_is_forbidden_is_reported_and_nothing_else_happens() {
    thread::spawn(|| {
        forbid(&[libc::SYS_set_mempolicy, libc::SYS_get_mempolicy, libc::SYS_mbind, libc::SYS_sched_setaffinity]);
        assert!(pin::current_thread(0).is_err() || current_cpu() == Some(0));
        let topology = Topology::from_nodes([[0], [1]]).unwrap();
        let structure =
            Arc::new(Builder::default().topology(topology).log_entries(16).build(Blocks::default()).unwrap());
        let report = structure.placement();
        println!("{report}");
        let MemoryPlacement::NotPlaced(reason) = report.memory else { panic!("{:?}", report.memory) };
        assert!(reason.to_string().contains("Operation not permitted"), "{reason}");
        let reason = report.log_interleaved.unwrap().unwrap_err();
        assert!(reason.to_string().contains("Operation not permitted"), "{reason}");
        let mut handle = structure.register_owned_on(ReplicaId::new(0)).unwrap();
        for number in 1..100 {
            let op = if number % 50 == 0 { Write::Push } else { Write::Nothing };
            assert_eq!(handle.execute_mut(op), number / 50);
        }
        let id = structure.add_replica(Place::Node(1)).unwrap();
        assert_eq!(structure.register_on(id).unwrap().execute(()), 1);
        structure.remove_replica(ReplicaId::new(0)).unwrap();
        assert_eq!(handle.execute(()), 1);
    })
    .join()
    .unwrap();
}

/// Has these system calls of the calling thread fail with EPERM.
fn forbid(calls: &[libc::c_long]) {
    let statement = |code: u32, k: u32, jump: u8| libc::sock_filter { code: code as u16, jt: jump, jf: 0, k };
    let mut filter = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0)];
    for (index, call) in calls.iter().enumerate() {
        let to_refusal = (calls.len() - index) as u8;
        filter.push(statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, *call as u32, to_refusal));
    }
    filter.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0));
    filter.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32, 0));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: this thread can't gain privileges any more; it has no use for them.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: the program is as long as it says, ends on every path, and is copied by the kernel.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}
