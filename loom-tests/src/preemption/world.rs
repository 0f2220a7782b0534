//! A structure that others use while a thread is stopped, and what has to be true of it in the end.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;

use super::common::Configuration;
use crate::sync::AtomicBool;
use crate::{Builder, Dispatch, NodeReplicated, OwnedHandle, ReplicaId, Topology};

/// The numbers of the operations, in the order in which they were executed.
pub(super) struct History {
    pub(super) numbers: Vec<usize>,
    /// An operation is under way: to be seen by nobody. To look at it and to change it are steps.
    pub(super) is_changing: AtomicBool,
}

impl Clone for History {
    fn clone(&self) -> Self {
        self.look();
        Self::new(self.numbers.clone())
    }
}

impl History {
    pub(super) fn new(numbers: Vec<usize>) -> Self {
        Self { numbers, is_changing: AtomicBool::new(false) }
    }

    /// It stands still under whoever looks at it.
    pub(super) fn look(&self) -> usize {
        let before = self.numbers.len();
        assert!(!self.is_changing.load(SeqCst), "seen in the middle of an operation");
        assert_eq!(self.numbers.len(), before, "changed under a reader");
        before
    }
}

/// An operation that counts its drops.
pub(super) struct Operation {
    pub(super) number: usize,
    pub(super) dropped: Arc<Dropped>,
    /// What a combiner of this operation waits for.
    pub(super) gate: Option<Arc<Gate>>,
}

/// How often each operation was dropped.
pub(super) struct Dropped(Vec<AtomicU32>);

impl Drop for Operation {
    fn drop(&mut self) {
        self.dropped.0[self.number].fetch_add(1, SeqCst);
    }
}

impl Dispatch for History {
    type ReadOperation<'a> = ();
    type WriteOperation = Operation;
    /// The position at which it was executed.
    type Response = usize;

    fn dispatch(&self, (): ()) -> usize {
        self.look()
    }

    fn dispatch_mut(&mut self, operation: &Operation) -> usize {
        self.is_changing.store(true, SeqCst);
        if let Some(gate) = &operation.gate {
            gate.pass();
        }
        self.numbers.push(operation.number);
        self.is_changing.store(false, SeqCst);
        self.numbers.len() - 1
    }
}

/// Holds up who comes to it, until it is opened.
#[derive(Default)]
pub(super) struct Gate {
    pub(super) has_come: Mutex<Option<mpsc::Sender<()>>>,
    pub(super) may_pass: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Gate {
    /// A gate, what tells that somebody has come, and what opens it.
    pub(super) fn new() -> (Arc<Self>, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (tell, told) = mpsc::channel();
        let (open, opened) = mpsc::channel();
        let gate = Self { has_come: Mutex::new(Some(tell)), may_pass: Mutex::new(Some(opened)) };
        (Arc::new(gate), told, open)
    }

    /// The first who comes waits; on other replicas it is open by then.
    pub(super) fn pass(&self) {
        if let Some(has_come) = self.has_come.lock().unwrap().take() {
            has_come.send(()).unwrap();
            let may_pass = self.may_pass.lock().unwrap().take().unwrap();
            may_pass.recv().unwrap();
        }
    }
}

/// A structure, and what has to be true of it in the end.
pub(super) struct World {
    pub(super) structure: Arc<NodeReplicated<History>>,
    pub(super) dropped: Arc<Dropped>,
    pub(super) made: AtomicUsize,
    /// Numbers of operations, and their answers.
    pub(super) answers: Mutex<Vec<(usize, usize)>>,
    /// So many operations somebody has been told of: whoever reads from now on sees them.
    pub(super) known: AtomicUsize,
    /// Who is held up at a gate.
    pub(super) held: Mutex<Option<Held>>,
}

/// A thread that is held up in user code, and what lets it go on.
pub(super) struct Held {
    pub(super) thread: thread::JoinHandle<()>,
    pub(super) open: mpsc::Sender<()>,
}

/// What a thread is to do. It has its handles already.
pub(super) type Work = Box<dyn FnOnce() + Send>;
pub(super) type Prepare = fn(&Arc<World>) -> Work;

impl World {
    /// For that many operations.
    pub(super) fn new(replicas: usize, log_entries: usize, most: usize) -> Arc<Self> {
        let builder: Builder = Configuration::new(replicas, Some(log_entries))
            .builder()
            .topology(Topology::from_nodes(std::iter::once(0..8)).unwrap());
        Arc::new(Self {
            structure: Arc::new(builder.build(History::new(Vec::new())).unwrap()),
            dropped: Arc::new(Dropped((0..most).map(|_| AtomicU32::new(0)).collect())),
            made: AtomicUsize::new(0),
            answers: Mutex::new(Vec::new()),
            known: AtomicUsize::new(0),
            held: Mutex::new(None),
        })
    }

    /// Has a thread held up at a gate in what it does.
    pub(super) fn hold_up(self: &Arc<Self>, work: impl FnOnce(&Self, Arc<Gate>) + Send + 'static) {
        let (gate, has_come, open) = Gate::new();
        let world = Arc::clone(self);
        let thread = thread::spawn(move || work(&world, gate));
        has_come.recv().unwrap();
        *self.held.lock().unwrap() = Some(Held { thread, open });
    }

    /// Lets it go on, and waits until it is done.
    pub(super) fn let_go(&self) {
        let Held { thread, open } = self.held.lock().unwrap().take().unwrap();
        open.send(()).unwrap();
        thread.join().unwrap();
    }

    pub(super) fn handle(&self, replica: usize) -> OwnedHandle<History> {
        self.structure.register_owned_on(ReplicaId::new(replica)).unwrap()
    }

    pub(super) fn operation(&self, gate: Option<Arc<Gate>>) -> Operation {
        let number = self.made.fetch_add(1, SeqCst);
        Operation { number, dropped: Arc::clone(&self.dropped), gate }
    }

    pub(super) fn tell(&self, number: usize, position: usize, known: usize) {
        assert!(position >= known, "executed at {position}, when {known} were known to have been");
        self.known.fetch_max(position + 1, SeqCst);
        self.answers.lock().unwrap().push((number, position));
    }

    pub(super) fn write_one(&self, handle: &mut OwnedHandle<History>, operation: Operation) {
        let (number, known) = (operation.number, self.known.load(SeqCst));
        let position = handle.execute_mut(operation);
        self.tell(number, position, known);
    }

    pub(super) fn write(&self, handle: &mut OwnedHandle<History>) {
        self.write_one(handle, self.operation(None));
    }

    pub(super) fn write_batch(&self, handle: &mut OwnedHandle<History>, len: usize) {
        let operations: Vec<_> = (0..len).map(|_| self.operation(None)).collect();
        let numbers: Vec<_> = operations.iter().map(|operation| operation.number).collect();
        let known = self.known.load(SeqCst);
        let positions = handle.execute_mut_batch(operations);
        assert!(positions.windows(2).all(|two| two[0] + 1 == two[1]), "something came between: {positions:?}");
        numbers.into_iter().zip(positions).for_each(|(number, position)| self.tell(number, position, known));
    }

    pub(super) fn read(&self, handle: &mut OwnedHandle<History>) {
        let known = self.known.load(SeqCst);
        let seen = handle.execute(());
        assert!(seen >= known, "saw {seen}, when {known} were known");
        self.known.fetch_max(seen, SeqCst);
    }

    /// All kinds of calls.
    pub(super) fn everything(&self, handle: &mut OwnedHandle<History>) {
        self.read(handle);
        self.write(handle);
        self.read(handle);
        self.write_batch(handle, 2);
        self.read(handle);
    }

    /// To be called when all is done.
    pub(super) fn check(self: Arc<Self>) {
        let Self { structure, dropped, made, answers, .. } = Arc::into_inner(self).expect("nobody is left");
        structure.sync();
        let made = made.into_inner();
        let history = structure.register().unwrap().read(|history| history.numbers.clone());
        for id in structure.replica_ids() {
            let other = structure.register_on(id).unwrap().read(|history| history.numbers.clone());
            assert_eq!(history, other, "{id} differs");
        }
        let mut numbers = history.clone();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..made), "each runs once: {history:?}");
        for (number, position) in answers.into_inner().unwrap() {
            assert_eq!(history[position], number, "the answer of another");
        }
        assert!(structure.stats().replicas.iter().all(|replica| replica.handles == 0), "no handle is left");
        assert_eq!(Arc::into_inner(structure).expect("no handle is left").into_inner().numbers, history);
        for (number, times) in dropped.0.iter().take(made).enumerate() {
            assert_eq!(times.load(SeqCst), 1, "operation {number} was not dropped once");
        }
    }
}

/// A thread's work with the world and a handle on that replica.
pub(super) fn on(world: &Arc<World>, replica: usize, work: fn(&World, &mut OwnedHandle<History>)) -> Work {
    let (world, mut handle) = (Arc::clone(world), world.handle(replica));
    Box::new(move || work(&world, &mut handle))
}

/// A thread's work with the world alone.
pub(super) fn with(world: &Arc<World>, work: fn(&World)) -> Work {
    let world = Arc::clone(world);
    Box::new(move || work(&world))
}
