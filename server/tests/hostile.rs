//! Clients that mean harm, or are broken: they get an error or lose their connection, and the others notice nothing.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{Client, TestServer, Value, encode, eventually};
use nr_server::config::{ClientsLimit, OutputLimit};

/// A client that goes on as if nothing were.
struct Bystander(Client);

impl Bystander {
    fn of(server: &TestServer) -> Bystander {
        let mut client = server.client();
        client.run("SET bystander 0");
        Bystander(client)
    }

    /// Asserts that it is served as ever.
    fn is_served(&mut self) {
        let before = Instant::now();
        let Value::Integer(_) = self.0.run("INCR bystander") else { panic!("the bystander is not served") };
        // A generous bound on a machine that is busy; what it must not be is the time that the other client takes.
        assert!(before.elapsed() < Duration::from_secs(5), "the bystander waits for {:?}", before.elapsed());
    }
}

/// What the server sends until it closes the connection.
fn last_words(server: &TestServer, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // The server may close before it has read everything.
    let _ = stream.write_all(sent);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn absurd_lengths_are_protocol_errors() {
    let server = TestServer::with_layout(2, 1);
    let mut bystander = Bystander::of(&server);
    let mut inline = vec![b'x'; 1 << 20];
    inline.push(b'\n');
    for (sent, text) in [
        (&b"*99999999999\r\n"[..], "invalid multibulk length"),
        (b"*1\r\n$-5\r\n", "invalid bulk length"),
        (b"*1\r\n$99999999999999999999\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n*1\r\n*1\r\n*1\r\n", "expected '$', got '*'"),
        (b"*3\r\n$3\r\nSET\r\nx\r\n", "expected '$', got 'x'"),
        (b"SET \"a b\r\n", "unbalanced quotes in request"),
        (&inline, "too big inline request"),
    ] {
        let answer = last_words(&server, sent);
        assert_eq!(answer, format!("-ERR Protocol error: {text}\r\n"), "{}", sent[..sent.len().min(40)].escape_ascii());
        bystander.is_served();
    }
}

#[test]
fn what_is_announced_is_not_allocated() {
    let server = TestServer::start();
    let mut bystander = Bystander::of(&server);
    // Each announces half a gigabyte, and two million arguments, and sends nothing of it.
    let mut liars: Vec<Client> = (0..200).map(|_| server.client()).collect();
    for (index, liar) in liars.iter_mut().enumerate() {
        liar.send(if index % 2 == 0 { b"*2\r\n$536870912\r\n" } else { b"*2000000\r\n$1\r\n" });
    }
    bystander.is_served();
    let resident = resident_memory();
    assert!(resident < 2 << 30, "{resident} bytes are resident");
}

/// Bytes of memory that this process occupies.
fn resident_memory() -> u64 {
    status("VmRSS")
}

/// A number of bytes in what the system says of this process.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn noise_is_answered_or_the_connection_closed() {
    let server = TestServer::with_layout(2, 2);
    let mut bystander = Bystander::of(&server);
    let mut state = 0x1234_5678_9abc_def0_u64;
    for _ in 0..100 {
        let noise: Vec<u8> = (0..500)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let byte = (state >> 56) as u8;
                // Bytes that mean something are frequent.
                if byte < 100 { b"*$\r\n0123456789-\"' "[(byte % 18) as usize] } else { byte }
            })
            .collect();
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let _ = stream.write_all(&noise);
    }
    bystander.is_served();
}

#[test]
fn connections_that_come_and_go_leave_nothing() {
    let server = TestServer::with_layout(2, 1);
    let mut bystander = Bystander::of(&server);
    for round in 0..20 {
        let mut streams: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
        for (index, stream) in streams.iter_mut().enumerate() {
            let sent: &[u8] = match index % 5 {
                0 => b"",
                1 => b"SUBSCRIBE channel\r\n",
                2 => b"BLPOP nothing 0\r\n",
                3 => b"WATCH key\r\nMULTI\r\nSET a 1\r\n",
                _ => b"*3\r\n$3\r\nSET\r\n$5",
            };
            stream.write_all(sent).unwrap();
        }
        if round % 2 == 0 {
            bystander.is_served();
        }
    }
    eventually("only the bystander is left", || bystander.0.run("CLIENT LIST").text().lines().count() == 1);
    let info = bystander.0.run("INFO clients").text().to_string();
    assert!(info.contains("blocked_clients:0"), "{info}");
    let subscribers = bystander.0.run("PUBSUB NUMSUB channel");
    assert_eq!(subscribers, Value::Array(vec![Value::Bulk(b"channel".to_vec()), Value::Integer(0)]));
    bystander.0.run("RPUSH nothing element");
    assert_eq!(bystander.0.run("LLEN nothing"), Value::Integer(1), "nobody waits for the list any more");
}

#[test]
fn a_client_that_never_reads_is_disconnected_at_its_limit() {
    let limit = OutputLimit { hard: 8 << 20, ..OutputLimit::default() };
    let server = TestServer::configured(|config| {
        config.workers = 2;
        config.client_output_buffer_limit[0] = limit;
    });
    let mut bystander = Bystander::of(&server);
    bystander.0.call(&[&b"SET"[..], b"large", &vec![b'x'; 1 << 20]]);
    let mut greedy = TcpStream::connect(server.address()).unwrap();
    // Until the server has had enough of it.
    while greedy.write_all(&encode(&["GET", "large"])).is_ok() {
        bystander.is_served();
    }
    eventually("the client is gone", || bystander.0.run("CLIENT LIST").text().lines().count() == 1);
    let info = bystander.0.run("INFO stats").text().to_string();
    assert!(info.contains("client_output_buffer_limit_disconnections:1"), "{info}");
}

#[test]
fn nothing_is_sent_of_a_reply_over_the_limit() {
    let server = TestServer::configured(|config| {
        config.client_output_buffer_limit[0] = OutputLimit { hard: 100_000, ..OutputLimit::default() };
    });
    let mut client = server.client();
    client.call(&[&b"SET"[..], b"large", &vec![b'x'; 200_000]]);
    // Though the socket would take all of it.
    client.send(&encode(&["GET", "large"]));
    client.is_closed();
    let mut client = server.client();
    let of_transaction = ["MULTI", "SET a 1", "GET large", "SET b 1", "EXEC"];
    client.send(of_transaction.map(|line| format!("{line}\r\n")).concat().as_bytes());
    client.is_closed();
    assert_eq!(server.client().run("EXISTS a b"), Value::Integer(2), "the transaction has taken place");
}

#[test]
fn one_command_does_not_write_far_past_the_output_limit() {
    let server = TestServer::configured(|config| {
        config.workers = 2;
        config.client_output_buffer_limit[0] = OutputLimit { hard: 1 << 20, ..OutputLimit::default() };
    });
    let mut bystander = Bystander::of(&server);
    bystander.0.call(&[&b"SET"[..], b"large", &vec![b'x'; 512 << 10]]);
    bystander.0.run("SADD set member");
    bystander.0.run("HSET hash field value");
    bystander.0.run("ZADD zset 1 member");
    let large = vec!["large"; 6000];
    let mget = encode(&[&["MGET"], &large[..]].concat());
    let getex = encode(&["GETEX", "large"]);
    let transaction = |command: &[u8]| [b"MULTI\r\n", command, b"EXEC\r\n"].concat();
    for sent in [
        // They would be gigabytes.
        mget.clone(),
        transaction(&mget),
        transaction(&getex.repeat(6000)),
        b"SRANDMEMBER set -100000000\r\n".to_vec(),
        b"HRANDFIELD hash -100000000\r\n".to_vec(),
        b"ZRANDMEMBER zset -100000000\r\n".to_vec(),
        // What comes behind it in the same turn is not sent either, though the limit would be another one.
        b"SRANDMEMBER set -100000000\r\nSUBSCRIBE channel\r\n".to_vec(),
    ] {
        let mut greedy = server.client();
        greedy.send(&sent);
        greedy.is_closed_after_at_most(6000 * "+QUEUED\r\n".len() + 100);
        bystander.is_served();
    }
    let peak = peak_memory();
    assert!(peak < 2 << 30, "{peak} bytes were resident");
    let info = bystander.0.run("INFO stats").text().to_string();
    assert!(info.contains("client_output_buffer_limit_disconnections:7\r\n"), "{info}");
    // A client that wants no replies has none that are too long.
    let mut silent = server.client();
    silent.send(b"CLIENT REPLY OFF\r\nSRANDMEMBER set -1000000\r\nGETEX large\r\nCLIENT REPLY ON\r\n");
    assert_eq!(silent.read(), Value::ok());
    // A list that comes too late is too long as well.
    let mut waiting = server.client();
    waiting.send(b"BLMPOP 0 1 list LEFT COUNT 100\r\n");
    eventually("it waits", || bystander.0.run("INFO clients").text().contains("blocked_clients:1"));
    bystander.0.call(&[&[&b"RPUSH"[..], b"list"], &[&[b'x'; 512 << 10][..]; 3][..]].concat());
    waiting.is_closed();
}

/// The most bytes of memory that this process has occupied.
fn peak_memory() -> u64 {
    status("VmHWM")
}

#[test]
fn the_largest_clients_go_first_when_all_take_too_much() {
    const MIB: usize = 1 << 20;
    let server = TestServer::configured(|config| {
        config.workers = 2;
        // Buffers may be twice as large as what they hold.
        config.maxmemory_clients = ClientsLimit::Bytes(29 * MIB as u64);
    });
    let mut bystander = Bystander::of(&server);
    // Each has sent all but the last byte of its request.
    let begin = |client: &mut Client, length: usize| {
        client.send(format!("*2\r\n$4\r\nECHO\r\n${length}\r\n").as_bytes());
        client.send(&vec![b'x'; length]);
    };
    let finish = |client: &mut Client, length: usize| {
        client.send(b"\r\n");
        assert_eq!(client.read(), Value::Bulk(vec![b'x'; length]));
    };
    let received = |bystander: &mut Bystander, length: usize| {
        eventually("it is received", || bystander.0.run("CLIENT LIST").text().contains(&format!(" qbuf={length} ")));
    };
    let (mut spared, mut small, mut large) = (server.client(), server.client(), server.client());
    spared.run("CLIENT NO-EVICT ON");
    for (client, length) in [(&mut spared, 8 * MIB), (&mut small, 6 * MIB)] {
        begin(client, length);
        received(&mut bystander, format!("*2\r\n$4\r\nECHO\r\n${length}\r\n").len() + length);
    }
    large.send(format!("*2\r\n$4\r\nECHO\r\n${}\r\n", 64 * MIB).as_bytes());
    // It is disconnected in the middle of it.
    large.send_what_is_taken(&vec![b'x'; 64 * MIB]);
    eventually("the largest is gone", || bystander.0.run("INFO stats").text().contains("evicted_clients:1\r\n"));
    finish(&mut spared, 8 * MIB);
    finish(&mut small, 6 * MIB);
    bystander.is_served();
}

#[test]
fn a_subscriber_that_never_reads_is_disconnected_and_the_publisher_goes_on() {
    let server = TestServer::configured(|config| {
        config.workers = 2;
        config.client_output_buffer_limit[2] = OutputLimit { hard: 4 << 20, ..OutputLimit::default() };
    });
    let mut bystander = Bystander::of(&server);
    let mut deaf = server.client();
    deaf.run("SUBSCRIBE news");
    let message = vec![b'x'; 256 << 10];
    eventually("the subscriber is gone", || {
        bystander.0.call(&[&b"PUBLISH"[..], b"news", &message]) == Value::Integer(0)
    });
    bystander.is_served();
}

#[test]
fn a_client_without_the_password_is_told_so_in_a_pipeline_too_and_closed_when_it_does_not_read() {
    let server = TestServer::configured(|config| config.requirepass = "secret".into());
    let refused = "-NOAUTH Authentication required.\r\n";
    // Far more replies than such a client may leave unread.
    let pipeline = b"GET a\r\n".repeat(1000);
    let answer = last_words(&server, &[&pipeline[..], b"QUIT\r\n"].concat());
    assert!(answer == refused.repeat(1000) + "+OK\r\n", "{answer}");
    let mut deaf = server.client();
    deaf.send_what_is_taken(&pipeline.repeat(10_000));
}

#[test]
fn a_rush_of_connections_is_accepted_turn_by_turn() {
    let server = TestServer::with_layout(2, 1);
    let mut bystander = Bystander::of(&server);
    // While the worker that accepts sleeps, more of them come than it accepts in a turn.
    let mut sleeper = server.client();
    sleeper.request(&["DEBUG", "SLEEP", "0.2"]);
    let mut clients: Vec<Client> = (0..700).map(|_| server.client()).collect();
    bystander.is_served();
    for client in &mut clients {
        assert_eq!(client.run("PING"), Value::simple("PONG"));
    }
}

#[test]
fn too_many_clients_are_told() {
    let server = TestServer::configured(|config| config.maxclients = 3);
    let mut clients: Vec<Client> = (0..3).map(|_| server.client()).collect();
    for client in &mut clients {
        client.run("PING");
    }
    assert_eq!(last_words(&server, b""), "-ERR max number of clients reached\r\n");
    drop(clients.pop());
    eventually("there is room again", || last_words(&server, b"QUIT\r\n") == "+OK\r\n");
}

#[test]
fn idle_clients_are_disconnected() {
    let server = TestServer::configured(|config| config.timeout = 1);
    let mut idle = server.client();
    let mut subscriber = server.client();
    subscriber.run("SUBSCRIBE channel");
    let mut waiting = server.client();
    waiting.request(&["BLPOP", "key", "0"]);
    idle.is_closed();
    // Who waits for something is not idle.
    let mut other = server.client();
    other.run("RPUSH key element");
    other.run("PUBLISH channel message");
    waiting.read();
    subscriber.read();
}

#[test]
fn who_waits_for_the_server_or_reads_slowly_is_not_idle() {
    const LENGTH: usize = 64 << 20;
    let server = TestServer::configured(|config| config.timeout = 1);
    server.client().call(&[&b"SET"[..], b"large", &vec![b'x'; LENGTH]]);
    let (mut slow, mut paused) = (TcpStream::connect(server.address()).unwrap(), server.client());
    slow.write_all(b"GET large\r\n").unwrap();
    let mut part = vec![0; 256 << 10];
    slow.read_exact(&mut part).unwrap();
    server.client().run("CLIENT PAUSE 3500 WRITE");
    paused.request(&["SET", "a", "1"]);
    // Far more than the sockets hold is still to come when both would have been idle for too long.
    let end = Instant::now() + Duration::from_millis(3200);
    let mut read = part.len();
    while Instant::now() < end {
        slow.read_exact(&mut part).unwrap();
        read += part.len();
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(read < LENGTH / 2, "it reads slowly");
    assert_eq!(paused.read(), Value::ok());
    slow.write_all(b"QUIT\r\n").unwrap();
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).unwrap();
    assert_eq!(read + rest.len(), "$67108864\r\n".len() + LENGTH + "\r\n+OK\r\n".len());
}

#[test]
fn one_byte_at_a_time_is_a_request_too() {
    let server = TestServer::start();
    let mut slow = server.client();
    for byte in encode(&["ECHO", "patience"]) {
        slow.send(&[byte]);
    }
    assert_eq!(slow.read(), Value::Bulk(b"patience".to_vec()));
}

#[test]
fn a_transaction_of_many_commands_is_executed_whole() {
    let server = TestServer::with_layout(2, 2);
    let mut client = server.client();
    let mut bystander = Bystander::of(&server);
    client.run("MULTI");
    let commands = 50_000;
    client.send(&encode(&["INCR", "counter"]).repeat(commands));
    for _ in 0..commands {
        client.read();
    }
    bystander.is_served();
    let Value::Array(replies) = client.run("EXEC") else { panic!("EXEC answers with an array") };
    assert_eq!(replies.len(), commands);
    assert_eq!(replies.last(), Some(&Value::Integer(commands as i64)));
}

#[test]
fn a_reply_longer_than_memory_is_refused() {
    let server = TestServer::with_layout(2, 1);
    let mut client = server.client();
    client.run("SADD set a b c");
    client.run("HSET hash a 1 b 2");
    client.run("ZADD zset 1 a 2 b");
    for command in ["SRANDMEMBER set", "HRANDFIELD hash", "ZRANDMEMBER zset"] {
        for count in ["-9223372036854775807", "-1000000000"] {
            let reply = client.run(&format!("{command} {count}"));
            assert_eq!(reply, Value::error("ERR the reply would be longer than a gigabyte"), "{command} {count}");
        }
    }
}

#[test]
fn a_connection_is_not_taken_for_the_one_before_it() {
    let server = TestServer::with_layout(2, 1);
    let address = server.address();
    let killer = std::thread::spawn(move || {
        // Many connections end while others begin.
        for _ in 0..300 {
            let mut streams: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(address).unwrap()).collect();
            for stream in &mut streams {
                stream.write_all(b"PING\r\n").unwrap();
            }
        }
    });
    for _ in 0..1000 {
        let mut client = server.client();
        for _ in 0..3 {
            assert_eq!(client.run("PING"), Value::simple("PONG"));
        }
    }
    killer.join().unwrap();
}

#[test]
fn publishers_do_not_keep_a_subscribers_worker_from_its_other_clients() {
    let server = TestServer::configured(|config| {
        config.workers = 2;
        config.client_output_buffer_limit[2] = OutputLimit { hard: 1 << 20, ..OutputLimit::default() };
    });
    // Two clients on each worker.
    let mut clients: Vec<Client> = (0..4).map(|_| server.client()).collect();
    for client in &mut clients {
        client.run("PING");
    }
    let mut publisher = server.client();
    clients[0].run("SUBSCRIBE news");
    clients[1].run("SUBSCRIBE news");
    let publishing = std::thread::spawn(move || {
        let publish = encode(&["PUBLISH", "news", "something that is not so short"]).repeat(200);
        let end = Instant::now() + Duration::from_secs(2);
        while Instant::now() < end {
            publisher.send(&publish);
            (0..200).for_each(|_| drop(publisher.read()));
        }
    });
    while !publishing.is_finished() {
        for client in &mut clients[2..] {
            let before = Instant::now();
            client.run("PING");
            assert!(before.elapsed() < Duration::from_secs(1), "it took {:?}", before.elapsed());
        }
    }
    publishing.join().unwrap();
}

#[test]
fn no_message_comes_after_the_reply_to_unsubscribe() {
    let server = TestServer::with_layout(4, 2);
    let mut publisher = server.client();
    let mut subscriber = server.client();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                publisher.run("PUBLISH channel message");
            }
        });
        for _ in 0..500 {
            subscriber.send(b"SUBSCRIBE channel\r\nUNSUBSCRIBE channel\r\nECHO end\r\n");
            let end = loop {
                match subscriber.read() {
                    Value::Array(_) => {}
                    other => break other,
                }
            };
            assert_eq!(end, Value::bulk("end"));
            assert_eq!(subscriber.run("ECHO next"), Value::bulk("next"));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn a_skipped_reply_that_has_to_wait_is_skipped_as_well() {
    let server = TestServer::with_layout(2, 1);
    let (mut waiting, mut other) = (server.client(), server.client());
    waiting.run("PING");
    waiting.send(b"CLIENT REPLY SKIP\r\nBLPOP list 0\r\nPING\r\n");
    eventually("it waits", || other.run("INFO clients").text().contains("blocked_clients:1"));
    other.run("RPUSH list element");
    assert_eq!(waiting.read(), Value::simple("PONG"));
}

#[test]
fn what_a_pause_holds_back_is_dropped_with_its_client() {
    let server = TestServer::with_layout(2, 1);
    let mut other = server.client();
    let mut gone = TcpStream::connect(server.address()).unwrap();
    other.run("CLIENT PAUSE 500 WRITE");
    gone.write_all(b"SET ghost 1\r\n").unwrap();
    drop(gone);
    eventually("the client is gone", || other.run("CLIENT LIST").text().lines().count() == 1);
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(other.run("EXISTS ghost"), Value::Integer(0));
}
