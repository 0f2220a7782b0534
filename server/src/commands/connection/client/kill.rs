//! `CLIENT KILL`

use super::kind::Kind;
use crate::commands::Context;
use crate::commands::connection::auth::USER;
use crate::commands::state::{ClientRecord, lock};
use crate::resp::Reply;
use crate::store::{Call, Error};

/// `CLIENT KILL address`: `OK`; an error if there is no such connection.
///
/// `CLIENT KILL [ID id] [ADDR address] [LADDR address] [TYPE NORMAL|MASTER|REPLICA|PUBSUB] [USER username] [SKIPME
/// YES|NO]`: the number of connections that are ended: all that fit every option, but for the caller's unless `SKIPME NO`.
///
/// O(connections).
pub(super) fn kill(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let by_address = call.len() == 3;
    let filter = if by_address {
        Filter { peer: Some(call.argument(2)), spares_caller: false, ..Filter::default() }
    } else {
        Filter::parse(call)?
    };
    let caller = context.session.address;
    let mut killed = 0;
    lock(&context.server.clients).retain(|_, record| {
        let is_caller = record.address == caller;
        if !filter.selects(record) || (is_caller && filter.spares_caller) {
            return true;
        }
        killed += 1;
        if is_caller {
            context.session.closing = true;
        } else {
            context.outbox.killed.push(record.address);
        }
        // The others are gone for all who ask from now on, though their workers have yet to be told.
        is_caller
    });
    match (by_address, killed) {
        (false, killed) => reply.integer(killed),
        (true, 0) => return Err(Error::new("ERR No such client")),
        (true, _) => reply.ok(),
    }
    Ok(())
}

/// Which connections to end.
struct Filter<'a> {
    id: Option<u64>,
    peer: Option<&'a [u8]>,
    local: Option<&'a [u8]>,
    kind: Option<Kind>,
    spares_caller: bool,
}

impl Default for Filter<'_> {
    fn default() -> Self {
        Filter { id: None, peer: None, local: None, kind: None, spares_caller: true }
    }
}

impl<'a> Filter<'a> {
    fn parse(call: &Call<'a>) -> Result<Filter<'a>, Error> {
        let mut filter = Filter::default();
        for name in (2..call.len()).step_by(2) {
            let at = name + 1;
            let value = if at < call.len() { call.argument(at) } else { return Err(Error::SYNTAX) };
            if call.is_option(name, "ID") {
                const NOT_POSITIVE: Error = Error::new("ERR client-id should be greater than 0");
                filter.id = Some(call.at_least(at, 1, NOT_POSITIVE)? as u64);
            } else if call.is_option(name, "TYPE") {
                filter.kind = Some(Kind::parse(value)?);
            } else if call.is_option(name, "ADDR") {
                filter.peer = Some(value);
            } else if call.is_option(name, "LADDR") {
                filter.local = Some(value);
            } else if call.is_option(name, "USER") {
                if value != USER {
                    return Err(format!("ERR No such user '{}'", String::from_utf8_lossy(value)).into());
                }
            } else if call.is_option(name, "SKIPME") && call.is_option(at, "YES") {
                filter.spares_caller = true;
            } else if call.is_option(name, "SKIPME") && call.is_option(at, "NO") {
                filter.spares_caller = false;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(filter)
    }

    /// Whether the connection fits all that was asked for, but for whose it is.
    fn selects(&self, record: &ClientRecord) -> bool {
        self.id.is_none_or(|id| id == record.address.client)
            && self.peer.is_none_or(|peer| peer == record.peer.as_bytes())
            && self.local.is_none_or(|local| local == record.local.as_bytes())
            && self.kind.is_none_or(|kind| kind == Kind::of(record))
    }
}
