//! Changes: `HSET`, `HMSET`, `HSETNX`, `HDEL`, `HINCRBY`, `HINCRBYFLOAT`.

use crate::config::EventFlags;
use crate::resp::Reply;
use crate::resp::number::{Extended, FloatError, add_decimal, parse_integer};
use crate::store::{Call, Edit, Error};

/// `HSET key field value [field value …]`: the number of new fields. O(fields).
pub(super) fn hset(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let created = insert_all(edit, call, "hset")?;
    reply.count(created);
    Ok(())
}

/// `HMSET key field value [field value …]`: `OK`. O(fields).
pub(super) fn hmset(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    insert_all(edit, call, "hmset")?;
    reply.ok();
    Ok(())
}

/// Gives all fields of the call their values, and gives the number of new ones.
fn insert_all(edit: &mut Edit<'_>, call: &Call<'_>, command: &str) -> Result<usize, Error> {
    if call.len() % 2 == 1 {
        return Err(format!("ERR wrong number of arguments for '{command}' command").into());
    }
    let key = call.argument(1);
    let limits = edit.limits();
    let hash = edit.hash_or_create(key)?;
    let mut created = 0;
    for index in (2..call.len()).step_by(2) {
        created += usize::from(hash.insert(call.argument(index), call.argument(index + 1), &limits));
    }
    changed(edit, key, "hset", call.len() / 2 - 1);
    Ok(created)
}

/// `HSETNX key field value`: 1 if there was no such field, or 0 and nothing is changed. O(1).
pub(super) fn hsetnx(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, field) = (call.argument(1), call.argument(2));
    let limits = edit.limits();
    let hash = edit.hash_or_create(key)?;
    let free = !hash.contains(field);
    if free {
        hash.insert(field, call.argument(3), &limits);
        changed(edit, key, "hset", 1);
    }
    reply.integer(i64::from(free));
    Ok(())
}

/// `HDEL key field [field …]`: the number of fields removed. O(fields).
pub(super) fn hdel(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    let removed = match edit.hash(key)? {
        Some(hash) => call.arguments.from(2).filter(|field| hash.remove(field)).count(),
        None => 0,
    };
    if removed > 0 {
        edit.notify(EventFlags::HASH, "hdel", key);
        // Its removal is a modification, too.
        if !edit.delete_if_empty(key) {
            edit.modified(key);
        }
        edit.count_changes(removed as u64 - 1);
    }
    reply.count(removed);
    Ok(())
}

/// `HINCRBY key field increment`: the sum. O(1).
pub(super) fn hincrby(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, field) = (call.argument(1), call.argument(2));
    let increment = call.integer(3)?;
    let limits = edit.limits();
    // A new hash can't fail below, and be left empty: there the sum is the increment.
    let hash = edit.hash_or_create(key)?;
    let number = match hash.get(field) {
        Some(value) => parse_integer(value).ok_or(Error::new("ERR hash value is not an integer"))?,
        None => 0,
    };
    let sum = number.checked_add(increment).ok_or(Error::WOULD_OVERFLOW)?;
    hash.insert(field, itoa::Buffer::new().format(sum).as_bytes(), &limits);
    changed(edit, key, "hincrby", 1);
    reply.integer(sum);
    Ok(())
}

/// `HINCRBYFLOAT key field increment`: the sum, a bulk string without an exponent. O(1).
pub(super) fn hincrbyfloat(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, field, increment) = (call.argument(1), call.argument(2), call.argument(3));
    if !Extended::parse(increment).ok_or(Error::NOT_A_FLOAT)?.is_finite() {
        return Err(Error::new("ERR value is NaN or Infinity"));
    }
    let limits = edit.limits();
    // As in `hincrby`.
    let hash = edit.hash_or_create(key)?;
    let sum = add_decimal(hash.get(field).unwrap_or(b"0"), increment).map_err(|error| match error {
        FloatError::NotAFloat => Error::new("ERR hash value is not a float"),
        FloatError::NotFinite => error.into(),
    })?;
    hash.insert(field, sum.as_bytes(), &limits);
    changed(edit, key, "hincrbyfloat", 1);
    reply.bulk(sum.as_bytes());
    Ok(())
}

/// Says that so many fields were set.
fn changed(edit: &mut Edit<'_>, key: &[u8], event: &str, fields: usize) {
    edit.modified(key);
    edit.count_changes(fields as u64 - 1);
    edit.notify(EventFlags::HASH, event, key);
}
