//! When one that waits on the only replica takes over: looks, one by one, with the times that they depend on put in.

extern crate std;

use core::time::Duration;
use std::thread::sleep;

use super::*;
use crate::replica::tests::{Nothing, replica};
use crate::replica::{Standing, Task};

const RUNNER: Caller = Caller::NONE;

/// A replica where somebody else has the turn and our request is posted.
fn posted<'a>(replica: &'a Replica<Nothing>, request: &Request<Nothing>) -> Turn<'a, Nothing> {
    let turn = Turn::attempt(replica).expect("a turn");
    // SAFETY: it stays where it is until the end of the test, and nobody answers it.
    assert!(unsafe { Turn::or_post(replica, request, RUNNER) }.is_none());
    turn
}

fn request() -> Request<Nothing> {
    Request::new(Task::one(()))
}

/// One that watches, and looks next at that time.
fn watch(replica: &Replica<Nothing>, next: u64) -> Watch<'_, Nothing> {
    let watch = Watch::begin(replica);
    assert_eq!(watch.next, FIRST_LOOK);
    Watch { next, ..watch }
}

const NEVER: u64 = u64::MAX;

#[test]
fn who_is_invited_takes_over_at_once() {
    let (replica, request) = (replica(Standing::Alone), request());
    let turn = posted(&replica, &request);
    request.set_invited(true);
    assert!(watch(&replica, NEVER).take_over(&request).is_none(), "somebody combines");
    turn.leave(Caller::NONE);
    request.set_invited(false);
    assert!(watch(&replica, NEVER).take_over(&request).is_none(), "another is invited");
    request.set_invited(true);
    assert!(watch(&replica, NEVER).take_over(&request).is_some());
}

#[test]
fn a_run_that_goes_on_is_left_alone() {
    let (replica, request) = (replica(Standing::Alone), request());
    posted(&replica, &request).leave(Caller::new(0));
    let pauses = replica.queue.pauses();
    assert!(watch(&replica, NEVER).take_over(&request).is_none(), "it is not time to look");
    for (since, takes_over) in [(BRISK + 1, false), (BRISK, false), (BRISK - 1, true)] {
        let mut watch = watch(&replica, 0);
        watch.pauses = pauses.wrapping_sub(since);
        assert_eq!(watch.take_over(&request).is_some(), takes_over);
        assert_eq!(watch.pauses, pauses);
    }
}

#[test]
fn who_has_waited_for_long_insists() {
    let (replica, request) = (replica(Standing::Alone), request());
    let turn = posted(&replica, &request);
    let mut impatient = watch(&replica, 0);
    sleep(Duration::from_nanos(2 * PATIENCE));
    assert!(impatient.take_over(&request).is_none());
    assert!(turn.finish(Caller::new(0)).is_err(), "what is urgent is served");
}

#[test]
fn looks_are_further_and_further_apart_up_to_a_limit() {
    let (replica, request) = (replica(Standing::Alone), request());
    let _turn = posted(&replica, &request);
    let next_after = |waited: u64| waited + waited.min(LONGEST_INTERVAL);
    for pause in [0, 2 * LONGEST_INTERVAL] {
        let mut watch = watch(&replica, 0);
        sleep(Duration::from_nanos(pause));
        let before = watch.waiting.nanoseconds();
        watch.take_over(&request);
        let after = watch.waiting.nanoseconds();
        assert!((next_after(before)..=next_after(after)).contains(&watch.next));
    }
}

#[test]
fn on_one_of_several_replicas_who_is_invited_or_has_waited_takes_over() {
    let (replica, request) = (replica(Standing::Alone), request());
    let (short, long) = (Backoff::new(), Backoff::new());
    while !long.is_long() {
        long.snooze();
    }
    let turn = posted(&replica, &request);
    for invited in [false, true] {
        request.set_invited(invited);
        assert!(take_over(&replica, &request, &short).is_none(), "somebody combines");
        assert!(take_over(&replica, &request, &long).is_none(), "somebody combines");
    }
    drop(turn);
    for (invited, backoff, takes_over) in
        [(false, &short, false), (false, &long, true), (true, &short, true), (true, &long, true)]
    {
        request.set_invited(invited);
        let turn = take_over(&replica, &request, backoff);
        assert_eq!(turn.is_some(), takes_over);
    }
}
