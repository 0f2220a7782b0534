//! Registers, each with one writer.

use super::HighWater;
use crate::common::{Shared, SharedHandle, check};
use crate::program::check::{Check, agree_on_count};
use crate::program::pace::Paced;
use crate::program::rounds::Rounds;
use crate::program::setting::Setting;
use nr::Dispatch;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A thread writes 1, 2, 3 and so on to a register of its own. Each write finds the one before, so that all take effect once and in
/// order. Whoever reads a register finds no value that was overwritten before the read began, none that was written after it has
/// ended, and none from the midst of a batch.
pub struct Registers;

/// The registers; and how often each was written.
#[derive(Clone, Debug)]
pub struct Owned(Vec<Register>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Register {
    value: u64,
    /// Whether the last value is to be replaced by the next of its batch.
    is_in_batch: bool,
    writes: u64,
}

pub struct Write {
    owner: usize,
    value: u64,
    is_in_batch: bool,
}

impl Dispatch for Owned {
    type ReadOperation<'a> = &'a usize;
    type WriteOperation = Write;
    /// What the register holds, or has held before the write.
    type Response = Register;

    fn dispatch(&self, owner: &usize) -> Register {
        self.0[*owner]
    }

    fn dispatch_mut(&mut self, write: &Write) -> Register {
        let register = &mut self.0[write.owner];
        let before = *register;
        *register = Register { value: write.value, is_in_batch: write.is_in_batch, writes: before.writes + 1 };
        before
    }
}

/// What is known of a register without looking at it.
#[derive(Default)]
struct Bounds {
    /// It holds at least this.
    seen: HighWater,
    /// It holds at most this.
    written: AtomicU64,
}

impl Bounds {
    /// Checks what `look` finds in a register. The bounds are looked at before and after.
    fn check(&self, owner: usize, look: impl FnOnce() -> Register) {
        let least = self.seen.get();
        let found = look();
        self.check_found(owner, least, found);
    }

    fn check_found(&self, owner: usize, least: u64, found: Register) {
        let most = self.written.load(Relaxed);
        let Register { value, is_in_batch, writes } = found;
        check!(value >= least, "register {owner} holds {value} after {least} was seen");
        check!(value <= most, "register {owner} holds {value}, and no more than {most} was written");
        check!(!is_in_batch, "register {owner} holds {value}, which the same batch overwrites");
        check!(writes == value, "register {owner} holds {value} after {writes} writes");
        self.seen.raise(value);
    }
}

impl Check for Registers {
    type Data = Owned;

    fn data(setting: &Setting) -> Owned {
        Owned(vec![Register::default(); setting.threads])
    }

    fn run<S: Shared<Paced<Owned>>>(setting: &Setting, shared: S, rounds: &Rounds<'_>) -> Result<(), String> {
        let bounds: Vec<Bounds> = (0..setting.threads).map(|_| Bounds::default()).collect();
        rounds.run(|thread| {
            let mut handle = shared.handle(setting.replica_of(thread));
            let mut random = setting.random_of(thread);
            let mut last = 0;
            while rounds.begin() {
                for _ in rounds.calls() {
                    if setting.writes(thread, &mut random) {
                        let len = setting.batch(&mut random) as u64;
                        let values = last + 1..=last + len;
                        let mut writes =
                            values.clone().map(|value| Write { owner: thread, value, is_in_batch: value < last + len });
                        bounds[thread].written.store(last + len, Relaxed);
                        let found = match len {
                            1 => writes.next().map(|write| handle.execute_mut(write)).into_iter().collect(),
                            _ => handle.execute_mut_batch(writes),
                        };
                        for (value, found) in values.zip(found) {
                            let before = value - 1;
                            let Register { value: held, writes, .. } = found;
                            check!(held == before, "the write of {value} found {held}, not {before}");
                            check!(writes == before, "the write of {value} found that there were {writes} before it");
                        }
                        last += len;
                        bounds[thread].seen.raise(last);
                    }
                    let owner = random.below(setting.threads);
                    match random.below(8) {
                        0 => {
                            let least: Vec<u64> = bounds.iter().map(|bounds| bounds.seen.get()).collect();
                            let found = handle.read(|paced| paced.look(|registers| registers.0.clone()));
                            for (owner, (least, found)) in least.into_iter().zip(found).enumerate() {
                                bounds[owner].check_found(owner, least, found);
                            }
                        }
                        1..3 => bounds[owner].check(owner, || handle.read(|paced| paced.look(|it| it.0[owner]))),
                        3..5 => bounds[thread].check(thread, || handle.execute(&thread)),
                        _ => bounds[owner].check(owner, || handle.execute(&owner)),
                    }
                }
                handle.rehome();
                rounds.end(|| {});
            }
        })?;
        agree_on_count(&shared, bounds.iter().map(|bounds| bounds.written.load(Relaxed)).sum())
    }
}
