//! Where a request's arguments are.

use std::ops::Range;

use smallvec::SmallVec;

/// Where one argument lies, from `start` up to and without `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The position of the first byte.
    pub start: u32,
    /// The position behind the last byte.
    pub end: u32,
}

impl Span {
    /// The argument's length in bytes. O(1).
    pub fn length(self) -> usize {
        (self.end - self.start) as usize
    }

    /// The same place as a range, to index a slice with. O(1).
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// As many as nearly all commands need without an allocation.
pub(super) type Spans = SmallVec<[Span; 6]>;

/// The arguments of the request that [`Parser::parse`](super::Parser::parse) completed, as places in the buffer that it was given.
///
/// Worth keeping from one request to the next: a request of more than six arguments then finds the room already
/// allocated.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    pub(super) spans: Spans,
    /// The words of an inline request with quotes, one behind the other. If there are any, the spans count from its
    /// start, not from the request's. (If all words are empty, their spans are right for both.)
    pub(super) decoded: Vec<u8>,
}

impl Arguments {
    /// How many there are, with the command's name. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none, as before the first complete request. O(1).
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The places, counted from the start of [`source`](Self::source). O(1).
    #[inline]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The bytes that the places count from: `request`, or a copy of it without its quotes. O(1).
    ///
    /// `request` is the buffer that was parsed; the bytes behind the request may be missing.
    #[inline]
    pub fn source<'a>(&'a self, request: &'a [u8]) -> &'a [u8] {
        if self.decoded.is_empty() { request } else { &self.decoded }
    }

    /// The argument at `index`; the command's name is at 0. O(1).
    ///
    /// # Panics
    ///
    /// If `request` isn't the buffer that was parsed, it may be too short.
    #[inline]
    pub fn get<'a>(&'a self, request: &'a [u8], index: usize) -> Option<&'a [u8]> {
        let span = self.spans.get(index)?;
        Some(&self.source(request)[span.range()])
    }

    /// All arguments in their order. O(1) for each.
    ///
    /// # Panics
    ///
    /// If `request` isn't the buffer that was parsed, it may be too short.
    #[inline]
    pub fn iter<'a>(&'a self, request: &'a [u8]) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone {
        let source = self.source(request);
        self.spans.iter().map(move |span| &source[span.range()])
    }

    /// Forgets the arguments and keeps the memory. O(1).
    pub fn clear(&mut self) {
        self.spans.clear();
        self.decoded.clear();
    }
}
