//! Who decides whether a window is linearizable.
//!
//! Small ones are decided by `stateright`, whose tester tries one order after the other: with a violation, all there are, which takes
//! 0.3 s at worst with four threads of three calls, and 8 s with four of four. Wide ones are decided by the search of the crate's own
//! tests, which remembers what it has tried.
//! On small ones the two agree, as is tested here.

use crate::common::history::is_linearizable;
use crate::program::structures::Structure;
use crate::program::window::{Answer, Call, Object, Window};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};

pub fn by_stateright<S: Structure>(window: &Window<S>) -> bool {
    enum Step<S: Structure> {
        Begin(Call<S>),
        End(Answer<S>),
    }
    // It wants to hear of everything in the order in which it happened.
    let mut steps: Vec<_> = window
        .events
        .iter()
        .flat_map(|event| {
            let begin = (event.began, event.thread, Step::Begin(event.op.clone()));
            [begin, (event.ended, event.thread, Step::End(event.answer.clone()))]
        })
        .collect();
    steps.sort_by_key(|(time, ..)| *time);
    let mut tester = LinearizabilityTester::new(Object(window.initial.clone()));
    for (_, thread, step) in steps {
        let told = match step {
            Step::Begin(call) => tester.on_invoke(thread, call).map(drop),
            Step::End(answer) => tester.on_return(thread, answer).map(drop),
        };
        told.expect("a thread makes one call after the other");
    }
    tester.is_consistent()
}

pub fn by_search<S: Structure>(window: &Window<S>) -> bool {
    is_linearizable(&Object(window.initial.clone()), &window.events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Random;
    use crate::common::history::{Event, Model};
    use crate::program::structures::*;

    /// A history with an order that explains it, of which every second has been damaged: two answers are exchanged.
    fn random_window<S: Structure>(random: &mut Random) -> Window<S> {
        let (threads, steps) = (2 + random.below(3), 1 + random.below(3));
        // Each call takes effect between its begin and its end.
        let mut moments: Vec<(u64, u64, u64, usize)> = (0..threads)
            .flat_map(|thread| {
                let mut times: Vec<u64> = (0..3 * steps).map(|_| random.next() >> 8).collect();
                times.sort_unstable();
                times.chunks(3).map(|time| (time[1], time[0], time[2], thread)).collect::<Vec<_>>()
            })
            .collect();
        moments.sort_unstable();
        let initial = S::random(random);
        let mut object = Object(initial.clone());
        let mut events: Vec<Event<Object<S>>> = moments
            .into_iter()
            .map(|(_, began, ended, thread)| {
                let mut write = |fresh| S::random_write(random, FRESH + (thread * 10 + fresh) as u32);
                let op = match began % 4 {
                    0 => Call::Write(write(0)),
                    1 => Call::Batch(vec![write(0), write(1)]),
                    2 => Call::Read(S::random_read(random)),
                    _ => Call::Whole,
                };
                let answer = object.apply(&op);
                Event { thread, began, ended, op, answer }
            })
            .collect();
        if random.one_in(2) {
            let (first, second) = (random.below(events.len()), random.below(events.len()));
            let exchanged = events[first].answer.clone();
            events[first].answer = std::mem::replace(&mut events[second].answer, exchanged);
        }
        Window { initial, events }
    }

    fn agree<S: Structure>() {
        let mut random = Random::new(1);
        let (mut good, mut bad) = (0, 0);
        for _ in 0..400 {
            let window: Window<S> = random_window(&mut random);
            let decided = by_stateright(&window);
            assert_eq!(decided, by_search(&window), "{window}");
            *(if decided { &mut good } else { &mut bad }) += 1;
        }
        assert!(good > 50 && bad > 50, "both occur: {good} and {bad}");
    }

    #[test]
    fn both_agree_on_random_windows() {
        agree::<Map>();
        agree::<Queue>();
        agree::<Stack>();
        agree::<PriorityQueue>();
        agree::<Counter>();
    }
}
