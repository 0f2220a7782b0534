//! `into_inner`: the structure, up to date; everything else is dropped, once.

mod common;

use common::structures::*;
use common::tracked::{Counting, Ledger, Tracked};
use common::*;
use nr::{Dispatch, ReplicaId};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::*};

both! {
    it_is_up_to_date: Journal,
    it_is_what_was_put_in: Counter,
}

fn it_is_up_to_date<S: Shared<Journal>>(configuration: &Configuration) {
    for writer in 0..configuration.replicas {
        for writes in [1, 2, 5, 33] {
            let shared = S::make(configuration, |_| Journal::default());
            let mut handle = shared.handle(writer);
            for step in 0..writes {
                handle.execute_mut(Note { thread: writer, step });
            }
            drop(handle);
            let notes = shared.into_inner().notes();
            assert!(notes.into_iter().eq((0..writes).map(|step| (writer, step))), "{writes} writes on {writer}");
        }
    }
    let shared = S::make(configuration, |_| Journal::default());
    let each = scaled(20);
    run_threads(MANY_THREADS, |thread| {
        let mut handle = shared.handle(thread);
        for step in 0..each {
            handle.execute_mut(Note { thread, step });
        }
    });
    let mut notes = shared.into_inner().notes();
    notes.sort_unstable();
    assert!(notes.into_iter().eq((0..MANY_THREADS).flat_map(|thread| (0..each).map(move |step| (thread, step)))));
}

fn it_is_what_was_put_in<S: Shared<Counter>>(configuration: &Configuration) {
    assert_eq!(S::make(configuration, |_| Counter(7)).into_inner().0, 7);
}

/// A replica that counts itself; not `Clone`.
struct Alive {
    counting: Counting,
    alive: Arc<AtomicUsize>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, SeqCst);
    }
}

impl Dispatch for Alive {
    type ReadOperation<'a> = ();
    type WriteOperation = Tracked;
    type Response = usize;

    fn dispatch(&self, (): ()) -> usize {
        self.counting.dispatch(()).number
    }

    fn dispatch_mut(&mut self, op: &Tracked) -> usize {
        self.counting.dispatch_mut(op).number
    }
}

#[test]
fn the_other_replicas_and_all_operations_are_dropped() {
    for_each_configuration(|configuration| {
        for operations in [0, 1, 6, 40] {
            let ledger = Ledger::new(configuration.replicas, operations);
            let alive = Arc::new(AtomicUsize::new(0));
            let nr = configuration.build(|id| {
                alive.fetch_add(1, SeqCst);
                Alive { counting: Counting::new(id.index(), &ledger), alive: Arc::clone(&alive) }
            });
            for number in 0..operations {
                let writer = ReplicaId::new(number * number % configuration.replicas);
                assert_eq!(nr.register_on(writer).expect("a handle").execute_mut(ledger.op(number)), number);
            }
            assert_eq!(alive.load(SeqCst), configuration.replicas);
            let inner = nr.into_inner();
            assert_eq!(alive.load(SeqCst), 1, "one replica is left");
            assert_eq!(inner.counting.ran, operations as u64, "it has run everything");
            assert_eq!(inner.dispatch(()), operations);
            ledger.assert_dropped_once();
            assert_eq!(ledger.live_answers(), 0);
            for number in 0..operations {
                assert_eq!(ledger.executed(inner.counting.replica, number), 1, "operation {number}");
            }
            drop(inner);
            assert_eq!(alive.load(SeqCst), 0);
        }
    });
}
