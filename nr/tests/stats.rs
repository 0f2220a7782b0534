//! `stats`: numbers that are right when nobody is at work, and sound at any time.

mod common;

use common::structures::*;
use common::*;
use nr::{NodeReplicated, Stats};
use std::sync::atomic::{AtomicBool, Ordering::*};

/// What holds whenever nobody is at work and `operations` have been executed.
fn assert_sound(stats: &Stats, configuration: &Configuration, operations: u64) {
    assert_eq!(stats.replicas.len(), configuration.replicas);
    assert!(stats.replicas.iter().map(|replica| replica.id.index()).eq(0..configuration.replicas));
    assert_eq!(stats.replicas.iter().map(|replica| replica.operations).sum::<u64>(), operations, "{stats}");
    match &stats.log {
        None => assert_eq!(configuration.replicas, 1, "several replicas need a log"),
        Some(log) => {
            assert!(log.capacity.is_power_of_two());
            assert!(configuration.log_entries.is_none_or(|entries| log.capacity == entries as u64));
            assert_eq!((log.tail, log.completed), (operations, operations));
            assert!(log.reclaimed <= log.completed && log.tail <= log.reclaimed + log.capacity, "{stats}");
        }
    }
    for replica in &stats.replicas {
        assert!(replica.rounds <= replica.operations, "a round has at least one operation: {stats}");
        assert_eq!(replica.rounds == 0, replica.operations == 0, "{stats}");
        assert_eq!(replica.operations + replica.replayed + replica.lag, operations, "{stats}");
        assert!(replica.helped <= replica.replayed, "what is helped is replayed: {stats}");
    }
}

#[test]
fn a_new_structure_has_done_nothing() {
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Counter::default());
        let stats = nr.stats();
        assert_sound(&stats, configuration, 0);
        for replica in &stats.replicas {
            assert_eq!((replica.handles, replica.lag, replica.waits, replica.helped), (0, 0, 0, 0));
        }
    });
}

#[test]
fn handles_are_counted_where_they_are() {
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Counter::default());
        let handles: Vec<_> = (0..10 * configuration.replicas).map(|n| nr.handle(n)).collect();
        assert!(nr.stats().replicas.iter().all(|replica| replica.handles == 10));
        let kept: Vec<_> = handles.into_iter().filter(|handle| handle.replica_id().index() == 0).collect();
        for replica in nr.stats().replicas {
            assert_eq!(replica.handles, if replica.id.index() == 0 { 10 } else { 0 });
        }
        drop(kept);
        assert_eq!(nr.stats().replicas[0].handles, 0);
    });
}

#[test]
fn operations_are_counted_where_they_were_executed() {
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Counter::default());
        let len = configuration.batch_of(3);
        let mut operations = 0;
        for replica in 0..configuration.replicas {
            let mut handle = nr.handle(replica);
            for _ in 0..=replica {
                handle.execute_mut(Add(1));
                handle.execute_mut_batch((0..len).map(|_| Add(1)));
                handle.execute(Get);
                operations += 1 + len as u64;
                assert_sound(&nr.stats(), configuration, operations);
            }
        }
        for (replica, stats) in nr.stats().replicas.iter().enumerate() {
            assert_eq!(stats.operations, (replica as u64 + 1) * (1 + len as u64));
            assert_eq!(stats.rounds, (replica as u64 + 1) * 2, "a batch is one round, alone");
        }
        nr.handle(0).execute_mut_batch(None);
        assert_sound(&nr.stats(), configuration, operations);
        nr.sync();
        assert_sound(&nr.stats(), configuration, operations);
        assert!(nr.stats().replicas.iter().all(|replica| replica.lag == 0));
    });
}

/// A replica that nobody uses lags until it is needed, or helped.
#[test]
fn an_idle_replica_lags() {
    for replicas in [2, 4] {
        in_configuration(&Configuration::new(replicas, None), |configuration| {
            let nr = configuration.build(|_| Counter::default());
            let mut handle = nr.handle(0);
            (0..10).for_each(|_| drop(handle.execute_mut_batch([Add(1)])));
            let stats = nr.stats();
            assert_sound(&stats, configuration, 10);
            assert_eq!(stats.replicas[0].lag, 0);
            assert!(stats.replicas[1..].iter().all(|replica| replica.lag == 10), "nobody was in need: {stats}");
            nr.handle(1).execute(Get);
            assert_eq!(nr.stats().replicas[1].lag, 0, "a read brings its replica up to date");
            assert_eq!(nr.stats().replicas[1].replayed, 10);
            nr.sync();
            assert!(nr.stats().replicas.iter().all(|replica| replica.lag == 0));
            assert_sound(&nr.stats(), configuration, 10);
        });
    }
}

/// In a log that is full somebody must have helped the replica that nobody uses.
#[test]
fn help_is_counted() {
    for replicas in [2, 4] {
        for entries in [1, 2, 4] {
            in_configuration(&Configuration::new(replicas, Some(entries)), |configuration| {
                let nr = configuration.build(|_| Counter::default());
                let mut handle = nr.handle(0);
                (0..100).for_each(|_| drop(handle.execute_mut_batch([Add(1)])));
                let stats = nr.stats();
                assert_sound(&stats, configuration, 100);
                for replica in &stats.replicas[1..] {
                    assert!(replica.helped >= 100 - entries as u64, "{stats}");
                }
                assert_eq!(stats.replicas[0].helped, 0);
            });
        }
    }
}

#[test]
fn counted_right_by_many_threads() {
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| Counter::default());
        let each = scaled(30);
        run_threads(MANY_THREADS, |thread| {
            let mut handle = nr.handle(thread);
            for step in 0..each {
                handle.execute_mut(Add(1));
                if step % 3 == 0 {
                    handle.execute(Get);
                }
            }
            assert!(nr.stats().replicas[handle.replica_id().index()].handles >= 1);
        });
        assert_sound(&nr.stats(), configuration, (MANY_THREADS * each) as u64);
        nr.sync();
        assert_sound(&nr.stats(), configuration, (MANY_THREADS * each) as u64);
    });
}

/// Asked for at any time, by any thread; counts only grow.
#[test]
fn while_others_are_at_work() {
    for_each_configuration(|configuration| {
        let nr: NodeReplicated<Counter> = configuration.build(|_| Counter::default());
        let done = AtomicBool::new(false);
        run_threads(6, |thread| match thread {
            0 => {
                let _done = RaiseOnDrop(&done);
                let mut handle = nr.handle(0);
                for _ in 0..scaled(200) {
                    handle.execute_mut(Add(1));
                }
            }
            1..4 => {
                let mut handle = nr.handle(thread);
                while !done.load(SeqCst) {
                    handle.execute_mut(Add(1));
                }
            }
            _ => {
                let (mut operations, mut tail, mut reclaimed) = (0, 0, 0);
                while !done.load(SeqCst) {
                    let stats = nr.stats();
                    let now: u64 = stats.replicas.iter().map(|replica| replica.operations).sum();
                    check!(now >= operations, "operations fell from {operations}: {stats}");
                    operations = now;
                    if let Some(log) = stats.log {
                        check!(log.tail >= tail && log.reclaimed >= reclaimed, "positions fell: {log:?}");
                        (tail, reclaimed) = (log.tail, log.reclaimed);
                    }
                    // On a machine with fewer cores than such threads, the others wait for this one to stop.
                    std::thread::yield_now();
                }
            }
        });
        let operations = nr.handle(0).execute(Get);
        assert_sound(&nr.stats(), configuration, operations);
    });
}

/// They can be printed, for people.
#[test]
fn printed() {
    let configuration = Configuration::new(2, None);
    let nr = configuration.build(|_| Counter::default());
    (0..137).for_each(|n| drop(nr.handle(n).execute_mut_batch([Add(1)])));
    let text = nr.stats().to_string();
    assert!(text.contains("137"), "{text}");
    assert!(!format!("{:?} {nr:?} {:?}", nr.stats(), nr.handle(0)).is_empty());
}
