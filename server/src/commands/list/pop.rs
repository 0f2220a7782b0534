//! `LPOP`, `RPOP`, `LMPOP`

use std::ops::Range;

use super::end::{parse_end, pop_event};
use super::removed;
use crate::resp::Reply;
use crate::store::value::list::End;
use crate::store::{Call, Edit, Error};

/// `LPOP key [count]`: removes the first element and answers with it, or with an array of as many as `count` says; null
/// if there is no such key. O(elements).
pub(super) fn lpop(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    pop(edit, call, reply, End::Front)
}

/// `RPOP key [count]`: removes the last element and answers with it, or with an array of as many as `count` says, the last
/// one first; null if there is no such key. O(elements).
pub(super) fn rpop(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    pop(edit, call, reply, End::Back)
}

/// `LMPOP numkeys key [key …] LEFT | RIGHT [COUNT count]`: takes elements from the first key that has any, and answers
/// with the key and an array of them; null if no key has. O(keys + elements).
pub(super) fn lmpop(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let request = MultiPop::parse(call, 1)?;
    match first_list(edit, request.keys(call))? {
        Some(key) => request.pop(edit, key, reply),
        None => {
            reply.null_array();
            Ok(())
        }
    }
}

fn pop(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>, end: End) -> Result<(), Error> {
    let key = call.argument(1);
    match call.len() {
        2 => {
            if !pop_one(edit, key, end, reply)? {
                reply.null();
            }
        }
        3 => {
            let count = call.at_least(2, 0, Error::NOT_POSITIVE)?;
            if !pop_several(edit, key, end, count, reply)? {
                reply.null_array();
            }
        }
        _ => return Err(format!("ERR wrong number of arguments for '{}' command", pop_event(end)).into()),
    }
    Ok(())
}

/// Takes one element and answers with it; false if there is no such key.
pub(super) fn pop_one(edit: &mut Edit<'_>, key: &[u8], end: End, reply: &mut Reply<'_>) -> Result<bool, Error> {
    let Some(list) = edit.list(key)? else { return Ok(false) };
    if let Some(element) = list.peek(end) {
        reply.raw(element.encoded());
    }
    list.remove(end, 1);
    removed(edit, key, pop_event(end), 1);
    Ok(true)
}

/// Takes up to `count` elements and answers with an array of them; false if there is no such key.
fn pop_several(edit: &mut Edit<'_>, key: &[u8], end: End, count: usize, reply: &mut Reply<'_>) -> Result<bool, Error> {
    let Some(list) = edit.list(key)? else { return Ok(false) };
    let length = list.len();
    let count = count.min(length);
    reply.array(count);
    if count == 0 {
        return Ok(true);
    }
    match end {
        End::Front => list.write(0..count, false, reply),
        End::Back => list.write(length - count..length, true, reply),
    }
    list.remove(end, count);
    removed(edit, key, pop_event(end), count);
    Ok(true)
}

/// The first key that has a list. While a waiting client is [served](Edit::is_serving), only the key that was changed
/// counts, and a value of another type is none.
pub(super) fn first_list<'k>(
    edit: &mut Edit<'_>,
    keys: impl Iterator<Item = &'k [u8]>,
) -> Result<Option<&'k [u8]>, Error> {
    for key in keys {
        if edit.considers(key) {
            match edit.list(key).map(|list| list.is_some()) {
                Ok(true) => return Ok(Some(key)),
                Err(error) if !edit.is_serving() => return Err(error),
                _ => {}
            }
        }
    }
    Ok(None)
}

/// What `LMPOP` and `BLMPOP` ask for.
pub(super) struct MultiPop {
    keys: Range<usize>,
    end: End,
    count: usize,
}

impl MultiPop {
    /// From the number of keys on, which is at `first`.
    pub(super) fn parse(call: &Call<'_>, first: usize) -> Result<Self, Error> {
        const NO_KEYS: Error = Error::new("ERR numkeys should be greater than 0");
        const NO_COUNT: Error = Error::new("ERR count should be greater than 0");
        let behind_keys = call.at_least(first, 1, NO_KEYS)?.saturating_add(first + 1);
        let end = parse_end(call, behind_keys)?;
        let count = match call.len() - behind_keys {
            1 => 1,
            3.. if call.is_option(behind_keys + 1, "COUNT") => call.at_least(behind_keys + 2, 1, NO_COUNT)?,
            _ => return Err(Error::SYNTAX),
        };
        if call.len() > behind_keys + 3 {
            return Err(Error::SYNTAX);
        }
        Ok(MultiPop { keys: first + 1..behind_keys, end, count })
    }

    /// The keys, of which the first that has a list is popped from.
    pub(super) fn keys<'a>(&self, call: &Call<'a>) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        call.arguments.from(self.keys.start).take(self.keys.len())
    }

    /// Takes elements from the list at `key`, and answers with the key and an array of them.
    pub(super) fn pop(&self, edit: &mut Edit<'_>, key: &[u8], reply: &mut Reply<'_>) -> Result<(), Error> {
        reply.array(2);
        reply.bulk(key);
        pop_several(edit, key, self.end, self.count, reply)?;
        Ok(())
    }
}
