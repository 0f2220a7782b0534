//! `ZRANGE`, `ZRANGESTORE`, the older commands that do a part of them, `ZCOUNT` and `ZLEXCOUNT`.

use std::ops::Range;

use super::form::Form;
use super::interval::{By, Interval};
use super::store;
use crate::resp::Reply;
use crate::store::value::SortedSet;
use crate::store::{Call, Edit, Error, View};

/// `ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`: an array of the members in the range,
/// of ranks if no option says otherwise; with `REV` from the last one to the first, and the ends of scores and members the
/// other way round. O(log n + members).
pub(super) fn zrange(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    read(view, call, None, None, reply)
}

/// `ZREVRANGE key start stop [WITHSCORES]`: as `ZRANGE … REV`. O(log n + members).
pub(super) fn zrevrange(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    read(view, call, Some(By::Rank), Some(true), reply)
}

/// `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]`: as `ZRANGE … BYSCORE`. O(log n + members).
pub(super) fn zrangebyscore(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    read(view, call, Some(By::Score), Some(false), reply)
}

/// `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]`: as `ZRANGE … BYSCORE REV`. O(log n + members).
pub(super) fn zrevrangebyscore(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    read(view, call, Some(By::Score), Some(true), reply)
}

/// `ZRANGEBYLEX key min max [LIMIT offset count]`: as `ZRANGE … BYLEX`. O(log n + members).
pub(super) fn zrangebylex(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    read(view, call, Some(By::Lex), Some(false), reply)
}

/// `ZREVRANGEBYLEX key max min [LIMIT offset count]`: as `ZRANGE … BYLEX REV`. O(log n + members).
pub(super) fn zrevrangebylex(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    read(view, call, Some(By::Lex), Some(true), reply)
}

fn read(
    view: &View<'_>,
    call: &Call<'_>,
    by: Option<By>,
    reverse: Option<bool>,
    reply: &mut Reply<'_>,
) -> Result<(), Error> {
    let request = Request::parse(call, by, reverse, false)?;
    let Some(set) = view.sorted_set(call.argument(1))? else {
        reply.array(0);
        return Ok(());
    };
    let members = set.by_rank(request.ranks(set));
    let form = Form::with_scores(request.with_scores, reply);
    if request.reverse {
        form.write_all(members.rev(), reply);
    } else {
        form.write_all(members, reply);
    }
    Ok(())
}

/// `ZRANGESTORE destination source start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count]`: stores what `ZRANGE` answers,
/// and answers how many members that are. O(log n + members).
pub(super) fn zrangestore(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let request = Request::parse(call, None, None, true)?;
    let limits = edit.limits();
    let result = match edit.view().sorted_set(call.argument(2))? {
        None => SortedSet::new(),
        Some(set) => {
            let members = set.by_rank(request.ranks(set));
            SortedSet::from_ordered(members.map(|(member, score)| (member.clone(), score)), &limits)
        }
    };
    store(edit, call.argument(1), result, "zrangestore", reply);
    Ok(())
}

/// `ZCOUNT key min max`: how many members have scores in the range, 0 if there is no such key. O(log n).
pub(super) fn zcount(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    count(view, call, By::Score, reply)
}

/// `ZLEXCOUNT key min max`: how many members are in the range, 0 if there is no such key. O(log n).
pub(super) fn zlexcount(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    count(view, call, By::Lex, reply)
}

fn count(view: &View<'_>, call: &Call<'_>, by: By, reply: &mut Reply<'_>) -> Result<(), Error> {
    let interval = Interval::parse(by, call.argument(2), call.argument(3), false)?;
    let set = view.sorted_set(call.argument(1))?;
    reply.count(set.map_or(0, |set| interval.ranks(set).len()));
    Ok(())
}

/// What a command of ranges asks for.
struct Request<'a> {
    interval: Interval<'a>,
    reverse: bool,
    /// How many members of the interval are left out at first, and how many are taken at most.
    window: (usize, usize),
    with_scores: bool,
}

impl<'a> Request<'a> {
    /// Behind the command's name and, if the members are `stored`, the key for them. There are no options for what `by` and
    /// `reverse` say, nor for what an option has said.
    fn parse(call: &Call<'a>, mut by: Option<By>, mut reverse: Option<bool>, stored: bool) -> Result<Self, Error> {
        const NO_LIMIT: Error =
            Error::new("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
        const NO_SCORES: Error = Error::new("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
        let (mut offset, mut limit, mut with_scores) = (0, -1, false);
        let key = if stored { 2 } else { 1 };
        let mut index = key + 3;
        while index < call.len() {
            if !stored && call.is_option(index, "WITHSCORES") {
                with_scores = true;
            } else if call.is_option(index, "LIMIT") && index + 2 < call.len() {
                (offset, limit) = (call.integer(index + 1)?, call.integer(index + 2)?);
                index += 2;
            } else if reverse.is_none() && call.is_option(index, "REV") {
                reverse = Some(true);
            } else if by.is_none() && call.is_option(index, "BYLEX") {
                by = Some(By::Lex);
            } else if by.is_none() && call.is_option(index, "BYSCORE") {
                by = Some(By::Score);
            } else {
                return Err(Error::SYNTAX);
            }
            index += 1;
        }
        let (by, reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or(false));
        if limit != -1 && by == By::Rank {
            return Err(NO_LIMIT);
        }
        if with_scores && by == By::Lex {
            return Err(NO_SCORES);
        }
        let interval = Interval::parse(by, call.argument(key + 1), call.argument(key + 2), reverse)?;
        // A negative offset leaves out everything, a negative limit nothing.
        let all_if_negative = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
        let offset = if by == By::Rank { 0 } else { all_if_negative(offset) };
        Ok(Request { interval, reverse, window: (offset, all_if_negative(limit)), with_scores })
    }

    /// The ranks of the members. O(log n).
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let Range { start, end } = self.interval.ranks(set);
        let (offset, limit) = self.window;
        let offset = offset.min(end - start);
        let count = limit.min(end - start - offset);
        if self.reverse { end - offset - count..end - offset } else { start + offset..start + offset + count }
    }
}
