//! Kinds of clients, by which `CLIENT LIST` and `CLIENT KILL` choose.

use std::sync::atomic::Ordering;

use crate::commands::state::ClientRecord;
use crate::store::Error;

/// A kind of client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It listens to nothing.
    Normal,
    /// It listens to a channel or a pattern.
    Subscriber,
    /// It is a server that copies this one, or that this one copies: there is none.
    Replication,
}

impl Kind {
    /// The kind that a `TYPE` option names.
    pub(super) fn parse(name: &[u8]) -> Result<Kind, Error> {
        match name.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(Kind::Normal),
            b"pubsub" => Ok(Kind::Subscriber),
            b"replica" | b"slave" | b"master" => Ok(Kind::Replication),
            _ => Err(format!("ERR Unknown client type '{}'", String::from_utf8_lossy(name)).into()),
        }
    }

    /// The kind of a client.
    pub(super) fn of(record: &ClientRecord) -> Kind {
        // Relaxed: each is recent enough by itself.
        let listens = [&record.channels, &record.patterns, &record.shards]
            .into_iter()
            .any(|count| count.load(Ordering::Relaxed) > 0);
        if listens { Kind::Subscriber } else { Kind::Normal }
    }
}
