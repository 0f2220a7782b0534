//! Replies as they come over the wire, in RESP2 and RESP3.

use std::fmt;

/// A reply. Each form on the wire has its own variant, so that equal values are equal bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// `+`
    Simple(String),
    /// `-`
    Error(String),
    /// `:`
    Integer(i64),
    /// `$`
    Bulk(Vec<u8>),
    /// `*`
    Array(Vec<Value>),
    /// `$-1`
    NullBulk,
    /// `*-1`
    NullArray,
    /// `_`
    Null,
    /// `%`
    Map(Vec<(Value, Value)>),
    /// `~`
    Set(Vec<Value>),
    /// `>`
    Push(Vec<Value>),
    /// `,` with its text
    Double(String),
    /// `#`
    Boolean(bool),
    /// `(` with its digits
    BigNumber(String),
    /// `=` with its format
    Verbatim(String, Vec<u8>),
    /// `!`
    BulkError(Vec<u8>),
}

impl Value {
    /// `+OK`
    pub fn ok() -> Value {
        Value::Simple("OK".into())
    }

    /// A simple string.
    pub fn simple(text: &str) -> Value {
        Value::Simple(text.into())
    }

    /// An error.
    pub fn error(text: &str) -> Value {
        Value::Error(text.into())
    }

    /// A bulk string.
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Value {
        Value::Bulk(bytes.as_ref().to_vec())
    }

    /// An array of bulk strings.
    pub fn bulks<B: AsRef<[u8]>>(elements: &[B]) -> Value {
        Value::Array(elements.iter().map(Value::bulk).collect())
    }

    /// The text of a simple, bulk or verbatim string, or of an error.
    #[track_caller]
    pub fn text(&self) -> &str {
        match self {
            Value::Simple(text) | Value::Error(text) => text,
            Value::Bulk(bytes) | Value::Verbatim(_, bytes) => str::from_utf8(bytes).expect("this text is UTF-8"),
            other => panic!("{other:?} is not a text"),
        }
    }

    /// The bytes of a bulk string.
    #[track_caller]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Value::Bulk(bytes) => bytes,
            other => panic!("{other:?} is not a bulk string"),
        }
    }

    /// The number of an integer.
    #[track_caller]
    pub fn integer(&self) -> i64 {
        match self {
            Value::Integer(number) => *number,
            other => panic!("{other:?} is not an integer"),
        }
    }

    /// The elements of an array, a set or a push.
    #[track_caller]
    pub fn elements(&self) -> &[Value] {
        match self {
            Value::Array(elements) | Value::Set(elements) | Value::Push(elements) => elements,
            other => panic!("{other:?} has no elements"),
        }
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Value::Error(_) | Value::BulkError(_))
    }

    /// The same with the elements of an array or a set in order, for replies that promise none.
    pub fn sorted(mut self) -> Value {
        if let Value::Array(elements) | Value::Set(elements) = &mut self {
            elements.sort();
        }
        self
    }

    /// The reply at the start of `bytes` and its length; `None` if it is not whole.
    ///
    /// # Panics
    ///
    /// If that is no reply.
    pub(super) fn parse(bytes: &[u8]) -> Option<(Value, usize)> {
        let mut reader = Reader { bytes, at: 0 };
        let value = reader.value()?;
        Some((value, reader.at))
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn line(&mut self) -> Option<String> {
        let rest = &self.bytes[self.at..];
        let length = rest.windows(2).position(|pair| pair == b"\r\n")?;
        self.at += length + 2;
        Some(String::from_utf8_lossy(&rest[..length]).into_owned())
    }

    fn bytes(&mut self, length: usize) -> Option<Vec<u8>> {
        let whole = self.bytes.get(self.at..self.at + length + 2)?;
        assert_eq!(&whole[length..], b"\r\n", "a string ends with a line break");
        self.at += length + 2;
        Some(whole[..length].to_vec())
    }

    fn values(&mut self, count: usize) -> Option<Vec<Value>> {
        (0..count).map(|_| self.value()).collect()
    }

    fn value(&mut self) -> Option<Value> {
        let kind = *self.bytes.get(self.at)?;
        self.at += 1;
        let line = self.line()?;
        let number = || -> i64 { line.parse().unwrap_or_else(|_| panic!("{line:?} is not a number")) };
        let length = || usize::try_from(number()).expect("a length is not negative");
        Some(match kind {
            b'+' => Value::Simple(line),
            b'-' => Value::Error(line),
            b':' => Value::Integer(number()),
            b'$' if line == "-1" => Value::NullBulk,
            b'*' if line == "-1" => Value::NullArray,
            b'_' => Value::Null,
            b'$' => Value::Bulk(self.bytes(length())?),
            b'!' => Value::BulkError(self.bytes(length())?),
            b'=' => {
                let text = self.bytes(length())?;
                assert_eq!(text[3], b':', "a verbatim string starts with its format");
                Value::Verbatim(String::from_utf8_lossy(&text[..3]).into_owned(), text[4..].to_vec())
            }
            b'*' => Value::Array(self.values(length())?),
            b'~' => Value::Set(self.values(length())?),
            b'>' => Value::Push(self.values(length())?),
            b'%' => {
                let pairs = (0..length()).map(|_| Some((self.value()?, self.value()?)));
                Value::Map(pairs.collect::<Option<_>>()?)
            }
            b',' => Value::Double(line),
            b'(' => Value::BigNumber(line),
            b'#' => Value::Boolean(match &*line {
                "t" => true,
                "f" => false,
                other => panic!("{other:?} is not a boolean"),
            }),
            other => panic!("no reply starts with {:?}", other as char),
        })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::bulk(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Integer(number)
    }
}

impl<const N: usize> From<[Value; N]> for Value {
    fn from(elements: [Value; N]) -> Value {
        Value::Array(elements.into())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Simple(text) => write!(formatter, "+{text}"),
            Value::Error(text) => write!(formatter, "-{text}"),
            Value::Integer(number) => write!(formatter, "{number}"),
            Value::Bulk(bytes) => write!(formatter, "\"{}\"", bytes.escape_ascii()),
            Value::Array(elements) => formatter.debug_list().entries(elements).finish(),
            Value::NullBulk => formatter.write_str("null bulk"),
            Value::NullArray => formatter.write_str("null array"),
            Value::Null => formatter.write_str("null"),
            Value::Map(pairs) => formatter.debug_map().entries(pairs.iter().map(|(key, value)| (key, value))).finish(),
            Value::Set(elements) => formatter.debug_set().entries(elements).finish(),
            Value::Push(elements) => formatter.debug_tuple("push").field(elements).finish(),
            Value::Double(text) => write!(formatter, "{text} (double)"),
            Value::Boolean(value) => write!(formatter, "{value}"),
            Value::BigNumber(digits) => write!(formatter, "{digits} (big)"),
            Value::Verbatim(format, text) => write!(formatter, "{format}:\"{}\"", text.escape_ascii()),
            Value::BulkError(text) => write!(formatter, "!\"{}\"", text.escape_ascii()),
        }
    }
}
