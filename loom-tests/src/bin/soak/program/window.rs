//! A window: a short history on one structure, of all that was done to it from a known state on until all was answered.

use crate::common::history::{Event, Model};
use crate::program::structures::Structure;
use stateright::semantics::SequentialSpec;
use std::fmt;

/// A structure as the specification of itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Object<S>(pub S);

/// One call.
#[derive(Clone, Debug)]
pub enum Call<S: Structure> {
    Write(S::Write),
    /// All at once.
    Batch(Vec<S::Write>),
    Read(S::Read),
    /// Reads the whole structure, by a closure.
    Whole,
}

impl<S: Structure> Call<S> {
    /// How many writes it is.
    pub fn writes(&self) -> usize {
        match self {
            Self::Write(_) => 1,
            Self::Batch(ops) => ops.len(),
            Self::Read(_) | Self::Whole => 0,
        }
    }
}

/// What it returned.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer<S> {
    One(Option<u32>),
    Each(Vec<Option<u32>>),
    Whole(S),
}

impl<S: Structure> Model for Object<S> {
    type Op = Call<S>;
    type Answer = Answer<S>;

    fn apply(&mut self, call: &Call<S>) -> Answer<S> {
        match call {
            Call::Write(op) => Answer::One(self.0.write(op)),
            Call::Batch(ops) => Answer::Each(ops.iter().map(|op| self.0.write(op)).collect()),
            Call::Read(op) => Answer::One(self.0.read(op)),
            Call::Whole => Answer::Whole(self.0.clone()),
        }
    }
}

impl<S: Structure> SequentialSpec for Object<S> {
    type Op = Call<S>;
    type Ret = Answer<S>;

    fn invoke(&mut self, call: &Call<S>) -> Answer<S> {
        self.apply(call)
    }
}

pub struct Window<S: Structure> {
    pub initial: S,
    pub events: Vec<Event<Object<S>>>,
}

impl<S: Structure> Window<S> {
    /// Whether anything in it was concurrent with anything else.
    pub fn has_overlaps(&self) -> bool {
        let mut times: Vec<_> = self.events.iter().map(|event| (event.began, event.ended)).collect();
        times.sort_unstable();
        times.windows(2).any(|pair| pair[1].0 < pair[0].1)
    }
}

/// For people: a line for each call, in the order in which they began, with a picture of when it began and returned.
impl<S: Structure> fmt::Display for Window<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut events: Vec<_> = self.events.iter().collect();
        events.sort_by_key(|event| event.began);
        let mut times: Vec<_> = events.iter().flat_map(|event| [event.began, event.ended]).collect();
        times.sort_unstable();
        // How many other things have happened before in this window.
        let rank = |time| times.partition_point(|other| *other < time);
        writeln!(f, "It began with {:?}.", self.initial)?;
        for event in events {
            let (began, ended) = (rank(event.began), rank(event.ended));
            let line = format!("{:began$}|{:-<len$}|", "", "", len = ended - began - 1);
            let (thread, op, answer) = (event.thread, &event.op, &event.answer);
            writeln!(f, "{line:width$}  thread {thread}: {op:?} -> {answer:?}", width = times.len())?;
        }
        Ok(())
    }
}
