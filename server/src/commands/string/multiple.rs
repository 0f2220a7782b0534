//! Commands on several keys: `MGET`, `MSET`, `MSETNX`.

use super::set::store;
use crate::resp::Reply;
use crate::store::database::Expiry;
use crate::store::{Call, Edit, Error, Value, View};

/// `MGET key [key …]`: an array of bulk strings, with null for each key that holds no string. O(keys).
pub(super) fn mget(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.array(call.len() - 1);
    for key in call.arguments.from(1) {
        match view.entry(key).map(|entry| &entry.value) {
            Some(Value::String(string)) => string.write(reply),
            _ => reply.null(),
        }
    }
    Ok(())
}

/// `MSET key value [key value …]`: `OK`. O(keys).
pub(super) fn mset(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    check_pairs(call, "mset")?;
    store_pairs(edit, call);
    reply.ok();
    Ok(())
}

/// `MSETNX key value [key value …]`: 1 if none of the keys existed, or 0 and nothing is changed. O(keys).
pub(super) fn msetnx(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    check_pairs(call, "msetnx")?;
    let free = !call.arguments.from(1).step_by(2).any(|key| edit.exists(key));
    if free {
        store_pairs(edit, call);
    }
    reply.integer(i64::from(free));
    Ok(())
}

/// Whether each key has its value.
fn check_pairs(call: &Call<'_>, command: &str) -> Result<(), Error> {
    if call.len() % 2 == 1 {
        return Ok(());
    }
    Err(format!("ERR wrong number of arguments for '{command}' command").into())
}

fn store_pairs(edit: &mut Edit<'_>, call: &Call<'_>) {
    for index in (1..call.len()).step_by(2) {
        store(edit, call.argument(index), call.argument(index + 1), Expiry::Clear);
    }
}
