use super::*;
use crate::replica::{Site, Standing, Turn};

struct Nothing;

impl Dispatch for Nothing {
    type ReadOperation<'a> = ();
    type WriteOperation = ();
    type Response = ();
    fn dispatch(&self, (): ()) {}
    fn dispatch_mut(&mut self, (): &()) {}
}

#[test]
fn a_reader_watches_while_somebody_combines_but_not_for_long() {
    let site = Site { home: 0, node: 0, cpus: &[], cells: 1 };
    let replica = Replica::new(0, Some(Nothing), Standing::Member, site);
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
