//! A stack that many threads push onto and pop from: the `Vec` that you would write for one thread.
//!
//! ```text
//! cargo run --release --example stack
//! cargo run --release --example stack -- --threads 16 --replicas 2
//! ```
//!
//! A stack has one busy end, the worst case for locks and for lock-free designs alike. `nr` lets one thread of each
//! NUMA node, the combiner, carry out what the others are waiting for, so the top stays in that thread's cache.

use std::{process::ExitCode, time::Instant};

use clap::Parser;
use nr::{Builder, Dispatch};
use nr_examples::{Random, ReplicasOption, Result, counted, ensure, grouped, on_every_replica, on_threads, say, whole};

/// Says who pushed it and as which of their values, so that the checks can tell all values apart.
#[derive(Clone, Copy, Debug)]
struct Value {
    thread: usize,
    number: usize,
}

#[derive(Clone, Default)]
struct Stack(Vec<Value>);

/// The read: what is on top?
struct Top;

enum Write {
    Push(Value),
    Pop,
}

impl Dispatch for Stack {
    type ReadOperation<'a> = Top;
    type WriteOperation = Write;
    type Response = Option<Value>;

    fn dispatch(&self, Top: Top) -> Option<Value> {
        self.0.last().copied()
    }

    fn dispatch_mut(&mut self, write: &Write) -> Option<Value> {
        match write {
            Write::Push(value) => {
                self.0.push(*value);
                None
            }
            Write::Pop => self.0.pop(),
        }
    }
}

/// Pushes and pops on one stack from many threads; checks that each value comes back once, and last in, first out.
#[derive(Parser)]
struct Options {
    /// Threads that push and pop, 1 to 256
    #[arg(long, value_name = "NUMBER", default_value = "4", value_parser = whole(1..=256))]
    threads: usize,

    /// Values that all threads push together, 1 to 1,000,000
    #[arg(long, value_name = "NUMBER", default_value = "400000", value_parser = whole(1..=1_000_000))]
    values: usize,

    #[command(flatten)]
    replicas: ReplicasOption,
}

fn main() -> ExitCode {
    nr_examples::finish(run(&Options::parse()))
}

fn run(&Options { threads, values, replicas }: &Options) -> Result {
    let stack = Builder::default().replicas(replicas.choice()).build(Stack::default())?;
    let begin = Instant::now();

    // First everyone pushes, and pops after about every other push.
    let popped_early = on_threads(threads, |thread| {
        let mut handle = stack.register()?;
        let mut random = Random::new(thread as u64);
        let mut popped = Vec::new();
        for number in (thread..values).step_by(threads) {
            handle.execute_mut(Write::Push(Value { thread, number }));
            if random.below(2) == 0 {
                popped.extend(handle.execute_mut(Write::Pop));
            }
        }
        Ok(popped)
    })?;

    // Then nobody pushes any more, and all empty the stack together.
    let popped_late = on_threads(threads, |_| {
        let mut handle = stack.register()?;
        let mut popped = Vec::new();
        while let Some(value) = handle.execute_mut(Write::Pop) {
            popped.push(value);
        }
        ensure!(handle.execute(Top).is_none(), "a thread found the stack empty and then found a value on it");
        Ok(popped)
    })?;

    let seconds = begin.elapsed().as_secs_f64();
    say!(
        "{} pushed {} on {}, popped {} meanwhile and {} at the end:",
        counted(threads, "thread"),
        counted(values, "value"),
        counted(stack.replicas(), "replica"),
        grouped(popped_early.iter().map(Vec::len).sum()),
        grouped(popped_late.iter().map(Vec::len).sum())
    );
    say!("{:.2} s, {:.2} million operations a second", seconds, 2.0 * values as f64 / seconds / 1e6);

    // Nothing lost, nothing twice.
    let mut times_popped = vec![0; values];
    for value in popped_early.iter().chain(&popped_late).flatten() {
        times_popped[value.number] += 1;
    }
    for (number, times) in times_popped.into_iter().enumerate() {
        ensure!(times == 1, "value {number} was popped {times} times");
    }

    // What is left of one thread's values lies on the stack in the order in which it pushed them. So whoever pops two
    // of them, with no push between, gets the later one first.
    for popped in &popped_late {
        let mut previous = vec![usize::MAX; threads];
        for &Value { thread, number } in popped {
            let before = previous[thread];
            ensure!(number < before, "value {number} of thread {thread} was popped after {before}, pushed before it");
            previous[thread] = number;
        }
    }

    for (index, left) in on_every_replica(&stack, |stack| stack.0.len())?.into_iter().enumerate() {
        ensure!(left == 0, "replica {index} still has {}", counted(left, "value"));
    }
    say!("Check passed: each value popped exactly once; last in, first out.");
    Ok(())
}
