//! A queue.

use super::{HighWater, Once};
use crate::common::structures::{Front, Queue, QueueWrite};
use crate::common::{Shared, SharedHandle, check};
use crate::program::check::{Check, agree_on_count};
use crate::program::pace::Paced;
use crate::program::rounds::Rounds;
use crate::program::setting::{MAX_BATCH, Setting};
use crossbeam_utils::CachePadded;
use std::sync::atomic::{AtomicU64, Ordering::*};

/// Each thread produces items with the numbers 0, 1, 2 and so on. Each item comes out once. Whoever sees an item, popping it or
/// not, after another of the same producer has come out sees a later one. And the queue is found empty only when it can be.
pub struct Producers;

/// What is known of a producer's items.
struct Items {
    pushed: AtomicU64,
    /// The numbers below have come out.
    out: HighWater,
    each: Once,
}

/// How many items there are at least: what was pushed before somebody looks, but for the pops that have begun until it has looked.
///
/// `pushed` is handed on as a message would be, Release and Acquire; so is the end of the queue's pops, by the queue itself.
#[derive(Default)]
struct Stock {
    /// Items whose push has returned.
    pushed: CachePadded<AtomicU64>,
    /// Pops that have begun, but for those that have found nothing.
    pops: CachePadded<AtomicU64>,
    /// Of all pops.
    attempts: CachePadded<AtomicU64>,
}

/// What the threads share beside the queue.
struct Known {
    items: Vec<Items>,
    stock: Stock,
}

impl Known {
    fn new(producers: usize, most_items: usize) -> Self {
        let new = || Items { pushed: AtomicU64::new(0), out: HighWater::default(), each: Once::new(most_items) };
        Self { items: (0..producers).map(|_| new()).collect(), stock: Stock::default() }
    }

    /// Checks what `look` finds at the front.
    fn check(&self, look: impl FnOnce() -> Option<(usize, usize)>) -> Option<(usize, u64)> {
        let out: Vec<u64> = self.items.iter().map(|items| items.out.get()).collect();
        let pushed = self.stock.pushed.load(Acquire);
        match look() {
            Some((producer, number)) => {
                let out = out[producer];
                check!(
                    number as u64 >= out,
                    "item {number} of {producer} is at the front, after all below {out} came out"
                );
                Some((producer, number as u64))
            }
            None => {
                let pops = self.stock.pops.load(Relaxed);
                check!(pushed <= pops, "nothing there, with {pushed} pushed and {pops} pops begun");
                None
            }
        }
    }

    fn push(&self, handle: &mut impl SharedHandle<Paced<Queue>>, producer: usize, len: usize) {
        let items = &self.items[producer];
        let first = items.pushed.load(Relaxed) as usize;
        let mut pushes = (first..first + len).map(|number| QueueWrite::Push { producer, number });
        match len {
            1 => pushes.next().map(|push| handle.execute_mut(push)).into_iter().for_each(drop),
            _ => drop(handle.execute_mut_batch(pushes)),
        }
        items.pushed.fetch_add(len as u64, Relaxed);
        self.stock.pushed.fetch_add(len as u64, Release);
    }

    /// False if there was nothing.
    fn pop(&self, handle: &mut impl SharedHandle<Paced<Queue>>) -> bool {
        self.stock.attempts.fetch_add(1, Relaxed);
        let popped = self.check(|| {
            self.stock.pops.fetch_add(1, Relaxed);
            let popped = handle.execute_mut(QueueWrite::Pop);
            if popped.is_none() {
                self.stock.pops.fetch_sub(1, Relaxed);
            }
            popped
        });
        if let Some((producer, number)) = popped {
            self.items[producer].each.take(number);
            self.items[producer].out.raise(number + 1);
        }
        popped.is_some()
    }

    /// To be called when all is popped.
    fn settle(&self) {
        for (producer, items) in self.items.iter().enumerate() {
            items.each.settle();
            let (out, pushed) = (items.each.settled(), items.pushed.load(Relaxed));
            check!(out == pushed, "of producer {producer}'s {pushed} items {out} came out");
        }
    }

    fn written(&self) -> u64 {
        self.stock.pushed.load(Relaxed) + self.stock.attempts.load(Relaxed)
    }
}

impl Check for Producers {
    type Data = Queue;

    fn data(_: &Setting) -> Queue {
        Queue::default()
    }

    fn run<S: Shared<Paced<Queue>>>(setting: &Setting, shared: S, rounds: &Rounds<'_>) -> Result<(), String> {
        let known = Known::new(setting.threads, MAX_BATCH * rounds.most_calls());
        rounds.run(|thread| {
            let mut handle = shared.handle(setting.replica_of(thread));
            let mut random = setting.random_of(thread);
            while rounds.begin() {
                for _ in rounds.calls() {
                    if setting.writes(thread, &mut random) {
                        let len = setting.batch(&mut random);
                        known.push(&mut handle, thread, len);
                    } else {
                        match random.below(4) {
                            0 => _ = known.check(|| handle.execute(Front)),
                            1 => _ = known.check(|| handle.read(|paced| paced.look(|it| it.0.front().copied()))),
                            _ => _ = known.pop(&mut handle),
                        }
                    }
                }
                rounds.end(|| {
                    while known.pop(&mut handle) {}
                    known.settle();
                });
            }
        })?;
        agree_on_count(&shared, known.written())
    }
}
