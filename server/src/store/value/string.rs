//! Strings.

use std::borrow::Cow;

use crate::resp::Reply;
use crate::resp::number::parse_integer;
use crate::store::SmallBytes;

/// The longest string that Redis keeps beside its object (`embstr`).
const EMBEDDED: usize = 44;

/// The longest decimal form of a number of 64 bits.
const LONGEST_INTEGER: usize = 20;

/// A string value; one that spells a number of 64 bits is kept as that number.
#[derive(Clone, Debug)]
pub enum StringValue {
    /// The decimal form of a number.
    Integer(i64),
    /// Any bytes.
    Bytes(SmallBytes),
    /// Bytes that were changed in place, which Redis then keeps apart from their object (`raw`).
    Edited(SmallBytes),
}

impl StringValue {
    /// The value of `bytes`.
    #[inline]
    pub fn new(bytes: &[u8]) -> Self {
        match if bytes.len() <= LONGEST_INTEGER { parse_integer(bytes) } else { None } {
            Some(number) => StringValue::Integer(number),
            None => StringValue::Bytes(SmallBytes::new(bytes)),
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            StringValue::Integer(number) => Cow::Owned(itoa::Buffer::new().format(*number).as_bytes().to_vec()),
            StringValue::Bytes(bytes) | StringValue::Edited(bytes) => Cow::Borrowed(bytes.as_slice()),
        }
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        match self {
            StringValue::Integer(number) => itoa::Buffer::new().format(*number).len(),
            StringValue::Bytes(bytes) | StringValue::Edited(bytes) => bytes.len(),
        }
    }

    /// Whether it is the empty string.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes it as a bulk string.
    #[inline]
    pub fn write(&self, reply: &mut Reply<'_>) {
        match self {
            StringValue::Integer(number) => reply.bulk_integer(*number),
            StringValue::Bytes(bytes) | StringValue::Edited(bytes) => reply.bulk(bytes),
        }
    }

    /// The number that it spells.
    pub fn integer(&self) -> Option<i64> {
        match self {
            StringValue::Integer(number) => Some(*number),
            StringValue::Bytes(bytes) | StringValue::Edited(bytes) => parse_integer(bytes),
        }
    }

    /// Appends `suffix`, and gives the new length. Amortised O(suffix).
    pub fn append(&mut self, suffix: &[u8]) -> usize {
        let bytes = self.edit();
        bytes.extend_from_slice(suffix);
        bytes.len()
    }

    /// Puts `part` in the place of what is at `offset`, behind zeros if the string doesn't reach so far, and gives the
    /// new length. O(part + zeros).
    pub fn overwrite(&mut self, offset: usize, part: &[u8]) -> usize {
        let bytes = self.edit();
        bytes.grow(offset + part.len());
        bytes.as_mut_slice()[offset..][..part.len()].copy_from_slice(part);
        bytes.len()
    }

    /// The bytes, to change in place.
    fn edit(&mut self) -> &mut SmallBytes {
        *self = match std::mem::replace(self, StringValue::Integer(0)) {
            StringValue::Integer(number) => {
                StringValue::Edited(SmallBytes::new(itoa::Buffer::new().format(number).as_bytes()))
            }
            StringValue::Bytes(bytes) | StringValue::Edited(bytes) => StringValue::Edited(bytes),
        };
        match self {
            StringValue::Edited(bytes) => bytes,
            StringValue::Integer(_) | StringValue::Bytes(_) => unreachable!("it was just made so"),
        }
    }

    /// The name of its form in Redis.
    pub fn encoding(&self) -> &'static str {
        match self {
            StringValue::Integer(_) => "int",
            StringValue::Bytes(bytes) if bytes.len() <= EMBEDDED => "embstr",
            StringValue::Bytes(_) | StringValue::Edited(_) => "raw",
        }
    }

    /// Bytes allocated outside of the value itself.
    pub fn memory(&self) -> usize {
        match self {
            StringValue::Integer(_) => 0,
            StringValue::Bytes(bytes) | StringValue::Edited(bytes) => bytes.heap_size(),
        }
    }
}

impl From<i64> for StringValue {
    fn from(number: i64) -> Self {
        StringValue::Integer(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_decimal_form_of_a_number_is_kept_as_one() {
        for text in ["0", "-1", "9223372036854775807", "-9223372036854775808"] {
            let value = StringValue::new(text.as_bytes());
            assert_eq!((value.encoding(), &*value.bytes(), value.len()), ("int", text.as_bytes(), text.len()));
        }
        for text in ["", "01", "+1", "-0", "1 ", "9223372036854775808", "1.0"] {
            let value = StringValue::new(text.as_bytes());
            assert_eq!((value.encoding(), &*value.bytes(), value.integer()), ("embstr", text.as_bytes(), None));
        }
        assert_eq!(StringValue::new(&[b'a'; EMBEDDED + 1]).encoding(), "raw");
    }

    #[test]
    fn a_number_can_be_changed_as_a_string() {
        let mut value = StringValue::from(12);
        assert_eq!(value.append(b"3"), 3);
        assert_eq!((value.encoding(), value.integer()), ("raw", Some(123)));
        assert_eq!(value.overwrite(5, b"xy"), 7);
        assert_eq!(&*value.bytes(), b"123\0\0xy");
        assert_eq!(value.overwrite(0, b"-"), 7);
        assert_eq!(&*value.bytes(), b"-23\0\0xy");
        assert_eq!(value.overwrite(100_000, b"z"), 100_001);
    }
}
