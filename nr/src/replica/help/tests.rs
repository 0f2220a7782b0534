//! When an idle replica is helped, and how far: one thread writes through the other.

extern crate std;

use core::marker::PhantomData;
use std::string::{String, ToString};
use std::vec;

use super::*;
use crate::NodeReplicated;
use crate::replica::tests::two_replicas;

const CAPACITY: u64 = 2048;

/// Keeps nothing.
struct Sink<Op>(PhantomData<Op>);

impl<Op: Clone + Send + Sync> Dispatch for Sink<Op> {
    type ReadOperation<'a> = ();
    type WriteOperation = Op;
    type Response = ();
    fn dispatch(&self, (): ()) {}
    fn dispatch_mut(&mut self, _: &Op) {}
}

fn structure<Op: Clone + Send + Sync>(entries: u64) -> NodeReplicated<Sink<Op>> {
    two_replicas(entries as usize, |_| Sink(PhantomData))
}

/// Of so many operations those after which the idle replica has been helped further, and how far.
fn helped<Op: Clone + Send + Sync>(
    structure: &NodeReplicated<Sink<Op>>,
    operation: &Op,
    operations: u64,
) -> vec::Vec<(u64, u64)> {
    let [busy, idle] = structure.replica_ids()[..] else { panic!("two replicas") };
    let mut handle = structure.register_on(busy).expect("a handle");
    let mut changes = vec![];
    let mut before = 0;
    for count in 1..=operations {
        handle.execute_mut(operation.clone());
        let helped = structure.stats().replicas[idle.index()].helped;
        if helped != before {
            changes.push((count, helped));
            before = helped;
        }
    }
    changes
}

#[test]
fn at_a_look_round_it_goes_twice_as_far_as_has_been_put_in() {
    let structure = structure(CAPACITY);
    // It may lag by half of the log.
    let interval = 4 * INTERVAL;
    let first = CAPACITY / 2 + interval;
    let expected = [(first, 2 * interval), (first + 2 * interval, 4 * interval), (first + 4 * interval, 6 * interval)];
    assert_eq!(helped(&structure, &1_u64, first + 5 * interval), expected);
}

#[test]
fn what_wants_to_be_dropped_is_not_kept_for_long() {
    let structure = structure(CAPACITY);
    let first = PROMPT_LAG + INTERVAL;
    let expected = [(first, 2 * INTERVAL), (first + 2 * INTERVAL, 4 * INTERVAL)];
    assert_eq!(helped(&structure, &"1".to_string(), first + 3 * INTERVAL), expected);
}

#[test]
fn in_a_small_log_it_looks_round_more_often() {
    let expected = [(3 * 8, 16), (5 * 8, 32)];
    assert_eq!(helped(&structure(32), &1_u64, 41), expected);
    assert_eq!(helped(&structure(32), &"1".to_string(), 41), expected);
}

#[test]
fn a_large_batch_takes_it_twice_as_far() {
    let structure = structure::<u64>(CAPACITY);
    let [busy, idle] = structure.replica_ids()[..] else { panic!("two replicas") };
    let mut handle = structure.register_on(busy).expect("a handle");
    let helped = || structure.stats().replicas[idle.index()].helped;
    let half = CAPACITY / 2;
    handle.execute_mut_batch(vec![1; half as usize]);
    assert_eq!(helped(), 0, "it may lag so far");
    handle.execute_mut_batch(vec![1; half as usize]);
    assert_eq!(helped(), 2 * half);
}

#[test]
fn a_batch_that_ends_with_an_interval_is_followed_by_a_look_round() {
    let structure = structure::<u64>(CAPACITY);
    let [busy, idle] = structure.replica_ids()[..] else { panic!("two replicas") };
    let mut handle = structure.register_on(busy).expect("a handle");
    let interval = 4 * INTERVAL;
    for _ in 0..CAPACITY / 2 {
        handle.execute_mut(1);
    }
    handle.execute_mut_batch(vec![1; interval as usize]);
    assert_eq!(structure.stats().replicas[idle.index()].helped, 2 * interval);
}

#[test]
fn who_finds_no_room_makes_as_much_as_it_needs() {
    let structure = structure::<String>(1024);
    let set = structure.set();
    let (busy, idle) = (set.replica(0).expect("two"), set.replica(1).expect("two"));
    let log = set.log().expect("two replicas have one");
    let [id, _] = structure.replica_ids()[..] else { panic!("two replicas") };
    let mut handle = structure.register_on(id).expect("a handle");
    {
        // Nobody can help meanwhile.
        let _turn = Turn::attempt(idle).expect("a turn");
        for _ in 0..1024 {
            handle.execute_mut("1".to_string());
        }
        assert!(log.try_reserve(1, None).is_none());
    }
    let mut garbage = Garbage::new();
    set.make_room(log, busy, 1, &mut garbage);
    assert_eq!((log.applied(1), garbage.len() as u64), (INTERVAL, INTERVAL), "as much as is replayed at once");
    set.make_room(log, busy, INTERVAL, &mut garbage);
    assert_eq!(log.applied(1), INTERVAL, "there is room for as much");
    set.make_room(log, busy, INTERVAL + 1, &mut garbage);
    assert_eq!(log.applied(1), 2 * INTERVAL);
    set.make_room(log, busy, 5 * INTERVAL, &mut garbage);
    assert_eq!(log.applied(1), 5 * INTERVAL);
    assert_eq!(idle.counters.helped.get(), 5 * INTERVAL);
}

#[test]
fn who_does_not_wait_for_others_makes_room_too() {
    let structure = structure::<u64>(32);
    let set = structure.set();
    let (busy, idle) = (set.replica(0).expect("two"), set.replica(1).expect("two"));
    let log = set.log().expect("two replicas have one");
    let mut handle = structure.register_on(structure.replica_ids()[0]).expect("a handle");
    let idle_turn = Turn::attempt(idle).expect("a turn");
    for _ in 0..32 {
        handle.execute_mut(1);
    }
    let mut turn = Turn::attempt(busy).expect("a turn");
    let mut garbage = Garbage::new();
    assert!(set.reserve_without_waiting(log, &mut turn, 1, &mut garbage).is_none(), "nobody can help");
    drop(idle_turn);
    let reservation = set.reserve_without_waiting(log, &mut turn, 1, &mut garbage).expect("room");
    // SAFETY: reserved just now, and published once.
    unsafe { log.publish(&reservation, reservation.start(), 1) };
    drop(turn);
    handle.execute_mut(1);
}

#[test]
fn who_has_its_turn_or_readers_is_not_helped() {
    let structure = structure::<u64>(CAPACITY);
    let set = structure.set();
    let (busy, idle) = (set.replica(0).expect("two"), set.replica(1).expect("two"));
    let log = set.log().expect("two replicas have one");
    let [id, other] = structure.replica_ids()[..] else { panic!("two replicas") };
    let mut handle = structure.register_on(id).expect("a handle");
    for _ in 0..9 {
        handle.execute_mut(1);
    }
    {
        let _turn = Turn::attempt(idle).expect("a turn");
        assert!(!set.help(log, idle, busy.node(), 4));
    }
    structure.register_on(other).expect("a handle").read(|_| {
        // It was brought up to date before.
        handle.execute_mut(1);
        assert!(!set.help(log, idle, busy.node(), 4));
        assert_eq!(idle.counters.helped.get(), 0);
    });
    assert!(set.help(log, idle, busy.node(), 4));
    assert!(!set.help(log, idle, busy.node(), 4), "there is nothing to be done");
    assert_eq!(idle.counters.helped.get(), 1);
}
