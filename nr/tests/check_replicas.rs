//! `check_replicas`: all replicas in the same state, whatever goes on meanwhile.

mod common;

use common::structures::*;
use common::*;
use nr::{CheckReplicasError, Dispatch, NodeReplicated, PanicPolicy, Place, ReplicaId};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;

fn fingerprint(journal: &Journal) -> (usize, u64) {
    (journal.entries.len(), journal.hash)
}

#[test]
fn replicas_agree_and_have_every_answered_write() {
    for_each_configuration(|configuration| {
        let journal = configuration.build(|_| Journal::default());
        for replica in journal.replica_ids() {
            let mut handle = journal.register_on(replica).unwrap();
            for step in 0..20 {
                handle.execute_mut(Note { thread: replica.index(), step });
                let (length, _) = journal.check_replicas(fingerprint).unwrap();
                assert_eq!(length, 20 * replica.index() + step + 1);
            }
        }
    });
}

/// Writers append batches of two, on all replicas, while two threads check: each sees whole batches, never fewer than before.
fn check_beside_writers(journal: &NodeReplicated<Journal>, configuration: &Configuration) {
    let batch = configuration.batch_of(2);
    let writers = 6;
    let writing = AtomicUsize::new(writers);
    run_threads(writers + 2, |thread| {
        if thread < writers {
            let _left = CountDownOnDrop(&writing);
            let replica = ReplicaId::new(thread % configuration.replicas);
            let mut handle = journal.register_on(replica).or_else(|_| journal.register()).unwrap();
            for step in 0..scaled(30) {
                handle.execute_mut_batch((0..batch).map(|_| Note { thread, step }));
            }
        } else {
            let mut before = 0;
            while writing.load(SeqCst) > 0 {
                let (length, _) = journal.check_replicas(fingerprint).unwrap_or_else(|error| panic!("{error}"));
                check!(length.is_multiple_of(batch) && length >= before, "checker {thread}: {length} after {before}");
                before = length;
            }
        }
    });
    let (length, _) = journal.check_replicas(fingerprint).unwrap();
    assert_eq!(length, writers * scaled(30) * batch);
}

#[test]
fn writers_make_no_difference() {
    for_each_configuration(|configuration| {
        check_beside_writers(&configuration.build(|_| Journal::default()), configuration);
    });
}

#[test]
fn replicas_that_come_and_go_make_no_difference() {
    for_each_configuration(|configuration| {
        let elastic = Elastic::make(configuration, |_| Journal::default());
        check_beside_writers(elastic.structure(), configuration);
    });
}

#[test]
fn those_that_differ_are_named() {
    let configuration = Configuration::new(3, Some(4));
    let counter = configuration.build(|replica| Counter(10 * (replica.index() as u64 / 2)));
    counter.register().unwrap().execute_mut(Add(1));
    let error = counter.check_replicas(|counter| counter.0).unwrap_err();
    let text = error.to_string();
    assert!(text.ends_with(":\n  replica 0: 1\n  replica 1: 1\n  replica 2: 11"), "{text}");
    let CheckReplicasError::Differ { fingerprints, .. } = error else { panic!("another error") };
    assert_eq!(fingerprints, [(ReplicaId::new(0), 1), (ReplicaId::new(1), 1), (ReplicaId::new(2), 11)]);
    counter.remove_replica(ReplicaId::new(2)).unwrap();
    assert_eq!(counter.check_replicas(|counter| counter.0), Ok(1));
}

#[test]
fn who_looks_is_no_handle_afterwards() {
    for_each_configuration(|configuration| {
        let journal = configuration.build(|_| Journal::default());
        let _handle = journal.register_on(journal.replica_ids()[0]).unwrap();
        journal.check_replicas(fingerprint).unwrap();
        let handles: Vec<usize> = journal.stats().replicas.iter().map(|replica| replica.handles).collect();
        assert_eq!((handles[0], handles.iter().sum()), (1, 1));
    });
}

#[test]
fn a_panic_of_the_fingerprint_leaves_nothing_behind() {
    for_each_configuration(|configuration| {
        let journal = configuration.build(|_| Journal::default());
        for bad in 0..configuration.replicas {
            let mut looks = 0;
            let check = || {
                journal.check_replicas(|journal| {
                    looks += 1;
                    if looks > bad { panic!("bad luck") } else { fingerprint(journal) }
                })
            };
            let payload = panic_of(AssertUnwindSafe(check));
            assert_eq!(text_of(&*payload), "bad luck");
            // Neither the log, nor a lock, nor the replicas' coming and going is held up.
            for replica in journal.replica_ids() {
                journal.register_on(replica).unwrap().execute_mut(Note { thread: 0, step: bad });
            }
            let newcomer = journal.add_replica(Place::Here).unwrap();
            journal.remove_replica(newcomer).unwrap();
        }
        let (length, _) = journal.check_replicas(fingerprint).unwrap();
        assert_eq!(length, configuration.replicas * configuration.replicas);
    });
}

/// Panics when it is told to, after half of its work.
#[derive(Clone, Default)]
struct Fragile(u64);

impl Dispatch for Fragile {
    type ReadOperation<'a> = ();
    type WriteOperation = bool;
    type Response = u64;

    fn dispatch(&self, (): ()) -> u64 {
        self.0
    }

    fn dispatch_mut(&mut self, panics: &bool) -> u64 {
        self.0 += 1;
        assert!(!panics, "told to");
        self.0
    }
}

#[test]
fn a_poisoned_structure_can_be_checked() {
    for_each_configuration(|configuration| {
        let fragile = configuration.on_panic(PanicPolicy::Poison).build(|_| Fragile(0));
        let mut handle = fragile.register().unwrap();
        handle.execute_mut(false);
        assert!(catch_unwind(AssertUnwindSafe(|| handle.execute_mut(true))).is_err());
        assert_eq!(fragile.check_replicas(|fragile| fragile.0), Ok(2));
        assert!(fragile.is_poisoned());
        fragile.clear_poison();
        assert_eq!(handle.execute_mut(false), 3);
    });
}

/// The fingerprint waits for a read on each replica that begins only then.
#[test]
fn reads_go_on_meanwhile() {
    for_each_configuration(|configuration| {
        let counter = configuration.build(|_| Counter(0));
        counter.register().unwrap().execute_mut(Add(1));
        let (ask, asked) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        thread::scope(|scope| {
            let counter = &counter;
            scope.spawn(move || {
                for () in asked {
                    for replica in counter.replica_ids() {
                        answer.send(counter.register_on(replica).unwrap().execute(Get)).unwrap();
                    }
                }
            });
            let check = counter.check_replicas(|seen| {
                ask.send(()).unwrap();
                for _ in 0..configuration.replicas {
                    assert_eq!(answers.recv(), Ok(1));
                }
                seen.0
            });
            assert_eq!(check, Ok(1));
            drop(ask);
        });
    });
}

/// They wait for its end, where there are several replicas, and get stuck nowhere.
#[test]
fn writes_that_begin_during_a_check_are_executed() {
    for_each_configuration(|configuration| {
        let counter = configuration.build(|_| Counter(0));
        thread::scope(|scope| {
            let (counter, begun) = (&counter, &Mutex::new(false));
            let check = counter.check_replicas(|seen| {
                if !std::mem::replace(&mut *begun.lock().unwrap(), true) {
                    for replica in (0..configuration.replicas).map(ReplicaId::new) {
                        let (started, has_started) = mpsc::channel();
                        scope.spawn(move || {
                            let mut handle = counter.register_on(replica).unwrap();
                            started.send(()).unwrap();
                            handle.execute_mut(Add(1));
                        });
                        has_started.recv().unwrap();
                        thread::yield_now();
                    }
                }
                seen.0
            });
            assert!(check.is_ok_and(|seen| seen <= configuration.replicas as u64));
        });
        assert_eq!(counter.check_replicas(|counter| counter.0), Ok(configuration.replicas as u64));
    });
}

#[test]
fn fingerprints_are_taken_by_the_caller() {
    for_each_configuration(|configuration| {
        let counter = configuration.build(|_| Counter(0));
        let caller = thread::current().id();
        let mut looks = 0;
        let check = counter.check_replicas(|_| {
            looks += 1;
            assert_eq!(thread::current().id(), caller);
        });
        assert_eq!(check, Ok(()));
        assert_eq!(looks, configuration.replicas, "nobody wrote, so one look at each is enough");
    });
}
