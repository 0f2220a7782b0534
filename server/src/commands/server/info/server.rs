//! The process, its clients, its memory and its processor time.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Fields;
use crate::commands::Context;
use crate::commands::server::footprint::Footprint;
use crate::commands::server::process::{self, ProcessorTime};
use crate::commands::state::lock;
use crate::store::{Call, garbage};

/// The version of Redis whose commands and replies these are.
pub(in crate::commands::server) const REDIS_VERSION: &str = "7.0.15";

/// `INFO server`
pub(super) fn server(context: &mut Context<'_>, _: &Call<'_>, fields: &mut Fields) {
    let (server, config) = (context.server, context.config);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let uptime = server.started.elapsed().as_secs();
    let path = |path: Option<std::path::PathBuf>| path.unwrap_or_default().display().to_string();
    fields.field("redis_version", REDIS_VERSION);
    fields.field("redis_mode", "standalone");
    fields.field("nr_server_version", env!("CARGO_PKG_VERSION"));
    fields.field("os", process::system());
    fields.field("arch_bits", usize::BITS);
    fields.field("multiplexing_api", "epoll");
    fields.field("process_id", std::process::id());
    fields.field("process_supervised", "no");
    fields.field("run_id", &server.run_id);
    fields.field("tcp_port", server.port);
    fields.field("server_time_usec", now.as_micros());
    fields.field("uptime_in_seconds", uptime);
    fields.field("uptime_in_days", uptime / (24 * 3600));
    fields.field("hz", config.hz);
    fields.field("configured_hz", config.hz);
    // The clock of Redis: seconds, of 24 bits.
    fields.field("lru_clock", now.as_secs() & 0x00ff_ffff);
    fields.field("executable", path(std::env::current_exe().ok()));
    fields.field("config_file", path(config.config_file.clone()));
    fields.field("io_threads_active", 0);
}

/// `INFO clients`
pub(super) fn clients(context: &mut Context<'_>, _: &Call<'_>, fields: &mut Fields) {
    let clients = lock(&context.server.clients);
    // Relaxed: facts for people to look at, each by itself.
    let largest_input = clients.values().map(|record| record.input.load(Ordering::Relaxed)).max();
    let largest_output = clients.values().map(|record| record.output.load(Ordering::Relaxed)).max();
    let blocked = clients.values().filter(|record| record.blocked.load(Ordering::Relaxed)).count();
    fields.field("connected_clients", clients.len());
    fields.field("cluster_connections", 0);
    fields.field("maxclients", context.config.maxclients);
    fields.field("client_recent_max_input_buffer", largest_input.unwrap_or(0));
    fields.field("client_recent_max_output_buffer", largest_output.unwrap_or(0));
    fields.field("blocked_clients", blocked);
    fields.field("tracking_clients", 0);
}

/// `INFO memory`
pub(super) fn memory(context: &mut Context<'_>, _: &Call<'_>, fields: &mut Fields) {
    let footprint = Footprint::measure(context);
    let config = context.config;
    fields.bytes("used_memory", footprint.used);
    fields.bytes("used_memory_rss", footprint.resident);
    fields.bytes("used_memory_peak", footprint.peak);
    fields.field("used_memory_peak_perc", format_args!("{:.2}%", footprint.peak_percentage()));
    fields.field("used_memory_overhead", footprint.overhead());
    fields.field("used_memory_startup", footprint.startup);
    fields.field("used_memory_dataset", footprint.dataset());
    fields.field("used_memory_dataset_perc", format_args!("{:.2}%", footprint.dataset_percentage()));
    fields.bytes("total_system_memory", process::machine_memory());
    fields.bytes("used_memory_lua", 0);
    fields.bytes("used_memory_scripts", 0);
    fields.field("number_of_cached_scripts", 0);
    fields.field("number_of_functions", 0);
    fields.field("number_of_libraries", 0);
    fields.bytes("maxmemory", config.maxmemory);
    fields.field("maxmemory_policy", config.maxmemory_policy.name());
    fields.field("mem_fragmentation_ratio", format_args!("{:.2}", footprint.fragmentation()));
    fields.field("mem_fragmentation_bytes", footprint.fragmentation_bytes());
    fields.field("mem_not_counted_for_evict", 0);
    fields.field("mem_replication_backlog", 0);
    fields.field("mem_total_replication_buffers", 0);
    fields.field("mem_clients_slaves", 0);
    fields.field("mem_clients_normal", footprint.clients);
    fields.field("mem_cluster_links", 0);
    fields.field("mem_aof_buffer", 0);
    fields.field("mem_allocator", "mimalloc");
    fields.field("active_defrag_running", 0);
    // An object is freed once on each replica.
    fields.field("lazyfree_pending_objects", garbage::pending().div_ceil(footprint.replicas));
    fields.field("lazyfreed_objects", garbage::freed() / footprint.replicas);
}

/// `INFO cpu`
pub(super) fn processor(_: &mut Context<'_>, _: &Call<'_>, fields: &mut Fields) {
    let seconds = |duration: Duration| format!("{:.6}", duration.as_secs_f64());
    let (process, thread) = (ProcessorTime::of_process(), ProcessorTime::of_thread());
    fields.field("used_cpu_sys", seconds(process.system));
    fields.field("used_cpu_user", seconds(process.user));
    fields.field("used_cpu_sys_children", seconds(Duration::ZERO));
    fields.field("used_cpu_user_children", seconds(Duration::ZERO));
    // Of the worker that answers: there is no main one.
    fields.field("used_cpu_sys_main_thread", seconds(thread.system));
    fields.field("used_cpu_user_main_thread", seconds(thread.user));
}
