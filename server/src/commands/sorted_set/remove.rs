//! `ZREM`, `ZREMRANGEBYRANK`, `ZREMRANGEBYSCORE`, `ZREMRANGEBYLEX`

use super::interval::{By, Interval};
use super::removed;
use crate::resp::Reply;
use crate::store::{Call, Edit, Error};

/// `ZREM key member [member …]`: how many members were removed. O(log n) for each.
pub(super) fn zrem(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    let Some(set) = edit.sorted_set(key)? else {
        reply.count(0);
        return Ok(());
    };
    let count = call.arguments.from(2).filter(|member| set.remove(member).is_some()).count();
    let all = set.is_empty();
    if count > 0 {
        removed(edit, key, "zrem", count, all);
    }
    reply.count(count);
    Ok(())
}

/// `ZREMRANGEBYRANK key start stop`: removes the members with these ranks, of which negative ones count from the end, and
/// answers how many that were. O(log n + removed).
pub(super) fn zremrangebyrank(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    remove_range(edit, call, By::Rank, "zremrangebyrank", reply)
}

/// `ZREMRANGEBYSCORE key min max`: removes the members with scores in the range, and answers how many that were.
/// O(log n + removed).
pub(super) fn zremrangebyscore(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    remove_range(edit, call, By::Score, "zremrangebyscore", reply)
}

/// `ZREMRANGEBYLEX key min max`: removes the members in the range, and answers how many that were. O(log n + removed).
pub(super) fn zremrangebylex(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    remove_range(edit, call, By::Lex, "zremrangebylex", reply)
}

fn remove_range(edit: &mut Edit<'_>, call: &Call<'_>, by: By, event: &str, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    let interval = Interval::parse(by, call.argument(2), call.argument(3), false)?;
    let Some(set) = edit.sorted_set(key)? else {
        reply.count(0);
        return Ok(());
    };
    let ranks = interval.ranks(set);
    let count = ranks.len();
    let all = count == set.len();
    if count > 0 {
        // A set that loses all members goes with its key, and is freed by another thread if it is large.
        if !all {
            set.remove_range(ranks);
        }
        removed(edit, key, event, count, all);
    }
    reply.count(count);
    Ok(())
}
