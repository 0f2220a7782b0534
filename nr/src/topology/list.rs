//! Lists of numbers as the kernel writes them: `0-3,8`.

use alloc::{format, string::String, vec::Vec};

/// Reads an ascending list in which each number is named once, so that none is longer than `limit`, which lies above every number
/// allowed.
pub(super) fn parse_list(text: &str, limit: usize) -> Result<Vec<usize>, String> {
    let mut numbers: Vec<usize> = Vec::new();
    if text.is_empty() {
        return Ok(numbers);
    }
    for range in text.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (parse_number(first)?, parse_number(last)?);
        if last >= limit {
            let max = limit - 1;
            return Err(format!("{last} is too large; numbers go from 0 to {max}"));
        }
        if first > last || numbers.last().is_some_and(|&previous| previous >= first) {
            return Err(format!("a list must ascend, and does not at {range:?}"));
        }
        numbers.extend(first..=last);
    }
    Ok(numbers)
}

/// Digits and nothing else: Rust's numbers may have a sign too.
pub(super) fn parse_number(text: &str) -> Result<usize, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| format!("{text:?} is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_as_the_kernel_writes_them() {
        let list = |text| parse_list(text, 12);
        assert_eq!(list(""), Ok(Vec::new()));
        assert_eq!(list("5"), Ok([5].into()));
        assert_eq!(list("0-3,8-11"), Ok([0, 1, 2, 3, 8, 9, 10, 11].into()));
        for odd in ["3-1", "0-3,2-5", "1,1", "2,1", "0-12", "0-4294967295", "0-99999999999999999999"] {
            assert!(list(odd).is_err(), "{odd}");
        }
        for odd in ["-", "1-", "-1", "0,,1", ",", "0-1-2", "0 1", "0x1", "0-3:1/2", "\0", "+1", "0-+1"] {
            assert!(list(odd).is_err(), "{odd}");
        }
    }
}
