//! What was counted.

use super::Fields;
use crate::commands::Context;
use crate::commands::state::{CommandStatistics, Counter, Distribution, Server, lock};
use crate::commands::table::{CommandId, Listed, table};
use crate::store::Call;
use crate::store::subscriptions::Topic;

/// `INFO stats`
pub(super) fn statistics(context: &mut Context<'_>, _: &Call<'_>, fields: &mut Fields) {
    let server = context.server;
    let (counters, topics) = context.handle.read(|keyspace| {
        let topics = [Topic::Channel, Topic::Pattern, Topic::Shard];
        (keyspace.counters, topics.map(|topic| keyspace.subscriptions.of(topic).len()))
    });
    let rates = server.rates();
    let limited = server.total(|worker| &worker.output_limit_disconnections);
    fields.field("total_connections_received", server.total(|worker| &worker.connections));
    fields.field("total_commands_processed", server.total(|worker| &worker.commands));
    fields.field("instantaneous_ops_per_sec", rates.commands as u64);
    fields.field("total_net_input_bytes", server.total(|worker| &worker.input));
    fields.field("total_net_output_bytes", server.total(|worker| &worker.output));
    fields.field("total_net_repl_input_bytes", 0);
    fields.field("total_net_repl_output_bytes", 0);
    fields.field("instantaneous_input_kbps", format_args!("{:.2}", rates.input / 1024.0));
    fields.field("instantaneous_output_kbps", format_args!("{:.2}", rates.output / 1024.0));
    fields.field("rejected_connections", server.total(|worker| &worker.rejected_connections));
    fields.field("sync_full", 0);
    fields.field("sync_partial_ok", 0);
    fields.field("sync_partial_err", 0);
    fields.field("expired_keys", counters.expired);
    fields.field("expired_stale_perc", "0.00");
    fields.field("expired_time_cap_reached_count", 0);
    fields.field("evicted_keys", counters.evicted);
    fields.field("evicted_clients", server.total(|worker| &worker.evicted_clients));
    fields.field("keyspace_hits", server.total(|worker| &worker.hits));
    fields.field("keyspace_misses", server.total(|worker| &worker.misses));
    fields.field("pubsub_channels", topics[0]);
    fields.field("pubsub_patterns", topics[1]);
    fields.field("pubsubshard_channels", topics[2]);
    fields.field("latest_fork_usec", 0);
    fields.field("total_forks", 0);
    fields.field("migrate_cached_sockets", 0);
    fields.field("slave_expires_tracked_keys", 0);
    fields.field("tracking_total_keys", 0);
    fields.field("tracking_total_items", 0);
    fields.field("tracking_total_prefixes", 0);
    fields.field("unexpected_error_replies", 0);
    fields.field("total_error_replies", lock(&server.errors).total);
    fields.field("dump_payload_sanitizations", 0);
    fields.field("client_query_buffer_limit_disconnections", server.total(|worker| &worker.query_limit_disconnections));
    fields.field("client_output_buffer_limit_disconnections", limited);
}

/// All commands by their full names, with a line for each as `show` says, if it does.
fn by_command(fields: &mut Fields, prefix: &str, show: impl Fn(CommandId) -> Option<String>) {
    for (id, Listed { full_name, .. }) in table().iter() {
        if let Some(text) = show(id) {
            fields.field(format_args!("{prefix}_{full_name}"), text);
        }
    }
}

/// `INFO commandstats`
pub(super) fn commands(context: &mut Context<'_>, _: &Call<'_>, fields: &mut Fields) {
    let server = context.server;
    by_command(fields, "cmdstat", |id| {
        let total = |counter: fn(&CommandStatistics) -> &Counter| server.total(|worker| counter(worker.command(id)));
        let calls = total(|command| &command.calls);
        let (rejected, failed) = (total(|command| &command.rejected), total(|command| &command.failed));
        if calls + rejected + failed == 0 {
            return None;
        }
        let nanoseconds = total(|command| &command.nanoseconds);
        Some(format!(
            "calls={calls},usec={},usec_per_call={:.2},rejected_calls={rejected},failed_calls={failed}",
            nanoseconds / 1000,
            if calls == 0 { 0.0 } else { nanoseconds as f64 / 1000.0 / calls as f64 }
        ))
    });
}

/// `INFO errorstats`
pub(super) fn errors(context: &mut Context<'_>, _: &Call<'_>, fields: &mut Fields) {
    for (code, count) in &lock(&context.server.errors).by_code {
        fields.field(format_args!("errorstat_{code}"), format_args!("count={count}"));
    }
}

/// `INFO latencystats`
pub(super) fn latencies(context: &mut Context<'_>, _: &Call<'_>, fields: &mut Fields) {
    if !context.config.latency_tracking {
        return;
    }
    let percentiles = &context.config.latency_tracking_info_percentiles;
    by_command(fields, "latency_percentiles_usec", |id| {
        let distribution = distribution(context.server, id)?;
        let show = |percent: &f64| format!("p{percent}={:.3}", distribution.percentile(*percent) as f64 / 1000.0);
        Some(percentiles.iter().map(show).collect::<Vec<_>>().join(","))
    });
}

/// How long the command took on all workers, if it was executed.
pub(in crate::commands::server) fn distribution(server: &Server, id: CommandId) -> Option<Distribution> {
    let distribution = Distribution::of(server.workers.iter().map(|worker| &worker.command(id).latencies));
    (distribution.count() > 0).then_some(distribution)
}
