//! How the text of a value is checked, and what it may be.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// What the value of a parameter may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `yes` or `no`.
    Boolean,
    /// A whole number.
    Integer {
        /// The smallest.
        minimum: i64,
        /// The largest.
        maximum: i64,
    },
    /// Several whole numbers, separated by spaces.
    Integers {
        /// How many.
        count: usize,
        /// The smallest that each may be.
        minimum: i64,
        /// The largest that each may be.
        maximum: i64,
    },
    /// A whole number in base eight.
    Octal {
        /// The largest.
        maximum: u32,
    },
    /// A number of bytes, perhaps with a unit: `k`, `m` and `g` are powers of 1000, `kb`, `mb` and
    /// `gb` powers of 1024.
    Memory {
        /// The smallest.
        minimum: u64,
        /// The largest.
        maximum: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Some of several words, separated by spaces.
    Flags {
        /// The words. The first stands for none of the others.
        names: &'static [&'static str],
        /// Two that exclude each other.
        exclusive: [&'static str; 2],
    },
    /// Anything.
    Text,
    /// The name of a file without a directory.
    FileName,
    /// A parameter of a feature that this server doesn't have: it can only be off.
    Only {
        /// The value that means off.
        value: &'static str,
        /// What to tell somebody who wants another value.
        reason: &'static str,
    },
    /// One word that the parameter reads itself.
    Word {
        /// What the value looks like.
        syntax: &'static str,
    },
    /// Several words that the parameter reads itself.
    Words {
        /// What the value looks like.
        syntax: &'static str,
    },
}

/// A checked value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Boolean(bool),
    Integer(i128),
    /// A place in the list of choices.
    Choice(usize),
    Text(Vec<u8>),
}

impl Kind {
    /// Whether a value can consist of several words.
    pub fn takes_several(&self) -> bool {
        matches!(self, Self::Integers { .. } | Self::Flags { .. } | Self::Words { .. })
    }

    /// What a value looks like, for help texts.
    pub fn syntax(&self) -> Cow<'static, str> {
        const UNLIMITED: i64 = i32::MAX as i64;
        match *self {
            Self::Boolean => Cow::Borrowed("yes|no"),
            Self::Integer { minimum: 0, maximum: UNLIMITED.. } => Cow::Borrowed("<number>"),
            Self::Integer { minimum, maximum: UNLIMITED.. } if minimum <= i64::from(i32::MIN) => {
                Cow::Borrowed("<number>")
            }
            Self::Integer { minimum, maximum: UNLIMITED.. } => Cow::Owned(format!("<number from {minimum}>")),
            Self::Integer { minimum, maximum } => Cow::Owned(format!("<{minimum} to {maximum}>")),
            Self::Integers { count, minimum, maximum } => {
                Cow::Owned(format!("<{count} numbers, {minimum} to {maximum}>"))
            }
            Self::Octal { .. } => Cow::Borrowed("<octal number>"),
            Self::Memory { .. } => Cow::Borrowed("<bytes, or with unit: k kb m mb g gb>"),
            Self::Choice(names) => Cow::Owned(names.join("|")),
            Self::Flags { names, .. } => Cow::Owned(format!("[{}] ...", names.join("|"))),
            Self::Text => Cow::Borrowed("<text>"),
            Self::FileName => Cow::Borrowed("<file name>"),
            Self::Only { value: "", .. } => Cow::Borrowed("''"),
            Self::Only { value, .. } => Cow::Borrowed(value),
            Self::Word { syntax } | Self::Words { syntax } => Cow::Borrowed(syntax),
        }
    }

    /// Reads a value, or says what is wrong with it.
    pub(super) fn read(&self, words: &[&[u8]]) -> Result<Value, String> {
        match *self {
            Self::Flags { names, exclusive } => return read_flags(names, exclusive, words),
            Self::Integers { count, minimum, maximum } => return read_integers(count, minimum, maximum, words),
            Self::Words { .. } => return Ok(Value::Text(words.join(&b' '))),
            _ => {}
        }
        let &[word] = words else {
            return Err("wrong number of arguments".to_owned());
        };
        match *self {
            Self::Boolean => match word.to_ascii_lowercase().as_slice() {
                b"yes" => Ok(Value::Boolean(true)),
                b"no" => Ok(Value::Boolean(false)),
                _ => Err("argument must be 'yes' or 'no'".to_owned()),
            },
            Self::Integer { minimum, maximum } => {
                let number =
                    read_integer(word).ok_or_else(|| "argument couldn't be parsed into an integer".to_owned())?;
                within(i128::from(number), i128::from(minimum), i128::from(maximum)).map(Value::Integer)
            }
            Self::Octal { maximum } => {
                let number = str::from_utf8(word)
                    .ok()
                    .and_then(|text| i64::from_str_radix(text, 8).ok())
                    .ok_or_else(|| "argument couldn't be parsed as an octal number".to_owned())?;
                within(i128::from(number), 0, i128::from(maximum))
                    .map(|number| Value::Text(format!("{number:o}").into_bytes()))
            }
            Self::Memory { minimum, maximum } => {
                let bytes = read_memory(word).ok_or_else(|| "argument must be a memory value".to_owned())?;
                within(bytes, i128::from(minimum), i128::from(maximum)).map(Value::Integer)
            }
            Self::Choice(names) => names
                .iter()
                .position(|name| word.eq_ignore_ascii_case(name.as_bytes()))
                .map(Value::Choice)
                .ok_or_else(|| one_of(names)),
            Self::FileName if word.contains(&b'/') => Err("argument must be a file name, not a path".to_owned()),
            Self::Only { value, reason } if !word.eq_ignore_ascii_case(value.as_bytes()) => Err(reason.to_owned()),
            Self::Only { value, .. } => Ok(Value::Text(value.into())),
            _ => Ok(Value::Text(word.to_vec())),
        }
    }

    /// The text of a value, as `CONFIG GET` shows it.
    pub(super) fn show(&self, value: Value) -> Vec<u8> {
        match (self, value) {
            (Self::Choice(names), Value::Choice(index)) => names[index].into(),
            (_, Value::Boolean(value)) => value.show(),
            (_, Value::Integer(number)) => number.to_string().into_bytes(),
            (_, Value::Choice(index)) => index.to_string().into_bytes(),
            (_, Value::Text(text)) => text,
        }
    }
}

fn one_of(names: &[&str]) -> String {
    format!("argument(s) must be one of the following: {}", names.join(", "))
}

fn within(number: i128, minimum: i128, maximum: i128) -> Result<i128, String> {
    if (minimum..=maximum).contains(&number) {
        Ok(number)
    } else {
        Err(format!("argument must be between {minimum} and {maximum} inclusive"))
    }
}

fn read_flags(names: &[&str], exclusive: [&str; 2], words: &[&[u8]]) -> Result<Value, String> {
    if words.is_empty() {
        return Err(one_of(names));
    }
    let mut chosen = vec![false; names.len()];
    for word in words {
        let place = names.iter().position(|name| word.eq_ignore_ascii_case(name.as_bytes()));
        chosen[place.ok_or_else(|| one_of(names))?] = true;
    }
    chosen[0] = !chosen[1..].contains(&true);
    let words: Vec<&str> = names.iter().zip(chosen).filter_map(|(name, chosen)| chosen.then_some(*name)).collect();
    let [one, other] = exclusive;
    if words.contains(&one) && words.contains(&other) {
        return Err(format!("'{one}' and '{other}' exclude each other"));
    }
    Ok(Value::Text(words.join(" ").into_bytes()))
}

fn read_integers(count: usize, minimum: i64, maximum: i64, words: &[&[u8]]) -> Result<Value, String> {
    if words.len() != count {
        return Err("wrong number of arguments".to_owned());
    }
    let numbers: Option<Vec<String>> = words
        .iter()
        .map(|word| {
            let number = read_integer(word).filter(|number| (minimum..=maximum).contains(number))?;
            Some(number.to_string())
        })
        .collect();
    match numbers {
        Some(numbers) => Ok(Value::Text(numbers.join(" ").into_bytes())),
        None => Err(format!("elements must be between {minimum} and {maximum}")),
    }
}

/// Reads a whole number that is written in the one way in which it would be printed.
pub(super) fn read_integer(word: &[u8]) -> Option<i64> {
    let text = str::from_utf8(word).ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.starts_with('+') || (digits.starts_with('0') && text.len() > 1) {
        return None;
    }
    text.parse().ok()
}

/// Reads a number of bytes. One too large for any range comes back as the largest there is.
pub(super) fn read_memory(word: &[u8]) -> Option<i128> {
    let end = word.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(word.len());
    let (digits, unit) = word.split_at(end);
    if digits.is_empty() {
        return None;
    }
    let factor: i128 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    // The digits are digits, so that only their number can make parsing fail.
    let number: i128 = str::from_utf8(digits).ok()?.parse().unwrap_or(i128::MAX);
    Some(number.saturating_mul(factor))
}

/// A field that holds one checked value.
pub(super) trait Scalar {
    /// The text of the value.
    fn show(&self) -> Vec<u8>;
    /// Takes a value that the kind of the parameter has checked.
    fn assign(&mut self, value: Value);
}

impl Scalar for bool {
    fn show(&self) -> Vec<u8> {
        if *self { b"yes".to_vec() } else { b"no".to_vec() }
    }

    fn assign(&mut self, value: Value) {
        if let Value::Boolean(value) = value {
            *self = value;
        }
    }
}

macro_rules! integer_scalars {
    ($($type:ty),+) => {$(
        impl Scalar for $type {
            fn show(&self) -> Vec<u8> {
                self.to_string().into_bytes()
            }

            fn assign(&mut self, value: Value) {
                if let Value::Integer(number) = value {
                    // Only a range wider than the field's type could make this fail.
                    *self = <$type>::try_from(number).unwrap_or(<$type>::MAX);
                }
            }
        }
    )+};
}

integer_scalars!(u16, u32, u64, usize, i32, i64);

impl Scalar for Vec<u8> {
    fn show(&self) -> Vec<u8> {
        self.clone()
    }

    fn assign(&mut self, value: Value) {
        if let Value::Text(text) = value {
            *self = text;
        }
    }
}

impl Scalar for PathBuf {
    fn show(&self) -> Vec<u8> {
        self.as_os_str().as_bytes().to_vec()
    }

    fn assign(&mut self, value: Value) {
        if let Value::Text(text) = value {
            *self = Self::from(OsString::from_vec(text));
        }
    }
}
