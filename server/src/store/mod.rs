//! The keyspace: what is replicated.

mod bytes;
pub mod table;
pub mod value;

pub use bytes::SmallBytes;
