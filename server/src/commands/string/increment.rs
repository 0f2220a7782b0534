//! Strings as numbers: `INCR`, `DECR`, `INCRBY`, `DECRBY`, `INCRBYFLOAT`.

use crate::config::EventFlags;
use crate::resp::Reply;
use crate::resp::number::add_decimal;
use crate::store::database::Expiry;
use crate::store::value::StringValue;
use crate::store::{Call, Edit, Error, SmallBytes, Value};

/// `INCR key`: the sum. O(1).
pub(super) fn incr(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    add(edit, call.argument(1), 1, reply)
}

/// `DECR key`: the difference. O(1).
pub(super) fn decr(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    add(edit, call.argument(1), -1, reply)
}

/// `INCRBY key increment`: the sum. O(1).
pub(super) fn incrby(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    add(edit, call.argument(1), call.integer(2)?, reply)
}

/// `DECRBY key decrement`: the difference. O(1).
pub(super) fn decrby(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let increment = call.integer(2)?.checked_neg().ok_or(Error::new("ERR decrement would overflow"))?;
    add(edit, call.argument(1), increment, reply)
}

/// Adds to the number at `key`, which is 0 if there is none.
fn add(edit: &mut Edit<'_>, key: &[u8], increment: i64, reply: &mut Reply<'_>) -> Result<(), Error> {
    let sum = match edit.string(key)? {
        Some(string) => {
            let number = string.integer().ok_or(Error::NOT_AN_INTEGER)?;
            let sum = number.checked_add(increment).ok_or(Error::WOULD_OVERFLOW)?;
            *string = StringValue::Integer(sum);
            edit.modified(key);
            sum
        }
        None => {
            edit.insert(key, Value::String(StringValue::Integer(increment)), Expiry::Clear);
            increment
        }
    };
    edit.notify(EventFlags::STRING, "incrby", key);
    reply.integer(sum);
    Ok(())
}

/// `INCRBYFLOAT key increment`: the sum, a bulk string without an exponent. O(1).
pub(super) fn incrbyfloat(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, increment) = (call.argument(1), call.argument(2));
    let string = edit.string(key)?;
    let number = string.as_deref().map_or(b"0"[..].into(), StringValue::bytes);
    let sum = add_decimal(&number, increment)?;
    // Bytes even if they spell a whole number: Redis doesn't look for one here.
    let value = StringValue::Bytes(SmallBytes::new(sum.as_bytes()));
    edit.insert(key, Value::String(value), Expiry::Keep);
    edit.notify(EventFlags::STRING, "incrbyfloat", key);
    reply.bulk(sum.as_bytes());
    Ok(())
}
