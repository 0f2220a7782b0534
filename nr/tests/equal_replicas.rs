//! All replicas come to the same state, and it is the one that the operations lead to, one by one, in the order that
//! their answers tell.

mod common;

use common::*;
use nr::Dispatch;
use std::collections::{BTreeMap, BinaryHeap};

both! {
    maps: Numbered<Map>,
    heaps: Numbered<Heap>,
}

/// A sequential structure to which random things can be done.
trait Structure: Default + Clone + PartialEq + std::fmt::Debug + Send + Sync {
    type Op: Clone + Send + Sync + std::fmt::Debug;
    type Answer: PartialEq + std::fmt::Debug + Send;
    fn random(random: &mut Random) -> Self::Op;
    fn apply(&mut self, op: &Self::Op) -> Self::Answer;
}

#[derive(Default, Clone, PartialEq, Debug)]
struct Map(BTreeMap<usize, String>);

#[derive(Clone, Debug)]
enum MapOp {
    Insert(usize, String),
    Append(usize, &'static str),
    Remove(usize),
    /// Removes all keys below.
    Cut(usize),
}

impl Structure for Map {
    type Op = MapOp;
    type Answer = Option<String>;

    fn random(random: &mut Random) -> MapOp {
        let key = random.below(20);
        match random.below(20) {
            0..8 => MapOp::Insert(key, random.below(1000).to_string()),
            8..14 => MapOp::Append(key, "+"),
            14..19 => MapOp::Remove(key),
            _ => MapOp::Cut(key / 4),
        }
    }

    fn apply(&mut self, op: &MapOp) -> Option<String> {
        match op {
            MapOp::Insert(key, value) => self.0.insert(*key, value.clone()),
            MapOp::Append(key, text) => {
                let value = self.0.get_mut(key)?;
                value.push_str(text);
                Some(value.clone())
            }
            MapOp::Remove(key) => self.0.remove(key),
            MapOp::Cut(key) => {
                let rest = self.0.split_off(key);
                let cut = std::mem::replace(&mut self.0, rest);
                Some(cut.len().to_string())
            }
        }
    }
}

#[derive(Default, Clone, Debug)]
struct Heap(BinaryHeap<(usize, usize)>);

impl PartialEq for Heap {
    /// To the last detail: in the order in which the heap lies in memory.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice() == other.0.as_slice()
    }
}

impl Structure for Heap {
    type Op = Option<(usize, usize)>;
    type Answer = Option<(usize, usize)>;

    fn random(random: &mut Random) -> Self::Op {
        (!random.one_in(3)).then(|| (random.below(30), random.below(1000)))
    }

    fn apply(&mut self, op: &Self::Op) -> Self::Answer {
        match op {
            Some(item) => {
                self.0.push(*item);
                None
            }
            None => self.0.pop(),
        }
    }
}

/// Answers with the operation's number as well, by which the order can be told afterwards.
#[derive(Default)]
struct Numbered<S> {
    structure: S,
    operations: usize,
}

impl<S: Structure> Dispatch for Numbered<S> {
    type ReadOperation<'a> = ();
    type WriteOperation = S::Op;
    type Response = (usize, Option<S::Answer>);

    fn dispatch(&self, (): ()) -> Self::Response {
        (self.operations, None)
    }

    fn dispatch_mut(&mut self, op: &S::Op) -> Self::Response {
        self.operations += 1;
        (self.operations - 1, Some(self.structure.apply(op)))
    }
}

fn maps<S: Shared<Numbered<Map>>>(configuration: &Configuration) {
    random_run(configuration, S::make(configuration, |_| Numbered::default()));
}

fn heaps<S: Shared<Numbered<Heap>>>(configuration: &Configuration) {
    random_run(configuration, S::make(configuration, |_| Numbered::default()));
}

fn random_run<T: Structure, S: Shared<Numbered<T>>>(configuration: &Configuration, shared: S) {
    let each = scaled(50);
    let mut history = run_threads(MANY_THREADS, |thread| {
        let mut handle = shared.handle(thread);
        let mut random = Random::new(thread);
        let mut history = Vec::new();
        for _ in 0..each {
            match random.below(8) {
                0..4 => {
                    let op = T::random(&mut random);
                    history.push((handle.execute_mut(op.clone()), op));
                }
                4..6 => {
                    let len = 1 + random.below(configuration.batch_of(5));
                    let ops: Vec<_> = (0..len).map(|_| T::random(&mut random)).collect();
                    let answers = handle.execute_mut_batch(ops.clone());
                    assert_eq!(answers.len(), len);
                    history.extend(answers.into_iter().zip(ops));
                }
                _ => {
                    let last = history.last().map_or(0, |((number, _), _)| number + 1);
                    check!(handle.execute(()).0 >= last, "thread {thread} does not see its own write");
                }
            }
        }
        history
    })
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    shared.sync();

    history.sort_by_key(|((number, _), _)| *number);
    let mut alone = T::default();
    for (expected, ((number, answer), op)) in history.iter().enumerate() {
        assert_eq!(*number, expected, "each operation has a number of its own");
        assert_eq!(*answer, Some(alone.apply(op)), "operation {number}, {op:?}");
    }
    for replica in 0..shared.replicas() {
        let (structure, operations) = shared.handle(replica).read(|it| (it.structure.clone(), it.operations));
        assert_eq!(operations, history.len(), "replica {replica}");
        assert_eq!(structure, alone, "replica {replica}");
    }
    assert_eq!(shared.into_inner().structure, alone);
}
