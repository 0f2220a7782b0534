//! `ZPOPMIN`, `ZPOPMAX`, `ZMPOP`

use std::ops::Range;

use super::form::Form;
use super::removed;
use crate::resp::Reply;
use crate::store::{Call, Edit, Error};

/// From where members are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The lowest scores.
    Min,
    /// The highest scores.
    Max,
}

impl End {
    fn event(self) -> &'static str {
        match self {
            End::Min => "zpopmin",
            End::Max => "zpopmax",
        }
    }
}

/// `ZPOPMIN key [count]`: takes the first member, or as many as `count` says, and answers with an array of members and
/// scores, which is empty if there is no such key. In RESP3, a member with its score is an array of its own if there is a
/// count. O(log n) for each member.
pub(super) fn zpopmin(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    pop(edit, call, End::Min, reply)
}

/// `ZPOPMAX key [count]`: as `ZPOPMIN`, but takes the last members, the very last one first. O(log n) for each member.
pub(super) fn zpopmax(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    pop(edit, call, End::Max, reply)
}

fn pop(edit: &mut Edit<'_>, call: &Call<'_>, end: End, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (count, form) = match call.len() {
        2 => (1, Form::Flat),
        3 => (call.at_least(2, 0, Error::NOT_POSITIVE)?, Form::with_scores(true, reply)),
        _ => return Err(Error::SYNTAX),
    };
    if !take(edit, call.argument(1), end, count, form, reply, |taken, reply| form.start(taken, reply))? {
        reply.array(0);
    }
    Ok(())
}

/// `ZMPOP numkeys key [key …] MIN | MAX [COUNT count]`: takes members from the first key that has any, and answers with the
/// key and an array of arrays of a member and its score; null if no key has. O(keys + members · log n).
pub(super) fn zmpop(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let request = MultiPop::parse(call, 1)?;
    match first_sorted_set(edit, request.keys(call))? {
        Some(key) => request.take(edit, key, reply)?,
        None => reply.null_array(),
    }
    Ok(())
}

/// Takes up to `count` members and writes them in that form, after what `start` writes for their number; false if there is
/// no such key.
pub(super) fn take(
    edit: &mut Edit<'_>,
    key: &[u8],
    end: End,
    count: usize,
    form: Form,
    reply: &mut Reply<'_>,
    start: impl FnOnce(usize, &mut Reply<'_>),
) -> Result<bool, Error> {
    let Some(set) = edit.sorted_set(key)? else { return Ok(false) };
    let length = set.len();
    let count = count.min(length);
    start(count, reply);
    let ranks = match end {
        End::Min => 0..count,
        End::Max => length - count..length,
    };
    if !reply.is_muted() {
        let members = set.by_rank(ranks.clone());
        match end {
            End::Min => members.for_each(|(member, score)| form.write(member, score, reply)),
            End::Max => members.rev().for_each(|(member, score)| form.write(member, score, reply)),
        }
    }
    if count == 0 {
        return Ok(true);
    }
    let all = count == length;
    if !all {
        set.remove_range(ranks);
    }
    removed(edit, key, end.event(), count, all);
    Ok(true)
}

/// The first key that has a sorted set. While a waiting client is [served](Edit::is_serving), only the key that was changed
/// counts, and a value of another type is none.
pub(super) fn first_sorted_set<'k>(
    edit: &mut Edit<'_>,
    keys: impl Iterator<Item = &'k [u8]>,
) -> Result<Option<&'k [u8]>, Error> {
    let serving = edit.is_serving();
    for key in keys {
        if edit.considers(key) {
            match edit.sorted_set(key) {
                Ok(Some(_)) => return Ok(Some(key)),
                Err(error) if !serving => return Err(error),
                _ => {}
            }
        }
    }
    Ok(None)
}

/// What `ZMPOP` and `BZMPOP` ask for.
pub(super) struct MultiPop {
    keys: Range<usize>,
    end: End,
    count: usize,
}

impl MultiPop {
    /// From the number of keys on, which is at `first`.
    pub(super) fn parse(call: &Call<'_>, first: usize) -> Result<Self, Error> {
        const NO_KEYS: Error = Error::new("ERR numkeys should be greater than 0");
        const NO_COUNT: Error = Error::new("ERR count should be greater than 0");
        let behind_keys = call.at_least(first, 1, NO_KEYS)?.saturating_add(first + 1);
        let end = if call.is_option(behind_keys, "MIN") {
            End::Min
        } else if call.is_option(behind_keys, "MAX") {
            End::Max
        } else {
            return Err(Error::SYNTAX);
        };
        let (count, end_of_options) = match call.len() - behind_keys {
            3.. if call.is_option(behind_keys + 1, "COUNT") => {
                (call.at_least(behind_keys + 2, 1, NO_COUNT)?, behind_keys + 3)
            }
            _ => (1, behind_keys + 1),
        };
        if call.len() > end_of_options {
            return Err(Error::SYNTAX);
        }
        Ok(MultiPop { keys: first + 1..behind_keys, end, count })
    }

    /// The keys, of which the first that has a sorted set is taken from.
    pub(super) fn keys<'a>(&self, call: &Call<'a>) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        call.arguments.from(self.keys.start).take(self.keys.len())
    }

    /// Takes members from the sorted set at `key`, and answers with the key and an array of them.
    pub(super) fn take(&self, edit: &mut Edit<'_>, key: &[u8], reply: &mut Reply<'_>) -> Result<(), Error> {
        take(edit, key, self.end, self.count, Form::Pairs, reply, |taken, reply| {
            reply.array(2);
            reply.bulk(key);
            Form::Pairs.start(taken, reply);
        })?;
        Ok(())
    }
}
