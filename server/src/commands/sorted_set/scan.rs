//! `ZSCAN`

use crate::commands::scan::{ScanOptions, parse_cursor};
use crate::resp::Reply;
use crate::resp::number::format_float;
use crate::store::{Call, Error, View};

/// `ZSCAN key cursor [MATCH pattern] [COUNT count]`: the cursor of the next step (`0` after the last) and an array of members
/// and scores, which are bulk strings in RESP3, too. O(count) for a step, O(n) for a packed set, which goes in one.
pub(super) fn zscan(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let cursor = parse_cursor(call.argument(2))?;
    let Some(set) = view.sorted_set(call.argument(1))? else {
        reply.array(2);
        reply.bulk(b"0");
        reply.array(0);
        return Ok(());
    };
    let options = ScanOptions::of_elements(call, 3)?;
    let mut found = Vec::new();
    let next = set.scan(cursor, options.count, |member, score| {
        if options.selects(member) {
            found.push((member, score));
        }
    });
    reply.array(2);
    // A cursor is below 2⁵⁶.
    reply.bulk_integer(next as i64);
    reply.array(2 * found.len());
    for (member, score) in found {
        reply.bulk(member);
        match whole_number(score) {
            Some(number) if set.is_packed() => reply.bulk_integer(number),
            _ => reply.bulk(format_float(score).as_bytes()),
        }
    }
    Ok(())
}

/// A score that Redis keeps as a whole number while a sorted set is packed, and writes without an exponent.
fn whole_number(score: f64) -> Option<i64> {
    const LIMIT: f64 = (1i64 << 62) as f64;
    (score.abs() <= LIMIT && score.trunc() == score).then_some(score as i64)
}
