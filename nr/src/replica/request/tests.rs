//! Requests and lists of them, in the hands of one thread that plays both sides.

extern crate std;

use std::sync::Mutex;
use std::vec;

use super::*;
use crate::replica::PanicPolicy;
use crate::replica::tests::{batch, list, requests};

/// What a structure is asked for, in order: `p`refetch and e`x`ecute. Odd numbers panic.
#[derive(Default)]
struct Asked(Mutex<Vec<(char, u64)>>);

impl Dispatch for Asked {
    type ReadOperation<'a> = ();
    type WriteOperation = u64;
    type Response = u64;
    fn dispatch(&self, (): ()) -> u64 {
        0
    }
    fn dispatch_mut(&mut self, number: &u64) -> u64 {
        self.0.get_mut().expect("no panic").push(('x', *number));
        if number % 2 == 1 {
            std::panic::resume_unwind(Box::new(*number));
        }
        *number
    }
    fn prefetch(&self, number: &u64) {
        self.0.lock().expect("no panic").push(('p', *number));
    }
}

impl Asked {
    fn into_inner(self) -> Vec<(char, u64)> {
        self.0.into_inner().expect("no panic")
    }
}

/// Which of the requests are in the list, in its order.
fn indices(list: &RequestList<Asked>, of: &[Request<Asked>]) -> Vec<usize> {
    list.iter().map(|one| of.iter().position(|request| ptr::eq(one, request)).expect("one of them")).collect()
}

fn answered(requests: &[Request<Asked>]) -> Vec<bool> {
    requests.iter().map(Request::is_answered).collect()
}

#[test]
fn a_request_is_as_small_for_a_large_structure() {
    struct Sized<const BYTES: usize>([u8; BYTES]);
    impl<const BYTES: usize> Dispatch for Sized<BYTES> {
        type ReadOperation<'a> = ();
        type WriteOperation = u64;
        type Response = u64;
        fn dispatch(&self, (): ()) -> u64 {
            self.0.len() as u64
        }
        fn dispatch_mut(&mut self, op: &u64) -> u64 {
            *op
        }
    }
    assert_eq!(size_of::<Request<Sized<1>>>(), size_of::<Request<Sized<{ 1 << 20 }>>>());
    assert!(size_of::<Request<Sized<1>>>() <= 128);
}

#[test]
fn who_sleeps_is_promised_an_answer_first() {
    let request = Request::<Asked>::new(Task::CatchUp);
    assert!(!request.is_answered() && !request.is_promised());
    request.state.store(PARKED, Ordering::Relaxed);
    assert!(!request.is_answered() && !request.is_promised());
    // SAFETY: ours, and not answered.
    assert!(unsafe { !Request::answer_if_awake(&request) });
    assert!(!request.is_answered() && request.is_promised());
    // SAFETY: as above.
    unsafe { Request::answer(&request) };
    assert!(request.is_answered() && !request.is_promised());
    let awake = Request::<Asked>::new(Task::CatchUp);
    // SAFETY: as above.
    assert!(unsafe { Request::answer_if_awake(&awake) });
    assert!(awake.is_answered());
}

#[test]
fn nobody_sleeps_who_should_combine() {
    let request = Request::<Asked>::new(Task::CatchUp);
    let mut asked = 0;
    request.park_unless(|| {
        asked += 1;
        true
    });
    assert_eq!((asked, request.state.load(Ordering::Relaxed)), (1, PENDING));
    // SAFETY: ours, and not answered.
    unsafe { Request::answer(&request) };
    request.park_unless(|| unreachable!("it is answered"));
}

#[test]
fn each_is_woken_for_itself() {
    let requests = requests::<Asked>([Task::CatchUp, Task::CatchUp]);
    assert_ne!(Request::key_of(&requests[0]), Request::key_of(&requests[1]));
}

#[test]
fn the_front_has_at_least_one_and_else_no_more_than_asked_for() {
    let tasks = || vec![batch([0; 3]), Task::CatchUp, Task::one(0), batch([0; 2]), Task::one(0)];
    for (most, expected) in [(0, 1), (1, 1), (3, 2), (4, 3), (5, 3), (6, 4), (7, 5), (100, 5)] {
        let requests = requests(tasks());
        let mut all = list(&requests);
        let mut front = all.take_front(most);
        assert_eq!(indices(&front, &requests), (0..expected).collect::<Vec<_>>());
        assert_eq!(indices(&all, &requests), (expected..5).collect::<Vec<_>>());
        assert_eq!(front.operations() + all.operations(), 7);
        assert_eq!((front.is_empty(), all.is_empty()), (false, expected == 5));
    }
    assert!(RequestList::<Asked>::empty().take_front(1).is_empty());
}

#[test]
fn a_chain_turned_round_twice_is_the_same() {
    let requests = requests(vec![Task::one(0), Task::one(0), Task::one(0)]);
    let newest = list(&requests).into_newest();
    assert!(ptr::eq(newest, &requests[2]));
    // SAFETY: ours, and not posted.
    assert_eq!(indices(&unsafe { RequestList::from_newest(newest) }, &requests), [0, 1, 2]);
}

#[test]
fn those_who_only_read_are_answered_alone() {
    let requests = requests(vec![
        Task::CatchUp,
        Task::one(0),
        Task::Settle,
        Task::CatchUp,
        Task::Leave { data: None },
        batch([0]),
        Task::CatchUp,
    ]);
    let mut all = list(&requests);
    assert!(all.has_errands());
    all.answer_catch_ups();
    assert_eq!(answered(&requests), [true, false, false, true, false, false, true]);
    assert_eq!(indices(&all, &requests), [1, 2, 4, 5]);
    let mut run = 0;
    all.answer_errands(|_| run += 1);
    assert_eq!(run, 2);
    assert_eq!(answered(&requests), [true, false, true, true, true, false, true]);
    assert_eq!(indices(&all, &requests), [1, 5]);
    assert!(!all.has_errands());
    all.answer();
    assert!(answered(&requests).iter().all(|answered| *answered) && all.is_empty());
}

#[test]
fn each_operation_is_prefetched_in_time() {
    let requests =
        requests(vec![Task::one(100), batch((0..11).map(|number| 2 * number)), Task::one(102), Task::one(104)]);
    let mut asked = Asked::default();
    let asleep = list(&requests).execute(&mut asked, &Poison::new(PanicPolicy::Poison));
    assert!(asleep.is_empty() && answered(&requests).iter().all(|answered| *answered));
    // Single ones before all; those of a batch as it goes on.
    let mut expected = vec![('p', 102), ('p', 104), ('x', 100)];
    for number in 0..11 {
        let ahead = number + PREFETCH_DISTANCE as u64;
        expected.extend((ahead < 11).then_some(('p', 2 * ahead)));
        expected.push(('x', 2 * number));
    }
    expected.extend([('x', 102), ('x', 104)]);
    assert_eq!(asked.into_inner(), expected);
}

#[test]
fn a_panic_is_the_end_of_a_round_that_it_poisons() {
    for (policy, goes_on) in [(PanicPolicy::Poison, false), (PanicPolicy::Continue, true)] {
        let requests = requests(vec![Task::one(2), batch([4, 1, 6, 3]), Task::one(8), batch([10])]);
        let (mut asked, poison) = (Asked::default(), Poison::new(policy));
        let asleep = list(&requests).execute(&mut asked, &poison);
        assert!(asleep.is_empty());
        assert_eq!(poison.is_set(), !goes_on);
        let executed: Vec<u64> =
            asked.into_inner().into_iter().filter_map(|(what, number)| (what == 'x').then_some(number)).collect();
        let rest = if goes_on { &[8, 10][..] } else { &[] };
        assert_eq!(executed, [&[2, 4, 1, 6, 3], rest].concat(), "a batch is executed whole");
        let [first, second, third, fourth] = requests.try_into().ok().expect("four of them");
        assert_eq!(first.into_work().into_response().ok(), Some(2));
        let second = second.into_work();
        assert!(second.refused.is_none() && second.has_panicked());
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| second.into_responses().ok()));
        assert_eq!(panic.err().and_then(|payload| payload.downcast_ref().copied()), Some(1_u64), "the first panic");
        let (third, fourth) = (third.into_work(), fourth.into_work());
        assert!(!third.has_panicked() && !fourth.has_panicked());
        assert_eq!((third.operations(), fourth.operations()), if goes_on { (1, 1) } else { (0, 0) });
        match third.into_response() {
            Ok(response) => assert!(goes_on && response == 8),
            Err(refused) => assert!(!goes_on && refused.returned == 8 && refused.reason == Refusal::Poisoned),
        }
        match fourth.into_responses() {
            Ok(responses) => assert!(goes_on && responses == [10]),
            Err(refused) => assert!(!goes_on && refused.returned == [10] && refused.reason == Refusal::Poisoned),
        }
    }
}

#[test]
fn what_is_about_the_replica_is_not_refused() {
    let requests = requests::<Asked>([Task::CatchUp, Task::one(2), Task::Settle, batch([])]);
    list(&requests).refuse(Refusal::Removed);
    let refused: Vec<bool> = requests.into_iter().map(|request| request.into_work().refused.is_some()).collect();
    assert_eq!(refused, [false, true, false, true]);
}
