//! `SADD`, `SREM`, `SCARD`, `SISMEMBER`, `SMISMEMBER`, `SMEMBERS`

use super::removed;
use crate::config::EventFlags;
use crate::resp::Reply;
use crate::store::{Call, Edit, Error, View};

/// `SADD key member [member …]`: adds the members, and answers how many are new. O(members).
pub(super) fn sadd(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    let most_integers = edit.limits().set_intset_entries;
    let set = edit.set_or_create(key)?;
    let added = call.arguments.from(2).filter(|member| set.insert(member, most_integers)).count();
    if added > 0 {
        edit.modified(key);
        edit.count_changes(added as u64 - 1);
        edit.notify(EventFlags::SET, "sadd", key);
    }
    reply.count(added);
    Ok(())
}

/// `SREM key member [member …]`: removes the members, and answers how many there were. O(members).
pub(super) fn srem(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    let count = match edit.set(key)? {
        None => 0,
        Some(set) => call.arguments.from(2).filter(|member| set.remove(member)).count(),
    };
    if count > 0 {
        removed(edit, key, "srem", count);
    }
    reply.count(count);
    Ok(())
}

/// `SCARD key`: how many members the set has. O(1).
pub(super) fn scard(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(view.set(call.argument(1))?.map_or(0, |set| set.len()));
    Ok(())
}

/// `SISMEMBER key member`: 1 if the set has the member, or 0. O(1).
pub(super) fn sismember(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let is_member = view.set(call.argument(1))?.is_some_and(|set| set.contains(call.argument(2)));
    reply.integer(i64::from(is_member));
    Ok(())
}

/// `SMISMEMBER key member [member …]`: an array with 1 for each member that the set has, and 0 for others. O(members).
pub(super) fn smismember(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let set = view.set(call.argument(1))?;
    let members = call.arguments.from(2);
    reply.array(members.len());
    for member in members {
        reply.integer(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

/// `SMEMBERS key`: all members, as a set. O(n).
pub(super) fn smembers(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    match view.set(call.argument(1))? {
        None => reply.set(0),
        Some(set) => {
            reply.set(set.len());
            set.iter().for_each(|member| member.write(reply));
        }
    }
    Ok(())
}
