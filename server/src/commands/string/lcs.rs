//! `LCS`

use crate::resp::Reply;
use crate::store::{Call, Error, View};

/// `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN length] [WITHMATCHLEN]`: the longest common subsequence of two strings; with
/// `LEN` its length; with `IDX` where in both strings its parts are, from the last to the first. O(n · m) in time and,
/// up to `proto-max-bulk-len` bytes, in memory.
pub(super) fn lcs(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let string = |index| {
        let string = view.string(call.argument(index));
        string.map_err(|_| Error::new("ERR The specified keys must contain string values"))
    };
    let (first, second) = (string(1)?, string(2)?);
    let options = Options::parse(call)?;
    let first = first.map(|string| string.bytes()).unwrap_or_default();
    let second = second.map(|string| string.bytes()).unwrap_or_default();
    let lengths = Lengths::new(&first, &second, view.keyspace().config.proto_max_bulk_len)?;
    if options.indices {
        options.write_indices(&lengths, reply);
    } else if options.length {
        reply.integer(i64::from(lengths.last()));
    } else {
        let mut parts: Vec<_> = lengths.matches().map(|part| &first[part.first..][..part.length]).collect();
        parts.reverse();
        reply.bulk(&parts.concat());
    }
    Ok(())
}

/// The options of `LCS`.
#[derive(Debug, Default)]
struct Options {
    length: bool,
    indices: bool,
    lengths_of_matches: bool,
    shortest_match: usize,
}

impl Options {
    fn parse(call: &Call<'_>) -> Result<Self, Error> {
        let mut options = Options::default();
        let mut index = 3;
        while index < call.len() {
            if call.is_option(index, "IDX") {
                options.indices = true;
            } else if call.is_option(index, "LEN") {
                options.length = true;
            } else if call.is_option(index, "WITHMATCHLEN") {
                options.lengths_of_matches = true;
            } else if call.is_option(index, "MINMATCHLEN") && index + 1 < call.len() {
                index += 1;
                options.shortest_match = usize::try_from(call.integer(index)?).unwrap_or(0);
            } else {
                return Err(Error::SYNTAX);
            }
            index += 1;
        }
        if options.length && options.indices {
            return Err(Error::new("ERR If you want both the length and indexes, please just use IDX."));
        }
        Ok(options)
    }

    fn write_indices(&self, lengths: &Lengths<'_>, reply: &mut Reply<'_>) {
        let matches: Vec<_> = lengths.matches().filter(|part| part.length >= self.shortest_match).collect();
        reply.map(2);
        reply.bulk(b"matches");
        reply.array(matches.len());
        for part in matches {
            reply.array(if self.lengths_of_matches { 3 } else { 2 });
            for start in [part.first, part.second] {
                reply.array(2);
                reply.count(start);
                reply.count(start + part.length - 1);
            }
            if self.lengths_of_matches {
                reply.count(part.length);
            }
        }
        reply.bulk(b"len");
        reply.integer(i64::from(lengths.last()));
    }
}

/// A part of a common subsequence that is in one piece in both strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Match {
    /// Where it starts in the first string.
    first: usize,
    /// Where it starts in the second string.
    second: usize,
    length: usize,
}

/// How long the longest common subsequence of any beginnings of two strings is.
struct Lengths<'a> {
    first: &'a [u8],
    second: &'a [u8],
    /// By the length of the beginning of the first string, then by that of the second's.
    table: Vec<u32>,
}

impl<'a> Lengths<'a> {
    /// Computes them in a table of at most `limit` bytes.
    fn new(first: &'a [u8], second: &'a [u8], limit: u64) -> Result<Self, Error> {
        if first.len().max(second.len()) >= u32::MAX as usize - 1 {
            return Err(Error::new("ERR String too long for LCS"));
        }
        // Below 2⁶⁴, as both are below 2³².
        let cells = (first.len() as u64 + 1) * (second.len() as u64 + 1);
        if cells.checked_mul(size_of::<u32>() as u64).is_none_or(|bytes| bytes > limit) {
            return Err(Error::new("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"));
        }
        let mut table = Vec::new();
        if table.try_reserve_exact(cells as usize).is_err() {
            return Err(Error::new("ERR Insufficient memory, failed allocating transient memory for LCS"));
        }
        table.resize(cells as usize, 0);
        let mut lengths = Lengths { first, second, table };
        lengths.fill();
        Ok(lengths)
    }

    fn fill(&mut self) {
        let width = self.second.len() + 1;
        let (mut before, mut rows) = self.table.split_at_mut(width);
        for byte in self.first {
            let (row, rest) = rows.split_at_mut(width);
            for (column, other) in self.second.iter().enumerate() {
                row[column + 1] = if byte == other { before[column] + 1 } else { before[column + 1].max(row[column]) };
            }
            (before, rows) = (row, rest);
        }
    }

    /// For the beginnings of these lengths.
    #[inline]
    fn at(&self, first: usize, second: usize) -> u32 {
        self.table[first * (self.second.len() + 1) + second]
    }

    /// For the whole strings.
    fn last(&self) -> u32 {
        self.at(self.first.len(), self.second.len())
    }

    /// The parts of a longest common subsequence, from the last to the first. O(n + m) for all.
    fn matches(&self) -> impl Iterator<Item = Match> {
        let (mut first, mut second) = (self.first.len(), self.second.len());
        std::iter::from_fn(move || {
            while first > 0 && second > 0 && self.first[first - 1] != self.second[second - 1] {
                if self.at(first - 1, second) > self.at(first, second - 1) { first -= 1 } else { second -= 1 }
            }
            let beginnings = self.first[..first].iter().rev().zip(self.second[..second].iter().rev());
            let length = beginnings.take_while(|(byte, other)| byte == other).count();
            first -= length;
            second -= length;
            (length > 0).then_some(Match { first, second, length })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_go_from_the_last_to_the_first() {
        let lengths = Lengths::new(b"ohmytext", b"mynewtext", u64::MAX).unwrap();
        assert_eq!(lengths.last(), 6);
        let matches: Vec<_> = lengths.matches().collect();
        assert_eq!(matches, [Match { first: 4, second: 5, length: 4 }, Match { first: 2, second: 0, length: 2 }]);
    }

    #[test]
    fn strings_without_a_common_byte_have_no_matches() {
        for (first, second) in [("", ""), ("", "a"), ("a", ""), ("abc", "xyz")] {
            let lengths = Lengths::new(first.as_bytes(), second.as_bytes(), u64::MAX).unwrap();
            assert_eq!((lengths.last(), lengths.matches().count()), (0, 0));
        }
    }

    #[test]
    fn the_table_is_limited() {
        assert!(Lengths::new(&[0; 9], &[0; 9], 400).is_ok());
        assert!(Lengths::new(&[0; 9], &[0; 9], 399).is_err());
    }
}
