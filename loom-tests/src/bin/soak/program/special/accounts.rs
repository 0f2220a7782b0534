//! Accounts, between which money moves.

use crate::common::{Random, Shared, SharedHandle, check};
use crate::program::check::{Check, agree_on_count};
use crate::program::pace::Paced;
use crate::program::rounds::Rounds;
use crate::program::setting::Setting;
use nr::Dispatch;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

/// What is taken from one account is added to another, by one operation or by a batch. Whoever adds up all accounts, anywhere, finds
/// nothing; and within a batch it is what the batch itself has left there so far.
pub struct Accounts;

const ACCOUNTS: usize = 4;

#[derive(Clone, Debug, Default)]
pub struct Balances([i64; ACCOUNTS]);

/// A move between two accounts; or half of one.
pub enum Move {
    Whole { from: usize, to: usize, amount: i64 },
    Half { account: usize, amount: i64 },
}

/// Adds up all accounts.
pub struct Total;

impl Balances {
    /// Slowly enough that a move in the midst of it would be noticed.
    fn total(&self) -> i64 {
        let (first, last) = self.0.split_at(ACCOUNTS / 2);
        let first: i64 = first.iter().sum();
        if first % 8 == 0 {
            thread::yield_now();
        }
        first + last.iter().sum::<i64>()
    }
}

impl Dispatch for Balances {
    type ReadOperation<'a> = Total;
    type WriteOperation = Move;
    /// The total, afterwards.
    type Response = i64;

    fn dispatch(&self, Total: Total) -> i64 {
        self.total()
    }

    fn dispatch_mut(&mut self, op: &Move) -> i64 {
        match *op {
            Move::Whole { from, to, amount } => {
                self.0[from] -= amount;
                // Now and then somebody else runs, and must not look.
                if amount % 8 == 0 {
                    thread::yield_now();
                }
                self.0[to] += amount;
            }
            Move::Half { account, amount } => self.0[account] += amount,
        }
        self.0.iter().sum()
    }
}

impl Check for Accounts {
    type Data = Balances;

    fn data(_: &Setting) -> Balances {
        Balances::default()
    }

    fn run<S: Shared<Paced<Balances>>>(setting: &Setting, shared: S, rounds: &Rounds<'_>) -> Result<(), String> {
        let written = AtomicU64::new(0);
        rounds.run(|thread| {
            let mut handle = shared.handle(setting.replica_of(thread));
            let mut random = setting.random_of(thread);
            let mut writes = 0;
            while rounds.begin() {
                for _ in rounds.calls() {
                    if setting.writes(thread, &mut random) {
                        let amounts = amounts(setting.batch(&mut random), &mut random);
                        writes += amounts.len().max(1);
                        move_money(&mut handle, &amounts, &mut random);
                    } else {
                        let total = match random.one_in(2) {
                            true => handle.execute(Total),
                            false => handle.read(|paced| paced.look(Balances::total)),
                        };
                        check!(total == 0, "a read finds {total}");
                    }
                }
                rounds.end(|| {});
            }
            written.fetch_add(writes as u64, Relaxed);
        })?;
        agree_on_count(&shared, written.into_inner())
    }
}

/// What a batch of so many halves moves, which comes to nothing in the end; none for a single operation.
fn amounts(len: usize, random: &mut Random) -> Vec<i64> {
    let mut amounts: Vec<i64> = (1..len).map(|_| 1 + random.below(100) as i64).collect();
    if !amounts.is_empty() {
        amounts.push(-amounts.iter().sum::<i64>());
    }
    amounts
}

fn move_money(handle: &mut impl SharedHandle<Paced<Balances>>, amounts: &[i64], random: &mut Random) {
    if amounts.is_empty() {
        let (from, to) = (random.below(ACCOUNTS), random.below(ACCOUNTS));
        let total = handle.execute_mut(Move::Whole { from, to, amount: random.below(100) as i64 });
        check!(total == 0, "a move leaves {total}");
    } else {
        let halves = amounts.iter().map(|&amount| Move::Half { account: random.below(ACCOUNTS), amount });
        let totals = handle.execute_mut_batch(halves);
        let mut left = 0;
        let expected: Vec<i64> = amounts.iter().map(|amount| (left += amount, left).1).collect();
        check!(totals == expected, "a batch of {amounts:?} finds {totals:?}");
    }
}
