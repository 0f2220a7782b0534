//! Eight bytes: the cheapest structure there is, so that what a peer adds is seen undiluted.

use super::{Structure, Workload};
use crate::keys::Keys;
use crate::peers::Handle;

/// A number that grows.
#[derive(Clone, Debug, Default)]
pub struct Counter(u64);

impl Structure for Counter {
    type Read = ();
    type Write = u64;

    #[inline]
    fn read(&self, (): ()) -> Option<u64> {
        Some(self.0)
    }

    #[inline]
    fn write(&mut self, amount: &u64) -> Option<u64> {
        let before = self.0;
        self.0 = before.wrapping_add(*amount);
        Some(before)
    }
}

impl Workload for Counter {
    const NAME: &'static str = "counter";
    const ABOUT: [&'static str; 3] = ["a number of 8 bytes", "read it", "add one"];
    const ENTRIES: u64 = 1;
    const ALWAYS_ANSWERS: bool = true;
    type Client = ();

    fn filled(_entries: u64) -> Self {
        Self::default()
    }

    fn bytes(_entries: u64) -> u64 {
        8
    }

    fn client(_keys: Keys) {}

    #[inline]
    fn read_through<H: Handle<Self>>((): &mut (), handle: &mut H) -> Option<u64> {
        handle.read(())
    }

    #[inline]
    fn write_through<H: Handle<Self>>((): &mut (), handle: &mut H) -> Option<u64> {
        handle.write(1)
    }
}
