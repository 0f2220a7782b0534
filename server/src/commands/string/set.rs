//! `SET`, and the older commands that do a part of it.

use super::expiry::{Lifetime, TimeForm};
use crate::config::EventFlags;
use crate::resp::Reply;
use crate::store::database::Expiry;
use crate::store::value::StringValue;
use crate::store::{Call, Edit, Error, Value};

/// `SET key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT second | PXAT millisecond | KEEPTTL]`: `OK`, or
/// null if `NX` or `XX` forbids it; with `GET` the string before, or null. O(1).
pub(super) fn set(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if call.len() > 3 {
        return set_with_options(edit, call, reply);
    }
    store(edit, call.argument(1), call.argument(2), Expiry::Clear);
    reply.ok();
    Ok(())
}

/// `SETNX key value`: 1 if the key did not exist, or 0 and nothing is changed. O(1).
pub(super) fn setnx(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    let free = !edit.exists(key);
    if free {
        store(edit, key, call.argument(2), Expiry::Clear);
    }
    reply.integer(i64::from(free));
    Ok(())
}

/// `SETEX key seconds value`: `OK`. O(1).
pub(super) fn setex(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    set_with_time(edit, call, reply, TimeForm::Seconds, "setex")
}

/// `PSETEX key milliseconds value`: `OK`. O(1).
pub(super) fn psetex(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    set_with_time(edit, call, reply, TimeForm::Milliseconds, "psetex")
}

fn set_with_time(
    edit: &mut Edit<'_>,
    call: &Call<'_>,
    reply: &mut Reply<'_>,
    form: TimeForm,
    command: &str,
) -> Result<(), Error> {
    let key = call.argument(1);
    let time = form.resolve(call.argument(2), edit.now(), command)?;
    store(edit, key, call.argument(3), Expiry::Clear);
    expire(edit, key, time);
    reply.ok();
    Ok(())
}

fn set_with_options(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    let options = Options::parse(call)?;
    let time = options.lifetime.expiry(edit.now(), "set")?;
    if options.get {
        write_or_null(edit, key, reply)?;
    }
    let permitted = match options.condition {
        Condition::None => true,
        Condition::Absent => !edit.exists(key),
        Condition::Present => edit.exists(key),
    };
    if permitted {
        let expiry = if options.lifetime == Lifetime::Keep { Expiry::Keep } else { Expiry::Clear };
        store(edit, key, call.argument(2), expiry);
        if let Some(time) = time {
            expire(edit, key, time);
        }
    }
    match (options.get, permitted) {
        (true, _) => {}
        (false, true) => reply.ok(),
        (false, false) => reply.null(),
    }
    Ok(())
}

/// Whether the key must exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Condition {
    #[default]
    None,
    /// `NX`
    Absent,
    /// `XX`
    Present,
}

/// The options of `SET`.
#[derive(Debug, Default)]
struct Options<'a> {
    condition: Condition,
    get: bool,
    lifetime: Lifetime<'a>,
}

impl<'a> Options<'a> {
    fn parse(call: &Call<'a>) -> Result<Self, Error> {
        let mut options = Options::default();
        let mut index = 3;
        while index < call.len() {
            index += match options.take(call, index) {
                0 => return Err(Error::SYNTAX),
                arguments => arguments,
            };
        }
        Ok(options)
    }

    /// Takes the option at `index`; how many arguments that were, or 0 if it can't stand there.
    fn take(&mut self, call: &Call<'a>, index: usize) -> usize {
        if call.is_option(index, "GET") {
            self.get = true;
            return 1;
        }
        for (name, condition) in [("NX", Condition::Absent), ("XX", Condition::Present)] {
            if call.is_option(index, name) && (self.condition == Condition::None || self.condition == condition) {
                self.condition = condition;
                return 1;
            }
        }
        match self.lifetime.take(call, index, "KEEPTTL", Lifetime::Keep) {
            0 => self.lifetime.take_time(call, index),
            arguments => arguments,
        }
    }
}

/// Gives the key a string, whatever it held.
#[inline]
pub(super) fn store(edit: &mut Edit<'_>, key: &[u8], value: &[u8], expiry: Expiry) {
    edit.insert(key, Value::String(StringValue::new(value)), expiry);
    edit.notify(EventFlags::STRING, "set", key);
}

/// Lets the key expire at `time`.
pub(super) fn expire(edit: &mut Edit<'_>, key: &[u8], time: i64) {
    edit.set_expiry(key, Some(time));
    edit.notify(EventFlags::GENERIC, "expire", key);
}

/// Writes the string at `key`, or null; whether there was one.
pub(super) fn write_or_null(edit: &mut Edit<'_>, key: &[u8], reply: &mut Reply<'_>) -> Result<bool, Error> {
    let string = edit.string(key)?;
    match &string {
        Some(string) => string.write(reply),
        None => reply.null(),
    }
    Ok(string.is_some())
}
