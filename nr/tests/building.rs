//! The builder: what each setting does, what is refused, and that a refusal says what is allowed.

mod common;

use common::structures::*;
use common::*;
use nr::{BuildError, Builder, Dispatch, NodeReplicated, PanicPolicy, ReplicaId, Replicas, Topology, TopologyError};
use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::*};

fn count(replicas: usize) -> Replicas {
    Replicas::Count(NonZeroUsize::new(replicas).expect("not 0"))
}

/// What `build_with` answers; nothing may be made if it refuses.
fn refused(builder: Builder) -> BuildError {
    let made = AtomicUsize::new(0);
    let result = builder.build_with(|_| {
        made.fetch_add(1, SeqCst);
        Counter::default()
    });
    assert_eq!(made.load(SeqCst), 0, "replicas were made for a structure that cannot be");
    result.map(drop).expect_err("this cannot be built")
}

#[test]
fn a_log_of_impossible_length_is_refused() {
    for replicas in [1, 2, 4] {
        for entries in [0, 1 << 40, usize::MAX / 2 + 2, usize::MAX - 1, usize::MAX] {
            let error = refused(Builder::default().replicas(count(replicas)).log_entries(entries));
            let text = error.to_string();
            assert!(text.contains(&entries.to_string()), "`{text}` says what was asked for");
            assert!(text.contains("1 to "), "`{text}` says what is allowed");
        }
    }
}

#[test]
fn an_absurd_number_of_replicas_is_refused() {
    for replicas in [1_000_000_000, usize::MAX] {
        let error = refused(Builder::default().replicas(count(replicas)));
        let text = error.to_string();
        assert!(text.contains(&replicas.to_string()), "`{text}` says what was asked for");
        assert!(text.contains("1 to "), "`{text}` says what is allowed");
    }
}

/// `build`, as `build_with`, refuses before it clones, and drops what it was given.
#[test]
fn what_was_given_to_a_refused_build_is_dropped_once() {
    #[derive(Clone)]
    struct Given(#[allow(dead_code, reason = "counts by being there")] Arc<()>);
    impl Dispatch for Given {
        type ReadOperation<'a> = ();
        type WriteOperation = ();
        type Response = ();
        fn dispatch(&self, (): ()) {}
        fn dispatch_mut(&mut self, (): &()) {}
    }
    let alive = Arc::new(());
    for builder in [Builder::default().log_entries(0), Builder::default().replicas(count(1_000_000_000))] {
        assert!(builder.build(Given(Arc::clone(&alive))).is_err());
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}

#[test]
fn topologies_that_cannot_be_are_refused() {
    fn refused(nodes: &[&[usize]]) -> TopologyError {
        Topology::from_nodes(nodes.iter().map(|node| node.iter().copied())).expect_err("no machine is like that")
    }
    for (nodes, says) in [
        (&[][..], "at least one"),
        (&[&[][..], &[]], "at least one"),
        (&[&[0, 1], &[1, 2]], "CPU 1"),
        (&[&[3, 3]], "CPU 3"),
        (&[&[usize::MAX]], "0 to "),
    ] {
        let text = refused(nodes).to_string();
        assert!(text.contains(says), "{nodes:?}: `{text}` says `{says}`");
    }
}

#[test]
fn errors_are_errors() {
    fn error<E: Error + Send + Sync + 'static>(error: E) {
        let boxed: Box<dyn Error + Send + Sync> = error.into();
        assert!(!boxed.to_string().is_empty());
        assert!(!format!("{boxed:?}").is_empty());
    }
    error(refused(Builder::default().log_entries(0)));
    error(Topology::from_nodes([[0, 0]]).expect_err("named twice"));
    let nr = Configuration::new(1, None).build(|_| Counter::default());
    error(nr.register_on(ReplicaId::new(1)).map(drop).expect_err("out of range"));
}

/// An `ExecuteError` is an error whatever it hands back: a closure, say, which is neither `Debug` nor `Display`.
#[test]
fn errors_that_hand_back_are_errors() {
    struct Opaque;
    struct Breaks;
    impl Dispatch for Breaks {
        type ReadOperation<'a> = &'a Opaque;
        type WriteOperation = Opaque;
        type Response = ();
        fn dispatch(&self, _: &Opaque) {}
        fn dispatch_mut(&mut self, _: &Opaque) {
            panic!("breaks");
        }
    }
    fn text<E: Error>(error: &E) -> (String, String) {
        (error.to_string(), format!("{error:?}"))
    }
    let nr = Configuration::new(2, Some(2)).build(|_| Breaks);
    let mut handle = nr.handle(0);
    let too_large = handle.try_execute_mut_batch([Opaque, Opaque, Opaque]).expect_err("too large");
    let (display, debug) = text(&too_large);
    assert!(display.contains('3') && display.contains('2'), "{display}");
    assert!(debug.contains("BatchTooLarge") && debug.contains('3') && debug.contains('2'), "{debug}");
    assert_eq!(too_large.into_returned().len(), 3);
    panic_of(|| handle.execute_mut(Opaque));
    let texts = [
        text(&handle.try_execute_mut(Opaque).expect_err("poisoned")),
        text(&handle.try_execute_mut_batch([Opaque]).expect_err("poisoned")),
        text(&handle.try_execute(&Opaque).expect_err("poisoned")),
        text(&handle.try_read(|_: &Breaks| ()).expect_err("poisoned")),
    ];
    for (display, debug) in texts {
        assert!(display.contains("poison"), "{display}");
        assert!(debug.contains("Poisoned"), "{debug}");
    }
}

#[test]
fn as_many_replicas_as_asked_for() {
    for replicas in [1, 2, 3, 4, 5, 17, 64] {
        let mut ids = Vec::new();
        let nr = Builder::default()
            .replicas(count(replicas))
            .log_entries(8)
            .build_with(|id| {
                ids.push(id.index());
                Counter::default()
            })
            .expect("it builds");
        assert_eq!(nr.replicas(), replicas);
        ids.sort_unstable();
        assert!(ids.into_iter().eq(0..replicas), "each replica is made once");
        run_threads(4, |thread| {
            for step in 0..5 {
                nr.handle(thread * 5 + step).execute_mut(Add(1));
            }
        });
        for replica in 0..replicas {
            assert_eq!(nr.handle(replica).execute(Get), 20, "replica {replica} of {replicas}");
        }
    }
}

/// The last replica is what was given, the others are clones of it: no clone more than needed.
#[test]
fn cloned_as_often_as_needed() {
    struct Cloned(Arc<AtomicUsize>);
    impl Clone for Cloned {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, SeqCst);
            Self(Arc::clone(&self.0))
        }
    }
    impl Dispatch for Cloned {
        type ReadOperation<'a> = ();
        type WriteOperation = ();
        type Response = usize;
        fn dispatch(&self, (): ()) -> usize {
            self.0.load(SeqCst)
        }
        fn dispatch_mut(&mut self, (): &()) -> usize {
            0
        }
    }
    for replicas in [1, 2, 4] {
        let clones = Arc::new(AtomicUsize::new(0));
        let builder = Builder::default().replicas(count(replicas));
        let nr = builder.build(Cloned(Arc::clone(&clones))).expect("it builds");
        assert_eq!(clones.load(SeqCst), replicas - 1);
        assert_eq!(Arc::strong_count(&clones), replicas + 1);
        drop(nr.into_inner());
        assert_eq!(Arc::strong_count(&clones), 1);
    }
}

/// A `make` or a `clone` that panics leaves nothing behind.
#[test]
fn making_a_replica_panics() {
    struct Made(#[allow(dead_code, reason = "counts by being there")] Arc<()>);
    impl Dispatch for Made {
        type ReadOperation<'a> = ();
        type WriteOperation = ();
        type Response = ();
        fn dispatch(&self, (): ()) {}
        fn dispatch_mut(&mut self, (): &()) {}
    }
    let alive = Arc::new(());
    for breaks_at in 0..4 {
        let payload = panic_of(|| {
            Builder::default().replicas(count(4)).build_with(|id| {
                assert!(id.index() != breaks_at, "this one breaks");
                Made(Arc::clone(&alive))
            })
        });
        assert_eq!(text_of(&*payload), "this one breaks");
        assert_eq!(Arc::strong_count(&alive), 1, "replicas made before are dropped");
    }
}

#[test]
fn one_replica_per_node_by_default() {
    #[derive(Clone, Default)]
    struct Plain(u64);
    impl Dispatch for Plain {
        type ReadOperation<'a> = ();
        type WriteOperation = u64;
        type Response = u64;
        fn dispatch(&self, (): ()) -> u64 {
            self.0
        }
        fn dispatch_mut(&mut self, op: &u64) -> u64 {
            self.0 += op;
            self.0
        }
    }
    // This machine, whatever it is.
    let nr = NodeReplicated::new(Plain::default());
    assert!(nr.replicas() >= 1);
    assert_eq!(nr.register().expect("a handle").execute_mut(3), 3);
    assert_eq!(nr.replicas(), NodeReplicated::<Plain>::builder().build(Plain(0)).expect("it builds").replicas());
    assert_eq!(nr.into_inner().0, 3);
    // Others.
    let nodes = |nodes: Vec<Vec<usize>>| Topology::from_nodes(nodes).expect("a sound topology");
    for (topology, replicas) in [
        (nodes(vec![vec![0]]), 1),
        (nodes(vec![vec![0, 1], vec![2, 3]]), 2),
        (nodes(vec![vec![0], vec![1], vec![2], vec![7, 9, 8]]), 4),
    ] {
        let built = Builder::default().topology(topology.clone()).build(Plain(1)).expect("it builds");
        assert_eq!(built.replicas(), replicas);
        let built = Builder::default().replicas(Replicas::PerNumaNode).topology(topology.clone()).build(Plain(1));
        assert_eq!(built.expect("it builds").replicas(), replicas);
        // A count of its own has nothing to do with the nodes.
        let built = Builder::default().replicas(count(3)).topology(topology).build(Plain(1)).expect("it builds");
        assert_eq!(built.replicas(), 3);
    }
}

#[test]
fn one_replica_per_cache_domain() {
    let topology = Topology::from_nodes([0..8, 8..16])
        .and_then(|nodes| nodes.with_cache_domains([0..4, 4..8, 8..12, 12..14, 14..16]))
        .expect("a sound topology");
    let builder = Builder::default().topology(topology);
    assert_eq!(builder.clone().build_with(|_| Counter::default()).expect("it builds").replicas(), 2);
    let nr = builder.replicas(Replicas::PerCacheDomain).build_with(|_| Counter::default()).expect("it builds");
    assert_eq!(nr.replicas(), 5);
    for n in 0..10 {
        assert_eq!(nr.handle(n).execute_mut(Add(1)), n as u64);
    }
}

/// Settings do not disturb each other, in whatever order they are made; the last of a kind counts.
#[test]
fn settings_in_any_order() {
    let one = Builder::default().replicas(count(2)).log_entries(3).on_panic(PanicPolicy::Continue);
    let other = Builder::default().on_panic(PanicPolicy::Poison).log_entries(100).replicas(count(7));
    let other = other.on_panic(PanicPolicy::Continue).log_entries(3).replicas(count(2));
    for builder in [one, other] {
        let nr = builder.build_with(|_| Counter::default()).expect("it builds");
        assert_eq!(nr.replicas(), 2);
        assert_eq!(nr.stats().log.expect("with two replicas there is a log").capacity, 4);
    }
}

/// A structure that cannot be cloned is made by `build_with`, each replica by itself.
#[test]
fn replicas_made_one_by_one() {
    let nr = Configuration::new(4, None).build(|id| Counter(id.index() as u64 * 100));
    for id in 0..4 {
        assert_eq!(nr.handle(id).execute(Get), id as u64 * 100, "made as it was told");
    }
}
