//! `SPOP`, `SRANDMEMBER`

use super::removed;
use crate::resp::Reply;
use crate::store::value::Set;
use crate::store::{Call, Edit, Error, View};

/// `SPOP key [count]`: takes a random member and answers with it, null if there is no such key; with `count` a set of up
/// to so many. O(members taken).
pub(super) fn spop(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    match call.len() {
        2 => pop(edit, call, None, reply),
        3 => pop(edit, call, Some(call.at_least(2, 0, Error::NOT_POSITIVE)?), reply),
        _ => Err(Error::SYNTAX),
    }
}

fn pop(edit: &mut Edit<'_>, call: &Call<'_>, count: Option<usize>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    let most_integers = edit.limits().set_intset_entries;
    let set = edit.set(key)?;
    let taken = count.unwrap_or(1).min(set.as_ref().map_or(0, |set| set.len()));
    if count.is_some() {
        reply.set(taken);
    } else if taken == 0 {
        reply.null();
    }
    if let Some(set) = set
        && taken > 0
    {
        set.take_random(taken, most_integers, &mut call.generator(), |member| member.write(reply));
        removed(edit, key, "spop", taken);
    }
    Ok(())
}

/// `SRANDMEMBER key [count]`: a random member, null if there is no such key; with `count` an array of so many different
/// ones, or of all if there are fewer; a negative count asks for exactly so many, which need not differ. O(members
/// returned).
pub(super) fn srandmember(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let count = match call.len() {
        2 => None,
        3 => Some(call.integer(2)?),
        _ => return Err(Error::SYNTAX),
    };
    if count == Some(i64::MIN) {
        return Err(format!("ERR value is out of range, value must between {} and {}", -i64::MAX, i64::MAX).into());
    }
    let set = view.set(call.argument(1))?;
    let mut random = call.generator();
    match (set, count) {
        (None, None) => reply.null(),
        (None, Some(_)) => reply.array(0),
        (Some(set), None) => write_random(set, &mut random, reply),
        (Some(set), Some(count @ 0..)) => {
            let members = set.sample(count as usize, &mut random);
            reply.array(members.len());
            members.into_iter().for_each(|member| member.write(reply));
        }
        (Some(set), Some(count)) => {
            let count = count.unsigned_abs();
            reply.array(count as usize);
            for written in 0..count {
                if reply.is_over() {
                    break;
                }
                if !reply.has_room(count - written) {
                    return Err(Error::REPLY_TOO_LONG);
                }
                write_random(set, &mut random, reply);
            }
        }
    }
    Ok(())
}

fn write_random(set: &Set, random: &mut impl FnMut() -> u64, reply: &mut Reply<'_>) {
    match set.random(random) {
        Some(member) => member.write(reply),
        None => reply.null(),
    }
}
