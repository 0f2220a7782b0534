//! What a check is, and the list of them.

use crate::common::{Elastic, Shared};
use crate::program::pace::Paced;
use crate::program::rounds::Rounds;
use crate::program::setting::Setting;
use crate::program::special::{Accounts, FetchAdd, Producers, Registers};
use crate::program::structures::{Counter, Map, PriorityQueue, Queue, Stack};
use crate::program::tally::{Limit, Tally};
use crate::program::windows::Windows;
use nr::{Dispatch, NodeReplicated};
use std::time::Instant;

/// Something that a concurrent structure made of `Data` has to satisfy.
///
/// It is written for whatever is [`Shared`], so that it can be seen to find nothing in a mutex, and something in what is broken.
pub trait Check {
    type Data: Dispatch<WriteOperation: 'static> + Clone + Send + Sync + 'static;

    fn data(setting: &Setting) -> Self::Data;
    /// Runs until the rounds are over, or there is a violation.
    fn run<S: Shared<Paced<Self::Data>>>(setting: &Setting, shared: S, rounds: &Rounds<'_>) -> Result<(), String>;
}

/// A check by its name.
pub struct Entry {
    pub name: &'static str,
    pub about: &'static str,
    run: fn(&Setting, &Rounds<'_>) -> Result<(), String>,
}

const SMALL: bool = false;
const WIDE: bool = true;

pub static CHECKS: [Entry; 14] = [
    entry::<Windows<Map, SMALL>>("map", "small windows on a map, decided by stateright"),
    entry::<Windows<Queue, SMALL>>("queue", "the same on a queue"),
    entry::<Windows<Stack, SMALL>>("stack", "the same on a stack"),
    entry::<Windows<PriorityQueue, SMALL>>("priority-queue", "the same on a priority queue"),
    entry::<Windows<Counter, SMALL>>("counter", "the same on a counter with compare-and-swap"),
    entry::<Windows<Map, WIDE>>("wide-map", "windows of up to 48 calls on a map, decided by our own search"),
    entry::<Windows<Queue, WIDE>>("wide-queue", "the same on a queue"),
    entry::<Windows<Stack, WIDE>>("wide-stack", "the same on a stack"),
    entry::<Windows<PriorityQueue, WIDE>>("wide-priority-queue", "the same on a priority queue"),
    entry::<Windows<Counter, WIDE>>("wide-counter", "the same on a counter"),
    entry::<FetchAdd>("fetch-add", "answers are dense, and nobody sees less than what anybody has seen before"),
    entry::<Registers>(
        "registers",
        "each write takes effect once, in its thread's order, and is seen from its answer on",
    ),
    entry::<Producers>("fifo", "each item comes out once, and those of a producer in order"),
    entry::<Accounts>("transfers", "no read sees a part of a batch, nor the middle of an operation"),
];

const fn entry<C: Check>(name: &'static str, about: &'static str) -> Entry {
    Entry { name, about, run: on_nr::<C> }
}

fn on_nr<C: Check>(setting: &Setting, rounds: &Rounds<'_>) -> Result<(), String> {
    match setting.elastic {
        true => on::<C, Elastic<Paced<C::Data>>>(setting, rounds),
        false => on::<C, NodeReplicated<Paced<C::Data>>>(setting, rounds),
    }
}

/// Runs a check on a structure made for it.
pub fn on<C: Check, S: Shared<Paced<C::Data>>>(setting: &Setting, rounds: &Rounds<'_>) -> Result<(), String> {
    let make = |replica| Paced::new(C::data(setting), setting.pace, replica);
    C::run(setting, S::make(&setting.configuration, make), rounds)
}

impl Entry {
    /// Runs it up to the limit. A violation goes to the tally, with the setting; and is handed back.
    pub fn run(&self, setting: &Setting, tally: &Tally, limit: &Limit<'_>) -> Result<(), String> {
        let start = Instant::now();
        let ended = (self.run)(setting, &Rounds::new(setting.threads, tally, limit));
        tally.add_time(start.elapsed());
        ended.map_err(|what| {
            let violation = format!("{}, with {setting}:\n{what}", self.name);
            tally.add_violation(violation.clone());
            violation
        })
    }
}

/// Whether the structure has executed as many writes as were made.
pub fn agree_on_count<D: Dispatch>(shared: &impl Shared<D>, written: u64) -> Result<(), String> {
    match shared.counted() {
        Some(counted) if counted != written => Err(format!("{written} writes were made, {counted} executed")),
        _ => Ok(()),
    }
}
