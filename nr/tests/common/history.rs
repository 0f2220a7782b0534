//! Decides whether a short concurrent history is linearizable, by trying every order (Wing and Gong, 1993), with
//! what was tried remembered (Lowe, 2017).

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// A sequential specification: what `op` answers in a state, and the state it leaves.
pub trait Model: Clone + Eq + Hash {
    type Op: Debug;
    type Answer: PartialEq + Debug;
    fn apply(&mut self, op: &Self::Op) -> Self::Answer;
}

/// One operation: when it began, when its answer was there, and what it was.
#[derive(Debug)]
pub struct Event<M: Model> {
    pub thread: usize,
    pub began: u64,
    pub ended: u64,
    pub op: M::Op,
    pub answer: M::Answer,
}

/// Gives out the times.
#[derive(Default)]
pub struct Clock(AtomicU64);

impl Clock {
    fn now(&self) -> u64 {
        self.0.fetch_add(1, SeqCst)
    }

    /// Runs one operation and writes down when.
    pub fn record<M: Model>(&self, thread: usize, op: M::Op, run: impl FnOnce(&M::Op) -> M::Answer) -> Event<M> {
        let began = self.now();
        let answer = run(&op);
        let ended = self.now();
        Event { thread, began, ended, op, answer }
    }
}

/// Whether some order of the events that respects real time gives the answers that were given, from `initial`.
pub fn is_linearizable<M: Model>(initial: &M, events: &[Event<M>]) -> bool {
    assert!(events.len() <= 64, "a history of {} events is not short", events.len());
    let mut dead_ends = HashSet::new();
    let all = if events.len() == 64 { u64::MAX } else { (1 << events.len()) - 1 };
    search(events, all, initial, &mut dead_ends)
}

fn search<M: Model>(events: &[Event<M>], left: u64, state: &M, dead_ends: &mut HashSet<(u64, M)>) -> bool {
    if left == 0 {
        return true;
    }
    if dead_ends.contains(&(left, state.clone())) {
        return false;
    }
    let open = || events.iter().enumerate().filter(|(i, _)| left >> i & 1 == 1);
    // Only what began before everything else had ended can come first.
    let first_end = open().map(|(_, event)| event.ended).min().expect("events are left");
    for (i, event) in open().filter(|(_, event)| event.began < first_end) {
        let mut next = state.clone();
        if next.apply(&event.op) == event.answer && search(events, left & !(1 << i), &next, dead_ends) {
            return true;
        }
    }
    dead_ends.insert((left, state.clone()));
    false
}

/// Panics with the history if it is not linearizable.
pub fn assert_linearizable<M: Model>(initial: &M, mut events: Vec<Event<M>>, what: &str) {
    if !is_linearizable(initial, &events) {
        events.sort_by_key(|event| event.began);
        let lines: Vec<_> = events
            .iter()
            .map(|e| format!("  [{:>6}, {:>6}] thread {}: {:?} -> {:?}", e.began, e.ended, e.thread, e.op, e.answer))
            .collect();
        panic!("{what}: no order explains this history\n{}", lines.join("\n"));
    }
}
