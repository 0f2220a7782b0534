//! Guarantee 8: registration is cheap, unlimited over time and at once, and possible at any moment; which replica a
//! handle gets; what owned handles keep alive.

mod common;

use common::structures::*;
use common::*;
use nr::{Builder, Dispatch, Handle, NodeReplicated, OwnedHandle, RegisterError, ReplicaId, Replicas, Topology};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::sync::{Arc, mpsc};
use std::thread;

fn handles<D: Dispatch>(nr: &NodeReplicated<D>) -> usize {
    nr.stats().replicas.iter().map(|replica| replica.handles).sum()
}

#[test]
fn a_hundred_thousand_one_after_the_other() {
    for replicas in [1, 2, 4] {
        in_configuration(&Configuration::new(replicas, Some(4)), |configuration| {
            let nr = Arc::new(configuration.build(|_| Counter::default()));
            for n in 0..100_000 / 3 {
                if n % 2 == 0 {
                    let mut handle = nr.register().expect("a handle");
                    if n % 1000 == 0 {
                        handle.execute_mut(Add(1));
                    }
                } else {
                    drop(nr.register_owned().expect("a handle"));
                }
            }
            assert_eq!(handles(&nr), 0, "every slot is given back");
            assert_eq!(nr.handle(0).execute(Get), (100_000_u64 / 3).div_ceil(1000));
        });
    }
}

#[test]
fn ten_thousand_at_once() {
    for replicas in [1, 2, 4] {
        in_configuration(&Configuration::new(replicas, None), |configuration| {
            let nr = Arc::new(configuration.build(|_| Counter::default()));
            let mut borrowed: Vec<_> = (0..5000).map(|n| nr.handle(n)).collect();
            let mut owned: Vec<_> =
                (0..5000).map(|n| nr.register_owned_on(ReplicaId::new(n % replicas)).expect("a handle")).collect();
            assert_eq!(handles(&nr), 10_000);
            // Each of them works, the last as the first.
            for (position, (one, other)) in (0..).zip(borrowed.iter_mut().zip(&mut owned)) {
                assert_eq!(one.execute_mut(Add(1)), 2 * position);
                assert_eq!(other.execute_mut(Add(1)), 2 * position + 1);
                assert_eq!(one.execute(Get), 2 * position + 2);
            }
            borrowed.truncate(10);
            owned.truncate(10);
            assert_eq!(handles(&nr), 20);
            assert_eq!(owned[9].read(|counter| counter.0), 10_000);
            drop((borrowed, owned));
            assert_eq!(handles(&nr), 0);
        });
    }
}

/// Handles come and go while others combine: nobody's operation is lost, and no newcomer gets an old answer.
#[test]
fn while_others_combine() {
    for_each_configuration(|configuration| {
        let nr = Arc::new(configuration.build(|_| Journal::default()));
        let each = scaled(30);
        let answers = run_threads(MANY_THREADS, |thread| {
            let mut kept = nr.handle(thread);
            (0..each)
                .map(|step| {
                    let note = Note { thread, step };
                    let at = match step % 4 {
                        0 => kept.execute_mut(note),
                        1 => nr.handle(thread + step).execute_mut(note),
                        2 => nr.register().expect("a handle").execute_mut(note),
                        _ => nr.register_owned().expect("a handle").execute_mut(note),
                    };
                    let mut reader = nr.register().expect("a handle");
                    check!(reader.execute(Len) > at, "thread {thread}, step {step}");
                    at
                })
                .collect::<Vec<_>>()
        });
        assert_eq!(handles(&nr), 0);
        let notes = Arc::into_inner(nr).expect("no handle is left").into_inner().notes();
        for (thread, answers) in answers.into_iter().enumerate() {
            for (step, at) in answers.into_iter().enumerate() {
                assert_eq!(notes[at], (thread, step));
            }
        }
    });
}

/// A handle is `Send`: it may be used and dropped elsewhere than where it was made.
#[test]
fn sent_to_another_thread() {
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Counter::default());
        let (send, receive) = mpsc::channel::<(usize, Handle<'_, Counter>)>();
        thread::scope(|scope| {
            let elsewhere = scope.spawn(|| {
                for (n, mut handle) in receive {
                    assert_eq!(handle.replica_id().index(), n % configuration.replicas);
                    assert!(handle.execute_mut(Add(1)) >= n as u64);
                }
            });
            for n in 0..20 {
                let mut handle = nr.handle(n);
                handle.execute_mut(Add(1));
                send.send((n, handle)).expect("the other thread listens");
            }
            drop(send);
            elsewhere.join().expect("no panic");
        });
        assert_eq!(nr.handle(0).execute(Get), 40);
        assert_eq!(handles(&nr), 0);
    });
}

#[test]
fn there_is_no_such_replica() {
    for_each_configuration(|configuration| {
        let nr = Arc::new(configuration.build(|_| Counter::default()));
        let last = configuration.replicas - 1;
        for id in [configuration.replicas, configuration.replicas + 1, 1000, usize::MAX] {
            let borrowed = nr.register_on(ReplicaId::new(id)).map(drop).expect_err("out of range");
            let owned = nr.register_owned_on(ReplicaId::new(id)).map(drop).expect_err("out of range");
            for error in [borrowed, owned] {
                assert!(matches!(error, RegisterError::NoSuchReplica { .. }));
                let text = error.to_string();
                assert!(text.contains(&id.to_string()), "`{text}` names what was asked for, {id}");
                assert!(text.contains(&format!("0 to {last}")), "`{text}` names the range, 0 to {last}");
            }
        }
        assert_eq!(handles(&nr), 0, "a refused handle holds no slot");
        for id in 0..configuration.replicas {
            assert_eq!(nr.register_on(ReplicaId::new(id)).expect("in range").replica_id(), ReplicaId::new(id));
            assert_eq!(nr.register_owned_on(ReplicaId::new(id)).expect("in range").replica_id().index(), id);
        }
    });
}

#[test]
fn an_owned_handle_keeps_the_structure_alive() {
    for_each_configuration(|configuration| {
        let nr = Arc::new(configuration.build(|_| Counter::default()));
        let mut first = nr.register_owned().expect("a handle");
        let mut second = nr.register_owned().expect("a handle");
        drop(nr);
        first.execute_mut(Add(1));
        drop(first);
        assert_eq!(second.execute_mut(Add(1)), 1);
        assert_eq!(second.execute(Get), 2);
    });
}

/// The last owned handle drops the structure, once, with everything in it, on whichever thread.
#[test]
fn the_last_owned_handle_drops_the_structure() {
    struct Alive(Arc<AtomicUsize>);
    impl Alive {
        fn new(count: &Arc<AtomicUsize>) -> Self {
            count.fetch_add(1, SeqCst);
            Self(Arc::clone(count))
        }
    }
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, SeqCst);
        }
    }
    impl Dispatch for Alive {
        type ReadOperation<'a> = ();
        type WriteOperation = Alive;
        type Response = ();
        fn dispatch(&self, (): ()) {}
        fn dispatch_mut(&mut self, _: &Alive) {}
    }
    for_each_configuration(|configuration| {
        let alive = Arc::new(AtomicUsize::new(0));
        let nr = Arc::new(configuration.build(|_| Alive::new(&alive)));
        let handles: Vec<_> = (0..4).map(|_| nr.register_owned().expect("a handle")).collect();
        drop(nr);
        let threads: Vec<_> = handles
            .into_iter()
            .map(|mut handle| {
                let alive = Arc::clone(&alive);
                thread::spawn(move || (0..3).for_each(|_| handle.execute_mut(Alive::new(&alive))))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(alive.load(SeqCst), 0);
    });
}

/// Neither kind of handle asks for `'static`: a structure may borrow from the stack.
#[test]
fn a_structure_that_borrows() {
    struct Words<'text> {
        text: &'text [String],
        chosen: Vec<&'text str>,
    }
    impl<'text> Dispatch for Words<'text> {
        type ReadOperation<'a> = ();
        type WriteOperation = &'text str;
        type Response = usize;
        fn dispatch(&self, (): ()) -> usize {
            self.chosen.len()
        }
        fn dispatch_mut(&mut self, op: &&'text str) -> usize {
            assert!(self.text.iter().any(|word| word == op));
            self.chosen.push(op);
            self.chosen.len()
        }
    }
    for_each_configuration(|configuration| {
        let text: Vec<String> = (0..8).map(|n| format!("word {n}")).collect();
        let nr = Arc::new(configuration.build(|_| Words { text: &text, chosen: Vec::new() }));
        thread::scope(|scope| {
            for word in &text {
                let mut owned = nr.register_owned().expect("a handle");
                let mut borrowed = nr.register().expect("a handle");
                scope.spawn(move || {
                    owned.execute_mut(word.as_str());
                    borrowed.execute_mut(word.as_str());
                    assert!(owned.execute(()) >= 2);
                });
            }
        });
        let mut chosen = Arc::into_inner(nr).expect("no handle is left").into_inner().chosen;
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen, text);
    });
}

/// Equally near replicas are taken in turn.
#[test]
fn spread_over_the_replicas_of_a_node() {
    for replicas in [1, 2, 3, 4, 7] {
        let one_node = Topology::from_nodes(std::iter::once(0..1024)).expect("a sound topology");
        let nr = Arc::new(
            Builder::default()
                .topology(one_node)
                .replicas(Replicas::Count(NonZeroUsize::new(replicas).expect("not 0")))
                .build_with(|_| Counter::default())
                .expect("it builds"),
        );
        let borrowed: Vec<_> = (0..5 * replicas).map(|_| nr.register().expect("a handle")).collect();
        let owned: Vec<_> = (0..5 * replicas).map(|_| nr.register_owned().expect("a handle")).collect();
        assert!(nr.stats().replicas.iter().all(|replica| replica.handles == 10), "{}", nr.stats());
        drop((borrowed, owned));
    }
}

/// A thread gets the replica of its own node, however many threads there are.
#[test]
#[cfg(target_os = "linux")]
fn the_nearest_replica() {
    // All processors of this machine are in the second node; the others are elsewhere.
    let topology = Topology::from_nodes([5000..5004, 0..1024, 6000..6004]).expect("a sound topology");
    let nr = Builder::default().topology(topology).build_with(|_| Counter::default()).expect("it builds");
    assert_eq!(nr.replicas(), 3);
    run_threads(MANY_THREADS, |_| {
        let mut handle = nr.register().expect("a handle");
        assert_eq!(handle.replica_id(), ReplicaId::new(1));
        handle.execute_mut(Add(1));
    });
    for id in 0..3 {
        let mut handle = nr.register_on(ReplicaId::new(id)).expect("a handle");
        assert_eq!(handle.execute(Get), MANY_THREADS as u64, "replica {id}");
    }
}

/// Whatever processors this thread runs on, and whether the topology knows them.
#[test]
fn always_a_replica_that_exists() {
    for nodes in [vec![vec![0]], vec![vec![60_000], vec![60_001]], vec![vec![1], vec![0], vec![]]] {
        let topology = Topology::from_nodes(nodes).expect("a sound topology");
        let nr = Builder::default().topology(topology).build_with(|_| Counter::default()).expect("it builds");
        run_threads(8, |_| {
            for _ in 0..20 {
                let handle = nr.register().expect("a handle");
                assert!(handle.replica_id().index() < nr.replicas());
            }
        });
    }
}

/// Both kinds of handle side by side, over the whole life of a server: it stops when its workers have stopped.
#[test]
fn workers_with_owned_handles() {
    for_each_configuration(|configuration| {
        let nr = Arc::new(configuration.build(|_| Counter::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let workers: Vec<_> = (0..6)
            .map(|_| {
                let mut handle: OwnedHandle<Counter> = nr.register_owned().expect("a handle");
                let stop = Arc::clone(&stop);
                thread::spawn(move || {
                    let mut done = 0;
                    while !stop.load(SeqCst) || done < 5 {
                        handle.execute_mut(Add(1));
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        let mut watcher = nr.register().expect("a handle");
        while watcher.execute(Get) < 30 {
            thread::yield_now();
        }
        stop.store(true, SeqCst);
        let done: u64 = workers.into_iter().map(|worker| worker.join().expect("no panic")).sum();
        assert_eq!(watcher.execute(Get), done);
        drop(watcher);
        assert_eq!(Arc::into_inner(nr).expect("no handle is left").into_inner().0, done);
    });
}
