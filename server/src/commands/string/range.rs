//! Parts of strings: `GETRANGE`, `SUBSTR`, `SETRANGE`, `APPEND`, `STRLEN`.

use crate::config::EventFlags;
use crate::resp::Reply;
use crate::store::database::Expiry;
use crate::store::value::StringValue;
use crate::store::{Call, Edit, Error, SmallBytes, Value, View};

/// `GETRANGE key start end`, and `SUBSTR` by its old name: a bulk string, empty if there is no such key. Both ends are
/// included, and negative ones count from the string's end. O(part).
pub(super) fn getrange(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (start, end) = (call.integer(2)?, call.integer(3)?);
    match view.string(call.argument(1))? {
        Some(string) => reply.bulk(part(&string.bytes(), start, end)),
        None => reply.bulk(b""),
    }
    Ok(())
}

/// The bytes from `start` to `end`, both included.
fn part(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    // An end before the first byte comes to mean the first byte, so that only here it can be seen that two such ends are
    // in the wrong order.
    if start < 0 && end < start {
        return b"";
    }
    let length = bytes.len() as i64;
    let from_front = |index: i64| if index < 0 { (index + length).max(0) } else { index };
    let (start, end) = (from_front(start), from_front(end).min(length - 1));
    if start > end { b"" } else { &bytes[start as usize..=end as usize] }
}

/// `SETRANGE key offset value`: the length. A string that doesn't reach the offset is filled with zeros; an empty value
/// changes nothing. O(value + zeros).
pub(super) fn setrange(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, value) = (call.argument(1), call.argument(3));
    let offset = usize::try_from(call.integer(2)?).map_err(|_| Error::new("ERR offset is out of range"))?;
    let limit = edit.config().proto_max_bulk_len;
    let string = edit.string(key)?;
    if value.is_empty() {
        reply.count(string.map_or(0, |string| string.len()));
        return Ok(());
    }
    check_length(offset, value.len(), limit)?;
    let length = match string {
        Some(string) => {
            let length = string.overwrite(offset, value);
            edit.modified(key);
            length
        }
        None => {
            let mut string = StringValue::Edited(SmallBytes::default());
            let length = string.overwrite(offset, value);
            edit.insert(key, Value::String(string), Expiry::Clear);
            length
        }
    };
    edit.notify(EventFlags::STRING, "setrange", key);
    reply.count(length);
    Ok(())
}

/// `APPEND key value`: the length. Amortised O(value).
pub(super) fn append(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, value) = (call.argument(1), call.argument(2));
    let limit = edit.config().proto_max_bulk_len;
    let length = match edit.string(key)? {
        Some(string) => {
            check_length(string.len(), value.len(), limit)?;
            let length = string.append(value);
            edit.modified(key);
            length
        }
        None => {
            edit.insert(key, Value::String(StringValue::new(value)), Expiry::Clear);
            value.len()
        }
    };
    edit.notify(EventFlags::STRING, "append", key);
    reply.count(length);
    Ok(())
}

/// Whether a string of `length` and `more` bytes may be.
fn check_length(length: usize, more: usize, limit: u64) -> Result<(), Error> {
    match length.checked_add(more) {
        Some(total) if total as u64 <= limit => Ok(()),
        _ => Err(Error::STRING_TOO_LONG),
    }
}

/// `STRLEN key`: the length, 0 if there is no such key. O(1).
pub(super) fn strlen(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(view.string(call.argument(1))?.map_or(0, StringValue::len));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_part_are_included() {
        for (start, end, expected) in [
            (0, 2, "abc"),
            (1, 1, "b"),
            (0, -1, "abcd"),
            (-2, -1, "cd"),
            (-100, 100, "abcd"),
            (2, 1, ""),
            (4, 9, ""),
            (-1, -2, ""),
            (-100, -50, "a"),
            (-50, -100, ""),
            (i64::MIN, i64::MAX, "abcd"),
            (i64::MAX, i64::MIN, ""),
            (0, i64::MIN, "a"),
        ] {
            assert_eq!(part(b"abcd", start, end), expected.as_bytes(), "{start} {end}");
            assert_eq!(part(b"", start, end), b"", "{start} {end}");
        }
    }

    #[test]
    fn a_length_does_not_overflow() {
        assert_eq!(check_length(5, 5, 10), Ok(()));
        assert!(check_length(6, 5, 10).is_err());
        assert!(check_length(usize::MAX, 1, u64::MAX).is_err());
    }
}
