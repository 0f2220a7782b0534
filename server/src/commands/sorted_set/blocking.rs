//! `BZPOPMIN`, `BZPOPMAX`, `BZMPOP`

use super::form::Form;
use super::pop::{End, MultiPop, first_sorted_set, take};
use crate::resp::Reply;
use crate::store::{Call, Edit, Error};

/// `BZPOPMIN key [key …] timeout`: takes the first member of the first key that has any, and answers with the key, the
/// member and its score. If none has it waits, for so many seconds or for ever if that is 0, and answers null if the time
/// is over. O(keys + log n).
pub(super) fn bzpopmin(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    pop(edit, call, End::Min, reply)
}

/// `BZPOPMAX key [key …] timeout`: as `BZPOPMIN`, but takes the last member. O(keys + log n).
pub(super) fn bzpopmax(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    pop(edit, call, End::Max, reply)
}

/// `BZMPOP timeout numkeys key [key …] MIN | MAX [COUNT count]`: as `ZMPOP`, but waits like `BZPOPMIN` if no key has
/// members. O(keys + members · log n).
pub(super) fn bzmpop(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let request = MultiPop::parse(call, 2)?;
    let timeout = call.timeout(1)?;
    match first_sorted_set(edit, request.keys(call))? {
        Some(key) => request.take(edit, key, reply)?,
        None => wait(edit, request.keys(call), timeout, reply),
    }
    Ok(())
}

fn pop(edit: &mut Edit<'_>, call: &Call<'_>, end: End, reply: &mut Reply<'_>) -> Result<(), Error> {
    let last = call.len() - 1;
    let timeout = call.timeout(last)?;
    let keys = call.arguments.from(1).take(last - 1);
    match first_sorted_set(edit, keys.clone())? {
        Some(key) => {
            take(edit, key, end, 1, Form::Flat, reply, |_, reply| {
                reply.array(3);
                reply.bulk(key);
            })?;
        }
        None => wait(edit, keys, timeout, reply),
    }
    Ok(())
}

/// Waits for the keys, or answers as if that had been in vain.
fn wait<'k>(edit: &mut Edit<'_>, keys: impl Iterator<Item = &'k [u8]>, timeout: Option<i64>, reply: &mut Reply<'_>) {
    if edit.may_wait() {
        edit.wait(keys, timeout);
    } else {
        reply.null_array();
    }
}
