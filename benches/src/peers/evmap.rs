//! `evmap`: the hash map built on `left-right`. Writers take turns and publish before they return.

use super::{BuildFailure, Handle, Peer, SharedPeer};
use crate::workloads::{Map, Put};
use std::hash::RandomState;
use std::sync::Mutex;

type Writer = ::evmap::handles::WriteHandle<u64, u64, (), RandomState>;
type Reader = ::evmap::handles::ReadHandle<u64, u64, (), RandomState>;

/// The map.
pub struct EvMap {
    writer: Mutex<Writer>,
    /// To be cloned.
    reader: Mutex<Reader>,
}

/// A thread's access.
pub struct EvMapHandle<'a> {
    writer: &'a Mutex<Writer>,
    reader: Reader,
}

impl Peer<Map> for EvMap {
    const NAME: &'static str = "evmap";
    type Handle<'a> = EvMapHandle<'a>;

    fn build(data: Map) -> Result<Self, BuildFailure> {
        // SAFETY: keys and values are numbers: equal ones hash and compare alike, and have no shared insides.
        let (mut writer, reader) = unsafe { ::evmap::Options::default().assert_stable() };
        writer.extend(data.0);
        // Twice: each copy takes the entries in when it is the one that is not read.
        writer.publish();
        writer.publish();
        Ok(Self { writer: Mutex::new(writer), reader: Mutex::new(reader) })
    }

    fn solo(&mut self) -> Result<EvMapHandle<'_>, BuildFailure> {
        self.handle(0)
    }
}

impl SharedPeer<Map> for EvMap {
    fn handle(&self, _place: usize) -> Result<EvMapHandle<'_>, BuildFailure> {
        Ok(EvMapHandle { writer: &self.writer, reader: self.reader.lock().expect("no holder panics").clone() })
    }
}

impl Handle<Map> for EvMapHandle<'_> {
    #[inline]
    fn read(&mut self, key: u64) -> Option<u64> {
        self.reader.get_one(&key).map(|value| *value)
    }

    #[inline]
    fn write(&mut self, put: Put) -> Option<u64> {
        let mut writer = self.writer.lock().expect("no holder panics");
        let before = self.reader.get_one(&put.key).map(|value| *value);
        writer.update(put.key, put.value);
        writer.publish();
        before
    }
}
