//! `KEYS`, `RANDOMKEY`

use crate::resp::{Reply, pattern};
use crate::store::{Call, Error, View};

/// `KEYS pattern`: an array of the names that match, in no particular order. O(n) for n keys of the database.
pub(super) fn keys(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let wanted = call.argument(1);
    let all = pattern::matches_all(wanted);
    let mark = reply.mark();
    let mut count = 0;
    let selects = |key: &[u8]| all || pattern::matches(wanted, key, false);
    for entry in view.database().table().iter().filter(|entry| selects(entry.key()) && view.is_live(entry)) {
        reply.bulk(entry.key());
        count += 1;
    }
    reply.array_at(mark, count);
    Ok(())
}

/// `RANDOMKEY`: the name of a key, each with the same probability, or null if there is none. O(1), unless most keys have
/// expired and were not removed yet.
pub(super) fn randomkey(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const DRAWS: usize = 100;
    let database = view.database();
    let mut random = call.generator();
    let drawn = (0..DRAWS).map_while(|_| database.table().random(&mut random)).find(|entry| view.is_live(entry));
    let found = drawn.or_else(|| database.table().iter().find(|entry| view.is_live(entry)));
    reply.bulk_or_null(found.map(|entry| entry.key().as_slice()));
    Ok(())
}
