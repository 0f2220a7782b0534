//! Whole hashes: `HGETALL`, `HKEYS`, `HVALS`, `HSCAN`.

use crate::commands::scan::{ScanOptions, parse_cursor};
use crate::resp::Reply;
use crate::store::{Call, Error, View};

/// `HGETALL key`: a map of the fields to their values. O(n).
pub(super) fn hgetall(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let Some(hash) = view.hash(call.argument(1))? else {
        reply.map(0);
        return Ok(());
    };
    reply.map(hash.len());
    hash.iter().for_each(|(field, value)| {
        reply.bulk(field);
        reply.bulk(value);
    });
    Ok(())
}

/// `HKEYS key`: an array of the fields. O(n).
pub(super) fn hkeys(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    write_array(view, call, reply, |(field, _)| field)
}

/// `HVALS key`: an array of the values. O(n).
pub(super) fn hvals(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    write_array(view, call, reply, |(_, value)| value)
}

/// Writes one of the two parts of all fields.
fn write_array<'a>(
    view: &View<'a>,
    call: &Call<'_>,
    reply: &mut Reply<'_>,
    part: impl Fn((&'a [u8], &'a [u8])) -> &'a [u8],
) -> Result<(), Error> {
    let Some(hash) = view.hash(call.argument(1))? else {
        reply.array(0);
        return Ok(());
    };
    reply.array(hash.len());
    hash.iter().map(part).for_each(|bytes| reply.bulk(bytes));
    Ok(())
}

/// `HSCAN key cursor [MATCH pattern] [COUNT count]`: the cursor of the next step and an array of fields and values.
/// O(count) for a step, O(n) for a packed hash, which goes in one.
pub(super) fn hscan(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let cursor = parse_cursor(call.argument(2))?;
    let Some(hash) = view.hash(call.argument(1))? else {
        reply.array(2);
        reply.bulk(b"0");
        reply.array(0);
        return Ok(());
    };
    let options = ScanOptions::of_elements(call, 3)?;
    let mut found = Vec::new();
    let next = hash.scan(cursor, options.count, |field, value| {
        if options.selects(field) {
            found.extend([field, value]);
        }
    });
    reply.array(2);
    // A cursor is below 2⁵⁶.
    reply.bulk_integer(next as i64);
    reply.array(found.len());
    found.into_iter().for_each(|bytes| reply.bulk(bytes));
    Ok(())
}
