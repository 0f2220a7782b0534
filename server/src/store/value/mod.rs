//! The types of value that a key can hold.

pub mod sorted_set;
