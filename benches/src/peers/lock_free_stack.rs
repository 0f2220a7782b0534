//! Treiber's lock-free stack (1986), and with an elimination array (Hendler, Shavit and Yerushalmi, SPAA 2004), whose places
//! belong to one node's threads: the paper's NUMA-aware stack (Calciu, Gottschlich and Herlihy, PPoPP 2013) in its plain form.

use super::{BuildFailure, Handle, Peer, SharedPeer};
use crate::workloads::{PushPop, Stack};
use crossbeam_epoch::{Atomic, Guard, Owned};
use crossbeam_utils::{Backoff, CachePadded};
use std::sync::atomic::{AtomicU64, Ordering};

struct Node {
    value: u64,
    next: Atomic<Node>,
}

/// Treiber's stack.
pub struct TreiberStack {
    top: CachePadded<Atomic<Node>>,
}

impl TreiberStack {
    /// Another thread was faster.
    fn try_push(&self, node: Owned<Node>, guard: &Guard) -> Result<(), Owned<Node>> {
        // Relaxed, both: nothing is read there, and the exchange below publishes the node.
        let top = self.top.load(Ordering::Relaxed, guard);
        node.next.store(top, Ordering::Relaxed);
        // Release: the node's contents; pairs with the Acquire of who takes or looks at it.
        let pushed = self.top.compare_exchange(top, node, Ordering::Release, Ordering::Relaxed, guard);
        pushed.map(drop).map_err(|refused| refused.new)
    }

    /// An error if another thread was faster, none if there is nothing.
    fn try_pop(&self, guard: &Guard) -> Result<Option<u64>, ()> {
        // Acquire: the node's contents.
        let top = self.top.load(Ordering::Acquire, guard);
        // SAFETY: reached under the guard, and freed by the one who takes it out, after all guards of now.
        let Some(node) = (unsafe { top.as_ref() }) else { return Ok(None) };
        // Relaxed, both: a node's `next` does not change once it is on the stack, and the exchange publishes nothing new: the node
        // below was published by a Release whose sequence goes on through it.
        let next = node.next.load(Ordering::Relaxed, guard);
        self.top.compare_exchange(top, next, Ordering::Relaxed, Ordering::Relaxed, guard).map_err(drop)?;
        let value = node.value;
        // SAFETY: taken out by us alone.
        unsafe { guard.defer_destroy(top) };
        Ok(Some(value))
    }

    fn peek(&self) -> Option<u64> {
        let guard = crossbeam_epoch::pin();
        // Acquire: the node's contents.
        // SAFETY: as in `try_pop`.
        unsafe { self.top.load(Ordering::Acquire, &guard).as_ref() }.map(|node| node.value)
    }
}

impl Drop for TreiberStack {
    fn drop(&mut self) {
        // SAFETY: nobody else is there.
        let guard = unsafe { crossbeam_epoch::unprotected() };
        while let Ok(Some(_)) = self.try_pop(guard) {}
    }
}

by_reference!(TreiberStack, Stack, "treiber-stack", |data| {
    let stack = Self { top: CachePadded::new(Atomic::null()) };
    for value in data.0 {
        (&stack).write(PushPop::Push(value));
    }
    Ok(stack)
});

impl Handle<Stack> for &TreiberStack {
    #[inline]
    fn read(&mut self, (): ()) -> Option<u64> {
        self.peek()
    }

    #[inline]
    fn write(&mut self, op: PushPop) -> Option<u64> {
        let guard = crossbeam_epoch::pin();
        let backoff = Backoff::new();
        match op {
            PushPop::Push(value) => {
                let mut node = Owned::new(Node { value, next: Atomic::null() });
                while let Err(refused) = self.try_push(node, &guard) {
                    node = refused;
                    backoff.spin();
                }
                None
            }
            PushPop::Pop => loop {
                match self.try_pop(&guard) {
                    Ok(value) => return value,
                    Err(()) => backoff.spin(),
                }
            },
        }
    }
}

/// Places where a push of one thread and a pop of another of its node can meet.
const MEETING_PLACES: usize = 8;
/// Groups of places; a node's threads use one.
const GROUPS: usize = 16;
/// How often a push that waits in a place looks whether it was taken.
const PATIENCE: u32 = 64;

const EMPTY: u64 = 0;
const TAKEN: u64 = 1;

/// Treiber's stack with elimination.
pub struct EliminationStack {
    stack: TreiberStack,
    /// Empty, taken, or an offered value plus two.
    places: Box<[CachePadded<AtomicU64>]>,
}

/// A thread's access.
pub struct EliminationHandle<'a> {
    on: &'a EliminationStack,
    group: usize,
    next: usize,
}

impl Peer<Stack> for EliminationStack {
    const NAME: &'static str = "elimination-stack";
    type Handle<'a> = EliminationHandle<'a>;

    fn build(data: Stack) -> Result<Self, BuildFailure> {
        let places = (0..GROUPS * MEETING_PLACES).map(|_| CachePadded::default()).collect();
        Ok(Self { stack: TreiberStack::build(data)?, places })
    }

    fn solo(&mut self) -> Result<EliminationHandle<'_>, BuildFailure> {
        self.handle(0)
    }
}

impl SharedPeer<Stack> for EliminationStack {
    fn handle(&self, place: usize) -> Result<EliminationHandle<'_>, BuildFailure> {
        Ok(EliminationHandle { on: self, group: place % GROUPS, next: place })
    }
}

impl EliminationHandle<'_> {
    fn place(&mut self) -> &AtomicU64 {
        self.next = (self.next * 5 + 3) % MEETING_PLACES;
        &self.on.places[self.group * MEETING_PLACES + self.next]
    }

    /// Whether a pop took the value.
    fn offer(&mut self, value: u64) -> bool {
        let place = self.place();
        let offered = value + 2;
        // Orderings of a place: the value is the atomic itself, and carries nothing else along. Acquire and Release put an exchange of
        // values between what both threads did before and do after, as the stack's own exchanges do.
        if place.compare_exchange(EMPTY, offered, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return false;
        }
        for _ in 0..PATIENCE {
            if place.load(Ordering::Acquire) == TAKEN {
                place.store(EMPTY, Ordering::Release);
                return true;
            }
            std::hint::spin_loop();
        }
        if place.compare_exchange(offered, EMPTY, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return false;
        }
        place.store(EMPTY, Ordering::Release);
        true
    }

    fn accept(&mut self) -> Option<u64> {
        let place = self.place();
        let offered = place.load(Ordering::Acquire);
        let accepted =
            offered > TAKEN && place.compare_exchange(offered, TAKEN, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        accepted.then(|| offered - 2)
    }
}

impl Handle<Stack> for EliminationHandle<'_> {
    #[inline]
    fn read(&mut self, (): ()) -> Option<u64> {
        self.on.stack.peek()
    }

    #[inline]
    fn write(&mut self, op: PushPop) -> Option<u64> {
        let guard = crossbeam_epoch::pin();
        match op {
            PushPop::Push(value) => {
                let mut node = Owned::new(Node { value, next: Atomic::null() });
                while let Err(refused) = self.on.stack.try_push(node, &guard) {
                    if self.offer(value) {
                        break;
                    }
                    node = refused;
                }
                None
            }
            PushPop::Pop => loop {
                match self.on.stack.try_pop(&guard) {
                    Ok(value) => return value,
                    Err(()) => {
                        if let Some(value) = self.accept() {
                            return Some(value);
                        }
                    }
                }
            },
        }
    }
}
