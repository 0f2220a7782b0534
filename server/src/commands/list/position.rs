//! `LPOS`

use crate::resp::Reply;
use crate::store::{Call, Error, View};

/// `LPOS key element [RANK rank] [COUNT matches] [MAXLEN length]`: the index of the first element that equals `element`, or
/// null; with `COUNT` an array of the indices of so many, of all if that is 0. The first ones before the `rank`th are
/// left out; a negative rank goes from the end to the front. No more than `length` elements are looked at, of all if that
/// is 0. O(n).
pub(super) fn lpos(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let search = Search::parse(call)?;
    let Some(list) = view.list(call.argument(1))? else {
        match search.count {
            Some(_) => reply.array(0),
            None => reply.null(),
        }
        return Ok(());
    };
    let length = list.len();
    let looked_at = if search.longest == 0 { length } else { search.longest.min(length) };
    let element = call.argument(2);
    if search.backwards {
        search.answer(list.find(element, length - looked_at..length).rev(), reply);
    } else {
        search.answer(list.find(element, 0..looked_at), reply);
    }
    Ok(())
}

/// The options of `LPOS`.
struct Search {
    /// How many matches are passed over.
    skipped: usize,
    backwards: bool,
    /// How many matches are asked for: `None` for one that is not in an array, 0 for all.
    count: Option<usize>,
    /// How many elements are looked at: 0 for all.
    longest: usize,
}

impl Search {
    fn parse(call: &Call<'_>) -> Result<Self, Error> {
        const NO_RANK: Error = Error::new(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
             or use negative to start from the end of the list",
        );
        const NEGATIVE_COUNT: Error = Error::new("ERR COUNT can't be negative");
        const NEGATIVE_LENGTH: Error = Error::new("ERR MAXLEN can't be negative");
        let mut search = Search { skipped: 0, backwards: false, count: None, longest: 0 };
        for option in (3..call.len()).step_by(2) {
            let value = option + 1;
            if value == call.len() {
                return Err(Error::SYNTAX);
            } else if call.is_option(option, "RANK") {
                let rank = call.integer(value)?;
                search.skipped = rank.unsigned_abs().checked_sub(1).ok_or(NO_RANK)? as usize;
                search.backwards = rank < 0;
            } else if call.is_option(option, "COUNT") {
                search.count = Some(call.at_least(value, 0, NEGATIVE_COUNT)?);
            } else if call.is_option(option, "MAXLEN") {
                search.longest = call.at_least(value, 0, NEGATIVE_LENGTH)?;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(search)
    }

    fn answer(&self, matches: impl Iterator<Item = usize>, reply: &mut Reply<'_>) {
        let mut matches = matches.skip(self.skipped);
        match self.count {
            None => match matches.next() {
                Some(index) => reply.count(index),
                None => reply.null(),
            },
            Some(count) => {
                let mark = reply.mark();
                let most = if count == 0 { usize::MAX } else { count };
                let written = matches.take(most).map(|index| reply.count(index)).count();
                reply.array_at(mark, written);
            }
        }
    }
}
