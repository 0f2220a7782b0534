//! `ROLE`

use crate::commands::Context;
use crate::resp::Reply;
use crate::store::{Call, Error};

/// `ROLE`: an array of `master`, the place in the stream of replication, which is 0, and the replicas, of which there are
/// none: no other server follows this one. O(1).
pub(super) fn role(_: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.array(3);
    reply.bulk(b"master");
    reply.integer(0);
    reply.array(0);
    Ok(())
}
