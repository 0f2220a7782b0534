//! Whole numbers of any length, with the few operations that reading and writing [`Extended`](super::Extended) takes.

use std::cmp::Ordering;

/// A whole number in digits of 32 bits, the lowest first and the highest never zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Big {
    limbs: Vec<u32>,
}

impl Big {
    /// The number in these decimal digits. O(digits²).
    pub(super) fn from_digits(digits: &[u8]) -> Self {
        let mut number = Self::default();
        for chunk in digits.chunks(9) {
            let value = chunk.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
            number.multiply_add(10u32.pow(chunk.len() as u32), value);
        }
        number
    }

    /// 5^exponent. O(exponent²).
    pub(super) fn power_of_five(exponent: u32) -> Self {
        let mut number = Self { limbs: vec![1] };
        number.multiply_power_of_five(exponent);
        number
    }

    /// Multiplies by 5^exponent. O(exponent · length of the result).
    pub(super) fn multiply_power_of_five(&mut self, exponent: u32) {
        // 5^13 is the highest that fits a limb.
        for _ in 0..exponent / 13 {
            self.multiply_add(5u32.pow(13), 0);
        }
        self.multiply_add(5u32.pow(exponent % 13), 0);
    }

    /// Multiplies by one small number and adds another. O(length).
    pub(super) fn multiply_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for limb in &mut self.limbs {
            let product = u64::from(*limb) * u64::from(factor) + carry;
            *limb = product as u32;
            carry = product >> 32;
        }
        if carry != 0 {
            self.limbs.push(carry as u32);
        }
    }

    /// Multiplies by 2^bits. O(length).
    pub(super) fn shift_left(&mut self, bits: u32) {
        if self.limbs.is_empty() {
            return;
        }
        self.multiply_add(1 << (bits % 32), 0);
        self.limbs.splice(0..0, std::iter::repeat_n(0, (bits / 32) as usize));
    }

    /// Divides by a small number and answers with the rest. O(length).
    pub(super) fn divide(&mut self, divisor: u32) -> u32 {
        let mut rest = 0u64;
        for limb in self.limbs.iter_mut().rev() {
            let dividend = rest << 32 | u64::from(*limb);
            *limb = (dividend / u64::from(divisor)) as u32;
            rest = dividend % u64::from(divisor);
        }
        self.trim();
        rest as u32
    }

    /// Subtracts a number that isn't larger. O(length).
    pub(super) fn subtract(&mut self, other: &Self) {
        let mut borrow = 0i64;
        let others = other.limbs.iter().copied().chain(std::iter::repeat(0));
        for (limb, other) in self.limbs.iter_mut().zip(others) {
            let difference = i64::from(*limb) - i64::from(other) + borrow;
            *limb = difference as u32;
            borrow = difference >> 32;
        }
        debug_assert_eq!(borrow, 0);
        self.trim();
    }

    /// How many bits it has, without leading zeros. O(1).
    pub(super) fn bits(&self) -> u32 {
        self.limbs.last().map_or(0, |last| self.limbs.len() as u32 * 32 - last.leading_zeros())
    }

    /// Whether it is 0. O(1).
    pub(super) fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    /// The number divided by 2^shift, where shift is as small as 128 bits allow, and shift. If bits other than zero
    /// are lost, the lowest bit is set. O(length).
    pub(super) fn highest_bits(&self) -> (u128, u32) {
        let limb = |index: usize| self.limbs.get(index).map_or(0, |&limb| u128::from(limb));
        let shift = self.bits().saturating_sub(128);
        let (skipped, within) = ((shift / 32) as usize, shift % 32);
        let low = (0..4).fold(0, |value, index| value | limb(skipped + index) << (32 * index));
        let high = limb(skipped + 4);
        let value = if within == 0 { low } else { low >> within | high << (128 - within) };
        let lost = self.limbs.iter().take(skipped).any(|&limb| limb != 0) || limb(skipped) & ((1 << within) - 1) != 0;
        (value | u128::from(lost), shift)
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }
}

impl From<u64> for Big {
    fn from(number: u64) -> Self {
        let mut big = Self { limbs: vec![number as u32, (number >> 32) as u32] };
        big.trim();
        big
    }
}

impl PartialOrd for Big {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Big {
    fn cmp(&self, other: &Self) -> Ordering {
        let lengths = self.limbs.len().cmp(&other.limbs.len());
        lengths.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }
}
