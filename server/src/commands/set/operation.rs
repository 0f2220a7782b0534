//! What `SINTER`, `SUNION`, `SDIFF` and their like have in common.

use crate::config::EventFlags;
use crate::resp::Reply;
use crate::store::database::Expiry;
use crate::store::value::{Set, Value};
use crate::store::{Call, Edit, Error, View};

/// The sets at the keys from the argument at `first` on, in their order; none for a key that does not exist. An error if
/// any key holds another type.
pub(super) fn sets<'a>(view: &View<'a>, call: &Call<'_>, first: usize) -> Result<Vec<Option<&'a Set>>, Error> {
    call.arguments.from(first).map(|key| view.set(key)).collect()
}

/// Answers with the members of a set.
pub(super) fn write(result: &Set, reply: &mut Reply<'_>) {
    reply.set(result.len());
    result.iter().for_each(|member| member.write(reply));
}

/// Gives the key at index 1 the set in the place of whatever it held, and answers with the number of members. The key is
/// removed if there is none.
pub(super) fn store(edit: &mut Edit<'_>, call: &Call<'_>, result: Set, event: &str, reply: &mut Reply<'_>) {
    let key = call.argument(1);
    reply.count(result.len());
    if result.is_empty() {
        edit.delete(key);
    } else {
        edit.insert(key, Value::Set(Box::new(result)), Expiry::Clear);
        edit.notify(EventFlags::SET, event, key);
    }
}
