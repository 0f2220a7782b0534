//! What the integration tests share.
//!
//! A test body is written once, against the trait [`Shared`], and runs over every [`Configuration`] of the crate and
//! over [`Reference`], a plain mutex. A body that fails on the mutex is a wrong test; one that fails only on the
//! crate has found something. [`both!`] makes the two tests out of one body.
#![allow(dead_code, unused_imports, unused_macros, reason = "each test binary uses a part")]
#![allow(unreachable_pub, reason = "a test binary exports nothing")]

pub mod history;
pub mod shared;
pub mod structures;
pub mod tracked;

use nr::{Builder, Dispatch, NodeReplicated, PanicPolicy, ReplicaId, Replicas};
use std::any::Any;
use std::fmt;
use std::io::Write;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

pub use shared::{Elastic, Reference, Shared, SharedHandle};

/// Threads far above the cores of most machines that run these tests.
pub const MANY_THREADS: usize = 16;

/// One way to build the structure under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configuration {
    pub replicas: usize,
    /// `None` leaves the builder's default.
    pub log_entries: Option<usize>,
    /// `None` leaves the builder's default, which is to poison.
    pub on_panic: Option<PanicPolicy>,
}

impl Configuration {
    pub const fn new(replicas: usize, log_entries: Option<usize>) -> Self {
        Self { replicas, log_entries, on_panic: None }
    }

    /// The same with another policy.
    pub const fn on_panic(self, policy: PanicPolicy) -> Self {
        Self { on_panic: Some(policy), ..self }
    }

    pub fn builder(&self) -> Builder {
        let replicas = NonZeroUsize::new(self.replicas).expect("a configuration has a replica");
        let mut builder = Builder::default().replicas(Replicas::Count(replicas));
        if let Some(entries) = self.log_entries {
            builder = builder.log_entries(entries);
        }
        if let Some(policy) = self.on_panic {
            builder = builder.on_panic(policy);
        }
        builder
    }

    pub fn build<D: Dispatch>(&self, make: impl FnMut(ReplicaId) -> D) -> NodeReplicated<D> {
        self.builder().build_with(make).expect("a sound configuration builds")
    }

    /// The largest batch allowed to a test that wants at most `wanted` operations in one.
    pub fn batch_of(&self, wanted: usize) -> usize {
        wanted.min(self.log_entries.map_or(usize::MAX, usize::next_power_of_two))
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} replica(s), ", self.replicas)?;
        match self.log_entries {
            Some(entries) => write!(f, "a log of {entries}")?,
            None => f.write_str("the default log")?,
        }
        match self.on_panic {
            Some(policy) => write!(f, ", on a panic {policy:?}"),
            None => Ok(()),
        }
    }
}

/// All configurations: 1, 2 and 4 replicas, each with a log of 1, 2 and 4 entries and with the default log.
pub fn configurations() -> impl Iterator<Item = Configuration> {
    [1, 2, 4].into_iter().flat_map(|replicas| {
        [Some(1), Some(2), Some(4), None].map(|log_entries| Configuration::new(replicas, log_entries))
    })
}

/// Runs `test` over every configuration. A failure names its configuration, a hang ends with a message.
pub fn for_each_configuration(test: impl Fn(&Configuration)) {
    configurations().for_each(|configuration| in_configuration(&configuration, &test));
}

/// Runs `test` over every configuration under both panic policies.
pub fn for_each_policy(test: impl Fn(&Configuration)) {
    for configuration in configurations() {
        in_configuration(&configuration.on_panic(PanicPolicy::Poison), &test);
        in_configuration(&configuration.on_panic(PanicPolicy::Continue), &test);
    }
}

/// Runs `test` in one configuration, and says which if it fails or hangs.
pub fn in_configuration(configuration: &Configuration, test: impl FnOnce(&Configuration)) {
    struct Named<'a>(&'a Configuration);
    impl Drop for Named<'_> {
        fn drop(&mut self) {
            if thread::panicking() {
                println!("==> failed with {}", self.0);
            }
        }
    }
    let _named = Named(configuration);
    let _watchdog = Watchdog::new(&configuration.to_string());
    test(configuration);
}

/// Ends the whole process with a message when what it watches over takes so long that it must be hanging.
pub struct Watchdog {
    next: mpsc::Sender<String>,
}

impl Watchdog {
    /// Generous: a busy machine is slow, a deadlock is for ever.
    const PATIENCE: Duration = Duration::from_secs(120);

    pub fn new(what: &str) -> Self {
        let (next, watched) = mpsc::channel();
        let test = thread::current().name().unwrap_or("unnamed test").to_owned();
        let mut what = what.to_owned();
        thread::spawn(move || {
            loop {
                match watched.recv_timeout(Self::PATIENCE) {
                    Ok(next) => what = next,
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {
                        // Straight to the file: what is printed by `eprintln!` would be captured, and lost in the abort.
                        let _ = writeln!(
                            std::io::stderr(),
                            "\nHANG: test `{test}` with {what} made no end within {:?}; aborting the test binary",
                            Self::PATIENCE
                        );
                        std::process::abort();
                    }
                }
            }
        });
        Self { next }
    }

    /// What it watches over from now on.
    pub fn watch(&self, what: String) {
        self.next.send(what).expect("a watchdog waits until it is dropped");
    }
}

/// A test that runs as often as its default size, or `NR_TEST_SCALE` times that: `NR_TEST_SCALE=20 cargo test`.
pub fn scaled(default: usize) -> usize {
    let scale = std::env::var("NR_TEST_SCALE").ok().and_then(|s| s.parse::<f64>().ok()).unwrap_or(1.0);
    ((default as f64 * scale) as usize).max(1)
}

/// Runs `body(0)` to `body(threads - 1)`, each on its own thread, all starting together; hands back what they return.
pub fn run_threads<R: Send>(threads: usize, body: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                let (start, body) = (&start, &body);
                scope.spawn(move || {
                    start.wait();
                    body(thread)
                })
            })
            .collect();
        let ends: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        ends.into_iter().map(|end| end.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// Raised when dropped, also by a panic: tells threads that loop "until the others are done" to stop.
pub struct RaiseOnDrop<'a>(pub &'a AtomicBool);

impl Drop for RaiseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Counts down when dropped, also by a panic: for loops that run "while writers are left".
pub struct CountDownOnDrop<'a>(pub &'a AtomicUsize);

impl Drop for CountDownOnDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// The payload of the panic that `f` must end with.
pub fn panic_of<R>(f: impl FnOnce() -> R) -> Box<dyn Any + Send> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("this had to panic, and returned"),
        Err(payload) => payload,
    }
}

/// The text of a panic's payload.
pub fn text_of(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("(a payload that is no text)")
}

/// xorshift64*: a few lines, no dependency, the same on every run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: usize) -> Self {
        Self((seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        ((self.next() >> 33) as usize) % bound
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// `both!(body: Data)` makes a test of the crate over all configurations, and one of the reference, out of
/// `fn body<S: Shared<Data>>(configuration: &Configuration)`.
macro_rules! both {
    ($($body:ident: $data:ty),+ $(,)?) => {$(
        mod $body {
            #[allow(unused_imports, reason = "some bodies use only the crate's own types")]
            use super::*;

            #[test]
            fn node_replicated() {
                $crate::common::for_each_configuration(super::$body::<nr::NodeReplicated<$data>>);
            }

            #[test]
            fn mutex_reference() {
                for replicas in [1, 4] {
                    let configuration = $crate::common::Configuration::new(replicas, Some(4));
                    $crate::common::in_configuration(&configuration, super::$body::<$crate::common::Reference<$data>>);
                }
            }
        }
    )+};
}
pub(crate) use both;

/// `assert!(condition)` for many threads at once: says which thread and which step.
macro_rules! check {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            panic!("{}: {}", stringify!($condition), format_args!($($what)+));
        }
    };
}
pub(crate) use check;
