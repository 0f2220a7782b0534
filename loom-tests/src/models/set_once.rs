//! A place that is filled once.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::check;
use crate::replica::SetOnce;

/// Two threads fill the same place, and a third looks: all see the whole of the same value.
///
/// Fails if `get` or either ordering of `get_or_set` is Relaxed.
#[test]
fn two_set_at_once() {
    check(|| {
        let place = Arc::new(SetOnce::new());
        let others = [1, 2].map(|value| {
            let place = Arc::clone(&place);
            thread::spawn(move || {
                let set: &UnsafeCell<u64> = place.get_or_set(UnsafeCell::new(value));
                // SAFETY: nobody writes to it once it is made, or loom says so.
                set.with(|value| unsafe { *value })
            })
        });
        // SAFETY: as above.
        let seen = place.get().map(|value| value.with(|value| unsafe { *value }));
        let others = others.map(|other| other.join().unwrap());
        assert!(others[0] == others[1] && seen.is_none_or(|seen| seen == others[0]), "{seen:?}, {others:?}");
    });
}
