//! Who is poisoned when, with and without positions.

use super::*;

#[test]
fn without_a_log_each_panic_poisons_until_it_is_cleared() {
    let poison = Poison::new(PanicPolicy::Poison);
    assert!(!poison.is_set());
    for _ in 0..2 {
        poison.report();
        assert!(poison.is_set());
        poison.report();
        assert!(poison.is_set());
        poison.clear();
        assert!(!poison.is_set());
    }
}

#[test]
fn with_a_log_each_panic_poisons_once() {
    let poison = Poison::new(PanicPolicy::Poison);
    for position in [0, 1, 7] {
        poison.report_at(position);
        assert!(poison.is_set());
        // Of a laggard.
        poison.report_at(position / 2);
        poison.report_at(position);
        assert!(poison.is_set());
        poison.clear();
        assert!(!poison.is_set());
        poison.report_at(position / 2);
        poison.report_at(position);
        assert!(!poison.is_set(), "it was cleared");
    }
}

#[test]
fn one_who_goes_on_is_never_poisoned() {
    let poison = Poison::new(PanicPolicy::Continue);
    poison.report();
    poison.report_at(3);
    assert!(!poison.is_set());
}
