//! Elements as they lie in a chunk, and on their way into one.

/// An element of a list.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    encoded: &'a [u8],
}

impl<'a> Element<'a> {
    /// `encoded` must be a bulk string.
    #[inline]
    pub(super) fn new(encoded: &'a [u8]) -> Self {
        Element { encoded }
    }

    /// The bulk string that a client reads: `$3\r\nabc\r\n`.
    #[inline]
    pub fn encoded(self) -> &'a [u8] {
        self.encoded
    }

    /// The element's own bytes. O(digits of their number).
    #[inline]
    pub fn payload(self) -> &'a [u8] {
        let digits = self.encoded[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        &self.encoded[1 + digits + 2..self.encoded.len() - 2]
    }

    /// Whether these are the element's own bytes. O(length).
    #[inline]
    pub fn equals(self, payload: &[u8]) -> bool {
        let header = header_length(payload.len());
        self.encoded.len() == header + payload.len() + 2 && &self.encoded[header..self.encoded.len() - 2] == payload
    }
}

/// How many bytes stand before a payload of that length: the `$`, the digits, and the line's end.
#[inline]
fn header_length(payload: usize) -> usize {
    payload.checked_ilog10().unwrap_or(0) as usize + 1 + 3
}

/// A byte string that becomes an element.
#[derive(Clone, Copy)]
pub(super) struct Encoded<'a> {
    payload: &'a [u8],
    header: usize,
}

impl<'a> Encoded<'a> {
    #[inline]
    pub(super) fn new(payload: &'a [u8]) -> Self {
        Encoded { payload, header: header_length(payload.len()) }
    }

    /// How many bytes the element has.
    #[inline]
    pub(super) fn size(self) -> usize {
        self.header + self.payload.len() + 2
    }

    /// Writes the element to `place`, which has its size.
    #[inline]
    pub(super) fn write(self, place: &mut [u8]) {
        let (header, rest) = place.split_at_mut(self.header);
        let (payload, end) = rest.split_at_mut(self.payload.len());
        let mut digits = itoa::Buffer::new();
        header[0] = b'$';
        header[1..self.header - 2].copy_from_slice(digits.format(self.payload.len()).as_bytes());
        header[self.header - 2..].copy_from_slice(b"\r\n");
        payload.copy_from_slice(self.payload);
        end.copy_from_slice(b"\r\n");
    }
}
