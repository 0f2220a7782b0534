//! CPU time, user and system together, to the microsecond or better.

use std::time::Duration;

/// CPU time of all threads of this process so far, those that have ended included.
pub fn of_this_process() -> Duration {
    read(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time of the calling thread so far.
pub fn of_this_thread() -> Duration {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live, writable `timespec`, which is all that `clock_gettime` touches.
    let status = unsafe { libc::clock_gettime(clock, &mut time) };
    assert_eq!(status, 0, "this system has no clock for CPU time");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::{of_this_process, of_this_thread};
    use std::time::Duration;

    #[test]
    fn work_counts_and_sleep_does_not() {
        let (process, thread) = (of_this_process(), of_this_thread());
        std::thread::sleep(Duration::from_millis(200));
        let asleep = of_this_thread() - thread;
        assert!(asleep < Duration::from_millis(100), "{asleep:?}");
        while of_this_thread() - thread < asleep + Duration::from_millis(10) {}
        assert!(of_this_process() - process >= Duration::from_millis(10));
    }
}
