//! Replicas looked at in one state.

use loom::sync::Arc;
use loom::thread;

use super::check_within;
use super::combiner::tickets;
use crate::ReplicaId;

/// A thread writes, perhaps without having seen that somebody checks, while the replicas catch up one after the other and are looked at.
///
/// Fails if `look_at_all` draws no ticket, or has the replicas catch up only once.
#[test]
fn replicas_are_seen_in_one_state() {
    check_within(2, || {
        let tickets = tickets(2, 2);
        let writer = {
            let tickets = Arc::clone(&tickets);
            thread::spawn(move || tickets.register_on(ReplicaId::new(1)).unwrap().execute_mut(Box::new(1)))
        };
        let seen = tickets.check_replicas(|tickets| tickets.0);
        writer.join().unwrap();
        assert!(seen.is_ok(), "{seen:?}");
    });
}
