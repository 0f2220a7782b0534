//! What `SCAN`, `SSCAN`, `HSCAN` and `ZSCAN` have in common: the cursor and the options.

use crate::resp::pattern;
use crate::store::{Call, Error};

/// How many elements a step visits if the call doesn't say.
const DEFAULT_COUNT: usize = 10;

/// The options of a scan: `[MATCH pattern] [COUNT count]`, and `[TYPE type]` where keys are scanned.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions<'a> {
    /// About how many elements this step visits; at least 1.
    pub count: usize,
    /// What names must match, unless it is everything.
    pub pattern: Option<&'a [u8]>,
    /// The name of the type that values must have.
    pub value_type: Option<&'a [u8]>,
}

impl<'a> ScanOptions<'a> {
    /// The options of a scan of keys, from the argument at `first` on.
    pub fn of_keys(call: &Call<'a>, first: usize) -> Result<Self, Error> {
        Self::parse(call, first, true)
    }

    /// The options of a scan of a collection's elements, from the argument at `first` on.
    pub fn of_elements(call: &Call<'a>, first: usize) -> Result<Self, Error> {
        Self::parse(call, first, false)
    }

    fn parse(call: &Call<'a>, first: usize, has_types: bool) -> Result<Self, Error> {
        let mut options = ScanOptions { count: DEFAULT_COUNT, pattern: None, value_type: None };
        let mut index = first;
        while index < call.len() {
            let has_value = index + 1 < call.len();
            if has_value && call.is_option(index, "COUNT") {
                options.count = match call.integer(index + 1)? {
                    count @ 1.. => count as usize,
                    _ => return Err(Error::SYNTAX),
                };
            } else if has_value && call.is_option(index, "MATCH") {
                options.pattern = Some(call.argument(index + 1)).filter(|pattern| !pattern::matches_all(pattern));
            } else if has_value && has_types && call.is_option(index, "TYPE") {
                options.value_type = Some(call.argument(index + 1));
            } else {
                return Err(Error::SYNTAX);
            }
            index += 2;
        }
        Ok(options)
    }

    /// Whether an element of this name is asked for. O(pattern · name) at worst.
    pub fn selects(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| pattern::matches(pattern, name, false))
    }
}

/// The cursor of a scan: an unsigned number of 64 bits as C's `strtoul` reads it, but without white space before it.
/// Nothing at all means 0, and a negative number its complement.
pub fn parse_cursor(text: &[u8]) -> Result<u64, Error> {
    const INVALID: Error = Error::new("ERR invalid cursor");
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() && !text.is_empty() {
        return Err(INVALID);
    }
    let mut cursor = 0u64;
    for byte in digits {
        let digit = char::from(*byte).to_digit(10).ok_or(INVALID)?;
        cursor = cursor.checked_mul(10).and_then(|cursor| cursor.checked_add(u64::from(digit))).ok_or(INVALID)?;
    }
    Ok(if negative { cursor.wrapping_neg() } else { cursor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_c_reads_it() {
        for (text, cursor) in
            [("0", 0), ("", 0), ("+7", 7), ("007", 7), ("-1", u64::MAX), ("18446744073709551615", u64::MAX)]
        {
            assert_eq!(parse_cursor(text.as_bytes()), Ok(cursor), "{text}");
        }
        for text in ["-", " 1", "1 ", "x", "18446744073709551616", "1.0"] {
            assert!(parse_cursor(text.as_bytes()).is_err(), "{text}");
        }
    }
}
