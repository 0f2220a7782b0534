//! Looks for an order of recorded calls in which the bare structure gives the same answers: every order is tried that respects real time
//! (Wing and Gong, 1993), and where that has led to nothing is remembered (Lowe, 2017).
//!
//! The structure need not be `Clone`: to come back to a state, the search makes the first one and repeats the calls.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

use crate::dispatch::Dispatch;
use crate::replica::ReplicaId;
use crate::testing::Subject;
use crate::testing::outcome::Outcome;

/// A call, and what came of it.
pub(super) struct Event<A> {
    pub(super) replica: ReplicaId,
    /// Makes the same call again.
    pub(super) seed: u64,
    /// Moments of one clock, before and after.
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) outcome: Outcome<A>,
}

/// The calls of each thread, in their order.
pub(super) type History<A> = Vec<Vec<Event<A>>>;

/// The bare structure, and what can be done with it.
pub(super) struct Specification<'a, D: Dispatch, A, F> {
    /// Gives the first state.
    pub(super) make: &'a mut dyn FnMut() -> D,
    /// Makes the call that a seed stands for.
    pub(super) call: &'a dyn Fn(u64, Subject<'_, D>) -> A,
    /// Tells states apart.
    pub(super) fingerprint: &'a dyn Fn(&D) -> F,
}

impl<D: Dispatch, A, F> Specification<'_, D, A, F> {
    /// What a call makes of the structure.
    fn call(&self, data: &mut D, seed: u64, name: Option<&mut String>) -> Outcome<A> {
        Outcome::of(|| (self.call)(seed, Subject::bare(data, name)))
    }

    /// What was called.
    pub(super) fn name(&mut self, seed: u64) -> String {
        let mut name = "nothing".to_owned();
        let mut data = (self.make)();
        self.call(&mut data, seed, Some(&mut name));
        name
    }
}

/// What the search has found.
pub(super) enum Found<A> {
    /// An order.
    Order,
    /// No order.
    None(Longest<A>),
    /// An order, but not where it should be: the fingerprint does not tell states apart that answer differently.
    Coarse,
}

/// The longest order that fits.
pub(super) struct Longest<A> {
    /// The thread of each call.
    pub(super) order: Vec<usize>,
    /// What each thread's next call would have answered, of those that can come next.
    pub(super) next: Vec<(usize, Outcome<A>)>,
    /// If no call is left: the state that it leads to.
    pub(super) state: Option<String>,
}

/// How many calls are tried at most when the search is repeated without memory.
const STEPS_WITHOUT_MEMORY: usize = 100_000;

/// Looks for an order of the `history` that leads to the state `last`, or to any.
pub(super) fn find<D: Dispatch, A: PartialEq, F: Eq + Hash + Debug>(
    specification: &mut Specification<'_, D, A, F>,
    history: &History<A>,
    last: Option<&F>,
) -> Found<A> {
    let first = (specification.make)();
    let mut search = Search {
        specification,
        history,
        last,
        order: vec![],
        positions: vec![0; history.len()],
        dead_ends: Some(HashSet::new()),
        steps: usize::MAX,
        longest: Longest { order: vec![], next: vec![], state: None },
    };
    if search.extend(first) {
        return Found::Order;
    }
    let first = (search.specification.make)();
    search.dead_ends = None;
    search.steps = STEPS_WITHOUT_MEMORY;
    if search.extend(first) { Found::Coarse } else { Found::None(search.longest) }
}

struct Search<'a, 'b, D: Dispatch, A, F> {
    specification: &'a mut Specification<'b, D, A, F>,
    history: &'a History<A>,
    last: Option<&'a F>,
    /// The calls that have been put in order, by threads.
    order: Vec<usize>,
    /// How many of each thread's these are.
    positions: Vec<usize>,
    /// Which calls were left, in which state, when there was no way on. (In one and the same state it doesn't matter how it was reached.)
    dead_ends: Option<HashSet<(Vec<usize>, F)>>,
    /// How many calls may still be tried.
    steps: usize,
    longest: Longest<A>,
}

impl<D: Dispatch, A: PartialEq, F: Eq + Hash + Debug> Search<'_, '_, D, A, F> {
    /// Whether the calls that are left can follow in some order on `data`, which is what those in order have led to.
    fn extend(&mut self, data: D) -> bool {
        let state = (self.specification.fingerprint)(&data);
        let candidates = self.candidates();
        if candidates.is_empty() && self.last.is_none_or(|last| state == *last) {
            return true;
        }
        let here = (self.positions.clone(), state);
        if self.dead_ends.as_ref().is_some_and(|dead_ends| dead_ends.contains(&here)) {
            return false;
        }
        let mut data = Some(data);
        let mut misfits = vec![];
        for &thread in &candidates {
            if self.steps == 0 {
                return false;
            }
            self.steps -= 1;
            let mut data = data.take().unwrap_or_else(|| self.come_back());
            let event = self.next(thread);
            let outcome = self.specification.call(&mut data, event.seed, None);
            if outcome != event.outcome {
                misfits.push((thread, outcome));
                continue;
            }
            self.order.push(thread);
            self.positions[thread] += 1;
            if self.extend(data) {
                return true;
            }
            self.positions[thread] -= 1;
            self.order.pop();
        }
        if misfits.len() == candidates.len() && self.order.len() >= self.longest.order.len() {
            let state = candidates.is_empty().then(|| format!("{:?}", here.1));
            self.longest = Longest { order: self.order.clone(), next: misfits, state };
        }
        if let Some(dead_ends) = &mut self.dead_ends {
            dead_ends.insert(here);
        }
        false
    }

    /// The threads whose next call may come before all others that are left: it began before any of them ended.
    fn candidates(&self) -> Vec<usize> {
        let left = || (0..self.history.len()).filter(|&thread| self.positions[thread] < self.history[thread].len());
        let first_end = left().map(|thread| self.next(thread).ended).min();
        left().filter(|&thread| first_end.is_some_and(|end| self.next(thread).began < end)).collect()
    }

    fn next(&self, thread: usize) -> &Event<A> {
        &self.history[thread][self.positions[thread]]
    }

    /// The state that the calls in order lead to.
    fn come_back(&mut self) -> D {
        let mut data = (self.specification.make)();
        let mut positions = vec![0; self.history.len()];
        for &thread in &self.order {
            let event = &self.history[thread][positions[thread]];
            self.specification.call(&mut data, event.seed, None);
            positions[thread] += 1;
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A register. Seeds stand for calls: 0 reads, 100 + n adds n, 200 + n silently writes n, anything else writes itself.
    struct Register(u64);

    impl Dispatch for Register {
        type ReadOperation<'a> = ();
        type WriteOperation = u64;
        type Response = u64;

        fn dispatch(&self, (): ()) -> u64 {
            self.0
        }

        /// Answers with what was there before, or with 0 if silent.
        fn dispatch_mut(&mut self, write: &u64) -> u64 {
            let before = self.0;
            match *write {
                silent @ 200.. => {
                    self.0 = silent - 200;
                    return 0;
                }
                add @ 100.. => self.0 += add - 100,
                plain => self.0 = plain,
            }
            before
        }
    }

    fn event(seed: u64, began: u64, ended: u64, answer: u64) -> Event<u64> {
        Event { replica: ReplicaId::new(0), seed, began, ended, outcome: Outcome::Answered(answer) }
    }

    fn find_with<F: Eq + Hash + Debug>(
        history: &History<u64>,
        fingerprint: &dyn Fn(&Register) -> F,
        last: F,
    ) -> Found<u64> {
        let call = |seed, register: Subject<'_, Register>| match seed {
            0 => register.execute(()),
            write => register.execute_mut(write),
        };
        let mut make = || Register(0);
        find(&mut Specification { make: &mut make, call: &call, fingerprint }, history, Some(&last))
    }

    fn has_order(history: &History<u64>, last: u64) -> bool {
        matches!(find_with(history, &|register| register.0, last), Found::Order)
    }

    #[test]
    fn calls_that_overlap_may_come_in_either_order() {
        for read in [0, 7] {
            assert!(has_order(&vec![vec![event(7, 0, 3, 0)], vec![event(0, 1, 2, read)]], 7), "read {read}");
        }
        assert!(!has_order(&vec![vec![event(7, 0, 3, 0)], vec![event(0, 1, 2, 8)]], 7));
    }

    #[test]
    fn a_stale_read_has_no_place() {
        assert!(!has_order(&vec![vec![event(7, 0, 1, 0)], vec![event(0, 2, 3, 0)]], 7));
    }

    /// The anomaly itself: W ∥ R1, then R2.
    #[test]
    fn a_second_reader_sees_no_less_than_the_first() {
        let history = |second| vec![vec![event(7, 0, 9, 0)], vec![event(0, 1, 2, 7)], vec![event(0, 3, 4, second)]];
        assert!(has_order(&history(7), 7));
        assert!(!has_order(&history(0), 7));
    }

    #[test]
    fn an_update_is_not_lost() {
        let history = |second| vec![vec![event(101, 0, 2, 0)], vec![event(101, 1, 3, second)]];
        assert!(has_order(&history(1), 2));
        assert!(!has_order(&history(0), 2));
    }

    #[test]
    fn the_last_state_has_to_be_reached() {
        let history = vec![vec![event(7, 0, 1, 0)]];
        assert!(has_order(&history, 7));
        let Found::None(longest) = find_with(&history, &|register| register.0, 8) else { panic!("an order was found") };
        assert_eq!((longest.order, longest.state.as_deref()), (vec![0], Some("7")));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let history = vec![vec![event(1, 0, 1, 0), event(0, 2, 3, 5)]];
        let Found::None(longest) = find_with(&history, &|register| register.0, 1) else { panic!("an order was found") };
        assert_eq!(longest.order, [0]);
        assert!(longest.next == [(0, Outcome::Answered(1))]);
    }

    /// Either order of the two silent writes fits, until the read. The search tries the wrong one first.
    #[test]
    fn a_fingerprint_that_hides_states_is_found_out() {
        let history = vec![vec![event(201, 0, 9, 0)], vec![event(202, 1, 8, 0)], vec![event(0, 10, 11, 1)]];
        assert!(has_order(&history, 1));
        assert!(matches!(find_with(&history, &|_| (), ()), Found::Coarse));
    }
}
