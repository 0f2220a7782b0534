//! What a call is made on: the structure under test, or the bare one that it is compared with.

use std::fmt::{self, Arguments, Debug};
use std::panic::Location;

use crate::dispatch::Dispatch;
use crate::handle::OwnedHandle;
use crate::testing::outcome::Outcome;
use crate::testing::paced::Paced;

/// What a call of [`check_linearizable`](crate::testing::check_linearizable) is made on: the replicated structure, or later, with the same
/// random numbers, the bare one. Good for one call.
pub struct Subject<'a, D: Dispatch>(Side<'a, D>);

enum Side<'a, D: Dispatch> {
    Replicated(&'a mut OwnedHandle<Paced<D>>),
    Bare {
        data: &'a mut D,
        /// For what is called.
        name: Option<&'a mut String>,
    },
}

impl<'a, D: Dispatch> Subject<'a, D> {
    pub(super) fn replicated(handle: &'a mut OwnedHandle<Paced<D>>) -> Self {
        Self(Side::Replicated(handle))
    }

    /// Writes down what is called, if that is asked for.
    pub(super) fn bare(data: &'a mut D, name: Option<&'a mut String>) -> Self {
        Self(Side::Bare { data, name })
    }

    /// As [`Handle::execute`](crate::Handle::execute).
    pub fn execute<'op>(self, operation: D::ReadOperation<'op>) -> D::Response
    where
        D::ReadOperation<'op>: Debug,
    {
        match self.0 {
            Side::Replicated(handle) => handle.execute(operation),
            Side::Bare { data, name } => {
                set(name, format_args!("execute({operation:?})"));
                data.dispatch(operation)
            }
        }
    }

    /// As [`Handle::execute_mut`](crate::Handle::execute_mut).
    pub fn execute_mut(self, operation: D::WriteOperation) -> D::Response
    where
        D::WriteOperation: Debug,
    {
        match self.0 {
            Side::Replicated(handle) => handle.execute_mut(operation),
            Side::Bare { data, name } => {
                set(name, format_args!("execute_mut({operation:?})"));
                data.dispatch_mut(&operation)
            }
        }
    }

    /// As [`Handle::execute_mut_batch`](crate::Handle::execute_mut_batch). A batch may have as many operations as
    /// [`Linearizability::log_entries`](crate::testing::Linearizability::log_entries) says.
    pub fn execute_mut_batch(self, operations: impl IntoIterator<Item = D::WriteOperation>) -> Vec<D::Response>
    where
        D::WriteOperation: Debug,
    {
        match self.0 {
            Side::Replicated(handle) => handle.execute_mut_batch(operations),
            Side::Bare { data, name } => {
                let operations: Vec<_> = operations.into_iter().collect();
                set(name, format_args!("execute_mut_batch({operations:?})"));
                // All of them are executed, whichever panics.
                let outcomes = operations.iter().map(|operation| Outcome::of(|| data.dispatch_mut(operation)));
                let outcomes: Vec<_> = outcomes.collect();
                outcomes.into_iter().map(Outcome::into_answer).collect()
            }
        }
    }

    /// As [`Handle::read`](crate::Handle::read). What is read is told by where this is called.
    #[track_caller]
    pub fn read<R>(self, look: impl FnOnce(&D) -> R) -> R {
        match self.0 {
            Side::Replicated(handle) => handle.read(|paced| paced.read(look)),
            Side::Bare { data, name } => {
                set(name, format_args!("read at {}", Location::caller()));
                look(data)
            }
        }
    }
}

fn set(name: Option<&mut String>, text: Arguments<'_>) {
    if let Some(name) = name {
        *name = text.to_string();
    }
}

impl<D: Dispatch> Debug for Subject<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Side::Replicated(_) => "Subject(replicated)",
            Side::Bare { .. } => "Subject(bare)",
        })
    }
}
