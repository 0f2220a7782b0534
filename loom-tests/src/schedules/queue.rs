//! A queue: what one producer has put in comes out in its order.

use std::collections::VecDeque;

use nr_loom_tests::Dispatch;

use crate::search::{build, replica_of, search, step, together};

/// Of producers and their numbers.
#[derive(Clone, Default)]
struct Queue(VecDeque<(usize, usize)>);

enum Change {
    Push(usize, usize),
    Pop,
}

impl Dispatch for Queue {
    type ReadOperation<'a> = ();
    type WriteOperation = Change;
    type Response = Option<(usize, usize)>;

    fn dispatch(&self, (): ()) -> Self::Response {
        self.0.front().copied()
    }

    fn dispatch_mut(&mut self, change: &Change) -> Self::Response {
        step();
        match *change {
            Change::Push(producer, number) => {
                self.0.push_back((producer, number));
                None
            }
            Change::Pop => self.0.pop_front(),
        }
    }
}

/// Three producers, one on each replica, one of them with batches, and two consumers.
///
/// Fails if the tail is read and written instead of exchanged, if a batch goes into the log back to front, or if a round does not wait
/// until those before it are published.
#[test]
fn each_producer_is_first_in_first_out() {
    const EACH: usize = 6;
    search(|| {
        let queue = build::<Queue>(3, 8);
        let mut seen = together(5, |thread| {
            let mut handle = queue.register_on(replica_of(thread, 3)).unwrap();
            match thread {
                0 => {
                    for pair in [0, 2, 4] {
                        handle.execute_mut_batch([pair, pair + 1].map(|number| Change::Push(thread, number)));
                    }
                }
                1 | 2 => {
                    for number in 0..EACH {
                        handle.execute_mut(Change::Push(thread, number));
                    }
                }
                _ => return (0..EACH).filter_map(|_| handle.execute_mut(Change::Pop)).collect(),
            }
            Vec::new()
        });
        seen.push(queue.into_inner().0.into());
        // Each consumer by itself, and who looks at the rest last, sees every producer's numbers rise.
        for producer in 0..3 {
            let numbers = |seen: &Vec<(usize, usize)>| -> Vec<usize> {
                seen.iter().filter(|item| item.0 == producer).map(|item| item.1).collect()
            };
            assert!(seen.iter().all(|seen| numbers(seen).is_sorted_by(|a, b| a < b)), "{seen:?}");
            let mut all = seen.iter().flat_map(numbers).collect::<Vec<_>>();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..EACH), "each once: {seen:?}");
        }
    });
}
