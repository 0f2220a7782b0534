//! The two ends of a list, as commands and events name them.

use crate::store::value::list::End;
use crate::store::{Call, Error};

/// The end that the argument at `index` names: `LEFT` or `RIGHT`.
pub(super) fn parse_end(call: &Call<'_>, index: usize) -> Result<End, Error> {
    if call.is_option(index, "LEFT") {
        Ok(End::Front)
    } else if call.is_option(index, "RIGHT") {
        Ok(End::Back)
    } else {
        Err(Error::SYNTAX)
    }
}

/// The event of an element put at that end.
pub(super) fn push_event(end: End) -> &'static str {
    match end {
        End::Front => "lpush",
        End::Back => "rpush",
    }
}

/// The event of an element taken from that end.
pub(super) fn pop_event(end: End) -> &'static str {
    match end {
        End::Front => "lpop",
        End::Back => "rpop",
    }
}
