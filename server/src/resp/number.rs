//! Numbers as they stand in requests and replies.
//!
//! Three kinds, each with the spelling that Redis knows: whole numbers ([`parse_integer`]), floating-point numbers of
//! 64 bits for scores and coordinates ([`parse_float`], [`format_float`]), and those of 80 bits for `INCRBYFLOAT` and
//! `HINCRBYFLOAT` ([`Extended`], [`add_decimal`]).

mod big;
mod extended;

use std::fmt;
use std::io::Write;

pub use extended::Extended;

/// Reads a whole number the strict way: an optional `-`, then digits without a needless zero, and nothing else.
/// `None` for anything that [`i64`] can't hold. Linear in the text's length, of which it reads 20 bytes at most.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    // Nineteen digits can't overflow 64 bits without a sign.
    let mut magnitude = 0u64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit);
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Reads a floating-point number as C's `strtod` does, but for the whole of `text`: decimal (`-1.5e3`, `.5`, `5.`),
/// hexadecimal (`0x1.8p3`) or `inf` and `infinity` in any case. `None` for anything else: an empty text, white space,
/// `nan`, and numbers that only infinity or zero would come near (`1e400`, `1e-400`). Rounds to the nearest, ties to
/// even. Linear in the text's length.
pub fn parse_float(text: &[u8]) -> Option<f64> {
    // Most scores are small whole numbers.
    if text.len() < 16 {
        if let Some(integer) = parse_integer(text) {
            return Some(integer as f64);
        }
    }
    let (negative, unsigned) = split_sign(text);
    let magnitude = match unsigned {
        [b'0', b'x' | b'X', digits @ ..] => {
            let number = Hexadecimal::scan(digits)?;
            if number.mantissa == 0 { 0.0 } else { round_to_double(number)? }
        }
        [b'0'..=b'9' | b'.', ..] => {
            let magnitude = str::from_utf8(unsigned).ok()?.parse::<f64>().ok()?;
            let vanished = magnitude == 0.0 && has_significant_digit(unsigned);
            if magnitude.is_infinite() || vanished {
                return None;
            }
            magnitude
        }
        _ if is_infinity(unsigned) => f64::INFINITY,
        _ => return None,
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// Splits a sign off: whether it is `-`, and the rest.
fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    }
}

fn is_infinity(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity")
}

/// Whether a decimal number has a digit other than zero before its exponent.
fn has_significant_digit(text: &[u8]) -> bool {
    text.iter().take_while(|&&byte| !matches!(byte, b'e' | b'E')).any(|byte| matches!(byte, b'1'..=b'9'))
}

/// An exponent far beyond those of all formats here, and far from overflowing when a length is added.
const HUGE_EXPONENT: i64 = 1 << 40;

/// Reads what follows the `e` or `p` of a number: an optional sign and at least one digit.
fn scan_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() {
        return None;
    }
    let mut exponent = 0i64;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        exponent = (exponent * 10 + i64::from(byte - b'0')).min(HUGE_EXPONENT);
    }
    Some(if negative { -exponent } else { exponent })
}

/// The number `mantissa · 2^exponent`, but for bits below the mantissa's last, which is set if any of them is: enough
/// to round to any shorter mantissa.
#[derive(Clone, Copy)]
struct Hexadecimal {
    mantissa: u128,
    exponent: i64,
}

impl Hexadecimal {
    /// Reads what follows `0x`.
    fn scan(text: &[u8]) -> Option<Self> {
        let end = text.iter().position(|byte| matches!(byte, b'p' | b'P'));
        let digits = &text[..end.unwrap_or(text.len())];
        let mut exponent = match end {
            Some(end) => scan_exponent(&text[end + 1..])?,
            None => 0,
        };
        let mut mantissa = 0u128;
        let (mut point, mut any) = (false, false);
        for &byte in digits {
            if byte == b'.' && !point {
                point = true;
                continue;
            }
            let digit = char::from(byte).to_digit(16)?;
            any = true;
            if mantissa >> 124 == 0 {
                mantissa = mantissa << 4 | u128::from(digit);
                exponent -= if point { 4 } else { 0 };
            } else {
                mantissa |= u128::from(digit != 0);
                exponent += if point { 0 } else { 4 };
            }
        }
        any.then_some(Self { mantissa, exponent })
    }
}

/// The highest `bits` bits of 128, rounded by the others, ties to even; that may need one bit more. `bits` is at most
/// 127.
fn round_mantissa(mantissa: u128, bits: u32) -> u128 {
    let dropped = 128 - bits;
    let kept = mantissa.checked_shr(dropped).unwrap_or(0);
    let rest = mantissa << bits;
    let half = 1 << 127;
    kept + u128::from(rest > half || (rest == half && kept & 1 == 1))
}

/// The nearest [`f64`] to a number that isn't zero; `None` if that is zero or infinite.
fn round_to_double(number: Hexadecimal) -> Option<f64> {
    let zeros = number.mantissa.leading_zeros();
    // The exponent of the highest bit, and how many bits there are room for below it.
    let highest = number.exponent - i64::from(zeros) + 127;
    let bits = u32::try_from((highest + 1075).min(53)).ok()?;
    if highest > 1023 {
        return None;
    }
    let mantissa = round_mantissa(number.mantissa << zeros, bits);
    let exponent = highest + 1 - i64::from(bits);
    // 2^exponent, which may have no implicit bit.
    let scale = if exponent >= -1022 { ((exponent + 1023) as u64) << 52 } else { 1 << (exponent + 1074) };
    let rounded = mantissa as f64 * f64::from_bits(scale);
    (rounded != 0.0 && rounded.is_finite()).then_some(rounded)
}

/// The text of a floating-point number, see [`format_float`].
#[derive(Clone, Copy)]
pub struct FloatText {
    /// The longest is `-2.2250738585072014e-308`.
    bytes: [u8; 24],
    length: u8,
}

impl FloatText {
    /// The text's bytes, all ASCII. O(1).
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    const fn empty() -> Self {
        Self { bytes: [0; 24], length: 0 }
    }

    fn push(&mut self, text: &[u8]) {
        let start = usize::from(self.length);
        self.bytes[start..start + text.len()].copy_from_slice(text);
        self.length += text.len() as u8;
    }
}

impl AsRef<[u8]> for FloatText {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Display for FloatText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(str::from_utf8(self.as_bytes()).unwrap_or_default())
    }
}

impl fmt::Debug for FloatText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Writes a number with 17 significant digits, as C's `%.17g` does: `3`, `0.10000000000000001`, `1e+20`, `inf`,
/// `-0`. [`parse_float`] reads the same number from it, if it is one (`nan` isn't). O(1), no allocation.
pub fn format_float(number: f64) -> FloatText {
    let mut text = FloatText::empty();
    if number.is_nan() {
        text.push(b"nan");
        return text;
    }
    if number.is_sign_negative() {
        text.push(b"-");
    }
    let magnitude = number.abs();
    if magnitude.is_infinite() {
        text.push(b"inf");
    } else if magnitude < 1e15 && magnitude.trunc() == magnitude {
        text.push(itoa::Buffer::new().format(magnitude as u64).as_bytes());
    } else {
        push_general(magnitude, &mut text);
    }
    text
}

/// How many significant digits say which [`f64`] it is.
const DIGITS: usize = 17;

/// Appends a positive number that is neither whole and small nor infinite.
fn push_general(magnitude: f64, text: &mut FloatText) {
    // First `d.dddddddddddddddde-x`, which holds the digits rounded and the exponent.
    let mut scientific = [0u8; 24];
    let mut unwritten = &mut scientific[..];
    let written = write!(unwritten, "{magnitude:.*e}", DIGITS - 1);
    debug_assert!(written.is_ok());
    let free = unwritten.len();
    let (mantissa, exponent) = scientific[..24 - free].split_at(DIGITS + 1);
    let exponent = parse_integer(&exponent[1..]).unwrap_or(0);

    let mut digits = [b'0'; DIGITS];
    digits[0] = mantissa[0];
    digits[1..].copy_from_slice(&mantissa[2..]);
    let significant = digits.iter().rposition(|&digit| digit != b'0').map_or(1, |last| last + 1);

    match exponent {
        -4..0 => {
            text.push(b"0.");
            text.push(&b"000"[..(-exponent - 1) as usize]);
            text.push(&digits[..significant]);
        }
        0..17 => {
            let whole = exponent as usize + 1;
            text.push(&digits[..whole]);
            if significant > whole {
                text.push(b".");
                text.push(&digits[whole..significant]);
            }
        }
        _ => {
            text.push(&digits[..1]);
            if significant > 1 {
                text.push(b".");
                text.push(&digits[1..significant]);
            }
            text.push(if exponent < 0 { b"e-" } else { b"e+" });
            if exponent.unsigned_abs() < 10 {
                text.push(b"0");
            }
            text.push(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
        }
    }
}

/// Why a number could not be incremented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FloatError {
    /// The number or its increment isn't one.
    NotAFloat,
    /// The sum would be infinite, or no number at all.
    NotFinite,
}

impl fmt::Display for FloatError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotAFloat => "value is not a valid float",
            Self::NotFinite => "increment would produce NaN or Infinity",
        })
    }
}

impl std::error::Error for FloatError {}

/// Adds two numbers as `INCRBYFLOAT` does: with a mantissa of 64 bits, and the sum written with up to 17 decimals and
/// never an exponent. The text is that of a Redis on x86-64; there are others where C's `long double` is longer or
/// shorter, and where the last decimals differ.
///
/// Linear in the texts' lengths for numbers of up to 19 digits and moderate exponents, quadratic for others. Texts
/// longer than 5 KiB aren't numbers.
///
/// ```
/// use nr_server::resp::number::add_decimal;
///
/// assert_eq!(add_decimal(b"10.50", b"0.1"), Ok("10.6".to_string()));
/// assert_eq!(add_decimal(b"5.0e3", b"2.0e2"), Ok("5200".to_string()));
/// ```
pub fn add_decimal(current: &[u8], increment: &[u8]) -> Result<String, FloatError> {
    let current = Extended::parse(current).ok_or(FloatError::NotAFloat)?;
    let increment = Extended::parse(increment).ok_or(FloatError::NotAFloat)?;
    let sum = current.checked_add(increment).ok_or(FloatError::NotFinite)?;
    Ok(sum.to_string())
}

#[cfg(test)]
mod tests;
