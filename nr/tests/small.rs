//! Everything once, with few threads and operations: for tools under which each step takes a hundred times as long (Miri, valgrind, sanitizers).
//!
//! Operations and answers own memory, so that one that is used too late, or dropped twice or never, is something that such a tool sees; and
//! the structure is plain data, so that one that is used by two threads at once is.

mod common;

use common::{run_threads, scaled};
use nr::{Builder, Dispatch, NodeReplicated, PanicPolicy, Place, ReplicaId, Replicas, Topology};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Words in the order in which they came, and how many letters they have together.
#[derive(Clone, Default)]
struct Text {
    words: Vec<Box<str>>,
    letters: usize,
}

impl Dispatch for Text {
    type ReadOperation<'a> = usize;
    type WriteOperation = Box<str>;
    type Response = Option<Box<str>>;

    fn dispatch(&self, index: usize) -> Option<Box<str>> {
        self.words.get(index).cloned()
    }

    /// Answers with the word before.
    fn dispatch_mut(&mut self, word: &Box<str>) -> Option<Box<str>> {
        let before = self.words.last().cloned();
        self.words.push(word.clone());
        self.letters += word.len();
        if word.is_empty() {
            // Past the hook, which would print.
            resume_unwind(Box::new(word.clone()));
        }
        before
    }

    fn prefetch(&self, word: &Box<str>) {
        assert!(word.len() < 10);
    }
}

impl Text {
    fn is_whole(&self) -> bool {
        self.words.iter().map(|word| word.len()).sum::<usize>() == self.letters
    }
}

fn text(replicas: usize) -> NodeReplicated<Text> {
    Builder::default()
        .topology(Topology::from_nodes(std::iter::once(0..2)).expect("a sound topology"))
        .replicas(Replicas::Count(NonZeroUsize::new(replicas).expect("not 0")))
        .log_entries(4)
        .max_replicas(4)
        .on_panic(PanicPolicy::Continue)
        .build(Text::default())
        .expect("it builds")
}

/// How often a thread does what it does. `NR_TEST_SCALE` makes it more or less.
fn times() -> usize {
    scaled(20)
}

/// Runs `work` on three threads, each with its number, and checks that so many words came of it.
fn on_three_threads(replicas: usize, words: usize, work: impl Fn(&NodeReplicated<Text>, usize) + Sync) {
    let text = text(replicas);
    run_threads(3, |thread| work(&text, thread));
    let text = text.into_inner();
    assert!(text.is_whole());
    assert_eq!(text.words.len(), words);
}

fn on_one_to_three_replicas(words: usize, work: impl Fn(&NodeReplicated<Text>, usize) + Sync) {
    (1..=3).for_each(|replicas| on_three_threads(replicas, words, &work));
}

fn handle(text: &NodeReplicated<Text>, thread: usize) -> nr::Handle<'_, Text> {
    text.register_on(ReplicaId::new(thread % text.replicas())).expect("it is there")
}

#[test]
fn writes_and_reads() {
    on_one_to_three_replicas(3 * times(), |text, thread| {
        let mut handle = handle(text, thread);
        for time in 0..times() {
            handle.execute_mut(format!("{thread} {time}").into());
            assert!(handle.read(|text| text.is_whole() && text.words.len() > time));
            assert!(handle.execute(time).is_some());
        }
    });
}

#[test]
fn batches() {
    on_one_to_three_replicas(9 * times(), |text, thread| {
        let mut handle = handle(text, thread);
        for time in 0..times() {
            let answers = handle.execute_mut_batch(["one", "two", "three"].map(Box::from));
            assert_eq!(answers[1..], [Some("one".into()), Some("two".into())]);
            assert!(handle.read(|text| text.words.len() >= 3 * (time + 1) && text.words.len() % 3 == 0));
        }
    });
}

#[test]
fn panics() {
    on_one_to_three_replicas(3 * 3 * times(), |text, thread| {
        let mut handle = handle(text, thread);
        for _ in 0..times() {
            assert!(catch_unwind(AssertUnwindSafe(|| handle.execute_mut("".into()))).is_err());
            let batch = ["one", ""].map(Box::from);
            assert!(catch_unwind(AssertUnwindSafe(|| handle.execute_mut_batch(batch))).is_err());
            assert!(
                catch_unwind(AssertUnwindSafe(|| handle.read(|text| resume_unwind(Box::new(text.words[0].clone())))))
                    .is_err()
            );
        }
    });
}

#[test]
fn replicas_come_and_go() {
    on_one_to_three_replicas(2 * times(), |text, thread| {
        for time in 0..times() {
            if thread == 0 {
                // Not `Here`, nor `register`: Miri can't tell on which processor a thread is.
                let id = text.add_replica(Place::Node(0)).expect("there is room");
                text.register_on(id).expect("it is there").execute(time);
                text.sync();
                text.remove_replica(id).expect("it is one of several");
            } else {
                handle(text, 0).execute_mut("word".into());
            }
        }
    });
}

/// Dropped with operations in the log that a replica has yet to execute.
#[test]
fn dropped_as_it_is() {
    for replicas in 1..=3 {
        let text = text(replicas);
        let mut handle = handle(&text, 0);
        (0..7).for_each(|time| drop(handle.execute_mut(format!("{time}").into())));
    }
}
