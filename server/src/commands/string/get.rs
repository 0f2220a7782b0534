//! `GET`, and the commands that answer like it and then change the key.

use super::expiry::Lifetime;
use super::set::{expire, store, write_or_null};
use crate::config::EventFlags;
use crate::resp::Reply;
use crate::store::database::Expiry;
use crate::store::{Call, Edit, Error, View};

/// `GET key`: a bulk string, or null if there is no such key. O(1).
pub(super) fn get(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    match view.string(call.argument(1))? {
        Some(string) => string.write(reply),
        None => reply.null(),
    }
    Ok(())
}

/// `GETDEL key`: a bulk string, or null if there is no such key; the key is removed. O(1).
pub(super) fn getdel(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    if write_or_null(edit, key, reply)? {
        edit.delete(key);
    }
    Ok(())
}

/// `GETSET key value`: the string before, or null if there was no such key. O(1).
pub(super) fn getset(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    write_or_null(edit, key, reply)?;
    store(edit, key, call.argument(2), Expiry::Clear);
    Ok(())
}

/// `GETEX key [EX seconds | PX milliseconds | EXAT second | PXAT millisecond | PERSIST]`: a bulk string, or null if there
/// is no such key; a time that has passed removes the key. O(1).
pub(super) fn getex(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    let lifetime = parse_lifetime(call)?;
    if !write_or_null(edit, key, reply)? {
        return Ok(());
    }
    match lifetime.expiry(edit.now(), "getex")? {
        Some(time) if lifetime.is_absolute() && time <= edit.now() => {
            edit.delete(key);
        }
        Some(time) => {
            edit.modified(key);
            expire(edit, key, time);
        }
        None if lifetime == Lifetime::Persist && edit.expiry(key).is_some() => {
            edit.set_expiry(key, None);
            edit.modified(key);
            edit.notify(EventFlags::GENERIC, "persist", key);
        }
        None => {}
    }
    Ok(())
}

/// The options of `GETEX`.
fn parse_lifetime<'a>(call: &Call<'a>) -> Result<Lifetime<'a>, Error> {
    let mut lifetime = Lifetime::default();
    let mut index = 2;
    while index < call.len() {
        let arguments = match lifetime.take(call, index, "PERSIST", Lifetime::Persist) {
            0 => lifetime.take_time(call, index),
            arguments => arguments,
        };
        if arguments == 0 {
            return Err(Error::SYNTAX);
        }
        index += arguments;
    }
    Ok(lifetime)
}
