//! Guarantees 3, 4 and 6: no lost wake-up, nobody waits for a replica that nobody uses, and readers are not blocked
//! by an append. What fails here hangs; the watchdog of `common` makes a message of that.

mod common;

use common::structures::*;
use common::*;
use nr::{Dispatch, NodeReplicated, ReplicaId};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::*};
use std::sync::{Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

both! {
    a_replica_that_nobody_uses_stops_nobody: Counter,
    a_handle_that_is_never_used_stops_nobody: Counter,
    far_more_threads_than_cores: Counter,
    threads_that_come_and_go: Counter,
    everybody_wakes_after_a_slow_operation: Slow,
    everybody_wakes_after_every_slow_operation: Slow,
    everybody_wakes_after_a_slow_read: Counter,
    two_threads_in_turn: Counter,
}

/// All operations on one replica, thousands of them, however small the log; then all others have them.
fn a_replica_that_nobody_uses_stops_nobody<S: Shared<Counter>>(configuration: &Configuration) {
    for used in 0..configuration.replicas {
        let shared = S::make(configuration, |_| Counter::default());
        let mut handle = shared.handle(used);
        let operations = scaled(3000) as u64;
        for position in 0..operations {
            assert_eq!(handle.execute_mut(Add(1)), position);
        }
        for other in 0..shared.replicas() {
            assert_eq!(shared.handle(other).execute(Get), operations, "on replica {other}");
        }
    }
}

fn a_handle_that_is_never_used_stops_nobody<S: Shared<Counter>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Counter::default());
    let idle: Vec<_> = (0..100).map(|n| shared.handle(n)).collect();
    let mut once = shared.handle(configuration.replicas - 1);
    once.execute_mut(Add(1));
    run_threads(2, |thread| {
        let mut handle = shared.handle(thread);
        for _ in 0..scaled(500) {
            handle.execute_mut(Add(1));
        }
    });
    assert_eq!(once.execute(Get), 2 * scaled(500) as u64 + 1);
    drop(idle);
}

fn far_more_threads_than_cores<S: Shared<Counter>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Counter::default());
    let (threads, each) = (32, scaled(20));
    run_threads(threads, |thread| {
        let mut handle = shared.handle(thread);
        let mut random = Random::new(thread);
        let mut last = 0;
        for _ in 0..each {
            let position = handle.execute_mut(Add(1));
            check!(position >= last, "thread {thread} wrote at {position} after it had seen {last}");
            last = position + 1;
            if random.one_in(2) {
                let read = handle.execute(Get);
                check!(read >= last, "thread {thread} read {read} after it had seen {last}");
                last = read;
            }
        }
    });
    assert_eq!(shared.into_inner().0, (threads * each) as u64);
}

/// Threads that end right after their operation leave nobody behind who waits for them.
fn threads_that_come_and_go<S: Shared<Counter>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Counter::default());
    let waves = scaled(6);
    for wave in 0..waves {
        run_threads(MANY_THREADS, |thread| shared.handle(thread + wave).execute_mut(Add(1)));
    }
    assert_eq!(shared.into_inner().0, (waves * MANY_THREADS) as u64);
}

/// A counter with operations that take their time.
#[derive(Default)]
struct Slow(u64);

impl Dispatch for Slow {
    type ReadOperation<'a> = ();
    type WriteOperation = Duration;
    type Response = u64;

    fn dispatch(&self, (): ()) -> u64 {
        self.0
    }

    fn dispatch_mut(&mut self, &pause: &Duration) -> u64 {
        if !pause.is_zero() {
            thread::sleep(pause);
        }
        self.0 += 1;
        self.0 - 1
    }
}

/// 24 threads arrive while an operation takes long enough that they all park.
fn everybody_wakes_after_a_slow_operation<S: Shared<Slow>>(configuration: &Configuration) {
    if configuration.log_entries == Some(2) {
        return; // The time is better spent elsewhere.
    }
    let shared = S::make(configuration, |_| Slow::default());
    let threads = 25;
    let mut answers = run_threads(threads, |thread| {
        let mut handle = shared.handle(thread);
        if thread == 0 {
            return handle.execute_mut(Duration::from_millis(100));
        }
        if thread % 4 == 3 {
            // Readers wait as well.
            handle.execute(());
        }
        handle.execute_mut(Duration::ZERO)
    });
    answers.sort_unstable();
    assert!(answers.into_iter().eq(0..threads as u64));
}

/// Short pauses, many of them: waiters are caught in every stage between spinning and parking.
fn everybody_wakes_after_every_slow_operation<S: Shared<Slow>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Slow::default());
    let (threads, each) = (8, scaled(12));
    run_threads(threads, |thread| {
        let mut handle = shared.handle(thread);
        let mut random = Random::new(thread);
        for _ in 0..each {
            let pause = if random.one_in(8) { 10 << random.below(8) } else { 0 };
            handle.execute_mut(Duration::from_micros(pause));
            if random.one_in(3) {
                handle.execute(());
            }
        }
    });
    assert_eq!(shared.into_inner().0, (threads * each) as u64);
}

/// A reader who takes long keeps writers of its replica waiting; when it is done, all of them go on.
fn everybody_wakes_after_a_slow_read<S: Shared<Counter>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Counter::default());
    let threads = MANY_THREADS;
    let reading = Barrier::new(threads + 1);
    thread::scope(|scope| {
        let (shared, reading) = (&shared, &reading);
        scope.spawn(move || {
            shared.handle(0).read(|counter| {
                let before = counter.0;
                reading.wait();
                thread::sleep(Duration::from_millis(20)); // This is the slow read, not a way to synchronise.
                assert_eq!(counter.0, before, "the state under a reader stands still");
            });
        });
        for thread in 0..threads {
            scope.spawn(move || {
                let mut handle = shared.handle(thread);
                reading.wait();
                for _ in 0..5 {
                    handle.execute_mut(Add(1));
                    handle.execute(Get);
                }
            });
        }
    });
    assert_eq!(shared.into_inner().0, 5 * threads as u64);
}

/// Each waits for the other's write, so that nobody is there who could combine for them later.
fn two_threads_in_turn<S: Shared<Counter>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Counter::default());
    run_threads(2, |thread| {
        let mut handle = shared.handle(thread);
        for turn in 0..scaled(50) as u64 {
            let mine = 2 * turn + thread as u64;
            while handle.execute(Get) < mine {
                thread::yield_now();
            }
            check!(handle.execute_mut(Add(1)) == mine, "thread {thread}, turn {turn}");
        }
    });
}

/// A reader stays inside its closure until writers on another replica have had their answers: a log that is not
/// full makes nobody wait for a replica that cannot be written to.
#[test]
fn a_reader_on_one_replica_does_not_stop_writers_on_another() {
    for replicas in [2, 4] {
        in_configuration(&Configuration::new(replicas, None), |configuration| {
            let nr = configuration.build(|_| Counter::default());
            let (tell, hear) = mpsc::channel();
            let inside = Barrier::new(2);
            thread::scope(|scope| {
                let (nr, inside, tell) = (&nr, &inside, tell);
                scope.spawn(move || {
                    nr.handle(replicas - 1).read(|counter| {
                        inside.wait();
                        hear.recv().expect("the writer ends");
                        assert_eq!(counter.0, 0, "the state under a reader stands still");
                    });
                });
                inside.wait();
                let mut writer = nr.handle(0);
                for position in 0..20 {
                    assert_eq!(writer.execute_mut(Add(1)), position);
                    assert_eq!(writer.execute(Get), position + 1);
                }
                tell.send(()).expect("the reader listens");
            });
            assert_eq!(nr.handle(replicas - 1).execute(Get), 20);
        });
    }
}

/// With a reader inside replica 1 and a log of one entry, a writer on replica 0 must wait for space. Readers of
/// replica 0 need not: the write lock is held only to apply.
#[test]
fn readers_are_not_blocked_by_a_writer_who_waits_for_space() {
    for replicas in [2, 4] {
        for entries in [1, 2] {
            in_configuration(&Configuration::new(replicas, Some(entries)), |configuration| {
                let nr = configuration.build(|_| Counter::default());
                let (tell, hear) = mpsc::channel();
                let (inside, written) = (Barrier::new(3), AtomicUsize::new(0));
                thread::scope(|scope| {
                    let (nr, inside, written, tell) = (&nr, &inside, &written, tell);
                    scope.spawn(move || {
                        nr.handle(1).read(|counter| {
                            inside.wait();
                            hear.recv().expect("the readers end");
                            assert_eq!(counter.0, 0, "the state under a reader stands still");
                        });
                    });
                    scope.spawn(|| {
                        let mut writer = nr.handle(0);
                        inside.wait();
                        for _ in 0..20 {
                            writer.execute_mut(Add(1));
                            written.fetch_add(1, SeqCst);
                        }
                    });
                    inside.wait();
                    let mut reader = nr.handle(0);
                    // One operation fits; after that the writer waits, at the latest when the log is full.
                    while reader.execute(Get) == 0 {
                        thread::yield_now();
                    }
                    for _ in 0..2000 {
                        let before = written.load(SeqCst) as u64;
                        let read = reader.execute(Get);
                        check!((before..=entries as u64).contains(&read), "read {read} when {before} were answered");
                    }
                    tell.send(()).expect("the slow reader listens");
                });
                assert_eq!(written.into_inner(), 20);
                nr.sync();
                for replica in 0..replicas {
                    assert_eq!(nr.handle(replica).execute(Get), 20, "on replica {replica}");
                }
            });
        }
    }
}

/// A slow reader delays, and loses nothing: it holds its replica while the log fills up behind it.
#[test]
fn a_slow_reader_only_delays() {
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Counter::default());
        let slow = configuration.replicas - 1;
        let (threads, each) = (6, scaled(20));
        let writers = AtomicUsize::new(threads);
        run_threads(threads + 2, |thread| {
            if thread < threads {
                let _left = CountDownOnDrop(&writers);
                let mut handle = nr.handle(thread);
                for _ in 0..each {
                    handle.execute_mut(Add(1));
                }
            } else {
                let mut handle = nr.handle(slow);
                let mut last = 0;
                while writers.load(SeqCst) > 0 {
                    let read = handle.read(|counter| {
                        let before = counter.0;
                        thread::sleep(Duration::from_millis(1)); // This is the slow read.
                        assert_eq!(counter.0, before, "the state under a reader stands still");
                        before
                    });
                    check!(read >= last, "read {read} after {last}");
                    last = read;
                }
            }
        });
        for replica in 0..configuration.replicas {
            assert_eq!(nr.handle(replica).execute(Get), (threads * each) as u64, "on replica {replica}");
        }
    });
}

/// Readers that never pause do not keep a writer out for ever, and the other way round.
#[test]
fn nobody_starves() {
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Counter::default());
        let done = AtomicBool::new(false);
        run_threads(10, |thread| {
            let mut handle = nr.handle(thread);
            match thread {
                // One who writes against readers without end, and one who reads against writers without end.
                0 => {
                    let _done = RaiseOnDrop(&done);
                    for _ in 0..scaled(30) {
                        handle.execute_mut(Add(1));
                        handle.execute(Get);
                    }
                }
                _ if thread % 3 == 0 => {
                    while !done.load(SeqCst) {
                        handle.execute_mut(Add(1));
                    }
                }
                _ => {
                    while !done.load(SeqCst) {
                        handle.execute(Get);
                    }
                }
            }
        });
    });
}

/// On each replica one thread has little to do, and others write without end: who combines for them is let go, even
/// where the log is always full and there is always more to combine.
#[test]
fn nobody_combines_for_ever() {
    for replicas in [1, 2, 4] {
        for entries in [1, 2] {
            in_configuration(&Configuration::new(replicas, Some(entries)), |configuration| {
                let nr = configuration.build(|_| Counter::default());
                let modest = AtomicUsize::new(replicas);
                run_threads(4 * replicas, |thread| {
                    let mut handle = nr.handle(thread);
                    if thread < replicas {
                        let _left = CountDownOnDrop(&modest);
                        for _ in 0..scaled(250) {
                            handle.execute_mut(Add(1));
                        }
                    } else {
                        while modest.load(SeqCst) > 0 {
                            handle.execute_mut(Add(1));
                        }
                    }
                });
            });
        }
    }
}

/// Threads that write in bursts, and after each do nothing until all others have gone on: those must not wait for one that was about
/// to go on itself.
#[test]
fn nobody_waits_for_a_runner_that_stays_away() {
    const THREADS: usize = 3;
    for replicas in [1, 2] {
        in_configuration(&Configuration::new(replicas, Some(64)), |configuration| {
            let nr = configuration.build(|_| Counter::default());
            let bursts = [const { AtomicUsize::new(0) }; THREADS];
            run_threads(THREADS, |thread| {
                let mut handle = nr.handle(0);
                for burst in 1..=scaled(200) {
                    for _ in 0..100 {
                        handle.execute_mut(Add(1));
                    }
                    bursts[thread].store(burst, SeqCst);
                    while bursts.iter().any(|of_other| of_other.load(SeqCst) < burst) {
                        std::thread::yield_now();
                    }
                }
            });
        });
    }
}

/// A large batch needs the whole log empty at once; single operations, for which there is room all the time, must not
/// overtake it for ever.
#[test]
fn a_full_batch_is_not_overtaken_for_ever() {
    for replicas in [2, 4] {
        for entries in [2, 16, 64] {
            in_configuration(&Configuration::new(replicas, Some(entries)), |configuration| {
                let nr = configuration.build(|_| Counter::default());
                let done = AtomicBool::new(false);
                run_threads(10, |thread| {
                    let mut handle = nr.handle(thread);
                    if thread == 0 {
                        let _done = RaiseOnDrop(&done);
                        for _ in 0..scaled(20) {
                            assert_eq!(handle.execute_mut_batch((0..entries).map(|_| Add(1))).len(), entries);
                        }
                    } else {
                        while !done.load(SeqCst) {
                            handle.execute_mut(Add(1));
                            thread::yield_now();
                        }
                    }
                });
            });
        }
    }
}

/// `sync` brings the others up to date, from any thread, at any time.
#[test]
fn sync_from_many_threads_while_others_write() {
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Counter::default());
        let writers = AtomicUsize::new(4);
        let answered = AtomicU64::new(0);
        run_threads(8, |thread| {
            if thread < 4 {
                let _left = CountDownOnDrop(&writers);
                let mut handle = nr.handle(thread);
                for _ in 0..scaled(30) {
                    answered.fetch_max(handle.execute_mut(Add(1)) + 1, SeqCst);
                }
            } else {
                while writers.load(SeqCst) > 0 {
                    let before = answered.load(SeqCst);
                    nr.sync();
                    let read = nr.handle(thread).execute(Get);
                    check!(read >= before, "read {read} after sync, though {before} had been answered");
                }
            }
        });
        assert_eq!(nr.into_inner().0, 4 * scaled(30) as u64);
    });
}

/// After `sync` every replica has applied everything: seen in the replicas themselves, not through a read, which
/// would bring its replica up to date.
#[test]
fn sync_reaches_replicas_that_nobody_uses() {
    struct Tells<'a> {
        replica: usize,
        applied: &'a [AtomicUsize],
    }
    impl Dispatch for Tells<'_> {
        type ReadOperation<'a> = ();
        type WriteOperation = ();
        type Response = ();
        fn dispatch(&self, (): ()) {}
        fn dispatch_mut(&mut self, (): &()) {
            self.applied[self.replica].fetch_add(1, SeqCst);
        }
    }
    for_each_configuration(|configuration| {
        let applied: Vec<_> = (0..configuration.replicas).map(|_| AtomicUsize::new(0)).collect();
        let nr = configuration.build(|replica| Tells { replica: replica.index(), applied: &applied });
        for round in 1..=5 {
            let mut handle = nr.register_on(ReplicaId::new(round % configuration.replicas)).expect("a handle");
            (0..7).for_each(|_| handle.execute_mut(()));
            nr.sync();
            let applied: Vec<_> = applied.iter().map(|applied| applied.load(SeqCst)).collect();
            assert_eq!(applied, vec![7 * round; configuration.replicas]);
        }
    });
}

/// Handles taken by threads in turn: what one thread posted, another thread's next call must not find half done.
#[test]
fn a_handle_passed_around() {
    for_each_configuration(|configuration| {
        let nr: NodeReplicated<Counter> = configuration.build(|_| Counter::default());
        let handles: Vec<_> = (0..3).map(|n| Mutex::new(nr.handle(n))).collect();
        run_threads(MANY_THREADS, |thread| {
            for step in 0..scaled(10) {
                let mut handle = handles[(thread + step) % 3].lock().expect("no panic");
                let position = handle.execute_mut(Add(1));
                check!(handle.execute(Get) > position, "thread {thread}, step {step}");
            }
        });
        drop(handles);
        assert_eq!(nr.into_inner().0, (MANY_THREADS * scaled(10)) as u64);
    });
}
