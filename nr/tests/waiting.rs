//! Guarantee 3, the other half: who waits long, sleeps. The only test in this binary, since it measures the
//! processor time of the whole process.

#![cfg(target_os = "linux")]

mod common;

use common::*;
use nr::{Dispatch, NodeReplicated};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

/// Each write sleeps for the time that it carries.
struct Sleeper;

impl Dispatch for Sleeper {
    type ReadOperation<'a> = ();
    type WriteOperation = Duration;
    type Response = ();

    fn dispatch(&self, (): ()) {}

    fn dispatch_mut(&mut self, &pause: &Duration) {
        thread::sleep(pause);
    }
}

/// Processor time of this process so far, its ended threads included.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has it");
    // The name, in parentheses, may hold anything; the fields after it are numbers. utime and stime are the 14th
    // and 15th of all.
    let fields: Vec<_> = stat[stat.rfind(')').expect("a name in parentheses") + 2..].split(' ').collect();
    let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10) // USER_HZ is 100 on every architecture that Rust's Linux targets share.
}

const PAUSE: Duration = Duration::from_millis(500);
/// 8 threads that spun for all of the pause would burn at least 500 ms on each core that they get.
const ALLOWED: Duration = Duration::from_millis(250);

fn burnt(run: impl FnOnce()) -> Duration {
    let before = processor_time();
    run();
    processor_time() - before
}

#[test]
fn who_waits_long_sleeps() {
    for replicas in [1, 2, 4] {
        in_configuration(&Configuration::new(replicas, None), |configuration| {
            let nr = configuration.build(|_| Sleeper);
            let posted = Barrier::new(9);
            let burnt_by_writers = burnt(|| slow_write(&nr, &posted, |handle| handle.execute_mut(Duration::ZERO)));
            assert!(burnt_by_writers < ALLOWED, "8 waiting writers burnt {burnt_by_writers:?} in {PAUSE:?}");
            let burnt_by_readers = burnt(|| slow_write(&nr, &posted, |handle| handle.execute(())));
            assert!(burnt_by_readers < ALLOWED, "8 waiting readers burnt {burnt_by_readers:?} in {PAUSE:?}");
            let burnt_behind_a_reader = burnt(|| slow_read(&nr, &posted));
            assert!(burnt_behind_a_reader < ALLOWED, "8 writers behind a reader burnt {burnt_behind_a_reader:?}");
            let burnt_in_idleness = burnt(|| thread::sleep(PAUSE / 4));
            assert!(burnt_in_idleness < ALLOWED / 4, "an idle structure burnt {burnt_in_idleness:?}");
        });
    }
}

/// One write on replica 0 takes all the pause; eight others on the same replica wait for it.
fn slow_write(nr: &NodeReplicated<Sleeper>, posted: &Barrier, wait: impl Fn(&mut nr::Handle<'_, Sleeper>) + Sync) {
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut handle = nr.handle(0);
                posted.wait();
                wait(&mut handle);
            });
        }
        let mut handle = nr.handle(0);
        posted.wait();
        handle.execute_mut(PAUSE);
    });
}

/// A read on the last replica takes all the pause; eight writers on that replica wait for it.
fn slow_read(nr: &NodeReplicated<Sleeper>, inside: &Barrier) {
    let last = nr.replicas() - 1;
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut handle = nr.handle(last);
                inside.wait();
                handle.execute_mut(Duration::ZERO);
            });
        }
        nr.handle(last).read(|_| {
            inside.wait();
            thread::sleep(PAUSE);
        });
    });
}
