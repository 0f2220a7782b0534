//! Sections of features that this server does not have: what those who watch a server look for in them.

use super::Fields;
use crate::commands::Context;
use crate::store::Call;

/// `INFO persistence`
pub(super) fn persistence(context: &mut Context<'_>, _: &Call<'_>, fields: &mut Fields) {
    fields.field("loading", 0);
    fields.field("async_loading", 0);
    fields.field("rdb_changes_since_last_save", context.handle.read(|keyspace| keyspace.dirty));
    fields.field("rdb_bgsave_in_progress", 0);
    fields.field("rdb_last_save_time", context.server.started_at / 1000);
    fields.field("rdb_last_bgsave_status", "ok");
    fields.field("rdb_last_bgsave_time_sec", -1);
    fields.field("rdb_current_bgsave_time_sec", -1);
    fields.field("rdb_saves", 0);
    fields.field("aof_enabled", 0);
    fields.field("aof_rewrite_in_progress", 0);
    fields.field("aof_rewrite_scheduled", 0);
    fields.field("aof_last_rewrite_time_sec", -1);
    fields.field("aof_current_rewrite_time_sec", -1);
    fields.field("aof_last_bgrewrite_status", "ok");
    fields.field("aof_last_write_status", "ok");
}

/// `INFO replication`
pub(super) fn replication(context: &mut Context<'_>, _: &Call<'_>, fields: &mut Fields) {
    fields.field("role", "master");
    fields.field("connected_slaves", 0);
    fields.field("master_failover_state", "no-failover");
    fields.field("master_replid", &context.server.run_id);
    fields.field("master_replid2", "0".repeat(40));
    fields.field("master_repl_offset", 0);
    fields.field("second_repl_offset", -1);
    fields.field("repl_backlog_active", 0);
    fields.field("repl_backlog_size", 0);
    fields.field("repl_backlog_first_byte_offset", 0);
    fields.field("repl_backlog_histlen", 0);
}

/// `INFO modules`
pub(super) fn modules(_: &mut Context<'_>, _: &Call<'_>, _: &mut Fields) {}

/// `INFO cluster`
pub(super) fn cluster(_: &mut Context<'_>, _: &Call<'_>, fields: &mut Fields) {
    fields.field("cluster_enabled", 0);
}
