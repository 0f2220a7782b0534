//! Floating-point numbers with a mantissa of 64 bits.

use std::fmt;

use super::big::Big;
use super::{Hexadecimal, is_infinity, round_mantissa, scan_exponent, split_sign};

/// A floating-point number as x86-64's `long double` holds it: 64 bits of mantissa and 15 of exponent.
///
/// `INCRBYFLOAT` is defined by what that type does, and neither [`f64`] nor decimal arithmetic gives the same digits:
/// 1000.1 and 0.1 make 1000.19999999999999996.
///
/// Numbers below 2^-16382, where the type has fewer bits, keep all 64 here. With 17 decimals they are all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extended {
    negative: bool,
    magnitude: Magnitude,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Magnitude {
    Zero,
    /// `mantissa · 2^exponent`, where the mantissa's highest bit is set.
    Finite {
        mantissa: u64,
        exponent: i32,
    },
    Infinite,
}

/// The exponent of the largest number, 2^16384 - 2^16320.
const LARGEST_EXPONENT: i64 = 16_320;
/// The smallest number is 2^-16445; half of it is rounded to zero.
const VANISHING_EXPONENT: i64 = -16_446;
/// As many bytes as Redis' buffer for such a number has, with the zero byte that ends it.
const LONGEST_TEXT: usize = 5 * 1024;

impl Extended {
    /// Reads a number in the forms that [`parse_float`](super::parse_float) reads.
    ///
    /// Linear in the text's length for numbers of up to 19 digits and moderate exponents, quadratic for others.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() >= LONGEST_TEXT {
            return None;
        }
        let (negative, unsigned) = split_sign(text);
        let magnitude = match unsigned {
            [b'0', b'x' | b'X', digits @ ..] => {
                let number = Hexadecimal::scan(digits)?;
                Magnitude::in_range(number.mantissa, number.exponent)?
            }
            [b'0'..=b'9' | b'.', ..] => parse_decimal(unsigned)?,
            _ if is_infinity(unsigned) => Magnitude::Infinite,
            _ => return None,
        };
        Some(Self { negative, magnitude })
    }

    /// Whether it isn't infinite. O(1).
    pub fn is_finite(&self) -> bool {
        self.magnitude != Magnitude::Infinite
    }

    /// A thousand times the number, rounded as the type does it, and then up to a whole number; `None` if [`i64`] can't hold
    /// that. O(1).
    pub fn thousandfold_rounded_up(self) -> Option<i64> {
        let product = match self.magnitude {
            Magnitude::Finite { mantissa, exponent } => Magnitude::round(u128::from(mantissa) * 1000, exponent.into()),
            other => other,
        };
        let (whole, has_fraction) = match product {
            Magnitude::Zero => (0, false),
            Magnitude::Infinite => return None,
            Magnitude::Finite { mantissa, exponent: 0 } => (mantissa, false),
            Magnitude::Finite { exponent: 1.., .. } => return None,
            Magnitude::Finite { mantissa, exponent } => {
                let whole = mantissa.checked_shr(exponent.unsigned_abs()).unwrap_or(0);
                (whole, whole.checked_shl(exponent.unsigned_abs()) != Some(mantissa))
            }
        };
        if self.negative {
            0i64.checked_sub_unsigned(whole)
        } else {
            i64::try_from(whole).ok()?.checked_add(i64::from(has_fraction))
        }
    }

    /// The sum, rounded to the nearest, ties to even; `None` if it is infinite or no number at all. O(1).
    pub fn checked_add(self, other: Self) -> Option<Self> {
        use Magnitude::{Finite, Infinite, Zero};
        match (self.magnitude, other.magnitude) {
            (Infinite, _) | (_, Infinite) => None,
            (_, Zero) => Some(self),
            (Zero, _) => Some(other),
            (Finite { exponent, .. }, Finite { exponent: others, .. }) if exponent < others => other.checked_add(self),
            (Finite { mantissa, exponent }, Finite { mantissa: others_mantissa, exponent: others_exponent }) => {
                // 62 bits below the mantissa and one above it: a sum doesn't overflow, and a difference that loses
                // its highest bits is either exact or has more than enough left.
                let larger = u128::from(mantissa) << 62;
                let unshifted = u128::from(others_mantissa) << 62;
                let shift = (exponent - others_exponent) as u32;
                let shifted = unshifted.checked_shr(shift).unwrap_or(0);
                let lost = shifted.checked_shl(shift).unwrap_or(0) != unshifted;
                let smaller = shifted | u128::from(lost);
                let (negative, sum) = if self.negative == other.negative {
                    (self.negative, larger + smaller)
                } else {
                    (self.negative != (smaller > larger), larger.abs_diff(smaller))
                };
                let sum = Self { negative, magnitude: Magnitude::round(sum, i64::from(exponent) - 62) };
                sum.is_finite().then_some(sum)
            }
        }
    }
}

impl Magnitude {
    /// The nearest to `mantissa · 2^exponent`, ties to even.
    fn round(mantissa: u128, exponent: i64) -> Self {
        if mantissa == 0 {
            return Self::Zero;
        }
        let zeros = mantissa.leading_zeros();
        let mut rounded = round_mantissa(mantissa << zeros, 64);
        let mut exponent = exponent - i64::from(zeros) + 64;
        if rounded >> 64 != 0 {
            rounded >>= 1;
            exponent += 1;
        }
        if exponent > LARGEST_EXPONENT {
            return Self::Infinite;
        }
        // Below the smallest exponent is nothing but what `in_range` refuses.
        Self::Finite { mantissa: rounded as u64, exponent: exponent.max(-100_000) as i32 }
    }

    /// The nearest to `mantissa · 2^exponent`; `None` if that is infinite, or zero though the mantissa isn't.
    fn in_range(mantissa: u128, exponent: i64) -> Option<Self> {
        let rounded = Self::round(mantissa, exponent);
        match rounded {
            Self::Zero => Some(rounded),
            Self::Infinite => None,
            Self::Finite { mantissa, exponent } => {
                let highest = i64::from(exponent) + 63;
                let power_of_two = mantissa == 1 << 63;
                let vanishes = highest < VANISHING_EXPONENT || (highest == VANISHING_EXPONENT && power_of_two);
                (!vanishes).then_some(rounded)
            }
        }
    }
}

/// Reads a decimal number without a sign.
fn parse_decimal(text: &[u8]) -> Option<Magnitude> {
    let end = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let mut exponent = match end {
        Some(end) => scan_exponent(&text[end + 1..])?,
        None => 0,
    };
    let mantissa = &text[..end.unwrap_or(text.len())];
    let (whole, fraction) = match mantissa.iter().position(|&byte| byte == b'.') {
        Some(point) => (&mantissa[..point], &mantissa[point + 1..]),
        None => (mantissa, &[][..]),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    exponent -= fraction.len() as i64;

    let mut value = 0u64;
    let mut significant = 0;
    for byte in whole.iter().chain(fraction) {
        if !byte.is_ascii_digit() {
            return None;
        }
        significant += usize::from(significant > 0 || *byte != b'0');
        if significant <= 19 {
            value = value * 10 + u64::from(byte - b'0');
        }
    }
    match exponent {
        _ if value == 0 => Some(Magnitude::Zero),
        0..=19 if significant <= 19 => {
            let product = u128::from(value) * 10u128.pow(exponent as u32);
            Some(Magnitude::round(product, 0))
        }
        -26..0 if significant <= 19 => Some(divide_by_power_of_ten(value, -exponent as u32)),
        _ => {
            let digits: Vec<u8> = whole.iter().chain(fraction).copied().collect();
            parse_long_decimal(&digits[digits.len() - significant..], exponent)
        }
    }
}

/// `value / 10^exponent`, where the exponent is 26 at most.
fn divide_by_power_of_ten(value: u64, exponent: u32) -> Magnitude {
    let zeros = value.leading_zeros();
    let dividend = u128::from(value << zeros) << 64;
    // 5^26 has 61 bits, so that the quotient has 67 or more: 64, one that tells the half, and one that tells of a rest.
    let divisor = 5u128.pow(exponent);
    let rest = u128::from(dividend % divisor != 0);
    Magnitude::round((dividend / divisor) | rest, -64 - i64::from(zeros) - i64::from(exponent))
}

/// Reads `digits · 10^exponent`; the first digit isn't 0.
#[cold]
fn parse_long_decimal(digits: &[u8], exponent: i64) -> Option<Magnitude> {
    // Before any long number is made: what is out of range anyhow.
    let highest = digits.len() as i64 + exponent;
    if !(-4_960..=4_940).contains(&highest) {
        return None;
    }
    let mut number = Big::from_digits(digits);
    if exponent >= 0 {
        number.multiply_power_of_five(exponent as u32);
        let (mantissa, shift) = number.highest_bits();
        return Magnitude::in_range(mantissa, exponent + i64::from(shift));
    }

    let mut divisor = Big::power_of_five(-exponent as u32);
    // The dividend gets 66 bits more than the divisor, so that the quotient has 66 or 67.
    let shift = i64::from(divisor.bits()) + 66 - i64::from(number.bits());
    if shift >= 0 {
        number.shift_left(shift as u32);
    } else {
        divisor.shift_left(-shift as u32);
    }
    divisor.shift_left(66);
    let mut quotient = 0u128;
    for _ in 0..=66 {
        quotient <<= 1;
        if number >= divisor {
            number.subtract(&divisor);
            quotient |= 1;
        }
        number.multiply_add(2, 0);
    }
    let rest = u128::from(!number.is_zero());
    Magnitude::in_range(quotient | rest, exponent - shift)
}

impl fmt::Display for Extended {
    /// Writes it with the 17 decimals that it rounds to, but without zeros at the end, and zero without a sign.
    /// O(1) below 2^128, quadratic in the number of digits above.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        match self.magnitude {
            Magnitude::Zero => formatter.write_str("0"),
            Magnitude::Infinite => write!(formatter, "{sign}inf"),
            Magnitude::Finite { mantissa, exponent } if exponent < 0 => {
                const UNIT: u128 = 10u128.pow(17);
                let scaled = u128::from(mantissa) * UNIT;
                let shift = exponent.unsigned_abs();
                let rounded = if shift >= 128 { 0 } else { round_mantissa(scaled, 128 - shift) };
                let (whole, fraction) = (rounded / UNIT, rounded % UNIT);
                if fraction == 0 {
                    let sign = if whole == 0 { "" } else { sign };
                    return write!(formatter, "{sign}{whole}");
                }
                let decimals = format!("{fraction:017}");
                write!(formatter, "{sign}{whole}.{}", decimals.trim_end_matches('0'))
            }
            Magnitude::Finite { mantissa, exponent } if exponent <= 64 => {
                write!(formatter, "{sign}{}", u128::from(mantissa) << exponent)
            }
            Magnitude::Finite { mantissa, exponent } => {
                let mut number = Big::from(mantissa);
                number.shift_left(exponent as u32);
                let mut chunks = Vec::new();
                while !number.is_zero() {
                    chunks.push(number.divide(1_000_000_000));
                }
                formatter.write_str(sign)?;
                write!(formatter, "{}", chunks.pop().unwrap_or(0))?;
                chunks.iter().rev().try_for_each(|chunk| write!(formatter, "{chunk:09}"))
            }
        }
    }
}
