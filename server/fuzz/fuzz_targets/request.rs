//! Requests that arrive in pieces are the same requests, the same errors, and end at the same places.
//!
//! `cargo +nightly fuzz run request`
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use nr_server::resp::request::{Arguments, Limits, Parser, Progress, ProtocolError};

#[derive(Arbitrary, Debug)]
struct Input {
    bulk: u8,
    inline: u8,
    arguments: u8,
    authenticated: bool,
    cuts: Vec<u16>,
    bytes: Vec<u8>,
}

#[derive(Debug, PartialEq)]
struct Outcome {
    requests: Vec<Vec<Vec<u8>>>,
    end: usize,
    error: Option<ProtocolError>,
}

fn parse(limits: Limits, bytes: &[u8], cuts: impl IntoIterator<Item = usize>) -> Outcome {
    let mut parser = Parser::new(limits);
    let mut arguments = Arguments::default();
    let mut outcome = Outcome { requests: Vec::new(), end: 0, error: None };
    for cut in cuts {
        loop {
            let buffer = &bytes[outcome.end..cut];
            match parser.parse(buffer, &mut arguments) {
                Ok(Progress::Complete { length }) => {
                    outcome.requests.push(arguments.iter(buffer).map(<[u8]>::to_vec).collect());
                    outcome.end += length;
                }
                Ok(Progress::Empty { length }) => outcome.end += length,
                Ok(Progress::Incomplete { need }) => {
                    assert!(need > 0);
                    break;
                }
                Err(error) => {
                    outcome.error = Some(error);
                    return outcome;
                }
            }
        }
    }
    outcome
}

fuzz_target!(|input: Input| {
    let limits = Limits {
        bulk: usize::from(input.bulk),
        inline: usize::from(input.inline),
        arguments: usize::from(input.arguments),
        authenticated: input.authenticated,
    };
    for limits in [Limits::default(), limits] {
        let bytes = &input.bytes[..];
        let whole = parse(limits, bytes, [bytes.len()]);
        let mut cuts: Vec<usize> = input.cuts.iter().map(|&cut| usize::from(cut) % (bytes.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(bytes.len());
        assert_eq!(parse(limits, bytes, cuts), whole);
        assert_eq!(parse(limits, bytes, 0..=bytes.len()), whole);
    }
});
