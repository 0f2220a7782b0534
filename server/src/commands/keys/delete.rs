//! `DEL`, `UNLINK`

use crate::resp::Reply;
use crate::store::{Call, Edit, Error};

/// `DEL key [key …]`: how many of the keys existed. O(keys); large collections are freed by another thread.
pub(super) fn delete(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let deleted = call.arguments.from(1).filter(|key| edit.delete(key)).count();
    reply.count(deleted);
    Ok(())
}

/// `UNLINK key [key …]`: as `DEL`, which lets other threads free large values too. O(keys).
pub(super) fn unlink(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    delete(edit, call, reply)
}
