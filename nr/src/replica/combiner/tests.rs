//! What a combiner decides, step by step, in one thread: when it waits for more to do before it begins, what it serves and hands back, when
//! it leaves, what it counts, when a round is completed. Much of that is speed, about which models and histories say nothing.

extern crate std;

use std::sync::OnceLock;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::replica::tests::{self, PROCESSORS, list, requests, two_replicas};
use crate::sync::Counter;
use crate::{Handle, NodeReplicated};

struct Count(u64);

impl Dispatch for Count {
    type ReadOperation<'a> = ();
    type WriteOperation = u64;
    type Response = u64;
    fn dispatch(&self, (): ()) -> u64 {
        self.0
    }
    fn dispatch_mut(&mut self, amount: &u64) -> u64 {
        self.0 += amount;
        self.0
    }
}

/// With a log that has room for all that is done here.
fn structure() -> NodeReplicated<Count> {
    two_replicas(1024, |_| Count(0))
}

fn register(structure: &NodeReplicated<Count>, handles: usize) -> Vec<Handle<'_, Count>> {
    let replica = structure.replica_ids()[0];
    (0..handles).map(|_| structure.register_on(replica).expect("a handle")).collect()
}

/// What a combiner of the first replica has when it has gathered: it begins with `first`, another operation is posted.
fn gather(structure: &NodeReplicated<Count>, first: Option<Task<Count>>) -> usize {
    let set = structure.set();
    let replica = set.replica(0).expect("the first");
    let first = first.map(Request::new);
    let posted = Request::new(Task::one(1));
    let mut turn = Turn::attempt(replica).expect("a turn");
    // SAFETY: it stays where it is until the turn is over, with which nothing is posted any more.
    assert!(unsafe { Turn::or_post(replica, &posted, Caller::NONE) }.is_none());
    let mut requests = match &first {
        // SAFETY: ours, not posted, and gone when the list is.
        Some(first) => unsafe { RequestList::of_one(first) },
        None => RequestList::empty(),
    };
    set.gather(&mut turn, &mut requests);
    let gathered = requests.operations();
    turn.take_posted();
    turn.finish_idle().ok().expect("nothing is posted");
    gathered
}

/// Whether a combiner that begins with one operation waits for the one that is posted: sometimes, since it may not have the
/// processor while it should.
fn gathers(structure: &NodeReplicated<Count>) -> bool {
    (0..1000).any(|_| gather(structure, Some(Task::one(1))) == 2)
}

/// As if the last write phase had taken so long.
fn pretend(structure: &NodeReplicated<Count>, last_phase: u64) {
    structure.set().replica(0).expect("the first").combining.last_phase.set(last_phase);
}

const LONG: u64 = 1 << 40;

#[test]
fn it_gathers_as_many_as_there_are_handles() {
    let structure = structure();
    let _handles = register(&structure, 2);
    pretend(&structure, LONG);
    assert!(structure.set().replica(0).is_some_and(|replica| replica.is_gathering()));
    assert!(gathers(&structure));
    assert_eq!(gather(&structure, None), 0, "there is nothing to wait with");
}

#[test]
fn it_waits_for_a_part_of_the_last_phase_and_no_longer() {
    assert_eq!(longest_gathering(0), 0);
    assert_eq!(longest_gathering(GATHERING - 1), 0);
    assert_eq!(longest_gathering(7 * GATHERING), 7);
    assert_eq!(longest_gathering(LONG), LONGEST_GATHERING);
    let structure = structure();
    let _handles = register(&structure, PROCESSORS);
    pretend(&structure, LONG);
    assert!(gathers(&structure), "and then it goes on with those there are");
}

#[test]
fn it_begins_at_once_if_it_is_not_worth_it() {
    let structure = structure();
    let handles = register(&structure, 2);
    pretend(&structure, 0);
    assert!(structure.set().replica(0).is_some_and(|replica| !replica.is_gathering()));
    assert_eq!(gather(&structure, Some(Task::one(1))), 1);
    drop(handles);
    pretend(&structure, LONG);
    let handles = register(&structure, 1);
    assert_eq!(gather(&structure, Some(Task::one(1))), 1, "there is nobody to wait for");
    drop(handles);
    let _handles = register(&structure, PROCESSORS + 1);
    assert_eq!(gather(&structure, Some(Task::one(1))), 1, "who would post may not be running");
}

#[test]
fn it_begins_at_once_if_others_wait() {
    let structure = structure();
    let _handles = register(&structure, 2);
    pretend(&structure, LONG);
    assert_eq!(gather(&structure, Some(Task::CatchUp)), 0);
    let mut other = structure.register_on(structure.replica_ids()[1]).expect("a handle");
    other.execute_mut(5);
    assert_eq!(gather(&structure, Some(Task::one(1))), 1, "there is something to replay");
}

#[test]
fn a_replica_alone_does_not_gather() {
    let structure = structure();
    structure.remove_replica(structure.replica_ids()[1]).expect("two replicas");
    let _handles = register(&structure, 2);
    pretend(&structure, LONG);
    assert_eq!(gather(&structure, Some(Task::one(1))), 1);
}

#[test]
fn it_is_crowded_with_more_handles_than_processors() {
    let structure = structure();
    let mut handles = register(&structure, PROCESSORS - 1);
    let other = structure.replica_ids()[1];
    handles.push(structure.register_on(other).expect("a handle"));
    assert!(!structure.set().is_crowded());
    handles.push(structure.register_on(other).expect("a handle"));
    assert!(structure.set().is_crowded());
    handles.pop();
    assert!(!structure.set().is_crowded());
}

#[test]
fn long_phases_beside_readers_are_worth_it() {
    let structure = structure();
    let mut handle = register(&structure, 1).remove(0);
    let is_gathering = || structure.set().replica(0).is_some_and(|replica| replica.is_gathering());
    let batch = |handle: &mut Handle<'_, Count>, operations: u64| {
        handle.execute_mut_batch(vec![1; operations as usize]);
        is_gathering()
    };
    assert!(!batch(&mut handle, FEW + 1), "nobody has read");
    handle.execute(());
    assert!(batch(&mut handle, FEW + 1));
    assert!(!batch(&mut handle, FEW + 1), "nobody has read since");
    handle.execute(());
    assert!(!batch(&mut handle, FEW), "these are few");
    handle.execute(());
    assert!(batch(&mut handle, FEW + 1));
    structure.remove_replica(structure.replica_ids()[1]).expect("two replicas");
    assert!(!is_gathering(), "what comes is not like what was");
}

#[test]
fn a_lone_writer_gathers_where_it_is_worth_it() {
    let structure = structure();
    let mut handle = register(&structure, 1).remove(0);
    let counters = &structure.set().replica(0).expect("the first").counters;
    handle.execute_mut(1);
    assert_eq!((counters.lone.get(), counters.rounds.get()), (1, 0));
    pretend(&structure, LONG);
    handle.execute_mut(1);
    assert_eq!((counters.lone.get(), counters.rounds.get()), (1, 1));
}

#[test]
fn a_poisoned_structure_and_a_replica_that_is_gone_hand_everything_back() {
    fn is_refused<R>(outcome: Result<R, Refused<Vec<u64>>>, reason: Refusal) -> bool {
        outcome.is_err_and(|refused| refused.reason == reason && refused.returned == [7])
    }
    for (replicas, reason) in [(1, Refusal::Poisoned), (2, Refusal::Poisoned), (2, Refusal::Removed)] {
        let structure = structure();
        if replicas == 1 {
            structure.remove_replica(structure.replica_ids()[1]).expect("two replicas");
        }
        match reason {
            Refusal::Poisoned => structure.set().poison().report(),
            Refusal::Removed => structure.remove_replica(structure.replica_ids()[0]).expect("two replicas"),
        }
        let (set, caller) = (structure.set(), Caller::NONE);
        let replica = set.replica(0).expect("the first");
        let one = set.execute_mut(replica, caller, 7);
        assert!(is_refused(
            one.map_err(|Refused { reason, returned }| Refused { reason, returned: vec![returned] }),
            reason
        ));
        assert!(is_refused(set.execute_mut_batch(replica, caller, vec![7]), reason));
        assert!(Turn::attempt_idle(replica).is_some(), "nobody combines");
        // SAFETY: the cell is the replica's, and has been assigned.
        let read = unsafe { set.read(replica, replica.lock.cell(replica.enlist()), caller, vec![7], |_, _| ()) };
        assert!(is_refused(read, reason));
        assert_eq!(structure.stats().operations(), 0);
    }
}

/// A batch of so many.
fn batch(operations: usize) -> Task<Count> {
    tests::batch(vec![1; operations])
}

#[test]
fn catching_up_on_nothing_keeps_no_readers_out() {
    let structure = structure();
    let set = structure.set();
    let replica = set.replica(0).expect("the first");
    let mut turn = Turn::attempt(replica).expect("a turn");
    let catch_up = |_: &Count, ()| set.catch_up_now(set.log().expect("two replicas"), &mut turn);
    // A write phase would wait for this reader for ever.
    // SAFETY: the cell is the lock's, and has been assigned.
    assert!(unsafe { replica.lock.read(replica.lock.cell(replica.enlist()), (), catch_up) }.is_ok());
}

#[test]
fn served_counts_operations_and_errands() {
    let structure = structure();
    let set = structure.set();
    for (tasks, served) in [
        (vec![Task::one(1)], 1),
        (vec![Task::one(1), batch(3)], 4),
        (vec![batch(0)], 1),
        (vec![batch(0), Task::one(1), batch(0), batch(2), batch(0)], 3),
        (vec![Task::CatchUp], 1),
        (vec![Task::CatchUp, Task::CatchUp, batch(2)], 3),
        (vec![], 0),
    ] {
        let requests = requests(tasks);
        let mut turn = Turn::attempt(set.replica(0).expect("the first")).expect("a turn");
        let mut asleep = RequestList::empty();
        let of = list(&requests);
        assert_eq!(set.serve(&mut turn, of, Patience::Any, &mut asleep, &mut Garbage::new()), Some(served));
        assert!(requests.iter().all(|request| request.is_answered()));
    }
}

/// Combines for these, with one more posted, and something to be dropped: whether that one is answered too.
fn answers_one_more(structure: &NodeReplicated<Count>, tasks: Vec<Task<Count>>, garbage: usize) -> bool {
    const CALLER: Caller = Caller::NONE;
    let replica = structure.set().replica(0).expect("the first");
    let in_hand = requests(tasks);
    let [posted, own] = &requests(vec![Task::one(1), Task::CatchUp])[..] else { unreachable!() };
    let turn = Turn::attempt(replica).expect("a turn");
    // SAFETY: they stay where they are until they are answered.
    assert!(unsafe { Turn::or_post(replica, posted, CALLER) }.is_none());
    let mut garbage = Garbage::from(vec![1; garbage]);
    structure.set().combine(turn, CALLER, list(&in_hand), Patience::Any, &mut garbage);
    assert!(in_hand.iter().all(|request| request.is_answered()));
    let is_answered = posted.is_answered();
    assert_eq!(replica.queue.is_handed_over(), !is_answered);
    assert_eq!(posted.is_invited(), !is_answered);
    // Serves what is left.
    // SAFETY: as above.
    let turn = unsafe { Turn::or_post(replica, own, CALLER) }.expect("nobody combines");
    structure.set().combine_own(turn, CALLER, own, Patience::Any, &mut Garbage::new());
    assert!(posted.is_answered() && own.is_answered());
    assert!(Turn::attempt_idle(replica).is_some());
    is_answered
}

#[test]
fn who_has_combined_for_many_leaves() {
    for replicas in [2, 1] {
        let structure = structure();
        if replicas == 1 {
            structure.remove_replica(structure.replica_ids()[1]).expect("two replicas");
        }
        assert!(answers_one_more(&structure, vec![Task::one(1)], 0));
        assert!(answers_one_more(&structure, vec![batch(COMBINING_LIMIT - 1)], 0));
        assert!(!answers_one_more(&structure, vec![batch(COMBINING_LIMIT)], 0));
        assert!(!answers_one_more(&structure, vec![batch(COMBINING_LIMIT - 2), Task::one(1), Task::one(1)], 0));
        assert!(answers_one_more(&structure, vec![Task::one(1)], COMBINING_LIMIT - 1));
        assert!(!answers_one_more(&structure, vec![Task::one(1)], COMBINING_LIMIT), "there is much to be dropped");
    }
}

#[test]
fn who_leaves_is_expected_back_on_one_of_several_replicas() {
    for (replicas, is_handed_over) in [(2, false), (1, true)] {
        let structure = structure();
        if replicas == 1 {
            structure.remove_replica(structure.replica_ids()[1]).expect("two replicas");
        }
        let set = structure.set();
        let replica = set.replica(0).expect("the first");
        let caller = set.new_caller();
        let [posted, own] = &requests(vec![Task::one(1), batch(COMBINING_LIMIT)])[..] else { unreachable!() };
        let turn = Turn::attempt(replica).expect("a turn");
        // SAFETY: it stays where it is until it is answered.
        assert!(unsafe { Turn::or_post(replica, posted, Caller::NONE) }.is_none());
        // Else there would be a run on the only replica.
        replica.queue.insist();
        set.combine(turn, caller, list(core::slice::from_ref(own)), Patience::Any, &mut Garbage::new());
        assert_eq!(replica.queue.is_handed_over(), is_handed_over);
        assert!(replica.queue.is_unattended() && !posted.is_answered());
        set.combine_posted(Turn::attempt(replica).expect("a turn"), caller, Patience::Any, &mut Garbage::new());
        assert!(posted.is_answered());
    }
}

#[test]
fn a_lone_writer_answers_what_was_posted_meanwhile() {
    let structure = structure();
    structure.remove_replica(structure.replica_ids()[1]).expect("two replicas");
    let set = structure.set();
    let replica = set.replica(0).expect("the first");
    let posted = Request::new(Task::one(1));
    let turn = Turn::attempt(replica).expect("a turn");
    // SAFETY: it stays where it is until it is answered.
    assert!(unsafe { Turn::or_post(replica, &posted, Caller::NONE) }.is_none());
    replica.queue.insist();
    assert_eq!(set.execute_alone(DropContained::new(5), turn, set.new_caller()), 5);
    assert!(posted.is_answered());
}

#[test]
fn lone_operations_and_rounds_are_counted_apart() {
    let structure = structure();
    let mut handle = register(&structure, 1).remove(0);
    let counts = |structure: &NodeReplicated<Count>| {
        let counters = &structure.set().replica(0).expect("the first").counters;
        [&counters.lone, &counters.rounds, &counters.operations, &counters.replayed].map(Counter::get)
    };
    handle.execute_mut(1);
    handle.execute_mut_batch(vec![1; 3]);
    handle.execute_mut_batch(vec![]);
    assert_eq!(counts(&structure), [1, 1, 3, 0]);
    structure.register_on(structure.replica_ids()[1]).expect("a handle").execute_mut(1);
    handle.execute(());
    assert_eq!(counts(&structure), [1, 1, 3, 1]);
    structure.remove_replica(structure.replica_ids()[1]).expect("two replicas");
    handle.execute_mut(1);
    handle.execute_mut_batch(vec![1; 2]);
    handle.execute_mut_batch(vec![]);
    assert_eq!(counts(&structure), [2, 2, 5, 1]);
}

#[test]
fn plain_values_are_reclaimed_at_half() {
    let structure = two_replicas(64, |_| Count(0));
    let mut handle = register(&structure, 1).remove(0);
    let mut reclaimed_after = |operations| {
        for _ in 0..operations {
            handle.execute_mut(1);
        }
        structure.sync();
        structure.stats().log.expect("two replicas").reclaimed
    };
    assert_eq!(reclaimed_after(20), 0);
    assert_eq!(reclaimed_after(11), 0);
    // Up to where the other replica has been.
    assert_eq!(reclaimed_after(1), 31);
    assert_eq!(reclaimed_after(30), 31);
    assert_eq!(reclaimed_after(1), 62);
}

#[test]
fn beside_readers_a_round_is_completed_late() {
    static STRUCTURE: OnceLock<NodeReplicated<Looks>> = OnceLock::new();

    /// Notes how far everything is completed while an operation is executed.
    struct Looks(Vec<u64>);

    impl Dispatch for Looks {
        type ReadOperation<'a> = ();
        type WriteOperation = ();
        type Response = Vec<u64>;
        fn dispatch(&self, (): ()) -> Vec<u64> {
            self.0.clone()
        }
        fn dispatch_mut(&mut self, (): &()) -> Vec<u64> {
            let log = STRUCTURE.get().and_then(|structure| structure.set().log()).expect("two replicas have a log");
            self.0.push(log.completed());
            self.0.clone()
        }
    }

    let structure = STRUCTURE.get_or_init(|| two_replicas(64, |_| Looks(Vec::new())));
    let mut handle = structure.register_on(structure.replica_ids()[0]).expect("a handle");
    assert_eq!(handle.execute_mut(()), [1], "nobody reads");
    handle.execute(());
    assert_eq!(handle.execute_mut(()), [1, 1], "who reads elsewhere does not wait for it");
    assert_eq!(handle.execute_mut(()), [1, 1, 3], "nobody has read since");
}
