//! What the word says after each step of one thread: when a run goes on, when it is interrupted, who is expected, who is invited. All of
//! that is speed and fairness, about which models and histories say nothing.

extern crate std;

use std::boxed::Box;
use std::vec::Vec;

use super::*;
use crate::replica::Task;
use crate::replica::tests::{Nothing, replica};

type Queue = CombinerQueue<Nothing>;

const RUNNER: Caller = Caller(1);
const OTHER: Caller = Caller(2);

/// Requests that stay where they are.
fn requests<const COUNT: usize>() -> [Box<Request<Nothing>>; COUNT] {
    std::array::from_fn(|_| Box::new(Request::new(Task::one(()))))
}

/// The word for one that is posted, without marks.
fn request_address() -> *mut Request<Nothing> {
    ptr::without_provenance_mut(align_of::<Request<Nothing>>())
}

fn post(queue: &Queue, request: &Request<Nothing>) {
    assert!(!queue.lock_or_post(request, OTHER, false));
}

/// The lock is free, nothing is posted, and nobody is expected.
fn assert_idle(queue: &Queue) {
    assert!(queue.try_lock_idle());
    assert!(queue.try_unlock());
}

/// Pauses, and is back in time.
fn pause_and_resume(queue: &Queue, caller: Caller) -> bool {
    queue.try_pause(caller, true) && {
        assert!(queue.try_resume(caller));
        true
    }
}

/// How often the runner pauses until it is asked to serve, with something posted.
fn pauses_until_asked(queue: &Queue) -> u64 {
    let mut pauses = 0;
    while pause_and_resume(queue, RUNNER) {
        pauses += 1;
    }
    pauses
}

#[test]
fn callers_differ() {
    let callers: Vec<Caller> = (0..3).map(Caller::new).chain([Caller::NONE]).collect();
    for (index, caller) in callers.iter().enumerate() {
        assert!(!callers[..index].contains(caller));
    }
}

#[test]
fn a_mark_is_set_or_not() {
    let request = request_address();
    for marks in 0..=MARKS {
        let marked = with(request, marks);
        assert_eq!(split(marked), (request, marks));
        assert_eq!(with(marked, marks), marked);
        assert_eq!(without(marked, MARKS), request);
        assert_eq!(split(without(marked, URGENT)), (request, marks & !URGENT));
        assert_eq!(split(locked(marked)), (request, marks & !EXPECTED | LOCKED));
    }
}

#[test]
fn one_at_a_time() {
    let queue = Queue::new();
    let [request] = requests();
    assert!(queue.is_unattended());
    assert!(queue.try_lock_idle());
    assert!(!queue.is_unattended());
    assert!(!queue.try_lock_idle() && !queue.try_lock());
    assert!(queue.try_unlock());
    assert!(queue.try_lock());
    assert!(queue.try_unlock());
    assert!(queue.lock_or_post(&request, OTHER, true), "nobody has it");
    assert!(!request.is_invited());
    assert!(queue.try_unlock());
    assert_idle(&queue);
}

#[test]
fn what_is_posted_comes_in_order_and_keeps_the_lock() {
    let queue = Queue::new();
    let requests = requests::<3>();
    assert!(queue.try_lock());
    for request in &requests {
        assert!(!queue.lock_or_post(request, OTHER, true));
        assert!(!request.is_invited(), "somebody combines");
    }
    assert!(!queue.try_unlock());
    let mut newest = queue.take_posted();
    for request in requests.iter().rev() {
        assert_eq!(newest, ptr::from_ref(&**request));
        // SAFETY: taken from the queue by us.
        newest = unsafe { request.next() };
    }
    assert!(newest.is_null());
    assert!(!queue.is_unattended());
    assert!(queue.try_unlock());
    assert_idle(&queue);
}

#[test]
fn who_leaves_with_nothing_posted_lets_go() {
    let queue = Queue::new();
    assert!(queue.try_lock());
    assert!(queue.leave().is_null());
    assert_idle(&queue);
}

#[test]
fn who_leaves_invites_the_newest() {
    let queue = Queue::new();
    let [older, newest] = requests();
    assert!(queue.try_lock());
    assert!(!queue.is_handed_over());
    post(&queue, &older);
    post(&queue, &newest);
    assert!(!queue.is_handed_over(), "somebody combines");
    assert_eq!(queue.leave(), ptr::from_ref(&*newest));
    assert!(queue.is_unattended() && queue.is_handed_over());
    assert!(newest.is_invited() && !older.is_invited());
    assert!(!queue.try_lock_idle(), "something is posted");
    assert!(queue.try_lock());
    assert!(!queue.is_handed_over());
    assert_eq!(queue.take_posted(), ptr::from_ref(&*newest));
    assert!(queue.try_unlock());
    assert!(!queue.is_handed_over(), "nothing is posted");
}

#[test]
fn who_is_expected_goes_first() {
    let queue = Queue::new();
    let [posted, own, late, uninvited] = requests();
    assert!(queue.try_lock());
    post(&queue, &posted);
    queue.expected.set(RUNNER.0);
    queue.leave();
    assert!(!queue.is_handed_over(), "it is expected");
    assert!(!queue.lock_or_post(&late, OTHER, true));
    assert!(late.is_invited(), "who posts while nobody combines invites itself");
    assert!(!queue.lock_or_post(&uninvited, OTHER, false));
    assert!(!uninvited.is_invited());
    assert!(queue.lock_or_post(&own, RUNNER, true));
    assert!(!own.is_invited());
    assert_eq!(queue.take_posted(), ptr::from_ref(&*uninvited));
    assert!(queue.try_unlock());
    assert_idle(&queue);
}

#[test]
fn who_pauses_unasked_and_not_in_a_run_lets_go() {
    let queue = Queue::new();
    assert!(queue.try_lock());
    assert!(queue.try_pause(RUNNER, false));
    assert!(!queue.try_resume(RUNNER));
    assert_idle(&queue);
}

#[test]
fn who_pauses_in_a_run_is_expected() {
    let queue = Queue::new();
    let [request] = requests();
    assert!(queue.try_lock());
    assert!(!queue.try_resume(RUNNER), "somebody combines");
    assert!(queue.try_pause(RUNNER, true));
    assert!(queue.is_unattended() && !queue.is_handed_over());
    assert!(!queue.try_lock_idle());
    assert!(!queue.try_resume(OTHER));
    post(&queue, &request);
    assert!(queue.try_resume(RUNNER));
    assert!(!queue.try_resume(RUNNER), "it is back");
    assert_eq!(queue.take_posted(), ptr::from_ref(&*request));
}

#[test]
fn a_run_ends_when_nobody_posts() {
    let queue = Queue::new();
    assert!(queue.try_lock());
    for _ in 1..2 * STRETCH {
        assert!(pause_and_resume(&queue, RUNNER));
    }
    assert_eq!(queue.pauses(), 2 * STRETCH - 1);
    assert!(queue.try_pause(RUNNER, true));
    assert_idle(&queue);
}

#[test]
fn a_run_is_interrupted_after_a_stretch() {
    let queue = Queue::new();
    let [request] = requests();
    assert!(queue.try_lock());
    post(&queue, &request);
    for interruptions in 1..4 {
        assert_eq!(pauses_until_asked(&queue), STRETCH - 1);
        assert_eq!(queue.pauses(), interruptions * STRETCH);
        assert_eq!(queue.interruptions.get(), interruptions);
        assert!(!queue.is_unattended(), "who is asked keeps the lock");
    }
}

#[test]
fn another_runner_begins_anew() {
    let queue = Queue::new();
    let [request] = requests();
    assert!(queue.try_lock());
    post(&queue, &request);
    pauses_until_asked(&queue);
    assert!(pause_and_resume(&queue, RUNNER));
    assert_eq!((queue.stretch.get(), queue.interruptions.get()), (1, 1));
    assert!(pause_and_resume(&queue, OTHER));
    assert_eq!((queue.stretch.get(), queue.interruptions.get()), (1, 0));
    assert_eq!(queue.expected.get(), OTHER.0);
}

#[test]
fn who_insists_is_served_next() {
    let queue = Queue::new();
    let [request] = requests();
    queue.insist();
    assert_idle(&queue);
    assert!(queue.try_lock());
    queue.insist();
    assert!(queue.try_unlock(), "there is nothing to insist on");
    assert!(queue.try_lock());
    post(&queue, &request);
    assert!(pause_and_resume(&queue, RUNNER));
    queue.insist();
    queue.insist();
    assert!(!queue.try_pause(RUNNER, true));
    assert_eq!(queue.stretch.get(), 0);
    assert_eq!(queue.take_posted(), ptr::from_ref(&*request));
    post(&queue, &request);
    assert!(queue.try_pause(RUNNER, true), "who insisted has been served");
}

#[test]
fn insistence_outlasts_new_posts() {
    let queue = Queue::new();
    let [request, another] = requests();
    assert!(queue.try_lock());
    post(&queue, &request);
    queue.insist();
    post(&queue, &another);
    assert!(!queue.try_pause(RUNNER, true));
}

#[test]
fn a_runner_that_stays_away_is_doubted() {
    let queue = Queue::new();
    let [request] = requests();
    assert!(queue.try_lock());
    post(&queue, &request);
    assert!(queue.try_pause(RUNNER, true));
    assert!(queue.try_lock(), "another takes it instead");
    for _ in 0..DOUBTS {
        assert!(!queue.try_pause(RUNNER, true));
    }
    assert!(queue.try_pause(RUNNER, true));
}

#[test]
fn nobody_is_doubted_who_was_not_expected() {
    let queue = Queue::new();
    let [request] = requests();
    assert!(queue.try_lock());
    post(&queue, &request);
    queue.expected.set(Caller::NONE.0);
    queue.leave();
    assert!(queue.try_lock());
    assert_eq!(queue.doubts.get(), 0, "it was left to others");
    queue.take_posted();
    assert!(queue.try_pause(RUNNER, false));
    assert!(queue.try_lock());
    assert_eq!(queue.doubts.get(), 0, "it was let go");
}

#[test]
fn a_reign_is_over_in_the_end() {
    let replica = replica(Standing::Alone);
    let [request] = requests();
    let mut turn = Turn::attempt(&replica).expect("a turn");
    post(&replica.queue, &request);
    for interruptions in 1..REIGN {
        // As if it had run for the rest of a stretch.
        replica.queue.expected.set(RUNNER.0);
        replica.queue.stretch.set(STRETCH);
        turn = turn.finish(RUNNER).expect_err("asked to serve");
        assert_eq!(replica.queue.interruptions.get(), interruptions);
    }
    replica.queue.stretch.set(STRETCH);
    assert!(turn.finish(RUNNER).is_ok());
    assert_eq!(replica.queue.interruptions.get(), 0);
    assert!(request.is_invited() && replica.queue.is_handed_over());
    assert!(Turn::resume(&replica, RUNNER).is_none());
}

#[test]
fn runs_are_for_handles_on_the_only_replica() {
    let [request] = requests();
    for (standing, caller, pauses) in
        [(Standing::Alone, RUNNER, true), (Standing::Alone, Caller::NONE, false), (Standing::Member, RUNNER, false)]
    {
        let replica = replica(standing);
        let turn = Turn::attempt(&replica).expect("a turn");
        post(&replica.queue, &request);
        assert_eq!(turn.finish(caller).is_ok(), pauses);
    }
    for (standing, resumes) in [(Standing::Alone, true), (Standing::Member, false)] {
        let replica = replica(standing);
        assert!(replica.queue.try_lock());
        post(&replica.queue, &request);
        assert!(replica.queue.try_pause(RUNNER, true));
        assert_eq!(Turn::resume(&replica, RUNNER).is_some(), resumes);
    }
}

#[test]
fn who_resumes_is_in_a_run() {
    let replica = replica(Standing::Alone);
    let [request] = requests();
    let turn = Turn::attempt_idle(&replica).expect("a turn");
    post(&replica.queue, &request);
    assert!(turn.finish(RUNNER).is_ok());
    let mut turn = Turn::resume(&replica, RUNNER).expect("a run");
    assert!(!turn.take_posted().is_empty());
    let turn = turn.finish_idle().expect_err("who is in a run is to be expected back");
    assert!(turn.finish(RUNNER).is_ok());
    assert!(Turn::attempt_idle(&replica).is_none());
    assert!(Turn::resume(&replica, RUNNER).is_some());
}

#[test]
fn who_posts_on_one_of_several_replicas_invites_itself() {
    let [first] = requests();
    for (standing, invites) in [(Standing::Alone, false), (Standing::Member, true)] {
        let replica = replica(standing);
        let [request] = requests();
        let turn = Turn::attempt(&replica).expect("a turn");
        post(&replica.queue, &first);
        turn.leave(RUNNER);
        // SAFETY: it stays.
        assert!(unsafe { Turn::or_post(&replica, &request, OTHER) }.is_none());
        assert_eq!(request.is_invited(), invites);
    }
}

#[test]
fn a_dropped_turn_is_left_to_others() {
    for (standing, expected) in [(Standing::Alone, Caller::NONE), (Standing::Member, RUNNER)] {
        let replica = replica(standing);
        let [request] = requests();
        let turn = Turn::attempt(&replica).expect("a turn");
        post(&replica.queue, &request);
        replica.queue.expected.set(RUNNER.0);
        drop(turn);
        assert!(replica.queue.is_unattended() && request.is_invited());
        assert_eq!(replica.queue.expected.get(), expected.0);
    }
}

#[test]
fn what_is_put_back_comes_first_and_is_urgent() {
    let replica = replica(Standing::Alone);
    let [oldest, older, newer] = requests();
    let mut turn = Turn::attempt(&replica).expect("a turn");
    assert!(turn.take_posted_if_any().is_empty());
    post(&replica.queue, &oldest);
    post(&replica.queue, &older);
    let taken = turn.take_posted_if_any();
    assert!(turn.take_posted_if_any().is_empty());
    post(&replica.queue, &newer);
    turn.put_back(taken);
    assert!(!replica.queue.try_pause(RUNNER, true), "some may sleep");
    let mut taken = turn.take_posted();
    for request in [&oldest, &older, &newer] {
        assert_eq!(taken.take_front(1).into_newest(), ptr::from_ref(&**request));
    }
    assert!(taken.is_empty());
    turn.put_back(taken);
    assert!(turn.finish_idle().is_ok(), "nothing is put back");
}
