//! The log in one thread's hands: what there is room for, who lacks what, where a replay that is to be short ends, what is prefetched when.

extern crate std;

use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::dispatch::Dispatch;

const CAPACITY: u64 = 16;

fn log<Op>() -> Log<Op> {
    let plan = LogPlan { entries: CAPACITY as usize, nodes: Vec::new(), huge_pages: false, memory: None };
    Log::new(&plan, 2).expect("memory")
}

fn join<Op>(log: &Log<Op>, replica: usize, position: u64) {
    // SAFETY: this thread is the only one that has the log, and nothing from `position` on is reclaimed.
    unsafe { log.join(replica, position, &mut Garbage::new()) };
}

/// A round of so many operations, each of which is its own position, if there is room and it is the ticket's turn.
fn append_in_turn(log: &Log<u64>, count: u64, ticket: Option<Ticket>) -> bool {
    let Some(reservation) = log.try_reserve(count, ticket) else { return false };
    for position in reservation.start()..reservation.end() {
        // SAFETY: reserved just now, and published once.
        unsafe { log.publish(&reservation, position, position) };
    }
    true
}

fn append(log: &Log<u64>, count: u64) -> bool {
    append_in_turn(log, count, None)
}

/// As if `replica` had executed everything below `position`.
fn advance<Op>(log: &Log<Op>, replica: usize, position: u64) {
    // SAFETY: as in `join`; and nobody has looked at the operations, or will.
    unsafe { log.advance(replica, position) };
}

/// What is published and `replica` has not applied.
fn published<Op>(log: &Log<Op>, replica: usize) -> Published<'_, Op> {
    // SAFETY: as in `join`.
    unsafe { log.await_published(replica, log.tail()) }
}

#[test]
fn a_new_log_is_empty() {
    let log = log::<u64>();
    assert_eq!((log.tail(), log.completed(), log.reclaimed(), log.capacity()), (0, 0, 0, CAPACITY));
    assert_eq!(log.least_applied(), None);
    log.reclaim(&mut Garbage::new());
    assert_eq!(log.reclaimed(), 0);
    for replica in 0..2 {
        assert!(log.lacks(replica), "it takes no part");
        assert!(log.lacks_before(replica, 0));
    }
}

#[test]
fn there_is_room_for_as_many_as_the_ring_holds() {
    let log = log();
    join(&log, 0, 0);
    assert!(append(&log, CAPACITY - 1));
    assert!(!append(&log, 2));
    assert!(append(&log, 1));
    assert!(!append(&log, 1));
    log.reclaim(&mut Garbage::new());
    assert!(!append(&log, 1), "the replica has not applied anything");
    advance(&log, 0, 3);
    assert!(!append(&log, 1), "nothing is reclaimed");
    log.reclaim(&mut Garbage::new());
    assert_eq!(log.reclaimed(), 3);
    assert!(!append(&log, 4));
    assert!(append(&log, 3));
    assert_eq!(log.tail(), CAPACITY + 3);
}

#[test]
fn the_slowest_that_takes_part_is_waited_for() {
    let log = log();
    join(&log, 1, 0);
    assert_eq!(log.least_applied(), Some(0));
    append(&log, 8);
    advance(&log, 1, 8);
    assert_eq!(log.least_applied(), Some(8));
    join(&log, 0, 5);
    assert_eq!(log.least_applied(), Some(5));
    log.reclaim(&mut Garbage::new());
    assert_eq!(log.reclaimed(), 5);
    // SAFETY: as in `join`.
    unsafe { log.leave(0) };
    assert_eq!(log.least_applied(), Some(8));
    assert!(log.lacks(0));
    // SAFETY: as in `join`.
    unsafe { log.leave(1) };
    assert_eq!(log.least_applied(), None);
}

#[test]
fn who_joins_reclaims_what_all_have_applied() {
    let log = log();
    join(&log, 0, 0);
    append(&log, 8);
    advance(&log, 0, 8);
    join(&log, 1, 8);
    assert_eq!(log.reclaimed(), 8);
}

#[test]
fn tickets_are_served_in_order_and_before_others() {
    let log = log();
    join(&log, 0, 0);
    let (first, second) = (log.draw_ticket(), log.draw_ticket());
    assert!(log.serves(first) && !log.serves(second));
    assert!(!append(&log, 1));
    assert!(!append_in_turn(&log, 1, Some(second)));
    assert!(!append_in_turn(&log, CAPACITY + 1, Some(first)), "there is no room");
    assert!(log.serves(first));
    assert!(append_in_turn(&log, 2, Some(first)));
    assert!(!log.serves(first) && log.serves(second));
    log.discard_ticket(second);
    assert!(!log.serves(second));
    assert!(append(&log, 1), "nobody is to go first");
    assert_eq!(log.tail(), 3);
}

#[test]
fn a_replica_lacks_what_is_completed_and_it_has_not_applied() {
    let log = log();
    join(&log, 0, 0);
    assert!(!log.lacks(0) && !log.lacks_before(0, 0));
    append(&log, 3);
    assert!(!log.lacks(0), "nothing is completed");
    assert!(log.lacks_before(0, 1));
    published(&log, 0).complete();
    assert_eq!(log.completed(), 3);
    assert!(log.lacks(0));
    advance(&log, 0, 2);
    assert!(log.lacks(0) && log.lacks_before(0, 3) && !log.lacks_before(0, 2));
    advance(&log, 0, 3);
    assert!(!log.lacks(0) && !log.lacks_before(0, 3));
}

#[test]
fn completed_never_goes_back() {
    let log = log();
    join(&log, 0, 0);
    append(&log, 1);
    let shorter = published(&log, 0);
    append(&log, 1);
    published(&log, 0).complete();
    shorter.complete();
    assert_eq!(log.completed(), 2);
}

#[test]
fn what_is_completed_is_for_who_has_not_applied_it() {
    let log = log();
    let completed_for = |replica| {
        // SAFETY: as in `join`.
        let published = unsafe { log.completed_for(replica) };
        (published.len(), published.end())
    };
    join(&log, 0, 0);
    append(&log, 5);
    assert_eq!(completed_for(0), (0, 0));
    published(&log, 0).complete();
    assert_eq!(completed_for(0), (5, 5));
    advance(&log, 0, 4);
    assert_eq!(completed_for(0), (1, 5));
    append(&log, 1);
    advance(&log, 0, 6);
    assert_eq!(completed_for(0), (0, 6));
    assert_eq!(completed_for(1).0, 0, "it takes no part");
}

#[test]
fn a_short_replay_ends_with_a_round() {
    let log = log();
    join(&log, 0, 0);
    for round in [2, 1, 3] {
        append(&log, round);
    }
    let ends = |count| published(&log, 0).at_most(count).end();
    assert_eq!([0, 1, 2, 3, 4, 5, 6, 7, u64::MAX].map(ends), [2, 2, 2, 3, 6, 6, 6, 6, 6]);
    advance(&log, 0, 2);
    assert_eq!([1, 2, 3].map(ends), [3, 6, 6]);
    let short = published(&log, 0).at_most(1);
    assert_eq!(short.len(), 1);
}

#[test]
fn those_before_a_position_are_counted() {
    let log = log();
    join(&log, 0, 0);
    append(&log, 6);
    advance(&log, 0, 2);
    let published = published(&log, 0);
    assert_eq!(published.len(), 4);
    assert_eq!([0, 2, 3, 5, 6, 9, u64::MAX].map(|position| published.before(position)), [0, 0, 1, 3, 4, 4, 4]);
}

#[test]
fn it_is_filling_from_the_half_on() {
    let log = log();
    join(&log, 0, 0);
    assert!(!log.is_filling(1), "it takes no part");
    append(&log, CAPACITY);
    advance(&log, 0, CAPACITY / 2 - 1);
    assert!(!log.is_filling(0));
    advance(&log, 0, CAPACITY / 2);
    assert!(log.is_filling(0));
    log.reclaim(&mut Garbage::new());
    assert!(!log.is_filling(0));
    advance(&log, 0, CAPACITY - 1);
    assert!(!log.is_filling(0));
    advance(&log, 0, CAPACITY);
    assert!(log.is_filling(0));
}

#[test]
fn only_what_wants_to_be_dropped_is_garbage() {
    let mut numbers = Garbage::new();
    numbers.push(1);
    assert_eq!(numbers.len(), 0);
    let mut strings = Garbage::new();
    strings.push("1".to_string());
    assert_eq!(strings.len(), 1);
    let log = log::<String>();
    join(&log, 0, 0);
    let reservation = log.try_reserve(1, None).expect("room");
    // SAFETY: reserved just now, and published once.
    unsafe { log.publish(&reservation, 0, "2".to_string()) };
    log.reclaim(&mut strings);
    assert_eq!(strings.len(), 1);
    advance(&log, 0, 1);
    log.reclaim(&mut strings);
    assert_eq!(strings.len(), 2);
    log.reclaim(&mut strings);
    assert_eq!(strings.len(), 2, "it was taken once");
}

/// What a structure is asked for, in order.
#[derive(Default)]
struct Asked(std::sync::Mutex<Vec<(char, u64)>>);

impl Dispatch for Asked {
    type ReadOperation<'a> = ();
    type WriteOperation = u64;
    type Response = ();
    fn dispatch(&self, (): ()) {}
    fn dispatch_mut(&mut self, position: &u64) {
        self.0.get_mut().expect("no panic").push(('x', *position));
    }
    fn prefetch(&self, position: &u64) {
        self.0.lock().expect("no panic").push(('p', *position));
    }
}

#[test]
fn each_operation_but_the_first_is_prefetched_in_time() {
    let distance = PREFETCH_DISTANCE as u64;
    for count in [1, 2, distance - 1, distance, distance + 1, distance + 4] {
        let log = log();
        join(&log, 0, 0);
        append(&log, 2);
        advance(&log, 0, 2);
        append(&log, count);
        let mut asked = Asked::default();
        let mut results = Vec::new();
        published(&log, 0).replay(&mut asked, |position, result| results.push((position, result.is_ok())));
        assert_eq!(results, (2..2 + count).map(|position| (position, true)).collect::<Vec<_>>());
        // First those within the distance; then each time the one that comes into it.
        let mut expected: Vec<_> = (3..2 + distance.min(count)).map(|position| ('p', position)).collect();
        for position in 2..2 + count {
            if position + distance < 2 + count {
                expected.push(('p', position + distance));
            }
            expected.push(('x', position));
        }
        assert_eq!(asked.0.into_inner().expect("no panic"), expected);
    }
}
