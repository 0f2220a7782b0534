//! The commands on sets, over TCP.

mod common;

use std::collections::BTreeSet;

use common::{Client, RealRedis, TestServer, Value, everywhere, same_replies};

#[test]
fn replies_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    // Where members have no order there is at most one of them.
    let lines = [
        "SADD integers 3 1 2 3",
        "SMEMBERS integers",
        "OBJECT ENCODING integers",
        "SADD words a",
        "SADD words a",
        "OBJECT ENCODING words",
        "SMEMBERS words",
        "SMEMBERS none",
        "SCARD integers",
        "SCARD none",
        "SISMEMBER integers 2",
        "SISMEMBER integers 02",
        "SISMEMBER none a",
        "SMISMEMBER integers 1 a 3",
        "SMISMEMBER none 1 a",
        "SREM integers 1 9 1",
        "SREM none 1",
        "SMOVE integers words 9",
        "SMOVE integers integers 2",
        "SMOVE integers words 2",
        "SMOVE none words 2",
        "SCARD words",
        "SINTER words integers",
        "SINTER words words none",
        "SINTERSTORE result words words",
        "SINTERSTORE result words none",
        "EXISTS result",
        "SINTERCARD 1 words",
        "SINTERCARD 2 words words LIMIT 1",
        "SINTERCARD 2 words words LIMIT 0",
        "SINTERCARD 2 words words LIMIT -1",
        "SINTERCARD 2 words words LIMIT",
        "SINTERCARD 2 words words LIMIT x",
        "SINTERCARD 2 words words LIMIT 2 LIMIT 1",
        "SINTERCARD 0 words",
        "SINTERCARD x words",
        "SINTERCARD 2 words",
        "SINTERCARD 9223372036854775807 words",
        "SUNION integers none integers",
        "SUNIONSTORE result words integers none",
        "SCARD result",
        "SUNIONSTORE result none",
        "EXISTS result",
        "SDIFF words words",
        "SDIFF none words",
        "SDIFF integers words none",
        "SDIFFSTORE result result",
        "SDIFFSTORE result integers words",
        "SMEMBERS result",
        "OBJECT ENCODING result",
        "SPOP integers 0",
        "SPOP integers -1",
        "SPOP integers x",
        "SPOP integers 1 2",
        "SPOP none",
        "SPOP none 2",
        "SPOP integers 9223372036854775807",
        "EXISTS integers",
        "SADD integers 7",
        "SRANDMEMBER integers",
        "SRANDMEMBER integers 5",
        "SRANDMEMBER integers -3",
        "SRANDMEMBER integers 0",
        "SRANDMEMBER integers x",
        "SRANDMEMBER integers -9223372036854775808",
        "SRANDMEMBER integers 1 2",
        "SRANDMEMBER none",
        "SRANDMEMBER none 2",
        "SPOP integers",
        "SADD integers 1 2 30",
        "SSCAN integers 0",
        "SSCAN integers 0 MATCH 3* COUNT 1",
        "SSCAN integers 0 MATCH 3* COUNT 0",
        "SSCAN integers 0 COUNT x",
        "SSCAN integers 0 TYPE set",
        "SSCAN integers x",
        "SSCAN none 5",
        "SSCAN none x",
        "SET string x",
        "SADD string a",
        "SREM string a",
        "SMEMBERS string",
        "SINTER none string",
        "SUNION none string",
        "SDIFF none string",
        "SUNIONSTORE string integers",
        "SMEMBERS string",
        "SET string x",
        "SMOVE integers string 1",
        "SMOVE string integers 1",
        "SMOVE none string 1",
        "SPOP string",
        "SRANDMEMBER string",
        "SSCAN string 0",
        "SMEMBERS integers",
    ];
    let (mut ours, mut theirs) = (server.client(), redis.client());
    same_replies(&mut ours, &mut theirs, &lines);
    for client in [&mut ours, &mut theirs] {
        client.run("HELLO 3");
        client.run("DEL integers words result string");
    }
    same_replies(&mut ours, &mut theirs, &lines);
}

/// Adds the numbers from 0 on with the prefix to the set.
fn fill(client: &mut Client, key: &str, prefix: &str, count: usize) -> BTreeSet<String> {
    let members: BTreeSet<String> = (0..count).map(|number| format!("{prefix}{number}")).collect();
    let mut arguments = vec!["SADD".to_string(), key.to_string()];
    arguments.extend(members.iter().cloned());
    assert_eq!(client.call(&arguments).integer(), count as i64);
    members
}

fn texts(value: &Value) -> BTreeSet<String> {
    value.elements().iter().map(|member| member.text().to_string()).collect()
}

#[test]
fn members_are_taken_at_random_until_none_is_left() {
    everywhere(|server| {
        let mut client = server.client();
        for (prefix, size) in [("", 400), ("member ", 400), ("", 5_000)] {
            let mut members = fill(&mut client, "set", prefix, size);
            for count in [1, size / 10, size / 4, size / 2, size] {
                let sample = client.call(&["SRANDMEMBER", "set", &count.to_string()]);
                assert_eq!(sample.elements().len(), count.min(members.len()));
                assert_eq!(texts(&sample).len(), sample.elements().len());
                assert!(texts(&sample).is_subset(&members));
                let taken = texts(&client.call(&["SPOP", "set", &count.to_string()]));
                assert_eq!(taken.len(), count.min(members.len()));
                assert!(taken.is_subset(&members));
                members.retain(|member| !taken.contains(member));
                assert_eq!(texts(&client.run("SMEMBERS set")), members);
            }
            assert_eq!(client.run("EXISTS set").integer(), 0);
        }
        fill(&mut client, "set", "", 10);
        assert_eq!(client.run("SRANDMEMBER set -1000").elements().len(), 1_000);
    });
}

#[test]
fn large_sets_are_combined() {
    let server = TestServer::start();
    let mut client = server.client();
    let one = fill(&mut client, "one", "", 3_000);
    let other: BTreeSet<String> = (1_000..1_600).map(|number| number.to_string()).collect();
    let mut arguments = vec!["SADD".to_string(), "other".to_string(), "x".to_string()];
    arguments.extend(other.iter().cloned());
    client.call(&arguments);
    fill(&mut client, "few", "", 5);
    let check = |client: &mut Client, command: &str, expected: &BTreeSet<String>| {
        assert_eq!(texts(&client.run(command)), *expected, "{command}");
        let (name, keys) = command.split_once(' ').unwrap();
        assert_eq!(client.run(&format!("{name}STORE result {keys}")).integer(), expected.len() as i64);
        assert_eq!(texts(&client.run("SMEMBERS result")), *expected, "{command}, stored");
    };
    check(&mut client, "SINTER one other", &other);
    check(&mut client, "SINTER other one", &other);
    check(&mut client, "SDIFF one other", &one.difference(&other).cloned().collect());
    check(&mut client, "SDIFF other one", &BTreeSet::from(["x".to_string()]));
    check(
        &mut client,
        "SDIFF one few none few few other",
        &(&one - &other).into_iter().filter(|text| text.len() > 1 || text.as_str() > "4").collect(),
    );
    check(&mut client, "SUNION few other one", &one.iter().cloned().chain(["x".to_string()]).collect());
    check(&mut client, "SUNION few none", &(0..5).map(|number| number.to_string()).collect());
    assert_eq!(client.run("OBJECT ENCODING result"), Value::bulk("intset"));
}

#[test]
fn a_scan_gives_every_member() {
    everywhere(|server| {
        let mut client = server.client();
        let members = fill(&mut client, "set", "member:", 2_000);
        let (mut cursor, mut seen) = ("0".to_string(), BTreeSet::new());
        loop {
            let step = client.call(&["SSCAN", "set", &cursor, "COUNT", "50"]);
            assert!(step.elements()[1].elements().len() < 200);
            seen.extend(texts(&step.elements()[1]));
            cursor = step.elements()[0].text().to_string();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(seen, members);
    });
}
