//! A clock that costs little to read: the processor's counter where it has one that programs may read, else the system's clock.

use std::time::{Duration, Instant};

/// The counter now.
#[inline]
pub fn now() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: every processor of this kind has the instruction, which only reads a counter.
        unsafe { core::arch::x86_64::_rdtsc() }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        use std::sync::LazyLock;
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed().as_nanos() as u64
    }
}

/// A stretch of time by both clocks: what a tick is worth.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    began: Instant,
    ticks: u64,
}

impl Stretch {
    /// It begins.
    pub fn begin() -> Self {
        Self { began: Instant::now(), ticks: now() }
    }

    /// It ends: how long it was, and how many nanoseconds a tick is.
    pub fn end(&self) -> (Duration, f64) {
        let (passed, ticks) = (self.began.elapsed(), now().wrapping_sub(self.ticks));
        (passed, passed.as_nanos() as f64 / ticks.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::{Stretch, now};
    use std::time::Duration;

    #[test]
    fn ticks_are_as_long_as_the_time() {
        let (stretch, ticks) = (Stretch::begin(), now());
        std::thread::sleep(Duration::from_millis(30));
        let slept = now() - ticks;
        let (passed, nanoseconds) = stretch.end();
        let slept = Duration::from_nanos((slept as f64 * nanoseconds) as u64);
        assert!(
            slept >= Duration::from_millis(29) && slept <= passed + Duration::from_millis(1),
            "{slept:?} {passed:?}"
        );
    }
}
