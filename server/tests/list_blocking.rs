//! The commands on lists that wait for elements, over TCP.

mod common;

use std::time::{Duration, Instant};

use common::{Client, RealRedis, TestServer, Value, eventually, everywhere, same_replies, words};

/// Has the client send a command for which it has to wait, and returns once it waits behind all others.
fn block(server: &TestServer, client: &mut Client, line: &str) {
    let waiting = || {
        let mut handle = server.server().keyspace.register_owned().expect("there is room for a handle");
        handle.read(|keyspace| keyspace.blocked.len())
    };
    let before = waiting();
    client.request(&common::words(line));
    eventually("the client waits", || waiting() == before + 1);
}

/// A new client that waits.
fn waiting(server: &TestServer, line: &str) -> Client {
    let mut client = server.client();
    block(server, &mut client, line);
    client
}

fn pair(key: &str, element: &str) -> Value {
    Value::bulks(&[key, element])
}

#[test]
fn replies_without_a_wait_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    let lines = [
        "RPUSH list a b c d e f g h",
        "BLPOP none list 0",
        "BRPOP list 1",
        "BLMPOP 0 2 none list LEFT",
        "BLMPOP 0 1 list RIGHT COUNT 2",
        "BLMOVE list other LEFT RIGHT 0",
        "BLMOVE list list LEFT RIGHT 0",
        "BRPOPLPUSH list other 0",
        "LRANGE list 0 -1",
        "LRANGE other 0 -1",
        "BLPOP list x",
        "BLPOP list -1",
        "BLPOP list -0.5",
        "BLPOP list inf",
        "BLPOP list nan",
        "BLPOP list 1e30",
        "BLMPOP x 1 list LEFT",
        "BLMPOP 0 0 list LEFT",
        "BLMPOP -1 1 list UP",
        "BLMPOP 0 1 list LEFT COUNT 0",
        "BLMOVE list other UP LEFT x",
        "BLMOVE list other LEFT LEFT x",
        "BRPOPLPUSH list other -1",
        "SET string x",
        "BLPOP none string list 0",
        "BLMPOP 0 2 string list LEFT",
        "BLMOVE string list LEFT LEFT 0",
        "BLMOVE list string LEFT LEFT 0",
        "LRANGE list 0 -1",
        "MULTI",
        "BLPOP none 0",
        "BRPOP none 0",
        "BLMPOP 0 1 none LEFT",
        "BLMOVE none other LEFT LEFT 0",
        "BRPOPLPUSH none other 0",
        "BLPOP list 0",
        "EXEC",
    ];
    let (mut ours, mut theirs) = (server.client(), redis.client());
    same_replies(&mut ours, &mut theirs, &lines);
    for client in [&mut ours, &mut theirs] {
        client.run("HELLO 3");
        client.run("DEL list other string");
    }
    same_replies(&mut ours, &mut theirs, &lines);
    let timeouts = [
        "BLPOP none 0.01",
        "BLMPOP 0.01 1 none LEFT",
        "BLMOVE none other LEFT LEFT 0.01",
        "BRPOPLPUSH none other 0.01",
    ];
    same_replies(&mut ours, &mut theirs, &timeouts);
    same_replies(&mut server.client(), &mut redis.client(), &timeouts);
}

#[test]
fn timeouts_are_read_as_redis_reads_them() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    let (mut ours, mut theirs) = (server.client(), redis.client());
    for timeout in [
        "1e400",
        "-1e400",
        "1e4000",
        "1e5000",
        "1e18",
        "9223372036854776",
        "18446744073709551.615",
        "inf",
        "-inf",
        "-1",
        "-0.002",
        "nan",
        "1.5e",
        "0x",
        "1e-5000",
        "9223372036854775.808",
    ] {
        same_replies(
            &mut ours,
            &mut theirs,
            &[&format!("BLPOP none {timeout}"), &format!("BLMPOP {timeout} 1 none LEFT")],
        );
    }
    // A thousandth of a second, the shortest.
    same_replies(&mut ours, &mut theirs, &["BLPOP none 1e-400"]);
    // For ever, and for as long as it can be: where Redis adds the time of day to that, it passes the last number there is.
    let (both, own) = (vec![server.address(), redis.address()], vec![server.address()]);
    for (timeout, addresses) in
        [("-0.001", &both), ("0x10", &both), ("9223370000000000", &both), ("9223372036854775.807", &own)]
    {
        for address in addresses {
            let mut waiting = Client::connect(*address);
            waiting.request(&words(&format!("BLPOP none {timeout}")));
            waiting.is_silent();
            let mut other = Client::connect(*address);
            eventually(&format!("it waits {timeout} seconds"), || {
                other.run("INFO clients").text().contains("blocked_clients:1\r\n")
            });
            drop(waiting);
            eventually("it is gone", || other.run("INFO clients").text().contains("blocked_clients:0\r\n"));
        }
    }
}

#[test]
fn a_wait_ends_with_its_timeout() {
    everywhere(|server| {
        let mut client = server.client();
        let start = Instant::now();
        assert_eq!(client.run("BLPOP none 0.1"), Value::NullArray);
        assert!((Duration::from_millis(99)..Duration::from_secs(5)).contains(&start.elapsed()));
        // Not an error, though the key is not a list now.
        let mut other = waiting(server, "BLPOP key 0.2");
        client.run("SET key string");
        assert_eq!(other.read(), Value::NullArray);
        client.run("DEL key");
        assert_eq!(client.run("RPUSH key x").integer(), 1);
    });
}

#[test]
fn clients_are_served_in_the_order_in_which_they_came() {
    everywhere(|server| {
        let mut clients: Vec<Client> = (0..5).map(|_| waiting(server, "BLPOP key 0")).collect();
        let mut pusher = server.client();
        assert_eq!(pusher.run("RPUSH key 0 1 2").integer(), 3);
        pusher.run("RPUSH key 3");
        for (number, client) in clients.iter_mut().take(4).enumerate() {
            assert_eq!(client.read(), pair("key", &number.to_string()));
        }
        clients[4].is_silent();
        // Who goes away leaves the others in their order.
        let mut last = waiting(server, "BRPOP key 0");
        clients.truncate(4);
        eventually("the client is forgotten", || {
            pusher.run("RPUSH key x");
            last.read_within(Duration::from_millis(50)).is_some()
        });
    });
}

#[test]
fn a_client_is_served_once_for_all_its_keys() {
    everywhere(|server| {
        let mut client = waiting(server, "BLPOP a b a c b 0");
        let mut pusher = server.client();
        pusher.run("RPUSH b 1 2");
        assert_eq!(client.read(), pair("b", "1"));
        pusher.run("RPUSH a 3");
        pusher.run("RPUSH c 4");
        client.is_silent();
        assert_eq!(client.run("BLPOP a b c 0"), pair("a", "3"));
        assert_eq!(client.run("LRANGE b 0 -1"), Value::bulks(&["2"]));
    });
}

#[test]
fn of_several_keys_the_one_that_was_filled_first_serves() {
    everywhere(|server| {
        let mut client = waiting(server, "BLPOP a b 0");
        let mut other = waiting(server, "BLMPOP 0 2 a b RIGHT COUNT 5");
        let mut pusher = server.client();
        for line in ["MULTI", "RPUSH b 1", "RPUSH a 2 3", "EXEC"] {
            pusher.run(line);
        }
        assert_eq!(client.read(), pair("b", "1"));
        assert_eq!(other.read().elements()[1], Value::bulks(&["3", "2"]));
    });
}

#[test]
fn a_transaction_is_over_before_clients_are_served() {
    everywhere(|server| {
        let mut client = waiting(server, "BLPOP key 0");
        let mut pusher = server.client();
        for line in ["MULTI", "RPUSH key a", "RPUSH key b", "LPOP key", "RPUSH key c", "LLEN key", "EXEC"] {
            pusher.run(line);
        }
        assert_eq!(client.read(), pair("key", "b"));
        assert_eq!(pusher.run("LRANGE key 0 -1"), Value::bulks(&["c"]));
        // What is gone again serves nobody.
        pusher.run("DEL key");
        block(server, &mut client, "BLPOP key 0");
        for line in ["MULTI", "RPUSH key a", "DEL key", "SET key string", "EXEC", "APPEND key s"] {
            pusher.run(line);
        }
        client.is_silent();
        pusher.run("DEL key");
        pusher.run("RPUSH key d");
        assert_eq!(client.read(), pair("key", "d"));
    });
}

#[test]
fn moves_go_on_along_a_chain() {
    everywhere(|server| {
        let mut last = waiting(server, "BLPOP c 0");
        let mut second = waiting(server, "BLMOVE b c LEFT RIGHT 0");
        let mut first = waiting(server, "BRPOPLPUSH a b 0");
        let mut pusher = server.client();
        assert_eq!(pusher.run("LPUSH a x").integer(), 1);
        assert_eq!(first.read(), Value::bulk("x"));
        assert_eq!(second.read(), Value::bulk("x"));
        assert_eq!(last.read(), pair("c", "x"));
        assert_eq!(pusher.run("EXISTS a b c").integer(), 0);
        // Two that move in a circle, and one that moves a list's element to its other end.
        let mut forth = waiting(server, "BLMOVE a b LEFT LEFT 0");
        let mut back = waiting(server, "BLMOVE b a LEFT LEFT 0");
        pusher.run("RPUSH a y z");
        assert_eq!((forth.read(), back.read()), (Value::bulk("y"), Value::bulk("y")));
        assert_eq!(pusher.run("LRANGE a 0 -1"), Value::bulks(&["y", "z"]));
        let mut around = waiting(server, "BLMOVE circle circle LEFT RIGHT 0");
        pusher.run("RPUSH circle 1 2");
        assert_eq!(around.read(), Value::bulk("1"));
        assert_eq!(pusher.run("LRANGE circle 0 -1"), Value::bulks(&["2", "1"]));
    });
}

#[test]
fn a_destination_of_another_type_is_an_error_of_the_one_who_waits() {
    everywhere(|server| {
        let mut mover = waiting(server, "BLMOVE source string LEFT LEFT 0");
        let mut popper = waiting(server, "BLPOP source 0");
        let mut pusher = server.client();
        pusher.run("SET string x");
        assert_eq!(pusher.run("RPUSH source a").integer(), 1);
        assert!(mover.read().is_error());
        assert_eq!(popper.read(), pair("source", "a"));
        assert_eq!(pusher.run("GET string"), Value::bulk("x"));
    });
}

#[test]
fn lists_that_come_under_another_name_are_noticed() {
    everywhere(|server| {
        let mut pusher = server.client();
        for (number, line) in
            ["RENAME list key", "COPY list key", "LMOVE list key LEFT LEFT", "MOVE key 0", "SWAPDB 0 1"]
                .into_iter()
                .enumerate()
        {
            let mut client = waiting(server, "BLPOP other key 0");
            let element = number.to_string();
            if line.starts_with("MOVE") || line.starts_with("SWAPDB") {
                pusher.run("SELECT 1");
                pusher.run(&format!("RPUSH key {element}"));
            } else {
                pusher.run(&format!("RPUSH list {element}"));
            }
            client.is_silent();
            pusher.run(line);
            assert_eq!(client.read(), pair("key", &element), "{line}");
            pusher.run("FLUSHALL");
            pusher.run("SELECT 0");
        }
    });
}

#[test]
fn clients_that_wait_for_other_types_are_passed_over() {
    everywhere(|server| {
        let mut for_sorted_set = waiting(server, "BZPOPMIN key 0");
        let mut for_list = waiting(server, "BLPOP key 0");
        let mut client = server.client();
        client.run("RPUSH key a");
        assert_eq!(for_list.read(), pair("key", "a"));
        for_sorted_set.is_silent();
        block(server, &mut for_list, "BLPOP key 0");
        client.run("ZADD key 1 member");
        assert_eq!(for_sorted_set.read().elements()[1], Value::bulk("member"));
        for_list.is_silent();
    });
}

#[test]
fn a_watched_key_changes_when_a_client_is_served_from_it() {
    everywhere(|server| {
        let mut client = waiting(server, "BLMOVE source destination LEFT LEFT 0");
        let mut watcher = server.client();
        watcher.run("WATCH destination");
        watcher.run("MULTI");
        watcher.run("GET other");
        server.client().run("RPUSH source a");
        assert_eq!(client.read(), Value::bulk("a"));
        assert_eq!(watcher.run("EXEC"), Value::NullArray);
    });
}

#[test]
fn thousands_wait_for_one_key_without_a_cost_for_each_push() {
    let server = TestServer::with_layout(1, 2);
    let mut pusher = server.client();
    let mut clients: Vec<Client> = (0..500).map(|_| waiting(&server, "BLPOP key other 0")).collect();
    for number in 0..500 {
        pusher.request(&["RPUSH", "key", &number.to_string()]);
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.read(), pair("key", &number.to_string()));
        assert_eq!(pusher.read().integer(), 1);
    }
    assert_eq!(pusher.run("EXISTS key").integer(), 0);
}

#[test]
fn replicas_agree_on_who_was_served() {
    let server = TestServer::with_layout(4, 4);
    let mut pushers: Vec<Client> = (0..4).map(|_| server.client()).collect();
    let mut poppers: Vec<Client> = (0..12).map(|_| server.client()).collect();
    let mut popped = Vec::new();
    for round in 0..50 {
        for (number, client) in poppers.iter_mut().enumerate() {
            let keys = [0, 1, 2].map(|key| format!("key{}", (key + number) % 3)).join(" ");
            client.request(&common::words(&format!("BLPOP {keys} 0")));
        }
        for (number, client) in pushers.iter_mut().enumerate() {
            for key in 0..3 {
                client.request(&["RPUSH", &format!("key{key}"), &format!("{round}:{number}:{key}")]);
            }
        }
        poppers.iter_mut().for_each(|client| popped.push(client.read().elements()[1].text().to_string()));
        pushers.iter_mut().for_each(|client| (0..3).for_each(|_| drop(client.read())));
    }
    popped.sort();
    popped.dedup();
    assert_eq!(popped.len(), 50 * 12);
    for mut client in (0..4).map(|_| server.client()) {
        assert_eq!(client.run("EXISTS key0 key1 key2").integer(), 0);
        assert_eq!(client.run("DBSIZE").integer(), 0);
    }
}
