//! Publishing and subscribing, over TCP.

mod common;

use common::{Client, RealRedis, SILENCE, TestServer, Value, encode, eventually, everywhere, same_replies, words};
use nr_server::config::OutputLimit;

fn message(kind: &str, rest: &[&str]) -> Value {
    Value::Array([kind].iter().chain(rest).map(Value::bulk).collect())
}

fn told(kind: &str, name: &str, count: i64) -> Value {
    Value::from([kind.into(), name.into(), count.into()])
}

#[test]
fn commands_answer_as_those_of_redis() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    for protocol in ["2", "3"] {
        let (mut ours, mut theirs) = (server.client(), redis.client());
        for client in [&mut ours, &mut theirs] {
            client.run(&format!("HELLO {protocol}"));
        }
        same_replies(
            &mut ours,
            &mut theirs,
            &[
                "SUBSCRIBE",
                "UNSUBSCRIBE",
                "PUNSUBSCRIBE",
                "SUNSUBSCRIBE",
                "UNSUBSCRIBE x",
                "PUBLISH a",
                "PUBLISH a b",
                "SPUBLISH a b",
                "PUBSUB",
                "PUBSUB NOTHING",
                "PUBSUB CHANNELS",
                "PUBSUB CHANNELS *",
                "PUBSUB CHANNELS a b",
                "PUBSUB NUMSUB",
                "PUBSUB NUMSUB a b",
                "PUBSUB NUMPAT",
                "PUBSUB NUMPAT x",
                "PUBSUB SHARDCHANNELS",
                "PUBSUB SHARDCHANNELS a b",
                "PUBSUB SHARDNUMSUB",
                "PUBSUB SHARDNUMSUB a",
                "SUBSCRIBE a",
                "PSUBSCRIBE p*",
                "SSUBSCRIBE s",
                "SUBSCRIBE a",
                "PING",
                "PING x",
                "PING x y",
                "GET a",
                "PUBSUB NUMPAT",
                "CLIENT ID x",
                "PUNSUBSCRIBE q*",
                "UNSUBSCRIBE a",
                "SUNSUBSCRIBE t",
                "PUNSUBSCRIBE",
                "SUNSUBSCRIBE",
                "GET a",
                "PUBSUB CHANNELS",
            ],
        );
    }
}

#[test]
fn messages_reach_all_who_listen() {
    everywhere(|server| {
        let mut publisher = server.client();
        let mut listeners: Vec<Client> = (0..5).map(|_| server.client()).collect();
        for listener in &mut listeners {
            assert_eq!(listener.run("SUBSCRIBE news"), told("subscribe", "news", 1));
            assert_eq!(listener.run("PSUBSCRIBE n*s"), told("psubscribe", "n*s", 2));
        }
        assert_eq!(publisher.run("PUBLISH news one"), 10.into());
        assert_eq!(publisher.run("PUBLISH nets two"), 5.into());
        assert_eq!(publisher.run("PUBLISH other three"), 0.into());
        assert_eq!(publisher.run("SPUBLISH news four"), 0.into());
        for listener in &mut listeners {
            assert_eq!(listener.read(), message("message", &["news", "one"]));
            assert_eq!(listener.read(), message("pmessage", &["n*s", "news", "one"]));
            assert_eq!(listener.read(), message("pmessage", &["n*s", "nets", "two"]));
            assert_eq!(listener.run("PING"), message("pong", &[""]));
        }
        assert_eq!(
            publisher.run("PUBSUB NUMSUB news nets"),
            Value::from(["news".into(), 5.into(), "nets".into(), 0.into()])
        );
        assert_eq!(publisher.run("PUBSUB NUMPAT"), 1.into());
        assert_eq!(publisher.run("PUBSUB CHANNELS"), Value::bulks(&["news"]));
        assert_eq!(publisher.run("PUBSUB CHANNELS x*"), Value::Array(vec![]));
        drop(listeners);
        eventually("nobody listens any more", || publisher.run("PUBSUB NUMPAT") == 0.into());
        assert_eq!(publisher.run("PUBLISH news five"), 0.into());
    });
}

#[test]
fn sharded_channels_are_apart() {
    everywhere(|server| {
        let (mut publisher, mut listener) = (server.client(), server.client());
        assert_eq!(listener.run("SUBSCRIBE a"), told("subscribe", "a", 1));
        assert_eq!(listener.run("SSUBSCRIBE a"), told("ssubscribe", "a", 1));
        assert_eq!(publisher.run("SPUBLISH a x"), 1.into());
        assert_eq!(publisher.run("PUBLISH a y"), 1.into());
        assert_eq!(listener.read(), message("smessage", &["a", "x"]));
        assert_eq!(listener.read(), message("message", &["a", "y"]));
        assert_eq!(publisher.run("PUBSUB SHARDCHANNELS"), Value::bulks(&["a"]));
        assert_eq!(publisher.run("PUBSUB SHARDNUMSUB a b"), Value::from(["a".into(), 1.into(), "b".into(), 0.into()]));
        assert_eq!(listener.run("UNSUBSCRIBE"), told("unsubscribe", "a", 0));
        assert!(listener.run("GET a").is_error(), "it still listens to the sharded channel");
        assert_eq!(listener.run("SUNSUBSCRIBE"), told("sunsubscribe", "a", 0));
        assert_eq!(listener.run("GET a"), Value::NullBulk);
    });
}

#[test]
fn a_publisher_of_its_own_channel_gets_the_message_first() {
    let mut clients = Vec::new();
    let server = TestServer::with_layout(2, 1);
    clients.push(server.client());
    let redis = RealRedis::start(&[]);
    clients.extend(redis.iter().map(RealRedis::client));
    for mut client in clients {
        client.run("HELLO 3");
        client.run("SUBSCRIBE a");
        client.run("PSUBSCRIBE *");
        let mut replies = vec![client.run("PUBLISH a b")];
        replies.extend((0..2).map(|_| client.read()));
        let push = |elements: &[&str]| Value::Push(elements.iter().map(Value::bulk).collect());
        let expected = [push(&["message", "a", "b"]), push(&["pmessage", "*", "a", "b"]), 2.into()];
        assert_eq!(replies, expected);
        client.is_silent();
    }
}

#[test]
fn messages_come_in_the_order_of_the_publisher() {
    everywhere(|server| {
        let (mut publisher, mut listener) = (server.client(), server.client());
        listener.run("SUBSCRIBE a");
        let requests: Vec<u8> = (0..1000).flat_map(|number| encode(&["PUBLISH", "a", &number.to_string()])).collect();
        publisher.send(&requests);
        for number in 0..1000 {
            assert_eq!(publisher.read(), 1.into());
            assert_eq!(listener.read(), message("message", &["a", &number.to_string()]));
        }
    });
}

#[test]
fn what_follows_a_subscription_knows_of_it() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    let script = ["SET a 1", "SUBSCRIBE a b", "GET a", "PING", "UNSUBSCRIBE", "GET a", "SET a 2"];
    let replies = |mut client: Client| -> Vec<Value> {
        client.send(&script.iter().flat_map(|line| encode(&words(line))).collect::<Vec<u8>>());
        std::iter::from_fn(|| client.read_within(SILENCE)).map(Value::sorted).collect()
    };
    let (ours, theirs) = (replies(server.client()), replies(redis.client()));
    assert_eq!(ours.len(), 9);
    for index in [0, 1, 2, 3, 4, 7, 8] {
        assert_eq!(ours[index], theirs[index], "reply {index}");
    }
}

#[test]
fn events_of_keys_are_published() {
    everywhere(|server| {
        let (mut writer, mut listener) = (server.client(), server.client());
        assert_eq!(writer.run("CONFIG SET notify-keyspace-events KEA"), Value::ok());
        listener.run("PSUBSCRIBE *");
        writer.run("SET key value");
        let pattern = |channel: &str, payload: &str| message("pmessage", &["*", channel, payload]);
        assert_eq!(listener.read(), pattern("__keyspace@0__:key", "set"));
        assert_eq!(listener.read(), pattern("__keyevent@0__:set", "key"));
        writer.run("MULTI");
        writer.run("DEL key");
        writer.run("PUBLISH news over");
        writer.run("EXEC");
        assert_eq!(listener.read(), pattern("__keyspace@0__:key", "del"));
        assert_eq!(listener.read(), pattern("__keyevent@0__:del", "key"));
        assert_eq!(listener.read(), pattern("news", "over"));
        listener.is_silent();
    });
}

#[test]
fn a_listener_that_does_not_read_is_disconnected() {
    let server = TestServer::configured(|config| {
        config.client_output_buffer_limit[2] =
            nr_server::config::OutputLimit { hard: 1 << 20, soft: 0, soft_seconds: 0 };
    });
    let (mut publisher, mut listener) = (server.client(), server.client());
    listener.run("SUBSCRIBE a");
    let payload = "x".repeat(1 << 16);
    eventually("it is disconnected", || publisher.call(&["PUBLISH", "a", &payload]) == 0.into());
}

#[test]
fn a_publisher_waits_until_another_worker_has_taken_its_messages() {
    let server = TestServer::with_layout(2, 1);
    // The workers get them in turns, the last worker the first.
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..4 {
        clients.push(server.client());
        clients.last_mut().unwrap().run("PING");
    }
    let [subscriber, publisher, sleeper, bystander] = &mut clients[..] else { panic!("there are four") };
    subscriber.run("SUBSCRIBE news");
    sleeper.request(&["DEBUG", "SLEEP", "2"]);
    let publish = encode(&[&b"PUBLISH"[..], b"news", &vec![b'x'; 1 << 20]]);
    let mut published = 0;
    loop {
        publisher.send(&publish);
        match publisher.read_within(SILENCE) {
            Some(reply) => assert_eq!(reply, Value::Integer(1)),
            None => break,
        }
        published += 1;
        assert!(published <= 20, "the mailbox of a worker that sleeps is full at some time");
    }
    // The others of the publisher's worker are served.
    assert_eq!(bystander.run("PING"), Value::simple("PONG"));
    assert_eq!(sleeper.read(), Value::ok());
    assert_eq!(publisher.read(), Value::Integer(1));
    for _ in 0..=published {
        assert!(matches!(subscriber.read(), Value::Array(message) if message.len() == 3));
    }
    subscriber.is_silent();
}

#[test]
fn workers_that_publish_to_each_other_do_not_wait_for_each_other() {
    let server = TestServer::configured(|config| {
        config.workers = 2;
        config.client_output_buffer_limit[2] = OutputLimit::default();
    });
    let payload = vec![b'x'; 1 << 20];
    let publish = encode(&[&b"PUBLISH"[..], b"news", &payload]);
    let count = 30;
    // Two subscribers and two publishers, of each kind one on each worker.
    let mut subscribers = [server.client(), server.client()];
    subscribers.iter_mut().for_each(|subscriber| drop(subscriber.run("SUBSCRIBE news")));
    std::thread::scope(|scope| {
        for mut publisher in [server.client(), server.client()] {
            let publish = &publish;
            scope.spawn(move || {
                for _ in 0..count {
                    publisher.send(publish);
                }
                (0..count).for_each(|_| assert_eq!(publisher.read(), Value::Integer(2)));
            });
        }
        for subscriber in &mut subscribers {
            scope.spawn(|| (0..2 * count).for_each(|_| drop(subscriber.read())));
        }
    });
}

#[test]
fn a_message_comes_to_all_its_subscribers_on_all_workers_in_order() {
    let server = TestServer::with_layout(3, 2);
    let mut subscribers: Vec<Client> = (0..30).map(|_| server.client()).collect();
    for (index, subscriber) in subscribers.iter_mut().enumerate() {
        subscriber.run(if index % 3 == 0 { "PSUBSCRIBE n*" } else { "SUBSCRIBE news" });
    }
    let mut publisher = server.client();
    publisher.send(&(0..100).flat_map(|number| encode(&["PUBLISH", "news", &number.to_string()])).collect::<Vec<_>>());
    (0..100).for_each(|_| assert_eq!(publisher.read(), Value::Integer(30)));
    for (index, subscriber) in subscribers.iter_mut().enumerate() {
        for number in 0..100 {
            let number = number.to_string();
            let expected = if index % 3 == 0 {
                message("pmessage", &["n*", "news", &number])
            } else {
                message("message", &["news", &number])
            };
            assert_eq!(subscriber.read(), expected);
        }
    }
}
