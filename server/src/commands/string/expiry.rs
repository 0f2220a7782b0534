//! When a string expires, as the options of `SET` and `GETEX` say.

use crate::resp::number::parse_integer;
use crate::store::{Call, Error};

/// The four ways to give a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeForm {
    /// `EX`: seconds from now.
    Seconds,
    /// `PX`: milliseconds from now.
    Milliseconds,
    /// `EXAT`: seconds since 1970.
    AtSecond,
    /// `PXAT`: milliseconds since 1970.
    AtMillisecond,
}

impl TimeForm {
    /// The form that the option at `index` names, if it is one of them.
    fn of_option(call: &Call<'_>, index: usize) -> Option<Self> {
        [
            ("EX", TimeForm::Seconds),
            ("PX", TimeForm::Milliseconds),
            ("EXAT", TimeForm::AtSecond),
            ("PXAT", TimeForm::AtMillisecond),
        ]
        .into_iter()
        .find_map(|(name, form)| call.is_option(index, name).then_some(form))
    }

    /// Whether the time is given as such, and not by its distance from now.
    fn is_absolute(self) -> bool {
        matches!(self, TimeForm::AtSecond | TimeForm::AtMillisecond)
    }

    /// The time that `argument` stands for, in milliseconds since 1970. It must not be negative, nor may the argument.
    pub(super) fn resolve(self, argument: &[u8], now: i64, command: &str) -> Result<i64, Error> {
        let number = parse_integer(argument).ok_or(Error::NOT_AN_INTEGER)?;
        let unit = if matches!(self, TimeForm::Seconds | TimeForm::AtSecond) { 1000 } else { 1 };
        let origin = if self.is_absolute() { 0 } else { now };
        let milliseconds = if number > 0 { number.checked_mul(unit) } else { None };
        let time = milliseconds.and_then(|milliseconds| milliseconds.checked_add(origin));
        time.ok_or_else(|| format!("ERR invalid expire time in '{command}' command").into())
    }
}

/// What becomes of a key's expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Lifetime<'a> {
    /// The options don't say.
    #[default]
    Unsaid,
    /// It stays (`KEEPTTL`).
    Keep,
    /// It is cleared (`PERSIST`).
    Persist,
    /// It is the time that the argument stands for.
    Until(TimeForm, &'a [u8]),
}

impl<'a> Lifetime<'a> {
    /// Takes an option that gives a time, with its argument, at `index`; how many arguments that were. 0 if there is
    /// none, or it contradicts an option before it: a form may come again, but no other one.
    pub(super) fn take_time(&mut self, call: &Call<'a>, index: usize) -> usize {
        let form = if index + 1 < call.len() { TimeForm::of_option(call, index) } else { None };
        let agrees = match *self {
            Lifetime::Unsaid => true,
            Lifetime::Until(before, _) => form == Some(before),
            Lifetime::Keep | Lifetime::Persist => false,
        };
        match form {
            Some(form) if agrees => {
                *self = Lifetime::Until(form, call.argument(index + 1));
                2
            }
            _ => 0,
        }
    }

    /// Takes the option `name` at `index` to mean `lifetime`; 0 if it isn't there or contradicts an option before it.
    pub(super) fn take(&mut self, call: &Call<'_>, index: usize, name: &str, lifetime: Self) -> usize {
        if !call.is_option(index, name) || (*self != Lifetime::Unsaid && *self != lifetime) {
            return 0;
        }
        *self = lifetime;
        1
    }

    /// When the key expires, in milliseconds since 1970, if the options gave a time.
    pub(super) fn expiry(self, now: i64, command: &str) -> Result<Option<i64>, Error> {
        match self {
            Lifetime::Until(form, argument) => form.resolve(argument, now, command).map(Some),
            Lifetime::Unsaid | Lifetime::Keep | Lifetime::Persist => Ok(None),
        }
    }

    /// Whether the options gave a time as such, which may have passed.
    pub(super) fn is_absolute(self) -> bool {
        matches!(self, Lifetime::Until(form, _) if form.is_absolute())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_positive_and_has_64_bits() {
        let resolve = |form: TimeForm, argument: &str| form.resolve(argument.as_bytes(), 1_000_000, "set").ok();
        assert_eq!(resolve(TimeForm::Seconds, "2"), Some(1_002_000));
        assert_eq!(resolve(TimeForm::Milliseconds, "2"), Some(1_000_002));
        assert_eq!(resolve(TimeForm::AtSecond, "2"), Some(2000));
        assert_eq!(resolve(TimeForm::AtMillisecond, "2"), Some(2));
        assert_eq!(resolve(TimeForm::AtMillisecond, "9223372036854775807"), Some(i64::MAX));
        assert_eq!(resolve(TimeForm::Milliseconds, "9223372036854775807"), None);
        assert_eq!(resolve(TimeForm::AtSecond, "9223372036854776"), None);
        for argument in ["0", "-1", "-9223372036854775808", "x", ""] {
            assert_eq!(resolve(TimeForm::AtMillisecond, argument), None, "{argument}");
        }
    }
}
