//! The log by itself: append, replay, reclaim.

use loom::sync::Arc;
use loom::thread;

use super::check;
use crate::dispatch::Dispatch;
use crate::log::{Garbage, Log, LogPlan};

/// Remembers the operations that it has executed.
#[derive(Default)]
struct Executed(Vec<u64>);

impl Dispatch for Executed {
    type ReadOperation<'a> = ();
    type WriteOperation = Box<u64>;
    type Response = ();
    fn dispatch(&self, _: ()) {}
    fn dispatch_mut(&mut self, op: &Box<u64>) {
        self.0.push(**op);
    }
}

/// A log that so many replicas take part in.
fn log(capacity: usize, replicas: usize) -> Arc<Log<Box<u64>>> {
    let plan = LogPlan { entries: capacity, nodes: Vec::new(), huge_pages: false, memory: None };
    let log = Log::new(&plan, replicas).unwrap();
    for replica in 0..replicas {
        // SAFETY: nobody else has the log yet.
        unsafe { log.join(replica, 0, &mut Garbage::new()) };
    }
    Arc::new(log)
}

/// Appends one operation; with no room, reclaims until there is.
fn append(log: &Log<Box<u64>>, operation: u64) -> u64 {
    let reservation = loop {
        match log.try_reserve(1, None) {
            Some(reservation) => break reservation,
            None => {
                log.reclaim(&mut Garbage::new());
                thread::yield_now();
            }
        }
    };
    // SAFETY: reserved just now, published once.
    unsafe { log.publish(&reservation, reservation.start(), Box::new(operation)) };
    reservation.end()
}

/// Replays everything below `end` into `replica`.
fn replay(log: &Log<Box<u64>>, replica: usize, end: u64, executed: &mut Executed) {
    // SAFETY: in these models each replica belongs to one thread.
    let published = unsafe { log.await_published(replica, end) };
    published.complete();
    published.replay(executed, |_, _| {});
    // SAFETY: as above; executed just now.
    unsafe { log.advance(replica, end) };
}

/// One entry, used three times: a thread appends while another replays, so each operation is published, replayed, moved out
/// and overwritten while the other thread looks at the same entry.
///
/// Fails if `publish` or `stamp` is Relaxed, or `reclaimed` is (its load, its store).
#[test]
fn entry_publish_replay_reuse() {
    check(|| {
        let log = log(1, 1);
        let appender = {
            let log = Arc::clone(&log);
            thread::spawn(move || {
                for operation in 0..3 {
                    append(&log, operation);
                }
            })
        };
        let mut executed = Executed::default();
        for end in 1..=3 {
            replay(&log, 0, end, &mut executed);
            log.reclaim(&mut Garbage::new());
        }
        appender.join().unwrap();
        assert_eq!(executed.0, [0, 1, 2]);
    });
}

/// Two replicas replay the same entry, then it is used again.
///
/// Fails if `advance`'s store of `applied` is Relaxed, or `applied`'s load, or if `reclaim` takes the maximum instead of the
/// minimum.
#[test]
fn reclaim_waits_for_the_slowest() {
    check(|| {
        let log = log(1, 2);
        let other = {
            let log = Arc::clone(&log);
            thread::spawn(move || {
                let mut executed = Executed::default();
                replay(&log, 1, 1, &mut executed);
                assert_eq!(executed.0, [7]);
            })
        };
        let mut executed = Executed::default();
        let end = append(&log, 7);
        replay(&log, 0, end, &mut executed);
        append(&log, 8);
        other.join().unwrap();
    });
}

/// Two replicas finish with the same operation at once: one of the two threads moves it out, whoever is last.
///
/// Fails if the swap that takes `busy` is Acquire, or the one that lets go is Release, or if there is no second look.
#[test]
fn reclaim_leaves_nothing_behind() {
    check(|| {
        let log = log(2, 2);
        append(&log, 1);
        let other = {
            let log = Arc::clone(&log);
            thread::spawn(move || {
                replay(&log, 1, 1, &mut Executed::default());
                log.reclaim(&mut Garbage::new());
            })
        };
        replay(&log, 0, 1, &mut Executed::default());
        log.reclaim(&mut Garbage::new());
        other.join().unwrap();
        assert_eq!(log.reclaimed(), 1);
    });
}

/// A replica replays what another has completed, without a look at the stamps.
///
/// Fails if `completed` is Relaxed: its load, or its update in `complete`. (In the whole structure the fences of the replicas'
/// locks would order this too; the log doesn't count on them.)
#[test]
fn completed_hands_on_what_is_published() {
    check(|| {
        let log = log(2, 2);
        let other = {
            let log = Arc::clone(&log);
            thread::spawn(move || {
                let mut executed = Executed::default();
                // SAFETY: in this model replica 1 belongs to this thread.
                let published = unsafe { log.completed_for(1) };
                published.replay(&mut executed, |_, _| {});
                assert!([[].as_slice(), &[7]].contains(&&executed.0[..]));
            })
        };
        let end = append(&log, 7);
        replay(&log, 0, end, &mut Executed::default());
        other.join().unwrap();
    });
}

/// Two combiners append at once: each position goes to one of them, and both replicas execute the same order.
///
/// Fails if `try_reserve` reads and writes the tail instead of exchanging it.
#[test]
fn append_by_two() {
    check(|| {
        let log = log(2, 2);
        let run = |replica: usize| {
            let log = Arc::clone(&log);
            move || {
                let mut executed = Executed::default();
                let end = append(&log, replica as u64);
                replay(&log, replica, end, &mut executed);
                executed.0
            }
        };
        let other = thread::spawn(run(1));
        let mut orders = [run(0)(), other.join().unwrap()];
        orders.sort_by_key(Vec::len);
        assert!(orders[1].len() == 2 && orders[1].starts_with(&orders[0]), "{orders:?}");
    });
}

/// A replica goes while another thread reclaims what it has executed.
///
/// Fails if `leave` is Relaxed.
#[test]
fn a_leaver_has_looked_before() {
    check(|| {
        let log = log(2, 2);
        append(&log, 7);
        let leaver = {
            let log = Arc::clone(&log);
            thread::spawn(move || {
                replay(&log, 1, 1, &mut Executed::default());
                // SAFETY: replica 1 belongs to this thread.
                unsafe { log.leave(1) };
            })
        };
        replay(&log, 0, 1, &mut Executed::default());
        log.reclaim(&mut Garbage::new());
        leaver.join().unwrap();
    });
}

/// A replica joins in a place before its source's, which a reclaimer looks at first; the source goes on.
///
/// Fails if `join` does not take `busy`.
#[test]
fn a_reclaimer_sees_who_has_joined() {
    check(|| {
        let log = log_of_replica_1();
        let reclaimer = in_thread(&log, reclaim);
        // SAFETY: replica 1, which has applied nothing, belongs to this thread, and so does replica 0.
        unsafe { log.join(0, 0, &mut Garbage::new()) };
        let end = append(&log, 7);
        replay(&log, 1, end, &mut Executed::default());
        assert_eq!(reclaimer.join().unwrap(), 0, "replica 0 has not executed it");
        let mut executed = Executed::default();
        replay(&log, 0, end, &mut executed);
        assert_eq!(executed.0, [7]);
    });
}

/// A replica joins, which reclaims, while another thread does so too.
///
/// Fails if `join` takes `busy` by a swap that is Relaxed.
#[test]
fn a_joiner_reclaims_nothing_twice() {
    check(|| {
        let log = log_of_replica_1();
        let end = append(&log, 7);
        replay(&log, 1, end, &mut Executed::default());
        let reclaimer = in_thread(&log, reclaim);
        let mut garbage = Garbage::new();
        // SAFETY: replica 1, which has applied so much, belongs to this thread, and so does replica 0.
        unsafe { log.join(0, end, &mut garbage) };
        assert_eq!(reclaimer.join().unwrap() + garbage.len(), 1);
    });
}

/// With room for two, of which the second takes part.
fn log_of_replica_1() -> Arc<Log<Box<u64>>> {
    let plan = LogPlan { entries: 2, nodes: Vec::new(), huge_pages: false, memory: None };
    let log = Log::new(&plan, 2).unwrap();
    // SAFETY: nobody else has the log yet.
    unsafe { log.join(1, 0, &mut Garbage::new()) };
    Arc::new(log)
}

/// How many operations were moved out.
fn reclaim(log: &Log<Box<u64>>) -> usize {
    let mut garbage = Garbage::new();
    log.reclaim(&mut garbage);
    garbage.len()
}

fn in_thread<R: 'static>(
    log: &Arc<Log<Box<u64>>>,
    f: impl FnOnce(&Log<Box<u64>>) -> R + 'static,
) -> thread::JoinHandle<R> {
    let log = Arc::clone(log);
    thread::spawn(move || f(&log))
}
