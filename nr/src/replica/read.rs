//! Reading: on the local replica, as soon as it has applied everything that was complete when the read began.

use crate::dispatch::Dispatch;
use crate::log::Log;
use crate::replica::{Caller, ReaderCell, Refusal, Refused, Replica, ReplicaSet};
use crate::sync::Backoff;

impl<D: Dispatch> ReplicaSet<D> {
    /// Runs `f` on `replica`, as a reader through `cell`, on a state that has every operation whose caller had its answer
    /// before the call. The read takes effect at some moment between the call and the return of `f`.
    ///
    /// # Safety
    /// `cell` is one of the replica's, and was assigned before.
    #[inline]
    pub(crate) unsafe fn read<T, R>(
        &self,
        replica: &Replica<D>,
        cell: &ReaderCell,
        caller: Caller,
        input: T,
        f: impl FnOnce(&D, T) -> R,
    ) -> Result<R, Refused<T>> {
        if let Some(log) = self.log.get() {
            if log.lacks(replica.index) && !self.catch_up_as_reader(log, replica, caller) {
                return Err(Refused { reason: Refusal::Removed, returned: input });
            }
        }
        let read = |data: &D, input| match self.poison.is_set() {
            true => Err(Refused { reason: Refusal::Poisoned, returned: input }),
            false => Ok(f(data, input)),
        };
        // SAFETY: by the caller.
        let read = unsafe { replica.lock.read(cell, input, read) };
        read.unwrap_or_else(|returned| Err(Refused { reason: Refusal::Removed, returned }))
    }

    /// Makes sure that `replica` has what is complete now. False if it is not there.
    ///
    /// Every answer is given after `completed` has passed its operation, so what we load here is past every operation
    /// whose caller told anybody whom we may have heard it from. And no local reader can have seen more than that: replay
    /// raises `completed` before it lets readers in, so whoever reads after such a reader, anywhere, loads as much.
    #[cold]
    fn catch_up_as_reader(&self, log: &Log<D::WriteOperation>, replica: &Replica<D>, caller: Caller) -> bool {
        let completed = log.completed();
        // Whoever combines is likely to replay that anyway: to watch costs it less than to be asked.
        let backoff = Backoff::new();
        while is_to_watch(replica, &backoff) {
            backoff.snooze();
            if !log.lacks_before(replica.index, completed) {
                return true;
            }
        }
        self.catch_up(replica, caller);
        // Looks again: see the module `membership`. Weakened, the model `an_old_handle_meets_a_newcomer` reads too early.
        !log.lacks_before(replica.index, completed)
    }
}

/// Whether a reader that has waited so far leaves it to others to bring the replica up to date.
fn is_to_watch<D: Dispatch>(replica: &Replica<D>, backoff: &Backoff) -> bool {
    !(backoff.is_long() || backoff.is_due() && replica.queue.is_unattended())
}

#[cfg(all(test, not(loom), not(feature = "shuttle")))]
mod tests;
