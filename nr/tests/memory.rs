//! Guarantee 10: what an instance costs beyond its replicas is the log and the slots of the handles now registered; it
//! is all given back. Counted by the allocator, so the tests of this binary run one after the other.

mod common;

use common::structures::*;
use common::*;
use nr::{Builder, Dispatch, NodeReplicated, PanicPolicy, ReplicaId};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The system's allocator, with an account of what is allocated now.
struct Counted;

static LIVE: AtomicIsize = AtomicIsize::new(0);

fn account(bytes: isize) {
    LIVE.fetch_add(bytes, Relaxed);
}

// SAFETY: every call is handed on as it is to the system's allocator, which keeps the contract; counting touches no
// memory of the caller's and does not allocate.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        account(layout.size() as isize);
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        account(layout.size() as isize);
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        account(-(layout.size() as isize));
        // SAFETY: the caller's promise, handed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        account(size as isize - layout.size() as isize);
        // SAFETY: the caller's promise, handed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

const KIB: isize = 1024;
const MIB: isize = 1024 * KIB;
/// What the test harness, the watchdog and the like may have at one time and not at another.
const NOISE: isize = 48 * KIB;

/// One test at a time: the others wait here.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn live() -> isize {
    LIVE.load(Relaxed)
}

/// How much more is allocated after `f` than before, while what it returns is alive.
fn growth<R>(f: impl FnOnce() -> R) -> (isize, R) {
    let before = live();
    let result = f();
    (live() - before, result)
}

fn in_each(replicas: &[usize], test: impl Fn(&Configuration)) {
    for &replicas in replicas {
        in_configuration(&Configuration::new(replicas, None), &test);
    }
}

/// An 8-byte counter costs no megabytes.
#[test]
fn a_small_structure_is_small() {
    let _alone = alone();
    for (replicas, allowed) in [(1, 256 * KIB), (2, 5 * MIB / 4), (4, 5 * MIB / 2)] {
        in_configuration(&Configuration::new(replicas, None), |configuration| {
            let (bytes, nr) = growth(|| configuration.build(|_| Counter::default()));
            assert!(bytes < allowed, "{bytes} bytes for a counter of 8");
            let (bytes, _) = growth(|| {
                run_threads(8, |thread| {
                    let mut handle = nr.handle(thread);
                    for _ in 0..scaled(500) {
                        handle.execute_mut(Add(1));
                        handle.execute(Get);
                    }
                });
            });
            assert!(bytes < NOISE, "{bytes} bytes more, after it was used");
        });
    }
}

/// A handle costs little, and nothing once it is dropped.
#[test]
fn handles_cost_what_is_registered_now() {
    let _alone = alone();
    in_each(&[1, 2, 4], |configuration| {
        let nr = Arc::new(configuration.build(|_| Counter::default()));
        nr.handle(0).execute_mut(Add(1));
        let (bytes, _) = growth(|| {
            let (bytes, handles) = growth(|| {
                (0..10_000)
                    .map(|n| {
                        let mut handle = nr.register_owned_on(ReplicaId::new(n % nr.replicas())).expect("a handle");
                        if n % 10 == 0 {
                            handle.execute_mut(Add(1));
                        }
                        handle
                    })
                    .collect::<Vec<_>>()
            });
            assert!(bytes < 10_000 * KIB, "{bytes} bytes for 10,000 handles");
            drop(handles);
        });
        assert!(bytes < NOISE, "{bytes} bytes are left of 10,000 handles at once");
        let (bytes, ()) = growth(|| {
            for n in 0..30_000 {
                let mut handle = nr.handle(n);
                if n % 100 == 0 {
                    handle.execute_mut(Add(1));
                }
            }
        });
        assert!(bytes < NOISE, "{bytes} bytes are left of 30,000 handles, one after the other");
        let (bytes, ()) = growth(|| {
            for n in 0..200 {
                thread::scope(|scope| drop(scope.spawn(|| nr.handle(n).execute_mut(Add(1)))));
            }
        });
        assert!(bytes < NOISE, "{bytes} bytes are left of 200 threads that each had a handle");
    });
}

/// Sums up operations of 16 KiB.
struct Sum(u64);

trait Words: Send + Sync {
    fn word(&self) -> u64;
}

impl Words for Box<[u64; 2048]> {
    fn word(&self) -> u64 {
        self[7]
    }
}

impl Words for [u64; 2048] {
    fn word(&self) -> u64 {
        self[7]
    }
}

struct Sums<W>(Sum, std::marker::PhantomData<fn(W)>);

impl<W: Words> Dispatch for Sums<W> {
    type ReadOperation<'a> = ();
    type WriteOperation = W;
    type Response = u64;

    fn dispatch(&self, (): ()) -> u64 {
        self.0.0
    }

    fn dispatch_mut(&mut self, op: &W) -> u64 {
        self.0.0 += op.word();
        self.0.0
    }
}

/// Large operations are gone once they are applied everywhere, though the ring has not wrapped.
fn large_operations<W: Words>(configuration: &Configuration, operations: usize, make: impl Fn(u64) -> W) {
    let (bytes, nr) = growth(|| {
        let nr = configuration.build(|_| Sums(Sum(0), std::marker::PhantomData));
        let mut handle = nr.handle(0);
        for _ in 0..operations {
            handle.execute_mut(make(1));
        }
        drop(handle);
        nr.sync();
        nr
    });
    assert!(bytes < 64 * MIB, "{} MiB are left after {operations} operations of 16 KiB", bytes / MIB);
    assert_eq!(nr.handle(configuration.replicas - 1).execute(()), operations as u64);
}

#[test]
fn large_operations_in_boxes_are_gone_once_applied() {
    let _alone = alone();
    in_each(&[1, 4], |configuration| {
        large_operations(configuration, 40_000, |word| Box::new([word; 2048]));
    });
}

#[test]
fn large_operations_inline_are_gone_once_applied() {
    let _alone = alone();
    in_each(&[1, 4], |configuration| large_operations(configuration, 10_000, |word| [word; 2048]));
}

/// The same where all replicas are in use and nobody calls `sync`: the laggard's share is all that is left.
#[test]
fn large_operations_with_all_replicas_in_use() {
    let _alone = alone();
    in_each(&[1, 2, 4], |configuration| {
        let nr = configuration.build(|_| Sums(Sum(0), std::marker::PhantomData));
        let mut handles: Vec<_> = (0..configuration.replicas).map(|replica| nr.handle(replica)).collect();
        let mut most = 0;
        let before = live();
        for n in 0..2000 {
            handles[n % configuration.replicas].execute_mut(Box::new([1_u64; 2048]));
            most = most.max(live() - before);
        }
        assert!(most < 8 * MIB, "{} KiB at once, with 16 KiB underway", most / KIB);
    });
}

/// Batches leave nothing behind: neither their operations nor their answers.
#[test]
fn batches_leave_nothing_behind() {
    let _alone = alone();
    in_each(&[1, 2, 4], |configuration| {
        let nr = configuration.build(|_| Journals::default());
        let mut handle = nr.handle(0);
        let mut batch = || {
            let answers = handle.execute_mut_batch((0..50).map(|n| n.to_string().repeat(20)));
            assert_eq!(answers.len(), 50);
        };
        batch();
        let (bytes, ()) = growth(|| (0..100).for_each(|_| batch()));
        nr.sync();
        let (after_sync, ()) = growth(|| nr.sync());
        // Operations that wait for a replica that nobody uses may be alive before the sync.
        assert!(bytes < 2 * MIB, "{bytes} bytes more after 5,000 operations");
        assert!(after_sync.abs() < NOISE);
        let before = live();
        (0..20).for_each(|_| batch());
        nr.sync();
        assert!(live() - before < NOISE, "{} bytes are left", live() - before);
    });
}

/// Keeps the last of what it was told.
#[derive(Default)]
struct Journals(String);

impl Dispatch for Journals {
    type ReadOperation<'a> = ();
    type WriteOperation = String;
    type Response = String;

    fn dispatch(&self, (): ()) -> String {
        self.0.clone()
    }

    fn dispatch_mut(&mut self, op: &String) -> String {
        if op == "panic" {
            // Past the hook, whose message the test harness would keep.
            std::panic::resume_unwind(Box::new(op.clone()));
        }
        self.0.clone_from(op);
        op.clone()
    }
}

/// Whatever was done to it: a structure that is dropped has given everything back.
#[test]
fn a_dropped_structure_leaves_nothing() {
    let _alone = alone();
    for_each_configuration(|configuration| {
        let use_and_drop = || {
            let nr = Arc::new(configuration.on_panic(PanicPolicy::Continue).build(|_| Journals::default()));
            let owned: Vec<_> = (0..10).map(|_| nr.register_owned().expect("a handle")).collect();
            run_threads(4, |thread| {
                let mut handle = nr.handle(thread);
                for step in 0..10 {
                    handle.execute_mut("word ".repeat(step));
                    handle.execute_mut_batch((0..configuration.batch_of(3)).map(|n| n.to_string()));
                    handle.execute(());
                }
            });
            nr.handle(0).execute_mut("not applied everywhere".to_owned());
            drop((owned, nr));
        };
        // Once for what is made once: threads' names, the parking lot's table.
        use_and_drop();
        let (bytes, ()) = growth(|| (0..10).for_each(|_| use_and_drop()));
        assert!(bytes < NOISE, "{bytes} bytes are left of 10 structures");
    });
}

/// The same for `into_inner`, and for panics: their payloads are freed.
#[test]
fn into_inner_and_panics_leave_nothing() {
    let _alone = alone();
    for_each_configuration(|configuration| {
        let use_and_drop = || {
            let nr: NodeReplicated<Journals> =
                configuration.on_panic(PanicPolicy::Poison).build(|_| Journals::default());
            let mut handle = nr.handle(0);
            handle.execute_mut("word".to_owned());
            panic_of(|| handle.execute_mut("panic".to_owned()));
            let handed_back = handle.try_execute_mut("handed back".to_owned()).expect_err("poisoned").into_returned();
            nr.clear_poison();
            handle.execute_mut(handed_back);
            drop(handle);
            assert_eq!(nr.into_inner().0, "handed back");
        };
        use_and_drop();
        let (bytes, ()) = growth(|| (0..10).for_each(|_| use_and_drop()));
        assert!(bytes < NOISE, "{bytes} bytes are left of 10 structures");
    });
}

/// A refused build, too.
#[test]
fn a_refused_build_leaves_nothing() {
    let _alone = alone();
    let (bytes, ()) = growth(|| {
        for _ in 0..100 {
            for entries in [0, usize::MAX, 1 << 40] {
                assert!(Builder::default().log_entries(entries).build_with(|_| Counter::default()).is_err());
            }
        }
    });
    assert!(bytes < NOISE, "{bytes} bytes are left of builds that were refused");
}
