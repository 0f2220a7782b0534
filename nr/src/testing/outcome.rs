//! What came of a call.

use std::fmt;

use crate::panic::{Payload, catch, discard};

/// An answer, or the message of a panic.
#[derive(PartialEq)]
pub(super) enum Outcome<A> {
    Answered(A),
    Panicked(String),
}

impl<A> Outcome<A> {
    pub(super) fn of(call: impl FnOnce() -> A) -> Self {
        match catch(call) {
            Ok(answer) => Self::Answered(answer),
            Err(payload) => Self::Panicked(message(payload)),
        }
    }

    /// The answer; goes on with the panic.
    pub(super) fn into_answer(self) -> A {
        match self {
            Self::Answered(answer) => answer,
            Self::Panicked(message) => panic!("{message}"),
        }
    }
}

fn message(payload: Payload) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no text").to_owned();
    discard(payload);
    text
}

impl<A: fmt::Debug> fmt::Debug for Outcome<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(answer) => answer.fmt(f),
            Self::Panicked(message) => write!(f, "a panic: {message}"),
        }
    }
}
