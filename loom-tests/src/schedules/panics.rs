//! Operations that panic: each panic reaches the thread whose operation it was, and nobody waits for ever.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use nr_loom_tests::{Dispatch, NodeReplicated, PanicPolicy};

use crate::search::{builder, replica_of, search, step, together};
use crate::structures::assert_dense;

/// Counts the operations, and knows whether one of them has panicked.
#[derive(Clone, Default)]
struct Fragile {
    executed: u64,
    is_broken: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Change {
    Count,
    /// Counts, and panics with what it would have answered.
    Break,
}

use Change::{Break, Count};

impl Dispatch for Fragile {
    type ReadOperation<'a> = ();
    type WriteOperation = Change;
    type Response = u64;

    fn dispatch(&self, (): ()) -> u64 {
        self.executed
    }

    fn dispatch_mut(&mut self, change: &Change) -> u64 {
        let before = self.executed;
        self.executed += 1;
        if *change == Break {
            self.is_broken = true;
            step();
            // Past the panic hook, which would keep every schedule.
            resume_unwind(Box::new(before));
        }
        before
    }
}

fn fragile(replicas: usize, policy: PanicPolicy) -> NodeReplicated<Fragile> {
    builder(replicas, 8).on_panic(policy).build_with(|_| Fragile::default()).unwrap()
}

/// What a call returns, or what it panics with: for a call that has to panic exactly if `panics`.
fn outcome<R>(panics: bool, call: impl FnOnce() -> R, of_panic: impl FnOnce(u64) -> R) -> R {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(answer) if !panics => answer,
        Ok(_) => panic!("the panic has not come here"),
        Err(payload) => match payload.downcast::<u64>() {
            Ok(position) if panics => of_panic(*position),
            Ok(_) => panic!("a panic of somebody else's operation"),
            Err(other) => resume_unwind(other),
        },
    }
}

/// Five threads with operations and batches of which some panic; the structure goes on.
fn panics_go_home(replicas: usize) {
    let fragile = fragile(replicas, PanicPolicy::Continue);
    let answers = together(5, |thread| {
        let mut handle = fragile.register_on(replica_of(thread, replicas)).unwrap();
        let mut answers = Vec::new();
        for turn in 0..4 {
            // With a payload that is this operation's own: the position that nobody else is told.
            let change = if (turn + thread) % 2 == 0 { Break } else { Count };
            answers.push(outcome(change == Break, || handle.execute_mut(change), |position| position));
        }
        let batch = [Count, if thread % 2 == 0 { Break } else { Count }, Count];
        let call = || handle.execute_mut_batch(batch);
        answers.extend(outcome(thread % 2 == 0, call, |middle| vec![middle - 1, middle, middle + 1]));
        answers
    });
    assert!(!fragile.is_poisoned());
    assert_dense(&answers);
    for replica in fragile.replica_ids() {
        assert_eq!(fragile.register_on(replica).unwrap().execute(()), 35, "{replica}");
    }
}

/// Fails if a batch keeps its panic to itself, or if a round's first result goes astray.
#[test]
fn panics_go_home_on_three_replicas() {
    search(|| panics_go_home(3));
}

/// Fails if a batch keeps its panic to itself, or if who leaves wakes nobody.
#[test]
fn panics_go_home_on_the_only_replica() {
    search(|| panics_go_home(1));
}

/// One operation panics and poisons: who comes later is refused, and what is refused is executed nowhere; nobody reads what the panic has
/// left.
fn poison_is_seen(replicas: usize) {
    let fragile = fragile(replicas, PanicPolicy::Poison);
    let answers = together(5, |thread| {
        let mut handle = fragile.register_on(replica_of(thread, replicas)).unwrap();
        if thread == 4 {
            for _ in 0..4 {
                if let Ok(is_broken) = handle.try_read(|fragile| fragile.is_broken) {
                    assert!(!is_broken, "a read was let in to what a panic has left");
                }
            }
            return Vec::new();
        }
        let mut answers = Vec::new();
        for turn in 0..4 {
            let breaks = thread == 0 && turn == 2;
            let call = || handle.try_execute_mut(if breaks { Break } else { Count });
            match outcome(breaks, call, Ok) {
                Ok(position) => answers.push(position),
                Err(refused) => {
                    assert!(fragile.is_poisoned(), "refused without a reason");
                    assert!(refused.into_returned() == Count);
                    return answers;
                }
            }
        }
        answers
    });
    assert!(fragile.is_poisoned());
    assert_dense(&answers);
    assert_eq!(fragile.into_inner().executed, answers.concat().len() as u64, "what is refused is not executed");
}

/// Fails if only the replica whose operation it was reports the panic.
#[test]
fn poison_is_seen_on_three_replicas() {
    search(|| poison_is_seen(3));
}

/// Fails if a writer that executes its own operation does not report its panic, or if one that serves others doesn't.
#[test]
fn poison_is_seen_on_the_only_replica() {
    search(|| poison_is_seen(1));
}

/// Every thread has an operation that panics, and clears the poison when it is refused: once it is cleared, no replica that comes to the
/// same panic later brings it back.
///
/// Fails if a report poisons whether or not it has been made before.
#[test]
fn what_is_cleared_stays_so() {
    search(|| {
        let fragile = fragile(3, PanicPolicy::Poison);
        let answers = together(4, |thread| {
            let mut handle = fragile.register_on(replica_of(thread, 2)).unwrap();
            let mut answers = Vec::new();
            for turn in 0..3 {
                let change = if turn == 1 { Break } else { Count };
                let answer = loop {
                    // A refusal is no panic, so who is refused tries again.
                    match catch_unwind(AssertUnwindSafe(|| handle.try_execute_mut(change))) {
                        Ok(Err(_)) => fragile.clear_poison(),
                        Ok(Ok(position)) => break outcome(change == Break, || position, |position| position),
                        Err(payload) => {
                            break outcome(change == Break, || resume_unwind(payload), |position| position);
                        }
                    }
                };
                answers.push(answer);
            }
            answers
        });
        assert_dense(&answers);
        fragile.clear_poison();
        fragile.sync();
        assert!(!fragile.is_poisoned(), "poisoned by a panic that was cleared");
        assert_eq!(fragile.into_inner().executed, 12);
    });
}
