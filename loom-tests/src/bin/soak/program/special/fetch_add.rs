//! A counter.

use super::{HighWater, Once};
use crate::common::structures::{Add, Counter, Get};
use crate::common::{Shared, SharedHandle, check};
use crate::program::check::{Check, agree_on_count};
use crate::program::pace::Paced;
use crate::program::rounds::Rounds;
use crate::program::setting::{MAX_BATCH, Setting};

/// The answers of all threads are 0, 1, 2 and so on, each once; those of a batch follow each other; and no operation that begins after
/// another has returned, on whichever replicas, sees less.
pub struct FetchAdd;

impl Check for FetchAdd {
    type Data = Counter;

    fn data(_: &Setting) -> Counter {
        Counter::default()
    }

    fn run<S: Shared<Paced<Counter>>>(setting: &Setting, shared: S, rounds: &Rounds<'_>) -> Result<(), String> {
        let seen = HighWater::default();
        let answers = Once::new(MAX_BATCH * rounds.most_calls() * setting.threads);
        rounds.run(|thread| {
            let mut handle = shared.handle(setting.replica_of(thread));
            let mut random = setting.random_of(thread);
            while rounds.begin() {
                for _ in rounds.calls() {
                    let before = seen.get();
                    let next = if setting.writes(thread, &mut random) {
                        let positions = match setting.batch(&mut random) {
                            1 => vec![handle.execute_mut(Add(1))],
                            len => handle.execute_mut_batch((0..len).map(|_| Add(1))),
                        };
                        check!(positions.windows(2).all(|pair| pair[0] + 1 == pair[1]), "a batch is at {positions:?}");
                        check!(positions[0] >= before, "a write at {} after {before} was seen", positions[0]);
                        positions.iter().for_each(|position| answers.take(*position));
                        positions[0] + positions.len() as u64
                    } else {
                        let read = match random.one_in(2) {
                            true => handle.execute(Get),
                            false => handle.read(|paced| paced.look(|counter| counter.0)),
                        };
                        check!(read >= before, "read {read} after {before} was seen");
                        read
                    };
                    seen.raise(next);
                }
                rounds.end(|| answers.settle());
            }
        })?;
        agree_on_count(&shared, answers.settled())?;
        shared.sync();
        for replica in 0..shared.replicas() {
            let held = shared.handle(replica).read(|paced| paced.data.0);
            if held != answers.settled() {
                return Err(format!("replica {replica} holds {held} in the end, after {}", answers.settled()));
            }
        }
        Ok(())
    }
}
