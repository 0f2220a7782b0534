//! `WAIT`

use crate::resp::Reply;
use crate::resp::number::parse_integer;
use crate::store::{Call, Edit, Error};

/// `WAIT numreplicas timeout`: 0, the number of other servers that have the client's writes, for no other server follows
/// this one. It is answered at once if none is asked for, and otherwise at the end of the timeout in milliseconds, of which
/// 0 has none. (A write is on the server's own replicas before it is read from any of them.) O(1).
pub(super) fn wait(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const NOT_AN_INTEGER: Error = Error::new("ERR timeout is not an integer or out of range");
    const NEGATIVE: Error = Error::new("ERR timeout is negative");
    let wanted = call.integer(1)?;
    let timeout = parse_integer(call.argument(2)).ok_or(NOT_AN_INTEGER)?;
    if timeout < 0 {
        return Err(NEGATIVE);
    }
    if wanted > 0 && edit.may_wait() {
        edit.wait([], Some(timeout).filter(|timeout| *timeout > 0));
    } else {
        reply.integer(0);
    }
    Ok(())
}
