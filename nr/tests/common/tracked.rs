//! Operations that count what happens to them, and a structure that counts how often it ran them.

use nr::Dispatch;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};

/// Counts for operations `0..operations` on each replica.
pub struct Ledger {
    live: AtomicUsize,
    made: Box<[AtomicU32]>,
    dropped: Box<[AtomicU32]>,
    executed: Box<[Box<[AtomicU32]>]>,
    live_answers: AtomicUsize,
}

fn zeros(n: usize) -> Box<[AtomicU32]> {
    (0..n).map(|_| AtomicU32::new(0)).collect()
}

impl Ledger {
    pub fn new(replicas: usize, operations: usize) -> Arc<Self> {
        Arc::new(Self {
            live: AtomicUsize::new(0),
            made: zeros(operations),
            dropped: zeros(operations),
            executed: (0..replicas).map(|_| zeros(operations)).collect(),
            live_answers: AtomicUsize::new(0),
        })
    }

    /// Makes operation `number`.
    pub fn op(self: &Arc<Self>, number: usize) -> Tracked {
        self.live.fetch_add(1, SeqCst);
        self.made[number].fetch_add(1, SeqCst);
        Tracked { number, ledger: Arc::clone(self) }
    }

    /// Operations made and not yet dropped.
    pub fn live(&self) -> usize {
        self.live.load(SeqCst)
    }

    /// Answers made and not yet dropped.
    pub fn live_answers(&self) -> usize {
        self.live_answers.load(SeqCst)
    }

    pub fn executed(&self, replica: usize, number: usize) -> u32 {
        self.executed[replica][number].load(SeqCst)
    }

    /// Every operation made was dropped once.
    pub fn assert_dropped_once(&self) {
        for (number, (made, dropped)) in self.made.iter().zip(&self.dropped).enumerate() {
            let (made, dropped) = (made.load(SeqCst), dropped.load(SeqCst));
            assert_eq!(made, dropped, "operation {number}: made {made}×, dropped {dropped}×");
        }
        assert_eq!(self.live(), 0, "operations alive");
    }

    /// Every operation of `numbers` ran once on each replica.
    pub fn assert_executed_once(&self, numbers: impl IntoIterator<Item = usize>) {
        for number in numbers {
            for (replica, counts) in self.executed.iter().enumerate() {
                let ran = counts[number].load(SeqCst);
                assert_eq!(ran, 1, "operation {number} ran {ran}× on replica {replica}");
            }
        }
    }

    /// No operation of `numbers` ran anywhere.
    pub fn assert_never_executed(&self, numbers: impl IntoIterator<Item = usize>) {
        for number in numbers {
            for (replica, counts) in self.executed.iter().enumerate() {
                let ran = counts[number].load(SeqCst);
                assert_eq!(ran, 0, "operation {number}, which was handed back, ran {ran}× on replica {replica}");
            }
        }
    }
}

/// An operation that is not `Clone` and not `PartialEq`, and counts its drops.
pub struct Tracked {
    pub number: usize,
    ledger: Arc<Ledger>,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.ledger.dropped[self.number].fetch_add(1, SeqCst);
        self.ledger.live.fetch_sub(1, SeqCst);
    }
}

/// An answer that counts itself.
pub struct Answer {
    pub number: usize,
    ledger: Arc<Ledger>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.ledger.live_answers.fetch_sub(1, SeqCst);
    }
}

/// A replica that writes into the ledger what it ran.
pub struct Counting {
    pub replica: usize,
    pub ran: u64,
    ledger: Arc<Ledger>,
}

impl Counting {
    pub fn new(replica: usize, ledger: &Arc<Ledger>) -> Self {
        Self { replica, ran: 0, ledger: Arc::clone(ledger) }
    }
}

impl Dispatch for Counting {
    type ReadOperation<'a> = ();
    type WriteOperation = Tracked;
    type Response = Answer;

    /// Answers with how many operations this replica ran.
    fn dispatch(&self, (): ()) -> Answer {
        self.ledger.live_answers.fetch_add(1, SeqCst);
        Answer { number: self.ran as usize, ledger: Arc::clone(&self.ledger) }
    }

    /// Answers with the operation's own number.
    fn dispatch_mut(&mut self, op: &Tracked) -> Answer {
        self.ledger.executed[self.replica][op.number].fetch_add(1, SeqCst);
        self.ran += 1;
        self.ledger.live_answers.fetch_add(1, SeqCst);
        Answer { number: op.number, ledger: Arc::clone(&self.ledger) }
    }
}
