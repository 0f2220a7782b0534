//! Pipelines: any depth, cut anywhere, with everything in them; the replies come in order.

mod common;

use common::{Client, TestServer, Value, encode, eventually, everywhere};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Commands of all kinds, and what they answer one after the other on an empty server.
fn mixture(round: usize) -> (Vec<u8>, Vec<Value>) {
    let key = format!("key{round}");
    let mut sent = Vec::new();
    let mut expected = Vec::new();
    let mut add = |words: &[&str], reply: Value| {
        sent.extend_from_slice(&encode(words));
        expected.push(reply);
    };
    add(&["SET", &key, "1"], Value::ok());
    add(&["GET", &key], Value::bulk("1"));
    add(&["INCR", &key], Value::Integer(2));
    add(&["PING"], Value::simple("PONG"));
    add(&["GET", &key], Value::bulk("2"));
    add(&["LPUSH", &key, "x"], Value::error("WRONGTYPE Operation against a key holding the wrong kind of value"));
    add(&["RPUSH", "list", &round.to_string()], Value::Integer(1));
    add(&["LRANGE", "list", "0", "-1"], Value::bulks(&[round.to_string()]));
    add(&["BLPOP", "list", "0"], Value::bulks(&["list", &round.to_string()]));
    add(&["MULTI"], Value::ok());
    add(&["INCR", &key], Value::simple("QUEUED"));
    add(&["ECHO", "within"], Value::simple("QUEUED"));
    add(&["GET", &key], Value::simple("QUEUED"));
    add(&["EXEC"], Value::Array(vec![Value::Integer(3), Value::bulk("within"), Value::bulk("3")]));
    add(&["GET"], Value::error("ERR wrong number of arguments for 'get' command"));
    add(&["DEL", &key], Value::Integer(1));
    add(&["GET", &key], Value::NullBulk);
    (sent, expected)
}

fn check(client: &mut Client, expected: &[Value]) {
    for (index, value) in expected.iter().enumerate() {
        assert_eq!(&client.read(), value, "reply {index}");
    }
}

#[test]
fn replies_come_in_the_order_of_the_commands() {
    everywhere(|server| {
        let mut client = server.client();
        let (sent, expected): (Vec<_>, Vec<_>) = (0..300).map(mixture).unzip();
        client.send(&sent.concat());
        check(&mut client, &expected.concat());
    });
}

#[test]
fn requests_may_be_cut_anywhere() {
    let server = TestServer::with_layout(2, 1);
    let mut client = server.client();
    let (sent, expected) = mixture(0);
    let mut state = 7u64;
    for _ in 0..100 {
        let mut rest = &sent[..];
        while !rest.is_empty() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (piece, later) = rest.split_at((1 + (state >> 33) as usize % 60).min(rest.len()));
            client.send(piece);
            rest = later;
        }
        check(&mut client, &expected);
    }
}

#[test]
fn a_client_may_send_a_million_commands_before_it_reads() {
    let server = TestServer::with_layout(2, 1);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let commands = 1_000_000;
    let pipeline = b"INCR counter\r\n".repeat(1000);
    for _ in 0..commands / 1000 {
        stream.write_all(&pipeline).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    // The end of what it sends ends the connection, after all replies.
    let mut replies = String::new();
    stream.read_to_string(&mut replies).unwrap();
    let expected: String = (1..=commands).map(|number| format!(":{number}\r\n")).collect();
    assert!(replies == expected, "{} bytes instead of {}", replies.len(), expected.len());
}

#[test]
fn what_follows_a_command_that_waits_waits_too() {
    everywhere(|server| {
        let (mut client, mut other) = (server.client(), server.client());
        client.send(b"BLPOP queue 0\r\nSET after 1\r\nGET after\r\nBLPOP queue 0.05\r\nPING\r\n");
        eventually("it waits", || other.run("INFO clients").text().contains("blocked_clients:1"));
        assert_eq!(other.run("EXISTS after"), Value::Integer(0));
        other.run("RPUSH queue element");
        let replies = [
            Value::bulks(&["queue", "element"]),
            Value::ok(),
            Value::bulk("1"),
            Value::NullArray,
            Value::simple("PONG"),
        ];
        check(&mut client, &replies);
        other.run("DEL after");
    });
}

#[test]
fn the_protocol_may_change_within_a_pipeline() {
    let server = TestServer::start();
    let mut client = server.client();
    client.send(b"GET none\r\nHELLO 3\r\nGET none\r\nHSET h f v\r\nHGETALL h\r\nHELLO 2\r\nHGETALL h\r\n");
    assert_eq!(client.read(), Value::NullBulk);
    assert!(matches!(client.read(), Value::Map(_)));
    assert_eq!(client.read(), Value::Null);
    assert_eq!(client.read(), Value::Integer(1));
    assert_eq!(client.read(), Value::Map(vec![(Value::bulk("f"), Value::bulk("v"))]));
    assert!(matches!(client.read(), Value::Array(_)));
    assert_eq!(client.read(), Value::bulks(&["f", "v"]));
}

#[test]
fn replies_that_are_not_wanted_are_left_out_of_a_pipeline() {
    let server = TestServer::start();
    let mut client = server.client();
    client.send(
        b"CLIENT REPLY OFF\r\nSET a 1\r\nGET a\r\nPING\r\nCLIENT REPLY ON\r\nGET a\r\nCLIENT REPLY SKIP\r\nINCR a\r\nGET a\r\n",
    );
    check(&mut client, &[Value::ok(), Value::bulk("1"), Value::bulk("2")]);
}

#[test]
fn a_large_value_passes_beside_small_commands() {
    let server = TestServer::with_layout(2, 2);
    let (mut large, mut small) = (server.client(), server.client());
    let value: Vec<u8> = (0..100 << 20).map(|byte: u32| (byte % 251) as u8).collect();
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            assert_eq!(large.call(&[&b"SET"[..], b"large", &value]), Value::ok());
            assert_eq!(large.run("STRLEN large"), Value::Integer(value.len() as i64));
            assert_eq!(large.run("GETRANGE large 104857500 -1"), Value::bulk(&value[104_857_500..]));
        });
        while !sending.is_finished() {
            assert_eq!(small.run("PING"), Value::simple("PONG"));
        }
    });
}

#[test]
fn a_pipeline_ahead_of_its_execution_waits_in_the_socket() {
    let server = TestServer::configured(|config| {
        config.workers = 2;
        config.client_query_buffer_limit = 1 << 20;
    });
    let (mut client, mut other) = (server.client(), server.client());
    client.run("RPUSH list element");
    // Each gives way to other clients, so that requests come faster than they are executed.
    let commands = 200_000;
    let mut reader = TcpStream::connect(server.address()).unwrap();
    let mut writer = reader.try_clone().unwrap();
    reader.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..commands / 1000 {
                writer.write_all(&b"LRANGE list 0 -1\r\n".repeat(1000)).unwrap();
            }
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let reading = scope.spawn(move || {
            let mut replies = Vec::new();
            reader.read_to_end(&mut replies).unwrap();
            replies
        });
        while !reading.is_finished() {
            for line in other.run("CLIENT LIST").text().lines() {
                let received = line.split(' ').find_map(|field| field.strip_prefix("qbuf=")).unwrap();
                assert!(received.parse::<usize>().unwrap() <= 256 << 10, "{line}");
            }
        }
        assert!(reading.join().unwrap() == b"*1\r\n$7\r\nelement\r\n".repeat(commands), "the replies");
    });
}

#[test]
fn what_is_sent_behind_a_wait_is_limited_and_a_large_request_is_too() {
    let server = TestServer::configured(|config| config.client_query_buffer_limit = 1 << 20);
    let mut waiting = server.client();
    waiting.send(b"BLPOP queue 0\r\n");
    waiting.send_what_is_taken(&b"PING\r\n".repeat(4 << 20));
    let mut large = server.client();
    large.send(b"*2\r\n$4\r\nECHO\r\n$33554432\r\n");
    large.send_what_is_taken(&vec![b'x'; 32 << 20]);
    let mut other = server.client();
    let gone = "client_query_buffer_limit_disconnections:2\r\n";
    eventually("both are counted", || other.run("INFO stats").text().contains(gone));
}

#[test]
fn one_pipeline_leaves_time_for_other_clients() {
    let server = TestServer::start();
    let (mut busy, mut other) = (server.client(), server.client());
    // All of it is received before any of it may be executed.
    let commands = 200_000;
    busy.send(b"CLIENT REPLY OFF\r\nBLPOP queue 0\r\n");
    eventually("it waits", || other.run("INFO clients").text().contains("blocked_clients:1"));
    let pipeline = b"INCR counter\r\n".repeat(commands);
    busy.send(&pipeline);
    let received = format!(" qbuf={} ", pipeline.len());
    eventually("all is received", || other.run("CLIENT LIST").text().contains(&received));
    other.run("RPUSH queue element");
    let mut seen = Vec::new();
    while seen.last() != Some(&commands) {
        if let Value::Bulk(count) = other.run("GET counter") {
            seen.push(String::from_utf8(count).unwrap().parse().unwrap());
        }
    }
    assert!(seen.len() > 1, "the other client is served only when all is executed");
}
