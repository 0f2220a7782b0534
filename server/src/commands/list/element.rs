//! `LLEN`, `LINDEX`, `LSET`, `LINSERT`, `LREM`

use super::removed;
use crate::config::EventFlags;
use crate::resp::Reply;
use crate::store::value::list::End;
use crate::store::{Call, Edit, Error, View};

/// `LLEN key`: how many elements the list has. O(1).
pub(super) fn llen(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(view.list(call.argument(1))?.map_or(0, |list| list.len()));
    Ok(())
}

/// `LINDEX key index`: the element at the index, from the end if that is negative; null if there is none. O(log n).
pub(super) fn lindex(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let element = match view.list(call.argument(1))? {
        None => None,
        Some(list) => from_front(call.integer(2)?, list.len()).and_then(|index| list.get(index)),
    };
    match element {
        Some(element) => reply.raw(element.encoded()),
        None => reply.null(),
    }
    Ok(())
}

/// `LSET key index element`: replaces the element at the index, from the end if that is negative. O(log n), and O(n / 128)
/// for large elements.
pub(super) fn lset(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    let list = edit.list(key)?.ok_or(Error::NO_SUCH_KEY)?;
    let index = from_front(call.integer(2)?, list.len()).ok_or(Error::INDEX_OUT_OF_RANGE)?;
    list.set(index, call.argument(3));
    edit.modified(key);
    edit.notify(EventFlags::LIST, "lset", key);
    reply.ok();
    Ok(())
}

/// `LINSERT key BEFORE | AFTER pivot element`: puts the element beside the first one that equals `pivot`, and answers how
/// many there are then; -1 if none does, 0 if there is no such key. O(n).
pub(super) fn linsert(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    let behind = if call.is_option(2, "AFTER") {
        1
    } else if call.is_option(2, "BEFORE") {
        0
    } else {
        return Err(Error::SYNTAX);
    };
    let Some(list) = edit.list(key)? else {
        reply.integer(0);
        return Ok(());
    };
    let pivot = list.find(call.argument(3), 0..list.len()).next();
    let Some(pivot) = pivot else {
        reply.integer(-1);
        return Ok(());
    };
    list.insert(pivot + behind, call.argument(4));
    reply.count(list.len());
    edit.modified(key);
    edit.notify(EventFlags::LIST, "linsert", key);
    Ok(())
}

/// `LREM key count element`: removes the elements that equal `element`, or the first `count` of them, or the last if
/// `count` is negative, and answers how many it removed. O(n).
pub(super) fn lrem(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    let (limit, end) = match call.integer(2)? {
        0 => (usize::MAX, End::Front),
        count @ 1.. => (count as usize, End::Front),
        count => (count.unsigned_abs() as usize, End::Back),
    };
    let count = edit.list(key)?.map_or(0, |list| list.remove_equal(call.argument(3), limit, end));
    if count > 0 {
        removed(edit, key, "lrem", count);
    }
    reply.count(count);
    Ok(())
}

/// The index in a list of `length` elements, negative ones counted from its end.
fn from_front(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(length as i64)? } else { index };
    usize::try_from(index).ok().filter(|index| *index < length)
}
