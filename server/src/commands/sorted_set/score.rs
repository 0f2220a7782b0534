//! What is known of a member: `ZSCORE`, `ZMSCORE`, `ZRANK`, `ZREVRANK`; and `ZCARD`.

use crate::resp::Reply;
use crate::store::value::SortedSet;
use crate::store::{Call, Error, View};

/// `ZCARD key`: how many members there are, 0 if there is no such key. O(1).
pub(super) fn zcard(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(view.sorted_set(call.argument(1))?.map_or(0, SortedSet::len));
    Ok(())
}

/// `ZSCORE key member`: the score, or null. O(1).
pub(super) fn zscore(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    write_score(view.sorted_set(call.argument(1))?, call.argument(2), reply);
    Ok(())
}

/// `ZMSCORE key member [member …]`: an array of the scores, with nulls for members that there are not. O(members).
pub(super) fn zmscore(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let set = view.sorted_set(call.argument(1))?;
    let members = call.arguments.from(2);
    reply.array(members.len());
    members.for_each(|member| write_score(set, member, reply));
    Ok(())
}

fn write_score(set: Option<&SortedSet>, member: &[u8], reply: &mut Reply<'_>) {
    match set.and_then(|set| set.score(member)) {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

/// `ZRANK key member`: how many members come before this one, or null if it isn't one. O(log n).
pub(super) fn zrank(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    write_rank(view, call, reply, |rank, _| rank)
}

/// `ZREVRANK key member`: how many members come after this one, or null if it isn't one. O(log n).
pub(super) fn zrevrank(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    write_rank(view, call, reply, |rank, length| length - 1 - rank)
}

fn write_rank(
    view: &View<'_>,
    call: &Call<'_>,
    reply: &mut Reply<'_>,
    count: fn(usize, usize) -> usize,
) -> Result<(), Error> {
    let set = view.sorted_set(call.argument(1))?;
    match set.and_then(|set| Some(count(set.rank(call.argument(2))?, set.len()))) {
        Some(rank) => reply.count(rank),
        None => reply.null(),
    }
    Ok(())
}
