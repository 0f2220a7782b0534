//! The pseudo-random numbers of every workload: the same for all peers, and cheap beside what is measured.

/// A 64-bit linear congruential generator that gives out its upper half: one multiplication and one addition a number,
/// and of better quality than a choice of keys needs.
#[derive(Clone, Debug)]
pub struct Sequence(u64);

impl Sequence {
    /// The sequence that belongs to `seed`; equal seeds give equal sequences.
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d)
    }

    /// The next number, of 32 bits.
    #[inline]
    pub fn next_u32(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 32
    }

    /// The next number, uniform in `0..limit`; `limit` must not exceed 2³².
    #[inline]
    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next_u32() * limit) >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::Sequence;

    #[test]
    fn equal_seeds_give_equal_sequences() {
        let (mut one, mut other) = (Sequence::new(7), Sequence::new(7));
        assert!((0..100).all(|_| one.next_u32() == other.next_u32()));
    }

    #[test]
    fn numbers_stay_below_the_limit_and_reach_all_of_it() {
        let mut sequence = Sequence::new(1);
        let mut seen = [false; 10];
        for _ in 0..1_000 {
            seen[sequence.below(10) as usize] = true;
        }
        assert_eq!(seen, [true; 10]);
    }
}
