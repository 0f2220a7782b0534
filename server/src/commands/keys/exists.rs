//! `EXISTS`, `TOUCH`

use crate::resp::Reply;
use crate::store::{Call, Error, View};

/// `EXISTS key [key …]`: how many of the keys exist; one that is named twice counts twice. O(keys).
pub(super) fn exists(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(call.arguments.from(1).filter(|key| view.look_up(key).is_some()).count());
    Ok(())
}

/// `TOUCH key [key …]`: as `EXISTS`, and the keys count as used. O(keys).
pub(super) fn touch(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(call.arguments.from(1).filter(|key| view.exists(key)).count());
    Ok(())
}
