//! Memory policies of the Linux kernel, by system calls: `set_mempolicy(2)`, `mbind(2)`, `sched_setaffinity(2)`, `madvise(2)`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::{c_int, c_uint, c_ulong, c_void};
use core::ptr::{self, NonNull};
use std::{fs, io};

use super::{LogMemory, PlaceError, PlaceMemory};
use crate::topology::{Topology, ranges};

/// Bits of a word of a mask.
const WORD: usize = c_ulong::BITS as usize;
const NODE_WORDS: usize = Topology::MAX_NODES / WORD;
/// A bit for each node.
type NodeMask = [c_ulong; NODE_WORDS];
/// `MPOL_MF_MOVE` of `linux/mempolicy.h`: only pages that no other process has.
const MOVE: c_int = 2;
/// `MPOL_F_ADDR`, of the same.
const OF_ADDRESS: c_int = 2;

/// The kernel's memory policies and CPU affinities, for the calling thread and for the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinuxMemory;

// SAFETY: the memory for a log is a mapping of its own, as large as asked for, which stays until `free_log`; the kernel zeroes it and
// aligns it to its pages, which are of 4 KiB at least. To move a page changes nothing in it.
unsafe impl PlaceMemory for LinuxMemory {
    fn build_on(&self, node: usize, cpus: &[usize], work: &mut dyn FnMut()) -> Result<(), PlaceError> {
        let affinity = RestoreAffinity::after_binding_to(cpus);
        let policy = RestorePolicy::after_preferring(node);
        // Without a policy memory comes from the node of the CPU.
        let is_there = affinity.is_ok() && current_node() == Some(node);
        work();
        match (policy, affinity) {
            (Ok(_), _) => Ok(()),
            (Err(_), Ok(_)) if is_there => Ok(()),
            (Err(policy), Err(affinity)) => Err(PlaceError::new(format!("{policy}; {affinity}"))),
            (Err(policy), Ok(_)) => Err(policy),
        }
    }

    fn help_on(&self, node: usize, work: &mut dyn FnMut()) -> Result<(), PlaceError> {
        let policy = RestorePolicy::after_preferring(node);
        work();
        policy.map(drop)
    }

    fn move_to(&self, node: usize, start: NonNull<u8>, bytes: usize) -> Result<(), PlaceError> {
        let first = start.as_ptr().map_addr(|address| address & !(page() - 1));
        let last = start.addr().get() + bytes.max(1) - 1;
        let count = (last - first.addr()) / page() + 1;
        let pages: Vec<*mut u8> = (0..count).map(|index| first.wrapping_add(index * page())).collect();
        let node = c_int::try_from(node).map_err(|_| PlaceError::new(format!("there can't be a node {node}")))?;
        let nodes: Vec<c_int> = alloc::vec![node; count];
        let mut status: Vec<c_int> = alloc::vec![0; count];
        // SAFETY: moving a page changes nothing in it; the arrays have as many elements as are named.
        let result = unsafe {
            libc::syscall(libc::SYS_move_pages, 0, count, pages.as_ptr(), nodes.as_ptr(), status.as_mut_ptr(), MOVE)
        };
        if result < 0 {
            return Err(refused(format_args!("move_pages to node {node}"), NO_NODE));
        }
        match status.iter().find(|status| **status < 0) {
            Some(error) if !status.contains(&node) => {
                let error = io::Error::from_raw_os_error(-error);
                Err(PlaceError::new(format!("move_pages to node {node} has moved none of {count} pages: {error}")))
            }
            _ => Ok(()),
        }
    }

    fn allocate_log(&self, bytes: usize, nodes: &[usize], huge: bool) -> Result<LogMemory, PlaceError> {
        let huge_page = huge_page();
        let start = map(bytes, if huge && bytes >= huge_page { huge_page } else { 1 })?;
        let mut memory = LogMemory::new(start);
        if nodes.len() > 1 {
            memory.interleaved = interleave(start, bytes, nodes);
        }
        if huge {
            memory.huge_pages = use_huge_pages(start, bytes);
        }
        Ok(memory)
    }

    unsafe fn free_log(&self, start: NonNull<u8>, bytes: usize) {
        // SAFETY: by the caller, mapped by `map` with this length and not in use.
        unsafe { libc::munmap(start.as_ptr().cast(), bytes) };
    }
}

/// Whether the kernel takes a policy for memory of that node. It does not if the node has none, or a cpuset forbids it.
pub(super) fn may_use_memory_of(node: usize) -> bool {
    let (Ok(wanted), Ok((mode, nodes))) = (node_mask(&[node]), policy_of(None)) else { return true };
    if set_policy(libc::MPOL_PREFERRED, &wanted) == 0 {
        drop(RestorePolicy { mode, nodes });
        return true;
    }
    io::Error::last_os_error().raw_os_error() != Some(libc::EINVAL)
}

/// The node of the CPU that the calling thread runs on.
fn current_node() -> Option<usize> {
    let mut node: c_uint = 0;
    // SAFETY: writes a number, and none where there is no place for one.
    let result =
        unsafe { libc::syscall(libc::SYS_getcpu, ptr::null_mut::<c_uint>(), &raw mut node, ptr::null::<c_void>()) };
    (result == 0).then_some(node as usize)
}

/// New zeroed memory that starts at a multiple of `alignment`, a power of two, or of a page.
fn map(bytes: usize, alignment: usize) -> Result<NonNull<u8>, PlaceError> {
    let slack = if alignment > 1 { alignment } else { 0 };
    let length = bytes.checked_add(slack).ok_or_else(|| PlaceError::new("the log is too large to be mapped"))?;
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, wherever there is room, touches nothing that there is.
    let mapped = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0) };
    let Some(mapped) = NonNull::new(mapped.cast::<u8>()).filter(|_| mapped != libc::MAP_FAILED) else {
        return Err(refused(format_args!("mmap of {length} bytes"), ""));
    };
    let before = mapped.as_ptr().align_offset(alignment);
    // SAFETY: less than `alignment`, so within the mapping.
    let start = unsafe { mapped.add(before) };
    unmap_rest(mapped, before);
    // The kernel rounds the length up to pages, as it does for `munmap` in the end.
    let end = bytes.next_multiple_of(page());
    if before + end < length {
        // SAFETY: within the mapping.
        unmap_rest(unsafe { start.add(end) }, length - before - end);
    }
    Ok(start)
}

fn unmap_rest(start: NonNull<u8>, bytes: usize) {
    if bytes > 0 {
        // SAFETY: a part of a mapping of `map`'s own that nobody is given.
        unsafe { libc::munmap(start.as_ptr().cast(), bytes) };
    }
}

fn page() -> usize {
    // SAFETY: only asks.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page).unwrap_or(4096)
}

fn interleave(start: NonNull<u8>, bytes: usize, nodes: &[usize]) -> Result<(), PlaceError> {
    let mask = node_mask(nodes)?;
    // SAFETY: `mbind` changes where pages of this range come from and nothing in them; the mask has as many bits as are named.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mbind,
            start.as_ptr(),
            bytes,
            libc::MPOL_INTERLEAVE,
            mask.as_ptr(),
            Topology::MAX_NODES + 1,
            0,
        )
    };
    if result != 0 {
        return Err(refused(format_args!("mbind over the nodes {nodes:?}"), NO_NODE));
    }
    // The kernel leaves out without a word what the machine has not or the process may not use.
    let (_, allowed) = policy_of(Some(start))?;
    if allowed == mask {
        return Ok(());
    }
    let allowed: Vec<usize> =
        nodes.iter().copied().filter(|node| allowed[node / WORD] >> (node % WORD) & 1 == 1).collect();
    Err(PlaceError::new(format!(
        "of the nodes {nodes:?} this process may have memory of {allowed:?} only, or there are no others"
    )))
}

/// The memory policy of the calling thread, or of the memory at an address.
fn policy_of(address: Option<NonNull<u8>>) -> Result<(c_int, NodeMask), PlaceError> {
    let (mut mode, mut nodes) = (0, [0; NODE_WORDS]);
    let flags = if address.is_some() { OF_ADDRESS } else { 0 };
    // SAFETY: writes a number and as many bits as the mask has; looks at nothing at the address.
    let got = unsafe {
        libc::syscall(
            libc::SYS_get_mempolicy,
            &raw mut mode,
            nodes.as_mut_ptr(),
            Topology::MAX_NODES + 1,
            address.map_or(ptr::null_mut(), NonNull::as_ptr),
            flags,
        )
    };
    if got == 0 { Ok((mode, nodes)) } else { Err(refused(format_args!("get_mempolicy"), NO_NODE)) }
}

fn use_huge_pages(start: NonNull<u8>, bytes: usize) -> Result<(), PlaceError> {
    let huge_page = huge_page();
    if bytes < huge_page {
        let reason = format!("the log has {bytes} bytes, and a huge page {huge_page}: choose more entries");
        return Err(PlaceError::new(reason));
    }
    // The kernel takes the advice also where it will not follow it. Newer ones have a switch for each size, which may follow the general one.
    let chosen = |path: String| fs::read_to_string(path).ok();
    let general = format!("{HUGE_PAGES}/enabled");
    let of_size = format!("{HUGE_PAGES}/hugepages-{}kB/enabled", huge_page >> 10);
    let of_size = chosen(of_size.clone()).filter(|text| !text.contains("[inherit]")).map(|text| (of_size, text));
    let (path, text) = of_size.unwrap_or_else(|| (general.clone(), chosen(general).unwrap_or_default()));
    if !text.contains("[always]") && !text.contains("[madvise]") {
        return Err(PlaceError::new(format!("the kernel gives no transparent huge pages: see {path}")));
    }
    // SAFETY: only asks.
    if unsafe { libc::prctl(libc::PR_GET_THP_DISABLE, 0, 0, 0, 0) } == 1 {
        return Err(PlaceError::new("huge pages are turned off for this process (PR_SET_THP_DISABLE)"));
    }
    // SAFETY: advice about memory of ours; changes nothing in it.
    let result = unsafe { libc::madvise(start.as_ptr().cast::<c_void>(), bytes, libc::MADV_HUGEPAGE) };
    if result == 0 { Ok(()) } else { Err(refused(format_args!("madvise for huge pages"), "")) }
}

const HUGE_PAGES: &str = "/sys/kernel/mm/transparent_hugepage";

/// The bytes of a huge page: 2 MiB, unless the kernel says otherwise, as on AArch64 with pages of 64 KiB.
fn huge_page() -> usize {
    let text = fs::read_to_string(format!("{HUGE_PAGES}/hpage_pmd_size")).unwrap_or_default();
    text.trim().parse().ok().filter(|bytes: &usize| bytes.is_power_of_two()).unwrap_or(2 << 20)
}

fn node_mask(nodes: &[usize]) -> Result<NodeMask, PlaceError> {
    let mut mask = [0; NODE_WORDS];
    for &node in nodes {
        let word = mask.get_mut(node / WORD);
        let word = word.ok_or_else(|| PlaceError::new(format!("there can't be a node {node}")))?;
        *word |= 1 << (node % WORD);
    }
    Ok(mask)
}

const NO_NODE: &str = " (the machine has no such node, or this process may not use it)";

/// The error of the last system call; `invalid` says what it means that it was not valid.
fn refused(what: impl core::fmt::Display, invalid: &str) -> PlaceError {
    let error = io::Error::last_os_error();
    let advice = match error.raw_os_error() {
        Some(libc::EPERM) => " (a container's seccomp profile often forbids it)",
        Some(libc::ENOSYS) => " (this kernel is built without NUMA support)",
        Some(libc::EINVAL) => invalid,
        _ => "",
    };
    PlaceError::new(format!("{what}: {error}{advice}"))
}

/// Gives the calling thread the memory policy back that it had.
struct RestorePolicy {
    mode: c_int,
    nodes: NodeMask,
}

impl RestorePolicy {
    /// Has the thread's new pages come from `node` as long as there are any.
    fn after_preferring(node: usize) -> Result<Self, PlaceError> {
        let wanted = node_mask(&[node])?;
        let (mode, nodes) = policy_of(None)?;
        if set_policy(libc::MPOL_PREFERRED, &wanted) != 0 {
            return Err(refused(format_args!("set_mempolicy for node {node}"), NO_NODE));
        }
        Ok(Self { mode, nodes })
    }
}

impl Drop for RestorePolicy {
    fn drop(&mut self) {
        // What the thread had before, it may have again.
        set_policy(self.mode, &self.nodes);
    }
}

fn set_policy(mode: c_int, nodes: &NodeMask) -> i64 {
    // The policies without nodes want none named.
    let bits = if nodes.iter().all(|word| *word == 0) { 0 } else { Topology::MAX_NODES + 1 };
    let mask = if bits == 0 { ptr::null() } else { nodes.as_ptr() };
    // SAFETY: changes where the calling thread's new pages come from; the mask has as many bits as are named.
    unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask, bits) }
}

/// Lets the calling thread run where it could.
struct RestoreAffinity {
    cpus: Vec<c_ulong>,
}

impl RestoreAffinity {
    /// Has the thread run on one of `cpus`.
    fn after_binding_to(cpus: &[usize]) -> Result<Self, PlaceError> {
        let mut before: Vec<c_ulong> = alloc::vec![0; Topology::MAX_CPUS / WORD];
        let bytes = size_of_val(&before[..]);
        // SAFETY: writes at most so many bytes.
        if unsafe { libc::sched_getaffinity(0, bytes, before.as_mut_ptr().cast()) } < 0 {
            return Err(refused(format_args!("sched_getaffinity"), ""));
        }
        let mut wanted: Vec<c_ulong> = alloc::vec![0; Topology::MAX_CPUS / WORD];
        for cpu in cpus {
            let word = wanted.get_mut(cpu / WORD);
            *word.ok_or_else(|| PlaceError::new(format!("there can't be a CPU {cpu}")))? |= 1 << (cpu % WORD);
        }
        // SAFETY: reads so many bytes.
        if unsafe { libc::sched_setaffinity(0, bytes, wanted.as_ptr().cast()) } != 0 {
            return Err(refused(
                format_args!("sched_setaffinity to the CPUs {}", ranges(cpus)),
                " (the machine has none of them, or this process may use none)",
            ));
        }
        Ok(Self { cpus: before })
    }
}

impl Drop for RestoreAffinity {
    fn drop(&mut self) {
        let bytes = size_of_val(&self.cpus[..]);
        // SAFETY: reads so many bytes. What the thread had before, it may have again.
        unsafe { libc::sched_setaffinity(0, bytes, self.cpus.as_ptr().cast()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mode and nodes of the calling thread, and its CPUs.
    fn state() -> (c_int, NodeMask, Vec<c_ulong>) {
        let (mode, nodes) = policy_of(None).unwrap_or((-1, [0; NODE_WORDS]));
        let mut state = (mode, nodes, alloc::vec![0; Topology::MAX_CPUS / WORD]);
        // SAFETY: as in `after_binding_to`.
        unsafe { libc::sched_getaffinity(0, size_of_val(&state.2[..]), state.2.as_mut_ptr().cast()) };
        state
    }

    #[test]
    fn what_the_thread_had_it_has_again() {
        let before = state();
        let cpu = crate::topology::current_cpu().unwrap();
        let mut runs = 0;
        // A container may forbid it; then it is said, and the work is done all the same.
        let _ = LinuxMemory.build_on(0, &[cpu], &mut || runs += 1);
        let _ = LinuxMemory.help_on(0, &mut || runs += 1);
        assert_eq!(state(), before);
        let panic = std::panic::catch_unwind(|| LinuxMemory.build_on(0, &[cpu], &mut || panic!("in the midst")));
        assert!(panic.is_err());
        assert_eq!(state(), before);
        assert_eq!(runs, 2);
    }

    #[test]
    fn what_is_not_there_is_said_and_the_work_done() {
        let before = state();
        let mut runs = 0;
        for node in [900, Topology::MAX_NODES, usize::MAX] {
            let error = LinuxMemory.help_on(node, &mut || runs += 1).unwrap_err();
            assert!(!error.to_string().is_empty());
            LinuxMemory.build_on(node, &[0], &mut || runs += 1).unwrap_err();
            // A policy is enough; that may be forbidden.
            let _ = LinuxMemory.build_on(0, &[node.max(Topology::MAX_CPUS)], &mut || runs += 1);
            let neither = LinuxMemory.build_on(node, &[node.max(Topology::MAX_CPUS)], &mut || runs += 1).unwrap_err();
            assert!(neither.to_string().contains("; "), "{neither}");
        }
        assert_eq!(runs, 12);
        assert_eq!(state(), before);
    }

    #[test]
    fn memory_for_a_log_is_zeroed_aligned_and_given_back() {
        for (bytes, huge) in [(1, false), (4096, false), (100_000, true), (5 << 20, false), (5 << 20, true)] {
            let memory = LinuxMemory.allocate_log(bytes, &[0], huge).unwrap();
            let alignment = if huge && bytes >= huge_page() { huge_page() } else { page() };
            assert_eq!(memory.start.as_ptr().align_offset(alignment), 0);
            assert!(bytes >= huge_page() || !huge || memory.huge_pages.is_err());
            // SAFETY: so many bytes are mapped, and nobody else has them.
            let slice = unsafe { core::slice::from_raw_parts_mut(memory.start.as_ptr(), bytes) };
            assert!(slice.iter().all(|byte| *byte == 0));
            slice.fill(1);
            // SAFETY: from `allocate_log`, and not used any more.
            unsafe { LinuxMemory.free_log(memory.start, bytes) };
        }
        assert!(LinuxMemory.allocate_log(usize::MAX, &[0], true).is_err());
        assert!(LinuxMemory.allocate_log(1 << 60, &[0], false).is_err());
    }
}
