//! Preemption at the worst place: a thread is stopped before one of its steps, whichever; meanwhile others work, and then it goes on.
//!
//! Whatever the step, every answer is right, every operation runs once on each replica and is dropped once, and everybody comes to an
//! end. At those steps at which the crate promises that others go on, the thread is stopped until they are done: should they wait
//! for it, a watchdog says so. At the other steps it is stopped for a moment.

#[path = "../../nr/tests/common/mod.rs"]
mod common;

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::sync::AtomicBool;
use crate::{Builder, Dispatch, NodeReplicated, OwnedHandle, Place, ReplicaId, Topology};
use common::{Configuration, CountDownOnDrop, MANY_THREADS, Random, Watchdog, run_threads, scaled};

/// How long a thread is stopped where others may have to wait for it.
const MOMENT: Duration = Duration::from_millis(1);
/// A thread that makes no step for so long sleeps. (If it was slow, fewer places are tried. Each next try takes twice as long.)
const SLEEP: Duration = Duration::from_millis(10);
/// So often a thread is sent to the same place, should it not come to it at once.
const TRIES: u32 = 8;

/// The numbers of the operations, in the order in which they were executed.
struct History {
    numbers: Vec<usize>,
    /// An operation is under way: to be seen by nobody. To look at it and to change it are steps.
    is_changing: AtomicBool,
}

impl Clone for History {
    fn clone(&self) -> Self {
        self.look();
        Self::new(self.numbers.clone())
    }
}

impl History {
    fn new(numbers: Vec<usize>) -> Self {
        Self { numbers, is_changing: AtomicBool::new(false) }
    }

    /// It stands still under whoever looks at it.
    fn look(&self) -> usize {
        let before = self.numbers.len();
        assert!(!self.is_changing.load(SeqCst), "seen in the middle of an operation");
        assert_eq!(self.numbers.len(), before, "changed under a reader");
        before
    }
}

/// An operation that counts its drops.
struct Operation {
    number: usize,
    dropped: Arc<Dropped>,
    /// What a combiner of this operation waits for.
    gate: Option<Arc<Gate>>,
}

/// How often each operation was dropped.
struct Dropped(Vec<AtomicU32>);

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
struct Gate {
    has_come: Mutex<Option<mpsc::Sender<()>>>,
    may_pass: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Gate {
    /// A gate, what tells that somebody has come, and what opens it.
    fn new() -> (Arc<Self>, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (tell, told) = mpsc::channel();
        let (open, opened) = mpsc::channel();
        let gate = Self { has_come: Mutex::new(Some(tell)), may_pass: Mutex::new(Some(opened)) };
        (Arc::new(gate), told, open)
    }

    /// The first who comes waits; on other replicas it is open by then.
    fn pass(&self) {
        if let Some(has_come) = self.has_come.lock().unwrap().take() {
            has_come.send(()).unwrap();
            let may_pass = self.may_pass.lock().unwrap().take().unwrap();
            may_pass.recv().unwrap();
        }
    }
}

/// A structure, and what has to be true of it in the end.
struct World {
    structure: Arc<NodeReplicated<History>>,
    dropped: Arc<Dropped>,
    made: AtomicUsize,
    /// Numbers of operations, and their answers.
    answers: Mutex<Vec<(usize, usize)>>,
    /// So many operations somebody has been told of: whoever reads from now on sees them.
    known: AtomicUsize,
    /// Who is held up at a gate.
    held: Mutex<Option<Held>>,
}

/// A thread that is held up in user code, and what lets it go on.
struct Held {
    thread: thread::JoinHandle<()>,
    open: mpsc::Sender<()>,
}

/// What a thread is to do. It has its handles already.
type Work = Box<dyn FnOnce() + Send>;
type Prepare = fn(&Arc<World>) -> Work;

impl World {
    /// For that many operations.
    fn new(replicas: usize, log_entries: usize, most: usize) -> Arc<Self> {
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
    fn hold_up(self: &Arc<Self>, work: impl FnOnce(&Self, Arc<Gate>) + Send + 'static) {
        let (gate, has_come, open) = Gate::new();
        let world = Arc::clone(self);
        let thread = thread::spawn(move || work(&world, gate));
        has_come.recv().unwrap();
        *self.held.lock().unwrap() = Some(Held { thread, open });
    }

    /// Lets it go on, and waits until it is done.
    fn let_go(&self) {
        let Held { thread, open } = self.held.lock().unwrap().take().unwrap();
        open.send(()).unwrap();
        thread.join().unwrap();
    }

    fn handle(&self, replica: usize) -> OwnedHandle<History> {
        self.structure.register_owned_on(ReplicaId::new(replica)).unwrap()
    }

    fn operation(&self, gate: Option<Arc<Gate>>) -> Operation {
        let number = self.made.fetch_add(1, SeqCst);
        Operation { number, dropped: Arc::clone(&self.dropped), gate }
    }

    fn tell(&self, number: usize, position: usize, known: usize) {
        assert!(position >= known, "executed at {position}, when {known} were known to have been");
        self.known.fetch_max(position + 1, SeqCst);
        self.answers.lock().unwrap().push((number, position));
    }

    fn write_one(&self, handle: &mut OwnedHandle<History>, operation: Operation) {
        let (number, known) = (operation.number, self.known.load(SeqCst));
        let position = handle.execute_mut(operation);
        self.tell(number, position, known);
    }

    fn write(&self, handle: &mut OwnedHandle<History>) {
        self.write_one(handle, self.operation(None));
    }

    fn write_batch(&self, handle: &mut OwnedHandle<History>, len: usize) {
        let operations: Vec<_> = (0..len).map(|_| self.operation(None)).collect();
        let numbers: Vec<_> = operations.iter().map(|operation| operation.number).collect();
        let known = self.known.load(SeqCst);
        let positions = handle.execute_mut_batch(operations);
        assert!(positions.windows(2).all(|two| two[0] + 1 == two[1]), "something came between: {positions:?}");
        numbers.into_iter().zip(positions).for_each(|(number, position)| self.tell(number, position, known));
    }

    fn read(&self, handle: &mut OwnedHandle<History>) {
        let known = self.known.load(SeqCst);
        let seen = handle.execute(());
        assert!(seen >= known, "saw {seen}, when {known} were known");
        self.known.fetch_max(seen, SeqCst);
    }

    /// All kinds of calls.
    fn everything(&self, handle: &mut OwnedHandle<History>) {
        self.read(handle);
        self.write(handle);
        self.read(handle);
        self.write_batch(handle, 2);
        self.read(handle);
    }

    /// To be called when all is done.
    fn check(self: Arc<Self>) {
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

/// What is tried at each step.
struct Scenario<'a> {
    name: &'static str,
    replicas: usize,
    log_entries: usize,
    /// What the thread does that is stopped.
    stopped: &'a dyn Fn(&Arc<World>) -> Work,
    /// What others do meanwhile.
    others: Prepare,
    promise: Promise,
}

/// Whether the others are promised to go on while a thread is stopped.
enum Promise {
    Always,
    Never,
    /// Before these steps of its trace.
    Where(fn(&Trace, usize) -> bool),
}

impl Promise {
    /// For each step of the trace. A promise that holds at some steps does hold at one, and not at another: or else the trace is misread.
    fn at(&self, trace: &Trace) -> Vec<bool> {
        let steps = 0..trace.0.len();
        match self {
            Self::Always => steps.map(|_| true).collect(),
            Self::Never => steps.map(|_| false).collect(),
            Self::Where(is_promised) => {
                let promised: Vec<_> = steps.map(|step| is_promised(trace, step)).collect();
                assert!(promised.contains(&true), "nothing is promised anywhere");
                assert!(promised.contains(&false), "there is no step at which others have to wait");
                promised
            }
        }
    }
}

/// The steps of a thread: the lines of the source in which they are.
struct Trace(Vec<String>);

impl Trace {
    fn new(places: &[&'static Location<'static>]) -> Self {
        let line = |place: &&Location<'_>| {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(place.file());
            let source = std::fs::read_to_string(file).expect("the source is there");
            source.lines().nth(place.line() as usize - 1).expect("the line is there").trim().to_owned()
        };
        Self(places.iter().map(line).collect())
    }

    /// Whether it has made a step of the first kind when it comes to that step, and has yet to make one of the last kind.
    fn is_between(&self, first: &str, last: &str, step: usize) -> bool {
        let is = |what| move |line: &String| line.contains(what);
        let first = self.0.iter().position(is(first)).unwrap_or_else(|| panic!("no step is `{first}`"));
        let last = self.0.iter().rposition(is(last)).unwrap_or_else(|| panic!("no step is `{last}`"));
        (first + 1..=last).contains(&step)
    }

    /// It has reserved positions and not published all of them.
    fn is_publishing(&self, step: usize) -> bool {
        self.is_between("append.tail.compare_exchange", "stamp.store", step)
    }

    /// It writes to its replica, or is about to.
    fn is_writing(&self, step: usize) -> bool {
        self.is_between("compare_exchange(0, WRITER", "fetch_sub(WRITER", step)
    }

    /// It reads its replica, or is about to.
    fn is_reading(&self, step: usize) -> bool {
        self.is_between("fetch_add(ENTER", "fetch_sub(LEAVE", step)
    }
}

/// A thread's steps.
type Places = Vec<Step>;
type Step = &'static Location<'static>;

/// What became of a thread that was to be stopped while it waits.
struct Stop {
    /// Those it came to while it had to wait, and those after.
    places: (Places, Places),
    /// It came to its place before the others were done.
    has_stopped: bool,
}

impl Scenario<'_> {
    /// Tries all steps of what a thread does alone.
    fn sweep(&self) {
        let watchdog = Watchdog::new(self.name);
        let places = self.record();
        let promised = self.promise.at(&Trace::new(&places));
        assert!(!places.is_empty());
        let mut missed = 0;
        for (step, place) in places.iter().enumerate() {
            watchdog.watch(format!("{}: stopped before step {step}, {place}", self.name));
            let has_stopped = (0..TRIES).any(|_| self.stop_before(&places[..=step], promised[step]));
            missed += usize::from(!has_stopped);
        }
        let (steps, promises) = (places.len(), promised.iter().filter(|&&promised| promised).count());
        println!(
            "{}: {steps} steps, at {promises} of them others are promised to go on; {missed} were not come to again",
            self.name
        );
        assert_few(missed, steps);
    }

    /// The steps of the thread alone.
    fn record(&self) -> Places {
        let world = World::new(self.replicas, self.log_entries, 64);
        let (stopped, others) = ((self.stopped)(&world), (self.others)(&world));
        let places = Rc::new(RefCell::new(Places::new()));
        let seen = Rc::clone(&places);
        crate::sync::observe(move |place| seen.borrow_mut().push(place));
        stopped();
        crate::sync::unobserve();
        drop(others);
        self.end(world);
        Rc::into_inner(places).expect("nobody observes").into_inner()
    }

    /// Stops this thread before the last of these steps, and has the others work. Who is promised to go on does so on this very
    /// thread, which therefore does nothing else meanwhile. False if it makes other steps this time, of which nothing is known.
    fn stop_before(&self, steps: &[Step], promised: bool) -> bool {
        let world = World::new(self.replicas, self.log_entries, 64);
        let (stopped, others) = ((self.stopped)(&world), (self.others)(&world));
        let has_stopped = Rc::new(Cell::new(false));
        let waiting = Rc::new(Cell::new(None));
        let observer = {
            let (steps, mut made, mut are_same) = (steps.to_vec(), 0, true);
            let (has_stopped, waiting, mut others) = (Rc::clone(&has_stopped), Rc::clone(&waiting), Some(others));
            move |place| {
                are_same &= steps.get(made) == Some(&place);
                made += 1;
                match others.take_if(|_| are_same && made == steps.len()) {
                    None => {}
                    Some(others) if promised => {
                        others();
                        has_stopped.set(true);
                    }
                    Some(others) => {
                        has_stopped.set(true);
                        let (done, are_done) = mpsc::channel::<()>();
                        waiting.set(Some(thread::spawn(move || {
                            others();
                            drop(done);
                        })));
                        let _ = are_done.recv_timeout(MOMENT);
                    }
                }
            }
        };
        crate::sync::observe(observer);
        stopped();
        crate::sync::unobserve();
        if let Some(others) = waiting.take() {
            others.join().unwrap();
        }
        self.end(world);
        has_stopped.get()
    }

    /// Tries all places that a thread comes to while it waits for somebody who is held up, once each. The others are promised to go on.
    ///
    /// And those that it comes to once they have gone on: there it may be that they are done before it comes, and nothing can be asked of that.
    fn sweep_places(&self) {
        assert!(matches!(self.promise, Promise::Always));
        let watchdog = Watchdog::new(self.name);
        let (mut meanwhile, mut later) = self.stop_at(None, SLEEP).places;
        for places in [&mut meanwhile, &mut later] {
            places.sort_unstable();
            places.dedup();
        }
        later.retain(|place| !meanwhile.contains(place));
        assert!(!meanwhile.is_empty());
        let stops = |place: Step, at_try: u32| {
            watchdog.watch(format!("{}: stopped at {place}", self.name));
            self.stop_at(Some(place), SLEEP * (1 << at_try)).has_stopped
        };
        let missed = meanwhile.iter().filter(|&place| !(0..TRIES).any(|at_try| stops(place, at_try))).count();
        let came = later.iter().filter(|&place| stops(place, 0)).count();
        println!(
            "{}: {} places, {missed} were not come to again; and {} later ones, to {came} it came before the others were done",
            self.name,
            meanwhile.len(),
            later.len()
        );
        assert_few(missed, meanwhile.len());
    }

    /// Stops a thread when it comes to that place, and has the others work; or else as soon as it sleeps, or seems to.
    fn stop_at(&self, stop: Option<Step>, sleep: Duration) -> Stop {
        let world = World::new(self.replicas, self.log_entries, 64);
        let (stopped, others) = ((self.stopped)(&world), (self.others)(&world));
        let places = Arc::new(Mutex::new(Places::new()));
        let (tell, is_stopped) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let observer = {
            let (places, mut tell) = (Arc::clone(&places), Some(tell));
            move |place| {
                places.lock().unwrap().push(place);
                if let Some(tell) = tell.take_if(|_| stop == Some(place)) {
                    tell.send(()).unwrap();
                    may_go_on.recv().unwrap();
                }
            }
        };
        let thread = thread::spawn(move || {
            crate::sync::observe(observer);
            stopped();
        });
        // Who waits for room in the log sleeps for moments only: that is long enough to have come to all places.
        let (mut before, mut told) = (None, Err(RecvTimeoutError::Timeout));
        for _ in 0..10 {
            let steps = places.lock().unwrap().len();
            told = is_stopped.recv_timeout(sleep);
            if told != Err(RecvTimeoutError::Timeout) || before.replace(steps) == Some(steps) {
                break;
            }
        }
        let meanwhile = places.lock().unwrap().len();
        others();
        let has_stopped = told.is_ok() || is_stopped.try_recv().is_ok();
        // Unless it is at its end.
        let _ = go_on.send(());
        thread.join().unwrap();
        self.end(world);
        let mut places = Arc::into_inner(places).unwrap().into_inner().unwrap();
        let later = places.split_off(meanwhile);
        Stop { places: (places, later), has_stopped }
    }

    /// All are done.
    fn end(&self, world: Arc<World>) {
        (0..self.replicas).for_each(|_| world.everything(&mut world.structure.register_owned().unwrap()));
        world.check();
    }
}

/// What was not tried must be the exception.
fn assert_few(missed: usize, all: usize) {
    assert!(missed * 10 <= all, "of {all} places {missed} were not come to again");
}

/// A thread's work with the world and a handle on that replica.
fn on(world: &Arc<World>, replica: usize, work: fn(&World, &mut OwnedHandle<History>)) -> Work {
    let (world, mut handle) = (Arc::clone(world), world.handle(replica));
    Box::new(move || work(&world, &mut handle))
}

/// A thread's work with the world alone.
fn with(world: &Arc<World>, work: fn(&World)) -> Work {
    let world = Arc::clone(world);
    Box::new(move || work(&world))
}

/// Readers of a replica go on beside a reader, whatever it is about, and so do those who come and go.
#[test]
fn a_reader_stops_no_reader() {
    for (replicas, log_entries) in [(1, 4), (2, 64)] {
        Scenario {
            name: "a reader beside readers",
            replicas,
            log_entries,
            stopped: &|world| on(world, 0, World::read),
            others: |world| {
                on(world, 0, |world, handle| {
                    world.read(handle);
                    world.read(&mut world.handle(0));
                })
            },
            promise: Promise::Always,
        }
        .sweep();
    }
}

/// Writers wait for a reader only while it is inside.
#[test]
fn a_reader_stops_writers_while_it_reads_only() {
    for (replicas, log_entries) in [(1, 4), (2, 64)] {
        Scenario {
            name: "a reader beside writers",
            replicas,
            log_entries,
            stopped: &|world| on(world, 0, World::read),
            others: |world| on(world, 0, World::everything),
            promise: Promise::Where(|trace, step| !trace.is_reading(step)),
        }
        .sweep();
    }
}

/// A reader whose replica lacks something replays it, and stops nobody elsewhere.
#[test]
fn a_reader_that_replays_stops_no_other_replica() {
    Scenario {
        name: "a reader that replays",
        replicas: 2,
        log_entries: 64,
        stopped: &|world| {
            world.write_batch(&mut world.handle(0), 5);
            on(world, 1, World::read)
        },
        others: |world| on(world, 0, World::everything),
        promise: Promise::Always,
    }
    .sweep();
}

/// Single operations and batches.
const WRITES: [Prepare; 2] =
    [|world| on(world, 0, World::write), |world| on(world, 0, |world, handle| world.write_batch(handle, 4))];

/// Readers wait for a writer only while it writes to their replica: not while it appends, nor afterwards.
#[test]
fn a_writer_stops_readers_while_it_writes_only() {
    let promises: [fn(&Trace, usize) -> bool; 2] =
        [|trace, step| !trace.is_writing(step), |trace, step| !trace.is_writing(step) || trace.is_publishing(step)];
    for (replicas, log_entries, promised) in [(1, 4, promises[0]), (2, 64, promises[1])] {
        for stopped in WRITES {
            Scenario {
                name: "a writer beside readers",
                replicas,
                log_entries,
                stopped: &stopped,
                others: |world| on(world, 0, |world, handle| (0..3).for_each(|_| world.read(handle))),
                promise: Promise::Where(promised),
            }
            .sweep();
        }
    }
}

/// Readers of other replicas never wait for it.
#[test]
fn a_writer_stops_no_reader_of_another_replica() {
    for stopped in WRITES {
        Scenario {
            name: "a writer beside readers elsewhere",
            replicas: 3,
            log_entries: 64,
            stopped: &stopped,
            others: |world| {
                let work = [1, 2].map(|replica| on(world, replica, World::read));
                Box::new(|| work.into_iter().for_each(|work| work()))
            },
            promise: Promise::Always,
        }
        .sweep();
    }
}

/// Writers of other replicas wait for it only between reserving and publishing, where there is nothing but a move.
#[test]
fn a_writer_stops_writers_of_another_replica_while_it_publishes_only() {
    for stopped in WRITES {
        Scenario {
            name: "a writer beside writers elsewhere",
            replicas: 2,
            log_entries: 64,
            stopped: &stopped,
            others: |world| on(world, 1, World::everything),
            promise: Promise::Where(|trace, step| !trace.is_publishing(step)),
        }
        .sweep();
    }
}

/// All at once, everywhere, in a log that is full all the time.
#[test]
fn a_writer_beside_all_others() {
    for (replicas, log_entries) in [(1, 2), (2, 2), (2, 8), (3, 2)] {
        for stopped in WRITES.iter().take(if log_entries > 2 { 2 } else { 1 }) {
            Scenario {
                name: "a writer beside all others",
                replicas,
                log_entries,
                stopped: &stopped,
                others: |world| {
                    let work: Vec<_> =
                        (0..world.structure.replicas()).map(|at| on(world, at, World::everything)).collect();
                    Box::new(|| {
                        let threads: Vec<_> = work.into_iter().map(thread::spawn).collect();
                        threads.into_iter().for_each(|thread| thread.join().unwrap());
                    })
                },
                promise: Promise::Never,
            }
            .sweep();
        }
    }
}

/// To come and to go takes no lock.
#[test]
fn who_comes_and_goes_stops_nobody() {
    for (replicas, log_entries) in [(1, 4), (2, 64)] {
        Scenario {
            name: "registering",
            replicas,
            log_entries,
            stopped: &|world| {
                with(world, |world| {
                    drop(world.structure.register().unwrap());
                    drop(world.handle(0));
                })
            },
            others: |world| {
                on(world, 0, |world, handle| {
                    world.everything(handle);
                    world.everything(&mut world.handle(0));
                })
            },
            promise: Promise::Always,
        }
        .sweep();
    }
}

/// A replica is made out of the one with the fewest handles; the others go on, whatever step it is at.
#[test]
fn who_adds_a_replica_stops_no_other() {
    Scenario {
        name: "adding a replica",
        replicas: 2,
        log_entries: 64,
        stopped: &|world| {
            world.write(&mut world.handle(0));
            with(world, |world| {
                world.structure.add_replica(Place::Here).unwrap();
            })
        },
        others: |world| on(world, 0, World::everything),
        promise: Promise::Always,
    }
    .sweep();
}

#[test]
fn who_removes_a_replica_stops_no_other() {
    Scenario {
        name: "removing a replica",
        replicas: 3,
        log_entries: 64,
        stopped: &|world| {
            world.write(&mut world.handle(0));
            with(world, |world| world.structure.remove_replica(ReplicaId::new(2)).unwrap())
        },
        others: |world| {
            let work = [0, 1].map(|replica| on(world, replica, World::everything));
            Box::new(|| work.into_iter().for_each(|work| work()))
        },
        promise: Promise::Always,
    }
    .sweep();
}

/// The log comes into use, and goes out of use, under those who use the only replica.
#[test]
fn who_adds_or_removes_the_second_replica() {
    let changes: [(usize, Prepare); 2] = [
        (1, |world| {
            with(world, |world| {
                world.structure.add_replica(Place::Here).unwrap();
            })
        }),
        (2, |world| with(world, |world| world.structure.remove_replica(ReplicaId::new(1)).unwrap())),
    ];
    for (replicas, stopped) in changes {
        for log_entries in [2, 64] {
            Scenario {
                name: "the second replica",
                replicas,
                log_entries,
                stopped: &stopped,
                others: |world| on(world, 0, World::everything),
                promise: Promise::Never,
            }
            .sweep();
        }
    }
}

/// Its replica goes while it is stopped, or waits for it to let go; what it does is done there or elsewhere, once.
#[test]
fn whose_replica_is_removed() {
    let calls: [Prepare; 4] = [
        |world| on(world, 1, World::read),
        |world| on(world, 1, World::write),
        |world| on(world, 1, |world, handle| world.write_batch(handle, 2)),
        |world| with(world, |world| world.structure.sync()),
    ];
    for call in calls {
        Scenario {
            name: "whose replica is removed",
            replicas: 2,
            log_entries: 4,
            stopped: &|world| {
                world.write(&mut world.handle(0));
                call(world)
            },
            others: |world| {
                on(world, 0, |world, handle| {
                    world.structure.remove_replica(ReplicaId::new(1)).unwrap();
                    world.everything(handle);
                    world.structure.add_replica(Place::Here).unwrap();
                    world.everything(handle);
                })
            },
            promise: Promise::Never,
        }
        .sweep();
    }
}

/// Who has posted an operation, and waits for the answer: in the end asleep.
#[test]
fn who_waits_for_an_answer_stops_nobody() {
    let calls: [Prepare; 3] = [
        |world| on(world, 0, World::write),
        |world| on(world, 0, |world, handle| world.write_batch(handle, 2)),
        |world| with(world, |world| world.structure.sync()),
    ];
    let others: [Prepare; 2] = [
        |world| {
            on(world, 0, |world, handle| {
                world.let_go();
                world.everything(handle);
            })
        },
        // Nobody comes after that one.
        |world| with(world, World::let_go),
    ];
    for (replicas, log_entries, others) in
        [(1, 4, others[0]), (1, 4, others[1]), (2, 64, others[0]), (2, 64, others[1])]
    {
        for call in calls {
            Scenario {
                name: "waiting for an answer",
                replicas,
                log_entries,
                stopped: &|world| {
                    world.hold_up(|world, gate| world.write_one(&mut world.handle(0), world.operation(Some(gate))));
                    call(world)
                },
                others,
                promise: Promise::Always,
            }
            .sweep_places();
        }
    }
}

/// Who wants to read while a writer is at work.
#[test]
fn who_waits_for_a_writer_does_not_stop_it() {
    for (replicas, log_entries) in [(1, 4), (2, 64)] {
        Scenario {
            name: "waiting for a writer",
            replicas,
            log_entries,
            stopped: &|world| {
                world.hold_up(|world, gate| world.write_one(&mut world.handle(0), world.operation(Some(gate))));
                on(world, 0, World::read)
            },
            others: |world| {
                on(world, 0, |world, handle| {
                    world.let_go();
                    world.read(handle);
                })
            },
            promise: Promise::Always,
        }
        .sweep_places();
    }
}

/// Who wants to write while a reader is inside; or needs room in the log, which that reader is in the way of.
#[test]
fn who_waits_for_a_reader_does_not_stop_it() {
    for (replicas, log_entries, reader) in [(1, 4, 0), (2, 64, 0), (2, 2, 1)] {
        Scenario {
            name: "waiting for a reader",
            replicas,
            log_entries,
            stopped: &|world| {
                world.hold_up(move |world, gate| world.handle(reader).read(|_| gate.pass()));
                on(world, 0, |world, handle| (0..3).for_each(|_| world.write(handle)))
            },
            others: |world| with(world, World::let_go),
            promise: Promise::Always,
        }
        .sweep_places();
    }
}

/// Threads that are held up at random, everywhere, while replicas come and go.
#[test]
fn everybody_is_preempted() {
    for (replicas, log_entries) in [(1, 2), (1, 64), (2, 2), (3, 8)] {
        let _watchdog = Watchdog::new(&format!("{replicas} replicas, a log of {log_entries}"));
        let (threads, each) = (MANY_THREADS / 2, scaled(40));
        let world = World::new(replicas, log_entries, threads * each * 2);
        let writers = AtomicUsize::new(threads);
        run_threads(threads + 1, |thread| {
            let mut random = Random::new(thread + 100 * replicas + log_entries);
            crate::sync::observe(move |_| {
                if random.one_in(500) {
                    thread::sleep(Duration::from_micros(10 << random.below(5)));
                } else if random.one_in(20) {
                    thread::yield_now();
                }
            });
            if thread == threads {
                while writers.load(SeqCst) > 0 {
                    let id = world.structure.add_replica(Place::Here).unwrap();
                    world.structure.sync();
                    world.structure.remove_replica(id).unwrap();
                }
                return;
            }
            let _left = CountDownOnDrop(&writers);
            let mut random = Random::new(thread);
            let mut handle = world.handle(thread % replicas);
            for _ in 0..each {
                match random.below(4) {
                    0 => world.write(&mut handle),
                    1 => world.write_batch(&mut handle, 2),
                    2 => world.read(&mut handle),
                    _ => world.write(&mut world.structure.register_owned().unwrap()),
                }
            }
        });
        world.check();
    }
}
