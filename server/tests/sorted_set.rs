//! The commands on sorted sets, over TCP.

mod common;

use std::collections::BTreeSet;

use common::{Client, Draws, RealRedis, TestServer, Value, eventually, everywhere, history, random_walk, same_replies};
use nr_server::config::EventFlags;

#[test]
fn replies_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    let lines = [
        "ZADD z 1 a 2 b 3 c 4 d 5 e",
        "ZADD z 1 a 2.5 b 6 f",
        "ZADD z CH 1 a 2 b 7 g",
        "ZADD z NX 9 a 8 h",
        "ZADD z XX CH 1.5 a 8 x",
        "ZADD z GT CH 1 a 9 c",
        "ZADD z LT CH 2 a 3 c",
        "ZADD z XX GT INCR 1 a",
        "ZADD z NX INCR 1 a",
        "ZADD z LT INCR 1 a",
        "ZADD z INCR 1 new",
        "ZADD z XX INCR 1 none",
        "ZADD none XX 1 a",
        "ZADD none XX INCR 1 a",
        "EXISTS none",
        "ZADD z NX XX 1 a",
        "ZADD z NX GT 1 a",
        "ZADD z GT LT 1 a",
        "ZADD z INCR 1 a 2 b",
        "ZADD z 1 a 2",
        "ZADD z NX",
        "ZADD z NX 1",
        "ZADD z 1 a x b",
        "ZADD z nan a",
        "ZADD z 1e400 a",
        "ZADD infinite inf a -inf b 0 c",
        "ZINCRBY infinite -inf a",
        "ZADD infinite INCR inf b",
        "ZINCRBY infinite 1e308 c",
        "ZINCRBY z 1.5 a",
        "ZINCRBY other -2 a",
        "ZINCRBY z x a",
        "ZINCRBY z NX a",
        "ZADD forms 3.0 a 0x10 b 1e20 c 0.1 d -0 e 1e-7 f +5 g 123456789012345678 h",
        "ZRANGE forms 0 -1 WITHSCORES",
        "ZSCAN forms 0",
        "ZCARD z",
        "ZCARD none",
        "ZSCORE z a",
        "ZSCORE z none",
        "ZSCORE none a",
        "ZMSCORE z a none c",
        "ZMSCORE none a b",
        "ZRANK z c",
        "ZRANK z none",
        "ZRANK none c",
        "ZREVRANK z c",
        "ZREVRANK none c",
        "ZCOUNT z 2 (5",
        "ZCOUNT z -inf +inf",
        "ZCOUNT z (2 x",
        "ZCOUNT none 1 2",
        "ZRANGE z 0 -1",
        "ZRANGE z 1 2 WITHSCORES",
        "ZRANGE z 1 2 REV WITHSCORES",
        "ZRANGE z -2 100",
        "ZRANGE z 5 1",
        "ZRANGE z 1 x",
        "ZRANGE z 2 5 BYSCORE",
        "ZRANGE z 5 2 BYSCORE REV LIMIT 1 2 WITHSCORES",
        "ZRANGE z (2 +inf BYSCORE LIMIT 1 -1",
        "ZRANGE z 0 -1 LIMIT 1 2",
        "ZRANGE z 0 -1 LIMIT 1",
        "ZRANGE z 0 -1 BYSCORE LIMIT 1 x",
        "ZRANGE z 0 -1 BYLEX",
        "ZRANGE z - + BYLEX WITHSCORES",
        "ZRANGE z 0 -1 UPWARDS",
        "ZRANGE z 0 -1 REV REV",
        "ZRANGE z 0 -1 BYSCORE BYSCORE",
        "ZRANGE z 0 -1 BYSCORE BYLEX",
        "ZRANGE z 0 9 BYSCORE WITHSCORES LIMIT 0 1 WITHSCORES LIMIT 0 2",
        "ZUNION 1 z WITHSCORES AGGREGATE MIN WITHSCORES AGGREGATE MAX",
        "ZADD z NX NX CH CH 1 a",
        "ZRANGE none 0 -1 WITHSCORES",
        "ZREVRANGE z 0 1 WITHSCORES",
        "ZREVRANGE z 0 1 REV",
        "ZRANGEBYSCORE z 1 3 WITHSCORES LIMIT 0 2",
        "ZRANGEBYSCORE z 1 3 LIMIT -1 2",
        "ZRANGEBYSCORE z 1 3 BYLEX",
        "ZREVRANGEBYSCORE z +inf (2 LIMIT 2 9223372036854775807",
        "ZADD lex 0 alpha 0 bar 0 cool 0 down 0 foo",
        "ZRANGEBYLEX lex - [cool",
        "ZRANGEBYLEX lex (bar + LIMIT 1 2",
        "ZREVRANGEBYLEX lex + (bar",
        "ZRANGEBYLEX lex + -",
        "ZRANGEBYLEX lex bar +",
        "ZLEXCOUNT lex [b [d",
        "ZLEXCOUNT lex b [d",
        "ZLEXCOUNT none - +",
        "ZRANGESTORE stored z 1 3",
        "ZRANGESTORE stored z 9 2 BYSCORE REV LIMIT 1 2",
        "ZRANGE stored 0 -1 WITHSCORES",
        "ZRANGESTORE stored stored 0 0",
        "ZRANGESTORE stored z 0 -1 WITHSCORES",
        "ZRANGESTORE stored none 0 -1",
        "EXISTS stored",
        "SADD set a b 7",
        "ZADD y 10 a 20 b 30 y",
        "ZUNION 2 z y",
        "ZUNION 3 z set y WEIGHTS 1 2 0.5 WITHSCORES",
        "ZUNION 2 z y AGGREGATE MAX WITHSCORES",
        "ZUNION 2 infinite infinite WEIGHTS 1 -1 WITHSCORES",
        "ZUNION 1 infinite WEIGHTS 0 WITHSCORES",
        "ZINTER 2 z y WITHSCORES AGGREGATE MIN",
        "ZINTER 3 set y z WITHSCORES",
        "ZINTER 2 infinite infinite WEIGHTS 0 inf WITHSCORES",
        "ZINTER 2 z none",
        "ZDIFF 2 z y",
        "ZDIFF 2 z set WITHSCORES",
        "ZDIFF 1 none",
        "ZDIFF 2 z z",
        "ZINTERCARD 2 z y",
        "ZINTERCARD 2 z y LIMIT 1",
        "ZINTERCARD 2 z y LIMIT -1",
        "ZINTERCARD 2 z y LIMIT",
        "ZINTERCARD 2 z y WEIGHTS 1 2",
        "ZUNIONSTORE stored 2 z y WEIGHTS 2 3",
        "ZRANGE stored 0 -1 WITHSCORES",
        "ZINTERSTORE stored 2 stored z AGGREGATE MIN",
        "ZRANGE stored 0 -1 WITHSCORES",
        "ZDIFFSTORE stored 2 stored y",
        "ZDIFFSTORE stored 1 none",
        "EXISTS stored",
        "ZUNION 0 z",
        "ZINTERSTORE stored 0 z",
        "ZDIFF x z",
        "ZUNION 3 z y",
        "ZUNION 9223372036854775807 z y",
        "ZUNION 2 z y WEIGHTS 1",
        "ZUNION 2 z y WEIGHTS 1 x",
        "ZUNION 2 z y AGGREGATE MEAN",
        "ZDIFF 2 z y WEIGHTS 1 1",
        "ZUNIONSTORE stored 1 z WITHSCORES",
        "ZREM z none",
        "ZREM z a b a none",
        "ZREM none a",
        "ZREMRANGEBYRANK z 0 1",
        "ZREMRANGEBYRANK z 5 1",
        "ZREMRANGEBYSCORE z (5 7",
        "ZREMRANGEBYSCORE z x 7",
        "ZREMRANGEBYLEX lex [b [d",
        "ZREMRANGEBYLEX lex - +",
        "ZREMRANGEBYRANK none 0 1",
        "EXISTS lex",
        "ZADD z 1 a 2 b 3 c 4 d 5 e",
        "ZPOPMIN z",
        "ZPOPMAX z",
        "ZPOPMIN z 2",
        "ZPOPMAX z 0",
        "ZPOPMIN z -1",
        "ZPOPMIN z x",
        "ZPOPMIN z 1 2",
        "ZPOPMIN none",
        "ZPOPMIN none 2",
        "ZMPOP 2 none z MAX",
        "ZMPOP 1 z MIN COUNT 2",
        "ZMPOP 1 none MIN",
        "ZMPOP 0 z MIN",
        "ZMPOP 1 z UP",
        "ZMPOP 2 z MIN",
        "ZMPOP 1 z MIN COUNT 0",
        "ZMPOP 1 z MIN COUNT 0 more",
        "ZMPOP 1 z MIN COUNT",
        "ZMPOP 1 z MIN COUNT 1 COUNT 1",
        "ZMPOP 9223372036854775807 z MIN",
        "BZPOPMIN none y 0",
        "BZPOPMAX y none 0",
        "BZMPOP 0 2 none y MIN COUNT 5",
        "BZPOPMIN z x",
        "BZPOPMIN z -1",
        "BZMPOP x 1 z MIN",
        "BZMPOP 0 1 z UP",
        "ZADD one 1 a",
        "ZRANDMEMBER one",
        "ZRANDMEMBER one 5 WITHSCORES",
        "ZRANDMEMBER one -2 WITHSCORES",
        "ZRANDMEMBER one 0",
        "ZRANDMEMBER one x",
        "ZRANDMEMBER one -9223372036854775808",
        "ZRANDMEMBER one 4611686018427387904 WITHSCORES",
        "ZRANDMEMBER one 1 WITHVALUES",
        "ZRANDMEMBER none",
        "ZRANDMEMBER none 1",
        "ZSCAN one 0 MATCH a*",
        "ZSCAN one 0 MATCH b* COUNT 1",
        "ZSCAN one 0 COUNT 0",
        "ZSCAN one x",
        "ZSCAN none 0",
        "SET string x",
        "ZADD string 1 a",
        "ZINCRBY string 1 a",
        "ZSCORE string a",
        "ZRANGE string 0 -1",
        "ZRANGESTORE stored string 0 -1",
        "ZUNION 2 one string",
        "ZINTERSTORE stored 2 none string",
        "ZINTERCARD 1 string",
        "ZREM string a",
        "ZREMRANGEBYRANK string 0 -1",
        "ZPOPMIN string 0",
        "ZMPOP 2 none string MIN",
        "BZPOPMIN none string one 0",
        "ZRANDMEMBER string",
        "ZSCAN string 0",
        "ZUNIONSTORE string 1 one",
        "ZRANGE string 0 -1",
        "MULTI",
        "BZPOPMIN none 0",
        "BZMPOP 0 1 none MIN",
        "BZPOPMAX one 0",
        "EXEC",
    ];
    let (mut ours, mut theirs) = (server.client(), redis.client());
    same_replies(&mut ours, &mut theirs, &lines);
    for client in [&mut ours, &mut theirs] {
        client.run("HELLO 3");
        client.run("FLUSHALL");
    }
    same_replies(&mut ours, &mut theirs, &lines);
    let timeouts = ["BZPOPMIN none 0.01", "BZPOPMAX none 0.01", "BZMPOP 0.01 1 none MIN"];
    same_replies(&mut ours, &mut theirs, &timeouts);
    same_replies(&mut server.client(), &mut redis.client(), &timeouts);
}

#[test]
fn changes_are_told_and_counted_as_in_redis() {
    let Some(redis) = RealRedis::start(&["--notify-keyspace-events", "KEAn"]) else { return };
    let server = TestServer::configured(|config| {
        config.notify_keyspace_events = EventFlags::parse(b"KEAn").expect("these are letters of events");
    });
    let lines = [
        "ZADD z 1 a 2 b 3 c 4 d",
        "ZADD z 1 a",
        "ZADD z 2 a 5 e",
        "ZADD z INCR 1 a",
        "ZADD z NX INCR 1 a",
        "ZADD z INCR 0 a",
        "ZADD none XX 1 a",
        "ZINCRBY z 1 new",
        "ZRANGESTORE stored z 0 -1",
        "ZRANGESTORE stored none 0 -1",
        "ZRANGESTORE stored none 0 -1",
        "ZUNIONSTORE stored 1 z",
        "ZINTERSTORE stored 2 z z",
        "ZDIFFSTORE stored 1 z",
        "ZDIFFSTORE stored 2 z z",
        "ZDIFFSTORE stored 2 z z",
        "ZREM z none",
        "ZREM z a new",
        "ZPOPMIN z 0",
        "ZPOPMIN z",
        "ZPOPMAX z 2",
        "ZMPOP 2 none z MIN COUNT 10",
        "ZADD z 1 a 2 b 3 c 4 d 5 e 6 f",
        "ZREMRANGEBYRANK z 0 1",
        "ZREMRANGEBYRANK z 5 1",
        "ZREMRANGEBYSCORE z 3 4",
        "ZREM z e f none",
        "ZADD z 0 a 0 b",
        "ZREMRANGEBYLEX z - +",
        "ZADD z 0 a 0 b 0 c",
        "BZPOPMAX none z 0",
        "BZMPOP 0 1 z MIN COUNT 5",
    ];
    assert_eq!(history(server.client(), server.client(), &lines), history(redis.client(), redis.client(), &lines));
}

/// Words for the arguments of a random call: few keys and members, so that calls meet.
fn argument(letter: char, draws: &mut Draws) -> String {
    let member =
        |draws: &mut Draws| draws.of(&["a", "b", "c", "d", "e", "f", "g", "h", "17", "\"\"", "long-long-member"]);
    let score = |draws: &mut Draws| {
        draws.of(&["0", "1", "2", "3", "4", "-1", "-2.5", "0.1", "inf", "-inf", "1e20", "7", "3e-7", "x", "nan"])
    };
    match letter {
        'k' => draws.of(&["z1", "z2", "z3", "z4", "set", "string", "none"]).into(),
        'd' => draws.of(&["z1", "z2", "z3", "z4"]).into(),
        'm' => member(draws).into(),
        's' => score(draws).into(),
        'p' => format!("{} {}", score(draws), member(draws)),
        'o' => draws.of(&["NX", "XX", "GT", "LT", "CH", "INCR", "NX CH", "XX GT", "CH LT"]).into(),
        'b' => format!("{}{}", draws.of(&["", "", "("]), score(draws)),
        'l' => draws.of(&["-", "+", "[a", "(b", "[c", "(d", "[g", "[1", "["]).into(),
        'r' => draws.of(&["0", "1", "2", "4", "-1", "-2", "-5", "9", "x"]).into(),
        'L' => format!("LIMIT {} {}", draws.of(&["0", "1", "2", "9", "-1"]), draws.of(&["0", "1", "3", "-1", "x"])),
        'R' => draws.of(&["WITHSCORES", "REV", "REV WITHSCORES", "withscores", "BYSCORE", "rev"]).into(),
        'c' => draws.of(&["1", "2", "3", "0", "100", "-1"]).into(),
        'e' => draws.of(&["MIN", "MAX", "min", "x"]).into(),
        'n' => "2".into(),
        't' => "0.001".into(),
        'w' => format!("WEIGHTS {} {}", draws.of(&["1", "2", "0", "inf", "x"]), draws.of(&["1", "-1", "0.5"])),
        'a' => format!("AGGREGATE {}", draws.of(&["SUM", "MIN", "MAX"])),
        'S' => "WITHSCORES".into(),
        other => unreachable!("{other} is no argument"),
    }
}

#[test]
fn random_calls_do_as_in_redis() {
    let forms = [
        ("ZADD", "dp"),
        ("ZADD", "dpppp"),
        ("ZADD", "dppppppppp"),
        ("ZADD", "kp"),
        ("ZADD", "kop"),
        ("ZADD", "kopp"),
        ("ZINCRBY", "kp"),
        ("ZREM", "kmm"),
        ("ZREMRANGEBYRANK", "krr"),
        ("ZREMRANGEBYSCORE", "kbb"),
        ("ZPOPMIN", "k"),
        ("ZPOPMAX", "kc"),
        ("ZMPOP 2", "kke"),
        ("ZMPOP 1", "ke"),
        ("BZPOPMIN", "kddt"),
        ("BZMPOP", "tndke"),
        ("ZCARD", "k"),
        ("ZSCORE", "km"),
        ("ZMSCORE", "kmmm"),
        ("ZRANK", "km"),
        ("ZREVRANK", "km"),
        ("ZCOUNT", "kbb"),
        ("ZRANGE", "krr"),
        ("ZRANGE", "krrR"),
        ("ZRANGEBYSCORE", "kbb"),
        ("ZRANGEBYSCORE", "kbbLS"),
        ("ZREVRANGEBYSCORE", "kbbL"),
        ("ZRANGESTORE", "dkrr"),
        ("ZRANGESTORE", "dkbbRL"),
        ("ZUNION 2", "kk"),
        ("ZUNION 2", "kkwaS"),
        ("ZINTER 2", "kkaS"),
        ("ZINTER 3", "kkkS"),
        ("ZDIFF 3", "kkkS"),
        ("ZUNIONSTORE", "dnkka"),
        ("ZINTERSTORE", "dnkka"),
        ("ZDIFFSTORE", "dnkk"),
        ("ZINTERCARD 2", "kk"),
        ("SADD set", "mm"),
        ("SREM set", "m"),
        ("SET string", "m"),
        ("OBJECT ENCODING", "d"),
        ("ZRANGEBYLEX lex", "ll"),
        ("ZREVRANGEBYLEX lex", "llL"),
        ("ZLEXCOUNT lex", "ll"),
        ("ZREMRANGEBYLEX lex", "ll"),
        ("ZADD lex 0 a 0 b 0 c 0 d 0 e 0", "m"),
        ("DEBUG DIGEST", ""),
    ];
    let Some(redis) = RealRedis::start(&["--zset-max-listpack-entries", "7"]) else { return };
    everywhere(|server| {
        let (mut ours, mut theirs) = (server.client(), redis.client());
        theirs.run("FLUSHALL");
        ours.run("CONFIG SET zset-max-listpack-entries 7");
        random_walk((&mut ours, &mut theirs), 10_000, &forms, argument, |_, found, expected| found == expected);
        let replicas = ours.run("DEBUG REPLICAS");
        assert_eq!(replicas.elements().last(), Some(&Value::Integer(1)), "{replicas:?}");
    });
}

/// A new client that waits.
fn waiting(server: &TestServer, line: &str) -> Client {
    let waiting = || {
        let mut handle = server.server().keyspace.register_owned().expect("there is room for a handle");
        handle.read(|keyspace| keyspace.blocked.len())
    };
    let before = waiting();
    let mut client = server.client();
    client.request(&common::words(line));
    eventually("the client waits", || waiting() == before + 1);
    client
}

#[test]
fn clients_wait_for_members() {
    everywhere(|server| {
        let mut first = waiting(server, "BZPOPMIN none key 0");
        let mut second = waiting(server, "BZMPOP 0 2 none key MAX COUNT 2");
        let mut third = waiting(server, "BZPOPMAX key 0");
        let mut client = server.client();
        client.run("SET key string");
        client.run("DEL key");
        assert_eq!(client.run("ZADD key 1 a 2 b 3 c 4 d").integer(), 4);
        assert_eq!(first.read(), Value::bulks(&["key", "a", "1"]));
        let members = Value::Array(vec![Value::bulks(&["d", "4"]), Value::bulks(&["c", "3"])]);
        assert_eq!(second.read(), Value::Array(vec![Value::bulk("key"), members]));
        assert_eq!(third.read(), Value::bulks(&["key", "b", "2"]));
        assert_eq!(client.run("EXISTS key").integer(), 0);
    });
}

#[test]
fn results_that_are_stored_serve_those_who_wait() {
    everywhere(|server| {
        let mut client = server.client();
        client.run("ZADD source 1 a 2 b");
        for line in [
            "ZUNIONSTORE key 1 source",
            "ZINTERSTORE key 1 source",
            "ZDIFFSTORE key 1 source",
            "ZRANGESTORE key source 0 -1",
            "ZINCRBY key 1 a",
            "COPY source key",
            "RENAME source key",
        ] {
            let mut waiting = waiting(server, "BZPOPMIN key 0");
            client.run(line);
            assert_eq!(waiting.read(), Value::bulks(&["key", "a", "1"]), "{line}");
            client.run("DEL key");
        }
    });
}

#[test]
fn a_large_set_is_whole() {
    const SIZE: usize = 10_000;
    everywhere(|server| {
        let mut client = server.client();
        let member = |number: usize| format!("member:{number:05}");
        let mut expected = Vec::new();
        for start in (0..SIZE).step_by(1_000) {
            let mut arguments = vec!["ZADD".to_string(), "key".to_string()];
            for number in start..start + 1_000 {
                arguments.extend([number.to_string(), member(number)]);
                expected.extend([member(number), number.to_string()]);
            }
            assert_eq!(client.call(&arguments).integer(), 1_000);
        }
        assert_eq!(client.run("ZRANGEBYSCORE key -inf +inf WITHSCORES"), Value::bulks(&expected));
        assert_eq!(client.run("ZREVRANGE key 5000 5001"), Value::bulks(&[member(4_999), member(4_998)]));
        assert_eq!(client.call(&["ZRANK", "key", &member(7_777)]).integer(), 7_777);
        assert_eq!(client.run("ZCOUNT key (100 9000").integer(), 8_900);

        let (mut cursor, mut seen) = ("0".to_string(), BTreeSet::new());
        loop {
            let step = client.call(&["ZSCAN", "key", &cursor, "COUNT", "50"]);
            let [next, pairs] = step.elements() else { panic!("{step:?} is no step") };
            assert!(pairs.elements().len() < 400);
            seen.extend(pairs.elements().iter().step_by(2).map(|member| member.text().to_string()));
            cursor = next.text().to_string();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(seen.len(), SIZE);

        for count in [10, 5_000, 9_999, 20_000] {
            let sample = client.call(&["ZRANDMEMBER", "key", &count.to_string()]);
            let different: BTreeSet<_> = sample.elements().iter().collect();
            assert_eq!((sample.elements().len(), different.len()), (count.min(SIZE), count.min(SIZE)));
        }
        assert_eq!(client.run("ZRANDMEMBER key -20000").elements().len(), 20_000);

        assert_eq!(client.run("ZUNIONSTORE twice 2 key key").integer(), SIZE as i64);
        assert_eq!(client.run("ZREMRANGEBYSCORE key 10 9989").integer(), 9_980);
        assert_eq!(client.run("ZDIFFSTORE rest 2 twice key").integer(), 9_980);
        assert_eq!(client.run("ZPOPMAX rest"), Value::bulks(&[member(9_989), "19978".to_string()]));
        assert_eq!(client.run("ZINTERCARD 2 twice key").integer(), 20);
        assert_eq!(client.run("ZREMRANGEBYRANK rest 0 -1").integer(), 9_979);
        assert_eq!(client.run("EXISTS rest").integer(), 0);
        let replicas = client.run("DEBUG REPLICAS");
        assert_eq!(replicas.elements().last(), Some(&Value::Integer(1)), "{replicas:?}");
    });
}
