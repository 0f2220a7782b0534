//! Loom's atomics, in which one ordering can be weakened from outside, to see whether a model notices.
//!
//! A place in the source is `FILE:LINE:COLUMN`, as the compiler names that of the call, with the file's path from `src/` on. Two variables of
//! the environment have places:
//!
//! * `NR_WEAKEN=PLACE:WHICH:ORDERING`: the operation at the place has this ordering in place of its own; `WHICH` is 0, or 1 for what a
//!   compare-and-swap does on failure. A fence with the ordering `Relaxed` does nothing.
//! * `NR_REACHED=FILE`: the places of all operations that are executed are added to the file, a line each.

use core::panic::Location;
use core::sync::atomic::Ordering;
use std::collections::HashSet;
use std::io::Write;
use std::sync::{LazyLock, Mutex};

struct Weakening {
    file: String,
    line: u32,
    column: u32,
    which: usize,
    ordering: Ordering,
}

static WEAKENING: LazyLock<Option<Weakening>> = LazyLock::new(|| {
    let text = std::env::var("NR_WEAKEN").ok()?;
    let mut parts = text.split(':');
    let mut part = || parts.next().expect("NR_WEAKEN=FILE:LINE:COLUMN:WHICH:ORDERING");
    Some(Weakening {
        file: part().to_owned(),
        line: part().parse().expect("a line"),
        column: part().parse().expect("a column"),
        which: part().parse().expect("0 or 1"),
        ordering: match part() {
            "Relaxed" => Ordering::Relaxed,
            "Acquire" => Ordering::Acquire,
            "Release" => Ordering::Release,
            "AcqRel" => Ordering::AcqRel,
            other => panic!("no weaker ordering: {other}"),
        },
    })
});

/// The file for places, and those that are in it already.
type Reached = (std::fs::File, HashSet<(&'static str, u32, u32)>);

static REACHED: LazyLock<Option<Mutex<Reached>>> = LazyLock::new(|| {
    let path = std::env::var_os("NR_REACHED")?;
    let file = std::fs::File::options().append(true).create(true).open(path).expect("NR_REACHED is a file");
    Some(Mutex::new((file, HashSet::new())))
});

fn path_from_src(location: &'static Location<'static>) -> &'static str {
    let file = location.file();
    file.rfind("/src/").map_or(file, |at| &file[at + "/src/".len()..])
}

/// The ordering that the operation at `location` has now: its own or a weaker one.
fn effective(given: Ordering, which: usize, location: &'static Location<'static>) -> Ordering {
    if let Some(reached) = &*REACHED {
        let mut reached = reached.lock().unwrap();
        let place = (path_from_src(location), location.line(), location.column());
        if reached.1.insert(place) {
            writeln!(reached.0, "{}:{}:{}", place.0, place.1, place.2).expect("NR_REACHED can be written");
        }
    }
    match &*WEAKENING {
        Some(weakening)
            if weakening.line == location.line()
                && weakening.column == location.column()
                && weakening.which == which
                && weakening.file == path_from_src(location) =>
        {
            weakening.ordering
        }
        _ => given,
    }
}

#[track_caller]
pub(crate) fn fence(ordering: Ordering) {
    let ordering = effective(ordering, 0, Location::caller());
    if ordering != Ordering::Relaxed {
        loom::sync::atomic::fence(ordering);
    }
}

macro_rules! atomic {
    ($name:ident $(<$parameter:ident>)?, $value:ty) => {
        pub(crate) struct $name $(<$parameter>)? (loom::sync::atomic::$name $(<$parameter>)?);

        // Derived, it would ask for what a pointer leads to.
        impl $(<$parameter>)? core::fmt::Debug for $name $(<$parameter>)? {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl $(<$parameter>)? $name $(<$parameter>)? {
            #[track_caller]
            pub(crate) fn new(value: $value) -> Self {
                Self(loom::sync::atomic::$name::new(value))
            }

            #[track_caller]
            pub(crate) fn load(&self, ordering: Ordering) -> $value {
                self.0.load(effective(ordering, 0, Location::caller()))
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, ordering: Ordering) {
                self.0.store(value, effective(ordering, 0, Location::caller()));
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $value, ordering: Ordering) -> $value {
                self.0.swap(value, effective(ordering, 0, Location::caller()))
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let location = Location::caller();
                self.0.compare_exchange(current, new, effective(success, 0, location), effective(failure, 1, location))
            }

            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }
        }
    };
}

/// Methods that number types have besides.
macro_rules! read_modify_write {
    ($value:ty: $($method:ident)*) => {
        $(
            #[track_caller]
            pub(crate) fn $method(&self, value: $value, ordering: Ordering) -> $value {
                self.0.$method(value, effective(ordering, 0, Location::caller()))
            }
        )*
    };
}

macro_rules! number {
    ($($name:ident, $value:ty;)*) => {
        $(
            atomic! { $name, $value }

            impl $name {
                read_modify_write! { $value: fetch_add fetch_sub fetch_or fetch_and fetch_max }

                #[track_caller]
                pub(crate) fn fetch_update(
                    &self,
                    success: Ordering,
                    failure: Ordering,
                    change: impl FnMut($value) -> Option<$value>,
                ) -> Result<$value, $value> {
                    let location = Location::caller();
                    self.0.fetch_update(effective(success, 0, location), effective(failure, 1, location), change)
                }
            }
        )*
    };
}

number! {
    AtomicU32, u32;
    AtomicU64, u64;
    AtomicUsize, usize;
}

atomic! { AtomicBool, bool }
atomic! { AtomicPtr<T>, *mut T }
