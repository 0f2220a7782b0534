//! The table of commands against what Redis says of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::categories;
use crate::commands::table::{Listed, table};

/// Tab-separated: name, group, since, arity, flags, first key, last key, step, categories.
const REDIS: &str = include_str!("../../../../tests/redis-7.0.15-commands.tsv");

/// Where this server says something else, and why.
const DEVIATIONS: &[(&str, &str)] = &[
    // It may hold its client up, and so says later versions of Redis.
    ("wait", "flags"),
    ("wait", "categories"),
];

/// What this server does not have, of these groups; a container stands for its subcommands.
const MISSING: &str = "acl bgrewriteaof bgsave client|caching client|tracking client|trackinginfo dump failover lastsave \
    migrate module monitor psync replconf replicaof restore restore-asking save slaveof sort sort_ro \
    sync";

fn words(text: &str) -> BTreeSet<String> {
    text.split(',').filter(|word| !word.is_empty()).map(str::to_string).collect()
}

/// What Redis says, by the names of commands.
fn redis() -> BTreeMap<&'static str, Vec<&'static str>> {
    let rows = REDIS.lines().filter(|line| !line.starts_with('#')).skip(1);
    rows.map(|row| row.split('\t').collect::<Vec<_>>()).map(|fields| (fields[0], fields)).collect()
}

/// The facts in which a command differs from what Redis says of it.
fn differences(listed: &Listed, redis: &[&str]) -> Vec<(&'static str, String)> {
    let command = listed.command;
    let (first, last, step) = command.keys.legacy_range();
    let flags: BTreeSet<String> = command.flags.names().map(str::to_string).collect();
    let categories: BTreeSet<String> = categories::of(listed).map(str::to_string).collect();
    let facts = [
        ("group", command.group.name() == redis[1], command.group.name().to_string()),
        ("since", command.since == redis[2], command.since.to_string()),
        ("arity", command.arity.to_string() == redis[3], command.arity.to_string()),
        ("flags", flags == words(redis[4]), format!("{flags:?}")),
        ("keys", format!("{first} {last} {step}") == redis[5..8].join(" "), format!("{first} {last} {step}")),
        ("categories", categories == words(redis[8]), format!("{categories:?}")),
    ];
    facts.into_iter().filter(|(_, equal, _)| !equal).map(|(fact, _, ours)| (fact, ours)).collect()
}

#[test]
fn the_table_says_what_redis_says() {
    let redis = redis();
    let mut found = Vec::new();
    let mut deviations = BTreeSet::new();
    for (_, listed) in table().iter() {
        let name = listed.full_name.as_str();
        let Some(fields) = redis.get(name) else {
            found.push(format!("{name} is no command of Redis"));
            continue;
        };
        for (fact, ours) in differences(listed, fields) {
            if DEVIATIONS.contains(&(name, fact)) {
                deviations.insert((name, fact));
            } else {
                found.push(format!("{name} has other {fact}: {ours} instead of {fields:?}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(deviations.len(), DEVIATIONS.len(), "these are still deviations: {deviations:?}");
}

#[test]
fn what_is_missing_is_known() {
    let known: BTreeSet<&str> = MISSING.split(' ').collect();
    let is_missing = |name: &&str| table().find(name.as_bytes()).is_none();
    let missing: BTreeSet<&str> = redis().into_keys().filter(is_missing).collect();
    let is_covered =
        |name: &&str| known.contains(name) || name.split_once('|').is_some_and(|(name, _)| known.contains(name));
    let unknown: Vec<_> = missing.iter().filter(|name| !is_covered(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let found: Vec<_> = known.difference(&missing).collect();
    assert!(found.is_empty(), "these are no longer missing: {found:?}");
}

#[test]
fn everything_is_documented() {
    for (_, listed) in table().iter() {
        let (name, command) = (&listed.full_name, listed.command);
        assert!(command.summary.ends_with('.'), "{name}: {}", command.summary);
        assert!(!command.complexity.is_empty(), "{name}");
    }
}
