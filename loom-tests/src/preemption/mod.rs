//! Preemption at the worst place: a thread is stopped before one of its steps, whichever; meanwhile others work, and then it goes on.
//!
//! Whatever the step, every answer is right, every operation runs once on each replica and is dropped once, and everybody comes to an
//! end. At those steps at which the crate promises that others go on, the thread is stopped until they are done: should they wait
//! for it, a watchdog says so. At the other steps it is stopped for a moment.

#[path = "../../../nr/tests/common/mod.rs"]
mod common;
mod scenario;
mod world;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use crate::{Place, ReplicaId};
use common::{CountDownOnDrop, MANY_THREADS, Random, Watchdog, run_threads, scaled};
use scenario::{Promise, Scenario, Trace};
use world::{Prepare, World, on, with};

/// Readers of a replica go on beside a reader, whatever it is about, and so do those who come and go.
#[test]
fn a_reader_stops_no_reader() {
    for (replicas, log_entries) in [(1, 4), (2, 64)] {
        Scenario {
            name: "a reader beside readers",
            replicas,
            log_entries,
            stopped: &|world| on(world, 0, World::read),
            others: |world| {
                on(world, 0, |world, handle| {
                    world.read(handle);
                    world.read(&mut world.handle(0));
                })
            },
            promise: Promise::Always,
        }
        .sweep();
    }
}

/// Writers wait for a reader only while it is inside.
#[test]
fn a_reader_stops_writers_while_it_reads_only() {
    for (replicas, log_entries) in [(1, 4), (2, 64)] {
        Scenario {
            name: "a reader beside writers",
            replicas,
            log_entries,
            stopped: &|world| on(world, 0, World::read),
            others: |world| on(world, 0, World::everything),
            promise: Promise::Where(|trace, step| !trace.is_reading(step)),
        }
        .sweep();
    }
}

/// A reader whose replica lacks something replays it, and stops nobody elsewhere.
#[test]
fn a_reader_that_replays_stops_no_other_replica() {
    Scenario {
        name: "a reader that replays",
        replicas: 2,
        log_entries: 64,
        stopped: &|world| {
            world.write_batch(&mut world.handle(0), 5);
            on(world, 1, World::read)
        },
        others: |world| on(world, 0, World::everything),
        promise: Promise::Always,
    }
    .sweep();
}

/// Single operations and batches.
const WRITES: [Prepare; 2] =
    [|world| on(world, 0, World::write), |world| on(world, 0, |world, handle| world.write_batch(handle, 4))];

/// Readers wait for a writer only while it writes to their replica: not while it appends, nor afterwards.
#[test]
fn a_writer_stops_readers_while_it_writes_only() {
    let promises: [fn(&Trace, usize) -> bool; 2] =
        [|trace, step| !trace.is_writing(step), |trace, step| !trace.is_writing(step) || trace.is_publishing(step)];
    for (replicas, log_entries, promised) in [(1, 4, promises[0]), (2, 64, promises[1])] {
        for stopped in WRITES {
            Scenario {
                name: "a writer beside readers",
                replicas,
                log_entries,
                stopped: &stopped,
                others: |world| on(world, 0, |world, handle| (0..3).for_each(|_| world.read(handle))),
                promise: Promise::Where(promised),
            }
            .sweep();
        }
    }
}

/// Readers of other replicas never wait for it.
#[test]
fn a_writer_stops_no_reader_of_another_replica() {
    for stopped in WRITES {
        Scenario {
            name: "a writer beside readers elsewhere",
            replicas: 3,
            log_entries: 64,
            stopped: &stopped,
            others: |world| {
                let work = [1, 2].map(|replica| on(world, replica, World::read));
                Box::new(|| work.into_iter().for_each(|work| work()))
            },
            promise: Promise::Always,
        }
        .sweep();
    }
}

/// Writers of other replicas wait for it only between reserving and publishing, where there is nothing but a move.
#[test]
fn a_writer_stops_writers_of_another_replica_while_it_publishes_only() {
    for stopped in WRITES {
        Scenario {
            name: "a writer beside writers elsewhere",
            replicas: 2,
            log_entries: 64,
            stopped: &stopped,
            others: |world| on(world, 1, World::everything),
            promise: Promise::Where(|trace, step| !trace.is_publishing(step)),
        }
        .sweep();
    }
}

/// All at once, everywhere, in a log that is full all the time.
#[test]
fn a_writer_beside_all_others() {
    for (replicas, log_entries) in [(1, 2), (2, 2), (2, 8), (3, 2)] {
        for stopped in WRITES.iter().take(if log_entries > 2 { 2 } else { 1 }) {
            Scenario {
                name: "a writer beside all others",
                replicas,
                log_entries,
                stopped: &stopped,
                others: |world| {
                    let work: Vec<_> =
                        (0..world.structure.replicas()).map(|at| on(world, at, World::everything)).collect();
                    Box::new(|| {
                        let threads: Vec<_> = work.into_iter().map(thread::spawn).collect();
                        threads.into_iter().for_each(|thread| thread.join().unwrap());
                    })
                },
                promise: Promise::Never,
            }
            .sweep();
        }
    }
}

/// To come and to go takes no lock.
#[test]
fn who_comes_and_goes_stops_nobody() {
    for (replicas, log_entries) in [(1, 4), (2, 64)] {
        Scenario {
            name: "registering",
            replicas,
            log_entries,
            stopped: &|world| {
                with(world, |world| {
                    drop(world.structure.register().unwrap());
                    drop(world.handle(0));
                })
            },
            others: |world| {
                on(world, 0, |world, handle| {
                    world.everything(handle);
                    world.everything(&mut world.handle(0));
                })
            },
            promise: Promise::Always,
        }
        .sweep();
    }
}

/// A replica is made out of the one with the fewest handles; the others go on, whatever step it is at.
#[test]
fn who_adds_a_replica_stops_no_other() {
    Scenario {
        name: "adding a replica",
        replicas: 2,
        log_entries: 64,
        stopped: &|world| {
            world.write(&mut world.handle(0));
            with(world, |world| {
                world.structure.add_replica(Place::Here).unwrap();
            })
        },
        others: |world| on(world, 0, World::everything),
        promise: Promise::Always,
    }
    .sweep();
}

#[test]
fn who_removes_a_replica_stops_no_other() {
    Scenario {
        name: "removing a replica",
        replicas: 3,
        log_entries: 64,
        stopped: &|world| {
            world.write(&mut world.handle(0));
            with(world, |world| world.structure.remove_replica(ReplicaId::new(2)).unwrap())
        },
        others: |world| {
            let work = [0, 1].map(|replica| on(world, replica, World::everything));
            Box::new(|| work.into_iter().for_each(|work| work()))
        },
        promise: Promise::Always,
    }
    .sweep();
}

/// The log comes into use, and goes out of use, under those who use the only replica.
#[test]
fn who_adds_or_removes_the_second_replica() {
    let changes: [(usize, Prepare); 2] = [
        (1, |world| {
            with(world, |world| {
                world.structure.add_replica(Place::Here).unwrap();
            })
        }),
        (2, |world| with(world, |world| world.structure.remove_replica(ReplicaId::new(1)).unwrap())),
    ];
    for (replicas, stopped) in changes {
        for log_entries in [2, 64] {
            Scenario {
                name: "the second replica",
                replicas,
                log_entries,
                stopped: &stopped,
                others: |world| on(world, 0, World::everything),
                promise: Promise::Never,
            }
            .sweep();
        }
    }
}

/// Its replica goes while it is stopped, or waits for it to let go; what it does is done there or elsewhere, once.
#[test]
fn whose_replica_is_removed() {
    let calls: [Prepare; 4] = [
        |world| on(world, 1, World::read),
        |world| on(world, 1, World::write),
        |world| on(world, 1, |world, handle| world.write_batch(handle, 2)),
        |world| with(world, |world| world.structure.sync()),
    ];
    for call in calls {
        Scenario {
            name: "whose replica is removed",
            replicas: 2,
            log_entries: 4,
            stopped: &|world| {
                world.write(&mut world.handle(0));
                call(world)
            },
            others: |world| {
                on(world, 0, |world, handle| {
                    world.structure.remove_replica(ReplicaId::new(1)).unwrap();
                    world.everything(handle);
                    world.structure.add_replica(Place::Here).unwrap();
                    world.everything(handle);
                })
            },
            promise: Promise::Never,
        }
        .sweep();
    }
}

/// Who has posted an operation, and waits for the answer: in the end asleep.
#[test]
fn who_waits_for_an_answer_stops_nobody() {
    let calls: [Prepare; 3] = [
        |world| on(world, 0, World::write),
        |world| on(world, 0, |world, handle| world.write_batch(handle, 2)),
        |world| with(world, |world| world.structure.sync()),
    ];
    let others: [Prepare; 2] = [
        |world| {
            on(world, 0, |world, handle| {
                world.let_go();
                world.everything(handle);
            })
        },
        // Nobody comes after that one.
        |world| with(world, World::let_go),
    ];
    for (replicas, log_entries, others) in
        [(1, 4, others[0]), (1, 4, others[1]), (2, 64, others[0]), (2, 64, others[1])]
    {
        for call in calls {
            Scenario {
                name: "waiting for an answer",
                replicas,
                log_entries,
                stopped: &|world| {
                    world.hold_up(|world, gate| world.write_one(&mut world.handle(0), world.operation(Some(gate))));
                    call(world)
                },
                others,
                promise: Promise::Always,
            }
            .sweep_places();
        }
    }
}

/// Who wants to read while a writer is at work.
#[test]
fn who_waits_for_a_writer_does_not_stop_it() {
    for (replicas, log_entries) in [(1, 4), (2, 64)] {
        Scenario {
            name: "waiting for a writer",
            replicas,
            log_entries,
            stopped: &|world| {
                world.hold_up(|world, gate| world.write_one(&mut world.handle(0), world.operation(Some(gate))));
                on(world, 0, World::read)
            },
            others: |world| {
                on(world, 0, |world, handle| {
                    world.let_go();
                    world.read(handle);
                })
            },
            promise: Promise::Always,
        }
        .sweep_places();
    }
}

/// Who wants to write while a reader is inside; or needs room in the log, which that reader is in the way of.
#[test]
fn who_waits_for_a_reader_does_not_stop_it() {
    for (replicas, log_entries, reader) in [(1, 4, 0), (2, 64, 0), (2, 2, 1)] {
        Scenario {
            name: "waiting for a reader",
            replicas,
            log_entries,
            stopped: &|world| {
                world.hold_up(move |world, gate| world.handle(reader).read(|_| gate.pass()));
                on(world, 0, |world, handle| (0..3).for_each(|_| world.write(handle)))
            },
            others: |world| with(world, World::let_go),
            promise: Promise::Always,
        }
        .sweep_places();
    }
}

/// Threads that are held up at random, everywhere, while replicas come and go.
#[test]
fn everybody_is_preempted() {
    for (replicas, log_entries) in [(1, 2), (1, 64), (2, 2), (3, 8)] {
        let _watchdog = Watchdog::new(&format!("{replicas} replicas, a log of {log_entries}"));
        let (threads, each) = (MANY_THREADS / 2, scaled(40));
        let world = World::new(replicas, log_entries, threads * each * 2);
        let writers = AtomicUsize::new(threads);
        run_threads(threads + 1, |thread| {
            let mut random = Random::new(thread + 100 * replicas + log_entries);
            crate::sync::observe(move |_| {
                if random.one_in(500) {
                    thread::sleep(Duration::from_micros(10 << random.below(5)));
                } else if random.one_in(20) {
                    thread::yield_now();
                }
            });
            if thread == threads {
                while writers.load(SeqCst) > 0 {
                    let id = world.structure.add_replica(Place::Here).unwrap();
                    world.structure.sync();
                    world.structure.remove_replica(id).unwrap();
                }
                return;
            }
            let _left = CountDownOnDrop(&writers);
            let mut random = Random::new(thread);
            let mut handle = world.handle(thread % replicas);
            for _ in 0..each {
                match random.below(4) {
                    0 => world.write(&mut handle),
                    1 => world.write_batch(&mut handle, 2),
                    2 => world.read(&mut handle),
                    _ => world.write(&mut world.structure.register_owned().unwrap()),
                }
            }
        });
        world.check();
    }
}
