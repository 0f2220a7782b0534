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
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

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

/// Whoever is stopped by a violation looks at a round of which a part is missing: it is told so, and what it finds is not reported.
#[test]
fn the_first_violation_is_reported() {
    let (tally, stop) = (Tally::default(), AtomicBool::new(false));
    let _watchdog = Watchdog::new("a violation in the midst of a round");
    let limit = after(10, &stop);
    let rounds = Rounds::new(4, &tally, &limit);
    let is_whole = AtomicBool::new(false);
    let said = rounds.run(|thread| {
        rounds.begin();
        assert!(thread != 2, "the first");
        is_whole.fetch_or(rounds.end(|| {}), SeqCst);
        panic!("a later one");
    });
    assert_eq!(said, Err("thread 2: the first".to_owned()));
    assert!(!is_whole.into_inner(), "it lacks what thread 2 would have done");
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
