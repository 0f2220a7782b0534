//! `DBSIZE`, `FLUSHALL`, `FLUSHDB`, `SWAPDB`

use super::database_index;
use crate::resp::Reply;
use crate::store::{Call, Edit, Error, View};

/// `DBSIZE`: how many keys the database has, with those that have expired and were not removed yet. O(1).
pub(super) fn dbsize(view: &View<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(view.database().len());
    Ok(())
}

/// `FLUSHALL [ASYNC | SYNC]`: `OK`. O(databases); the keys are freed by another thread in either way.
pub(super) fn flushall(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    check_flush_options(call)?;
    for index in 0..edit.databases() {
        edit.flush_database(index);
    }
    reply.ok();
    Ok(())
}

/// `FLUSHDB [ASYNC | SYNC]`: `OK`. O(1); the keys are freed by another thread in either way.
pub(super) fn flushdb(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    check_flush_options(call)?;
    edit.flush_database(call.database);
    reply.ok();
    Ok(())
}

fn check_flush_options(call: &Call<'_>) -> Result<(), Error> {
    match call.len() {
        1 => Ok(()),
        2 if call.is_option(1, "ASYNC") || call.is_option(1, "SYNC") => Ok(()),
        _ => Err(Error::SYNTAX),
    }
}

/// `SWAPDB first second`: `OK`; clients of either database see the other's keys from now on. O(keys that clients watch or
/// wait for).
pub(super) fn swapdb(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let number = |index, error| call.integer(index).ok().and_then(|number| i32::try_from(number).ok()).ok_or(error);
    let first = number(1, Error::new("ERR invalid first DB index"))?;
    let second = number(2, Error::new("ERR invalid second DB index"))?;
    let databases = edit.databases();
    edit.swap_databases(database_index(first, databases)?, database_index(second, databases)?);
    reply.ok();
    Ok(())
}
