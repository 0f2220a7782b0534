//! Single fields: `HGET`, `HMGET`, `HEXISTS`, `HLEN`, `HSTRLEN`.

use crate::resp::Reply;
use crate::store::value::Hash;
use crate::store::{Call, Error, View};

/// `HGET key field`: a bulk string, or null if there is no such field. O(1).
pub(super) fn hget(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.bulk_or_null(value(view, call)?);
    Ok(())
}

/// `HMGET key field [field …]`: an array of bulk strings, with null for each field that isn't there. O(fields).
pub(super) fn hmget(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let hash = view.hash(call.argument(1))?;
    reply.array(call.len() - 2);
    for field in call.arguments.from(2) {
        reply.bulk_or_null(hash.and_then(|hash| hash.get(field)));
    }
    Ok(())
}

/// `HEXISTS key field`: 1 if there is such a field, or 0. O(1).
pub(super) fn hexists(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.integer(i64::from(value(view, call)?.is_some()));
    Ok(())
}

/// `HSTRLEN key field`: the length of the value, 0 if there is no such field. O(1).
pub(super) fn hstrlen(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(value(view, call)?.map_or(0, <[u8]>::len));
    Ok(())
}

/// `HLEN key`: the number of fields, 0 if there is no such key. O(1).
pub(super) fn hlen(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(view.hash(call.argument(1))?.map_or(0, Hash::len));
    Ok(())
}

/// The value of the field that a call names behind the key.
fn value<'a>(view: &View<'a>, call: &Call<'_>) -> Result<Option<&'a [u8]>, Error> {
    Ok(view.hash(call.argument(1))?.and_then(|hash| hash.get(call.argument(2))))
}
