//! `EXPIRE`, `EXPIREAT`, `PEXPIRE`, `PEXPIREAT`, `PERSIST`

use crate::config::EventFlags;
use crate::resp::Reply;
use crate::store::{Call, Edit, Error};

/// `EXPIRE key seconds [NX | XX] [GT | LT]`: 1, or 0 if there is no such key or the condition doesn't hold. O(log n).
pub(super) fn expire(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    set_expiry(edit, call, reply, Unit::Seconds, call.now)
}

/// `EXPIREAT key seconds-since-1970 [NX | XX] [GT | LT]`: as `EXPIRE`. O(log n).
pub(super) fn expireat(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    set_expiry(edit, call, reply, Unit::Seconds, 0)
}

/// `PEXPIRE key milliseconds [NX | XX] [GT | LT]`: as `EXPIRE`. O(log n).
pub(super) fn pexpire(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    set_expiry(edit, call, reply, Unit::Milliseconds, call.now)
}

/// `PEXPIREAT key milliseconds-since-1970 [NX | XX] [GT | LT]`: as `EXPIRE`. O(log n).
pub(super) fn pexpireat(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    set_expiry(edit, call, reply, Unit::Milliseconds, 0)
}

/// `PERSIST key`: 1, or 0 if there is no such key or it doesn't expire. O(log n).
pub(super) fn persist(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    let expires = edit.expiry(key).is_some();
    if expires {
        edit.set_expiry(key, None);
        edit.modified(key);
        edit.notify(EventFlags::GENERIC, "persist", key);
    }
    reply.integer(i64::from(expires));
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Milliseconds,
}

/// Sets the expiry to the time at index 2, counted from `base` (in milliseconds). A key whose time has passed is removed.
fn set_expiry(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>, unit: Unit, base: i64) -> Result<(), Error> {
    let key = call.argument(1);
    let condition = Condition::parse(call, 3)?;
    let time = call.integer(2)?;
    let expiry = match unit {
        Unit::Seconds => time.checked_mul(1000),
        Unit::Milliseconds => Some(time),
    };
    let expiry = expiry.and_then(|expiry| expiry.checked_add(base)).ok_or_else(|| invalid_time(call))?;

    let holds = edit.entry(key).is_some_and(|entry| condition.holds(entry.expiry(), expiry));
    if holds {
        if expiry <= call.now {
            edit.delete(key);
        } else {
            edit.set_expiry(key, Some(expiry));
            edit.modified(key);
            edit.notify(EventFlags::GENERIC, "expire", key);
        }
    }
    reply.integer(i64::from(holds));
    Ok(())
}

fn invalid_time(call: &Call<'_>) -> Error {
    let name = String::from_utf8_lossy(call.argument(0)).to_ascii_lowercase();
    format!("ERR invalid expire time in '{name}' command").into()
}

/// Under which conditions an expiry is set.
#[derive(Clone, Copy, Debug, Default)]
struct Condition {
    if_none: bool,
    if_any: bool,
    if_later: bool,
    if_earlier: bool,
}

impl Condition {
    /// The condition that the arguments from `first` on state.
    fn parse(call: &Call<'_>, first: usize) -> Result<Self, Error> {
        let mut condition = Condition::default();
        for index in first..call.len() {
            let option = call.argument(index);
            match option.to_ascii_uppercase().as_slice() {
                b"NX" => condition.if_none = true,
                b"XX" => condition.if_any = true,
                b"GT" => condition.if_later = true,
                b"LT" => condition.if_earlier = true,
                _ => return Err(format!("ERR Unsupported option {}", String::from_utf8_lossy(option)).into()),
            }
        }
        if condition.if_none && (condition.if_any || condition.if_later || condition.if_earlier) {
            return Err(Error::new("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if condition.if_later && condition.if_earlier {
            return Err(Error::new("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(condition)
    }

    /// Whether a key that expires at `present`, if it does, may expire at `new`. Never is later than any time.
    fn holds(self, present: Option<i64>, new: i64) -> bool {
        (!self.if_none || present.is_none())
            && (!self.if_any || present.is_some())
            && (!self.if_later || present.is_some_and(|present| new > present))
            && (!self.if_earlier || present.is_none_or(|present| new < present))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_does_not_expire_counts_as_expiring_last() {
        let later = Condition { if_later: true, ..Condition::default() };
        let earlier = Condition { if_earlier: true, ..Condition::default() };
        assert!(!later.holds(None, i64::MAX) && earlier.holds(None, i64::MAX));
        assert!(later.holds(Some(5), 6) && !later.holds(Some(5), 5) && !later.holds(Some(5), 4));
        assert!(!earlier.holds(Some(5), 6) && !earlier.holds(Some(5), 5) && earlier.holds(Some(5), 4));
    }

    #[test]
    fn conditions_can_be_combined() {
        let both = Condition { if_any: true, if_earlier: true, ..Condition::default() };
        assert!(!both.holds(None, 1) && both.holds(Some(2), 1) && !both.holds(Some(1), 2));
    }
}
