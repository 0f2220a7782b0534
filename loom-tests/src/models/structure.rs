//! Two replicas and the log between them, through the public methods.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};
use loom::thread;

use super::check_within;
use super::combiner::{builder, handles, tickets};
use crate::{Dispatch, ReplicaId};

/// A write on one replica is answered; a read on the other that begins after it sees it.
///
/// Fails if `freshen` does not look at `completed`, or if a round answers before it advances.
#[test]
fn read_after_completed_write_elsewhere() {
    check_within(3, || {
        let tickets = tickets(2, 2);
        let answered = Arc::new(AtomicU64::new(0));
        let writer = {
            let (tickets, answered) = (Arc::clone(&tickets), Arc::clone(&answered));
            thread::spawn(move || {
                tickets.register_on(ReplicaId::new(0)).unwrap().execute_mut(Box::new(1));
                answered.store(1, loom::sync::atomic::Ordering::Release);
            })
        };
        let known = answered.load(loom::sync::atomic::Ordering::Acquire);
        let seen = tickets.register_on(ReplicaId::new(1)).unwrap().execute(());
        assert!(seen >= known, "a completed write is missing");
        writer.join().unwrap();
    });
}

/// A write that another thread of the replica has executed is answered before that one's write phase is over; who then reads on the
/// other replica sees it.
///
/// Fails if a round releases its answers before it completes, or completes not at all.
#[test]
fn an_early_answer_is_seen_elsewhere() {
    check_within(3, || {
        let tickets = tickets(2, 2);
        let other = {
            let tickets = Arc::clone(&tickets);
            thread::spawn(move || {
                let ticket = tickets.register_on(ReplicaId::new(0)).unwrap().execute_mut(Box::new(1));
                let seen = tickets.register_on(ReplicaId::new(1)).unwrap().execute(());
                assert!(seen > ticket, "ticket {ticket} was given, and {seen} are counted");
            })
        };
        tickets.register_on(ReplicaId::new(0)).unwrap().execute_mut(Box::new(1));
        other.join().unwrap();
    });
}

/// A reader on the writer's replica sees the write while it is under way; who reads on the other replica after that reader
/// must see it too.
///
/// Fails if `replay` advances after it lets readers in, instead of before.
#[test]
fn no_read_goes_back_between_replicas() {
    check_within(3, || {
        let tickets = tickets(2, 2);
        let writer = {
            let tickets = Arc::clone(&tickets);
            thread::spawn(move || {
                tickets.register_on(ReplicaId::new(0)).unwrap().execute_mut(Box::new(1));
            })
        };
        let first = tickets.register_on(ReplicaId::new(0)).unwrap().execute(());
        let second = tickets.register_on(ReplicaId::new(1)).unwrap().execute(());
        assert!(second >= first, "went back from {first} to {second}");
        writer.join().unwrap();
    });
}

/// Writers on both replicas, through a log of one entry: each has to make room, which takes the other's replica.
///
/// Fails (runs out of branches) if `make_room` does not replay its own replica.
#[test]
fn two_writers_through_one_entry() {
    check_within(3, || {
        let tickets = tickets(2, 1);
        let other = {
            let tickets = Arc::clone(&tickets);
            thread::spawn(move || tickets.register_on(ReplicaId::new(1)).unwrap().execute_mut(Box::new(1)))
        };
        let mut handle = tickets.register_on(ReplicaId::new(0)).unwrap();
        let mut given = [handle.execute_mut(Box::new(1)), other.join().unwrap()];
        given.sort_unstable();
        assert_eq!(given, [0, 1]);
        assert_eq!(handle.execute(()), 2);
    });
}

/// Three writers of one replica, and a log that is full: who makes room takes what has been posted, and puts it back.
///
/// Fails if `put_back` is left out while waiting or lets go of the lock, if `take_posted` or `leave` is Relaxed, or if `Turn`'s drop
/// does not unpark. Does not reach the case in which another posts between taking and putting back; the test
/// `nobody_combines_for_ever` does.
#[test]
fn who_makes_room_leaves_writers_posted() {
    check_within(3, || {
        let [mut handle, others @ ..] = handles::<3>(2, 1);
        assert_eq!(handle.execute_mut(Box::new(1)), 0);
        let others = others.map(|mut handle| thread::spawn(move || (handle.execute_mut(Box::new(1)), handle)));
        let first = handle.execute_mut(Box::new(1));
        let others = others.map(|other| other.join().unwrap());
        let mut given = vec![first, others[0].0, others[1].0];
        given.sort_unstable();
        assert_eq!(given, [1, 2, 3]);
    });
}

/// A write and then a batch as large as the log on one replica, and a read on the other, which may come too early to replay
/// anything: the batch has to do that.
///
/// Fails (runs out of branches) if `make_room` does not help the laggard.
#[test]
fn a_laggard_is_helped() {
    check_within(3, || {
        let tickets = tickets(2, 2);
        let reader = {
            let tickets = Arc::clone(&tickets);
            thread::spawn(move || tickets.register_on(ReplicaId::new(1)).unwrap().execute(()))
        };
        let mut handle = tickets.register_on(ReplicaId::new(0)).unwrap();
        assert_eq!(handle.execute_mut(Box::new(1)), 0);
        assert_eq!(handle.execute_mut_batch([Box::new(1), Box::new(1)]), [1, 2]);
        assert!([0, 1, 3].contains(&reader.join().unwrap()));
    });
}

/// A batch through the log, read on the other replica: all of it or nothing.
///
/// Fails if each operation of a round is counted as completed by itself.
#[test]
fn batch_is_atomic_elsewhere() {
    check_within(3, || {
        let tickets = tickets(2, 2);
        let reader = {
            let tickets = Arc::clone(&tickets);
            thread::spawn(move || tickets.register_on(ReplicaId::new(1)).unwrap().execute(()))
        };
        let given = tickets.register_on(ReplicaId::new(0)).unwrap().execute_mut_batch([Box::new(1), Box::new(1)]);
        assert_eq!(given, [0, 1]);
        let seen = reader.join().unwrap();
        assert!(seen == 0 || seen == 2, "saw a part: {seen}");
    });
}

/// Two threads of one replica write while a thread on the other reads: posting, combining and replaying at once.
#[test]
fn combining_beside_a_reader_elsewhere() {
    check_within(2, || {
        let tickets = tickets(2, 2);
        let writers = [(); 2].map(|()| {
            let tickets = Arc::clone(&tickets);
            thread::spawn(move || tickets.register_on(ReplicaId::new(0)).unwrap().execute_mut(Box::new(1)))
        });
        let total = Arc::new(AtomicU64::new(0));
        let mut handle = tickets.register_on(ReplicaId::new(1)).unwrap();
        total.store(handle.execute(()), Relaxed);
        let mut given = writers.map(|writer| writer.join().unwrap());
        given.sort_unstable();
        assert_eq!(given, [0, 1]);
        assert!(total.load(Relaxed) <= 2);
        assert_eq!(handle.execute(()), 2);
    });
}

/// Counts what is made and what is dropped: operations and answers, which are copies of them.
struct Counted(std::sync::Arc<[std::sync::atomic::AtomicU64; 2]>);

impl Counted {
    fn made(counts: &std::sync::Arc<[std::sync::atomic::AtomicU64; 2]>) -> Self {
        counts[0].fetch_add(1, Relaxed);
        Self(std::sync::Arc::clone(counts))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0[1].fetch_add(1, Relaxed);
    }
}

/// Answers with something that has to be dropped, too.
#[derive(Clone)]
struct Echo;

impl Dispatch for Echo {
    type ReadOperation<'a> = ();
    type WriteOperation = Counted;
    type Response = Counted;
    fn dispatch(&self, _: ()) -> Counted {
        unreachable!("nobody reads")
    }
    fn dispatch_mut(&mut self, op: &Counted) -> Counted {
        Counted::made(&op.0)
    }
}

/// Two threads write, each on its replica, and the structure goes while one replica, or both, lack what the other has written: the
/// operations are dropped all the same, each once, as are the answers.
///
/// Fails if the log's drop leaves out what is not reclaimed.
#[test]
fn an_instance_goes_with_unapplied_entries() {
    check_within(3, || {
        let counts = std::sync::Arc::new([0; 2].map(std::sync::atomic::AtomicU64::new));
        let echo = Arc::new(builder(2).log_entries(4).build(Echo).unwrap());
        let writer = |replica| {
            let (echo, op) = (Arc::clone(&echo), Counted::made(&counts));
            move || drop(echo.register_on(ReplicaId::new(replica)).unwrap().execute_mut(op))
        };
        let (here, elsewhere) = (writer(0), writer(1));
        let elsewhere = thread::spawn(elsewhere);
        here();
        drop(echo);
        elsewhere.join().unwrap();
        let [made, dropped] = [0, 1].map(|which: usize| counts[which].load(Relaxed));
        assert!(made >= 4 && made == dropped, "{made} were made, {dropped} dropped");
    });
}

/// A handle goes, and its reader cell with it, while others of the replica write, which look at the cells, and one more is made, which may
/// have the same cell: the reads of both are kept from the writes.
///
/// Fails if a handle that goes leaves its cell as if a reader were in it (hangs).
#[test]
fn a_handle_goes_while_others_combine() {
    check_within(3, || {
        let tickets = tickets(1, 1);
        let other = {
            let tickets = Arc::clone(&tickets);
            thread::spawn(move || {
                let mut handle = tickets.register_on(ReplicaId::new(0)).unwrap();
                let before = handle.execute(());
                drop(handle);
                let after = tickets.register_on(ReplicaId::new(0)).unwrap().execute(());
                assert!(before <= after, "went back from {before} to {after}");
            })
        };
        let mut handle = tickets.register_on(ReplicaId::new(0)).unwrap();
        assert_eq!(handle.execute_mut(Box::new(1)), 0);
        assert_eq!(handle.execute_mut(Box::new(1)), 1);
        other.join().unwrap();
    });
}
