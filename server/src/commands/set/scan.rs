//! `SSCAN`

use crate::commands::scan::{ScanOptions, parse_cursor};
use crate::resp::Reply;
use crate::store::{Call, Error, View};

/// `SSCAN key cursor [MATCH pattern] [COUNT count]`: the cursor of the next step, and an array of members; the cursor is 0
/// after the last step. O(`count`), or O(n) for a set of integers, which goes in one step.
pub(super) fn sscan(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let cursor = parse_cursor(call.argument(2))?;
    let Some(set) = view.set(call.argument(1))? else {
        reply.array(2);
        reply.bulk(b"0");
        reply.array(0);
        return Ok(());
    };
    let options = ScanOptions::of_elements(call, 3)?;
    let mut members = Vec::new();
    let next = set.scan(cursor, options.count, |member| {
        if member.with_bytes(|bytes| options.selects(bytes)) {
            members.push(member);
        }
    });
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    reply.array(members.len());
    members.into_iter().for_each(|member| member.write(reply));
    Ok(())
}
