//! Small sequential structures to replicate. None of them, nor any operation of theirs, is `Clone`.

use nr::Dispatch;
use std::collections::{HashMap, VecDeque};

/// A counter: `Add` answers with the value before it, so that answers are positions.
#[derive(Clone, Debug, Default)]
pub struct Counter(pub u64);

/// Adds so much.
pub struct Add(pub u64);

/// Reads the value.
pub struct Get;

impl Dispatch for Counter {
    type ReadOperation<'a> = Get;
    type WriteOperation = Add;
    type Response = u64;

    fn dispatch(&self, Get: Get) -> u64 {
        self.0
    }

    fn dispatch_mut(&mut self, &Add(by): &Add) -> u64 {
        let before = self.0;
        self.0 += by;
        before
    }
}

/// Writes down every operation in its order, with a hash that depends on that order.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    pub entries: Vec<Note>,
    pub hash: u64,
}

/// The `step`-th operation of a thread.
#[derive(Clone, Debug)]
pub struct Note {
    pub thread: usize,
    pub step: usize,
}

/// Asks for the number of notes.
pub struct Len;

impl Journal {
    /// `(thread, step)` of every note, in order.
    pub fn notes(&self) -> Vec<(usize, usize)> {
        self.entries.iter().map(|note| (note.thread, note.step)).collect()
    }
}

impl Dispatch for Journal {
    type ReadOperation<'a> = Len;
    type WriteOperation = Note;
    /// The position written.
    type Response = usize;

    fn dispatch(&self, Len: Len) -> usize {
        self.entries.len()
    }

    fn dispatch_mut(&mut self, &Note { thread, step }: &Note) -> usize {
        self.hash = (self.hash ^ (thread * 1_000_003 + step) as u64).wrapping_mul(0x0100_0000_01B3).rotate_left(7);
        self.entries.push(Note { thread, step });
        self.entries.len() - 1
    }
}

/// A queue of `(producer, number)`.
#[derive(Clone, Debug, Default)]
pub struct Queue(pub VecDeque<(usize, usize)>);

/// A queue's operations.
pub enum QueueWrite {
    Push { producer: usize, number: usize },
    Pop,
}

/// Looks at the front.
pub struct Front;

impl Dispatch for Queue {
    type ReadOperation<'a> = Front;
    type WriteOperation = QueueWrite;
    type Response = Option<(usize, usize)>;

    fn dispatch(&self, Front: Front) -> Option<(usize, usize)> {
        self.0.front().copied()
    }

    fn dispatch_mut(&mut self, op: &QueueWrite) -> Option<(usize, usize)> {
        match *op {
            QueueWrite::Push { producer, number } => {
                self.0.push_back((producer, number));
                None
            }
            QueueWrite::Pop => self.0.pop_front(),
        }
    }
}

/// Two numbers that every operation changes together, with a pause between: whoever sees them differ has looked
/// into the middle of an operation.
#[derive(Clone, Debug, Default)]
pub struct Twins(pub u64, pub u64);

/// Adds one to both.
pub struct Step;

/// Reads both.
pub struct Both;

impl Twins {
    pub fn both(&self) -> (u64, u64) {
        let first = self.0;
        std::thread::yield_now();
        (first, self.1)
    }
}

impl Dispatch for Twins {
    type ReadOperation<'a> = Both;
    type WriteOperation = Step;
    type Response = (u64, u64);

    fn dispatch(&self, Both: Both) -> (u64, u64) {
        self.both()
    }

    fn dispatch_mut(&mut self, Step: &Step) -> (u64, u64) {
        self.0 += 1;
        std::thread::yield_now();
        self.1 += 1;
        (self.0, self.1)
    }
}

/// Accounts, between which money moves by two operations.
#[derive(Debug)]
pub struct Bank(pub [i64; 4]);

/// Adds to one account.
pub struct Deposit {
    pub account: usize,
    pub amount: i64,
}

/// Adds up all accounts.
pub struct Total;

impl Dispatch for Bank {
    type ReadOperation<'a> = Total;
    type WriteOperation = Deposit;
    type Response = i64;

    fn dispatch(&self, Total: Total) -> i64 {
        self.0.iter().sum()
    }

    fn dispatch_mut(&mut self, &Deposit { account, amount }: &Deposit) -> i64 {
        self.0[account] += amount;
        self.0[account]
    }
}

/// Named registers; each name has its own history.
#[derive(Clone, Debug, Default)]
pub struct Registers(pub HashMap<usize, u32>);

/// What can be done to one register. `Copy`, since a history keeps it; the crate asks for no such thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegisterWrite {
    Write(u32),
    /// Puts `new` if the register holds `old`; answers with what it held.
    CompareAndSwap {
        old: u32,
        new: u32,
    },
    /// Adds; answers with what it held.
    Add(u32),
}

impl Dispatch for Registers {
    type ReadOperation<'a> = usize;
    type WriteOperation = (usize, RegisterWrite);
    type Response = u32;

    fn dispatch(&self, name: usize) -> u32 {
        self.0.get(&name).copied().unwrap_or(0)
    }

    fn dispatch_mut(&mut self, &(name, write): &(usize, RegisterWrite)) -> u32 {
        let register = self.0.entry(name).or_insert(0);
        let held = *register;
        match write {
            RegisterWrite::Write(new) => *register = new,
            RegisterWrite::CompareAndSwap { old, new } if held == old => *register = new,
            RegisterWrite::CompareAndSwap { .. } => {}
            RegisterWrite::Add(by) => *register += by,
        }
        held
    }
}
