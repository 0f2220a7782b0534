//! The commands on keys of any type and on whole databases, over TCP.

mod common;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Client, Draws, RealRedis, TestServer, Value, eventually, everywhere, history, random_walk, same_replies};
use nr_server::config::{EventFlags, MaxmemoryPolicy};

/// One key of each type.
const ONE_OF_EACH: [&str; 5] = [
    "SET string hello",
    "RPUSH list a b c 1 2",
    "SADD set x y 3",
    "ZADD sorted 1 one 2.5 two -inf none",
    "HSET hash f v g 12",
];

#[test]
fn replies_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    let (mut ours, mut theirs) = (server.client(), redis.client());
    same_replies(&mut ours, &mut theirs, &ONE_OF_EACH);
    let lines = [
        "TYPE string",
        "TYPE list",
        "TYPE set",
        "TYPE sorted",
        "TYPE hash",
        "TYPE none",
        "EXISTS string list none string",
        "TOUCH string list none string",
        "DBSIZE",
        "OBJECT ENCODING string",
        "OBJECT ENCODING none",
        "OBJECT REFCOUNT string",
        "OBJECT IDLETIME string",
        "OBJECT FREQ string",
        "OBJECT FREQ none",
        "OBJECT NOTHING string",
        "OBJECT ENCODING",
        "OBJECT HELP more",
        "COPY string copied",
        "COPY string copied",
        "COPY list copied",
        "COPY list copied REPLACE",
        "TYPE copied",
        "COPY none copied REPLACE",
        "COPY string string",
        "COPY string string DB 0",
        "COPY string string DB 1",
        "COPY string x DB",
        "COPY string x DB y",
        "COPY string x DB 99",
        "COPY string x DB -1",
        "COPY string x NOW",
        "COPY string x DB 3000000000",
        "COPY string x DB 2 REPLACE DB 3",
        "RENAME string renamed",
        "RENAME string renamed",
        "RENAME renamed renamed",
        "RENAMENX renamed list",
        "RENAMENX renamed string",
        "RENAMENX string string",
        "RENAMENX none string",
        "RENAME none none",
        "MOVE string 1",
        "MOVE set 1",
        "MOVE set 1",
        "MOVE none 1",
        "MOVE list 0",
        "MOVE list x",
        "MOVE list 16",
        "MOVE list 99999999999",
        "SWAPDB 0 1",
        "DBSIZE",
        "EXISTS list string",
        "SWAPDB 1 0",
        "SWAPDB x 0",
        "SWAPDB 0 x",
        "SWAPDB 0 16",
        "SWAPDB 0 -1",
        "SWAPDB 0 99999999999",
        "SWAPDB 3 3",
        "DEL none",
        "DEL copied copied none",
        "UNLINK list none",
        "DBSIZE",
        "KEYS none*",
        "KEYS sor[r]ed",
        "KEYS",
        "SCAN x",
        "SCAN 0 COUNT",
        "SCAN 0 COUNT 0",
        "SCAN 0 COUNT -5",
        "SCAN 0 COUNT x",
        "SCAN 0 MATCH",
        "SCAN 0 NOW",
        "SCAN 0 TYPE zset",
        "SCAN 0 TYPE nothing",
        "SCAN 0 COUNT 10000 MATCH sorte?",
        "SCAN 0 COUNT 9223372036854775807 MATCH hash",
        "FLUSHDB NOW",
        "FLUSHDB ASYNC SYNC",
        "FLUSHALL NOW",
        "FLUSHDB async",
        "DBSIZE",
        "RANDOMKEY",
        "FLUSHALL sync",
        "RANDOMKEY more",
        "DBSIZE more",
        "TTL",
        "DEL",
        "SCAN 0",
    ];
    same_replies(&mut ours, &mut theirs, &lines);
}

#[test]
fn expiries_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    let (mut ours, mut theirs) = (server.client(), redis.client());
    let lines = [
        "SET k v",
        "TTL k",
        "PTTL none",
        "EXPIRETIME k",
        "PEXPIRETIME none",
        "PERSIST k",
        "PERSIST none",
        "PEXPIREAT k 33177117420500",
        "EXPIRETIME k",
        "PEXPIRETIME k",
        "PEXPIREAT k 33177117420499",
        "EXPIRETIME k",
        "EXPIREAT k 33177117420 NX",
        "EXPIREAT k 33177117421 XX",
        "EXPIREAT k 33177117420 GT",
        "EXPIREAT k 33177117422 GT",
        "EXPIREAT k 33177117423 LT",
        "EXPIREAT k 33177117400 LT XX",
        "PEXPIRETIME k",
        "PERSIST k",
        "EXPIREAT k 33177117420 XX",
        "EXPIREAT k 33177117420 GT",
        "EXPIREAT k 33177117420 LT",
        "PERSIST k",
        "EXPIREAT k 33177117420 xx lt",
        "EXPIREAT k 33177117420 NX",
        "PEXPIRETIME k",
        "EXPIRE k 10 NX XX",
        "EXPIRE k 10 NX GT",
        "EXPIRE k 10 NX LT",
        "EXPIRE k 10 GT LT",
        "EXPIRE k 10 NOW",
        "EXPIRE k x",
        "EXPIRE k x NOW",
        "EXPIRE k",
        "EXPIRE none 10",
        "EXPIRE k \"\"",
        "EXPIRE k 9223372036854775",
        "EXPIRE k 9223372036854776",
        "EXPIRE k -9223372036854776",
        "PEXPIRE k 9223372036854775807",
        "EXPIREAT k 9223372036854776",
        "PEXPIREAT k 9223372036854775808",
        "PEXPIREAT k 9223372036854775806",
        "PEXPIRETIME k",
        "EXPIRETIME k",
        "COPY k l",
        "PEXPIRETIME l",
        "RENAME l m",
        "PEXPIRETIME m",
        "SET l x",
        "RENAME l m",
        "TTL m",
        "MOVE k 1",
        "SWAPDB 0 1",
        "PEXPIRETIME k",
        "SWAPDB 0 1",
        "TTL k",
        "SWAPDB 0 1",
        "EXPIRE k -1",
        "EXISTS k",
        "SET k v",
        "PEXPIREAT k 1 GT",
        "EXISTS k",
        "PEXPIREAT k 1 LT",
        "EXISTS k",
        "DBSIZE",
        "SET k v",
        "PEXPIREAT k -9223372036854775808",
        "DBSIZE",
        "SET k v",
        "EXPIRE k 0",
        "DBSIZE",
    ];
    same_replies(&mut ours, &mut theirs, &lines);
}

#[test]
fn examples_of_the_protocol_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&["--enable-debug-command", "yes"]) else { return };
    let server = TestServer::start();
    let (mut ours, mut theirs) = (server.client(), redis.client());
    let types = "string integer double bignum null array set map attrib push verbatim true false nothing"
        .split_ascii_whitespace();
    for protocol in [2, 3] {
        let hello = format!("HELLO {protocol}");
        ours.run(&hello);
        theirs.run(&hello);
        // An attribute is no reply by itself: the tests' client does not know it.
        for name in types.clone().filter(|name| protocol == 2 || *name != "attrib") {
            same_replies(&mut ours, &mut theirs, &[&format!("DEBUG PROTOCOL {name}")]);
        }
    }
}

#[test]
fn events_and_counts_of_changes_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&["--notify-keyspace-events", "KEAn"]) else { return };
    let server = TestServer::configured(|config| {
        config.notify_keyspace_events = EventFlags::parse(b"KEAn").expect("these are letters of events");
    });
    let lines = [
        "SET a 1",
        "SET b 2",
        "RENAME a c",
        "RENAME c b",
        "RENAME b b",
        "SET a 1",
        "RENAMENX a b",
        "RENAMENX a c",
        "COPY b a",
        "COPY b a",
        "COPY b a REPLACE",
        "COPY b a DB 2",
        "MOVE a 3",
        "MOVE a 3",
        "EXPIRE b 1000",
        "EXPIRE b 1000 NX",
        "PERSIST b",
        "PERSIST b",
        "PEXPIREAT b 33177117420000",
        "RENAME b d",
        "EXPIRE d -1",
        "EXPIRE d -1",
        "SET a 1",
        "SET b 1",
        "DEL a b c",
        "SET a 1",
        "UNLINK a a",
        "TOUCH a",
        "SWAPDB 0 2",
        "DEL a",
        "SET a 1",
        "SET b 1",
        "FLUSHDB",
        "FLUSHDB",
        "SET a 1",
        "FLUSHALL",
        "FLUSHALL",
    ];
    let ours = history(server.client(), server.client(), &lines);
    assert_eq!(ours, history(redis.client(), redis.client(), &lines));
}

#[test]
fn debug_is_refused_unless_it_is_allowed() {
    let server = TestServer::configured(|config| {
        config.enable_debug_command = nr_server::config::ProtectedAction::No;
    });
    assert!(server.client().run("DEBUG DIGEST").text().starts_with("ERR DEBUG command not allowed."));
}

/// Words for the arguments of a random call: few keys, so that calls meet; times far ahead, or long past.
fn argument(letter: char, draws: &mut Draws) -> String {
    match letter {
        'k' => draws.of(&["k", "l", "s", "z", "h", "a", "b", "c"]).to_string(),
        'd' => draws.below(3).to_string(),
        'n' => draws.below(20).to_string(),
        's' => (33_177_117_420 + draws.below(20)).to_string(),
        'm' => (33_177_117_420_000 + draws.below(20)).to_string(),
        'p' => draws.of(&["?", "[a-h]", "[^a-h]", "*z*", "\\s"]).to_string(),
        'r' => draws.of(&["REPLACE", "DB 0", "DB 1 REPLACE", "DB 2"]).to_string(),
        'o' => draws.of(&["NX", "XX", "GT", "LT", "XX LT", "NX GT"]).to_string(),
        _ => unreachable!("no argument has the letter {letter}"),
    }
}

#[test]
fn random_commands_have_the_effects_that_they_have_in_redis() {
    let forms = [
        ("SET", "kn"),
        ("SET", "kn"),
        ("RPUSH", "kn"),
        ("SADD", "knk"),
        ("ZADD", "knk"),
        ("HSET", "kkn"),
        ("DEL", "kk"),
        ("UNLINK", "k"),
        ("RENAME", "kk"),
        ("RENAMENX", "kk"),
        ("COPY", "kk"),
        ("COPY", "kkr"),
        ("MOVE", "kd"),
        ("SWAPDB", "dd"),
        ("PEXPIREAT", "km"),
        ("PEXPIREAT", "kmo"),
        ("EXPIREAT", "ks"),
        ("EXPIREAT", "kso"),
        ("EXPIREAT", "kno"),
        ("PERSIST", "k"),
        ("PEXPIRETIME", "k"),
        ("EXPIRETIME", "k"),
        ("TYPE", "k"),
        ("EXISTS", "kkk"),
        ("TOUCH", "kkk"),
        ("OBJECT ENCODING", "k"),
        ("KEYS", "p"),
        ("DBSIZE", ""),
        ("DEBUG DIGEST", ""),
        ("DEBUG DIGEST-VALUE", "kkk"),
    ];
    let Some(redis) = RealRedis::start(&["--enable-debug-command", "yes"]) else { return };
    everywhere(|server| {
        let (mut ours, mut theirs) = (server.client(), redis.client());
        theirs.run("FLUSHALL");
        let same = |_: &str, found: &Value, expected: &Value| found.clone().sorted() == expected.clone().sorted();
        random_walk((&mut ours, &mut theirs), 10_000, &forms, argument, same);
        replicas_are_equal(&mut ours);
    });
}

#[track_caller]
fn replicas_are_equal(client: &mut Client) {
    let reply = client.run("DEBUG REPLICAS");
    assert_eq!(reply.elements().last(), Some(&Value::Integer(1)), "{reply:?}");
}

#[test]
fn a_digest_depends_on_content_and_not_on_its_history() {
    everywhere(|server| {
        let mut client = server.client();
        for line in ONE_OF_EACH {
            client.run(line);
        }
        let before = client.run("DEBUG DIGEST");
        client.run("FLUSHALL");
        for line in ONE_OF_EACH.iter().rev() {
            client.run(line);
        }
        assert_eq!(client.run("DEBUG DIGEST"), before);
        client.run("SADD set another");
        assert_ne!(client.run("DEBUG DIGEST"), before);
        client.run("SREM set another");
        assert_eq!(client.run("DEBUG DIGEST"), before);
        replicas_are_equal(&mut client);
    });
}

/// Goes through all keys with `SCAN` and the options, and calls `between` after each step.
fn scanned(client: &mut Client, options: &str, mut between: impl FnMut(&mut Client)) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut cursor = "0".to_string();
    loop {
        let reply = client.run(&format!("SCAN {cursor} {options}"));
        let [next, found] = reply.elements() else { panic!("{reply:?}") };
        keys.extend(found.elements().iter().map(|key| key.text().to_string()));
        cursor = next.text().to_string();
        if cursor == "0" {
            return keys;
        }
        between(client);
    }
}

#[test]
fn a_scan_finds_what_is_there_all_the_time() {
    everywhere(|server| {
        let mut client = server.client();
        client.run("DEBUG POPULATE 1000 stays");
        client.run("DEBUG POPULATE 1000 goes 5");
        client.run("RPUSH list x");
        for options in ["", "COUNT 1", "COUNT 333", "COUNT 9223372036854775807"] {
            assert_eq!(scanned(&mut client, options, |_| {}).len(), 2001, "{options}");
        }
        assert_eq!(scanned(&mut client, "MATCH stays:1??", |_| {}).len(), 100);
        assert_eq!(scanned(&mut client, "TYPE LIST COUNT 100", |_| {}), BTreeSet::from(["list".to_string()]));
        let mut gone = 0;
        let keys = scanned(&mut client, "COUNT 7 TYPE string", |client| {
            for _ in 0..20 {
                client.run(&format!("DEL goes:{gone}"));
                client.run(&format!("SET new:{gone} x"));
                gone += 1;
            }
        });
        assert_eq!(keys.iter().filter(|key| key.starts_with("stays:")).count(), 1000);
    });
}

fn milliseconds() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis()
}

#[test]
fn expired_keys_are_hidden_and_removed_when_they_are_met() {
    everywhere(|server| {
        let mut client = server.client();
        client.run("DEBUG SET-ACTIVE-EXPIRE 0");
        let soon = milliseconds() + 400;
        client.run("SET lives x");
        for number in 0..20 {
            client.run(&format!("SET k{number} x PXAT {soon}"));
        }
        std::thread::sleep(Duration::from_millis(450));
        assert_eq!(client.run("DBSIZE"), Value::Integer(21));
        for _ in 0..50 {
            assert_eq!(client.run("RANDOMKEY"), Value::bulk("lives"));
        }
        eventually("what was met is removed", || client.run("DBSIZE") == Value::Integer(1));
        assert_eq!(client.run("EXPIRE k1 100"), Value::Integer(0));
        assert_eq!(client.run("DEL k1"), Value::Integer(0));
    });
}

#[test]
fn keys_are_removed_when_they_expire() {
    everywhere(|server| {
        let mut client = server.client();
        for number in 0..200 {
            client.run(&format!("PSETEX k{number} {} x", 20 + number % 50));
        }
        eventually("all keys expire", || client.run("DBSIZE") == Value::Integer(0));
        replicas_are_equal(&mut client);
    });
}

#[test]
fn uses_are_counted_under_an_lfu_policy() {
    let server = TestServer::configured(|config| {
        config.maxmemory_policy = MaxmemoryPolicy::AllkeysLfu;
        // Never, or a count would be one less whenever a minute of the clock ends meanwhile.
        config.lfu_decay_time = 0;
    });
    let mut client = server.client();
    client.run("SET hot x");
    client.run("SET cold x");
    assert_eq!(client.run("OBJECT FREQ cold"), Value::Integer(5));
    for _ in 0..2000 {
        client.run("GET hot");
    }
    assert!(client.run("OBJECT FREQ hot").integer() > 10);
    assert_eq!(client.run("OBJECT FREQ cold"), Value::Integer(5));
    let refused = client.run("OBJECT IDLETIME hot");
    assert!(refused.text().starts_with("ERR An LFU maxmemory policy is selected"), "{refused:?}");
    client.run("RENAME hot warm");
    assert!(client.run("OBJECT FREQ warm").integer() > 10);
}

#[test]
fn idle_time_grows_until_a_key_is_touched() {
    let server = TestServer::start();
    let mut client = server.client();
    client.run("SET k x");
    std::thread::sleep(Duration::from_millis(1100));
    for line in ["TYPE k", "TTL k", "EXISTS k", "OBJECT ENCODING k"] {
        client.run(line);
    }
    assert!(client.run("OBJECT IDLETIME k").integer() >= 1);
    client.run("TOUCH k");
    assert_eq!(client.run("OBJECT IDLETIME k"), Value::Integer(0));
}
