//! What the operating system says of the process and of the machine.

use std::fs;
use std::mem::MaybeUninit;
use std::sync::LazyLock;
use std::time::Duration;

/// Bytes of the process that are in memory; 0 where the system doesn't say.
pub(super) fn resident_memory() -> u64 {
    const PAGE: u64 = 4096;
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).map_or(0, |pages: u64| pages * PAGE)
}

/// Bytes of memory that the machine has; 0 where the system doesn't say.
pub(super) fn machine_memory() -> u64 {
    static TOTAL: LazyLock<u64> = LazyLock::new(|| {
        let facts = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total = facts.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kilobytes = total.and_then(|total| total.trim().strip_suffix(" kB")?.parse().ok());
        kilobytes.map_or(0, |kilobytes: u64| kilobytes * 1024)
    });
    *TOTAL
}

/// The operating system's name and release, and the machine's architecture.
pub(super) fn system() -> &'static str {
    static SYSTEM: LazyLock<String> = LazyLock::new(|| {
        let read = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
        format!("{} {} {}", read("ostype").trim(), read("osrelease").trim(), std::env::consts::ARCH)
    });
    &SYSTEM
}

/// Processor time, in the system's calls and in the program's own code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProcessorTime {
    /// In calls of the system.
    pub(super) system: Duration,
    /// In the program.
    pub(super) user: Duration,
}

impl ProcessorTime {
    /// Of this process.
    pub(super) fn of_process() -> Self {
        Self::of(libc::RUSAGE_SELF)
    }

    /// Of the thread that asks.
    pub(super) fn of_thread() -> Self {
        Self::of(libc::RUSAGE_THREAD)
    }

    fn of(who: libc::c_int) -> Self {
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: `usage` is valid to be written as a whole, which is all that the call asks for.
        let failed = unsafe { libc::getrusage(who, usage.as_mut_ptr()) } != 0;
        if failed {
            return Self::default();
        }
        // SAFETY: it is made of integers, for which the zeros from above will do, whatever the call wrote.
        let usage = unsafe { usage.assume_init() };
        let duration = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
        ProcessorTime { system: duration(usage.ru_stime), user: duration(usage.ru_utime) }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_something() {
        assert!(resident_memory() > 100_000);
        assert!(machine_memory() > resident_memory());
        assert!(system().starts_with("Linux "));
        let start = ProcessorTime::of_thread();
        while ProcessorTime::of_thread() == start {}
        assert!(ProcessorTime::of_process().user >= start.user);
    }
}
