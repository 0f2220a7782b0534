//! The checks that record windows and have them decided.

use crate::common::history::Clock;
use crate::common::{Random, Shared, SharedHandle};
use crate::program::check::{Check, agree_on_count};
use crate::program::deciders::{by_search, by_stateright};
use crate::program::pace::Paced;
use crate::program::rounds::Rounds;
use crate::program::setting::{MAX_BATCH, Setting};
use crate::program::structures::{Change, FRESH, Several, Structure, What};
use crate::program::window::{Answer, Call, Window};
use std::marker::PhantomData;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

/// Windows that are small enough for `stateright`: how many threads, and how many calls of each.
const SMALL: [(usize, usize); 3] = [(2, 5), (3, 4), (4, 3)];
/// Windows that are not. They have at most 64 calls.
const WIDE: [(usize, usize); 3] = [(5, 6), (8, 4), (16, 3)];

/// Small windows, or wide ones, on a structure.
///
/// All threads work through one replicated structure, which is made of several: one for each group of threads that records a
/// window together. So there can be far more threads than a window can have.
pub struct Windows<S, const IS_WIDE: bool>(PhantomData<S>);

impl<S: Structure, const IS_WIDE: bool> Check for Windows<S, IS_WIDE> {
    type Data = Several<S>;

    fn data(setting: &Setting) -> Several<S> {
        let mut random = setting.random_of(0);
        Several((0..setting.threads).map(|_| S::random(&mut random)).collect())
    }

    fn run<T: Shared<Paced<Several<S>>>>(setting: &Setting, shared: T, rounds: &Rounds<'_>) -> Result<(), String> {
        let shapes = if IS_WIDE { WIDE } else { SMALL };
        let fitting = shapes.iter().filter(|(threads, _)| *threads <= setting.threads).count();
        let (in_group, steps) = match fitting {
            0 => (setting.threads, shapes[0].1),
            _ => shapes[setting.seed % fitting],
        };
        let empty = |initial| Mutex::new(Window { initial, events: Vec::new() });
        let windows: Vec<Mutex<Window<S>>> = Self::data(setting).0.into_iter().map(empty).collect();
        let window_of = |object: usize| windows[object].lock().expect("nobody panics with it");
        let clock = Clock::default();
        let written = AtomicU64::new(0);
        rounds.run(|thread| {
            let mut handle = shared.handle(setting.replica_of(thread));
            let mut random = setting.random_of(1 + thread);
            let object = thread / in_group;
            let mut writes = 0;
            while rounds.begin() {
                let events: Vec<_> = (0..steps)
                    .map(|step| {
                        let fresh = FRESH + MAX_BATCH as u32 * (thread * steps + step) as u32;
                        let call = random_call(setting, thread, fresh, &mut random);
                        writes += call.writes();
                        // So that others come between, where there are fewer processors than threads.
                        if random.one_in(4) {
                            thread::yield_now();
                        }
                        clock.record(thread, call, |call| perform(&mut handle, object, call))
                    })
                    .collect();
                rounds.count(events.len());
                window_of(object).events.extend(events);
                if !rounds.end(|| {}) {
                    break;
                }
                if thread % in_group == 0 {
                    let initial = S::random(&mut random);
                    handle.execute_mut(Change { object, what: What::Renew(initial.clone()) });
                    writes += 1;
                    let window = std::mem::replace(&mut *window_of(object), Window { initial, events: Vec::new() });
                    decide(&window, IS_WIDE, rounds);
                }
            }
            written.fetch_add(writes as u64, Relaxed);
        })?;
        agree_on_count(&shared, written.into_inner())
    }
}

fn random_call<S: Structure>(setting: &Setting, thread: usize, fresh: u32, random: &mut Random) -> Call<S> {
    if setting.writes(thread, random) {
        match setting.batch(random) {
            1 => Call::Write(S::random_write(random, fresh)),
            len => Call::Batch((0..len).map(|n| S::random_write(random, fresh + n as u32)).collect()),
        }
    } else {
        match random.one_in(3) {
            true => Call::Whole,
            false => Call::Read(S::random_read(random)),
        }
    }
}

fn perform<S: Structure>(
    handle: &mut impl SharedHandle<Paced<Several<S>>>,
    object: usize,
    call: &Call<S>,
) -> Answer<S> {
    let change = |op: &S::Write| Change { object, what: What::Write(op.clone()) };
    match call {
        Call::Write(op) => Answer::One(handle.execute_mut(change(op))),
        Call::Batch(ops) => Answer::Each(handle.execute_mut_batch(ops.iter().map(change))),
        Call::Read(op) => Answer::One(handle.execute((object, op))),
        Call::Whole => Answer::Whole(handle.read(|paced| paced.look(|several| several.0[object].clone()))),
    }
}

fn decide<S: Structure>(window: &Window<S>, is_wide: bool, rounds: &Rounds<'_>) {
    let tally = rounds.tally();
    tally.overlapping.fetch_add(window.has_overlaps().into(), Relaxed);
    let is_linearizable = if is_wide { by_search(window) } else { by_stateright(window) };
    assert!(is_linearizable, "no order explains this window. {window}");
    tally.windows.fetch_add(1, Relaxed);
}
