//! Checks of one property each, which need neither a record of what has happened nor a search: they decide as many operations as
//! there is time for.

mod accounts;
mod fetch_add;
mod producers;
mod registers;

pub use accounts::Accounts;
pub use fetch_add::FetchAdd;
pub use producers::Producers;
pub use registers::Registers;

use crate::common::check;
use crossbeam_utils::CachePadded;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::*};

/// The most that anybody has seen or written: whoever looks at it and then at the structure must see as much.
///
/// What passes from thread to thread by it is no more ordered than it has to be for that, lest it hide what the structure fails to order.
#[derive(Debug, Default)]
struct HighWater(CachePadded<AtomicU64>);

impl HighWater {
    fn get(&self) -> u64 {
        // Acquire: pairs with the Release in `raise`, as a message would.
        self.0.load(Acquire)
    }

    fn raise(&self, seen: u64) {
        // Relaxed: skips a needless write.
        if self.0.load(Relaxed) < seen {
            // Release: what has been seen is before whatever is seen by who gets to know of it.
            self.0.fetch_max(seen, Release);
        }
    }
}

/// Which of the next numbers have come, each of which has to come once. All of it is `Relaxed`: threads meet before and after
/// [`settle`](Self::settle).
#[derive(Debug)]
struct Once {
    first: AtomicU64,
    came: Box<[AtomicU64]>,
    count: AtomicUsize,
}

impl Once {
    /// With room for so many numbers before the next [`settle`](Self::settle).
    fn new(room: usize) -> Self {
        let words = || (0..room.div_ceil(64)).map(|_| AtomicU64::new(0));
        Self { first: AtomicU64::new(0), came: words().collect(), count: AtomicUsize::new(0) }
    }

    /// Takes a number.
    fn take(&self, number: u64) {
        let first = self.first.load(Relaxed);
        check!(number >= first, "{number} comes again, after all below {first}");
        let offset = (number - first) as usize;
        check!(
            offset / 64 < self.came.len(),
            "{number} comes soon after {first}, which so many operations can't reach"
        );
        let bit = 1 << (offset % 64);
        let before = self.came[offset / 64].fetch_or(bit, Relaxed);
        check!(before & bit == 0, "{number} comes twice");
        self.count.fetch_add(1, Relaxed);
    }

    /// Whether those that came are the next ones, without a gap; the numbers after them are next. To be called while nobody takes any.
    fn settle(&self) {
        let count = self.count.swap(0, Relaxed);
        let first = self.first.fetch_add(count as u64, Relaxed);
        for (word, came) in self.came.iter().enumerate() {
            let came = came.swap(0, Relaxed);
            let expected = match count.saturating_sub(64 * word) {
                0 => 0,
                bits @ 1..64 => (1 << bits) - 1,
                _ => u64::MAX,
            };
            let missing = first + 64 * word as u64 + u64::from((expected & !came).trailing_zeros());
            check!(came & expected == expected, "{missing} never came, of {count} from {first} on");
        }
    }

    /// How many have come in all, at the last [`settle`](Self::settle).
    fn settled(&self) -> u64 {
        self.first.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Once;
    use crate::common::{panic_of, text_of};

    fn taken(numbers: impl IntoIterator<Item = u64>) -> Once {
        let once = Once::new(200);
        numbers.into_iter().for_each(|number| once.take(number));
        once
    }

    #[test]
    fn dense_numbers_are_taken_in_any_order() {
        for count in [0, 1, 63, 64, 65, 128, 200] {
            let once = taken((0..count).rev());
            once.settle();
            once.take(count);
            once.settle();
            assert_eq!(once.settled(), count + 1);
        }
    }

    #[test]
    fn a_gap_a_repetition_and_a_leap_are_found() {
        for (numbers, what) in
            [(&[0, 2, 3][..], "1 never came"), (&[0, 1, 1], "1 comes twice"), (&[0, 1_000_000], "can't reach")]
        {
            let panic = panic_of(|| taken(numbers.iter().copied()).settle());
            assert!(text_of(&*panic).contains(what), "{}", text_of(&*panic));
        }
        let once = taken([0, 1]);
        once.settle();
        assert!(text_of(&*panic_of(|| once.take(1))).contains("1 comes again"));
    }
}
