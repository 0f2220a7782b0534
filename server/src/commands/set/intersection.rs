//! `SINTER`, `SINTERSTORE`, `SINTERCARD`

use super::operation::{sets, store};
use crate::resp::Reply;
use crate::store::value::Set;
use crate::store::value::set::Member;
use crate::store::{Call, Edit, Error, View};

/// `SINTER key [key …]`: the members that all sets have, as a set. O(members of the smallest · sets) at worst.
pub(super) fn sinter(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let sets = sets(view, call, 1)?;
    let mark = reply.mark();
    let written = intersection(sets).map(|member| member.write(reply)).count();
    reply.set_at(mark, written);
    Ok(())
}

/// `SINTERSTORE destination key [key …]`: stores the members that all sets have, and answers how many there are.
/// O(members of the smallest · sets) at worst.
pub(super) fn sinterstore(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let most_integers = edit.limits().set_intset_entries;
    let mut result = Set::default();
    result.extend(intersection(sets(&edit.view(), call, 2)?), most_integers);
    store(edit, call, result, "sinterstore", reply);
    Ok(())
}

/// `SINTERCARD numkeys key [key …] [LIMIT limit]`: how many members all sets have; counts no further than to `limit`, if
/// that isn't 0. O(members of the smallest · sets) at worst.
pub(super) fn sintercard(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const NO_KEYS: Error = Error::new("ERR numkeys should be greater than 0");
    const TOO_MANY_KEYS: Error = Error::new("ERR Number of keys can't be greater than number of args");
    const NEGATIVE_LIMIT: Error = Error::new("ERR LIMIT can't be negative");
    let keys = call.at_least(1, 1, NO_KEYS)?;
    if keys > call.len() - 2 {
        return Err(TOO_MANY_KEYS);
    }
    let mut limit = 0;
    for option in (2 + keys..call.len()).step_by(2) {
        if !call.is_option(option, "LIMIT") || option + 1 == call.len() {
            return Err(Error::SYNTAX);
        }
        limit = call.at_least(option + 1, 0, NEGATIVE_LIMIT)?;
    }
    let sets = call.arguments.from(2).take(keys).map(|key| view.set(key)).collect::<Result<Vec<_>, _>>()?;
    let most = if limit == 0 { usize::MAX } else { limit };
    reply.count(intersection(sets).take(most).count());
    Ok(())
}

/// The members that all sets have; nothing if one of them is none. It goes through the smallest, and asks the next larger
/// one first.
fn intersection<'a>(sets: Vec<Option<&'a Set>>) -> impl Iterator<Item = Member<'a>> {
    let mut sets: Vec<&Set> = sets.into_iter().collect::<Option<_>>().unwrap_or_default();
    sets.sort_by_key(|set| set.len());
    let smallest = if sets.is_empty() { None } else { Some(sets.remove(0)) };
    let members = smallest.into_iter().flat_map(Set::iter);
    members.filter(move |member| sets.iter().all(|set| set.contains_member(*member)))
}
