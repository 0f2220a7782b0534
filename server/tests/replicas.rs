//! Replicas stay equal whatever the clients do, and whichever of them a command came through.

mod common;

use common::{Client, Draws, TestServer, Value, eventually};
use nr::ReplicaId;
use nr_server::store::Keyspace;
use std::thread;
use std::time::{Duration, Instant};

const KEYS: usize = 40;

/// Commands in which `K` stands for a key, `N` for a small number and `V` for a value.
const COMMANDS: &[&str] = &[
    "SET K V",
    "SET K V PX N",
    "SET K V EX 100 NX",
    "INCRBY K N",
    "APPEND K V",
    "SETRANGE K N V",
    "GETEX K PX N",
    "DEL K",
    "EXPIRE K 100",
    "PEXPIRE K N",
    "PERSIST K",
    "RENAME K K",
    "COPY K K REPLACE",
    "MOVE K 1",
    "LPUSH K V V V",
    "RPUSH K V V",
    "LPOP K N",
    "RPOP K",
    "LINSERT K BEFORE V V",
    "LTRIM K 0 N",
    "LREM K 1 V",
    "LMOVE K K LEFT RIGHT",
    "BLPOP K K 0.01",
    "BLMOVE K K LEFT LEFT 0.01",
    "BZPOPMIN K 0.01",
    "SADD K V V N N",
    "SREM K V N",
    "SPOP K",
    "SPOP K N",
    "SMOVE K K V",
    "SINTERSTORE K K K",
    "SUNIONSTORE K K K",
    "SDIFFSTORE K K K",
    "HSET K V V N V",
    "HDEL K V",
    "HINCRBY K N N",
    "HINCRBYFLOAT K V 0.1",
    "ZADD K N V N N",
    "ZINCRBY K 1.5 V",
    "ZPOPMIN K N",
    "ZPOPMAX K",
    "ZUNIONSTORE K 2 K K WEIGHTS N 2",
    "ZINTERSTORE K 2 K K AGGREGATE MAX",
    "ZRANGESTORE K K 0 N",
    "ZREMRANGEBYRANK K 0 N",
    "SWAPDB 0 1",
    "MSET K V K V",
    "MSETNX K V K V",
    "GETDEL K",
    "TOUCH K K",
    "UNLINK K K",
    "WATCH K",
    "UNWATCH",
    "PUBLISH channel V",
    "SUBSCRIBE channel",
    "UNSUBSCRIBE",
];

fn command(draws: &mut Draws) -> String {
    let template = draws.of(COMMANDS);
    let words: Vec<String> = template
        .split(' ')
        .map(|word| match word {
            "K" => format!("key{}", draws.below(KEYS)),
            "N" => (1 + draws.below(30)).to_string(),
            "V" => format!("value{}", draws.below(200)),
            word => word.to_string(),
        })
        .collect();
    words.join(" ")
}

fn storm(client: &mut Client, seed: u64, until: Instant) {
    let mut draws = Draws::new(seed);
    // In RESP3 a subscriber may send any command.
    client.run("HELLO 3");
    while Instant::now() < until {
        match draws.below(40) {
            0 => {
                let lines: Vec<String> = (0..1 + draws.below(6)).map(|_| command(&mut draws)).collect();
                let lines: Vec<&String> = lines.iter().filter(|line| !line.contains("SUBSCRIBE")).collect();
                client.send(b"MULTI\r\n");
                for line in &lines {
                    client.send(format!("{line}\r\n").as_bytes());
                }
                client.send(b"EXEC\r\n");
                (0..lines.len() + 2).for_each(|_| drop(reply(client)));
            }
            1 if draws.below(30) == 0 => {
                client.send(b"FLUSHDB\r\n");
                reply(client);
            }
            2 => {
                let entries = draws.of(&["4", "16", "128"]);
                let name =
                    draws.of(&["hash-max-listpack-entries", "zset-max-listpack-entries", "set-max-intset-entries"]);
                client.send(format!("CONFIG SET {name} {entries}\r\n").as_bytes());
                reply(client);
            }
            _ => {
                let line = command(&mut draws);
                client.send(format!("{line}\r\n").as_bytes());
                if line.contains("SUBSCRIBE") {
                    // Its replies are pushes, which `reply` passes over: what follows is the end of them.
                    client.send(b"ECHO end\r\n");
                }
                reply(client);
            }
        }
    }
}

/// Reads a reply; messages may come before it.
fn reply(client: &mut Client) -> Value {
    loop {
        let value = client.read();
        if !matches!(value, Value::Push(_)) {
            return value;
        }
    }
}

/// Asserts that the keys are the same everywhere, with their values, encodings and expiries.
fn assert_equal(judge: &mut Client) {
    let compared = judge.run("DEBUG REPLICAS");
    assert_eq!(compared.elements().last(), Some(&Value::Integer(1)), "{compared:?}");
}

/// What a replica knows beside the keys: who waits, watches and listens, and what has happened.
fn tables(keyspace: &Keyspace, clients: &[u64]) -> String {
    let Keyspace { databases, blocked, watched, subscriptions, counters, dirty, .. } = keyspace;
    let mut text = format!("{dirty} changes, {counters:?}, {} watch\n", watched.clients());
    for (index, database) in databases.iter().enumerate().filter(|(_, database)| !database.is_empty()) {
        let (keys, expiring, next) = (database.len(), database.expiring(), database.next_expiry());
        text += &format!("database {index}: {keys} keys, {expiring} expire, the next one at {next:?}\n");
    }
    text += &format!("{} wait for {} keys:", blocked.len(), blocked.keys());
    for key in (0..KEYS).map(|number| format!("key{number}")) {
        let mut from = 0;
        while let Some((number, wait)) = blocked.next(0, key.as_bytes(), from) {
            text += &format!(" client {} for {key}", wait.call.client.client);
            from = number + 1;
        }
    }
    for client in clients {
        let permitted = watched.permits(*client, databases, 0);
        let listens = subscriptions.client(*client);
        text += &format!("\nclient {client}: EXEC is permitted: {permitted}, listens to {listens:?}");
    }
    text
}

#[test]
fn replicas_are_equal_after_a_storm() {
    let server = TestServer::with_layout(4, 4);
    let mut judge = server.client();
    judge.run("CONFIG SET notify-keyspace-events KEA");
    for round in 0..4 {
        // Without it, only who meets a key whose time has passed removes it.
        judge.run(&format!("DEBUG SET-ACTIVE-EXPIRE {}", round % 2));
        let until = Instant::now() + Duration::from_secs(1);
        thread::scope(|scope| {
            for number in 0..12 {
                let mut client = server.client();
                scope.spawn(move || storm(&mut client, round * 100 + number, until));
            }
        });
        // Keys go on expiring; whoever looks at the replicas tries several times.
        assert_equal(&mut judge);
    }
    eventually("all clients of the storm are gone", || judge.run("CLIENT LIST").text().lines().count() == 1);
    assert!(judge.run("INFO clients").text().contains("blocked_clients:0"));
    assert_eq!(judge.run("PUBSUB CHANNELS"), Value::Array(vec![]));
}

#[test]
fn replicas_know_the_same_of_the_clients() {
    let server = TestServer::with_layout(4, 4);
    let mut judge = server.client();
    let until = Instant::now() + Duration::from_secs(1);
    let mut clients: Vec<(u64, Client)> = thread::scope(|scope| {
        let stormy = |number: u64| {
            let mut client = server.client();
            scope.spawn(move || {
                storm(&mut client, 1000 + number, until);
                client.send(b"CLIENT ID\r\n");
                (reply(&mut client).integer() as u64, client)
            })
        };
        let threads: Vec<_> = (0..16).map(stormy).collect();
        threads.into_iter().map(|thread| thread.join().expect("no client fails")).collect()
    });
    // Nothing moves any more when they do their last; they stay until the replicas have been compared.
    judge.run("DEL key3");
    for (number, (_, client)) in clients.iter_mut().enumerate() {
        client.send(b"UNWATCH\r\nSELECT 0\r\n");
        (0..2).for_each(|_| drop(reply(client)));
        let last = ["WATCH key1 key2", "SUBSCRIBE channel other", "PSUBSCRIBE c*", "BLPOP key3 empty 0"];
        client.send(format!("{}\r\n", last[number % last.len()]).as_bytes());
    }
    eventually("all have done their last", || judge.run("INFO clients").text().contains("blocked_clients:4"));
    eventually("all have done their last", || {
        let list = judge.run("CLIENT LIST");
        ["watch", "subscribe", "psubscribe"]
            .iter()
            .all(|name| list.text().matches(&format!("cmd={name} ")).count() == 4)
    });
    judge.run("SET key2 of-all");
    judge.run("DEBUG SET-ACTIVE-EXPIRE 0");
    let ids: Vec<u64> = clients.iter().map(|(id, _)| *id).collect();
    let structure = &server.server().keyspace;
    structure.sync();
    let replicas = (0..structure.replicas()).map(ReplicaId::new);
    let known: Vec<String> = replicas
        .map(|replica| {
            let handle = structure.register_owned_on(replica);
            handle.expect("a replica has room for one more").read(|keyspace| tables(keyspace, &ids))
        })
        .collect();
    println!("{}", known[0]);
    assert!(known[0].contains("4 wait for 2 keys") && known[0].contains("4 watch"), "{}", known[0]);
    assert!(known[0].contains("EXEC is permitted: false"), "{}", known[0]);
    for other in &known[1..] {
        assert!(*other == known[0], "{other}\n\non replica 0:\n{}", known[0]);
    }
    assert_equal(&mut judge);
}
