//! Transactions, over TCP.

mod common;

use std::time::Duration;

use common::{Client, RealRedis, TestServer, Value, encode, everywhere, same_replies, words};
use nr_server::memory::CountingAllocator;

// A limit on memory needs a count of it.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[track_caller]
fn run_all(client: &mut Client, lines: &[&str]) {
    for line in lines {
        let reply = client.run(line);
        assert!(!reply.is_error(), "{line}: {reply:?}");
    }
}

const ABORTED: &str = "EXECABORT Transaction discarded because of previous errors.";

#[test]
fn commands_answer_as_those_of_redis() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    for protocol in ["2", "3"] {
        for script in [
            &["EXEC", "DISCARD", "UNWATCH", "WATCH", "MULTI x", "EXEC x"][..],
            &["MULTI", "MULTI", "SET a 1", "WATCH a", "EXEC", "EXEC"],
            &["MULTI", "EXEC x", "EXEC"],
            &["MULTI", "SET a", "SET a 1", "EXEC", "EXEC"],
            &["MULTI", "NOTHING", "EXEC"],
            &["MULTI", "DISCARD x", "EXEC"],
            &["MULTI", "SET a 1", "DISCARD", "EXEC"],
            &["MULTI", "EXEC", "DISCARD"],
            &["SET a x", "MULTI", "INCR a", "LPUSH a b", "GET a", "EXEC"],
            &["MULTI", "SELECT 3", "SET a 5", "PING", "SELECT 99", "SELECT 0", "DEL a", "GET a", "EXEC", "GET a"],
            &["SELECT 3", "GET a", "FLUSHALL", "SELECT 0"],
            &["MULTI", "SUBSCRIBE c", "UNSUBSCRIBE c", "PUBLISH c x", "PING", "EXEC"],
            &["MULTI", "BLPOP l 0", "BLMOVE l m LEFT LEFT 0", "BZPOPMIN z 0", "EXEC"],
            &["MULTI", "RPUSH l a b", "BLPOP l 0", "EXEC", "DEL l"],
            &["MULTI", "CLIENT GETNAME", "CLIENT SETNAME x", "CLIENT GETNAME", "CLIENT SETNAME \"\"", "EXEC"],
            &["MULTI", "ECHO x", "UNWATCH", "PUBSUB NUMPAT", "CLIENT PAUSE x", "EXEC"],
            &["MULTI", "HGETALL h", "SMEMBERS s", "GET n", "LRANGE l 0 -1", "EXEC"],
            &["WATCH a", "SET a 1", "MULTI", "SET a 2", "EXEC", "GET a"],
            &["WATCH a", "SET a 1", "UNWATCH", "MULTI", "SET a 2", "EXEC", "GET a"],
            &["WATCH a", "SET a 1", "MULTI", "DISCARD", "MULTI", "SET a 3", "EXEC", "GET a"],
            &["WATCH a", "SET a 1", "MULTI", "NOTHING", "EXEC", "MULTI", "PING", "EXEC"],
            &["WATCH a", "GET a", "EXPIRE nothing 1", "MULTI", "PING", "EXEC"],
            &["WATCH a", "SELECT 1", "SET a 9", "MULTI", "PING", "EXEC", "SELECT 0"],
            &["WATCH a", "EXPIRE a 100", "MULTI", "PING", "EXEC"],
            &["WATCH nothing", "FLUSHALL", "MULTI", "PING", "EXEC"],
            &["SET a 1", "WATCH a", "FLUSHALL", "MULTI", "PING", "EXEC"],
            &["SET a 1", "WATCH a", "SWAPDB 0 1", "MULTI", "PING", "EXEC", "FLUSHALL"],
            &["WATCH a", "SWAPDB 0 1", "MULTI", "PING", "EXEC"],
            &["MULTI", "RESET", "EXEC"],
        ] {
            let (mut ours, mut theirs) = (server.client(), redis.client());
            for client in [&mut ours, &mut theirs] {
                client.run(&format!("HELLO {protocol}"));
            }
            println!("{script:?}");
            same_replies(&mut ours, &mut theirs, script);
        }
    }
}

#[test]
fn a_transaction_takes_place_as_one() {
    everywhere(|server| {
        let mut writers: Vec<Client> = (0..4).map(|_| server.client()).collect();
        let mut reader = server.client();
        for round in 0..200 {
            for (index, writer) in writers.iter_mut().enumerate() {
                let value = (round * 10 + index).to_string();
                let lines = ["MULTI".into(), format!("SET a {value}"), format!("SET b {value}"), "EXEC".into()];
                writer.send(&lines.iter().flat_map(|line| encode(&words(line))).collect::<Vec<u8>>());
            }
            let both = reader.run("MGET a b");
            assert_eq!(both.elements()[0], both.elements()[1]);
            for writer in &mut writers {
                let replies: Vec<Value> = (0..4).map(|_| writer.read()).collect();
                assert_eq!(replies[3], Value::Array(vec![Value::ok(); 2]));
            }
        }
    });
}

#[test]
fn who_counts_with_watch_loses_nothing() {
    const CLIENTS: usize = 4;
    const EACH: usize = 50;
    everywhere(|server| {
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut client = server.client();
                    let mut done = 0;
                    while done < EACH {
                        client.run("WATCH counter");
                        let value = match client.run("GET counter") {
                            Value::NullBulk => 0,
                            value => value.text().parse::<u64>().unwrap(),
                        };
                        client.run("MULTI");
                        client.run(&format!("SET counter {}", value + 1));
                        match client.run("EXEC") {
                            Value::NullArray => {}
                            reply => {
                                assert_eq!(reply, Value::Array(vec![Value::ok()]));
                                done += 1;
                            }
                        }
                    }
                });
            }
        });
        assert_eq!(server.client().run("GET counter").text(), (CLIENTS * EACH).to_string());
    });
}

#[test]
fn a_change_by_another_client_is_seen() {
    everywhere(|server| {
        let (mut one, mut other) = (server.client(), server.client());
        run_all(&mut one, &["SET a 1", "WATCH a b"]);
        run_all(&mut other, &["SET b 1"]);
        run_all(&mut one, &["MULTI", "SET a 2"]);
        assert_eq!(one.run("EXEC"), Value::NullArray);
        run_all(&mut one, &["MULTI", "SET a 3"]);
        assert_eq!(one.run("EXEC"), Value::Array(vec![Value::ok()]));
        // A transaction that was refused watches nothing any more, either.
        run_all(&mut one, &["WATCH a", "MULTI"]);
        assert!(one.run("SET").is_error());
        assert_eq!(one.run("EXEC"), Value::error(ABORTED));
        run_all(&mut other, &["SET a 4"]);
        run_all(&mut one, &["MULTI", "GET a"]);
        assert_eq!(one.run("EXEC"), Value::from(["4".into()]));
    });
}

#[test]
fn a_watched_key_that_expires_is_changed() {
    everywhere(|server| {
        let mut client = server.client();
        for active in ["0", "1"] {
            run_all(&mut client, &[&format!("DEBUG SET-ACTIVE-EXPIRE {active}")]);
            // On a busy machine the key may be gone before it is watched: then once more.
            loop {
                run_all(&mut client, &["SET a 1 PX 100", "WATCH a"]);
                if client.run("PTTL a").integer() > 0 {
                    break;
                }
                run_all(&mut client, &["UNWATCH"]);
            }
            run_all(&mut client, &["MULTI", "PING"]);
            std::thread::sleep(Duration::from_millis(150));
            assert_eq!(client.run("EXEC"), Value::NullArray);
        }
        run_all(&mut client, &["DEBUG SET-ACTIVE-EXPIRE 0", "SET a 1 PX 10"]);
        std::thread::sleep(Duration::from_millis(30));
        run_all(&mut client, &["WATCH a", "MULTI", "GET a"]);
        assert_eq!(client.run("EXEC"), Value::Array(vec![Value::NullBulk]));
    });
}

#[test]
fn a_transaction_serves_those_who_wait_afterwards() {
    everywhere(|server| {
        let (mut waiting, mut client) = (server.client(), server.client());
        waiting.request(&words("BLPOP list 0"));
        waiting.is_silent();
        run_all(&mut client, &["MULTI", "RPUSH list a b", "LPOP list", "LLEN list"]);
        assert_eq!(client.run("EXEC"), Value::from([2.into(), "a".into(), 1.into()]));
        assert_eq!(waiting.read(), Value::bulks(&["list", "b"]));
    });
}

#[test]
fn a_message_to_oneself_comes_after_the_transaction() {
    everywhere(|server| {
        let mut client = server.client();
        run_all(&mut client, &["HELLO 3", "SUBSCRIBE a", "MULTI", "PUBLISH a x", "UNSUBSCRIBE a", "PUBLISH a y"]);
        let stopped = Value::Push(vec!["unsubscribe".into(), "a".into(), 0.into()]);
        assert_eq!(client.run("EXEC"), Value::from([1.into(), stopped, 0.into()]));
        assert_eq!(client.read(), Value::Push(vec!["message".into(), "a".into(), "x".into()]));
        client.is_silent();
    });
}

#[test]
fn a_transaction_needs_memory() {
    let server = TestServer::start();
    let mut client = server.client();
    let out_of_memory = "OOM command not allowed when used memory > 'maxmemory'.";
    run_all(&mut client, &["SET a 1", "MULTI", "SET b 1", "GET a"]);
    let mut admin = server.client();
    run_all(&mut admin, &["CONFIG SET maxmemory 1"]);
    let text = format!("EXECABORT Transaction discarded because of: {out_of_memory}");
    assert_eq!(client.run("EXEC"), Value::error(&text));
    assert_eq!(client.run("EXEC"), Value::error("ERR EXEC without MULTI"));
    run_all(&mut client, &["MULTI"]);
    assert_eq!(client.run("GET a"), Value::error(out_of_memory));
    assert_eq!(client.run("DISCARD"), Value::ok());
    run_all(&mut admin, &["CONFIG SET maxmemory 0"]);
    run_all(&mut client, &["MULTI", "GET a"]);
    run_all(&mut admin, &["CONFIG SET maxmemory 1"]);
    assert_eq!(client.run("EXEC"), Value::from(["1".into()]));
}

#[test]
fn what_concerns_the_server_is_part_of_a_transaction() {
    everywhere(|server| {
        let mut client = server.client();
        run_all(&mut client, &["MULTI", "CONFIG SET hz 20", "SET a 1", "CONFIG GET hz", "CLIENT ID", "COMMAND COUNT"]);
        let reply = client.run("EXEC");
        let elements = reply.elements();
        assert_eq!(elements[..3], [Value::ok(), Value::ok(), Value::bulks(&["hz", "20"])]);
        assert!(elements[3].integer() > 0);
        assert!(elements[4].integer() > 100);
    });
}

#[test]
fn each_command_of_a_transaction_is_counted() {
    let server = TestServer::start();
    let mut client = server.client();
    run_all(&mut client, &["CONFIG RESETSTAT", "SET a x", "MULTI", "INCR a", "GET a", "PING"]);
    client.run("EXEC");
    let info = client.run("INFO commandstats");
    for (name, failed) in [("incr", 1), ("get", 0), ("ping", 0), ("exec", 0)] {
        let line = info.text().lines().find(|line| line.starts_with(&format!("cmdstat_{name}:calls=1,")));
        let line = line.unwrap_or_else(|| panic!("{name} was called once: {}", info.text()));
        assert!(line.contains(&format!("failed_calls={failed}")), "{line}");
    }
}
