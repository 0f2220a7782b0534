//! What of the machine this process may use, as the kernel says when it is asked; a control group's cpuset is in that.

use alloc::{collections::BTreeSet, vec::Vec};
use core::ffi::c_ulong;
use std::fs;

use super::Topology;

/// How many threads are asked for.
const THREADS_ASKED: usize = 4096;

/// The CPUs that some thread of this process may use, ascending; none if that can't be found out. One thread is not asked for alone: it
/// may be pinned.
pub(super) fn cpus() -> Vec<usize> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let ids = threads.filter_map(|thread| thread.file_name().to_str()?.parse().ok());
    let mut allowed: BTreeSet<usize> = ids.take(THREADS_ASKED).flat_map(cpus_of).collect();
    if allowed.is_empty() {
        // The calling one.
        allowed.extend(cpus_of(0));
    }
    allowed.into_iter().collect()
}

fn cpus_of(thread: libc::pid_t) -> Vec<usize> {
    const WORD: usize = c_ulong::BITS as usize;
    let mut mask: Vec<c_ulong> = alloc::vec![0; Topology::MAX_CPUS / WORD];
    // SAFETY: writes at most so many bytes.
    let result = unsafe { libc::sched_getaffinity(thread, size_of_val(&mask[..]), mask.as_mut_ptr().cast()) };
    if result < 0 {
        return Vec::new();
    }
    (0..Topology::MAX_CPUS).filter(|cpu| mask[cpu / WORD] >> (cpu % WORD) & 1 == 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpus_of_all_threads_count_and_not_those_of_one() {
        let all = cpus();
        assert!(!all.is_empty() && all.is_sorted_by(|a, b| a < b));
        std::thread::spawn(move || {
            // One that the test program is not pinned to, if there are several.
            let _ = crate::topology::pin::current_thread(all[0]);
            let now = cpus();
            // Other tests' threads come and go, but the main one stays.
            assert_eq!(now, all);
        })
        .join()
        .unwrap();
    }
}
