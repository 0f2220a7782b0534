//! The commands on strings, over TCP.

mod common;

use std::time::{SystemTime, UNIX_EPOCH};

use common::{Draws, RealRedis, TestServer, Value, everywhere, history, random_walk, same_replies};

#[test]
fn replies_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    let (mut ours, mut theirs) = (server.client(), redis.client());
    same_replies(
        &mut ours,
        &mut theirs,
        &[
            "SET k v",
            "SET k v NX",
            "SET k w XX GET",
            "SET none v XX",
            "SET none v XX GET",
            "SET k x NX GET",
            "SET k x NX XX",
            "SET k x EX 0",
            "SET k x EX -1",
            "SET k x EX y",
            "SET k x EX 9223372036854775807",
            "SET k x PX 9223372036854775807",
            "SET k x PXAT 9223372036854775807",
            "SET k x EX",
            "SET k x EX 10 PX 10",
            "SET k x EX 10 EX 20",
            "TTL k",
            "SET k y KEEPTTL",
            "TTL k",
            "SET k y KEEPTTL EX 10",
            "SET k y PERSIST",
            "SET k y GET get nx",
            "SET k z",
            "TTL k",
            "SET past v EXAT 1",
            "GET past",
            "SETEX k 0 v",
            "SETEX k x v",
            "PSETEX k -5 v",
            "SETEX k 100 v",
            "TTL k",
            "SETNX k w",
            "SETNX new w",
            "GETEX k",
            "GETEX k PERSIST",
            "TTL k",
            "GETEX k EX 0",
            "GETEX none EX 0",
            "GETEX k KEEPTTL",
            "GETEX k PERSIST EX 10",
            "GETEX k PXAT 1",
            "EXISTS k",
            "GETSET k a",
            "GETSET k b",
            "GETDEL k",
            "GETDEL k",
            "MSET a 1 b 2 a 3",
            "MSET a 1 b",
            "MSETNX c 1 a 2",
            "MSETNX c 1 c 2",
            "MSETNX c",
            "MSETNX c 1 d",
            "RPUSH list x",
            "MGET a b c none list",
            "GET list",
            "SET list v GET",
            "GETDEL list",
            "GETEX list",
            "GETSET list v",
            "INCR list",
            "APPEND list x",
            "SETRANGE list 0 x",
            "SETRANGE list 0 \"\"",
            "GETRANGE list 0 1",
            "STRLEN list",
            "LCS list a",
            "SET list now-a-string",
            "GET list",
        ],
    );
}

#[test]
fn numbers_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    let (mut ours, mut theirs) = (server.client(), redis.client());
    same_replies(
        &mut ours,
        &mut theirs,
        &[
            "INCR n",
            "INCRBY n 41",
            "DECR n",
            "DECRBY n 1000",
            "OBJECT ENCODING n",
            "SET n 9223372036854775807",
            "INCR n",
            "DECRBY n -9223372036854775808",
            "DECRBY n 9223372036854775807",
            "DECRBY n 9223372036854775807",
            "INCRBY n x",
            "SET n \"\"",
            "INCR n",
            "SET n 012",
            "INCR n",
            "APPEND n 3",
            "SET n 12",
            "APPEND n 3",
            "OBJECT ENCODING n",
            "INCR n",
            "OBJECT ENCODING n",
            "INCRBYFLOAT n 0.5",
            "INCRBYFLOAT n 0.5",
            "OBJECT ENCODING n",
            "INCRBYFLOAT n x",
            "INCRBYFLOAT n inf",
            "INCRBYFLOAT n nan",
            "INCRBYFLOAT m 1e400",
            "INCRBYFLOAT m 3.0e-2",
            "INCRBYFLOAT m 1e300",
            "EXPIRE m 1000",
            "INCRBYFLOAT m -1e300",
            "TTL m",
            "SET n word",
            "INCRBYFLOAT n 1",
        ],
    );
}

#[test]
fn parts_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&["--proto-max-bulk-len", "1mb"]) else { return };
    let server = TestServer::configured(|config| config.proto_max_bulk_len = 1 << 20);
    let (mut ours, mut theirs) = (server.client(), redis.client());
    same_replies(
        &mut ours,
        &mut theirs,
        &[
            "SETRANGE s 3 abc",
            "GET s",
            "OBJECT ENCODING s",
            "SETRANGE s 1048573 abc",
            "SETRANGE s 1048574 abc",
            "SETRANGE s 9223372036854775807 abc",
            "SETRANGE s 9223372036854775808 abc",
            "SETRANGE s -1 abc",
            "SETRANGE s 4611686018427387904 \"\"",
            "SETRANGE none 4611686018427387904 \"\"",
            "EXISTS none",
            "STRLEN s",
            "APPEND s x",
            "STRLEN none",
            "SET n -12345",
            "STRLEN n",
            "GETRANGE n 1 -2",
            "SUBSTR n -3 100",
            "GETRANGE n -100 -50",
            "GETRANGE n 3 2",
            "GETRANGE n -9223372036854775808 9223372036854775807",
            "GETRANGE n 9223372036854775807 9223372036854775807",
            "GETRANGE n x 2",
            "GETRANGE none 0 2",
            "SETRANGE n 0 +",
            "GET n",
            "SET long aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "OBJECT ENCODING long",
            "SET long aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "OBJECT ENCODING long",
        ],
    );
}

#[test]
fn common_subsequences_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&["--proto-max-bulk-len", "1mb"]) else { return };
    let server = TestServer::configured(|config| config.proto_max_bulk_len = 1 << 20);
    let (mut ours, mut theirs) = (server.client(), redis.client());
    let lines = [
        "MSET a ohmytext b mynewtext c 0123456789 d 1",
        "LCS a b",
        "LCS a b LEN",
        "LCS a b IDX",
        "LCS b a IDX MINMATCHLEN 4 WITHMATCHLEN",
        "LCS a b IDX MINMATCHLEN -4",
        "LCS a b MINMATCHLEN x",
        "LCS a b MINMATCHLEN",
        "LCS a b LEN IDX",
        "LCS a b ALL",
        "LCS a none",
        "LCS none none IDX",
        "LCS c d IDX",
        "SETRANGE a 600 x",
        "SETRANGE b 600 x",
        "LCS a b LEN",
    ];
    for protocol in ["HELLO 2", "HELLO 3"] {
        for client in [&mut ours, &mut theirs] {
            client.run(protocol);
        }
        same_replies(&mut ours, &mut theirs, &lines);
    }
}

/// What a random walk calls, with the letters of its arguments: `k` a key, `v` a value, `n` a number, `o` options.
const WALK: [(&str, &str); 26] = [
    ("SET", "kv"),
    ("SET", "kvo"),
    ("SET", "kvoo"),
    ("GETEX", "ko"),
    ("GETDEL", "k"),
    ("GETSET", "kv"),
    ("SETNX", "kv"),
    ("MSET", "kvkv"),
    ("MSETNX", "kvkv"),
    ("MGET", "kkk"),
    ("GET", "k"),
    ("INCR", "k"),
    ("DECR", "k"),
    ("INCRBY", "kn"),
    ("DECRBY", "kn"),
    ("INCRBYFLOAT", "kn"),
    ("APPEND", "kv"),
    ("STRLEN", "k"),
    ("GETRANGE", "knn"),
    ("SETRANGE", "knv"),
    ("LCS", "kk"),
    ("LCS", "kko"),
    ("OBJECT ENCODING", "k"),
    ("TTL", "k"),
    ("DEL", "k"),
    ("LPUSH", "kv"),
];
const VALUES: [&str; 12] = [
    "",
    "0",
    "-1",
    "17",
    "9223372036854775807",
    "abc",
    "1.25",
    "aXbX",
    "Xab",
    "01",
    "1e3",
    "a-string-of-26-bytes-or-so",
];
const NUMBERS: [&str; 11] =
    ["0", "1", "-1", "3", "-4", "100", "9223372036854775807", "-9223372036854775808", "0.1", "x", "-2.5e2"];
const OPTIONS: [&str; 12] = [
    "NX",
    "XX",
    "GET",
    "KEEPTTL",
    "PERSIST",
    "EX 1000",
    "PX 1000000",
    "EXAT 4102444800",
    "PXAT 1",
    "LEN",
    "IDX",
    "WITHMATCHLEN",
];

#[test]
fn a_random_walk_goes_where_redis_goes() {
    let Some(redis) = RealRedis::start(&["--proto-max-bulk-len", "1mb"]) else { return };
    let server = TestServer::configured(|config| config.proto_max_bulk_len = 1 << 20);
    let (mut ours, mut theirs) = (server.client(), redis.client());
    let argument = |letter, draws: &mut Draws| match letter {
        'k' => format!("key{}", draws.below(4)),
        'v' => draws.of(&VALUES).into(),
        'n' => draws.of(&NUMBERS).into(),
        _ => draws.of(&OPTIONS).into(),
    };
    random_walk((&mut ours, &mut theirs), 20_000, &WALK, argument, |command, found, expected| {
        match (found, expected) {
            // A second may end between the two.
            (Value::Integer(found), Value::Integer(expected)) if command == "TTL" => found.abs_diff(*expected) <= 1,
            _ => found == expected,
        }
    });
}

#[test]
fn times_are_absolute_in_the_end() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    everywhere(|server| {
        let mut client = server.client();
        let before = now();
        for line in ["SET a v EX 100", "SET b v PX 100000", "SETEX c 100 v", "PSETEX d 100000 v", "SET e v"] {
            assert_eq!(client.run(line), Value::ok());
        }
        client.run("GETEX e EX 100");
        let after = now();
        for key in ["a", "b", "c", "d", "e"] {
            let expiry = client.call(&["PEXPIRETIME", key]).integer();
            assert!((before + 100_000..=after + 100_000).contains(&expiry), "{key}");
        }
    });
}

#[test]
fn increments_of_many_clients_are_all_counted() {
    const EACH: i64 = 500;
    everywhere(|server| {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let mut client = server.client();
                scope.spawn(move || (0..EACH).for_each(|_| _ = client.run("INCR counter")));
            }
        });
        for _ in 0..4 {
            assert_eq!(server.client().run("GET counter"), Value::bulk((4 * EACH).to_string()));
        }
    });
}

#[test]
fn a_string_may_be_long() {
    let server = TestServer::start();
    let mut client = server.client();
    let long = vec![b'x'; 3 << 20];
    assert_eq!(client.call(&[b"SET", b"k".as_slice(), &long]), Value::ok());
    assert_eq!(client.call(&[b"APPEND", b"k".as_slice(), &long]).integer(), 6 << 20);
    assert_eq!(client.run("GETRANGE k 0 -1").text().len(), 6 << 20);
}

#[test]
fn events_and_changes_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&["--notify-keyspace-events", "KEAn"]) else { return };
    let server = TestServer::start();
    assert_eq!(server.client().run("CONFIG SET notify-keyspace-events KEAn"), Value::ok());
    let lines = [
        "SET k v EX 100",
        "SET k v KEEPTTL",
        "GETEX k PERSIST",
        "GETEX k PERSIST",
        "GETEX k EX 100",
        "GETEX k PXAT 1",
        "SETNX k 1",
        "SETNX k 1",
        "INCR k",
        "INCRBYFLOAT k 1.5",
        "INCRBYFLOAT new 1.5",
        "DECRBY n 4",
        "APPEND k x",
        "APPEND a x",
        "SETRANGE k 10 x",
        "SETRANGE r 1 x",
        "SETRANGE r 1 \"\"",
        "GETSET k v",
        "GETDEL k",
        "GETDEL k",
        "MSET a 1 b 2",
        "MSETNX a 1 c 2",
        "MSETNX c 1 d 2",
        "SETEX s 100 v",
        "PSETEX s 100 v",
        "SET s v GET",
    ];
    assert_eq!(history(server.client(), server.client(), &lines), history(redis.client(), redis.client(), &lines));
}
