//! `COPY`

use super::{SAME_OBJECT, database_argument};
use crate::config::EventFlags;
use crate::resp::Reply;
use crate::store::{Call, Edit, Error};

/// `COPY source destination [DB database] [REPLACE]`: 1, or 0 if there is no such key, or the destination exists and is
/// not to be replaced. The copy expires when the original does. O(1) for strings, O(n) for n elements of a collection.
pub(super) fn copy(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (source, destination) = (call.argument(1), call.argument(2));
    let mut database = call.database;
    let mut replace = false;
    let mut index = 3;
    while index < call.len() {
        if call.is_option(index, "REPLACE") {
            replace = true;
        } else if call.is_option(index, "DB") && index + 1 < call.len() {
            index += 1;
            database = database_argument(call, index, edit.databases())?;
        } else {
            return Err(Error::SYNTAX);
        }
        index += 1;
    }
    if database == call.database && source == destination {
        return Err(SAME_OBJECT);
    }

    let copied = edit.exists(source) && (!edit.with_database(database, |edit| edit.exists(destination)) || replace);
    if copied && let Some(entry) = edit.entry(source) {
        let copy = entry.clone().with_key(destination);
        edit.with_database(database, |edit| {
            edit.place(copy);
            edit.notify(EventFlags::GENERIC, "copy_to", destination);
        });
    }
    reply.integer(i64::from(copied));
    Ok(())
}
