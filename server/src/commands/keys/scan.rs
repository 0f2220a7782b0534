//! `SCAN`

use crate::commands::scan::{ScanOptions, parse_cursor};
use crate::resp::Reply;
use crate::store::{Call, Error, View};

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`: the cursor of the next step (`0` after the last) and an array
/// of names. A key that is there from the first step to the last is among them. O(count), O(n) for all steps together.
pub(super) fn scan(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let cursor = parse_cursor(call.argument(1))?;
    let options = ScanOptions::of_keys(call, 2)?;
    let has_type = |name: &str| options.value_type.is_none_or(|wanted| wanted.eq_ignore_ascii_case(name.as_bytes()));

    let mut found = Vec::new();
    let next = view.database().table().scan(cursor, options.count, |entry| {
        if view.is_live(entry) && options.selects(entry.key()) && has_type(entry.value.type_name()) {
            found.push(entry.key());
        }
    });

    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    reply.array(found.len());
    for key in found {
        reply.bulk(key);
    }
    Ok(())
}
