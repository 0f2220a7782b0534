//! The paper's synthetic structure (Calciu et al., ASPLOS 2017, section 8): cache lines, of which an operation reads some
//! and a write changes a few.

use super::{Structure, Workload};
use crate::keys::Keys;
use crate::peers::Handle;
use crate::sequence::Sequence;

/// Lines that every operation reads.
const READ: usize = 16;
/// Lines that a write changes, of those it has read.
const WRITTEN: usize = 4;

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line(u64);

/// Cache lines with a number each.
#[derive(Clone, Debug)]
pub struct Synthetic(Vec<Line>);

impl Synthetic {
    /// The lines that belong to an operation.
    #[inline]
    fn chosen(&self, operation: u64) -> impl Iterator<Item = usize> + use<> {
        let mut random = Sequence::new(operation);
        let lines = self.0.len() as u64;
        std::iter::repeat_with(move || random.below(lines) as usize)
    }
}

impl Structure for Synthetic {
    type Read = u64;
    type Write = u64;

    #[inline]
    fn read(&self, operation: u64) -> Option<u64> {
        Some(self.chosen(operation).take(READ).fold(0, |sum, line| sum.wrapping_add(self.0[line].0)))
    }

    #[inline]
    fn write(&mut self, operation: &u64) -> Option<u64> {
        let sum = Self::read(self, *operation);
        for line in self.chosen(*operation).take(WRITTEN) {
            self.0[line].0 += 1;
        }
        sum
    }
}

impl Workload for Synthetic {
    const NAME: &'static str = "synthetic";
    const ABOUT: [&'static str; 3] =
        ["the paper's synthetic structure: cache lines", "read 16 random lines", "read 16 and change 4 of them"];
    const ENTRIES: u64 = 20_000;
    const ALWAYS_ANSWERS: bool = true;
    type Client = Sequence;

    fn filled(entries: u64) -> Self {
        Self(vec![Line(0); entries as usize])
    }

    fn bytes(entries: u64) -> u64 {
        64 * entries
    }

    fn client(keys: Keys) -> Sequence {
        keys.random
    }

    #[inline]
    fn read_through<H: Handle<Self>>(random: &mut Sequence, handle: &mut H) -> Option<u64> {
        handle.read(random.next_u32())
    }

    #[inline]
    fn write_through<H: Handle<Self>>(random: &mut Sequence, handle: &mut H) -> Option<u64> {
        handle.write(random.next_u32())
    }
}
