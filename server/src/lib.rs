//! A server that speaks the Redis protocol and keeps its keyspace in a node-replicated structure.

pub mod commands;
pub mod config;
pub mod descriptors;
pub mod log;
pub mod memory;
pub mod net;
pub mod resp;
pub mod store;
