//! The processor's own atomics and cells, with an observer that is called before each step of a thread: for tests that stop a thread
//! at a place of their choice.
//!
//! A step is an access to an atomic or a cell. Only the package `loom-tests` has the feature that this comes with.

use core::ops::Deref;
use core::panic::Location;
use std::boxed::Box;
use std::cell::Cell;
use std::thread_local;

use super::{parking, processor};

type Observer = Box<dyn FnMut(&'static Location<'static>)>;

thread_local! {
    static OBSERVER: Cell<Option<Observer>> = const { Cell::new(None) };
}

/// Has `observer` called before each step that this thread makes from now on, with the place in the source.
pub(crate) fn observe(observer: impl FnMut(&'static Location<'static>) + 'static) {
    OBSERVER.set(Some(Box::new(observer)));
}

/// Ends that.
pub(crate) fn unobserve() {
    OBSERVER.set(None);
}

/// Runs `work` without the observer.
fn unobserved<R>(work: impl FnOnce() -> R) -> R {
    let observer = OBSERVER.take();
    let result = work();
    OBSERVER.set(observer);
    result
}

#[track_caller]
fn step() {
    let place = Location::caller();
    // Taken out meanwhile: it may use the structure itself.
    if let Some(mut observer) = OBSERVER.take() {
        observer(place);
        OBSERVER.set(Some(observer));
    }
}

/// An atomic, each use of which is a step.
#[derive(Debug)]
pub(crate) struct Stepped<T>(T);

impl<T> Deref for Stepped<T> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        step();
        &self.0
    }
}

macro_rules! stepped {
    ($($name:ident: $value:ty),+) => {$(
        pub(crate) type $name = Stepped<core::sync::atomic::$name>;

        impl $name {
            pub(crate) const fn new(value: $value) -> Self {
                Self(core::sync::atomic::$name::new(value))
            }
        }
    )+};
}
stepped!(AtomicBool: bool, AtomicU32: u32, AtomicU64: u64, AtomicUsize: usize);

pub(crate) type AtomicPtr<T> = Stepped<core::sync::atomic::AtomicPtr<T>>;

impl<T> AtomicPtr<T> {
    pub(crate) const fn new(value: *mut T) -> Self {
        Self(core::sync::atomic::AtomicPtr::new(value))
    }
}

/// A cell, each use of which is a step.
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(processor::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(processor::UnsafeCell::new(value))
    }

    #[track_caller]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        step();
        self.0.with(f)
    }

    #[track_caller]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        step();
        self.0.with_mut(f)
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

/// As the real one. What `validate` does is no step: who stopped there would hold a lock of the parking lot's.
pub(crate) fn park(key: usize, validate: impl FnOnce() -> bool) {
    parking::park(key, || unobserved(validate));
}
