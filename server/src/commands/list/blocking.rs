//! `BLPOP`, `BRPOP`, `BLMPOP`

use super::pop::{MultiPop, first_list, pop_one};
use crate::resp::Reply;
use crate::store::value::list::End;
use crate::store::{Call, Edit, Error};

/// `BLPOP key [key …] timeout`: takes the first element of the first key that has any, and answers with the key and the
/// element. If none has it waits, for so many seconds or for ever if that is 0, and answers null if the time is over.
/// O(keys).
pub(super) fn blpop(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    pop(edit, call, reply, End::Front)
}

/// `BRPOP key [key …] timeout`: as `BLPOP`, but takes the last element. O(keys).
pub(super) fn brpop(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    pop(edit, call, reply, End::Back)
}

/// `BLMPOP timeout numkeys key [key …] LEFT | RIGHT [COUNT count]`: as `LMPOP`, but waits like `BLPOP` if no key has
/// elements. O(keys + elements).
pub(super) fn blmpop(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let request = MultiPop::parse(call, 2)?;
    let timeout = call.timeout(1)?;
    match first_list(edit, request.keys(call))? {
        Some(key) => request.pop(edit, key, reply)?,
        None => wait(edit, request.keys(call), timeout, reply),
    }
    Ok(())
}

fn pop(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>, end: End) -> Result<(), Error> {
    let last = call.len() - 1;
    let timeout = call.timeout(last)?;
    let keys = call.arguments.from(1).take(last - 1);
    match first_list(edit, keys.clone())? {
        Some(key) => {
            reply.array(2);
            reply.bulk(key);
            pop_one(edit, key, end, reply)?;
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
