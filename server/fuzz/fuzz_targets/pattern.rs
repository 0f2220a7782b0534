//! Matching a pattern never panics, takes a time that the lengths bound, and respects the pattern's prefix.
//!
//! `cargo +nightly fuzz run pattern`
#![no_main]

use libfuzzer_sys::fuzz_target;
use nr_server::resp::pattern::{literal_prefix, matches};

fuzz_target!(|input: (&[u8], &[u8])| {
    let (pattern, text) = input;
    if matches(pattern, text, false) {
        assert!(text.starts_with(literal_prefix(pattern)));
    }
    matches(pattern, text, true);

    let escaped: Vec<u8> = text.iter().flat_map(|&byte| [b'\\', byte]).collect();
    assert!(matches(&escaped, text, false));
    assert!(matches(&escaped, text, true));
    if !text.is_empty() {
        assert!(matches(&[b"*", &escaped[..], b"*"].concat(), text, false));
    }
});
