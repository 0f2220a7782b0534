//! Examples whose answers come from a Redis 7.0, and properties of all inputs.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// All that can be said of an input: the requests, where the last of them ends, and the error behind it.
#[derive(Debug, PartialEq)]
struct Outcome {
    requests: Vec<Vec<Vec<u8>>>,
    end: usize,
    error: Option<ProtocolError>,
}

/// Parses `input` as it becomes visible up to each of `cuts` in turn.
fn parse_pieces(limits: Limits, input: &[u8], cuts: impl IntoIterator<Item = usize>) -> Outcome {
    let mut parser = Parser::new(limits);
    let mut arguments = Arguments::default();
    let mut outcome = Outcome { requests: Vec::new(), end: 0, error: None };
    for cut in cuts {
        loop {
            let buffer = &input[outcome.end..cut];
            match parser.parse(buffer, &mut arguments) {
                Ok(Progress::Complete { length }) => {
                    assert!(!arguments.is_empty());
                    assert_eq!(arguments.len(), arguments.iter(buffer).len());
                    outcome.requests.push(arguments.iter(buffer).map(<[u8]>::to_vec).collect());
                    outcome.end += length;
                }
                Ok(Progress::Empty { length }) => {
                    assert!(length > 0 && arguments.is_empty());
                    outcome.end += length;
                }
                Ok(Progress::Incomplete { need }) => {
                    assert!(need > 0 && arguments.is_empty());
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

fn parse_whole(input: &[u8]) -> Outcome {
    parse_pieces(Limits::default(), input, [input.len()])
}

fn words(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn encode(request: &[Vec<u8>], output: &mut Vec<u8>) {
    output.extend_from_slice(format!("*{}\r\n", request.len()).as_bytes());
    for argument in request {
        output.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        output.extend_from_slice(argument);
        output.extend_from_slice(b"\r\n");
    }
}

fn error_of(input: &[u8]) -> Option<String> {
    parse_whole(input).error.map(|error| error.to_string())
}

#[test]
fn malformed_arrays_are_refused() {
    let multibulk = Some("Protocol error: invalid multibulk length".to_string());
    for input in ["*x\r\n", "*+1\r\n", "*01\r\n", "*-0\r\n", "*\r\n", "* 1\r\n", "*2147483648\r\n"] {
        assert_eq!(error_of(input.as_bytes()), multibulk, "{input:?}");
    }
    let bulk = Some("Protocol error: invalid bulk length".to_string());
    for input in ["$-1\r\n", "$x\r\n", "$\r\n", "$04\r\n", "$536870913\r\n", "$99999999999999999999\r\n"] {
        assert_eq!(error_of(format!("*1\r\n{input}").as_bytes()), bulk, "{input:?}");
    }
    assert_eq!(error_of(b"*1\r\nx\r\n"), Some("Protocol error: expected '$', got 'x'".to_string()));
    assert_eq!(error_of(b"*1\r\n\r\n"), Some("Protocol error: expected '$', got ' '".to_string()));
    assert_eq!(error_of(b"*1\r\nx"), None);
    assert_eq!(error_of(b"*2147483647\r\n"), None);
    assert_eq!(error_of(b"*1\r\n$536870912\r\n"), None);
}

#[test]
fn an_unexpected_byte_is_reported_as_it_came() {
    let mut message = Vec::new();
    ProtocolError::UnexpectedByte(0xff).write_to(&mut message);
    assert_eq!(message, b"Protocol error: expected '$', got '\xff'");
    message.clear();
    ProtocolError::InvalidBulkLength.write_to(&mut message);
    assert_eq!(message, b"Protocol error: invalid bulk length");
}

#[test]
fn lines_without_an_end_are_refused() {
    let long = "1".repeat(65_536);
    let error = |prefix: &str, more: &str| error_of(format!("{prefix}{long}{more}").as_bytes());
    assert_eq!(error("", ""), None);
    assert_eq!(error("", "1"), Some("Protocol error: too big inline request".to_string()));
    assert_eq!(error("*", ""), Some("Protocol error: too big mbulk count string".to_string()));
    assert_eq!(error("*1\r\n", ""), None);
    assert_eq!(error("*1\r\n", "1"), Some("Protocol error: too big bulk count string".to_string()));
}

#[test]
fn requests_without_arguments_are_skipped() {
    for input in
        ["\r\nPING\r\n", "\nPING\n", "  \t\r\nPING\r\n", "*0\r\nPING\r\n", "*-1\r\nPING\r\n", "*-9\r\nPING\r\n"]
    {
        let outcome = parse_whole(input.as_bytes());
        assert_eq!((outcome.requests, outcome.end), (vec![words(&["PING"])], input.len()), "{input:?}");
    }
}

#[test]
fn line_ends_are_not_checked_but_for_their_first_byte() {
    let outcome = parse_whole(b"*1\rz$4\rwPINGxyPING\r\n");
    assert_eq!(outcome.requests, vec![words(&["PING"]), words(&["PING"])]);
    assert_eq!(parse_whole(b"*1\n$4\nPING\n").requests, Vec::<Vec<Vec<u8>>>::new());
}

#[test]
fn clients_that_have_not_authenticated_may_send_less() {
    let limits = Limits { authenticated: false, ..Limits::default() };
    let error = |input: &[u8]| parse_pieces(limits, input, [input.len()]).error.map(|error| error.to_string());
    assert_eq!(error(b"*10\r\n$16384\r\n"), None);
    assert_eq!(error(b"*11\r\n"), Some("Protocol error: unauthenticated multibulk length".to_string()));
    assert_eq!(error(b"*1\r\n$16385\r\n"), Some("Protocol error: unauthenticated bulk length".to_string()));
    assert_eq!(error(b"*1\r\n$536870913\r\n"), Some("Protocol error: invalid bulk length".to_string()));
    assert_eq!(error(b"ECHO 1 2 3 4 5 6 7 8 9 10 11\r\n"), None);

    // AUTH among the requests of one buffer.
    let mut parser = Parser::new(limits);
    let mut arguments = Arguments::default();
    assert_eq!(parser.parse(b"*10\r\n", &mut arguments), Ok(Progress::Incomplete { need: 1 }));
    parser.limits_mut().authenticated = true;
    assert_eq!(parser.parse(b"*10\r\n$20000\r\n", &mut arguments), Ok(Progress::Incomplete { need: 20_002 }));
    parser.reset();
    assert_eq!(parser.parse(b"*99\r\n", &mut arguments), Ok(Progress::Incomplete { need: 1 }));
}

#[test]
fn quotes_of_inline_requests() {
    let line = |line: &str| parse_whole(format!("{line}\r\n").as_bytes());
    for (input, word) in [
        (r"'a\'b'", "a'b"),
        (r#""\x41\n\q\xg1\x4""#, "A\nqxg1x4"),
        (r#""\n\r\t\b\a\\\"""#, "\n\r\t\u{8}\u{7}\\\""),
        (r#"a"b c""#, "ab c"),
        ("\"a\"\u{b}", "a"),
        ("a\u{b}b", "a\u{b}b"),
        ("\u{b}\u{c}a", "a"),
        (r#""""#, ""),
        ("''", ""),
        (r"a\", r"a\"),
        (r"'\n'", r"\n"),
        ("a\0b", "a\0b"),
    ] {
        assert_eq!(line(input).requests, vec![words(&[word])], "{input:?}");
    }
    assert_eq!(line(r#" SET  "" 'a b'"#).requests, vec![words(&["SET", "", "a b"])]);
    assert_eq!(line("a\rb").requests, vec![words(&["a", "b"])]);
    for input in [r#""a"#, r#""a"b"#, "'a'b", "'a", r#""a\""#, r#"a"b"c"#, r#""a"'b'"#, "'\\'"] {
        assert_eq!(line(input).error, Some(ProtocolError::UnbalancedQuotes), "{input:?}");
    }
}

#[test]
fn a_request_of_four_gibibytes_is_refused() {
    let parser = Parser::default();
    assert_eq!(parser.check_bulk(10, u32::MAX as usize - 12), Ok(10));
    assert_eq!(parser.check_bulk(10, u32::MAX as usize - 11), Err(ProtocolError::TooBigRequest));
}

#[test]
fn nothing_is_allocated_for_an_announced_count() {
    let mut parser = Parser::default();
    let mut arguments = Arguments::default();
    let input = b"*2147483647\r\n$536870912\r\n";
    assert_eq!(parser.parse(input, &mut arguments), Ok(Progress::Incomplete { need: 536_870_914 }));
    assert!(!parser.unfinished.spans.spilled());
}

#[test]
fn a_long_argument_in_single_bytes_takes_linear_time() {
    let mut input = Vec::new();
    encode(&[vec![b'x'; 1_000_000]], &mut input);
    let outcome = parse_pieces(Limits::default(), &input, 0..=input.len());
    assert_eq!(outcome.requests, vec![vec![vec![b'x'; 1_000_000]]]);
}

#[test]
fn a_pipeline_may_be_split_anywhere() {
    let mut input = Vec::new();
    let mut expected = Vec::new();
    for index in 0..40 {
        let lengths = [index % 12, 9 + index, 99 + index % 3, 0];
        let request: Vec<Vec<u8>> =
            lengths.iter().cycle().take(1 + index % 9).map(|&length| vec![b'a' + index as u8 % 26; length]).collect();
        encode(&request, &mut input);
        expected.push(request);
        input.extend_from_slice(b"SET key 'a value' \"\\x00\"\r\n*0\r\n");
        expected.push(words(&["SET", "key", "a value", "\0"]));
    }
    let whole = parse_whole(&input);
    assert_eq!(whole, Outcome { requests: expected, end: input.len(), error: None });
    for cut in 0..input.len() {
        assert_eq!(parse_pieces(Limits::default(), &input, [cut, input.len()]), whole, "split at {cut}");
    }
    assert_eq!(parse_pieces(Limits::default(), &input, 0..=input.len()), whole);
}

/// Bytes among which the ones that mean something are frequent.
fn likely_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\r\n".to_vec()),
        (0..12u32).prop_map(|count| format!("*{count}\r\n").into_bytes()),
        (0..12u32).prop_map(|length| format!("${length}\r\n").into_bytes()),
        vec(proptest::sample::select(&b"*$-+0123456789\r\n \t'\"\\xna"[..]), 0..6),
        vec(any::<u8>(), 0..6),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn any_limits() -> impl Strategy<Value = Limits> {
    (0..200usize, 0..40usize, 0..20usize, any::<bool>()).prop_map(|(bulk, inline, arguments, authenticated)| Limits {
        bulk,
        inline,
        arguments,
        authenticated,
    })
}

proptest! {
    #[test]
    fn pieces_say_what_the_whole_says(
        input in likely_bytes(),
        limits in prop_oneof![Just(Limits::default()), any_limits()],
        mut cuts in vec(any::<proptest::sample::Index>(), 0..8),
    ) {
        let whole = parse_pieces(limits, &input, [input.len()]);
        let mut cuts: Vec<usize> = cuts.drain(..).map(|cut| cut.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(input.len());
        prop_assert_eq!(&parse_pieces(limits, &input, cuts), &whole);
        prop_assert_eq!(&parse_pieces(limits, &input, 0..=input.len()), &whole);
    }

    #[test]
    fn fewer_bytes_than_needed_are_not_enough(input in likely_bytes(), more in likely_bytes()) {
        let mut parser = Parser::default();
        let mut arguments = Arguments::default();
        if let Ok(Progress::Incomplete { need }) = parser.parse(&input, &mut arguments) {
            let mut longer = input;
            longer.extend(more.into_iter().cycle().take((need - 1).min(10_000)));
            let progress = parser.parse(&longer, &mut arguments);
            prop_assert!(matches!(progress, Ok(Progress::Incomplete { .. })), "{progress:?}");
        }
    }

    #[test]
    fn arrays_come_back(requests in vec(vec(vec(any::<u8>(), 0..130), 1..12), 0..12)) {
        let mut input = Vec::new();
        requests.iter().for_each(|request| encode(request, &mut input));
        let end = input.len();
        prop_assert_eq!(parse_whole(&input), Outcome { requests, end, error: None });
    }

    #[test]
    fn quoted_words_come_back(request in vec((vec(any::<u8>(), 0..20), any::<bool>()), 1..12)) {
        let mut input = Vec::new();
        for (word, escaped) in &request {
            input.push(b' ');
            if *escaped {
                let bytes: String = word.iter().map(|byte| format!("\\x{byte:02X}")).collect();
                input.extend_from_slice(format!("\"{bytes}\"").as_bytes());
            } else {
                // What can't stand between single quotes is left out.
                input.push(b'\'');
                input.extend(word.iter().filter(|byte| !b"\\'\n".contains(byte)));
                input.push(b'\'');
            }
        }
        input.extend_from_slice(b"\r\n");
        let expected: Vec<Vec<u8>> = request
            .into_iter()
            .map(|(word, escaped)| word.into_iter().filter(|byte| escaped || !b"\\'\n".contains(byte)).collect())
            .collect();
        prop_assert_eq!(parse_whole(&input).requests, vec![expected]);
    }
}
