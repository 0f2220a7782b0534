//! `LMOVE`, `RPOPLPUSH`, `BLMOVE`, `BRPOPLPUSH`

use super::end::{parse_end, pop_event, push_event};
use super::pop::first_list;
use super::removed;
use crate::config::EventFlags;
use crate::resp::Reply;
use crate::store::value::list::End;
use crate::store::{Call, Edit, Error, SmallBytes};

/// `LMOVE source destination LEFT | RIGHT LEFT | RIGHT`: takes an element from one end of the source, puts it at one end
/// of the destination, which may be the source, and answers with it; null if there is no source. O(1).
pub(super) fn lmove(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    Transfer::between_ends(call)?.execute_or_null(edit, reply)
}

/// `RPOPLPUSH source destination`: as `LMOVE source destination RIGHT LEFT`. O(1).
pub(super) fn rpoplpush(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    Transfer::from_last_to_first(call).execute_or_null(edit, reply)
}

/// `BLMOVE source destination LEFT | RIGHT LEFT | RIGHT timeout`: as `LMOVE`, but if there is no source it waits, for so
/// many seconds or for ever if that is 0, and answers null if the time is over. O(1).
pub(super) fn blmove(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    Transfer::between_ends(call)?.execute_or_wait(edit, call.timeout(5)?, reply)
}

/// `BRPOPLPUSH source destination timeout`: as `BLMOVE source destination RIGHT LEFT timeout`. O(1).
pub(super) fn brpoplpush(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    Transfer::from_last_to_first(call).execute_or_wait(edit, call.timeout(3)?, reply)
}

/// Which element goes where.
struct Transfer<'a> {
    source: &'a [u8],
    destination: &'a [u8],
    from: End,
    to: End,
}

impl<'a> Transfer<'a> {
    fn between_ends(call: &Call<'a>) -> Result<Self, Error> {
        let (from, to) = (parse_end(call, 3)?, parse_end(call, 4)?);
        Ok(Transfer { source: call.argument(1), destination: call.argument(2), from, to })
    }

    fn from_last_to_first(call: &Call<'a>) -> Self {
        Transfer { source: call.argument(1), destination: call.argument(2), from: End::Back, to: End::Front }
    }

    fn execute_or_null(&self, edit: &mut Edit<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        if !self.execute(edit, reply)? {
            reply.null();
        }
        Ok(())
    }

    fn execute_or_wait(&self, edit: &mut Edit<'_>, timeout: Option<i64>, reply: &mut Reply<'_>) -> Result<(), Error> {
        if first_list(edit, [self.source].into_iter())?.is_some() {
            self.execute(edit, reply)?;
        } else if edit.may_wait() {
            edit.wait([self.source], timeout);
        } else {
            reply.null();
        }
        Ok(())
    }

    /// False if there is no source.
    fn execute(&self, edit: &mut Edit<'_>, reply: &mut Reply<'_>) -> Result<bool, Error> {
        let Some(element) = edit.list(self.source)?.and_then(|list| list.peek(self.from)) else { return Ok(false) };
        let element = SmallBytes::new(element.payload());
        // If both are one list, whose end gets the element first, it still loses the one that was there before or, at
        // the same end, this one: either way what `LMOVE` means.
        edit.list_or_create(self.destination)?.push(self.to, &element);
        edit.modified(self.destination);
        edit.notify(EventFlags::LIST, push_event(self.to), self.destination);
        reply.bulk(&element);
        if let Some(source) = edit.list(self.source)? {
            source.remove(self.from, 1);
        }
        removed(edit, self.source, pop_event(self.from), 1);
        Ok(true)
    }
}
