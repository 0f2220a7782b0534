//! What a command answers when it can't do what was asked.

use std::borrow::Cow;
use std::fmt;

use crate::resp::number::FloatError;

/// An error reply: its code, a space and the text, as it goes to the client behind the `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Cow<'static, str>);

impl Error {
    /// The key holds a value of another type.
    pub const WRONG_TYPE: Error = Error::new("WRONGTYPE Operation against a key holding the wrong kind of value");
    /// The arguments don't fit the command's syntax.
    pub const SYNTAX: Error = Error::new("ERR syntax error");
    /// An argument or a value is not a number of 64 bits.
    pub const NOT_AN_INTEGER: Error = Error::new("ERR value is not an integer or out of range");
    /// An argument or a value is not a floating-point number.
    pub const NOT_A_FLOAT: Error = Error::new("ERR value is not a valid float");
    /// A whole number would leave 64 bits.
    pub const WOULD_OVERFLOW: Error = Error::new("ERR increment or decrement would overflow");
    /// An argument is out of its range.
    pub const OUT_OF_RANGE: Error = Error::new("ERR value is out of range");
    /// An argument must be positive.
    pub const NOT_POSITIVE: Error = Error::new("ERR value is out of range, must be positive");
    /// The key that must exist does not.
    pub const NO_SUCH_KEY: Error = Error::new("ERR no such key");
    /// An index lies outside the value.
    pub const INDEX_OUT_OF_RANGE: Error = Error::new("ERR index out of range");
    /// The number of a database is not one that the server has.
    pub const DATABASE_OUT_OF_RANGE: Error = Error::new("ERR DB index is out of range");
    /// A string would grow over the longest allowed.
    pub const STRING_TOO_LONG: Error = Error::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    /// No memory may be added.
    pub const OUT_OF_MEMORY: Error = Error::new("OOM command not allowed when used memory > 'maxmemory'.");

    /// The client asks for more than a reply may have.
    pub const REPLY_TOO_LONG: Error = Error::new("ERR the reply would be longer than a gigabyte");
    /// A command failed by a fault of the server, on every replica alike.
    pub const INTERNAL: Error = Error::new("ERR internal error, please report it");

    /// An error with a fixed text.
    pub const fn new(text: &'static str) -> Self {
        Error(Cow::Borrowed(text))
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Error(Cow::Owned(text))
    }
}

impl From<FloatError> for Error {
    fn from(error: FloatError) -> Self {
        format!("ERR {error}").into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
