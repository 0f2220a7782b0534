//! The crate `left-right`: readers never wait, and the one writer executes everything twice. Writers here take turns, and
//! publish before they return, so that whoever comes later sees what they did.

use super::{BuildFailure, Handle, Peer, SharedPeer};
use crate::workloads::Structure;
use left_right::{Absorb, ReadHandle, ReadHandleFactory, WriteHandle};
use std::sync::Mutex;

/// One of the two copies, and what the last operation on it gave.
#[derive(Clone)]
struct Copied<S> {
    data: S,
    answer: Option<u64>,
}

struct Operation<S: Structure>(S::Write);

impl<S: Structure> Absorb<Operation<S>> for Copied<S> {
    fn absorb_first(&mut self, operation: &mut Operation<S>, _: &Self) {
        self.answer = self.data.write(&operation.0);
    }

    fn sync_with(&mut self, first: &Self) {
        *self = first.clone();
    }
}

/// Two copies of the structure.
pub struct LeftRight<S: Structure> {
    writer: Mutex<WriteHandle<Copied<S>, Operation<S>>>,
    readers: ReadHandleFactory<Copied<S>>,
}

/// A thread's access.
pub struct LeftRightHandle<'a, S: Structure> {
    writer: &'a Mutex<WriteHandle<Copied<S>, Operation<S>>>,
    reader: ReadHandle<Copied<S>>,
}

impl<S: Structure> Peer<S> for LeftRight<S> {
    const NAME: &'static str = "left-right";
    type Handle<'a> = LeftRightHandle<'a, S>;

    fn build(data: S) -> Result<Self, BuildFailure> {
        let (mut writer, reader) = left_right::new_from_empty(Copied { data, answer: None });
        // The second copy is made at the first time.
        writer.publish();
        writer.publish();
        Ok(Self { writer: Mutex::new(writer), readers: reader.factory() })
    }

    fn solo(&mut self) -> Result<LeftRightHandle<'_, S>, BuildFailure> {
        self.handle(0)
    }
}

impl<S: Structure> SharedPeer<S> for LeftRight<S> {
    fn handle(&self, _place: usize) -> Result<LeftRightHandle<'_, S>, BuildFailure> {
        Ok(LeftRightHandle { writer: &self.writer, reader: self.readers.handle() })
    }
}

impl<S: Structure> Handle<S> for LeftRightHandle<'_, S> {
    #[inline]
    fn read(&mut self, op: S::Read) -> Option<u64> {
        self.reader.enter().and_then(|copy| copy.data.read(op))
    }

    #[inline]
    fn write(&mut self, op: S::Write) -> Option<u64> {
        let mut writer = self.writer.lock().expect("no holder panics");
        writer.append(Operation(op));
        writer.publish();
        writer.enter().and_then(|copy| copy.answer)
    }
}
