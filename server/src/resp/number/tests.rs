//! Examples whose answers come from a Redis 7.0, and properties of all inputs.

use proptest::prelude::*;

use super::*;

#[test]
fn integers() {
    for (text, expected) in [
        ("0", Some(0)),
        ("-1", Some(-1)),
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("-9223372036854775809", None),
        ("9999999999999999999", None),
        ("18446744073709551617", None),
        ("", None),
        ("-", None),
        ("-0", None),
        ("+1", None),
        ("01", None),
        ("-01", None),
        (" 1", None),
        ("1 ", None),
        ("1a", None),
        ("--1", None),
    ] {
        assert_eq!(parse_integer(text.as_bytes()), expected, "{text:?}");
    }
}

#[test]
fn floats() {
    for (text, expected) in [
        ("1", 1.0),
        ("+1", 1.0),
        ("-1.5e3", -1500.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1E+2", 100.0),
        ("inf", f64::INFINITY),
        ("-INF", f64::NEG_INFINITY),
        ("+Infinity", f64::INFINITY),
        ("0x1p3", 8.0),
        ("-0X1.8P-1", -0.75),
        ("0x.8", 0.5),
        ("0x1.", 1.0),
        ("0x0p0", 0.0),
        ("0e999999999999999999999", 0.0),
        ("4.9e-324", f64::from_bits(1)),
        ("0x1.8p-1075", f64::from_bits(1)),
        ("0x1.fffffffffffffp1023", f64::MAX),
        ("0x20000000000001", 9007199254740992.0),
        ("0x20000000000003", 9007199254740996.0),
        ("0x2000000000000100000000000000000000000000000001p-128", 9007199254740994.0),
    ] {
        assert_eq!(parse_float(text.as_bytes()), Some(expected), "{text:?}");
    }
    for text in [
        "",
        " ",
        ".",
        "+",
        "-",
        "-+1",
        " 1",
        "1 ",
        "1\n",
        "1_0",
        "1e",
        "1e+",
        "e1",
        "1.2.3",
        "1,0",
        "1d",
        "nan",
        "-nan",
        "infi",
        "in",
        "0x",
        "0x.",
        "0x1p",
        "0xp1",
        "0x1.1.1",
        "0xg",
        "1e400",
        "-1e400",
        "1e-400",
        "2e-324",
        "0x1p-1075",
        "0x1p1024",
        "0x1.fffffffffffff8p1023",
        "0x1p99999999999999999999",
        "1\0",
    ] {
        assert_eq!(parse_float(text.as_bytes()), None, "{text:?}");
    }
    assert!(parse_float(b"-0").is_some_and(|zero| zero == 0.0 && zero.is_sign_negative()));
}

#[test]
fn float_texts() {
    for (number, expected) in [
        (3.0, "3"),
        (-3.0, "-3"),
        (0.0, "0"),
        (-0.0, "-0"),
        (0.1, "0.10000000000000001"),
        (0.0001, "0.0001"),
        (0.00001, "1.0000000000000001e-05"),
        (1.5e-10, "1.5e-10"),
        (1e15, "1000000000000000"),
        (1e16, "10000000000000000"),
        (1e17, "1e+17"),
        (1e20, "1e+20"),
        (123456.75, "123456.75"),
        (12345678901234567.0, "12345678901234568"),
        (3_602_879_701_896_397.0 / 8.0, "450359962737049.62"),
        (3_602_879_701_896_399.0 / 8.0, "450359962737049.88"),
        (f64::MAX, "1.7976931348623157e+308"),
        (-f64::MIN_POSITIVE, "-2.2250738585072014e-308"),
        (f64::from_bits(1), "4.9406564584124654e-324"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
    ] {
        assert_eq!(format_float(number).to_string(), expected);
    }
}

#[test]
fn sums() {
    for (current, increment, expected) in [
        ("3.0", "1.1", "4.1"),
        ("10.50", "0.1", "10.6"),
        ("5.0e3", "2.0e2", "5200"),
        ("17179869184", "1", "17179869185"),
        ("1000.1", "0.1", "1000.19999999999999996"),
        ("1e30", "1", "1000000000000000000024696061952"),
        ("9999999999999999999999999999999999999999", "1", "9999999999999999999783686092270256259072"),
        ("0", "1e-17", "0.00000000000000001"),
        ("0", "-1e-18", "0"),
        ("-0", "0", "0"),
        ("1", "-1", "0"),
        ("1", "-1.5", "-0.5"),
        ("0x1p70", "0", "1180591620717411303424"),
    ] {
        assert_eq!(add_decimal(current.as_bytes(), increment.as_bytes()).as_deref(), Ok(expected));
    }
    let add = |current: &str, increment: &str| add_decimal(current.as_bytes(), increment.as_bytes());
    for text in ["", "abc", " 1", "1 ", "nan", "1e5000", "1e-5000", "0x1p-16446", "1e", "."] {
        assert_eq!(add(text, "1"), Err(FloatError::NotAFloat), "{text}");
        assert_eq!(add("1", text), Err(FloatError::NotAFloat), "{text}");
    }
    assert_eq!(add("inf", "1"), Err(FloatError::NotFinite));
    assert_eq!(add("inf", "-inf"), Err(FloatError::NotFinite));
    assert_eq!(add("1.1e4932", "1.1e4932"), Err(FloatError::NotFinite));
    assert_eq!(add(&"0".repeat(5119), "1").as_deref(), Ok("1"));
    assert_eq!(add(&"0".repeat(5120), "1"), Err(FloatError::NotAFloat));
    let largest = add("1e4932", "0").unwrap_or_default();
    assert!(largest.len() == 4933 && largest.starts_with("1000000000000000000006018949387963891323837774254533"));
    // The quotient by 5^27 may have 65 bits, too few to tell a rest from a half.
    let long = Extended::parse(b"47717507776716783830e-28");
    assert!(long.is_some() && Extended::parse(b"4771750777671678383e-27") == long);
    // The smallest number, and one below half of it.
    assert!(Extended::parse(b"0x1p-16445").is_some() && Extended::parse(b"1e-4951").is_none());
}

#[test]
fn a_thousandfold_is_rounded_up() {
    let thousandfold = |text: &str| Extended::parse(text.as_bytes()).unwrap().thousandfold_rounded_up();
    for (text, expected) in [
        ("0", Some(0)),
        ("-0", Some(0)),
        ("0.001", Some(1)),
        ("0.0011", Some(2)),
        ("1e-4000", Some(1)),
        ("-1e-4000", Some(0)),
        ("-0.001", Some(0)),
        ("-0.002", Some(-1)),
        ("-1.0019", Some(-1001)),
        ("1.5", Some(1500)),
        ("9223372036854775.807", Some(i64::MAX)),
        ("9223372036854775.808", None),
        ("-9223372036854775.808", Some(-i64::MAX)),
        ("-9223372036854775.81", None),
        ("1e16", None),
        ("1e400", None),
        ("-1e4932", None),
        ("inf", None),
    ] {
        assert_eq!(thousandfold(text), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn integers_come_back(number: i64, text in "[-+ ]?0?[0-9]{1,20}a?") {
        prop_assert_eq!(parse_integer(number.to_string().as_bytes()), Some(number));
        let expected = text.parse::<i64>().ok().filter(|number| number.to_string() == text);
        prop_assert_eq!(parse_integer(text.as_bytes()), expected);
    }

    #[test]
    fn floats_come_back(number: f64) {
        let text = format_float(number);
        prop_assert_eq!(parse_float(text.as_bytes()).map(f64::to_bits), Some(number.to_bits()));
    }

    #[test]
    fn hexadecimal_floats_come_back(number: f64) {
        let bits = number.to_bits();
        let (fraction, exponent) = (bits & ((1 << 52) - 1), bits >> 52 & 0x7ff);
        let sign = if number.is_sign_negative() { "-" } else { "" };
        let text = match exponent {
            0 => format!("{sign}0x0.{fraction:013x}p-1022"),
            _ => format!("{sign}0x1.{fraction:013x}p{}", exponent as i64 - 1023),
        };
        prop_assert_eq!(parse_float(text.as_bytes()).map(f64::to_bits), Some(bits));
    }

    #[test]
    fn decimal_floats_are_those_of_the_standard_library(text in "[-+]?[0-9]{0,25}[.]?[0-9]{0,25}(e[-+]?[0-9]{1,3})?") {
        let expected = text.parse::<f64>().ok().filter(|number| {
            number.is_finite() && (*number != 0.0 || !has_significant_digit(text.as_bytes()))
        });
        prop_assert_eq!(parse_float(text.as_bytes()), expected);
    }

    #[test]
    fn sums_of_integers_are_exact(left in -1i64 << 62..1 << 62, right in -1i64 << 62..1 << 62) {
        let sum = add_decimal(left.to_string().as_bytes(), right.to_string().as_bytes());
        prop_assert_eq!(sum, Ok((left + right).to_string()));
    }

    #[test]
    fn sums_of_amounts_are_exact(left in -2500i64..2500, right in -2500i64..2500) {
        // With two decimals and below 50, the rounding of 64 bits stays below the 17 decimals.
        let amount = |hundredths: i64| {
            let sign = if hundredths < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:02}", hundredths.abs() / 100, hundredths.abs() % 100);
            text.trim_end_matches('0').trim_end_matches('.').to_string()
        };
        let sum = add_decimal(amount(left).as_bytes(), amount(right).as_bytes());
        prop_assert_eq!(sum, Ok(amount(left + right)));
    }

    #[test]
    fn long_and_short_texts_mean_the_same(digits in 1u64.., exponent in -40i32..40) {
        let short = Extended::parse(format!("{digits}e{exponent}").as_bytes());
        let zeros = "0".repeat(30);
        prop_assert_eq!(Extended::parse(format!("{digits}{zeros}e{}", exponent - 30).as_bytes()), short);
        prop_assert_eq!(Extended::parse(format!("{digits}.{zeros}e{exponent}").as_bytes()), short);
    }

    #[test]
    fn any_bytes_will_do(left in "[-+.0-9a-fxpEIN]{0,30}", right: Vec<u8>) {
        let sum = add_decimal(left.as_bytes(), &right);
        prop_assert_eq!(add_decimal(&right, left.as_bytes()), sum);
        parse_float(left.as_bytes());
        parse_float(&right);
        parse_integer(&right);
    }
}
