//! Faults that were found once, each with the test that would find it again.

mod common;

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::Watchdog;
use nr::{Builder, Dispatch, NodeReplicated, OwnedHandle, PanicPolicy, ReplicaId, Replicas};

fn builder(replicas: usize) -> Builder {
    Builder::default().replicas(Replicas::Count(NonZeroUsize::new(replicas).unwrap()))
}

fn with_watchdog(test: impl FnOnce()) {
    let _watchdog = Watchdog::new("the replicas that it names");
    test();
}

/// Executes what it is told, and counts.
#[derive(Clone, Default)]
struct Machine(u64);

enum Step {
    Count,
    Take(Duration),
}

impl Dispatch for Machine {
    type ReadOperation<'a> = ();
    type WriteOperation = Step;
    type Response = u64;
    fn dispatch(&self, _: ()) -> u64 {
        self.0
    }
    fn dispatch_mut(&mut self, step: &Step) -> u64 {
        if let Step::Take(time) = step {
            let begun = Instant::now();
            while begun.elapsed() < *time {
                std::hint::spin_loop();
            }
        }
        self.0 += 1;
        self.0
    }
}

/// A turn was made before its lock was taken, and its drop let go of somebody else's: values were lost.
#[test]
fn a_turn_that_was_not_had_is_not_left() {
    with_watchdog(|| {
        for replicas in [1, 2] {
            let machine = builder(replicas).build(Machine::default()).unwrap();
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        let mut handle = machine.register().unwrap();
                        for _ in 0..2_000 {
                            handle.execute_mut(Step::Count);
                        }
                    });
                }
            });
            assert_eq!(machine.into_inner().0, 16_000);
        }
    });
}

/// A reader that was woken found the next write begun, again and again: it starved for seconds beside one writer.
#[test]
fn a_reader_is_let_in_between_writes() {
    with_watchdog(|| {
        for replicas in [1, 2] {
            let machine = builder(replicas).build(Machine::default()).unwrap();
            let stop = AtomicBool::new(false);
            let most = thread::scope(|scope| {
                scope.spawn(|| {
                    let mut handle = machine.register_on(ReplicaId::new(0)).unwrap();
                    while !stop.load(SeqCst) {
                        handle.execute_mut(Step::Take(Duration::from_millis(5)));
                    }
                });
                let mut handle = machine.register_on(ReplicaId::new(0)).unwrap();
                let most = (0..20).map(|_| {
                    thread::sleep(Duration::from_millis(3));
                    let before = machine.stats().operations();
                    handle.execute(());
                    machine.stats().operations() - before
                });
                let most = most.max().unwrap();
                stop.store(true, SeqCst);
                most
            });
            // Some five are usual; the rest is for a busy machine. It used to be as many as the writer liked.
            assert!(most < 100, "{replicas} replicas: {most} writes went by during one read");
        }
    });
}

/// A lone writer's panic dropped its operation while the combiner lock was still held.
#[test]
fn the_drop_of_an_operation_that_panicked_may_use_the_structure() {
    /// Panics when executed; writes to the structure when dropped.
    struct Bomb(Mutex<Option<OwnedHandle<Fragile>>>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            if let Some(mut handle) = self.0.get_mut().unwrap().take() {
                handle.execute_mut(Bomb(Mutex::new(None)));
                handle.read(|_| ());
            }
        }
    }
    #[derive(Clone, Default)]
    struct Fragile(u64);
    impl Dispatch for Fragile {
        type ReadOperation<'a> = ();
        type WriteOperation = Bomb;
        type Response = ();
        fn dispatch(&self, _: ()) {}
        fn dispatch_mut(&mut self, bomb: &Bomb) {
            self.0 += 1;
            let told_to = bomb.0.lock().unwrap().is_some();
            assert!(!told_to, "as told");
        }
    }

    with_watchdog(|| {
        for replicas in [1, 2] {
            let builder = builder(replicas).on_panic(PanicPolicy::Continue);
            let fragile = Arc::new(builder.build(Fragile::default()).unwrap());
            let mut handle = fragile.register().unwrap();
            let bomb = Bomb(Mutex::new(Some(fragile.register_owned().unwrap())));
            assert!(catch_unwind(AssertUnwindSafe(|| handle.execute_mut(bomb))).is_err());
            fragile.sync();
            fragile.sync();
            assert_eq!(handle.read(|fragile| fragile.0), 2, "the panicking operation, and what its drop has written");
            assert_eq!(fragile.stats().operations(), 2);
        }
    });
}

/// A panic in an operation's drop reached its caller with one replica and was contained with several.
#[test]
fn a_panic_in_the_drop_of_an_operation_ends_there() {
    struct Rude;
    impl Drop for Rude {
        fn drop(&mut self) {
            panic!("as told");
        }
    }
    #[derive(Clone, Default)]
    struct Count(u64);
    impl Dispatch for Count {
        type ReadOperation<'a> = ();
        type WriteOperation = Rude;
        type Response = u64;
        fn dispatch(&self, _: ()) -> u64 {
            self.0
        }
        fn dispatch_mut(&mut self, _: &Rude) -> u64 {
            self.0 += 1;
            self.0
        }
    }

    with_watchdog(|| {
        for replicas in [1, 2] {
            let count = builder(replicas).build(Count::default()).unwrap();
            let mut handle = count.register().unwrap();
            assert_eq!(handle.execute_mut(Rude), 1);
            assert_eq!(handle.execute_mut_batch([Rude, Rude]), [2, 3]);
            count.sync();
            assert!(!count.is_poisoned());
        }
    });
}

/// A read waited for its replica's combiner, which waited for room in the log, which waited for a slow read elsewhere.
#[test]
fn a_read_does_not_wait_for_room_in_the_log() {
    with_watchdog(|| {
        let machine = builder(3).log_entries(2).build(Machine::default()).unwrap();
        let on = |replica| machine.register_on(ReplicaId::new(replica)).unwrap();
        let (reading, is_reading) = mpsc::channel();
        let (stop, stopped) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                on(2).read(|_| {
                    reading.send(()).unwrap();
                    stopped.recv().unwrap();
                });
            });
            is_reading.recv().unwrap();
            on(1).execute_mut(Step::Count);
            let batch = scope.spawn(move || on(0).execute_mut_batch([Step::Count, Step::Count]));
            // While the batch waits for room, or is about to; each is answered, or this ends in the watchdog.
            for _ in 0..100 {
                assert_eq!(on(0).execute(()), 1);
                thread::sleep(Duration::from_micros(200));
            }
            stop.send(()).unwrap();
            assert_eq!(batch.join().unwrap(), [2, 3]);
        });
    });
}

/// Counts; replica 0 executes a gate only between two calls of its barrier.
struct Gated {
    replica: ReplicaId,
    count: u64,
}

impl Dispatch for Gated {
    type ReadOperation<'a> = ();
    type WriteOperation = Option<Arc<Barrier>>;
    type Response = u64;
    fn dispatch(&self, _: ()) -> u64 {
        self.count
    }
    fn dispatch_mut(&mut self, gate: &Option<Arc<Barrier>>) -> u64 {
        if let Some(gate) = gate.as_ref().filter(|_| self.replica.index() == 0) {
            gate.wait();
            gate.wait();
        }
        self.count += 1;
        self.count
    }
}

/// Three replicas and a log of four entries; a read on replica 2 goes on until the test has ended, so that a fifth operation has
/// to wait for room.
fn with_a_slow_read_elsewhere<'a>(
    machine: &'a NodeReplicated<Gated>,
    test: impl for<'scope> FnOnce(&'scope thread::Scope<'scope, 'a>, mpsc::Sender<()>),
) {
    let (reading, is_reading) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            machine.register_on(ReplicaId::new(2)).unwrap().read(|_| {
                reading.send(()).unwrap();
                stopped.recv().unwrap();
            });
        });
        is_reading.recv().unwrap();
        test(scope, stop);
    });
}

fn gated() -> NodeReplicated<Gated> {
    builder(3).log_entries(4).build_with(|replica| Gated { replica, count: 0 }).unwrap()
}

/// Waits until one more thread of replica 0 sleeps than before `post`: what it posts has been posted.
fn until_posted<T>(machine: &NodeReplicated<Gated>, post: impl FnOnce() -> T) -> T {
    let waits = || machine.stats().replicas[0].waits;
    let before = waits();
    let posted = post();
    while waits() == before {
        thread::yield_now();
    }
    posted
}

/// A reader that the combiner took from the queue together with writers waited with them for room in the log.
#[test]
fn a_read_taken_together_with_writes_does_not_wait_for_room_in_the_log() {
    for reader_first in [true, false] {
        with_watchdog(|| {
            let machine = gated();
            let on = |replica| machine.register_on(ReplicaId::new(replica)).unwrap();
            with_a_slow_read_elsewhere(&machine, |scope, stop| {
                let gate = Arc::new(Barrier::new(2));
                let first = Some(Arc::clone(&gate));
                scope.spawn(move || on(0).execute_mut(first));
                gate.wait();
                on(1).execute_mut(None);
                // Replica 0 has a combiner and has not got what was written on replica 1.
                let read = || until_posted(&machine, || scope.spawn(move || on(0).execute(())));
                let write =
                    || until_posted(&machine, || scope.spawn(move || on(0).execute_mut_batch([None, None, None])));
                let (reader, writer) = if reader_first {
                    let reader = read();
                    (reader, write())
                } else {
                    let writer = write();
                    (read(), writer)
                };
                gate.wait();
                assert_eq!(reader.join().unwrap(), 2);
                assert!(!writer.is_finished(), "there was room");
                stop.send(()).unwrap();
                assert_eq!(writer.join().unwrap(), [3, 4, 5]);
            });
        });
    }
}

/// A reader that had become the combiner waited for room in the log on behalf of writers who had posted meanwhile.
#[test]
fn a_reader_that_combines_does_not_wait_for_room_in_the_log() {
    with_watchdog(|| {
        let machine = gated();
        let on = |replica| machine.register_on(ReplicaId::new(replica)).unwrap();
        with_a_slow_read_elsewhere(&machine, |scope, stop| {
            let gate = Arc::new(Barrier::new(2));
            on(1).execute_mut_batch([Some(Arc::clone(&gate)), None]);
            let reader = scope.spawn(move || on(0).execute(()));
            gate.wait();
            let writer = until_posted(&machine, || scope.spawn(move || on(0).execute_mut_batch([None, None, None])));
            gate.wait();
            assert_eq!(reader.join().unwrap(), 2);
            assert!(!writer.is_finished(), "there was room");
            stop.send(()).unwrap();
            assert_eq!(writer.join().unwrap(), [3, 4, 5]);
        });
    });
}

/// A slow read on a replica stopped the writers on another as soon as it was half a log behind, and kept answers back.
#[test]
fn a_slow_read_elsewhere_stops_nobody_before_the_log_is_full() {
    with_watchdog(|| {
        let machine = builder(2).log_entries(64).build(Machine::default()).unwrap();
        let on = |replica| machine.register_on(ReplicaId::new(replica)).unwrap();
        let (reading, is_reading) = mpsc::channel();
        let (stop, stopped) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                on(1).read(|_| {
                    reading.send(()).unwrap();
                    stopped.recv().unwrap();
                });
            });
            is_reading.recv().unwrap();
            let mut handle = on(0);
            for count in 1..=64 {
                assert_eq!(handle.execute_mut(Step::Count), count);
            }
            stop.send(()).unwrap();
        });
    });
}

/// A combiner that waited for room moved everybody's operations out of the log and kept them until it had its own turn.
#[test]
fn operations_are_dropped_while_the_log_is_full() {
    static ALIVE: AtomicUsize = AtomicUsize::new(0);
    struct Counted;
    impl Counted {
        fn new() -> Self {
            ALIVE.fetch_add(1, SeqCst);
            Self
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            ALIVE.fetch_sub(1, SeqCst);
        }
    }
    #[derive(Clone)]
    struct Sink;
    impl Dispatch for Sink {
        type ReadOperation<'a> = ();
        type WriteOperation = Counted;
        type Response = ();
        fn dispatch(&self, _: ()) {}
        fn dispatch_mut(&mut self, _: &Counted) {}
    }

    with_watchdog(|| {
        let sink: NodeReplicated<Sink> = builder(4).log_entries(16).build(Sink).unwrap();
        let most = AtomicUsize::new(0);
        thread::scope(|scope| {
            for thread in 0..8 {
                let (sink, most) = (&sink, &most);
                scope.spawn(move || {
                    let mut handle = sink.register_on(ReplicaId::new(thread % 4)).unwrap();
                    for _ in 0..5_000 {
                        handle.execute_mut(Counted::new());
                        most.fetch_max(ALIVE.load(SeqCst), SeqCst);
                    }
                });
            }
        });
        sink.sync();
        assert_eq!(ALIVE.load(SeqCst), 0);
        // A log, and what each combiner may have in hand when its turn ends. It used to be tens of thousands.
        let most = most.load(SeqCst);
        assert!(most < 2_000, "{most} operations were alive at once");
    });
}
