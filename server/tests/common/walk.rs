//! Random walks through the commands, beside the real Redis.

use super::{Client, Value};

/// A source of random numbers, the same ones in every run.
pub struct Draws(u64);

impl Draws {
    /// Those that belong to a seed.
    pub fn new(seed: u64) -> Draws {
        Draws(seed)
    }

    /// One of the numbers below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    /// One of the choices.
    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// Has both clients make the same random calls, `steps` of them, and asserts that `same` accepts each two replies.
///
/// A form is a command and a letter for each of its arguments, for which `argument` draws words.
#[track_caller]
pub fn random_walk(
    (ours, theirs): (&mut Client, &mut Client),
    steps: usize,
    forms: &[(&str, &str)],
    argument: impl Fn(char, &mut Draws) -> String,
    same: impl Fn(&str, &Value, &Value) -> bool,
) {
    let mut draws = Draws(7);
    for _ in 0..steps {
        let (command, letters) = draws.of(forms);
        let mut call: Vec<String> = command.split(' ').map(String::from).collect();
        for letter in letters.chars() {
            call.extend(argument(letter, &mut draws).split(' ').map(String::from));
        }
        let (expected, found) = (theirs.call(&call), ours.call(&call));
        assert!(same(command, &found, &expected), "{call:?}: {found:?}, in Redis {expected:?}");
    }
}
