//! `crossbeam-skiplist`: a lock-free ordered map, which also makes a lock-free priority queue.

use super::{BuildFailure, Handle, Peer, SharedPeer};
use crate::workloads::{BTree, Heap, HeapWrite, Map, Put, Scan, sum_of_some};
use std::sync::atomic::{AtomicU64, Ordering};

/// The ordered map. An entry is replaced by another and not changed, so it can't tell what was there before.
#[derive(Debug)]
pub struct SkipMap(crossbeam_skiplist::SkipMap<u64, u64>);

macro_rules! skip_map {
    ($structure:ty) => {
        impl Peer<$structure> for SkipMap {
            const NAME: &'static str = "crossbeam-skipmap";
            type Handle<'a> = &'a Self;

            fn build(data: $structure) -> Result<Self, BuildFailure> {
                Ok(Self(data.0.into_iter().collect()))
            }

            fn solo(&mut self) -> Result<&Self, BuildFailure> {
                Ok(self)
            }
        }

        impl SharedPeer<$structure> for SkipMap {
            fn handle(&self, _place: usize) -> Result<&Self, BuildFailure> {
                Ok(self)
            }
        }
    };
}

skip_map!(Map);
skip_map!(BTree);

impl Handle<Map> for &SkipMap {
    #[inline]
    fn read(&mut self, key: u64) -> Option<u64> {
        self.0.get(&key).map(|entry| *entry.value())
    }

    #[inline]
    fn write(&mut self, put: Put) -> Option<u64> {
        Some(*self.0.insert(put.key, put.value).value())
    }
}

impl Handle<BTree> for &SkipMap {
    #[inline]
    fn read(&mut self, Scan(key): Scan) -> Option<u64> {
        sum_of_some(self.0.range(key..).map(|entry| *entry.value()))
    }

    #[inline]
    fn write(&mut self, put: Put) -> Option<u64> {
        Some(*self.0.insert(put.key, put.value).value())
    }
}

/// A set of values, each with a number of its own, since equal ones may be pushed.
#[derive(Debug)]
pub struct SkipQueue {
    values: crossbeam_skiplist::SkipSet<(u64, u64)>,
    pushed: AtomicU64,
}

/// Numbers that a thread gives out before it needs more.
const NUMBERS: u64 = 1 << 20;

/// A thread's access.
#[derive(Debug)]
pub struct SkipQueueHandle<'a> {
    queue: &'a SkipQueue,
    number: u64,
}

impl Peer<Heap> for SkipQueue {
    const NAME: &'static str = "crossbeam-skipset";
    type Handle<'a> = SkipQueueHandle<'a>;

    fn build(data: Heap) -> Result<Self, BuildFailure> {
        let values = data.0.into_iter().zip(0..).collect();
        Ok(Self { values, pushed: AtomicU64::new(1 << 32) })
    }

    fn solo(&mut self) -> Result<SkipQueueHandle<'_>, BuildFailure> {
        self.handle(0)
    }
}

impl SharedPeer<Heap> for SkipQueue {
    fn handle(&self, _place: usize) -> Result<SkipQueueHandle<'_>, BuildFailure> {
        Ok(SkipQueueHandle { queue: self, number: self.pushed.fetch_add(NUMBERS, Ordering::Relaxed) })
    }
}

impl Handle<Heap> for SkipQueueHandle<'_> {
    #[inline]
    fn read(&mut self, (): ()) -> Option<u64> {
        self.queue.values.back().map(|entry| entry.value().0)
    }

    #[inline]
    fn write(&mut self, op: HeapWrite) -> Option<u64> {
        match op {
            HeapWrite::Push(value) => {
                self.number += 1;
                if self.number.is_multiple_of(NUMBERS) {
                    self.number = self.queue.pushed.fetch_add(NUMBERS, Ordering::Relaxed) + 1;
                }
                self.queue.values.insert((value, self.number));
                None
            }
            HeapWrite::Pop => self.queue.values.pop_back().map(|entry| entry.value().0),
        }
    }
}
