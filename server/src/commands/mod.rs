//! The commands: one table of them, and a folder for each family.
//!
//! A command is a function in one of three forms ([`Run`]): it reads the keyspace, it may write to it, or it is local to
//! the server and needs no place in the order of writes. The [`table`](mod@table) says the rest: name, arity, flags, where its keys
//! are. Families depend on [`store`](crate::store) alone; local commands also on [`Session`] and [`Server`].

pub mod command;
pub mod connection;
pub mod eviction;
pub mod hash;
pub mod keys;
pub mod list;
pub mod pubsub;
pub mod scan;
pub mod server;
pub mod session;
pub mod set;
pub mod sorted_set;
pub mod state;
pub mod string;
pub mod table;
pub mod transaction;

pub use command::{Command, Context, Flags, Group, Keys, Run, command};
pub use session::Session;
pub use state::Server;
pub use table::{CommandId, table};

/// The version of Redis whose commands these are.
pub const REDIS_VERSION: &str = "7.0.15";
