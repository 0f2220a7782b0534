//! What it costs to find the arguments of clients' requests in what a socket gave: the server's reader beside the crate
//! `redis-protocol`.
#![allow(missing_docs, reason = "criterion's macros make public functions without documentation")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nr_server::resp::request::{Arguments, Parser, Progress};
use redis_protocol::resp2::decode::{decode_bytes, decode_range};

/// A request as clients send it.
fn request(arguments: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The inputs: a name, the bytes, and how many arguments they hold.
fn inputs() -> Vec<(&'static str, Vec<u8>, usize)> {
    let get = request(&[b"GET", b"key:000000012345"]).repeat(64);
    let set = request(&[b"SET", b"key:000000012345", &[b'v'; 64]]).repeat(64);
    let large = request(&[b"SET", b"key:000000012345", &vec![b'v'; 60_000]]);
    let mut words: Vec<&[u8]> = vec![b"RPUSH", b"list"];
    words.resize(1002, b"element");
    vec![
        ("64 GET", get, 128),
        ("64 SET of 64 bytes", set, 192),
        ("SET of 60,000 bytes", large, 3),
        ("RPUSH of 1,000 elements", request(&words), 1002),
    ]
}

fn with_own(input: &[u8], arguments: &mut Arguments) -> usize {
    let mut parser = Parser::default();
    let (mut start, mut found) = (0, 0);
    while start < input.len() {
        match parser.parse(&input[start..], arguments) {
            Ok(Progress::Complete { length }) => {
                found +=
                    arguments.iter(&input[start..]).map(|argument| black_box(argument).len().min(1)).sum::<usize>();
                start += length;
            }
            other => panic!("the input holds whole requests: {other:?}"),
        }
    }
    found
}

fn with_ranges(input: &[u8]) -> usize {
    use redis_protocol::resp2::types::RangeFrame;

    let (mut start, mut found) = (0, 0);
    while start < input.len() {
        let (frame, length) = decode_range(&input[start..]).expect("the input is valid").expect("it is whole");
        let RangeFrame::Array(frames) = frame else { panic!("a request is an array") };
        for frame in &frames {
            let RangeFrame::BulkString((from, to)) = frame else { panic!("an argument is a bulk string") };
            found += black_box(&input[start + from..start + to]).len().min(1);
        }
        start += length;
    }
    found
}

fn with_bytes(input: &Bytes) -> usize {
    use redis_protocol::resp2::types::BytesFrame;

    let (mut rest, mut found) = (input.clone(), 0);
    while !rest.is_empty() {
        let (frame, length) = decode_bytes(&rest).expect("the input is valid").expect("it is whole");
        let BytesFrame::Array(frames) = frame else { panic!("a request is an array") };
        for frame in &frames {
            let BytesFrame::BulkString(argument) = frame else { panic!("an argument is a bulk string") };
            found += black_box(argument).len().min(1);
        }
        rest = rest.slice(length..);
    }
    found
}

fn requests(criterion: &mut Criterion) {
    for (name, input, count) in inputs() {
        let shared = Bytes::from(input.clone());
        let mut arguments = Arguments::default();
        for found in [with_own(&input, &mut arguments), with_ranges(&input), with_bytes(&shared)] {
            assert_eq!(found, count, "{name}: all find the same arguments");
        }
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(input.len() as u64));
        group.bench_function("nr-server", |bencher| bencher.iter(|| with_own(black_box(&input), &mut arguments)));
        group.bench_function("redis-protocol, ranges", |bencher| bencher.iter(|| with_ranges(black_box(&input))));
        group.bench_function("redis-protocol, bytes", |bencher| bencher.iter(|| with_bytes(black_box(&shared))));
        group.finish();
    }
}

criterion_group!(benches, requests);
criterion_main!(benches);
