//! Structures that are wrong in one way each, to see that the checks find it.

use crate::common::{Configuration, Shared, SharedHandle};
use nr::Dispatch;
use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard};
use std::thread;

/// What goes wrong now and then. Each method is right unless it is overwritten.
pub trait Fault: Sync + Send + Sized + 'static {
    fn read<D: Dispatch + Clone, R>(state: &mut State<D>, read: impl FnOnce(&D) -> R) -> R {
        read(&state.now)
    }

    fn write<D: Dispatch + Clone>(state: &mut State<D>, op: &D::WriteOperation) -> D::Response {
        state.now.dispatch_mut(op)
    }

    fn batch<D: Dispatch + Clone>(state: &Mutex<State<D>>, ops: &[D::WriteOperation]) -> Vec<D::Response> {
        let mut state = lock(state);
        ops.iter().map(|op| Self::write(&mut state, op)).collect()
    }
}

/// A structure as it is, and what a fault needs.
pub struct State<D: Dispatch> {
    now: D,
    /// As it was once.
    before: D,
    calls: u64,
    answer: Option<D::Response>,
}

impl<D: Dispatch> State<D> {
    /// Now and then.
    fn is_time(&mut self) -> bool {
        self.calls += 1;
        self.calls.is_multiple_of(7)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no check panics with it")
}

/// Nothing: one lock around the structure.
pub struct NoFault;
impl Fault for NoFault {}

/// A read looks at an old state.
pub struct StaleReads;
impl Fault for StaleReads {
    fn read<D: Dispatch + Clone, R>(state: &mut State<D>, read: impl FnOnce(&D) -> R) -> R {
        match state.is_time() {
            true => read(&state.before),
            false => read(&state.now),
        }
    }

    fn write<D: Dispatch + Clone>(state: &mut State<D>, op: &D::WriteOperation) -> D::Response {
        state.before = state.now.clone();
        state.now.dispatch_mut(op)
    }
}

/// A write is answered, and does nothing.
pub struct LostWrites;
impl Fault for LostWrites {
    fn write<D: Dispatch + Clone>(state: &mut State<D>, op: &D::WriteOperation) -> D::Response {
        match state.is_time() {
            true => state.now.clone().dispatch_mut(op),
            false => state.now.dispatch_mut(op),
        }
    }
}

/// A write is done twice.
pub struct DoubledWrites;
impl Fault for DoubledWrites {
    fn write<D: Dispatch + Clone>(state: &mut State<D>, op: &D::WriteOperation) -> D::Response {
        if state.is_time() {
            state.now.dispatch_mut(op);
        }
        state.now.dispatch_mut(op)
    }
}

/// A write is answered before it is visible, which it is only after the next.
pub struct EarlyAnswers;
impl Fault for EarlyAnswers {
    fn read<D: Dispatch + Clone, R>(state: &mut State<D>, read: impl FnOnce(&D) -> R) -> R {
        read(&state.before)
    }

    fn write<D: Dispatch + Clone>(state: &mut State<D>, op: &D::WriteOperation) -> D::Response {
        let answer = state.now.dispatch_mut(op);
        if !state.is_time() {
            state.before = state.now.clone();
        }
        answer
    }
}

/// A write has the answer of another one.
pub struct WrongAnswers;
impl Fault for WrongAnswers {
    fn write<D: Dispatch + Clone>(state: &mut State<D>, op: &D::WriteOperation) -> D::Response {
        let mut before = state.now.clone();
        let answer = state.now.dispatch_mut(op);
        match state.is_time() {
            true => state.answer.replace(answer).unwrap_or_else(|| before.dispatch_mut(op)),
            false => answer,
        }
    }
}

/// Others come between the operations of a batch.
pub struct TornBatches;
impl Fault for TornBatches {
    fn batch<D: Dispatch + Clone>(state: &Mutex<State<D>>, ops: &[D::WriteOperation]) -> Vec<D::Response> {
        ops.iter()
            .map(|op| {
                thread::yield_now();
                lock(state).now.dispatch_mut(op)
            })
            .collect()
    }
}

/// A batch is done from back to front.
pub struct ReversedBatches;
impl Fault for ReversedBatches {
    fn batch<D: Dispatch + Clone>(state: &Mutex<State<D>>, ops: &[D::WriteOperation]) -> Vec<D::Response> {
        let mut state = lock(state);
        let mut answers: Vec<_> = ops.iter().rev().map(|op| state.now.dispatch_mut(op)).collect();
        answers.reverse();
        answers
    }
}

/// One lock around a structure, and a fault.
pub struct Faulty<D: Dispatch, F> {
    state: Mutex<State<D>>,
    replicas: usize,
    fault: PhantomData<F>,
}

pub struct FaultyHandle<'a, D: Dispatch, F>(&'a Faulty<D, F>);

impl<D: Dispatch + Clone + Send + Sync, F: Fault> Shared<D> for Faulty<D, F> {
    type Handle<'a>
        = FaultyHandle<'a, D, F>
    where
        Self: 'a;

    fn make(configuration: &Configuration, mut make: impl FnMut(usize) -> D) -> Self {
        let state = State { now: make(0), before: make(0), calls: 0, answer: None };
        Self { state: Mutex::new(state), replicas: configuration.replicas, fault: PhantomData }
    }

    fn replicas(&self) -> usize {
        self.replicas
    }

    fn handle(&self, _: usize) -> FaultyHandle<'_, D, F> {
        FaultyHandle(self)
    }

    fn sync(&self) {}

    fn counted(&self) -> Option<u64> {
        None
    }

    fn into_inner(self) -> D {
        self.state.into_inner().expect("no check panics with it").now
    }
}

impl<D: Dispatch + Clone, F: Fault> SharedHandle<D> for FaultyHandle<'_, D, F> {
    fn execute(&mut self, op: D::ReadOperation<'_>) -> D::Response {
        F::read(&mut lock(&self.0.state), |data| data.dispatch(op))
    }

    fn execute_mut(&mut self, op: D::WriteOperation) -> D::Response {
        F::write(&mut lock(&self.0.state), &op)
    }

    fn execute_mut_batch(&mut self, ops: impl IntoIterator<Item = D::WriteOperation>) -> Vec<D::Response> {
        F::batch(&self.0.state, &ops.into_iter().collect::<Vec<_>>())
    }

    fn read<R>(&mut self, f: impl FnOnce(&D) -> R) -> R {
        F::read(&mut lock(&self.0.state), f)
    }
}
