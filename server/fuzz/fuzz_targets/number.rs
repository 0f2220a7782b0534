//! Numbers that are read are those that the standard library reads, and come back when they are written.
//!
//! `cargo +nightly fuzz run number`
#![no_main]

use libfuzzer_sys::fuzz_target;
use nr_server::resp::number::{Extended, add_decimal, format_float, parse_float, parse_integer};

fuzz_target!(|input: (&[u8], &[u8])| {
    let (left, right) = input;
    if let Some(integer) = parse_integer(left) {
        assert_eq!(integer.to_string().as_bytes(), left);
    }
    if let Some(float) = parse_float(left) {
        assert_eq!(parse_float(format_float(float).as_bytes()).map(f64::to_bits), Some(float.to_bits()));
        if let Some(expected) = std::str::from_utf8(left).ok().and_then(|text| text.parse::<f64>().ok()) {
            assert_eq!(float.to_bits(), expected.to_bits());
        }
    }
    let sum = add_decimal(left, right);
    assert_eq!(add_decimal(right, left), sum);
    if let Ok(sum) = sum {
        // Up to 17 decimals are written, which needn't tell numbers apart, but are read as what they say.
        let read = Extended::parse(sum.as_bytes()).expect("a number that was written is one");
        assert!(read.is_finite());
    }
    if let (Some(left_integer), Some(right_integer)) = (parse_integer(left), parse_integer(right)) {
        if let Some(exact) = left_integer.checked_add(right_integer) {
            assert_eq!(add_decimal(left, right), Ok(exact.to_string()));
        }
    }
});
