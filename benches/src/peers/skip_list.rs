//! `crossbeam-skiplist`: a lock-free ordered map, which also makes a lock-free priority queue.

use super::{BuildFailure, Handle, Peer, SharedPeer};
use crate::workloads::{BTree, Heap, Map, PushPop, Put, Scan, sum_of_some};
use std::sync::atomic::{AtomicU64, Ordering};

/// The ordered map. An entry is replaced by another and not changed, so it can't tell what was there before.
#[derive(Debug)]
pub struct SkipMap(crossbeam_skiplist::SkipMap<u64, u64>);

by_reference!(SkipMap, Map, "crossbeam-skipmap", |data| Ok(Self(data.0.into_iter().collect())));
by_reference!(SkipMap, BTree, "crossbeam-skipmap", |data| Ok(Self(data.0.into_iter().collect())));

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
        // Relaxed, here and below: the numbers have to be different, no more.
        Ok(SkipQueueHandle { queue: self, number: self.pushed.fetch_add(NUMBERS, Ordering::Relaxed) })
    }
}

impl Handle<Heap> for SkipQueueHandle<'_> {
    #[inline]
    fn read(&mut self, (): ()) -> Option<u64> {
        self.queue.values.back().map(|entry| entry.value().0)
    }

    #[inline]
    fn write(&mut self, op: PushPop) -> Option<u64> {
        match op {
            PushPop::Push(value) => {
                self.number += 1;
                if self.number.is_multiple_of(NUMBERS) {
                    self.number = self.queue.pushed.fetch_add(NUMBERS, Ordering::Relaxed) + 1;
                }
                self.queue.values.insert((value, self.number));
                None
            }
            PushPop::Pop => self.queue.values.pop_back().map(|entry| entry.value().0),
        }
    }
}
