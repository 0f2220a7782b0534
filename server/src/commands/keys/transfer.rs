//! `MOVE`

use super::{SAME_OBJECT, database_argument};
use crate::config::EventFlags;
use crate::resp::Reply;
use crate::store::{Call, Edit, Error};

/// `MOVE key database`: 1, or 0 if there is no such key or the other database has one of that name. O(1).
pub(super) fn transfer(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    let database = database_argument(call, 2, edit.databases())?;
    if database == call.database {
        return Err(SAME_OBJECT);
    }
    let moves = edit.exists(key) && !edit.with_database(database, |edit| edit.exists(key));
    if moves && let Some(entry) = edit.take(key) {
        edit.with_database(database, |edit| edit.place(*entry));
        edit.notify(EventFlags::GENERIC, "move_from", key);
        edit.with_database(database, |edit| edit.notify(EventFlags::GENERIC, "move_to", key));
    }
    reply.integer(i64::from(moves));
    Ok(())
}
