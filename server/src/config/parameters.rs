//! The table of all parameters.
//!
//! To add one: give [`Config`](super::Config) a field with its default, and the table a row.

use super::kind::{Kind, Scalar};
use super::own;
use super::parameter::{Parameter, Storage};
use super::values::{LogLevel, MaxmemoryPolicy, ProtectedAction};

/// The parameter with a name or alias, and the name as the table has it.
pub fn find(name: &[u8]) -> Option<(&'static str, &'static Parameter)> {
    PARAMETERS.iter().find_map(|parameter| {
        let known = parameter.names().find(|known| name.eq_ignore_ascii_case(known.as_bytes()))?;
        Some((known, parameter))
    })
}

macro_rules! field {
    ($($field:ident).+) => {
        Storage::Scalar {
            show: |config| Scalar::show(&config.$($field).+),
            assign: |config, value| Scalar::assign(&mut config.$($field).+, value),
        }
    };
}

macro_rules! own {
    ($show:ident, $read:ident) => {
        Storage::Own { show: own::$show, read: own::$read }
    };
}

const fn boolean(name: &'static str, storage: Storage) -> Parameter {
    Parameter::new(name, Kind::Boolean, storage)
}

const fn integer(name: &'static str, minimum: i64, maximum: i64, storage: Storage) -> Parameter {
    Parameter::new(name, Kind::Integer { minimum, maximum }, storage)
}

const fn memory(name: &'static str, minimum: u64, maximum: u64, storage: Storage) -> Parameter {
    Parameter::new(name, Kind::Memory { minimum, maximum }, storage)
}

const fn kept_boolean(name: &'static str, default: &'static str) -> Parameter {
    Parameter::kept(name, Kind::Boolean, default)
}

const fn kept_integer(name: &'static str, minimum: i64, maximum: i64, default: &'static str) -> Parameter {
    Parameter::kept(name, Kind::Integer { minimum, maximum }, default)
}

const fn kept_memory(name: &'static str, minimum: u64, maximum: u64, default: &'static str) -> Parameter {
    Parameter::kept(name, Kind::Memory { minimum, maximum }, default)
}

const fn kept_choice(name: &'static str, names: &'static [&'static str], default: &'static str) -> Parameter {
    Parameter::kept(name, Kind::Choice(names), default)
}

const fn kept_text(name: &'static str, default: &'static str) -> Parameter {
    Parameter::kept(name, Kind::Text, default)
}

const fn off(name: &'static str, value: &'static str, reason: &'static str) -> Parameter {
    Parameter::kept(name, Kind::Only { value, reason }, value)
}

/// Ranges end where those of Redis do, which are the ranges of these types.
const INT: i64 = i32::MAX as i64;
const UNSIGNED: i64 = u32::MAX as i64;
const LONG: i64 = i64::MAX;
const BYTES: u64 = i64::MAX as u64;
const MEGABYTE: u64 = 1 << 20;

const PROTECTED_ACTION: Kind = Kind::Choice(ProtectedAction::NAMES);
const SHUTDOWN_FLAGS: Kind =
    Kind::Flags { names: &["default", "save", "nosave", "now", "force"], exclusive: ["save", "nosave"] };

/// All parameters. Those without an effect come last.
pub static PARAMETERS: &[Parameter] = &[
    // Network
    Parameter::new("bind", Kind::Words { syntax: "<address> ..." }, own!(show_bind, read_bind)).fixed(),
    integer("port", 0, 65_535, field!(port)).fixed(),
    integer("tcp-backlog", 0, INT, field!(tcp_backlog)).immutable(),
    integer("tcp-keepalive", 0, INT, field!(tcp_keepalive)),
    integer("timeout", 0, INT, field!(timeout)),
    integer("maxclients", 1, UNSIGNED, field!(maxclients)),
    boolean("protected-mode", field!(protected_mode)),
    Parameter::new("requirepass", Kind::Text, field!(requirepass)).sensitive(),
    Parameter::new("enable-protected-configs", PROTECTED_ACTION, field!(enable_protected_configs)).immutable(),
    Parameter::new("enable-debug-command", PROTECTED_ACTION, field!(enable_debug_command)).immutable(),
    memory("proto-max-bulk-len", MEGABYTE, BYTES, field!(proto_max_bulk_len)),
    memory("client-query-buffer-limit", MEGABYTE, BYTES, field!(client_query_buffer_limit)),
    Parameter::new(
        "client-output-buffer-limit",
        Kind::Words { syntax: "normal|replica|pubsub <hard bytes> <soft bytes> <soft seconds> ..." },
        own!(show_output_limits, read_output_limits),
    ),
    // Threads and replicas
    integer("workers", 0, 1024, field!(workers)).fixed(),
    Parameter::new("replicas", Kind::Word { syntax: "numa|cache|<number>" }, own!(show_replicas, read_replicas))
        .fixed(),
    integer("databases", 1, INT, field!(databases)).immutable(),
    // Memory
    memory("maxmemory", 0, u64::MAX, field!(maxmemory)),
    Parameter::new("maxmemory-policy", Kind::Choice(MaxmemoryPolicy::NAMES), field!(maxmemory_policy)),
    integer("maxmemory-samples", 1, INT, field!(maxmemory_samples)),
    integer("maxmemory-eviction-tenacity", 0, 100, field!(maxmemory_eviction_tenacity)),
    Parameter::new(
        "maxmemory-clients",
        Kind::Word { syntax: "<bytes, or with unit>|<percent>%" },
        own!(show_maxmemory_clients, read_maxmemory_clients),
    ),
    integer("lfu-log-factor", 0, INT, field!(lfu_log_factor)),
    integer("lfu-decay-time", 0, INT, field!(lfu_decay_time)),
    // Work in the background
    integer("hz", 0, INT, field!(hz)),
    integer("active-expire-effort", 1, 10, field!(active_expire_effort)),
    // Encodings
    integer("hash-max-listpack-entries", 0, LONG, field!(encodings.hash_entries)).alias(&["hash-max-ziplist-entries"]),
    memory("hash-max-listpack-value", 0, BYTES, field!(encodings.hash_value)).alias(&["hash-max-ziplist-value"]),
    integer("list-max-listpack-size", i32::MIN as i64, INT, field!(encodings.list_size))
        .alias(&["list-max-ziplist-size"]),
    integer("set-max-intset-entries", 0, LONG, field!(encodings.set_intset_entries)),
    integer("zset-max-listpack-entries", 0, LONG, field!(encodings.sorted_set_entries))
        .alias(&["zset-max-ziplist-entries"]),
    memory("zset-max-listpack-value", 0, BYTES, field!(encodings.sorted_set_value)).alias(&["zset-max-ziplist-value"]),
    // Events, slow commands, latency
    Parameter::new(
        "notify-keyspace-events",
        Kind::Word { syntax: "<letters of Ag$lshzxeKEtmdn>" },
        own!(show_events, read_events),
    ),
    integer("slowlog-log-slower-than", -1, LONG, field!(slowlog_log_slower_than)),
    integer("slowlog-max-len", 0, LONG, field!(slowlog_max_len)),
    integer("latency-monitor-threshold", 0, LONG, field!(latency_monitor_threshold)),
    boolean("latency-tracking", field!(latency_tracking)),
    Parameter::new(
        "latency-tracking-info-percentiles",
        Kind::Words { syntax: "<percentile> ..." },
        own!(show_percentiles, read_percentiles),
    ),
    // Files
    Parameter::new("loglevel", Kind::Choice(LogLevel::NAMES), field!(loglevel)),
    Parameter::new("logfile", Kind::Text, field!(logfile)).immutable(),
    Parameter::new("pidfile", Kind::Text, field!(pidfile)).immutable(),
    Parameter::new("dir", Kind::Word { syntax: "<directory>" }, own!(show_directory, read_directory)).protected(),
    // For what has no counterpart here: memory is always freed in the background, tables grow bit by bit, lists are not
    // compressed, and clients are not tracked
    integer("tracking-table-max-keys", 0, LONG, field!(tracking_table_max_keys)).inert(),
    boolean("dynamic-hz", field!(dynamic_hz)).inert(),
    boolean("activerehashing", field!(activerehashing)).inert(),
    boolean("lazyfree-lazy-eviction", field!(lazyfree_lazy_eviction)).inert(),
    boolean("lazyfree-lazy-expire", field!(lazyfree_lazy_expire)).inert(),
    boolean("lazyfree-lazy-server-del", field!(lazyfree_lazy_server_del)).inert(),
    boolean("lazyfree-lazy-user-del", field!(lazyfree_lazy_user_del)).inert(),
    boolean("lazyfree-lazy-user-flush", field!(lazyfree_lazy_user_flush)).inert(),
    integer("list-compress-depth", 0, INT, field!(encodings.list_compress_depth)).inert(),
    // Features that can only be off
    off("daemonize", "no", "running in the background is not supported; a service manager or a shell can do it")
        .immutable(),
    off("appendonly", "no", "persistence is not supported"),
    off("activedefrag", "no", "active defragmentation is not supported"),
    off("cluster-enabled", "no", "cluster mode is not supported").immutable(),
    Parameter::new("replicaof", Kind::Words { syntax: "no one" }, own!(show_source_server, read_source_server))
        .alias(&["slaveof"])
        .immutable()
        .inert(),
    off("aclfile", "", "files of access control lists are not supported").immutable(),
    off("unixsocket", "", "Unix domain sockets are not supported").immutable(),
    Parameter::kept("unixsocketperm", Kind::Octal { maximum: 0o777 }, "0").immutable(),
    off("syslog-enabled", "no", "the system log is not supported").immutable(),
    kept_text("syslog-ident", "redis").immutable(),
    kept_choice(
        "syslog-facility",
        &["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"],
        "local0",
    )
    .immutable(),
    // The process
    kept_boolean("always-show-logo", "no").immutable(),
    kept_choice("supervised", &["upstart", "systemd", "auto", "no"], "no").immutable(),
    kept_boolean("set-proc-title", "yes").immutable(),
    kept_text("proc-title-template", "{title} {listen-addr} {server-mode}"),
    kept_choice("oom-score-adj", &["no", "yes", "relative", "absolute"], "no"),
    Parameter::kept("oom-score-adj-values", Kind::Integers { count: 3, minimum: -2000, maximum: 2000 }, "0 200 800"),
    kept_boolean("disable-thp", "yes").immutable(),
    kept_boolean("jemalloc-bg-thread", "yes"),
    kept_boolean("crash-log-enabled", "yes"),
    kept_boolean("crash-memcheck-enabled", "yes"),
    kept_boolean("use-exit-on-panic", "no").hidden(),
    kept_integer("watchdog-period", 0, INT, "0").hidden(),
    kept_text("ignore-warnings", ""),
    Parameter::kept("shutdown-on-sigint", SHUTDOWN_FLAGS, "default"),
    Parameter::kept("shutdown-on-sigterm", SHUTDOWN_FLAGS, "default"),
    kept_integer("shutdown-timeout", 0, INT, "10"),
    kept_integer("io-threads", 1, 128, "1").immutable(),
    kept_boolean("io-threads-do-reads", "no").immutable(),
    kept_text("server_cpulist", "").immutable(),
    kept_text("bio_cpulist", "").immutable(),
    kept_text("aof_rewrite_cpulist", "").immutable(),
    kept_text("bgsave_cpulist", "").immutable(),
    kept_text("bind-source-addr", ""),
    kept_integer("socket-mark-id", 0, UNSIGNED, "0").immutable(),
    // Access control, scripts and modules
    kept_choice("acl-pubsub-default", &["allchannels", "resetchannels"], "resetchannels"),
    kept_integer("acllog-max-len", 0, LONG, "128"),
    Parameter::kept("enable-module-command", PROTECTED_ACTION, "no").immutable(),
    kept_integer("busy-reply-threshold", 0, LONG, "5000").alias(&["lua-time-limit"]),
    kept_boolean("lua-enable-deprecated-api", "no").immutable().hidden(),
    // Streams and estimators
    kept_integer("stream-node-max-entries", 0, LONG, "100"),
    kept_memory("stream-node-max-bytes", 0, BYTES, "4096"),
    memory("hll-sparse-max-bytes", 0, BYTES, field!(encodings.sparse_estimator_bytes)).inert(),
    // Defragmentation
    kept_integer("active-defrag-cycle-min", 1, 99, "1"),
    kept_integer("active-defrag-cycle-max", 1, 99, "25"),
    kept_integer("active-defrag-threshold-lower", 0, 1000, "10"),
    kept_integer("active-defrag-threshold-upper", 0, 1000, "100"),
    kept_memory("active-defrag-ignore-bytes", 1, BYTES, "104857600"),
    kept_integer("active-defrag-max-scan-fields", 1, LONG, "1000"),
    // Snapshots
    Parameter::new("save", Kind::Words { syntax: "<seconds> <changes> ..." }, own!(show_save, read_save)).inert(),
    Parameter::new("dbfilename", Kind::FileName, field!(dbfilename)).protected().inert(),
    kept_boolean("rdbcompression", "yes"),
    kept_boolean("rdbchecksum", "yes").immutable(),
    kept_boolean("rdb-del-sync-files", "no"),
    kept_boolean("rdb-save-incremental-fsync", "yes"),
    kept_integer("rdb-key-save-delay", i32::MIN as i64, INT, "0").hidden(),
    kept_integer("key-load-delay", i32::MIN as i64, INT, "0").hidden(),
    kept_memory("loading-process-events-interval-bytes", 1024, INT as u64, "2097152").hidden(),
    kept_boolean("stop-writes-on-bgsave-error", "yes"),
    kept_choice("sanitize-dump-payload", &["no", "yes", "clients"], "no"),
    // The append-only file
    Parameter::kept("appendfilename", Kind::FileName, "appendonly.aof").immutable(),
    Parameter::kept("appenddirname", Kind::FileName, "appendonlydir").immutable(),
    kept_choice("appendfsync", &["everysec", "always", "no"], "everysec"),
    kept_boolean("no-appendfsync-on-rewrite", "no"),
    kept_integer("auto-aof-rewrite-percentage", 0, INT, "100"),
    kept_memory("auto-aof-rewrite-min-size", 0, BYTES, "67108864"),
    kept_boolean("aof-load-truncated", "yes"),
    kept_boolean("aof-use-rdb-preamble", "yes"),
    kept_boolean("aof-rewrite-incremental-fsync", "yes"),
    kept_boolean("aof-timestamp-enabled", "no"),
    kept_boolean("aof-disable-auto-gc", "no"),
    // Replication
    kept_text("masterauth", "").sensitive(),
    kept_text("masteruser", "").sensitive(),
    kept_boolean("replica-serve-stale-data", "yes").alias(&["slave-serve-stale-data"]),
    kept_boolean("replica-read-only", "yes").alias(&["slave-read-only"]),
    kept_boolean("replica-lazy-flush", "no").alias(&["slave-lazy-flush"]),
    kept_boolean("replica-ignore-maxmemory", "yes").alias(&["slave-ignore-maxmemory"]),
    kept_boolean("replica-ignore-disk-write-errors", "no"),
    kept_boolean("replica-announced", "yes"),
    kept_text("replica-announce-ip", "").alias(&["slave-announce-ip"]),
    kept_integer("replica-announce-port", 0, 65_535, "0").alias(&["slave-announce-port"]),
    kept_integer("replica-priority", 0, INT, "100").alias(&["slave-priority"]),
    kept_integer("min-replicas-to-write", 0, INT, "0").alias(&["min-slaves-to-write"]),
    kept_integer("min-replicas-max-lag", 0, INT, "10").alias(&["min-slaves-max-lag"]),
    kept_boolean("repl-diskless-sync", "yes"),
    kept_integer("repl-diskless-sync-delay", 0, INT, "5"),
    kept_integer("repl-diskless-sync-max-replicas", 0, INT, "0"),
    kept_choice("repl-diskless-load", &["disabled", "on-empty-db", "swapdb"], "disabled"),
    kept_integer("repl-ping-replica-period", 1, INT, "10").alias(&["repl-ping-slave-period"]),
    kept_integer("repl-timeout", 1, INT, "60"),
    kept_boolean("repl-disable-tcp-nodelay", "no"),
    kept_memory("repl-backlog-size", 1, BYTES, "1048576"),
    kept_integer("repl-backlog-ttl", 0, LONG, "3600"),
    kept_choice("propagation-error-behavior", &["ignore", "panic", "panic-on-replicas"], "ignore"),
    // Cluster
    kept_text("cluster-config-file", "nodes.conf").immutable(),
    kept_integer("cluster-node-timeout", 0, LONG, "15000"),
    kept_integer("cluster-port", 0, 65_535, "0").immutable(),
    kept_text("cluster-announce-ip", ""),
    kept_text("cluster-announce-hostname", ""),
    kept_integer("cluster-announce-port", 0, 65_535, "0"),
    kept_integer("cluster-announce-tls-port", 0, 65_535, "0"),
    kept_integer("cluster-announce-bus-port", 0, 65_535, "0"),
    kept_choice("cluster-preferred-endpoint-type", &["ip", "hostname", "unknown-endpoint"], "ip"),
    kept_integer("cluster-migration-barrier", 0, INT, "1"),
    kept_boolean("cluster-allow-replica-migration", "yes"),
    kept_integer("cluster-replica-validity-factor", 0, INT, "10").alias(&["cluster-slave-validity-factor"]),
    kept_boolean("cluster-replica-no-failover", "no").alias(&["cluster-slave-no-failover"]),
    kept_boolean("cluster-require-full-coverage", "yes"),
    kept_boolean("cluster-allow-reads-when-down", "no"),
    kept_boolean("cluster-allow-pubsubshard-when-down", "yes"),
    kept_memory("cluster-link-sendbuf-limit", 0, u64::MAX, "0"),
];
