//! Where random operations begin.

use std::collections::hash_map::RandomState;
use std::env;
use std::hash::BuildHasher;

const VARIABLE: &str = "NR_TESTING_SEED";

/// The seed that was asked for, that of the environment, or a new one.
pub(super) fn choose(fixed: Option<u64>) -> u64 {
    fixed.or_else(|| env::var(VARIABLE).ok().map(parse)).unwrap_or_else(|| RandomState::new().hash_one(()))
}

fn parse(text: String) -> u64 {
    text.trim().parse().unwrap_or_else(|_| panic!("{VARIABLE} should be a number, and is {text:?}"))
}

/// How to come back to it.
pub(super) fn advice(seed: u64) -> String {
    format!("the seed was {seed}: to repeat, set {VARIABLE}={seed}, or call `.seed({seed})`")
}
