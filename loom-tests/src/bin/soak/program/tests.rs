//! A short run of everything; and that the checks find what is planted.

use super::check::{CHECKS, Check, on};
use super::faults::*;
use super::pace::{Pace, Paced};
use super::rounds::Rounds;
use super::setting::{Mix, Setting};
use super::special::{Accounts, FetchAdd, Producers, Registers};
use super::structures::{Counter, Map, PriorityQueue, Queue, Stack};
use super::tally::{Limit, Tally};
use super::windows::Windows;
use crate::common::{Configuration, Random, Watchdog, scaled};
use std::sync::atomic::AtomicBool;

fn after(rounds: usize, stop: &AtomicBool) -> Limit<'_> {
    Limit { deadline: None, rounds: Some(rounds), calls: 64, stop }
}

/// As the program does, for a few rounds in each of some settings.
#[test]
fn a_short_run_finds_nothing() {
    let mut random = Random::new(1);
    let stop = AtomicBool::new(false);
    for check in &CHECKS {
        for _ in 0..scaled(3) {
            let setting = Setting::random(&mut random, None);
            let _watchdog = Watchdog::new(&format!("{}, {setting}", check.name));
            check.run(&setting, &Tally::default(), &after(8, &stop)).unwrap();
        }
    }
}

/// What a check says of a structure that is wrong; up to a generous limit.
fn verdict<C: Check, F: Fault>(rounds: usize) -> Result<(), String> {
    let setting = Setting {
        configuration: Configuration::new(2, Some(4)),
        elastic: false,
        pace: Pace::Yields,
        threads: 8,
        mix: Mix::Half,
        crowded: false,
        seed: 1,
    };
    let (tally, stop) = (Tally::default(), AtomicBool::new(false));
    on::<C, Faulty<Paced<C::Data>, F>>(&setting, &Rounds::new(setting.threads, &tally, &after(rounds, &stop)))
}

macro_rules! finds {
    ($($name:ident: $check:ty => $($fault:ident),+;)+) => {$(
        #[test]
        fn $name() {
            verdict::<$check, NoFault>(20).unwrap();
            $(
                let said = verdict::<$check, $fault>(10_000);
                assert!(said.is_err(), "{} are not found", stringify!($fault));
            )+
        }
    )+};
}

macro_rules! finds_all {
    ($($name:ident: $check:ty;)+) => {
        finds! {$(
            $name: $check
                => StaleReads, LostWrites, EarlyAnswers, DoubledWrites, WrongAnswers, TornBatches, ReversedBatches;
        )+}
    };
}

const SMALL: bool = false;
const WIDE: bool = true;

finds_all! {
    windows_on_a_map: Windows<Map, SMALL>;
    windows_on_a_queue: Windows<Queue, SMALL>;
    windows_on_a_stack: Windows<Stack, SMALL>;
    windows_on_a_priority_queue: Windows<PriorityQueue, SMALL>;
    windows_on_a_counter: Windows<Counter, SMALL>;
    wide_windows_on_a_map: Windows<Map, WIDE>;
    wide_windows_on_a_queue: Windows<Queue, WIDE>;
    wide_windows_on_a_stack: Windows<Stack, WIDE>;
    wide_windows_on_a_priority_queue: Windows<PriorityQueue, WIDE>;
    wide_windows_on_a_counter: Windows<Counter, WIDE>;
    fetch_add: FetchAdd;
    registers: Registers;
}

finds! {
    // The sum is always the same: an old one is as good.
    transfers: Accounts => LostWrites, DoubledWrites, WrongAnswers, TornBatches, ReversedBatches;
    // Others may come between the pushes of a batch.
    fifo: Producers => StaleReads, LostWrites, EarlyAnswers, DoubledWrites, WrongAnswers, ReversedBatches;
}
