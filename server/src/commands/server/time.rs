//! `TIME`

use std::time::{SystemTime, UNIX_EPOCH};

use crate::commands::Context;
use crate::resp::Reply;
use crate::store::{Call, Error};

/// `TIME`: an array of two strings, the seconds since 1970 and the microseconds of this second. O(1).
pub(super) fn time(_: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    reply.array(2);
    reply.bulk_integer(now.as_secs() as i64);
    reply.bulk_integer(i64::from(now.subsec_micros()));
    Ok(())
}
