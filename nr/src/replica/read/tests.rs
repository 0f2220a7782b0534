//! When a reader leaves it to others to bring the replica up to date.

use super::*;
use crate::replica::tests::replica;
use crate::replica::{Standing, Turn};

#[test]
fn a_reader_watches_while_somebody_combines_but_not_for_long() {
    let replica = replica(Standing::Member);
    let backoff = Backoff::new();
    assert!(!is_to_watch(&replica, &backoff), "nobody combines");
    let turn = Turn::attempt(&replica).expect("a turn");
    assert!(is_to_watch(&replica, &backoff));
    drop(turn);
    backoff.snooze();
    assert!(is_to_watch(&replica, &backoff), "it looks for who combines only now and then");
    let _turn = Turn::attempt(&replica).expect("a turn");
    while !backoff.is_long() {
        assert!(is_to_watch(&replica, &backoff));
        backoff.snooze();
    }
    assert!(!is_to_watch(&replica, &backoff));
}
