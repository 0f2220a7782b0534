//! The connection's commands, over TCP.

mod common;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::{Client, RealRedis, SILENCE, TestServer, Value, encode, eventually, everywhere, same_replies, words};

/// The value of a field in a line of `CLIENT LIST`.
#[track_caller]
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let found = line.trim_end().split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("{line:?} has no field {name}"))
}

fn id(client: &mut Client) -> String {
    client.run("CLIENT ID").integer().to_string()
}

#[test]
fn commands_answer_as_those_of_redis() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    let (mut ours, mut theirs) = (server.client(), redis.client());
    same_replies(
        &mut ours,
        &mut theirs,
        &[
            "PING",
            "PING a",
            "PING a b",
            "ECHO a",
            "ECHO",
            "ECHO a b",
            "SELECT 3",
            "SELECT x",
            "SELECT 16",
            "SELECT -1",
            "SELECT 99999999999",
            "SELECT 0",
            "AUTH",
            "AUTH x",
            "AUTH default x",
            "AUTH other x",
            "AUTH a b c",
            "HELLO x",
            "HELLO 4",
            "HELLO 3 x",
            "HELLO 3 AUTH default",
            "HELLO 3 AUTH other x",
            "HELLO 2 SETNAME",
            "CLIENT",
            "CLIENT NOTHING",
            "CLIENT KILL",
            "CLIENT KILL a b",
            "CLIENT KILL ID x",
            "CLIENT KILL ID 0",
            "CLIENT KILL TYPE x",
            "CLIENT KILL USER x",
            "CLIENT KILL SKIPME x",
            "CLIENT KILL 1.2.3.4:5",
            "CLIENT KILL MAXAGE 5",
            "CLIENT KILL ADDR 1.2.3.4:5",
            "CLIENT KILL ID 1 TYPE",
            "CLIENT KILL TYPE master",
            "CLIENT KILL USER default ID 99999999",
            "CLIENT KILL LADDR x",
            "CLIENT LIST TYPE",
            "CLIENT LIST TYPE x",
            "CLIENT LIST ID",
            "CLIENT LIST ID x",
            "CLIENT LIST ID 99999999",
            "CLIENT LIST TYPE pubsub",
            "CLIENT LIST TYPE replica",
            "CLIENT LIST x",
            "CLIENT LIST ID 1 TYPE normal",
            "CLIENT UNBLOCK x",
            "CLIENT UNBLOCK 99999999",
            "CLIENT UNBLOCK -1",
            "CLIENT UNBLOCK 1 x",
            "CLIENT UNBLOCK 1 TIMEOUT x",
            "CLIENT PAUSE x",
            "CLIENT PAUSE -1",
            "CLIENT PAUSE 1 x",
            "CLIENT PAUSE 1 ALL x",
            "CLIENT PAUSE 0",
            "CLIENT UNPAUSE",
            "CLIENT UNPAUSE x",
            "CLIENT NO-EVICT x",
            "CLIENT NO-EVICT on",
            "CLIENT NO-EVICT OFF",
            "CLIENT GETREDIR",
            "CLIENT REPLY x",
            "CLIENT REPLY on",
            "CLIENT GETNAME",
            "CLIENT SETNAME a.b",
            "CLIENT GETNAME",
            "CLIENT SETNAME \"\"",
            "CLIENT GETNAME",
            "CLIENT ID x",
            "RESET x",
            "RESET",
            "QUIT a b",
        ],
    );
    ours.is_closed();
}

#[test]
fn hello_changes_the_protocol() {
    everywhere(|server| {
        let mut client = server.client();
        let id = client.run("CLIENT ID");
        let Value::Map(described) = client.run("HELLO 3 SETNAME me") else { panic!("it is a map in RESP3") };
        let expected = [
            ("server", "redis".into()),
            ("version", "7.0.15".into()),
            ("proto", 3.into()),
            ("id", id),
            ("mode", "standalone".into()),
            ("role", "master".into()),
            ("modules", Value::Array(vec![])),
        ];
        assert_eq!(described, expected.map(|(name, value)| (name.into(), value)));
        assert_eq!(client.run("CLIENT GETNAME"), "me".into());
        assert_eq!(client.run("GET nothing"), Value::Null);
        assert_eq!(client.run("HELLO 2").elements().len(), 14);
        assert_eq!(client.run("GET nothing"), Value::NullBulk);
    });
}

#[test]
fn the_password_is_asked_for() {
    let server = TestServer::configured(|config| config.requirepass = b"se\0cret".to_vec());
    let mut client = server.client();
    let refused = Value::error("NOAUTH Authentication required.");
    let wrong = Value::error("WRONGPASS invalid username-password pair or user is disabled.");
    assert_eq!(client.run("PING"), refused);
    assert_eq!(client.run("AUTH se"), wrong);
    assert_eq!(client.run("AUTH default se"), wrong);
    assert_eq!(client.call(&[&b"AUTH"[..], b"other", b"se\0cret"]), wrong);
    assert!(client.run("HELLO 3").text().starts_with("NOAUTH HELLO must be called"));
    assert_eq!(client.run("PING"), refused);
    assert_eq!(client.call(&[&b"AUTH"[..], b"se\0cret"]), Value::ok());
    assert_eq!(client.run("PING"), Value::simple("PONG"));
    assert_eq!(client.run("RESET"), Value::simple("RESET"));
    assert_eq!(client.run("PING"), refused);
    let hello = client.call(&[&b"HELLO"[..], b"3", b"AUTH", b"default", b"se\0cret"]);
    assert!(matches!(hello, Value::Map(_)));
    assert_eq!(client.run("PING"), Value::simple("PONG"));
    let mut other = server.client();
    assert_eq!(other.run("QUIT"), Value::ok());
    other.is_closed();
}

#[test]
fn a_client_that_needs_no_password_any_more_may_go_on() {
    let server = TestServer::configured(|config| config.requirepass = b"secret".to_vec());
    let (mut admin, mut client) = (server.client(), server.client());
    assert_eq!(admin.run("AUTH secret"), Value::ok());
    assert!(client.run("GET a").is_error());
    assert_eq!(admin.run("CONFIG SET requirepass \"\""), Value::ok());
    assert_eq!(client.run("GET a"), Value::NullBulk);
    assert_eq!(admin.run("CONFIG SET requirepass other"), Value::ok());
    assert_eq!(admin.run("GET a"), Value::NullBulk);
    assert!(client.run("GET a").is_error());
}

#[test]
fn a_stranger_can_not_make_the_server_keep_its_replies() {
    let server = TestServer::configured(|config| config.requirepass = b"secret".to_vec());
    let mut client = server.client();
    let pings = encode(&["PING"]).repeat(1000);
    let mut admin = server.client();
    assert_eq!(admin.run("AUTH secret"), Value::ok());
    let name = client.name();
    std::thread::spawn(move || {
        // It ends when the server has closed the connection.
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            loop {
                client.send(&pings);
            }
        }))
    });
    eventually("the stranger is disconnected", || !admin.run("CLIENT LIST").text().contains(&name));
}

#[test]
fn quit_ends_the_connection_before_what_follows_it() {
    everywhere(|server| {
        let mut client = server.client();
        client.send(&[encode(&["QUIT"]), encode(&["SET", "a", "b"])].concat());
        assert_eq!(client.read(), Value::ok());
        client.is_closed();
        assert_eq!(server.client().run("GET a"), Value::NullBulk);
    });
}

#[test]
fn reset_makes_a_connection_new() {
    everywhere(|server| {
        let mut client = server.client();
        client.run("HELLO 3 SETNAME me");
        client.run("SELECT 3");
        client.run("SUBSCRIBE a");
        client.run("WATCH key");
        client.run("MULTI");
        assert_eq!(client.run("RESET"), Value::simple("RESET"));
        let line = client.run("CLIENT INFO");
        for (name, value) in [("name", ""), ("db", "0"), ("sub", "0"), ("multi", "-1"), ("resp", "2"), ("flags", "N")] {
            assert_eq!(field(line.text(), name), value, "{name}");
        }
        assert_eq!(server.client().run("PUBLISH a b"), 0.into());
        client.run("MULTI");
        assert_eq!(server.client().run("SET key 1"), Value::ok());
        assert_eq!(client.run("EXEC"), Value::Array(vec![]));
    });
}

#[test]
fn a_list_of_clients_shows_how_each_stands() {
    everywhere(|server| {
        let (mut asking, mut busy) = (server.client(), server.client());
        let number = id(&mut busy);
        for line in ["CLIENT SETNAME busy", "SELECT 5", "HELLO 3", "SUBSCRIBE a b", "PSUBSCRIBE p", "SSUBSCRIBE s"] {
            busy.run(line);
        }
        busy.read();
        busy.run("MULTI");
        busy.run("GET a");
        let describe = |asking: &mut Client| asking.run(&format!("CLIENT LIST ID {number}")).text().to_string();
        eventually("the transaction is shown", || field(&describe(&mut asking), "multi") == "1");
        let line = describe(&mut asking);
        let expected = [
            ("id", &*number),
            ("addr", &*busy.name()),
            ("laddr", &*server.address().to_string()),
            ("name", "busy"),
            ("flags", "Px"),
            ("db", "5"),
            ("sub", "2"),
            ("psub", "1"),
            ("ssub", "1"),
            ("multi", "1"),
            ("cmd", "get"),
            ("user", "default"),
            ("redir", "-1"),
            ("resp", "3"),
        ];
        for (name, value) in expected {
            assert_eq!(field(&line, name), value, "{name} in {line}");
        }
        let all = asking.run("CLIENT LIST");
        let lines: Vec<&str> = all.text().lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].contains("cmd=client|list"), "{}", lines[0]);
        assert_eq!(field(lines[0], "qbuf"), "26");
        assert_eq!(asking.run("CLIENT LIST TYPE pubsub").text().lines().count(), 1);
        assert_eq!(asking.run("CLIENT LIST TYPE normal").text().lines().count(), 1);
    });
}

#[test]
fn fields_of_a_client_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let names = |line: Value| -> Vec<String> {
        let names = line.text().trim_end().split(' ').map(|field| field.split('=').next().unwrap_or("").to_string());
        names.collect()
    };
    let server = TestServer::start();
    assert_eq!(names(server.client().run("CLIENT INFO")), names(redis.client().run("CLIENT INFO")));
}

#[test]
fn clients_end_others() {
    everywhere(|server| {
        let mut admin = server.client();
        let mut others: Vec<Client> = (0..6).map(|_| server.client()).collect();
        others.iter_mut().for_each(|other| assert_eq!(other.run("PING"), Value::simple("PONG")));
        let mut last = others.pop().unwrap();
        assert_eq!(admin.run(&format!("CLIENT KILL {}", last.name())), Value::ok());
        last.is_closed();
        let mut last = others.pop().unwrap();
        let number = id(&mut last);
        assert_eq!(admin.run(&format!("CLIENT KILL ID {number}")), 1.into());
        last.is_closed();
        assert_eq!(admin.run(&format!("CLIENT KILL ID {number}")), 0.into());
        let mut last = others.pop().unwrap();
        last.run("SUBSCRIBE a");
        assert_eq!(admin.run("CLIENT KILL TYPE pubsub"), 1.into());
        last.is_closed();
        eventually("nobody listens any more", || admin.run("PUBLISH a b") == 0.into());
        assert_eq!(admin.run(&format!("CLIENT KILL LADDR {} USER default SKIPME yes", server.address())), 3.into());
        others.iter_mut().for_each(Client::is_closed);
        assert_eq!(admin.run("CLIENT KILL TYPE normal SKIPME no"), 1.into());
        admin.is_closed();
    });
}

#[test]
fn a_client_that_reads_nothing_can_be_ended() {
    everywhere(|server| {
        let (mut admin, mut deaf) = (server.client(), server.client());
        let number = id(&mut deaf);
        admin.call(&["SET".into(), "large".into(), "x".repeat(1 << 20)]);
        deaf.send(&encode(&["GET", "large"]).repeat(64));
        let line = |admin: &mut Client| admin.run(&format!("CLIENT LIST ID {number}")).text().to_string();
        eventually("its output fills up", || field(&line(&mut admin), "omem") != "0");
        assert_eq!(admin.run(&format!("CLIENT KILL ID {number}")), 1.into());
        eventually("it is gone", || line(&mut admin).is_empty());
    });
}

#[test]
fn a_client_that_waits_is_unblocked() {
    everywhere(|server| {
        let (mut admin, mut waiting) = (server.client(), server.client());
        let number = id(&mut waiting);
        assert_eq!(admin.run(&format!("CLIENT UNBLOCK {number}")), 0.into());
        for (line, expected) in [
            ("", Value::NullArray),
            ("TIMEOUT", Value::NullArray),
            ("ERROR", Value::error("UNBLOCKED client unblocked via CLIENT UNBLOCK")),
        ] {
            waiting.request(&words("BLPOP list 0"));
            eventually("it waits and is unblocked", || {
                admin.run(&format!("CLIENT UNBLOCK {number} {line}")) == 1.into()
            });
            assert_eq!(waiting.read(), expected);
            assert_eq!(waiting.run("PING"), Value::simple("PONG"));
        }
    });
}

#[test]
fn replies_can_be_turned_off() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    for script in [
        &["CLIENT REPLY OFF", "PING", "SET a b", "CLIENT REPLY SKIP", "PING", "CLIENT REPLY ON", "PING"][..],
        &["CLIENT REPLY SKIP", "PING", "PING", "CLIENT REPLY SKIP", "SET a b", "GET a", "SET a b"],
        &["CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "PING", "PING"],
        &["CLIENT REPLY SKIP", "CLIENT REPLY ON", "PING"],
        &["CLIENT REPLY SKIP", "NOTHING", "PING"],
        &["CLIENT REPLY OFF", "SUBSCRIBE a", "PING"],
        &["CLIENT REPLY SKIP", "SUBSCRIBE a", "PING"],
        &["CLIENT REPLY OFF", "RESET", "PING"],
    ] {
        let replies = |mut client: Client| {
            client.send(&script.iter().flat_map(|line| encode(&words(line))).collect::<Vec<u8>>());
            let mut replies = Vec::new();
            while let Some(reply) = client.read_within(SILENCE) {
                replies.push(reply);
            }
            replies
        };
        assert_eq!(replies(server.client()), replies(redis.client()), "{script:?}");
    }
}

#[test]
fn a_pause_lets_commands_wait() {
    everywhere(|server| {
        let (mut admin, mut one, mut two) = (server.client(), server.client(), server.client());
        two.run("MULTI");
        two.run("SET b 2");
        assert_eq!(admin.run("CLIENT PAUSE 100000 WRITE"), Value::ok());
        one.request(&words("SET a 1"));
        two.request(&words("EXEC"));
        assert_eq!(admin.run("MGET a b"), Value::Array(vec![Value::NullBulk; 2]));
        one.is_silent();
        two.is_silent();
        assert_eq!(field(admin.run("CLIENT LIST").text().lines().nth(1).unwrap(), "flags"), "b");
        assert_eq!(admin.run("CLIENT UNPAUSE"), Value::ok());
        assert_eq!(one.read(), Value::ok());
        assert_eq!(two.read(), Value::Array(vec![Value::ok()]));

        let start = Instant::now();
        assert_eq!(admin.run("CLIENT PAUSE 200"), Value::ok());
        assert_eq!(admin.run("PING"), Value::simple("PONG"));
        assert_eq!(one.run("GET a"), "1".into());
        assert!(start.elapsed() >= Duration::from_millis(150));
    });
}

#[test]
fn no_write_takes_place_after_the_answer_to_a_pause() {
    let server = TestServer::with_layout(2, 1);
    // The workers get them in turns.
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..3 {
        clients.push(server.client());
        clients.last_mut().unwrap().run("PING");
    }
    let [writer, admin, sleeper] = &mut clients[..] else { panic!("there are three") };
    // While their worker sleeps both send a command. It takes the write up, and sleeps before it executes it.
    sleeper.request(&["DEBUG", "SLEEP", "0.3"]);
    std::thread::sleep(Duration::from_millis(100));
    writer.request(&["SET", "a", "1"]);
    sleeper.request(&["DEBUG", "SLEEP", "1"]);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(admin.run("CLIENT PAUSE 100000 WRITE"), Value::ok());
    let at_first = admin.run("GET a");
    assert_eq!(sleeper.read(), Value::ok());
    assert_eq!(sleeper.read(), Value::ok());
    writer.read_within(SILENCE);
    assert_eq!(admin.run("GET a"), at_first);
    // What is in a pipeline or a transaction with it comes after it, too.
    admin.send(b"MULTI\r\nCLIENT PAUSE 100000 WRITE\r\nPING\r\nEXEC\r\nCLIENT UNPAUSE\r\n");
    for _ in 0..3 {
        admin.read();
    }
    assert_eq!(admin.read(), Value::Array(vec![Value::ok(), Value::simple("PONG")]));
    assert_eq!(admin.read(), Value::ok());
}

#[test]
fn a_pause_without_an_end_is_refused() {
    let server = TestServer::start();
    let mut client = server.client();
    let out_of_range = Value::error("ERR timeout is out of range");
    assert_eq!(client.run("CLIENT PAUSE 9223372036854775807"), out_of_range);
    assert_eq!(client.run("CLIENT PAUSE 9223372036854775807 WRITE"), out_of_range);
    assert_eq!(client.run("SET a 1"), Value::ok());
}

#[test]
fn a_client_that_waits_through_a_pause_can_be_ended() {
    everywhere(|server| {
        let (mut admin, mut paused) = (server.client(), server.client());
        assert_eq!(admin.run("CLIENT PAUSE 100000 WRITE"), Value::ok());
        let number = id(&mut paused);
        paused.request(&words("SET a 1"));
        paused.is_silent();
        assert_eq!(admin.run(&format!("CLIENT KILL ID {number}")), 1.into());
        paused.is_closed();
        assert_eq!(admin.run("CLIENT UNPAUSE"), Value::ok());
        assert_eq!(admin.run("GET a"), Value::NullBulk);
    });
}

#[test]
fn killed_clients_leave_their_place_to_others() {
    let server = TestServer::with_layout(2, 1);
    let mut killer = server.client();
    let connected = || -> usize {
        let workers = &server.server().workers;
        workers.iter().map(|worker| worker.connected.load(Ordering::Relaxed)).sum()
    };
    for _ in 0..5 {
        let mut victims: Vec<_> = (0..6).map(|_| server.client()).collect();
        eventually("all are connected", || killer.run("CLIENT LIST").text().lines().count() == 7);
        assert_eq!(killer.run("CLIENT KILL TYPE NORMAL"), Value::Integer(6));
        victims.iter_mut().for_each(Client::is_closed);
    }
    eventually("only the killer is counted", || connected() == 1);
}
