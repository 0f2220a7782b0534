//! One call of a command: its arguments and what was decided before it may reach the log.

use bytes::Bytes;
use smallvec::SmallVec;

use super::Error;
use crate::resp::Protocol;
use crate::resp::number::{Extended, parse_float, parse_integer};
use crate::resp::request::Span;

/// Which client, and the worker that serves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientAddress {
    /// The client's number, never used twice.
    pub client: u64,
    /// The index of its worker.
    pub worker: u32,
}

/// The arguments of a request, with the command's name at index 0, borrowed from wherever they lie.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a> {
    source: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Arguments<'a> {
    /// The arguments at the places `spans` of `source`.
    pub fn new(source: &'a [u8], spans: &'a [Span]) -> Self {
        Arguments { source, spans }
    }

    /// How many there are, with the name.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "there is always a name")]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// The argument at `index`.
    ///
    /// # Panics
    ///
    /// If there is none; the arity that the command table checks says which there are.
    #[inline]
    pub fn get(&self, index: usize) -> &'a [u8] {
        &self.source[self.spans[index].range()]
    }

    /// The arguments from `first` on.
    pub fn from(
        &self,
        first: usize,
    ) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone + use<'a> {
        let source = self.source;
        self.spans[first.min(self.spans.len())..].iter().map(move |span| &source[span.range()])
    }

    /// The arguments from `first` on as those of another command (`COMMAND GETKEYS`).
    pub fn behind(&self, first: usize) -> Arguments<'a> {
        Arguments { source: self.source, spans: &self.spans[first.min(self.spans.len())..] }
    }

    /// A copy that owns its bytes. What lies behind the last argument, as other requests of a pipeline, is left out.
    pub fn to_owned(&self) -> OwnedArguments {
        let length = self.spans.last().map_or(0, |span| span.end as usize);
        OwnedArguments::new(Bytes::copy_from_slice(&self.source[..length]), self.spans)
    }
}

/// The arguments of a request that outlive the connection's buffer: what goes into the log, or waits in a transaction.
#[derive(Clone, Debug, Default)]
pub struct OwnedArguments {
    source: Bytes,
    spans: SmallVec<[Span; 4]>,
}

impl OwnedArguments {
    /// The arguments at the places `spans` of `source`.
    pub fn new(source: Bytes, spans: &[Span]) -> Self {
        OwnedArguments { source, spans: SmallVec::from_slice(spans) }
    }

    /// Arguments made here rather than received.
    pub fn from_slices(arguments: &[&[u8]]) -> Self {
        let mut source = Vec::with_capacity(arguments.iter().map(|argument| argument.len()).sum());
        let mut spans = SmallVec::new();
        for argument in arguments {
            let start = source.len() as u32;
            source.extend_from_slice(argument);
            spans.push(Span { start, end: source.len() as u32 });
        }
        OwnedArguments { source: source.into(), spans }
    }

    /// The arguments, borrowed.
    #[inline]
    pub fn borrow(&self) -> Arguments<'_> {
        Arguments { source: &self.source, spans: &self.spans }
    }

    /// Bytes of memory that they keep alive.
    pub fn size(&self) -> usize {
        self.source.len() + self.spans.len() * size_of::<Span>()
    }
}

/// One call of a command, as its function gets it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The arguments, with the command's name at index 0.
    pub arguments: Arguments<'a>,
    /// The time at which the command takes place, in milliseconds since 1970, read before the call went to the log.
    pub now: i64,
    /// A random number drawn before the call went to the log.
    pub random: u64,
    /// Who called.
    pub client: ClientAddress,
    /// The index of the client's database.
    pub database: usize,
    /// The protocol version of the client.
    pub protocol: Protocol,
    /// The most bytes of replies that may wait for the client: a longer reply ends its connection.
    pub ceiling: usize,
}

impl<'a> Call<'a> {
    /// How many arguments there are, with the command's name.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "there is always a name")]
    pub fn len(&self) -> usize {
        self.arguments.len()
    }

    /// The argument at `index`, which the arity says there is.
    #[inline]
    pub fn argument(&self, index: usize) -> &'a [u8] {
        self.arguments.get(index)
    }

    /// Whether the argument at `index` exists and is the option `name` (upper case) in any case.
    pub fn is_option(&self, index: usize, name: &str) -> bool {
        index < self.len() && self.argument(index).eq_ignore_ascii_case(name.as_bytes())
    }

    /// The argument at `index` as a whole number.
    pub fn integer(&self, index: usize) -> Result<i64, Error> {
        parse_integer(self.argument(index)).ok_or(Error::NOT_AN_INTEGER)
    }

    /// The argument at `index` as a whole number of `least`, which is not negative, or more; `error` for anything else.
    pub fn at_least(&self, index: usize, least: i64, error: Error) -> Result<usize, Error> {
        parse_integer(self.argument(index)).filter(|number| *number >= least).map(|number| number as usize).ok_or(error)
    }

    /// The argument at `index` as a floating-point number.
    pub fn float(&self, index: usize) -> Result<f64, Error> {
        parse_float(self.argument(index)).ok_or(Error::NOT_A_FLOAT)
    }

    /// The argument at `index` as the seconds that a client waits for a key at most: gives whole milliseconds, or none if
    /// it is 0, which means for ever.
    pub fn timeout(&self, index: usize) -> Result<Option<i64>, Error> {
        const NOT_A_FLOAT: Error = Error::new("ERR timeout is not a float or out of range");
        const NEGATIVE: Error = Error::new("ERR timeout is negative");
        let seconds = Extended::parse(self.argument(index)).ok_or(NOT_A_FLOAT)?;
        // What 64 bits can't hold is negative, too, where C converts it.
        let milliseconds =
            seconds.thousandfold_rounded_up().filter(|milliseconds| *milliseconds >= 0).ok_or(NEGATIVE)?;
        Ok(Some(milliseconds).filter(|milliseconds| *milliseconds > 0))
    }

    /// What a subcommand of `container` answers where its number of arguments is not one that it takes.
    #[cold]
    pub fn subcommand_syntax(&self, container: &str) -> Error {
        let name = String::from_utf8_lossy(self.argument(1));
        format!("ERR unknown subcommand or wrong number of arguments for '{name:.128}'. Try {container} HELP.").into()
    }

    /// A copy that owns its arguments.
    pub fn to_owned(&self) -> OwnedCall {
        OwnedCall {
            arguments: self.arguments.to_owned(),
            now: self.now,
            random: self.random,
            client: self.client,
            database: self.database as u32,
            protocol: self.protocol,
            ceiling: self.ceiling,
        }
    }

    /// A generator of further random numbers, the same on every replica.
    pub fn generator(&self) -> impl FnMut() -> u64 + use<> {
        let mut state = self.random;
        // SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
        move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }
    }
}

/// What of a [`Call`] is carried by the log or waits.
#[derive(Clone, Debug)]
pub struct OwnedCall {
    /// See [`Call::arguments`].
    pub arguments: OwnedArguments,
    /// See [`Call::now`].
    pub now: i64,
    /// See [`Call::random`].
    pub random: u64,
    /// See [`Call::client`].
    pub client: ClientAddress,
    /// See [`Call::database`].
    pub database: u32,
    /// See [`Call::protocol`].
    pub protocol: Protocol,
    /// See [`Call::ceiling`].
    pub ceiling: usize,
}

impl OwnedCall {
    /// A copy of the call that owns its arguments.
    pub fn of(call: &Call<'_>) -> Self {
        OwnedCall {
            arguments: call.arguments.to_owned(),
            now: call.now,
            random: call.random,
            client: call.client,
            database: call.database as u32,
            protocol: call.protocol,
            ceiling: call.ceiling,
        }
    }

    /// The call, borrowed.
    #[inline]
    pub fn borrow(&self) -> Call<'_> {
        Call {
            arguments: self.arguments.borrow(),
            now: self.now,
            random: self.random,
            client: self.client,
            database: self.database as usize,
            protocol: self.protocol,
            ceiling: self.ceiling,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_arguments_leaves_out_what_lies_behind_them() {
        let pipeline = [&b"GET a\r\n"[..], &[b'x'; 1000]].concat();
        let spans = [Span { start: 0, end: 3 }, Span { start: 4, end: 5 }];
        let owned = Arguments::new(&pipeline, &spans).to_owned();
        assert_eq!(owned.size(), 5 + 2 * size_of::<Span>());
        assert_eq!(owned.borrow().from(0).collect::<Vec<_>>(), [&b"GET"[..], b"a"]);
    }
}
