//! `RENAME`, `RENAMENX`

use crate::config::EventFlags;
use crate::resp::Reply;
use crate::store::{Call, Edit, Error};

/// `RENAME key name`: `OK`, or an error if there is no such key. What was at `name` is removed. O(1); a large value is
/// freed by another thread.
pub(super) fn rename(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, name) = (call.argument(1), call.argument(2));
    if !edit.exists(key) {
        return Err(Error::NO_SUCH_KEY);
    }
    if key != name {
        change_name(edit, key, name);
    }
    reply.ok();
    Ok(())
}

/// `RENAMENX key name`: 1, 0 if `name` exists, or an error if there is no such key. O(1).
pub(super) fn renamenx(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, name) = (call.argument(1), call.argument(2));
    if !edit.exists(key) {
        return Err(Error::NO_SUCH_KEY);
    }
    let free = !edit.exists(name);
    if free {
        change_name(edit, key, name);
    }
    reply.integer(i64::from(free));
    Ok(())
}

fn change_name(edit: &mut Edit<'_>, key: &[u8], name: &[u8]) {
    let Some(entry) = edit.take(key) else { return };
    edit.place(entry.with_key(name));
    edit.notify(EventFlags::GENERIC, "rename_from", key);
    edit.notify(EventFlags::GENERIC, "rename_to", name);
}
