//! Transfers between bank accounts: two writes that nobody may see apart.
//!
//! ```text
//! cargo run --release --example batch
//! cargo run --release --example batch -- --apart
//! ```
//!
//! A transfer takes from one account and gives to another. Between the two the money is nowhere. Handed over with
//! `execute_mut_batch` they are atomic: no reader, on any replica, sees one without the other, which this program
//! checks by adding up all accounts while the transfers go on. With `--apart` each is a write of its own, and the
//! check fails: see for yourself.
//!
//! A batch is atomic, but not conditional: the second write happens whatever the first one answered. Where it must
//! not, as when an account may not be overdrawn, make the two *one* operation, `Transfer { from, to, amount }`.

use std::{
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use nr::{Builder, Dispatch, ReplicaId};
use nr_examples::{Random, ReplicasOption, Result, counted, ensure, grouped, on_every_replica, on_threads, say, whole};

/// The balances, which may go below zero.
#[derive(Clone)]
struct Bank(Vec<i64>);

impl Bank {
    fn total(&self) -> i64 {
        self.0.iter().sum()
    }
}

struct Balance {
    account: usize,
}

enum Write {
    Withdraw { account: usize, amount: i64 },
    Deposit { account: usize, amount: i64 },
}

impl Dispatch for Bank {
    type ReadOperation<'a> = Balance;
    type WriteOperation = Write;
    type Response = i64;

    fn dispatch(&self, Balance { account }: Balance) -> i64 {
        self.0[account]
    }

    /// Answers with the new balance.
    fn dispatch_mut(&mut self, write: &Write) -> i64 {
        let (account, change) = match *write {
            Write::Withdraw { account, amount } => (account, -amount),
            Write::Deposit { account, amount } => (account, amount),
        };
        self.0[account] += change;
        self.0[account]
    }
}

/// Transfers between accounts as atomic batches, while readers on every replica check that no money is missing.
#[derive(Parser)]
struct Options {
    /// Threads that transfer, 1 to 64; one reader for each replica comes on top
    #[arg(long, value_name = "NUMBER", default_value = "2", value_parser = whole(1..=64))]
    threads: usize,

    /// Accounts, 2 to 100,000
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = whole(2..=100_000))]
    accounts: usize,

    /// Transfers of all threads together, 1 to 10,000,000
    #[arg(long, value_name = "NUMBER", default_value = "1000000", value_parser = whole(1..=10_000_000))]
    transfers: usize,

    /// Make each transfer two separate writes, to see the check fail
    #[arg(long)]
    apart: bool,

    #[command(flatten)]
    replicas: ReplicasOption,
}

/// What each account starts with.
const START: i64 = 1_000;

fn main() -> ExitCode {
    nr_examples::finish(run(&Options::parse()))
}

fn run(&Options { threads, accounts, transfers, apart, replicas }: &Options) -> Result {
    let bank = Builder::default().replicas(replicas.choice()).build(Bank(vec![START; accounts]))?;
    let total = START * accounts as i64;
    let transferring = AtomicUsize::new(threads);
    let [looks, wrong] = [const { AtomicUsize::new(0) }; 2];

    let begin = Instant::now();
    let changes = on_threads(threads + bank.replicas(), |index| {
        let mut changes = vec![0; accounts];
        if index < threads {
            let mut handle = bank.register()?;
            let mut random = Random::new(index as u64);
            for _ in (index..transfers).step_by(threads) {
                let from = random.below(accounts);
                let to = (from + 1 + random.below(accounts - 1)) % accounts;
                let amount = random.below(100) as i64;

                let withdraw = Write::Withdraw { account: from, amount };
                let deposit = Write::Deposit { account: to, amount };
                if apart {
                    handle.execute_mut(withdraw);
                    handle.execute_mut(deposit);
                } else {
                    handle.execute_mut_batch([withdraw, deposit]);
                }
                changes[from] -= amount;
                changes[to] += amount;
            }
            transferring.fetch_sub(1, Ordering::Release);
        } else {
            // A reader for each replica: none of them may show a transfer half done.
            let mut handle = bank.register_on(ReplicaId::new(index - threads))?;
            loop {
                let finished = transferring.load(Ordering::Acquire) == 0;
                // The closure borrows the whole bank as it is at one moment. This replica changes nothing meanwhile,
                // so a long look makes its writers wait.
                let seen = handle.read(|bank| bank.total());
                looks.fetch_add(1, Ordering::Relaxed);
                wrong.fetch_add(usize::from(seen != total), Ordering::Relaxed);
                if finished {
                    break;
                }
                // Leaves the processors to the transfers, so that each look finds other ones on their way.
                thread::sleep(Duration::from_micros(20));
            }
        }
        Ok(changes)
    })?;
    let seconds = begin.elapsed().as_secs_f64();

    let (looks, wrong) = (looks.into_inner(), wrong.into_inner());
    say!(
        "{} between {} by {}, {} by readers on {}:",
        counted(transfers, "transfer"),
        counted(accounts, "account"),
        counted(threads, "thread"),
        counted(looks, "sum"),
        counted(bank.replicas(), "replica")
    );
    say!("{:.2} s, {:.2} million transfers a second", seconds, transfers as f64 / seconds / 1e6);
    ensure!(
        wrong == 0,
        "{} of {} missed the total of {}",
        grouped(wrong),
        counted(looks, "sum"),
        grouped(total as usize)
    );

    // Additions commute: in whatever order the log took them, each account ends at the sum of its own.
    let expected: Vec<i64> =
        (0..accounts).map(|account| START + changes.iter().map(|changes| changes[account]).sum::<i64>()).collect();
    for (index, balances) in on_every_replica(&bank, |bank| bank.0.clone())?.into_iter().enumerate() {
        ensure!(balances == expected, "the balances of replica {index} are not the sums of all transfers");
    }
    let mut handle = bank.register()?;
    for (account, &balance) in expected.iter().enumerate() {
        let found = handle.execute(Balance { account });
        ensure!(found == balance, "account {account} holds {found} instead of {balance}");
    }
    say!("Check passed: every sum was {}, and each account holds what it should.", grouped(total as usize));
    Ok(())
}
