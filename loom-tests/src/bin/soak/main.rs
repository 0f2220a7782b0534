//! Checks the crate for as long as asked: random histories, decided by a judge, and long runs of which one property is checked.
//!
//! ```sh
//! cargo run --release -p nr-loom-tests --bin soak -- --minutes 10
//! ```
//!
//! It goes from check to check, each time in another setting: replicas, log, threads, who writes, what pauses, whether replicas come
//! and go. A violation is written out at once, with the window or the numbers in which it shows. In the end there is a table of
//! what was checked. The exit code is 1 if there was a violation, or if the structure came to a standstill.

#![allow(unreachable_pub, reason = "a program exports nothing")]

// It is about the crate as users have it: where the models are compiled there is nothing for it to do.
#[cfg(not(loom))]
#[path = "../../../../nr/tests/common/mod.rs"]
mod common;
#[cfg(not(loom))]
mod program;

#[cfg(not(loom))]
fn main() -> std::process::ExitCode {
    program::main()
}

#[cfg(loom)]
fn main() {
    eprintln!("Compiled with `--cfg loom`: run it without.");
}
