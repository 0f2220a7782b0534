//! When or how often a key was used, in one word beside it: what eviction goes by.
//!
//! Under most policies the word is the second of the last use. Under an LFU policy it is a counter that grows with the
//! logarithm of the uses and decreases with time:
//!
//! ```text
//!   bit  31    24 23                8 7         0
//!       | unused | minute of last use | counter |
//! ```
//!
//! Who changes the policy finds words of the other kind until the keys have been used again, as in Redis.

use std::cell::Cell;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::config::{Config, MaxmemoryPolicy};

/// What the counter of a new key begins with, so that it isn't the first to go before it was used at all.
const INITIAL_COUNTER: u8 = 5;

const COUNTER_BITS: u32 = 8;

/// How the word of an [`Entry`](super::entry::Entry) is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessClock {
    /// The time of the last use, in seconds.
    Recency,
    /// The frequency of uses.
    Frequency {
        /// How slowly the counter saturates (`lfu-log-factor`).
        factor: u32,
        /// After how many minutes the counter loses one; zero for never (`lfu-decay-time`).
        decay: u32,
    },
}

impl AccessClock {
    /// The clock that the configuration's policy goes by.
    pub fn of(config: &Config) -> Self {
        match config.maxmemory_policy {
            MaxmemoryPolicy::AllkeysLfu | MaxmemoryPolicy::VolatileLfu => {
                AccessClock::Frequency { factor: config.lfu_log_factor, decay: config.lfu_decay_time }
            }
            _ => AccessClock::Recency,
        }
    }

    /// The word of a key that is created at `now`, in milliseconds since 1970.
    #[inline]
    pub fn created(self, now: i64) -> u32 {
        match self {
            AccessClock::Recency => seconds(now),
            AccessClock::Frequency { .. } => counted(minute(now), INITIAL_COUNTER),
        }
    }

    /// What becomes of the word of a key that is used at `now`. The words of a key that is used often change once a
    /// second, or once a minute and whenever the counter grows, which becomes rare.
    #[inline]
    pub fn used(self, word: u32, now: i64) -> u32 {
        match self {
            AccessClock::Recency => seconds(now),
            AccessClock::Frequency { factor, .. } => {
                counted(minute(now), grown(self.frequency(word, now), factor, random()))
            }
        }
    }

    /// For how many seconds a key with this word has not been used.
    pub fn idle_seconds(self, word: u32, now: i64) -> u32 {
        // A reader whose time is a little behind may find a use of the next second.
        seconds(now).saturating_sub(word)
    }

    /// The counter of a key with this word, less what it has lost since.
    pub fn frequency(self, word: u32, now: i64) -> u8 {
        let counter = word as u8;
        let elapsed = minute(now).wrapping_sub((word >> COUNTER_BITS) as u16);
        let lost = match self {
            AccessClock::Recency => None,
            AccessClock::Frequency { decay, .. } => u32::from(elapsed).checked_div(decay),
        };
        counter.saturating_sub(u8::try_from(lost.unwrap_or(0)).unwrap_or(u8::MAX))
    }
}

fn seconds(now: i64) -> u32 {
    (now / 1000) as u32
}

fn minute(now: i64) -> u16 {
    (now / 60_000) as u16
}

fn counted(minute: u16, counter: u8) -> u32 {
    u32::from(minute) << COUNTER_BITS | u32::from(counter)
}

/// The counter grows with a probability of 1 / (`factor` · growth so far + 1).
fn grown(counter: u8, factor: u32, random: u32) -> u8 {
    let odds = u64::from(counter.saturating_sub(INITIAL_COUNTER)) * u64::from(factor) + 1;
    let grows = (u128::from(random) * u128::from(odds)) >> 32 == 0;
    counter.saturating_add(u8::from(grows))
}

/// A random number of this thread. Replicas may differ in it, as they do in their keys' words.
fn random() -> u32 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(SmallRng::from_os_rng().random());
    }
    // Steele and Vigna, "Computationally easy, spectrally good multipliers", 2021; of the state only the high bits are
    // good, and only they are used.
    let state = STATE.get().wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
    STATE.set(state);
    (state >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const LFU: AccessClock = AccessClock::Frequency { factor: 10, decay: 1 };

    #[test]
    fn recency_is_the_second_of_the_last_use() {
        let clock = AccessClock::Recency;
        let word = clock.created(5_000);
        assert_eq!(clock.idle_seconds(word, 9_999), 4);
        let word = clock.used(word, 9_999);
        assert_eq!(clock.idle_seconds(word, 9_999), 0);
        assert_eq!(clock.idle_seconds(word, 8_000), 0);
    }

    #[test]
    fn a_counter_grows_with_the_logarithm_of_uses() {
        let after = |uses| (0..uses).fold(LFU.created(0), |word, _| LFU.used(word, 0)) as u8;
        assert_eq!(after(0), 5);
        assert!((7..=16).contains(&after(100)), "{}", after(100));
        assert!((60..=250).contains(&after(100_000)), "{}", after(100_000));
    }

    #[test]
    fn a_counter_never_overflows() {
        let clock = AccessClock::Frequency { factor: 0, decay: 0 };
        let word = (0..1000).fold(clock.created(0), |word, _| clock.used(word, 0));
        assert_eq!(clock.frequency(word, i64::MAX), 255);
        assert_eq!(grown(255, u32::MAX, 0), 255);
        assert_eq!(grown(254, u32::MAX, u32::MAX), 254);
    }

    #[test]
    fn a_counter_decreases_with_time() {
        let word = counted(minute(0), 20);
        assert_eq!(LFU.frequency(word, 60_000 * 3), 17);
        assert_eq!(LFU.frequency(word, 60_000 * 300), 0);
        assert_eq!(AccessClock::Frequency { factor: 10, decay: 5 }.frequency(word, 60_000 * 14), 18);
        // The minutes start anew every 45 days.
        assert_eq!(LFU.frequency(counted(u16::MAX, 20), 60_000 * 65_536), 19);
    }
}
