//! `TTL`, `PTTL`, `EXPIRETIME`, `PEXPIRETIME`

use crate::resp::Reply;
use crate::store::{Call, Error, View};

/// `TTL key`: in how many seconds the key expires, rounded; -1 if it doesn't, -2 if there is no such key. O(1).
pub(super) fn ttl(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    expiry(view, call, reply, |expiry| rounded_seconds(expiry - call.now))
}

/// `PTTL key`: in how many milliseconds the key expires; -1 and -2 as `TTL`. O(1).
pub(super) fn pttl(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    expiry(view, call, reply, |expiry| expiry - call.now)
}

/// `EXPIRETIME key`: when the key expires in seconds since 1970, rounded; -1 and -2 as `TTL`. O(1).
pub(super) fn expiretime(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    expiry(view, call, reply, rounded_seconds)
}

/// `PEXPIRETIME key`: when the key expires in milliseconds since 1970; -1 and -2 as `TTL`. O(1).
pub(super) fn pexpiretime(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    expiry(view, call, reply, |expiry| expiry)
}

/// Answers with what `shown` makes of the expiry, which is later than the call.
fn expiry(
    view: &View<'_>,
    call: &Call<'_>,
    reply: &mut Reply<'_>,
    shown: impl FnOnce(i64) -> i64,
) -> Result<(), Error> {
    reply.integer(match view.look_up(call.argument(1)) {
        None => -2,
        Some(entry) => entry.expiry().map_or(-1, shown),
    });
    Ok(())
}

fn rounded_seconds(milliseconds: i64) -> i64 {
    milliseconds / 1000 + i64::from(milliseconds % 1000 >= 500)
}
