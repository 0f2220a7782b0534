//! Reading: on the local replica, as soon as it has applied everything that was complete when the read began.

use crate::dispatch::Dispatch;
use crate::error::ExecuteError;
use crate::log::Log;
use crate::replica::{ReaderCell, Replica, ReplicaSet};

impl<D: Dispatch> ReplicaSet<D> {
    /// Runs `f` on `replica`, as a reader through `cell`, on a state that has every operation whose caller had its answer
    /// before the call. The read takes effect at some moment between the call and the return of `f`.
    ///
    /// # Safety
    /// `cell` is one of the replica's.
    #[inline]
    pub(crate) unsafe fn read<T, R>(
        &self,
        replica: &Replica<D>,
        cell: &ReaderCell,
        input: T,
        f: impl FnOnce(&D, T) -> R,
    ) -> Result<R, ExecuteError<T>> {
        if let Some(log) = &self.log {
            self.freshen(log, replica);
        }
        let read = |data: &D| match self.poison.is_set() {
            true => Err(ExecuteError::Poisoned { returned: input }),
            false => Ok(f(data, input)),
        };
        // SAFETY: by the caller.
        unsafe { replica.lock.read(cell, read) }
    }

    /// Makes sure that `replica` has what is complete now.
    ///
    /// Every answer is given after `completed` has passed its operation, so what we load here is past every operation
    /// whose caller told anybody whom we may have heard it from. And no local reader can have seen more than that: replay
    /// raises `completed` before it lets readers in, so whoever reads after such a reader, anywhere, loads as much.
    #[inline]
    fn freshen(&self, log: &Log<D::WriteOperation>, replica: &Replica<D>) {
        if log.applied(replica.index) < log.completed() {
            self.catch_up_cold(replica);
        }
    }

    #[cold]
    fn catch_up_cold(&self, replica: &Replica<D>) {
        self.catch_up(replica);
    }
}
