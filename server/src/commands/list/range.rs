//! `LRANGE`, `LTRIM`

use std::ops::Range;

use super::removed;
use crate::resp::Reply;
use crate::store::value::list::End;
use crate::store::{Call, Edit, Error, View};

/// `LRANGE key start stop`: an array of the elements from the index `start` to `stop`, negative ones counted from the end.
/// O(log n + elements).
pub(super) fn lrange(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (start, stop) = (call.integer(2)?, call.integer(3)?);
    match view.list(call.argument(1))? {
        None => reply.array(0),
        Some(list) => {
            let range = elements(start, stop, list.len());
            reply.array(range.len());
            list.write(range, false, reply);
        }
    }
    Ok(())
}

/// `LTRIM key start stop`: removes all elements but those from the index `start` to `stop`, negative ones counted from the
/// end. O(removed elements).
pub(super) fn ltrim(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    let (start, stop) = (call.integer(2)?, call.integer(3)?);
    if let Some(list) = edit.list(key)? {
        let length = list.len();
        let range = elements(start, stop, length);
        list.remove(End::Back, length - range.end);
        list.remove(End::Front, range.start);
        removed(edit, key, "ltrim", length - range.len());
    }
    reply.ok();
    Ok(())
}

/// The indices from `start` to `stop` that a list of `length` elements has, negative ones counted from its end.
fn elements(start: i64, stop: i64, length: usize) -> Range<usize> {
    let from_front = |index: i64| if index < 0 { index.saturating_add(length as i64) } else { index };
    let end = from_front(stop).saturating_add(1).clamp(0, length as i64) as usize;
    let start = from_front(start).clamp(0, end as i64) as usize;
    start..end
}

#[cfg(test)]
mod tests {
    use super::elements;

    #[test]
    fn indices_count_from_either_end() {
        for (start, stop, expected) in [
            (0, 0, 0..1),
            (0, -1, 0..5),
            (-2, -1, 3..5),
            (1, 3, 1..4),
            (-100, 100, 0..5),
            (i64::MIN, i64::MAX, 0..5),
            (4, 4, 4..5),
            (0, 4, 0..5),
        ] {
            assert_eq!(elements(start, stop, 5), expected, "{start} {stop}");
        }
        for (start, stop) in [(3, 2), (5, 10), (0, -6), (i64::MAX, i64::MIN), (-1, -2), (i64::MAX, i64::MAX)] {
            assert!(elements(start, stop, 5).is_empty(), "{start} {stop}");
        }
        assert!(elements(0, -1, 0).is_empty());
    }
}
