//! How the keyspace is replicated within the server: this server's own section.

use super::Fields;
use crate::commands::Context;
use crate::store::Call;

/// `INFO nr`
pub(super) fn replicas(context: &mut Context<'_>, _: &Call<'_>, fields: &mut Fields) {
    let server = context.server;
    let stats = server.keyspace.stats();
    let (batches, batched) = (server.total(|worker| &worker.batches), server.total(|worker| &worker.batched));
    let mean = if batches == 0 { 0.0 } else { batched as f64 / batches as f64 };
    fields.field("nr_replicas", stats.replicas.len());
    fields.field("nr_workers", server.workers.len());
    fields.field("nr_turns", server.total(|worker| &worker.turns));
    // What the workers gather, and what then goes through the log at once: a combiner takes the batches of several workers.
    fields.field("nr_worker_batches", batches);
    fields.field("nr_worker_mean_batch", format_args!("{mean:.2}"));
    fields.field("nr_combined_batches", stats.rounds());
    fields.field("nr_mean_batch", format_args!("{:.2}", stats.mean_batch()));
    fields.field("nr_write_operations", stats.operations());
    if let Some(log) = &stats.log {
        fields.field(
            "nr_log",
            format_args!(
                "capacity={},tail={},completed={},reclaimed={}",
                log.capacity, log.tail, log.completed, log.reclaimed
            ),
        );
    }
    for replica in &stats.replicas {
        fields.field(
            format_args!("nr_replica{}", replica.id.index()),
            format_args!(
                "node={},handles={},batches={},operations={},replayed={},helped={},lag={},waits={}",
                replica.node,
                replica.handles,
                replica.rounds,
                replica.operations,
                replica.replayed,
                replica.helped,
                replica.lag,
                replica.waits
            ),
        );
    }
}
