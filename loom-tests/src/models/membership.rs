//! Replicas that come and go while others read and write.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering::Relaxed};
use loom::thread;

use super::check_within;
use super::combiner::{Tickets, builder, tickets};
use crate::{NodeReplicated, Place, ReplicaId};

fn in_thread<R: 'static>(
    tickets: &Arc<NodeReplicated<Tickets>>,
    f: impl FnOnce(&NodeReplicated<Tickets>) -> R + 'static,
) -> thread::JoinHandle<R> {
    let tickets = Arc::clone(tickets);
    thread::spawn(move || f(&tickets))
}

/// A second replica comes, which switches the log on, while a thread writes and reads through the first; then the newcomer is read.
///
/// Fails if the source goes on without the log, or if `SetOnce::get` is Relaxed.
#[test]
fn a_newcomer_misses_nothing() {
    check_within(2, || {
        let tickets = tickets(1, 2);
        let writer = in_thread(&tickets, |tickets| {
            let mut handle = tickets.register_on(ReplicaId::new(0)).unwrap();
            let given = handle.execute_mut(Box::new(1));
            assert_eq!(handle.execute(()), given + 1, "a read after the write");
        });
        let newcomer = tickets.add_replica(Place::Node(0)).unwrap();
        writer.join().unwrap();
        assert_eq!(tickets.register_on(newcomer).unwrap().execute(()), 1);
        assert_eq!(tickets.register_on(ReplicaId::new(0)).unwrap().execute(()), 1);
    });
}

/// A third replica comes while a thread writes through one that is not its source, in a log of one entry.
///
/// Fails if `join` is a plain store: a reclaimer that did not see the newcomer moves out what that has yet to execute.
#[test]
fn a_newcomer_is_waited_for() {
    check_within(2, || {
        let tickets = tickets(2, 1);
        let writer = in_thread(&tickets, |tickets| {
            let mut handle = tickets.register_on(ReplicaId::new(1)).unwrap();
            handle.execute_mut(Box::new(1));
        });
        let newcomer = tickets.add_replica(Place::Node(0)).unwrap();
        writer.join().unwrap();
        assert_eq!(tickets.register_on(newcomer).unwrap().execute(()), 1);
    });
}

/// One of two replicas goes, which switches the log off, while a thread writes and reads through it.
///
/// Fails if the leaver's requests are answered without being handed back, or if who is left does not replay to the end of the log.
#[test]
fn a_leaver_takes_nothing_along() {
    check_within(2, || {
        let tickets = tickets(2, 2);
        let writer = in_thread(&tickets, |tickets| {
            let mut handle = tickets.register_on(ReplicaId::new(1)).or_else(|_| tickets.register()).unwrap();
            let given = handle.execute_mut(Box::new(1));
            assert!(handle.execute(()) > given, "a read after the write");
            given
        });
        tickets.remove_replica(ReplicaId::new(1)).unwrap();
        let mut handle = tickets.register().unwrap();
        let mut given = [handle.execute_mut(Box::new(1)), writer.join().unwrap()];
        given.sort_unstable();
        assert_eq!(given, [0, 1], "one order for both");
        assert_eq!(handle.execute(()), 2);
    });
}

/// A replica goes, of three, and another comes in the same place, while a thread that has a handle there reads. All began
/// before the replica went, which is the only one that had executed a write.
///
/// Fails if the source, which may be behind the one that has gone, is not brought up to date before it is cloned: the reader may see how
/// far the old one was.
#[test]
fn an_old_handle_meets_a_newcomer() {
    check_within(2, || {
        let tickets = three();
        let mut old = tickets.register_owned_on(ReplicaId::new(1)).unwrap();
        old.execute_mut(Box::new(1));
        let reader = thread::spawn(move || assert_eq!(old.execute(()), 1, "what was written before is read"));
        tickets.remove_replica(ReplicaId::new(1)).unwrap();
        tickets.add_replica(Place::Node(0)).unwrap();
        reader.join().unwrap();
        assert_eq!(tickets.register_on(ReplicaId::new(1)).unwrap().execute(()), 1);
    });
}

/// A replica comes in the place of one that has gone, while a thread that has an old handle there writes elsewhere and reads here.
///
/// Fails if a reader that has had the place brought up to date does not look once more: it may have been done before the newcomer was
/// there, which was copied before the write.
#[test]
fn an_old_handle_reads_its_own_write() {
    check_within(2, || {
        let tickets = three();
        let mut old = tickets.register_owned_on(ReplicaId::new(1)).unwrap();
        let mut other = tickets.register_owned_on(ReplicaId::new(2)).unwrap();
        tickets.remove_replica(ReplicaId::new(1)).unwrap();
        let reader = thread::spawn(move || {
            other.execute_mut(Box::new(1));
            assert_eq!(old.execute(()), 1, "what was written before is read");
        });
        tickets.add_replica(Place::Node(0)).unwrap();
        reader.join().unwrap();
    });
}

/// A replica comes and the one that was there goes, while a thread asks which there are: at every moment there is one.
///
/// Fails if changes are not counted, if the count or a standing is stored Relaxed, or if the count is read Relaxed at first or without
/// a fence in the end.
#[test]
fn there_is_always_a_replica() {
    check_within(2, || {
        let tickets = tickets(1, 1);
        let reader = in_thread(&tickets, |tickets| assert_ne!(tickets.replicas(), 0));
        let newcomer = tickets.add_replica(Place::Node(0)).unwrap();
        assert_eq!(newcomer, ReplicaId::new(1));
        tickets.remove_replica(ReplicaId::new(0)).unwrap();
        reader.join().unwrap();
    });
}

/// Two threads let a replica in, the second when it happens to know that the first has done so.
///
/// Fails if the lock on membership is Relaxed, on either side: both are then put in the same place.
#[test]
fn two_newcomers_take_two_places() {
    check_within(2, || {
        let tickets = tickets(1, 2);
        let done = Arc::new(AtomicBool::new(false));
        let first = {
            let done = Arc::clone(&done);
            in_thread(&tickets, move |tickets| {
                assert_eq!(tickets.add_replica(Place::Node(0)), Ok(ReplicaId::new(1)));
                done.store(true, Relaxed);
            })
        };
        if done.load(Relaxed) {
            assert_eq!(tickets.add_replica(Place::Node(0)), Ok(ReplicaId::new(2)));
        }
        first.join().unwrap();
    });
}

/// Three replicas, shared as owned handles want it: loom need not watch the counting.
fn three() -> std::sync::Arc<NodeReplicated<Tickets>> {
    std::sync::Arc::new(builder(3).log_entries(2).build(Tickets::default()).unwrap())
}
