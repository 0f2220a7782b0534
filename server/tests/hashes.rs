//! The commands on hashes, over TCP.

mod common;

use std::collections::BTreeMap;

use common::{Client, Draws, RealRedis, TestServer, Value, everywhere, history, random_walk, same_replies};

#[test]
fn replies_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    let (mut ours, mut theirs) = (server.client(), redis.client());
    let lines = [
        "DEL h s x",
        "HSET h a 1 b 2 a 3",
        "HSET h a",
        "HSET h a 1 b",
        "HMSET h c 1",
        "HMSET h c 1 d",
        "HSETNX h c 2",
        "HSETNX h d 2",
        "HSETNX x d 2",
        "HGET h a",
        "HGET h none",
        "HGET none a",
        "HMGET h a none d",
        "HMGET none a b",
        "HEXISTS h a",
        "HEXISTS h none",
        "HSTRLEN h a",
        "HSTRLEN none a",
        "HLEN h",
        "HLEN none",
        "HGETALL h",
        "HGETALL none",
        "HKEYS h",
        "HVALS h",
        "HKEYS none",
        "HINCRBY h a 5",
        "HINCRBY h new 5",
        "HINCRBY h a 9223372036854775807",
        "HINCRBY h a x",
        "HINCRBYFLOAT h a 0.25",
        "HINCRBYFLOAT h a inf",
        "HINCRBYFLOAT h a -inf",
        "HINCRBYFLOAT h a nan",
        "HINCRBYFLOAT h a x",
        "HINCRBY h a 1",
        "HSET h word word large 1e4932",
        "HINCRBY h word 1",
        "HINCRBYFLOAT h word 1",
        "HINCRBYFLOAT h large 1e4932",
        "HRANDFIELD none",
        "HRANDFIELD none 4",
        "HRANDFIELD none -4 WITHVALUES",
        "HRANDFIELD x",
        "HRANDFIELD x 3",
        "HRANDFIELD x 3 WITHVALUES",
        "HRANDFIELD x -3",
        "HRANDFIELD x -3 WITHVALUES",
        "HRANDFIELD x 0",
        "HRANDFIELD x 9223372036854775807",
        "HRANDFIELD x 9223372036854775807 WITHVALUES",
        "HRANDFIELD x -9223372036854775807 WITHVALUES",
        "HRANDFIELD x -9223372036854775808",
        "HRANDFIELD x y",
        "HRANDFIELD x 1 VALUES",
        "HRANDFIELD x 1 WITHVALUES 2",
        "HSCAN h 0",
        "HSCAN h 0 MATCH [a-b] COUNT 1",
        "HSCAN h 0 MATCH * MATCH c",
        "HSCAN h x",
        "HSCAN h 18446744073709551616",
        "HSCAN h 0 COUNT 0",
        "HSCAN h 0 COUNT x",
        "HSCAN h 0 COUNT",
        "HSCAN h 0 TYPE hash",
        "HSCAN h 0 TYPE hash COUNT x",
        "HSCAN h \"\"",
        "HSCAN none 0 NONSENSE",
        "HSCAN none 5",
        "SET s v",
        "HSET s a 1",
        "HGET s a",
        "HGETALL s",
        "HDEL s a",
        "HSCAN s 0",
        "HSCAN s x",
        "HINCRBY s a x",
        "HINCRBY s a 1",
        "HINCRBYFLOAT s a inf",
        "HDEL h a b none a",
        "HDEL x d more",
        "EXISTS x",
        "HDEL none a",
    ];
    for protocol in ["HELLO 2", "HELLO 3"] {
        for client in [&mut ours, &mut theirs] {
            client.run(protocol);
        }
        same_replies(&mut ours, &mut theirs, &lines);
    }
}

#[test]
fn forms_change_where_those_of_redis_do() {
    let Some(redis) = RealRedis::start(&["--hash-max-listpack-entries", "4", "--hash-max-listpack-value", "8"]) else {
        return;
    };
    let server = TestServer::configured(|config| {
        config.encodings.hash_entries = 4;
        config.encodings.hash_value = 8;
    });
    let (mut ours, mut theirs) = (server.client(), redis.client());
    for grow in [
        "HSET h a 1 b 2 c 3 d 4",
        "HSET h a 1 b 2 c 3 d 4 a 5 e 6",
        "HSET h a 12345678",
        "HSET h a 123456789",
        "HSET h abcdefghi 1",
        "HSETNX h a 123456789",
        "HINCRBY h a 123456789",
        "HINCRBYFLOAT h a 1.23456789",
    ] {
        let lines = [
            "DEL h",
            grow,
            "OBJECT ENCODING h",
            "HDEL h a",
            "OBJECT ENCODING h",
            "HSETNX h b 123456789",
            "OBJECT ENCODING h",
        ];
        same_replies(&mut ours, &mut theirs, &lines);
    }
}

#[test]
fn large_hashes_are_whole() {
    everywhere(|server| {
        let mut client = server.client();
        let mut expected = BTreeMap::new();
        for number in 0..1200 {
            let (field, value) = (format!("field{number}"), format!("value{}", number * 7));
            client.call(&["HSET", "h", &field, &value]);
            expected.insert(Value::bulk(field), Value::bulk(value));
        }
        for number in (0..1200).step_by(3) {
            let field = format!("field{number}");
            assert_eq!(client.call(&["HDEL", "h", &field]).integer(), 1);
            expected.remove(&Value::bulk(field));
        }
        for _ in 0..4 {
            let mut reader = server.client();
            let pairs = reader.run("HGETALL h");
            assert_eq!(to_map(pairs.elements()), expected);
            assert_eq!(reader.run("HKEYS h").sorted(), Value::Array(expected.keys().cloned().collect()));
            assert_eq!(scanned(&mut reader, &["COUNT", "100"]), expected);
            let some = expected.iter().filter(|(field, _)| field.text().ends_with('7'));
            let some = some.map(|(field, value)| (field.clone(), value.clone())).collect();
            assert_eq!(scanned(&mut reader, &["MATCH", "*7"]), some);
            for count in [1, 10, 500, 799] {
                let drawn = reader.call(&["HRANDFIELD", "h", &count.to_string(), "WITHVALUES"]);
                let drawn = to_map(drawn.elements());
                assert_eq!(drawn.len(), count);
                assert!(drawn.iter().all(|(field, value)| expected.get(field) == Some(value)));
            }
            assert_eq!(reader.run("HRANDFIELD h -2000").elements().len(), 2000);
        }
    });
}

/// What all steps of a scan find.
fn scanned(client: &mut Client, options: &[&str]) -> BTreeMap<Value, Value> {
    let mut found = BTreeMap::new();
    let mut cursor = "0".to_string();
    loop {
        let step = client.call(&[["HSCAN", "h", &cursor].as_slice(), options].concat());
        found.extend(to_map(step.elements()[1].elements()));
        cursor = step.elements()[0].text().to_string();
        if cursor == "0" {
            return found;
        }
    }
}

fn to_map(flat: &[Value]) -> BTreeMap<Value, Value> {
    flat.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

/// What a random walk calls, with the letters of its arguments: `k` a key, `f` a field, `v` a value.
const WALK: [(&str, &str); 16] = [
    ("HSET", "kfv"),
    ("HSET", "kfvfvfv"),
    ("HMSET", "kfvfv"),
    ("HSETNX", "kfv"),
    ("HGET", "kf"),
    ("HMGET", "kff"),
    ("HDEL", "kfff"),
    ("HEXISTS", "kf"),
    ("HSTRLEN", "kf"),
    ("HLEN", "k"),
    ("HINCRBY", "kfv"),
    ("HINCRBYFLOAT", "kfv"),
    ("OBJECT ENCODING", "k"),
    ("HGETALL", "k"),
    ("SETRANGE", "kvv"),
    ("DEL", "k"),
];
const VALUES: [&str; 12] = [
    "",
    "0",
    "-1",
    "17",
    "9223372036854775807",
    "word",
    "1.25",
    "1e3",
    "-9223372036854775808",
    "0x1p-2",
    "12345678",
    "123456789",
];

#[test]
fn a_random_walk_goes_where_redis_goes() {
    let limits = ["--hash-max-listpack-entries", "4", "--hash-max-listpack-value", "8", "--proto-max-bulk-len", "1mb"];
    let Some(redis) = RealRedis::start(&limits) else { return };
    let server = TestServer::configured(|config| {
        config.encodings.hash_entries = 4;
        config.encodings.hash_value = 8;
        config.proto_max_bulk_len = 1 << 20;
    });
    let (mut ours, mut theirs) = (server.client(), redis.client());
    let argument = |letter, draws: &mut Draws| match letter {
        'k' => format!("key{}", draws.below(4)),
        'f' => format!("f{}", draws.below(7)),
        _ => draws.of(&VALUES).into(),
    };
    random_walk((&mut ours, &mut theirs), 20_000, &WALK, argument, |command, found, expected| {
        if command == "HGETALL" && !expected.is_error() {
            // A hash table has an order of its own.
            to_map(found.elements()) == to_map(expected.elements())
        } else {
            found == expected
        }
    });
}

#[test]
fn events_and_changes_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&["--notify-keyspace-events", "KEAn"]) else { return };
    let server = TestServer::start();
    assert_eq!(server.client().run("CONFIG SET notify-keyspace-events KEAn"), Value::ok());
    let lines = [
        "HSET h a 1 b 2",
        "HMSET h a 1 c 2",
        "HSETNX h a 1",
        "HSETNX h d 1",
        "HSETNX other d 1",
        "HINCRBY h a 1",
        "HINCRBY h a x",
        "HINCRBY third a 1",
        "HINCRBYFLOAT h a 1.5",
        "HDEL h none",
        "HDEL h a b",
        "HDEL h c d e",
        "HDEL h c",
    ];
    assert_eq!(history(server.client(), server.client(), &lines), history(redis.client(), redis.client(), &lines));
}
