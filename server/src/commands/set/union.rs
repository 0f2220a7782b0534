//! `SUNION`, `SUNIONSTORE`

use super::operation::{sets, store, write};
use crate::resp::Reply;
use crate::store::value::Set;
use crate::store::{Call, Edit, Error, View};

/// `SUNION key [key …]`: the members that any set has, as a set. O(members of all sets).
pub(super) fn sunion(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    write(&union(view, call, 1)?, reply);
    Ok(())
}

/// `SUNIONSTORE destination key [key …]`: stores the members that any set has, and answers how many there are. O(members
/// of all sets).
pub(super) fn sunionstore(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let result = union(&edit.view(), call, 2)?;
    store(edit, call, result, "sunionstore", reply);
    Ok(())
}

fn union(view: &View<'_>, call: &Call<'_>, first: usize) -> Result<Set, Error> {
    let most_integers = view.keyspace().config.encodings.set_intset_entries;
    let sets: Vec<&Set> = sets(view, call, first)?.into_iter().flatten().collect();
    // A copy of the largest saves most of the work. But the union of a few integers is an array of these, even if the
    // set that they come from isn't any more.
    let largest = sets.iter().copied().max_by_key(|set| set.len()).filter(|set| set.len() > most_integers);
    let mut result = largest.cloned().unwrap_or_default();
    for set in sets.into_iter().filter(|set| !largest.is_some_and(|largest| std::ptr::eq(*set, largest))) {
        result.extend(set.iter(), most_integers);
    }
    Ok(result)
}
