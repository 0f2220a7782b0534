//! Guarantee 1: writes take effect in one order, and a read sees every write answered before the read began, on
//! whichever replica.

mod common;

use common::history::{Clock, Event, Model, assert_linearizable, is_linearizable};
use common::structures::*;
use common::*;
use nr::Dispatch;
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::*};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::Duration;

/// Each body on the reference, on the crate, and on the crate while replicas come and go. For as long as wanted, and decided by another
/// judge as well, the program `soak` checks the same.
macro_rules! everywhere {
    ($($body:ident: $data:ty),+ $(,)?) => {
        both! { $($body: $data),+ }

        mod while_replicas_come_and_go {
            use super::*;

            $(
                #[test]
                fn $body() {
                    for_each_configuration(super::$body::<Elastic<$data>>);
                }
            )+
        }
    };
}

everywhere! {
    answers_of_fetch_add_are_a_permutation: Counter,
    no_read_goes_back_in_real_time: Counter,
    what_a_local_reader_saw_is_seen_elsewhere: Pausing,
    an_answered_write_is_seen_by_whoever_hears_of_it: Counter,
    a_thread_reads_its_own_writes: Counter,
    a_consumer_sees_each_producer_in_order: Queue,
    positions_of_one_thread_rise: Journal,
    an_operation_is_seen_whole: Twins,
    histories_of_registers: Registers,
    histories_of_a_queue: Queue,
}

fn answers_of_fetch_add_are_a_permutation<S: Shared<Counter>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Counter::default());
    let each = scaled(80);
    let mut answers: Vec<u64> = run_threads(MANY_THREADS, |thread| {
        let mut handle = shared.handle(thread);
        let answers: Vec<u64> = (0..each).map(|_| handle.execute_mut(Add(1))).collect();
        assert!(answers.is_sorted(), "a thread's own answers rise");
        answers
    })
    .concat();
    answers.sort_unstable();
    assert_eq!(answers, (0..(MANY_THREADS * each) as u64).collect::<Vec<_>>());
    assert_eq!(shared.into_inner().0, (MANY_THREADS * each) as u64);
}

/// Every thread tells all others what it saw; nobody may afterwards see less.
fn no_read_goes_back_in_real_time<S: Shared<Counter>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Counter::default());
    let seen = AtomicU64::new(0);
    let writers_left = AtomicUsize::new(4);
    run_threads(MANY_THREADS, |thread| {
        let mut handle = shared.handle(thread / 2);
        if thread < 4 {
            let _left = CountDownOnDrop(&writers_left);
            for step in 0..scaled(150) {
                let before = seen.load(SeqCst);
                let position = handle.execute_mut(Add(1));
                check!(position >= before, "writer {thread}, step {step}: wrote at {position} after {before} was seen");
                seen.fetch_max(position + 1, SeqCst);
            }
        } else {
            for step in 0.. {
                let last = writers_left.load(SeqCst) == 0;
                let before = seen.load(SeqCst);
                let read = if step % 2 == 0 { handle.execute(Get) } else { handle.read(|counter| counter.0) };
                check!(read >= before, "reader {thread}, step {step}: read {read} after {before} was seen");
                seen.fetch_max(read, SeqCst);
                thread::yield_now();
                if last {
                    break;
                }
            }
        }
    });
}

/// A counter whose first replica takes its time over a write.
#[derive(Clone)]
struct Pausing {
    pauses: bool,
    value: u64,
}

impl Dispatch for Pausing {
    type ReadOperation<'a> = ();
    type WriteOperation = ();
    type Response = u64;

    fn dispatch(&self, (): ()) -> u64 {
        self.value
    }

    fn dispatch_mut(&mut self, (): &()) -> u64 {
        if self.pauses {
            thread::sleep(Duration::from_micros(20));
        }
        self.value += 1;
        self.value
    }
}

/// The trap of node replication: a write that its own replica's readers see before it counts as complete for the
/// readers of other replicas. One writer; readers on its replica pass on what they saw; a second reader, on each
/// replica, must see at least that.
///
/// The write takes long enough for the first readers to fall asleep, several of them: to wake them takes the writer
/// some time, and one of them may take its processor, at the very moment when the write has become visible to them.
fn what_a_local_reader_saw_is_seen_elsewhere<S: Shared<Pausing>>(configuration: &Configuration) {
    let shared = S::make(configuration, |replica| Pausing { pauses: replica == 0, value: 0 });
    let passed_on = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    let first_readers = 6;
    run_threads(1 + first_readers + shared.replicas(), |thread| {
        if thread == 0 {
            let _done = RaiseOnDrop(&done);
            let mut writer = shared.handle(0);
            for _ in 0..scaled(100) {
                writer.execute_mut(());
            }
        } else if thread <= first_readers {
            let mut first = shared.handle(0);
            while !done.load(Acquire) {
                let read = if thread % 2 == 0 { first.execute(()) } else { first.read(|it| it.value) };
                passed_on.fetch_max(read, AcqRel);
                thread::yield_now();
            }
        } else {
            let replica = thread - first_readers - 1;
            let mut second = shared.handle(replica);
            while !done.load(Acquire) {
                let told = passed_on.load(Acquire);
                let read = second.execute(());
                check!(read >= told, "a reader on replica {replica} read {read}, after another had read {told}");
                thread::yield_now();
            }
        }
    });
}

/// Not through shared memory that a reader polls, but through a message sent after the answer.
fn an_answered_write_is_seen_by_whoever_hears_of_it<S: Shared<Counter>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Counter::default());
    for teller in 0..shared.replicas() {
        for hearer in 0..shared.replicas() {
            let (tell, hear) = mpsc::channel();
            thread::scope(|scope| {
                let shared = &shared;
                scope.spawn(move || {
                    let mut handle = shared.handle(teller);
                    for _ in 0..scaled(20) {
                        tell.send(handle.execute_mut(Add(1))).expect("the hearer listens to the end");
                    }
                });
                let mut handle = shared.handle(hearer);
                for position in hear {
                    let read = handle.execute(Get);
                    check!(read > position, "heard on {hearer} of a write at {position} on {teller}, and read {read}");
                }
            });
        }
    }
}

fn a_thread_reads_its_own_writes<S: Shared<Counter>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Counter::default());
    run_threads(MANY_THREADS, |thread| {
        let mut here = shared.handle(thread);
        let mut there = shared.handle(thread + 1);
        for _ in 0..scaled(15) {
            let position = here.execute_mut(Add(1));
            check!(here.execute(Get) > position, "through the same handle");
            check!(there.execute(Get) > position, "through a handle on another replica");
            let position = there.execute_mut(Add(1));
            check!(here.read(|counter| counter.0) > position, "through the closure");
        }
    });
}

fn a_consumer_sees_each_producer_in_order<S: Shared<Queue>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Queue::default());
    let (producers, consumers, each) = (8, 8, scaled(30));
    let taken = AtomicUsize::new(0);
    let mut popped = run_threads(producers + consumers, |thread| {
        let mut handle = shared.handle(thread);
        let mut mine = Vec::new();
        if thread < producers {
            for number in 0..each {
                handle.execute_mut(QueueWrite::Push { producer: thread, number });
            }
        } else {
            while taken.load(SeqCst) < producers * each {
                match handle.execute_mut(QueueWrite::Pop) {
                    Some(item) => {
                        taken.fetch_add(1, SeqCst);
                        mine.push(item);
                    }
                    None => thread::yield_now(),
                }
            }
        }
        for producer in 0..producers {
            let numbers = mine.iter().filter(|item| item.0 == producer).map(|item| item.1);
            check!(numbers.is_sorted_by(|a, b| a < b), "consumer {thread} took producer {producer}'s out of order");
        }
        mine
    })
    .concat();
    popped.sort_unstable();
    let all: Vec<_> = (0..producers).flat_map(|p| (0..each).map(move |number| (p, number))).collect();
    assert_eq!(popped, all, "each item comes out once");
    assert_eq!(shared.into_inner().0.len(), 0);
}

fn positions_of_one_thread_rise<S: Shared<Journal>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Journal::default());
    let each = scaled(30);
    let positions = run_threads(MANY_THREADS, |thread| {
        let mut handle = shared.handle(thread);
        (0..each).map(|step| handle.execute_mut(Note { thread, step })).collect::<Vec<_>>()
    });
    let notes = shared.into_inner().notes();
    assert_eq!(notes.len(), MANY_THREADS * each);
    for (thread, positions) in positions.iter().enumerate() {
        for (step, &position) in positions.iter().enumerate() {
            assert_eq!(notes[position], (thread, step), "what stands at the position that was answered");
        }
        assert!(positions.is_sorted_by(|a, b| a < b), "thread {thread} in its own order");
    }
}

/// `dispatch_mut` runs alone on its replica: no reader looks into the middle of it, and the state under a reader
/// stands still.
fn an_operation_is_seen_whole<S: Shared<Twins>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Twins::default());
    run_threads(8, |thread| {
        let mut handle = shared.handle(thread);
        let mut last = 0;
        for step in 0..scaled(30) {
            let (first, second) = match step % 4 {
                0 => handle.execute_mut(Step),
                1 | 2 => handle.execute(Both),
                _ => handle.read(Twins::both),
            };
            check!(first == second, "thread {thread}, step {step}: saw {first} and {second}");
            check!(first >= last, "thread {thread}, step {step}: saw {first} after {last}");
            last = first;
        }
    });
}

/// One register, of those that [`Registers`] holds.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
struct Register(u32);

#[derive(Debug)]
enum RegisterOp {
    Read,
    ReadByClosure,
    Write(RegisterWrite),
    /// All in one batch.
    Batch(Vec<RegisterWrite>),
}

impl Model for Register {
    type Op = RegisterOp;
    type Answer = Vec<u32>;

    fn apply(&mut self, op: &RegisterOp) -> Vec<u32> {
        let mut apply = |write: &RegisterWrite| {
            let held = self.0;
            match *write {
                RegisterWrite::Write(new) => self.0 = new,
                RegisterWrite::CompareAndSwap { old, new } if old == held => self.0 = new,
                RegisterWrite::CompareAndSwap { .. } => {}
                RegisterWrite::Add(by) => self.0 += by,
            }
            held
        };
        match op {
            RegisterOp::Read | RegisterOp::ReadByClosure => vec![self.0],
            RegisterOp::Write(write) => vec![apply(write)],
            RegisterOp::Batch(writes) => writes.iter().map(apply).collect(),
        }
    }
}

/// Short histories on a register each, all threads starting together, decided by brute force.
fn histories_of_registers<S: Shared<Registers>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Registers::default());
    let (threads, rounds, steps) = (5, scaled(100), 4);
    let clock = Clock::default();
    let together = Barrier::new(threads);
    let batch = configuration.batch_of(2);
    let recorded = run_threads(threads, |thread| {
        let mut handle = shared.handle(thread);
        let mut random = Random::new(thread);
        let mut rounds_of_events = Vec::new();
        for name in 0..rounds {
            together.wait();
            let events: Vec<Event<Register>> = (0..steps)
                .map(|step| {
                    let fresh = (thread * steps + step + 1) as u32;
                    let write = match random.below(3) {
                        0 => RegisterWrite::Write(fresh),
                        1 => RegisterWrite::CompareAndSwap { old: random.below(8) as u32, new: fresh },
                        _ => RegisterWrite::Add(1),
                    };
                    let op = match random.below(6) {
                        0 | 1 => RegisterOp::Read,
                        2 => RegisterOp::ReadByClosure,
                        3 | 4 => RegisterOp::Write(write),
                        _ => RegisterOp::Batch(vec![write, RegisterWrite::Add(1)][..batch].to_vec()),
                    };
                    clock.record(thread, op, |op| match op {
                        RegisterOp::Read => vec![handle.execute(name)],
                        RegisterOp::ReadByClosure => {
                            vec![handle.read(|registers| registers.0.get(&name).copied().unwrap_or(0))]
                        }
                        RegisterOp::Write(write) => vec![handle.execute_mut((name, *write))],
                        RegisterOp::Batch(writes) => {
                            handle.execute_mut_batch(writes.iter().map(|&write| (name, write)))
                        }
                    })
                })
                .collect();
            rounds_of_events.push(events);
        }
        rounds_of_events
    });
    check_rounds(recorded, &Register::default(), "a register");
}

/// The queue's sequential specification.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
struct QueueModel(VecDeque<(usize, usize)>);

#[derive(Debug)]
enum QueueOp {
    Push(usize, usize),
    Pop,
    Front,
}

impl Model for QueueModel {
    type Op = QueueOp;
    type Answer = Option<(usize, usize)>;

    fn apply(&mut self, op: &QueueOp) -> Option<(usize, usize)> {
        match *op {
            QueueOp::Push(producer, number) => {
                self.0.push_back((producer, number));
                None
            }
            QueueOp::Pop => self.0.pop_front(),
            QueueOp::Front => self.0.front().copied(),
        }
    }
}

fn histories_of_a_queue<S: Shared<Queue>>(configuration: &Configuration) {
    let shared = S::make(configuration, |_| Queue::default());
    let (threads, rounds, steps) = (4, scaled(100), 4);
    let clock = Clock::default();
    let together = Barrier::new(threads);
    let recorded = run_threads(threads, |thread| {
        let mut handle = shared.handle(thread);
        let mut random = Random::new(100 + thread);
        let mut rounds_of_events = Vec::new();
        for round in 0..rounds {
            if together.wait().is_leader() {
                while handle.execute_mut(QueueWrite::Pop).is_some() {}
            }
            together.wait();
            let events: Vec<Event<QueueModel>> = (0..steps)
                .map(|step| {
                    let op = match random.below(3) {
                        0 => QueueOp::Push(thread, round * steps + step),
                        1 => QueueOp::Pop,
                        _ => QueueOp::Front,
                    };
                    clock.record(thread, op, |op| match *op {
                        QueueOp::Push(producer, number) => handle.execute_mut(QueueWrite::Push { producer, number }),
                        QueueOp::Pop => handle.execute_mut(QueueWrite::Pop),
                        QueueOp::Front => handle.execute(Front),
                    })
                })
                .collect();
            rounds_of_events.push(events);
            together.wait();
        }
        rounds_of_events
    });
    check_rounds(recorded, &QueueModel::default(), "a queue");
}

/// `recorded[thread][round]`; each round is a history of its own.
fn check_rounds<M: Model>(recorded: Vec<Vec<Vec<Event<M>>>>, initial: &M, what: &str) {
    let mut threads: Vec<_> = recorded.into_iter().map(Vec::into_iter).collect();
    for round in 0.. {
        let events: Vec<_> = threads.iter_mut().filter_map(Iterator::next).flatten().collect();
        if events.is_empty() {
            break;
        }
        assert_linearizable(initial, events, &format!("{what}, round {round}"));
    }
}

mod the_checker {
    use super::*;

    fn event(thread: usize, began: u64, ended: u64, op: RegisterOp, answer: u32) -> Event<Register> {
        Event { thread, began, ended, op, answer: vec![answer] }
    }

    fn write(new: u32) -> RegisterOp {
        RegisterOp::Write(RegisterWrite::Write(new))
    }

    #[test]
    fn accepts_what_overlaps_in_either_order() {
        for read in [0, 7] {
            let history = [event(0, 0, 3, write(7), 0), event(1, 1, 2, RegisterOp::Read, read)];
            assert!(is_linearizable(&Register(0), &history), "read {read}");
        }
    }

    #[test]
    fn refuses_a_stale_read() {
        let history = [event(0, 0, 1, write(7), 0), event(1, 2, 3, RegisterOp::Read, 0)];
        assert!(!is_linearizable(&Register(0), &history));
    }

    /// The anomaly itself: W ∥ R1, then R2.
    #[test]
    fn refuses_a_second_reader_who_sees_less_than_the_first() {
        let history =
            [event(0, 0, 9, write(7), 0), event(1, 1, 2, RegisterOp::Read, 7), event(2, 3, 4, RegisterOp::Read, 0)];
        assert!(!is_linearizable(&Register(0), &history));
        assert!(is_linearizable(&Register(0), &history[..2]));
    }

    #[test]
    fn refuses_a_lost_update() {
        let add = || RegisterOp::Write(RegisterWrite::Add(1));
        let history = [event(0, 0, 2, add(), 0), event(1, 1, 3, add(), 0)];
        assert!(!is_linearizable(&Register(0), &history));
    }

    #[test]
    fn refuses_a_batch_seen_in_part() {
        let batch = vec![RegisterWrite::Add(1), RegisterWrite::Add(1)];
        let whole = Event { thread: 0, began: 0, ended: 9, op: RegisterOp::Batch(batch), answer: vec![0, 1] };
        let history = [whole, event(1, 1, 2, RegisterOp::Read, 1)];
        assert!(!is_linearizable(&Register(0), &history));
    }

    #[test]
    fn the_random_numbers_differ() {
        let numbers: HashSet<_> = (0..100).map(|seed| Random::new(seed).next()).collect();
        assert_eq!(numbers.len(), 100);
    }
}
