//! What the server says of itself, over TCP: `INFO`, `CONFIG`, `COMMAND`, `SLOWLOG`, `LATENCY`, `MEMORY` and the end.

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::{Client, RealRedis, TestServer, Value, eventually, everywhere, same_replies};

/// The fields of these sections.
fn info(client: &mut Client, sections: &str) -> BTreeMap<String, String> {
    let text = client.run(&format!("INFO {sections}"));
    let fields = text.text().lines().filter_map(|line| line.split_once(':'));
    fields.map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// One field as a number.
#[track_caller]
fn number(client: &mut Client, field: &str) -> i64 {
    let fields = info(client, "everything");
    fields.get(field).and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{field} is a number"))
}

/// The values of parameters.
fn parameters(client: &mut Client, names: &str) -> Vec<String> {
    let reply = client.run(&format!("CONFIG GET {names}"));
    reply.elements().iter().map(|text| text.text().to_string()).collect()
}

#[test]
fn more_clients_than_the_system_permits_are_refused_at_run_time_too() {
    let server = TestServer::start();
    let mut client = server.client();
    let Value::Error(error) = client.run("CONFIG SET maxclients 4000000000") else { panic!("it is accepted") };
    assert!(error.starts_with("ERR CONFIG SET failed (possibly related to argument 'maxclients') - "), "{error}");
    assert_eq!(client.run("CONFIG GET maxclients"), Value::bulks(&["maxclients", "10000"]));
    assert_eq!(client.run("CONFIG SET maxclients 100"), Value::ok());
    assert_eq!(client.run("CONFIG SET maxclients 200"), Value::ok());
    assert_eq!(client.run("CONFIG GET maxclients"), Value::bulks(&["maxclients", "200"]));
}

#[test]
fn replies_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    let (mut ours, mut theirs) = (server.client(), redis.client());
    let lines = [
        "SET a b",
        "INFO nothing",
        "CONFIG",
        "CONFIG NOTHING",
        "CONFIG GET",
        "CONFIG GET nothing",
        "CONFIG GET maxmemory",
        "CONFIG SET",
        "CONFIG SET hz",
        "CONFIG SET hz 20 timeout",
        "CONFIG SET nothing 1",
        "CONFIG SET hz x",
        "CONFIG SET maxmemory 10mb hz 20",
        "CONFIG SET maxmemory 20mb maxmemory 30mb",
        "CONFIG SET maxmemory 20mb maxmemory-clients 200%",
        "CONFIG GET maxmemory",
        "CONFIG SET maxmemory 0",
        "CONFIG SET daemonize yes",
        "CONFIG REWRITE",
        "CONFIG REWRITE x",
        "CONFIG HELP x",
        "CONFIG RESETSTAT",
        "COMMAND INFO nothing config|nothing config|get|x",
        "COMMAND DOCS nothing",
        "COMMAND COUNT x",
        "COMMAND LIST x",
        "COMMAND LIST FILTERBY x y",
        "COMMAND LIST FILTERBY ACLCAT nothing",
        "COMMAND LIST FILTERBY MODULE nothing",
        "COMMAND LIST FILTERBY PATTERN GETR*",
        "COMMAND GETKEYS get",
        "COMMAND GETKEYS get a",
        "COMMAND GETKEYS get a b",
        "COMMAND GETKEYS nothing a",
        "COMMAND GETKEYS ping a",
        "COMMAND GETKEYS mset a b c d",
        "COMMAND GETKEYS mset a b c",
        "COMMAND GETKEYS memory usage a",
        "COMMAND GETKEYS memory nothing a",
        "COMMAND GETKEYS blpop a b 0",
        "COMMAND GETKEYS zunionstore a 2 b c",
        "COMMAND GETKEYS zunionstore a 2 b",
        "COMMAND GETKEYS zunionstore a 0 b",
        "COMMAND GETKEYS zunionstore a -1 b",
        "COMMAND GETKEYS zunionstore a 9223372036854775807 b",
        "COMMAND GETKEYS zunionstore a x b",
        "COMMAND GETKEYSANDFLAGS set a b",
        "COMMAND GETKEYSANDFLAGS set a b get",
        "COMMAND GETKEYSANDFLAGS copy a b",
        "COMMAND GETKEYSANDFLAGS zunionstore a 2 b c",
        "COMMAND GETKEYSANDFLAGS sinterstore a b c",
        "COMMAND GETKEYSANDFLAGS lmpop 2 a b LEFT",
        "SLOWLOG LEN",
        "SLOWLOG GET",
        "SLOWLOG GET -2",
        "SLOWLOG GET x",
        "SLOWLOG GET 1 2",
        "SLOWLOG RESET",
        "SLOWLOG NOTHING",
        "LATENCY LATEST",
        "LATENCY HISTORY nothing",
        "LATENCY GRAPH nothing",
        "LATENCY RESET",
        "LATENCY RESET nothing",
        "LATENCY HISTOGRAM nothing",
        "LATENCY NOTHING",
        "MEMORY USAGE nothing",
        "MEMORY USAGE a SAMPLES",
        "MEMORY USAGE a SAMPLES -1",
        "MEMORY USAGE a SAMPLES x",
        "MEMORY USAGE a EXAMPLES 1",
        "MEMORY PURGE",
        "MEMORY",
        "MEMORY STATS x",
        "TIME x",
        "ROLE",
        "ROLE x",
        "WAIT 0 0",
        "WAIT -1 10",
        "WAIT 1 10",
        "WAIT 1 -1",
        "WAIT 1 x",
        "WAIT x 1",
        "WAIT 1",
        "SHUTDOWN ABORT",
        "SHUTDOWN NOTHING",
        "SHUTDOWN SAVE NOSAVE",
        "SHUTDOWN ABORT NOW",
        "MULTI",
        "WAIT 5 0",
        "EXEC",
    ];
    same_replies(&mut ours, &mut theirs, &lines);
    for client in [&mut ours, &mut theirs] {
        client.run("HELLO 3");
    }
    same_replies(&mut ours, &mut theirs, &lines[1..]);
}

#[test]
fn the_entries_of_commands_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    let (mut ours, mut theirs) = (server.client(), redis.client());
    for client in [&mut ours, &mut theirs] {
        client.run("HELLO 3");
    }
    let names = ours.run("COMMAND LIST");
    for name in names.elements().iter().map(Value::text).filter(|name| !name.contains('|')) {
        let entry = |client: &mut Client| comparable(client.run(&format!("COMMAND INFO {name}")));
        let expected = entry(&mut theirs);
        // It may hold its client up, and so say later versions of Redis.
        if name != "wait" {
            assert_eq!(entry(&mut ours), expected, "{name} (on the right in Redis)");
        }
    }
}

/// An entry of `COMMAND INFO` without what ours do not have: tips, notes on keys, and some of the subcommands.
fn comparable(reply: Value) -> Value {
    let [Value::Array(fields)] = reply.elements() else { panic!("{reply:?} is no entry") };
    let without_notes = |specification: &Value| match specification {
        Value::Map(pairs) => {
            Value::Map(pairs.iter().filter(|(name, _)| name.text() != "notes").map(sorted_flags).collect())
        }
        other => other.clone(),
    };
    let mut fields = fields.clone();
    for set in [2, 6] {
        fields[set] = fields[set].clone().sorted();
    }
    fields[8] = Value::Set(fields[8].elements().iter().map(without_notes).collect());
    fields.remove(9);
    fields.remove(7);
    Value::Array(fields)
}

fn sorted_flags((name, value): &(Value, Value)) -> (Value, Value) {
    (name.clone(), value.clone().sorted())
}

#[test]
fn parameters_change_for_all_workers() {
    everywhere(|server| {
        let mut clients: Vec<Client> = (0..4).map(|_| server.client()).collect();
        let value = "x".repeat(100);
        clients[0].call(&["HSET", "before", "f", &value]);
        clients[1].run("CONFIG SET hash-max-listpack-value 10");
        for client in &mut clients {
            assert_eq!(parameters(client, "hash-max-listpack-value"), ["hash-max-listpack-value", "10"]);
        }
        clients[2].run("HSET after f 12345678901");
        assert_eq!(clients[3].run("OBJECT ENCODING after"), "hashtable".into());
        // The commands of a transaction see what one before them has set.
        for line in ["MULTI", "CONFIG SET hz 33", "CONFIG GET hz", "EXEC"] {
            clients[0].run(line);
        }
        assert_eq!(parameters(&mut clients[3], "hz"), ["hz", "33"]);
    });
}

#[test]
fn a_failed_change_changes_nothing() {
    let server = TestServer::start();
    let mut client = server.client();
    client.run("CONFIG SET hz 50 timeout 60");
    for line in ["CONFIG SET hz 20 timeout x", "CONFIG SET hz 20 nothing 1", "CONFIG SET hz 20 timeout"] {
        assert!(client.run(line).is_error(), "{line}");
    }
    assert_eq!(parameters(&mut client, "hz timeout").len(), 4);
    assert_eq!(parameters(&mut client, "hz"), ["hz", "50"]);
}

#[test]
fn the_file_is_rewritten() {
    let directory = std::env::temp_dir().join(format!("nr-server-file-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("nr.conf");
    let own = path.clone();
    let server = TestServer::configured(|config| config.config_file = Some(own));
    let mut client = server.client();
    std::fs::write(&path, "# Mine\nhz 10\n\nmaxmemory 1gb\n").unwrap();
    client.run("CONFIG SET hz 100 maxmemory 1073741824 slowlog-max-len 7");
    assert_eq!(client.run("CONFIG REWRITE"), Value::ok());
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# Mine\nhz 100\n\nmaxmemory 1gb\n"), "{text}");
    assert!(text.contains("\nslowlog-max-len 7\n"), "{text}");
    drop(server);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn what_happens_is_counted() {
    everywhere(|server| {
        let (mut client, mut other) = (server.client(), server.client());
        client.run("CONFIG RESETSTAT");
        assert_eq!(number(&mut client, "total_error_replies"), 0);
        client.run("SET a 1");
        other.run("SET b 2 PX 1");
        other.run("GET a");
        other.run("GET nothing");
        other.run("LPUSH a x");
        client.run("GET");
        client.run("NOTHING");
        eventually("the key expired", || number(&mut client, "expired_keys") == 1);
        let fields = info(&mut client, "ALL");
        assert!(fields["cmdstat_set"].starts_with("calls=2,"), "{fields:?}");
        assert!(fields["cmdstat_get"].ends_with(",rejected_calls=1,failed_calls=0"), "{fields:?}");
        assert!(fields["cmdstat_lpush"].ends_with(",rejected_calls=0,failed_calls=1"), "{fields:?}");
        assert!(fields["latency_percentiles_usec_set"].starts_with("p50="), "{fields:?}");
        assert_eq!(fields["errorstat_ERR"], "count=2");
        assert_eq!(fields["errorstat_WRONGTYPE"], "count=1");
        assert_eq!(fields["total_error_replies"], "3");
        assert_eq!((&*fields["keyspace_hits"], &*fields["keyspace_misses"]), ("1", "1"));
        assert_eq!(fields["db0"], "keys=1,expires=0,avg_ttl=0");
        assert_eq!(fields["connected_clients"], "2");
        client.run("CONFIG RESETSTAT");
        assert!(!info(&mut client, "everything").contains_key("cmdstat_set"));
        assert_eq!(number(&mut client, "expired_keys"), 0);
    });
}

#[test]
fn sections_are_chosen() {
    let server = TestServer::start();
    let mut client = server.client();
    let has = |client: &mut Client, sections: &str| {
        let text = client.run(&format!("INFO {sections}"));
        ["# CPU", "# Memory", "# Commandstats", "# NR"].map(|title| text.text().contains(title))
    };
    assert_eq!(has(&mut client, ""), [true, true, false, true]);
    assert_eq!(has(&mut client, "default"), [true, true, false, true]);
    assert_eq!(has(&mut client, "Everything"), [true; 4]);
    assert_eq!(has(&mut client, "cpu COMMANDSTATS"), [true, false, true, false]);
    assert_eq!(has(&mut client, "cpu cpu default").len(), 4);
    assert_eq!(client.run("INFO nothing"), "".into());
}

#[test]
fn replicas_are_described() {
    let server = TestServer::with_layout(4, 2);
    let mut client = server.client();
    client.run("SET a 1");
    let fields = info(&mut client, "nr");
    assert_eq!((&*fields["nr_replicas"], &*fields["nr_workers"]), ("2", "4"));
    assert!(fields["nr_replica0"].contains(",handles=2,"), "{fields:?}");
    assert!(fields["nr_replica1"].contains("lag="), "{fields:?}");
    assert!(fields.contains_key("nr_log") && fields.contains_key("nr_mean_batch"), "{fields:?}");
}

#[test]
fn slow_commands_are_logged() {
    let server = TestServer::start();
    let mut client = server.client();
    client.run("CLIENT SETNAME me");
    client.run("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 3");
    client.run("SLOWLOG RESET");
    for line in ["SET a 1", "GET a", "CONFIG SET requirepass \"\"", "AUTH secret"] {
        client.run(line);
    }
    let log = client.run("SLOWLOG GET -1");
    let [auth, config, get] = log.elements() else { panic!("{log:?}") };
    let arguments = |entry: &Value| entry.elements()[3].clone();
    assert_eq!(arguments(auth), Value::bulks(&["AUTH", "(redacted)"]));
    assert_eq!(arguments(config), Value::bulks(&["CONFIG", "SET", "requirepass", "(redacted)"]));
    assert_eq!(arguments(get), Value::bulks(&["GET", "a"]));
    assert_eq!((get.elements()[4].text(), get.elements()[5].text()), (&*client.name(), "me"));
    assert_eq!(client.run("SLOWLOG GET 1").elements().len(), 1);
    client.run("CONFIG SET slowlog-log-slower-than -1");
    client.run("SLOWLOG RESET");
    client.run("GET a");
    assert_eq!(client.run("SLOWLOG LEN"), 0.into());
}

#[test]
fn a_transaction_is_logged_by_its_commands() {
    let server = TestServer::start();
    let mut client = server.client();
    client.run("CONFIG SET slowlog-log-slower-than 20000");
    client.run("SLOWLOG RESET");
    for line in ["MULTI", "DEBUG SLEEP 0.03", "EXEC"] {
        client.run(line);
    }
    let log = client.run("SLOWLOG GET");
    let [entry] = log.elements() else { panic!("{log:?}") };
    assert_eq!(entry.elements()[3], Value::bulks(&["DEBUG", "SLEEP", "0.03"]));
}

#[test]
fn spikes_are_remembered() {
    let server = TestServer::start();
    let mut client = server.client();
    client.run("CONFIG SET latency-monitor-threshold 10");
    client.run("DEBUG SLEEP 0.02");
    let latest = client.run("LATENCY LATEST");
    let [event] = latest.elements() else { panic!("{latest:?}") };
    assert_eq!(event.elements()[0], "command".into());
    assert!(event.elements()[3].integer() >= 20, "{event:?}");
    assert_eq!(client.run("LATENCY HISTORY command").elements().len(), 1);
    assert!(client.run("LATENCY GRAPH command").text().starts_with("command - high "));
    assert!(client.run("LATENCY DOCTOR").text().contains("1. command: 1 spikes"));
    assert_eq!(client.run("LATENCY RESET command nothing"), 1.into());
    assert_eq!(client.run("LATENCY LATEST"), Value::Array(vec![]));
}

#[test]
fn latencies_are_a_histogram() {
    let server = TestServer::with_layout(2, 1);
    let (mut client, mut other) = (server.client(), server.client());
    client.run("HELLO 3");
    client.run("CONFIG RESETSTAT");
    client.run("DEBUG SLEEP 0.01");
    other.run("DEBUG SLEEP 0.001");
    let Value::Map(commands) = client.run("LATENCY HISTOGRAM debug nothing") else { panic!("it is a map") };
    let [(name, Value::Map(fields))] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((name.text(), &fields[0].1), ("debug", &2.into()));
    let Value::Map(sums) = &fields[1].1 else { panic!("{fields:?}") };
    assert_eq!(sums.last().map(|(_, count)| count.integer()), Some(2));
    // A container stands for its subcommands.
    let Value::Map(commands) = client.run("LATENCY HISTOGRAM config") else { panic!("it is a map") };
    assert_eq!(commands[0].0, "config|resetstat".into());
    // What is not recorded is not shown.
    client.run("CONFIG SET latency-tracking no");
    client.run("CONFIG RESETSTAT");
    client.run("SET a b");
    assert_eq!(client.run("LATENCY HISTOGRAM"), Value::Map(vec![]));
    assert!(!info(&mut client, "latencystats").contains_key("latency_percentiles_usec_set"));
}

#[test]
fn memory_is_accounted_for() {
    let server = TestServer::start();
    let mut client = server.client();
    client.call(&["SET", "long", &"x".repeat(100_000)]);
    client.run("SET short x");
    let usage = |client: &mut Client, key: &str| client.run(&format!("MEMORY USAGE {key} SAMPLES 0")).integer();
    assert!((100_000..110_000).contains(&usage(&mut client, "long")));
    assert!((16..200).contains(&usage(&mut client, "short")));
    client.run("HELLO 3");
    let Value::Map(facts) = client.run("MEMORY STATS") else { panic!("it is a map") };
    assert!(facts.contains(&("keys.count".into(), 2.into())));
    assert!(matches!(facts.iter().find(|(name, _)| name.text() == "fragmentation"), Some((_, Value::Double(_)))));
    for line in ["MEMORY DOCTOR", "MEMORY MALLOC-STATS", "LOLWUT", "LOLWUT VERSION 5 1"] {
        assert!(!client.run(line).text().is_empty(), "{line}");
    }
}

#[test]
fn help_lists_the_subcommands() {
    let server = TestServer::start();
    let mut client = server.client();
    for container in ["CONFIG", "COMMAND", "SLOWLOG", "LATENCY", "MEMORY", "OBJECT", "CLIENT", "PUBSUB"] {
        let help = client.run(&format!("{container} HELP"));
        let lines: Vec<&str> = help.elements().iter().map(Value::text).collect();
        assert!(lines[0].starts_with(&format!("{container} <subcommand>")), "{lines:?}");
        assert_eq!(lines[lines.len() - 2], "HELP");
    }
}

#[test]
fn a_wait_ends_at_its_timeout() {
    everywhere(|server| {
        let (mut client, mut other) = (server.client(), server.client());
        let start = Instant::now();
        client.run("SET a 1");
        client.request(&["WAIT", "1", "50"]);
        assert_eq!(other.run("GET a"), "1".into());
        assert_eq!(client.read(), 0.into());
        assert!(start.elapsed() >= Duration::from_millis(50));
        let id = client.run("CLIENT ID").integer();
        client.request(&["WAIT", "1", "0"]);
        eventually("it waits", || number(&mut other, "blocked_clients") == 1);
        assert_eq!(other.run(&format!("CLIENT UNBLOCK {id}")), 1.into());
        assert_eq!(client.read(), 0.into());
        client.request(&["WAIT", "1", "0"]);
        eventually("it waits", || number(&mut other, "blocked_clients") == 1);
        other.run(&format!("CLIENT UNBLOCK {id} ERROR"));
        assert_eq!(client.read(), Value::error("UNBLOCKED client unblocked via CLIENT UNBLOCK"));
        assert_eq!(info(&mut other, "errorstats")["errorstat_UNBLOCKED"], "count=1");
        assert!(info(&mut other, "commandstats")["cmdstat_wait"].ends_with("failed_calls=1"));
    });
}

#[test]
fn a_shutdown_ends_all_connections() {
    for (workers, replicas) in common::LAYOUTS {
        let server = TestServer::with_layout(workers, replicas);
        let (mut client, mut other) = (server.client(), server.client());
        client.send(b"SET a 1\r\nSHUTDOWN NOSAVE\r\nSET a 2\r\n");
        assert_eq!(client.read(), Value::ok());
        client.is_closed();
        other.is_closed();
        drop(server);
    }
}
