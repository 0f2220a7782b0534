//! The Redis protocol, RESP2 and RESP3.

pub mod number;
pub mod pattern;
pub mod request;
