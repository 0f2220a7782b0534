//! One thread, and whatever it may think of: random sequences of calls, over one, two and four replicas and over logs of all sizes, give the
//! same answers as the bare structure would.
//!
//! `PROPTEST_CASES=100000 cargo test --release -p node-replicated --test sequential` tries more of them. A sequence that fails is made as
//! short as possible and printed, and what it was made from is added to `sequential.regressions` beside this file, which is
//! tried first from then on: commit it together with the repair.

use nr::{
    AddReplicaError, Builder, Dispatch, ExecuteError, Handle, NodeReplicated, OwnedHandle, PanicPolicy, Place,
    RegisterError, RemoveReplicaError, ReplicaId, Replicas, Topology,
};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// The most replicas that there may be at once.
const ROOM: usize = 5;

/// Texts in an order: what an operation answers depends on all before it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Shelf(Vec<String>);

#[derive(Clone, Debug, PartialEq)]
enum Change {
    Insert(usize, String),
    Remove(usize),
    /// Takes the first so many out.
    Cut(usize),
    Reverse,
    /// Puts something in and panics, with that.
    Break(String),
}

/// A change that knows whether it was dropped.
#[derive(Debug)]
struct Operation {
    change: Change,
    _alive: Arc<()>,
}

/// Borrows from the caller.
#[derive(Clone, Copy)]
enum Question<'a> {
    Find(&'a str),
    At(usize),
}

/// The length, and what was asked for.
type Answer = (usize, Option<String>);

impl Shelf {
    fn change(&mut self, change: &Change) -> Answer {
        let length = self.0.len();
        let found = match change {
            Change::Insert(at, text) => {
                self.0.insert(at % (length + 1), text.clone());
                None
            }
            Change::Remove(_) if length == 0 => None,
            Change::Remove(at) => Some(self.0.remove(at % length)),
            Change::Cut(count) => Some(self.0.drain(..*count.min(&length)).collect()),
            Change::Reverse => {
                self.0.reverse();
                None
            }
            Change::Break(text) => {
                self.0.push(text.clone());
                // Past the panic hook, which would print it.
                resume_unwind(Box::new(text.clone()));
            }
        };
        (self.0.len(), found)
    }

    fn answer(&self, question: Question) -> Answer {
        match question {
            Question::Find(text) => (self.0.iter().position(|item| item == text).unwrap_or(self.0.len()), None),
            Question::At(index) => (self.0.len(), self.0.get(index).cloned()),
        }
    }
}

impl Dispatch for Shelf {
    type ReadOperation<'a> = Question<'a>;
    type WriteOperation = Operation;
    type Response = Answer;

    fn dispatch(&self, question: Question) -> Answer {
        self.answer(question)
    }

    fn dispatch_mut(&mut self, operation: &Operation) -> Answer {
        self.change(&operation.change)
    }
}

/// What the thread does next. Numbers of handles and replicas are taken modulo what there is, or a little more.
#[derive(Clone, Debug)]
enum Step {
    Write(usize, Change),
    Batch(usize, Vec<Change>),
    Find(usize, String),
    At(usize, usize),
    /// Reads by a closure.
    Look(usize),
    Sync,
    ClearPoison,
    Register {
        on: Option<usize>,
        owned: bool,
    },
    Release(usize),
    Rehome(usize),
    Add,
    Remove(usize),
    /// Looks at the numbers.
    Count,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (any::<usize>(), "[a-d]{1,2}").prop_map(|(at, text)| Change::Insert(at, text)),
        3 => any::<usize>().prop_map(Change::Remove),
        1 => (0..3_usize).prop_map(Change::Cut),
        2 => Just(Change::Reverse),
        1 => "[a-d]".prop_map(Change::Break),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let handle = || any::<usize>();
    prop_oneof![
        12 => (handle(), change()).prop_map(|(handle, change)| Step::Write(handle, change)),
        5 => (handle(), prop::collection::vec(change(), 0..6)).prop_map(|(handle, batch)| Step::Batch(handle, batch)),
        4 => (handle(), "[a-d]{1,2}").prop_map(|(handle, text)| Step::Find(handle, text)),
        2 => (handle(), 0..6_usize).prop_map(|(handle, index)| Step::At(handle, index)),
        4 => handle().prop_map(Step::Look),
        1 => Just(Step::Sync),
        3 => Just(Step::ClearPoison),
        3 => (prop::option::of(0..=ROOM), any::<bool>()).prop_map(|(on, owned)| Step::Register { on, owned }),
        1 => handle().prop_map(Step::Release),
        1 => handle().prop_map(Step::Rehome),
        2 => Just(Step::Add),
        2 => (0..=ROOM).prop_map(Step::Remove),
        1 => Just(Step::Count),
    ]
}

/// What a call comes to: an answer, a refusal, or a panic, of which the payload is told.
#[derive(Debug, PartialEq)]
enum Outcome<R> {
    Answer(R),
    Poisoned,
    TooLarge { len: usize, max: usize },
    Panic(String),
}

fn text_of(payload: Box<dyn Any + Send>) -> String {
    *payload.downcast::<String>().unwrap_or_else(|other| resume_unwind(other))
}

/// The outcome of a call, and what it hands back.
fn outcome<R, T>(call: impl FnOnce() -> Result<R, ExecuteError<T>>) -> (Outcome<R>, Option<T>) {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(answer)) => (Outcome::Answer(answer), None),
        Ok(Err(ExecuteError::BatchTooLarge { len, max, returned, .. })) => {
            (Outcome::TooLarge { len, max }, Some(returned))
        }
        Ok(Err(refused)) => (Outcome::Poisoned, Some(refused.into_returned())),
        Err(payload) => (Outcome::Panic(text_of(payload)), None),
    }
}

/// Either kind of handle.
enum AnyHandle<'a> {
    Borrowing(Handle<'a, Shelf>),
    Owned(OwnedHandle<Shelf>),
}

/// Calls the same method of either.
macro_rules! call {
    ($handle:expr, $method:ident($($argument:expr),*)) => {
        match $handle {
            AnyHandle::Borrowing(handle) => handle.$method($($argument),*),
            AnyHandle::Owned(handle) => handle.$method($($argument),*),
        }
    };
}

/// The bare structure, and what else is known about the replicated one.
struct Bare {
    shelf: Shelf,
    policy: PanicPolicy,
    is_poisoned: bool,
    executed: u64,
    max_batch: usize,
    replicas: BTreeSet<usize>,
}

impl Bare {
    fn unless_poisoned<R>(&self, answer: impl FnOnce(&Shelf) -> R) -> Outcome<R> {
        if self.is_poisoned { Outcome::Poisoned } else { Outcome::Answer(answer(&self.shelf)) }
    }

    fn batch(&mut self, changes: &[Change]) -> Outcome<Vec<Answer>> {
        if changes.len() > self.max_batch {
            return Outcome::TooLarge { len: changes.len(), max: self.max_batch };
        }
        if self.is_poisoned {
            return Outcome::Poisoned;
        }
        self.executed += changes.len() as u64;
        // All of them, whatever becomes of the first.
        let mut results = Vec::new();
        for change in changes {
            results.push(catch_unwind(AssertUnwindSafe(|| self.shelf.change(change))));
        }
        match results.into_iter().collect() {
            Ok(answers) => Outcome::Answer(answers),
            Err(payload) => {
                self.is_poisoned = self.policy == PanicPolicy::Poison;
                Outcome::Panic(text_of(payload))
            }
        }
    }

    fn write(&mut self, change: &Change) -> Outcome<Answer> {
        match self.batch(std::slice::from_ref(change)) {
            Outcome::Answer(mut answers) => Outcome::Answer(answers.remove(0)),
            Outcome::Poisoned => Outcome::Poisoned,
            Outcome::Panic(text) => Outcome::Panic(text),
            Outcome::TooLarge { .. } => unreachable!("a log has an entry"),
        }
    }

    fn ids(&self) -> Vec<ReplicaId> {
        self.replicas.iter().copied().map(ReplicaId::new).collect()
    }
}

/// Takes all `steps` on both, and compares.
fn run(replicas: usize, log_entries: usize, policy: PanicPolicy, steps: &[Step]) -> Result<(), TestCaseError> {
    let builder = Builder::default().topology(Topology::single()).max_replicas(ROOM).on_panic(policy);
    let builder = builder.replicas(Replicas::Count(replicas.try_into().unwrap())).log_entries(log_entries);
    let nr: Arc<NodeReplicated<Shelf>> = Arc::new(builder.build(Shelf::default()).unwrap());
    let mut bare = Bare {
        shelf: Shelf::default(),
        policy,
        is_poisoned: false,
        executed: 0,
        max_batch: log_entries.next_power_of_two(),
        replicas: (0..replicas).collect(),
    };
    let alive = Arc::new(());
    let operation = |change: &Change| Operation { change: change.clone(), _alive: Arc::clone(&alive) };
    let mut handles = vec![AnyHandle::Borrowing(nr.register().unwrap())];

    for step in steps {
        let count = handles.len();
        match step {
            Step::Write(handle, change) => {
                let handle = &mut handles[handle % count];
                let (outcome, returned) = outcome(|| call!(handle, try_execute_mut(operation(change))));
                prop_assert_eq!(outcome, bare.write(change));
                prop_assert!(returned.is_none_or(|operation| operation.change == *change));
            }
            Step::Batch(handle, changes) => {
                let handle = &mut handles[handle % count];
                let batch = changes.iter().map(operation);
                let (outcome, returned) = outcome(|| call!(handle, try_execute_mut_batch(batch)));
                prop_assert_eq!(outcome, bare.batch(changes));
                let returned = returned.map(|batch| batch.iter().map(|operation| operation.change.clone()).collect());
                prop_assert!(returned.is_none_or(|returned: Vec<Change>| returned == *changes));
            }
            Step::Find(handle, text) => {
                let question = Question::Find(text);
                let outcome = outcome(|| call!(&mut handles[handle % count], try_execute(question))).0;
                prop_assert_eq!(outcome, bare.unless_poisoned(|shelf| shelf.answer(question)));
            }
            Step::At(handle, index) => {
                let question = Question::At(*index);
                let outcome = outcome(|| call!(&mut handles[handle % count], try_execute(question))).0;
                prop_assert_eq!(outcome, bare.unless_poisoned(|shelf| shelf.answer(question)));
            }
            Step::Look(handle) => {
                let handle = &mut handles[handle % count];
                let outcome = outcome(|| call!(handle, try_read(Shelf::clone))).0;
                prop_assert_eq!(outcome, bare.unless_poisoned(Shelf::clone));
                let home = call!(handle, replica_id());
                prop_assert!(
                    bare.is_poisoned || bare.replicas.contains(&home.index()),
                    "read on {}, which is gone",
                    home
                );
            }
            Step::Sync => {
                nr.sync();
                let stats = nr.stats();
                prop_assert!(stats.replicas.iter().all(|replica| replica.lag == 0), "{}", stats);
                if let Some(log) = stats.log {
                    prop_assert_eq!((log.completed, log.reclaimed), (log.tail, log.tail));
                }
            }
            Step::ClearPoison => {
                nr.clear_poison();
                bare.is_poisoned = false;
            }
            Step::Register { on, owned } => {
                let handle = match (on.map(ReplicaId::new), owned) {
                    (None, false) => nr.register().map(AnyHandle::Borrowing),
                    (None, true) => nr.register_owned().map(AnyHandle::Owned),
                    (Some(id), false) => nr.register_on(id).map(AnyHandle::Borrowing),
                    (Some(id), true) => nr.register_owned_on(id).map(AnyHandle::Owned),
                };
                match handle {
                    Ok(handle) => {
                        let home = call!(&handle, replica_id()).index();
                        prop_assert!(on.is_none_or(|on| on == home) && bare.replicas.contains(&home));
                        handles.push(handle);
                    }
                    Err(RegisterError::NoSuchReplica { id, present, .. }) => {
                        prop_assert!(*on == Some(id.index()) && !bare.replicas.contains(&id.index()));
                        prop_assert_eq!(present, bare.ids());
                    }
                    Err(other) => prop_assert!(false, "{}", other),
                }
            }
            Step::Release(handle) if count > 1 => drop(handles.swap_remove(handle % count)),
            Step::Release(_) => {}
            Step::Rehome(handle) => {
                let home = call!(&mut handles[handle % count], rehome());
                prop_assert!(bare.replicas.contains(&home.index()), "at home on {}, which is gone", home);
            }
            Step::Add => {
                let least_free = (0..ROOM).find(|id| !bare.replicas.contains(id));
                match (nr.add_replica(Place::Here), least_free) {
                    (Ok(id), Some(free)) => {
                        prop_assert_eq!(id, ReplicaId::new(free));
                        bare.replicas.insert(free);
                    }
                    (added, free) => {
                        prop_assert!(matches!(added, Err(AddReplicaError::Full { max: ROOM, .. })), "{:?}", added);
                        prop_assert_eq!(free, None);
                    }
                }
            }
            Step::Remove(id) => {
                let id = ReplicaId::new(*id);
                match nr.remove_replica(id) {
                    Ok(()) => {
                        prop_assert!(bare.replicas.remove(&id.index()), "{} was removed, and was not there", id);
                        prop_assert!(!bare.replicas.is_empty(), "the last one was removed");
                    }
                    Err(RemoveReplicaError::Last { .. }) => prop_assert_eq!(bare.ids(), [id]),
                    Err(RemoveReplicaError::NoSuchReplica { .. }) => prop_assert!(!bare.replicas.contains(&id.index())),
                    Err(other) => prop_assert!(false, "{}", other),
                }
            }
            Step::Count => {
                let stats = nr.stats();
                prop_assert_eq!(stats.operations(), bare.executed, "{}", stats);
                prop_assert_eq!(stats.log.is_some(), bare.replicas.len() > 1);
                for replica in &stats.replicas {
                    let at_home = handles.iter().filter(|handle| call!(handle, replica_id()) == replica.id);
                    prop_assert_eq!(replica.handles, at_home.count(), "{}", stats);
                }
                if let Some(log) = &stats.log {
                    let in_order = log.reclaimed <= log.completed && log.completed == log.tail;
                    prop_assert!(in_order && log.tail <= log.reclaimed + log.capacity, "{}", stats);
                }
            }
        }
        prop_assert_eq!(nr.replica_ids(), bare.ids());
        prop_assert_eq!(nr.replicas(), bare.replicas.len());
        prop_assert_eq!(nr.is_poisoned(), bare.is_poisoned);
    }

    drop(handles);
    let structure = Arc::into_inner(nr).expect("no owned handle is left").into_inner();
    prop_assert_eq!(structure, bare.shelf);
    prop_assert_eq!(Arc::strong_count(&alive), 1, "every operation was dropped");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn answers_are_those_of_the_bare_structure(
        replicas in prop::sample::select(vec![1, 2, 4]),
        log_entries in prop::sample::select(vec![1, 2, 4, 64, 4096]),
        policy in prop::sample::select(vec![PanicPolicy::Poison, PanicPolicy::Continue]),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        run(replicas, log_entries, policy, &steps)?;
    }
}
