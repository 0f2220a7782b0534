//! `SDIFF`, `SDIFFSTORE`

use super::operation::{sets, store, write};
use crate::resp::Reply;
use crate::store::value::Set;
use crate::store::value::set::Member;
use crate::store::{Call, Edit, Error, View};

/// `SDIFF key [key …]`: the members of the first set that no other has, as a set. O(members of all sets).
pub(super) fn sdiff(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    write(&difference(view, call, 1)?, reply);
    Ok(())
}

/// `SDIFFSTORE destination key [key …]`: stores the members of the first set that no other has, and answers how many there
/// are. O(members of all sets).
pub(super) fn sdiffstore(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let result = difference(&edit.view(), call, 2)?;
    store(edit, call, result, "sdiffstore", reply);
    Ok(())
}

fn difference(view: &View<'_>, call: &Call<'_>, first: usize) -> Result<Set, Error> {
    let most_integers = view.keyspace().config.encodings.set_intset_entries;
    let sets = sets(view, call, first)?;
    let Some(minuend) = sets[0] else { return Ok(Set::default()) };
    let mut others: Vec<&Set> = sets.into_iter().skip(1).flatten().collect();
    if others.iter().any(|set| std::ptr::eq(*set, minuend)) {
        return Ok(Set::default());
    }
    // Either each member is looked for in the other sets, of which one may have it soon, or all that these have is
    // removed from a copy.
    let look_ups = minuend.len() * (others.len() + 1) / 2;
    let removals = minuend.len() + others.iter().map(|set| set.len()).sum::<usize>();
    let mut result = Set::default();
    if look_ups <= removals {
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        let is_left = |member: &Member<'_>| !others.iter().any(|set| set.contains_member(*member));
        result.extend(minuend.iter().filter(is_left), most_integers);
    } else {
        result.extend(minuend.iter(), most_integers);
        for member in others.into_iter().flat_map(Set::iter) {
            result.remove_member(member);
        }
    }
    Ok(result)
}
