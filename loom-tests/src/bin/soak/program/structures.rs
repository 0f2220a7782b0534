//! The sequential structures of which windows are recorded.

use crate::common::Random;
use nr::Dispatch;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;

/// A sequential structure to which random things can be done. It is its own specification.
pub trait Structure: Clone + Debug + Eq + Hash + Send + Sync + 'static {
    type Write: Clone + Debug + Send + Sync;
    type Read: Clone + Debug + Send + Sync;

    /// A small one to begin with.
    fn random(random: &mut Random) -> Self;
    /// A write that puts in nothing but `fresh`, which is unique.
    fn random_write(random: &mut Random, fresh: u32) -> Self::Write;
    fn random_read(random: &mut Random) -> Self::Read;
    fn write(&mut self, op: &Self::Write) -> Option<u32>;
    fn read(&self, op: &Self::Read) -> Option<u32>;
}

/// Values up to here are those of the start.
pub const FRESH: u32 = 100;

fn old_value(random: &mut Random) -> u32 {
    random.below(FRESH as usize) as u32
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Map(BTreeMap<u32, u32>);

#[derive(Clone, Debug)]
pub enum MapWrite {
    Insert(u32, u32),
    Remove(u32),
    /// Only if there is one already.
    Replace(u32, u32),
}

#[derive(Clone, Debug)]
pub enum MapRead {
    Get(u32),
    Len,
}

impl Map {
    fn random_key(random: &mut Random) -> u32 {
        random.below(3) as u32
    }
}

impl Structure for Map {
    type Write = MapWrite;
    type Read = MapRead;

    fn random(random: &mut Random) -> Self {
        let entries = random.below(3);
        Self((0..entries).map(|_| (Self::random_key(random), old_value(random))).collect())
    }

    fn random_write(random: &mut Random, fresh: u32) -> MapWrite {
        let key = Self::random_key(random);
        match random.below(3) {
            0 => MapWrite::Insert(key, fresh),
            1 => MapWrite::Remove(key),
            _ => MapWrite::Replace(key, fresh),
        }
    }

    fn random_read(random: &mut Random) -> MapRead {
        match random.below(4) {
            0 => MapRead::Len,
            _ => MapRead::Get(Self::random_key(random)),
        }
    }

    fn write(&mut self, op: &MapWrite) -> Option<u32> {
        match *op {
            MapWrite::Insert(key, value) => self.0.insert(key, value),
            MapWrite::Remove(key) => self.0.remove(&key),
            MapWrite::Replace(key, value) => self.0.get_mut(&key).map(|held| std::mem::replace(held, value)),
        }
    }

    fn read(&self, op: &MapRead) -> Option<u32> {
        match op {
            MapRead::Get(key) => self.0.get(key).copied(),
            MapRead::Len => Some(self.0.len() as u32),
        }
    }
}

/// What can be done to a queue, a stack and a priority queue.
#[derive(Clone, Debug)]
pub enum Put {
    /// Answers with the length before it. The more an answer tells, the fewer orders a decider has to try: if pushes told nothing, any
    /// order of all that were concurrent might turn out to be the right one much later.
    Push(u32),
    Pop,
}

impl Put {
    fn random(random: &mut Random, fresh: u32) -> Self {
        match random.one_in(2) {
            true => Self::Push(fresh),
            false => Self::Pop,
        }
    }
}

#[derive(Clone, Debug)]
pub enum Peek {
    /// At what would be popped next.
    Next,
    Len,
}

impl Peek {
    fn random(random: &mut Random) -> Self {
        match random.one_in(3) {
            true => Self::Len,
            false => Self::Next,
        }
    }
}

/// What is pushed last comes last from a queue, first from a stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sequence<const IS_STACK: bool>(VecDeque<u32>);

pub type Queue = Sequence<false>;
pub type Stack = Sequence<true>;

impl<const IS_STACK: bool> Structure for Sequence<IS_STACK> {
    type Write = Put;
    type Read = Peek;

    fn random(random: &mut Random) -> Self {
        let len = random.below(4);
        Self((0..len).map(|_| old_value(random)).collect())
    }

    fn random_write(random: &mut Random, fresh: u32) -> Put {
        Put::random(random, fresh)
    }

    fn random_read(random: &mut Random) -> Peek {
        Peek::random(random)
    }

    fn write(&mut self, op: &Put) -> Option<u32> {
        match *op {
            Put::Push(value) => {
                self.0.push_back(value);
                Some(self.0.len() as u32 - 1)
            }
            Put::Pop if IS_STACK => self.0.pop_back(),
            Put::Pop => self.0.pop_front(),
        }
    }

    fn read(&self, op: &Peek) -> Option<u32> {
        match op {
            Peek::Next if IS_STACK => self.0.back().copied(),
            Peek::Next => self.0.front().copied(),
            Peek::Len => Some(self.0.len() as u32),
        }
    }
}

/// The smallest comes first: an ordered set, which can be compared, as a heap can't.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PriorityQueue(BTreeSet<(u32, u32)>);

#[derive(Clone, Debug)]
pub enum PriorityPut {
    Push { priority: u32, value: u32 },
    Pop,
}

impl PriorityQueue {
    fn random_priority(random: &mut Random) -> u32 {
        random.below(4) as u32
    }
}

impl Structure for PriorityQueue {
    type Write = PriorityPut;
    type Read = Peek;

    fn random(random: &mut Random) -> Self {
        let len = random.below(4);
        Self((0..len).map(|_| (Self::random_priority(random), old_value(random))).collect())
    }

    fn random_write(random: &mut Random, fresh: u32) -> PriorityPut {
        match Put::random(random, fresh) {
            Put::Push(value) => PriorityPut::Push { priority: Self::random_priority(random), value },
            Put::Pop => PriorityPut::Pop,
        }
    }

    fn random_read(random: &mut Random) -> Peek {
        Peek::random(random)
    }

    fn write(&mut self, op: &PriorityPut) -> Option<u32> {
        match *op {
            PriorityPut::Push { priority, value } => {
                self.0.insert((priority, value));
                Some(self.0.len() as u32 - 1)
            }
            PriorityPut::Pop => self.0.pop_first().map(|(_, value)| value),
        }
    }

    fn read(&self, op: &Peek) -> Option<u32> {
        match op {
            Peek::Next => self.0.first().map(|&(_, value)| value),
            Peek::Len => Some(self.0.len() as u32),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Counter(u32);

#[derive(Clone, Debug)]
pub enum CounterWrite {
    /// Answers with the value before it.
    Add(u32),
    CompareAndSwap {
        old: u32,
        new: u32,
    },
}

#[derive(Clone, Debug)]
pub struct Get;

impl Structure for Counter {
    type Write = CounterWrite;
    type Read = Get;

    fn random(random: &mut Random) -> Self {
        Self(random.below(3) as u32)
    }

    fn random_write(random: &mut Random, fresh: u32) -> CounterWrite {
        match random.one_in(4) {
            true => CounterWrite::CompareAndSwap { old: random.below(6) as u32, new: fresh },
            false => CounterWrite::Add(1 + random.below(2) as u32),
        }
    }

    fn random_read(_: &mut Random) -> Get {
        Get
    }

    fn write(&mut self, op: &CounterWrite) -> Option<u32> {
        let before = self.0;
        match *op {
            CounterWrite::Add(by) => self.0 += by,
            CounterWrite::CompareAndSwap { old, new } if old == before => self.0 = new,
            CounterWrite::CompareAndSwap { .. } => {}
        }
        Some(before)
    }

    fn read(&self, Get: &Get) -> Option<u32> {
        Some(self.0)
    }
}

/// So many of a structure in one: the history of each is a history of its own, and is linearizable if that of the whole is.
#[derive(Clone, Debug)]
pub struct Several<S>(pub Vec<S>);

/// Something done to one of them.
pub struct Change<S: Structure> {
    pub object: usize,
    pub what: What<S>,
}

pub enum What<S: Structure> {
    Write(S::Write),
    /// Puts another one in its place.
    Renew(S),
}

impl<S: Structure> Dispatch for Several<S> {
    type ReadOperation<'a> = (usize, &'a S::Read);
    type WriteOperation = Change<S>;
    type Response = Option<u32>;

    fn dispatch(&self, (object, op): (usize, &S::Read)) -> Option<u32> {
        self.0[object].read(op)
    }

    fn dispatch_mut(&mut self, Change { object, what }: &Change<S>) -> Option<u32> {
        match what {
            What::Write(op) => self.0[*object].write(op),
            What::Renew(other) => {
                self.0[*object] = other.clone();
                None
            }
        }
    }
}
