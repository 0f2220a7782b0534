//! The keyspace: the sequential structure that is replicated, and what goes through the log to it.
//!
//! Nothing here knows of connections or of the command table. An [`Operation`] carries the function that executes it, so
//! that the commands stand above this module and not within it.
//!
//! * [`keyspace`]: the structure, its `Dispatch`, and [`operation`]: what the log carries;
//! * [`view`], [`edit`]: what a reading and a writing command sees of it;
//! * [`database`], [`entry`], [`table`], [`value`]: keys and values; [`access`]: when or how often they were used;
//! * [`blocked`], [`watched`], [`subscriptions`]: clients that wait for keys, watch keys, or listen to channels;
//! * [`garbage`]: what is freed later.

pub mod access;
pub mod blocked;
mod bytes;
pub mod call;
pub mod database;
pub mod edit;
pub mod entry;
pub mod error;
pub mod garbage;
pub mod keyspace;
pub mod operation;
pub mod subscriptions;
pub mod table;
pub mod value;
pub mod view;
pub mod watched;

pub use bytes::SmallBytes;
pub use call::{Arguments, Call, ClientAddress, OwnedArguments};
pub use edit::Edit;
pub use error::Error;
pub use keyspace::Keyspace;
pub use operation::{Operation, Outcome, Response};
pub use value::Value;
pub use view::View;
