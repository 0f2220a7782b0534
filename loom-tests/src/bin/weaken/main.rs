//! Weakens each atomic operation of the crate in turn, and asks the models whether they notice.
//!
//! ```sh
//! cargo run --release -p nr-loom-tests --bin weaken             # all of them, and the table
//! cargo run --release -p nr-loom-tests --bin weaken -- --write  # and into docs/orderings.md
//! cargo run --release -p nr-loom-tests --bin weaken -- --check  # is docs/orderings.md that of the source?
//! ```
//!
//! `source` finds the operations, `models` runs the models with one of them weakened (nr's facade does that while they run, so nothing is
//! built anew), `table` is docs/orderings.md.

// Built for the models too, where there is nothing to do for it.
#[cfg(not(loom))]
mod models;
#[cfg(not(loom))]
mod program;
#[cfg(not(loom))]
mod source;
#[cfg(not(loom))]
mod table;

#[cfg(not(loom))]
fn main() -> std::process::ExitCode {
    program::main()
}

#[cfg(loom)]
fn main() {}
