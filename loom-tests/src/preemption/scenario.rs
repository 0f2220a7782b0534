//! Sends a thread to each of its steps in turn, stops it there, and has others work.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::common::Watchdog;
use super::world::{Prepare, Work, World};

/// How long a thread is stopped where others may have to wait for it.
const MOMENT: Duration = Duration::from_millis(1);
/// A thread that makes no step for so long sleeps. (If it was slow, fewer places are tried. Each next try takes twice as long.)
const SLEEP: Duration = Duration::from_millis(10);
/// So often a thread is sent to the same place, should it not come to it at once.
const TRIES: u32 = 8;

/// What is tried at each step.
pub(super) struct Scenario<'a> {
    pub(super) name: &'static str,
    pub(super) replicas: usize,
    pub(super) log_entries: usize,
    /// What the thread does that is stopped.
    pub(super) stopped: &'a dyn Fn(&Arc<World>) -> Work,
    /// What others do meanwhile.
    pub(super) others: Prepare,
    pub(super) promise: Promise,
}

/// Whether the others are promised to go on while a thread is stopped.
pub(super) enum Promise {
    Always,
    Never,
    /// Before these steps of its trace.
    Where(fn(&Trace, usize) -> bool),
}

impl Promise {
    /// For each step of the trace. A promise that holds at some steps does hold at one, and not at another: or else the trace is misread.
    pub(super) fn at(&self, trace: &Trace) -> Vec<bool> {
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
pub(super) struct Trace(Vec<String>);

impl Trace {
    pub(super) fn new(places: &[&'static Location<'static>]) -> Self {
        let line = |place: &&Location<'_>| {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(place.file());
            let source = std::fs::read_to_string(file).expect("the source is there");
            source.lines().nth(place.line() as usize - 1).expect("the line is there").trim().to_owned()
        };
        Self(places.iter().map(line).collect())
    }

    /// Whether it has made a step of the first kind when it comes to that step, and has yet to make one of the last kind.
    pub(super) fn is_between(&self, first: &str, last: &str, step: usize) -> bool {
        let is = |what| move |line: &String| line.contains(what);
        let first = self.0.iter().position(is(first)).unwrap_or_else(|| panic!("no step is `{first}`"));
        let last = self.0.iter().rposition(is(last)).unwrap_or_else(|| panic!("no step is `{last}`"));
        (first + 1..=last).contains(&step)
    }

    /// It has reserved positions and not published all of them.
    pub(super) fn is_publishing(&self, step: usize) -> bool {
        self.is_between("append.tail.compare_exchange", "stamp.store", step)
    }

    /// It writes to its replica, or is about to.
    pub(super) fn is_writing(&self, step: usize) -> bool {
        self.is_between("compare_exchange(0, WRITER", "fetch_sub(WRITER", step)
    }

    /// It reads its replica, or is about to.
    pub(super) fn is_reading(&self, step: usize) -> bool {
        self.is_between("fetch_add(ENTER", "fetch_sub(LEAVE", step)
    }
}

/// A thread's steps.
pub(super) type Places = Vec<Step>;
pub(super) type Step = &'static Location<'static>;

/// What became of a thread that was to be stopped while it waits.
pub(super) struct Stop {
    /// Those it came to while it had to wait, and those after.
    pub(super) places: (Places, Places),
    /// It came to its place before the others were done.
    pub(super) has_stopped: bool,
}

impl Scenario<'_> {
    /// Tries all steps of what a thread does alone.
    pub(super) fn sweep(&self) {
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
    pub(super) fn record(&self) -> Places {
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
    pub(super) fn stop_before(&self, steps: &[Step], promised: bool) -> bool {
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
    pub(super) fn sweep_places(&self) {
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
    pub(super) fn stop_at(&self, stop: Option<Step>, sleep: Duration) -> Stop {
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
    pub(super) fn end(&self, world: Arc<World>) {
        (0..self.replicas).for_each(|_| world.everything(&mut world.structure.register_owned().unwrap()));
        world.check();
    }
}

/// What was not tried must be the exception.
pub(super) fn assert_few(missed: usize, all: usize) {
    assert!(missed * 10 <= all, "of {all} places {missed} were not come to again");
}
