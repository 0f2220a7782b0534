use std::collections::{BTreeSet, HashSet};

use super::redis_defaults::REDIS_DEFAULTS;
use super::*;

#[test]
fn defaults_are_those_of_redis_but_for_debug() {
    let config = Config::default();
    let differing: Vec<_> = REDIS_DEFAULTS.iter().filter(|(name, theirs)| get(&config, name) != *theirs).collect();
    assert_eq!(differing, [&("enable-debug-command", "no")]);
    assert_eq!(get(&config, "enable-debug-command"), "local");
}

#[test]
fn only_known_parameters_differ_from_redis() {
    let redis: BTreeSet<&str> = REDIS_DEFAULTS.iter().map(|(name, _)| *name).collect();
    let own: BTreeSet<&str> = PARAMETERS.iter().flat_map(Parameter::names).collect();
    let only_here: Vec<&str> = own.difference(&redis).copied().collect();
    assert_eq!(only_here, ["bind", "dir", "replicas", "workers"]);
    assert_eq!(get(&Config::default(), "bind"), "127.0.0.1 -::1");
}

#[test]
fn names_are_unique_and_in_lower_case() {
    let mut seen = HashSet::new();
    for name in PARAMETERS.iter().flat_map(Parameter::names) {
        assert!(seen.insert(name), "{name}");
        assert_eq!(name, name.to_ascii_lowercase());
        assert_eq!(parameters::find(name.to_ascii_uppercase().as_bytes()).unwrap().0, name);
    }
}

#[test]
fn every_parameter_takes_its_own_value() {
    let config = Config::default();
    for parameter in PARAMETERS {
        let mut copy = config.clone();
        let value = parameter.get(&config);
        parameter.set_text(&mut copy, &value).unwrap_or_else(|reason| panic!("{}: {reason}", parameter.name));
        assert_eq!(copy, config, "{}", parameter.name);

        // A client may send back all that it was told, except for what it may never set.
        let outcome = config.set_as(&[(parameter.name.as_bytes(), value.as_slice())], true);
        match (parameter.mutability, parameter.protected) {
            (Mutability::Runtime | Mutability::Fixed, false) => assert_eq!(outcome.unwrap(), config),
            _ => assert!(outcome.is_err(), "{}", parameter.name),
        }
    }
}

/// Another value than the default for every parameter that has one.
fn other_value(parameter: &Parameter) -> Option<String> {
    let default = parameter.get(&Config::default());
    let text = match parameter.kind {
        Kind::Boolean => if default == b"yes" { "no" } else { "yes" }.to_owned(),
        Kind::Integer { maximum, .. } => maximum.to_string(),
        Kind::Octal { maximum } => format!("{maximum:o}"),
        Kind::Memory { maximum, .. } => maximum.to_string(),
        Kind::Integers { count, minimum, .. } => vec![minimum.to_string(); count].join(" "),
        Kind::Choice(names) => (*names.iter().find(|name| name.as_bytes() != default)?).to_owned(),
        Kind::Flags { names, .. } => names[1..].iter().rev().take(2).rev().copied().collect::<Vec<_>>().join(" "),
        Kind::Text | Kind::FileName => "some text".to_owned(),
        Kind::Only { .. } => return None,
        Kind::Word { .. } | Kind::Words { .. } => match parameter.name {
            "bind" => "0.0.0.0 -::".to_owned(),
            "client-output-buffer-limit" => "normal 1 2 3 slave 4 5 6 pubsub 7 8 9".to_owned(),
            "dir" => "/".to_owned(),
            "latency-tracking-info-percentiles" => "0 12.5 100".to_owned(),
            "maxmemory-clients" => "5%".to_owned(),
            "notify-keyspace-events" => "g$xKEm".to_owned(),
            "replicaof" => return None,
            "replicas" => "cache".to_owned(),
            "save" => "900 1 60 0".to_owned(),
            other => panic!("no other value for {other}"),
        },
    };
    Some(text)
}

#[test]
fn every_parameter_shows_what_it_was_set_to() {
    for parameter in PARAMETERS {
        let Some(value) = other_value(parameter) else { continue };
        let mut config = Config::default();
        parameter.set_text(&mut config, value.as_bytes()).unwrap();
        for name in parameter.names() {
            assert_eq!(get(&config, name), value, "{name}");
        }
        assert_ne!(config, Config::default(), "{}", parameter.name);
        let mut changed: Vec<&str> = PARAMETERS
            .iter()
            .filter(|other| other.get(&config) != other.get(&Config::default()))
            .map(|other| other.name)
            .collect();
        changed.retain(|name| *name != parameter.name);
        assert!(changed.is_empty(), "{} changed {changed:?} too", parameter.name);
    }
}

#[test]
fn numbers_have_ranges() {
    for parameter in PARAMETERS {
        let (below, above) = match parameter.kind {
            Kind::Integer { minimum, maximum } => (i128::from(minimum) - 1, i128::from(maximum) + 1),
            Kind::Memory { minimum, maximum } => (i128::from(minimum) - 1, i128::from(maximum) + 1),
            _ => continue,
        };
        for number in [below, above] {
            let mut config = Config::default();
            let outcome = parameter.set_text(&mut config, number.to_string().as_bytes());
            assert!(outcome.is_err(), "{} took {number}", parameter.name);
            assert_eq!(config, Config::default());
        }
    }
}

#[test]
fn features_that_are_missing_can_only_be_off() {
    for (name, value) in [
        ("daemonize", "yes"),
        ("appendonly", "yes"),
        ("activedefrag", "yes"),
        ("cluster-enabled", "yes"),
        ("replicaof", "127.0.0.1 6379"),
        ("aclfile", "users.acl"),
        ("unixsocket", "/tmp/socket"),
    ] {
        let (_, parameter) = parameters::find(name.as_bytes()).unwrap();
        let reason = parameter.set_text(&mut Config::default(), value.as_bytes()).unwrap_err();
        assert!(reason.contains("not supported"), "{name}: {reason}");
    }
}

#[test]
fn memory_has_units() {
    for (text, bytes) in [
        ("0", 0),
        ("12", 12),
        ("12b", 12),
        ("1k", 1000),
        ("1kb", 1024),
        ("2M", 2_000_000),
        ("2Mb", 2 << 20),
        ("3g", 3_000_000_000),
        ("3GB", 3 << 30),
        ("18446744073709551615", u64::MAX),
    ] {
        assert_eq!(set("maxmemory", text).unwrap().maxmemory, bytes, "{text}");
    }
    for text in ["", "-1", "1.5gb", " 1", "1 kb", "kb", "1tb", "0x10", "abc"] {
        assert_eq!(refusal("maxmemory", text), "argument must be a memory value", "{text}");
    }
    for text in ["18446744073709551616", "99999999999999999999gb", &"9".repeat(60)] {
        let expected = "argument must be between 0 and 18446744073709551615 inclusive";
        assert_eq!(refusal("maxmemory", text), expected, "{text}");
    }
}

#[test]
fn integers_have_one_form() {
    assert_eq!(set("slowlog-log-slower-than", "-1").unwrap().slowlog_log_slower_than, -1);
    for text in ["", "+5", "05", "-0", " 5", "5 ", "5x", "1.5", "\"5\""] {
        assert_eq!(refusal("timeout", text), "argument couldn't be parsed into an integer", "{text}");
    }
    assert_eq!(refusal("timeout", "-1"), "argument must be between 0 and 2147483647 inclusive");
}

#[test]
fn limits_of_clients_may_be_per_cent() {
    assert_eq!(set("maxmemory-clients", "1mb").unwrap().maxmemory_clients, ClientsLimit::Bytes(1 << 20));
    assert_eq!(set("maxmemory-clients", "10%").unwrap().maxmemory_clients, ClientsLimit::Percent(10));
    assert_eq!(set_and_get("maxmemory-clients", "10%"), "10%");
    assert_eq!(refusal("maxmemory-clients", "200%"), "percentage argument must be less or equal to 100");
    for text in ["-5", "5%x", "%", "-5%", "abc"] {
        assert_eq!(refusal("maxmemory-clients", text), "argument must be a memory or percent value", "{text}");
    }
    assert_eq!(ClientsLimit::Percent(10).bytes(1000), Some(100));
    assert_eq!(ClientsLimit::Percent(100).bytes(u64::MAX), Some(u64::MAX));
    assert_eq!(ClientsLimit::Percent(10).bytes(0), None);
    assert_eq!(ClientsLimit::Bytes(7).bytes(0), Some(7));
    assert_eq!(ClientsLimit::Bytes(0).bytes(1000), None);
}

#[test]
fn event_letters_are_printed_in_one_order() {
    for (letters, printed) in [
        ("", ""),
        ("KEA", "AKE"),
        ("AKEmn", "AKEm"),
        ("tm$EKlxd", "$lxtdKEm"),
        ("lshzx", "lshzx"),
        ("lshzxegt$dK", "AK"),
        ("Kn", "nK"),
    ] {
        assert_eq!(set_and_get("notify-keyspace-events", letters), printed);
    }
    assert_eq!(refusal("notify-keyspace-events", "KEX"), "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    let flags = EventFlags::parse(b"Kl").unwrap();
    assert!(flags.publishes(EventFlags::LIST));
    assert!(!flags.publishes(EventFlags::HASH));
    assert!(!EventFlags::parse(b"l").unwrap().publishes(EventFlags::LIST));
    assert_eq!(EventFlags::from_bits(flags.bits()), flags);
    assert!(!EventFlags::ALL.intersects(EventFlags::KEY_MISS.union(EventFlags::NEW)));
}

#[test]
fn output_limits_change_by_class() {
    let config = set("client-output-buffer-limit", "Normal 1mb 2kb 3 replica 1 2 3").unwrap();
    assert_eq!(config.output_limit(ClientClass::Normal), OutputLimit { hard: 1 << 20, soft: 2048, soft_seconds: 3 });
    assert_eq!(
        get(&config, "client-output-buffer-limit"),
        "normal 1048576 2048 3 slave 1 2 3 pubsub 33554432 8388608 60"
    );
    assert_eq!(set("client-output-buffer-limit", "").unwrap(), Config::default());
    for (text, reason) in [
        ("normal 1", "Wrong number of arguments in buffer limit configuration."),
        ("foo 1 2 3", "Invalid client class specified in buffer limit configuration."),
        ("master 1 2 3", "Invalid client class specified in buffer limit configuration."),
        ("normal 1mb 2 x", "Error in hard, soft or soft_seconds setting in buffer limit configuration."),
        ("normal 1mb 2 -1", "Error in hard, soft or soft_seconds setting in buffer limit configuration."),
    ] {
        assert_eq!(refusal("client-output-buffer-limit", text), reason);
    }
}

#[test]
fn percentiles_are_printed_short() {
    assert_eq!(set_and_get("latency-tracking-info-percentiles", "50.0 99.0 99.9"), "50 99 99.9");
    assert_eq!(set_and_get("latency-tracking-info-percentiles", "10.55555555 0.0 100"), "10.555556 0 100");
    assert_eq!(set_and_get("latency-tracking-info-percentiles", ""), "");
    assert_eq!(
        refusal("latency-tracking-info-percentiles", "50 abc"),
        "Invalid latency-tracking-info-percentiles parameters"
    );
    for text in ["101", "-1", "nan", "inf"] {
        assert_eq!(
            refusal("latency-tracking-info-percentiles", text),
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
        );
    }
}

#[test]
fn save_points_come_in_pairs() {
    assert_eq!(set("save", "60 1").unwrap().save, [SavePoint { seconds: 60, changes: 1 }]);
    assert_eq!(set("save", "").unwrap().save, []);
    for text in ["abc", "60 1 300", "60 -1", "0 1", "  60   1  ", "\"60 1\""] {
        assert_eq!(refusal("save", text), "Invalid save parameters", "{text}");
    }
}

#[test]
fn shutdown_flags_are_printed_in_one_order() {
    assert_eq!(set_and_get("shutdown-on-sigterm", "force now nosave"), "nosave now force");
    assert_eq!(set_and_get("shutdown-on-sigterm", "default"), "default");
    assert_eq!(set_and_get("shutdown-on-sigterm", "default now"), "now");
    let names = "argument(s) must be one of the following: default, save, nosave, now, force";
    assert_eq!(refusal("shutdown-on-sigterm", "now foo"), names);
    assert_eq!(refusal("shutdown-on-sigterm", ""), names);
    assert_eq!(refusal("shutdown-on-sigterm", "save nosave"), "'save' and 'nosave' exclude each other");
}

#[test]
fn layouts_of_replicas() {
    for (text, layout) in
        [("numa", ReplicaLayout::NumaNodes), ("CACHE", ReplicaLayout::CacheDomains), ("4", ReplicaLayout::Count(4))]
    {
        assert_eq!(text.parse(), Ok(layout));
        assert_eq!(layout.to_string(), text.to_ascii_lowercase());
    }
    for text in ["", "0", "257", "-1", "node"] {
        assert!(text.parse::<ReplicaLayout>().is_err(), "{text}");
    }
}
