//! The Redis protocol, RESP2 and RESP3.

pub mod number;
pub mod pattern;
pub mod reply;
pub mod request;

pub use reply::{Mark, Protocol, Reply};
