//! `SMOVE`

use super::removed;
use crate::config::EventFlags;
use crate::resp::Reply;
use crate::store::{Call, Edit, Error};

/// `SMOVE source destination member`: moves the member, and answers 1; 0 if the source doesn't have it. O(1).
pub(super) fn smove(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (source, destination, member) = (call.argument(1), call.argument(2), call.argument(3));
    let moved = match edit.set(source)? {
        None => false,
        Some(set) => {
            let is_member = set.contains(member);
            edit.set(destination)?;
            is_member
        }
    };
    reply.integer(i64::from(moved));
    if !moved || source == destination {
        return Ok(());
    }
    if let Some(set) = edit.set(source)? {
        set.remove(member);
        removed(edit, source, "srem", 1);
    }
    let most_integers = edit.limits().set_intset_entries;
    if edit.set_or_create(destination)?.insert(member, most_integers) {
        edit.modified(destination);
        edit.notify(EventFlags::SET, "sadd", destination);
    }
    Ok(())
}
