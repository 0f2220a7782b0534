//! `LPUSH`, `RPUSH`, `LPUSHX`, `RPUSHX`

use super::end::push_event;
use crate::config::EventFlags;
use crate::resp::Reply;
use crate::store::value::list::{End, List};
use crate::store::{Call, Edit, Error};

/// `LPUSH key element [element …]`: puts the elements before the first one, each before the one named before it, and
/// answers how many there are then. O(elements).
pub(super) fn lpush(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    push(edit, call, reply, End::Front)
}

/// `RPUSH key element [element …]`: puts the elements behind the last one, and answers how many there are then.
/// O(elements).
pub(super) fn rpush(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    push(edit, call, reply, End::Back)
}

/// `LPUSHX key element [element …]`: as `LPUSH`, but 0 if there is no such key. O(elements).
pub(super) fn lpushx(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    push_existing(edit, call, reply, End::Front)
}

/// `RPUSHX key element [element …]`: as `RPUSH`, but 0 if there is no such key. O(elements).
pub(super) fn rpushx(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    push_existing(edit, call, reply, End::Back)
}

fn push(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>, end: End) -> Result<(), Error> {
    let length = push_arguments(edit.list_or_create(call.argument(1))?, call, end);
    pushed(edit, call, end);
    reply.count(length);
    Ok(())
}

fn push_existing(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>, end: End) -> Result<(), Error> {
    match edit.list(call.argument(1))? {
        None => reply.count(0),
        Some(list) => {
            let length = push_arguments(list, call, end);
            pushed(edit, call, end);
            reply.count(length);
        }
    }
    Ok(())
}

/// Gives how many elements the list has then.
fn push_arguments(list: &mut List, call: &Call<'_>, end: End) -> usize {
    call.arguments.from(2).for_each(|element| list.push(end, element));
    list.len()
}

fn pushed(edit: &mut Edit<'_>, call: &Call<'_>, end: End) {
    let key = call.argument(1);
    edit.modified(key);
    edit.count_changes(call.len() as u64 - 3);
    edit.notify(EventFlags::LIST, push_event(end), key);
}
