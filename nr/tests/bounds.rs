//! Guarantee 9, the positive side: what must be `Send` and `Sync` is. That nothing else is, is pinned by the
//! `compile_fail` tests in the crate's own documentation.

mod common;

use common::structures::Counter;
use common::*;
use nr::*;
use std::cell::{Cell, RefCell};
use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::{Arc, MutexGuard};

fn send<T: Send>() {}
fn sync<T: Sync>() {}
fn plain<T: Copy + Ord + std::hash::Hash + Debug + Send + Sync + 'static>() {}
fn error<T: std::error::Error>() {}
fn shown<T: Debug + Display>() {}

/// As little as can be: no `Clone`, no `Debug`, no `Default`, answers that are not `Sync`, reads that are neither.
struct Bare<'data>(PhantomData<&'data str>);

impl<'data> Dispatch for Bare<'data> {
    type ReadOperation<'a> = &'a RefCell<Rc<str>>;
    type WriteOperation = &'data str;
    type Response = Cell<u8>;

    fn dispatch(&self, op: &RefCell<Rc<str>>) -> Cell<u8> {
        Cell::new(op.borrow().len() as u8)
    }

    fn dispatch_mut(&mut self, op: &&'data str) -> Cell<u8> {
        Cell::new(op.len() as u8)
    }
}

/// `Send` and not `Sync`: no structure for readers, but its replicas may be moved.
struct NotSync(Cell<u8>);

impl Dispatch for NotSync {
    type ReadOperation<'a> = ();
    type WriteOperation = ();
    type Response = u8;

    fn dispatch(&self, (): ()) -> u8 {
        self.0.get()
    }

    fn dispatch_mut(&mut self, (): &()) -> u8 {
        self.0.replace(1)
    }
}

/// Neither: as good as no structure, but no bound stands in the way of one thread that uses it.
struct Neither(Rc<u8>);

impl Dispatch for Neither {
    type ReadOperation<'a> = ();
    type WriteOperation = ();
    type Response = u8;

    fn dispatch(&self, (): ()) -> u8 {
        *self.0
    }

    fn dispatch_mut(&mut self, (): &()) -> u8 {
        self.0 = Rc::new(*self.0 + 1);
        *self.0
    }
}

fn for_any_lifetime<'data>(_: &'data str) {
    send::<NodeReplicated<Bare<'data>>>();
    sync::<NodeReplicated<Bare<'data>>>();
    send::<Handle<'_, Bare<'data>>>();
    send::<OwnedHandle<Bare<'data>>>();
    send::<Arc<NodeReplicated<Bare<'data>>>>();
}

#[test]
fn send_and_sync() {
    for_any_lifetime(&String::from("short-lived"));
    send::<NodeReplicated<NotSync>>();
    plain::<ReplicaId>();
    send::<(Builder, Topology, Stats, PanicPolicy, Replicas)>();
    sync::<(Builder, Topology, Stats, PanicPolicy, Replicas)>();
    // Errors are as free as what they hand back, and errors whatever that is.
    send::<ExecuteError<Cell<u8>>>();
    sync::<ExecuteError<&str>>();
    error::<ExecuteError<Rc<u8>>>();
    error::<ExecuteError<MutexGuard<'_, fn()>>>();
    shown::<ExecuteError<Cell<&dyn Fn()>>>();
    send::<(BuildError, RegisterError, TopologyError)>();
    sync::<(BuildError, RegisterError, TopologyError)>();
}

#[test]
fn as_little_as_can_be_asked_of_a_structure() {
    for_each_configuration(|configuration| {
        let text = String::from("four");
        let nr = configuration.build(|_| Bare(PhantomData));
        run_threads(4, |thread| {
            let mut handle = nr.handle(thread);
            assert_eq!(handle.execute_mut(&text).get(), 4);
            // Neither `Send` nor `Sync`, and used where it was made.
            let here = RefCell::new(Rc::from("here!"));
            assert_eq!(handle.execute(&here).get(), 5);
            let counted = Rc::new(7);
            assert_eq!(*handle.read(|_| Rc::clone(&counted)), 7);
            assert_eq!(handle.execute_mut_batch([text.as_str()]).len(), 1);
        });
    });
}

/// One thread may use what cannot be shared; it just cannot share it.
#[test]
fn what_cannot_be_shared_can_be_used() {
    for_each_configuration(|configuration| {
        let nr = configuration.build(|_| NotSync(Cell::new(0)));
        let mut handle = nr.register().expect("a handle");
        assert_eq!((handle.execute_mut(()), handle.execute(())), (0, 1));
        drop(handle);
        // It may be moved as a whole.
        let nr = std::thread::spawn(move || {
            nr.register().expect("a handle").execute_mut(());
            nr
        });
        assert_eq!(nr.join().expect("no panic").into_inner().0.get(), 1);

        let nr = configuration.build(|_| Neither(Rc::new(0)));
        let mut handle = nr.register().expect("a handle");
        assert_eq!((handle.execute_mut(()), handle.execute(())), (1, 1));
    });
}

/// For generic code: no bound but `Dispatch` is needed to hold, register, execute and take apart.
#[test]
fn generic_code_needs_only_dispatch() {
    struct Wrapper<D: Dispatch> {
        inner: Arc<NodeReplicated<D>>,
        handle: OwnedHandle<D>,
    }
    impl<D: Dispatch> Wrapper<D> {
        fn new(make: impl FnMut(ReplicaId) -> D) -> Self {
            let inner = Arc::new(Builder::default().build_with(make).expect("it builds"));
            let handle = inner.register_owned().expect("a handle");
            Self { inner, handle }
        }

        fn write(&mut self, op: D::WriteOperation) -> D::Response {
            self.inner.sync();
            self.handle.execute_mut(op)
        }

        fn read(&mut self, op: D::ReadOperation<'_>) -> D::Response {
            self.handle.execute(op)
        }

        fn into_inner(self) -> Option<D> {
            drop(self.handle);
            Arc::into_inner(self.inner).map(NodeReplicated::into_inner)
        }
    }
    let mut wrapper = Wrapper::new(|_| Counter::default());
    assert_eq!(wrapper.write(common::structures::Add(2)), 0);
    assert_eq!(wrapper.read(common::structures::Get), 2);
    assert_eq!(wrapper.into_inner().map(|counter| counter.0), Some(2));
}
