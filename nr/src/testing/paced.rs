//! A structure that takes its time now and then, so that calls meet on few processors too.

use std::thread;
use std::time::Duration;

use crate::dispatch::Dispatch;

/// Does what `D` does, sometimes after a short sleep, under the replica's lock.
pub(super) struct Paced<D>(pub(super) D);

/// One in so many calls sleeps.
const SLEEPS: u8 = 4;
const LONGEST_SLEEP: Duration = Duration::from_micros(50);

impl<D> Paced<D> {
    pub(super) fn read<R>(&self, look: impl FnOnce(&D) -> R) -> R {
        pause();
        look(&self.0)
    }
}

/// Which thread sleeps when changes no answer, so it need not be seeded.
fn pause() {
    if fastrand::u8(0..SLEEPS) == 0 {
        thread::sleep(LONGEST_SLEEP.mul_f32(fastrand::f32()));
    }
}

impl<D: Dispatch> Dispatch for Paced<D> {
    type ReadOperation<'a> = D::ReadOperation<'a>;
    type WriteOperation = D::WriteOperation;
    type Response = D::Response;

    fn dispatch(&self, operation: D::ReadOperation<'_>) -> D::Response {
        self.read(|data| data.dispatch(operation))
    }

    fn dispatch_mut(&mut self, operation: &D::WriteOperation) -> D::Response {
        pause();
        self.0.dispatch_mut(operation)
    }

    fn prefetch(&self, operation: &D::WriteOperation) {
        self.0.prefetch(operation);
    }
}
