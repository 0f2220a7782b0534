//! A scheduler: producers push tasks into one `BinaryHeap`, consumers pop the most urgent one.
//!
//! ```text
//! cargo run --release --example priority_queue
//! cargo run --release --example priority_queue -- --producers 8 --consumers 1 --replicas 2
//! ```
//!
//! How can one tell that a concurrent queue gave the right answers? All writes take effect one after the other, in
//! the order of the log. So the scheduler numbers them: the answer to each push and pop carries a ticket. Sorted by
//! ticket, what the threads saw is a plain sequential history, and a plain `BinaryHeap` must give the same answers.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use clap::Parser;
use nr::{Builder, Dispatch};
use nr_examples::{ReplicasOption, Result, counted, ensure, mix, on_every_replica, on_threads, say, whole};

/// Higher priorities are more urgent; among equals, who came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Task {
    priority: u8,
    number: Reverse<usize>,
}

#[derive(Clone, Default)]
struct Scheduler {
    queue: BinaryHeap<Task>,
    next_ticket: usize,
}

/// The read: which task is next?
struct Peek;

enum Write {
    Push(Task),
    Pop,
}

struct Answer {
    ticket: usize,
    task: Option<Task>,
}

impl Dispatch for Scheduler {
    type ReadOperation<'a> = Peek;
    type WriteOperation = Write;
    type Response = Answer;

    fn dispatch(&self, Peek: Peek) -> Answer {
        Answer { ticket: self.next_ticket, task: self.queue.peek().copied() }
    }

    fn dispatch_mut(&mut self, write: &Write) -> Answer {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let task = match write {
            Write::Push(task) => {
                self.queue.push(*task);
                None
            }
            Write::Pop => self.queue.pop(),
        };
        Answer { ticket, task }
    }
}

/// Runs a scheduler over a BinaryHeap with several producers and consumers, and checks every answer that they got.
#[derive(Parser)]
struct Options {
    /// Threads that push tasks, 1 to 256
    #[arg(long, value_name = "NUMBER", default_value = "2", value_parser = whole(1..=256))]
    producers: usize,

    /// Threads that pop tasks, 1 to 256
    #[arg(long, value_name = "NUMBER", default_value = "2", value_parser = whole(1..=256))]
    consumers: usize,

    /// Tasks that all producers push together, 1 to 1,000,000
    #[arg(long, value_name = "NUMBER", default_value = "200000", value_parser = whole(1..=1_000_000))]
    tasks: usize,

    #[command(flatten)]
    replicas: ReplicasOption,
}

/// What a thread did and, for a pop, what it got.
#[derive(Clone, Copy)]
enum Event {
    Pushed(Task),
    Popped(Option<Task>),
}

fn main() -> ExitCode {
    nr_examples::finish(run(&Options::parse()))
}

fn run(&Options { producers, consumers, tasks, replicas }: &Options) -> Result {
    let scheduler = Builder::default().replicas(replicas.choice()).build(Scheduler::default())?;
    let producing = AtomicUsize::new(producers);

    let begin = Instant::now();
    let histories = on_threads(producers + consumers, |thread| {
        let mut handle = scheduler.register()?;
        let mut history = Vec::new();
        if thread < producers {
            for number in (thread..tasks).step_by(producers) {
                let task = Task { priority: mix(number as u64) as u8, number: Reverse(number) };
                history.push((handle.execute_mut(Write::Push(task)).ticket, Event::Pushed(task)));
            }
            producing.fetch_sub(1, Ordering::Release);
            return Ok(history);
        }
        let mut previous = None;
        loop {
            // Asked before the look into the queue: if all producers had finished by then, it stays empty.
            let finished = producing.load(Ordering::Acquire) == 0;
            // A look costs the other replicas nothing, while a pop goes into the log even if there is nothing to pop.
            if handle.execute(Peek).task.is_none() {
                if finished {
                    return Ok(history);
                }
                thread::yield_now();
                continue;
            }
            let Answer { ticket, task } = handle.execute_mut(Write::Pop);
            history.push((ticket, Event::Popped(task)));
            if let (true, Some(task)) = (finished, task) {
                ensure!(
                    previous.is_none_or(|previous| previous > task),
                    "nothing was pushed any more, and still {task:?} came after {previous:?}"
                );
                previous = Some(task);
            }
        }
    })?;
    let seconds = begin.elapsed().as_secs_f64();

    let operations: usize = histories.iter().map(Vec::len).sum();
    say!(
        "{} pushed {}, {} popped them, on {}:",
        counted(producers, "producer"),
        counted(tasks, "task"),
        counted(consumers, "consumer"),
        counted(scheduler.replicas(), "replica")
    );
    say!("{:.2} s, {:.2} million operations a second", seconds, operations as f64 / seconds / 1e6);

    check(histories, tasks)?;
    for (index, left) in on_every_replica(&scheduler, |scheduler| scheduler.queue.len())?.into_iter().enumerate() {
        ensure!(left == 0, "replica {index} still has {}", counted(left, "task"));
    }
    say!("Check passed: each task popped exactly once, and each pop got the most urgent task of its moment.");
    Ok(())
}

/// Puts what the threads saw into one sequence, and repeats that on a plain heap.
fn check(histories: Vec<Vec<(usize, Event)>>, tasks: usize) -> Result {
    for (thread, history) in histories.iter().enumerate() {
        let in_order = history.is_sorted_by(|(ticket, _), (later, _)| ticket < later);
        ensure!(in_order, "the operations of thread {thread} did not take effect in its own order");
    }

    let mut sequence = histories.concat();
    sequence.sort_by_key(|&(ticket, _)| ticket);
    let mut queue = BinaryHeap::new();
    let mut popped = vec![false; tasks];
    for (expected, &(ticket, event)) in sequence.iter().enumerate() {
        ensure!(ticket == expected, "ticket {expected} is missing, or was given twice");
        match event {
            Event::Pushed(task) => queue.push(task),
            Event::Popped(task) => {
                let right = queue.pop();
                ensure!(task == right, "the pop with ticket {ticket} got {task:?} instead of {right:?}");
                if let Some(Task { number: Reverse(number), .. }) = task {
                    ensure!(!popped[number], "task {number} was popped twice");
                    popped[number] = true;
                }
            }
        }
    }
    let lost = popped.iter().filter(|&&popped| !popped).count();
    ensure!(lost == 0, "{} never popped", counted(lost, "task"));
    Ok(())
}
