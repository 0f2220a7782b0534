//! The contract between a sequential structure and the replication around it.

/// A sequential data structure, as seen by [`NodeReplicated`](crate::NodeReplicated): what can be asked of it, what can be
/// done to it, and how.
///
/// # The contract: determinism
///
/// [`dispatch_mut`](Self::dispatch_mut) runs once on *every* replica, at different times and on different threads. All
/// replicas must come to the same state and give the same response, so it may depend on nothing but `self` and the
/// operation. What breaks this most often:
///
/// * the iteration order of a `HashMap` with a random hasher state (cloned maps share it, maps made anew do not);
/// * clocks, random numbers, thread ids, addresses, environment variables, input and output;
/// * state shared between the replicas: an `Arc<AtomicU64>` inside the structure, a static.
///
/// What needs such a value takes it *into the operation*: read the clock first, then carry the time. A structure that breaks
/// the contract stays memory-safe, but its replicas drift apart. `nr::testing::check_deterministic`, with the feature `testing`, finds out
/// in a test whether it does; [`check_replicas`](crate::NodeReplicated::check_replicas) does in a structure that is in use.
///
/// # Threads
///
/// A write operation is moved into the log once, is read there by the threads of every replica, and is dropped by one of
/// them: hence `Send + Sync`, and no `Clone`. A response goes to one other thread at most: hence `Send` only. A read operation
/// never leaves the thread that made it, so it may borrow from the caller and needs no bound at all. A response that can't be
/// sent, or an operation that can't be shared, does not compile:
///
/// ```compile_fail,E0277
/// struct Text(String);
/// impl nr::Dispatch for Text {
///     type ReadOperation<'a> = ();
///     type WriteOperation = String;
///     type Response = std::rc::Rc<str>; // with `Arc<str>` all is well
///     fn dispatch(&self, _: ()) -> Self::Response { self.0.as_str().into() }
///     fn dispatch_mut(&mut self, op: &String) -> Self::Response { self.0 = op.clone(); op.as_str().into() }
/// }
/// ```
///
/// ```compile_fail,E0277
/// struct Text(String);
/// impl nr::Dispatch for Text {
///     type ReadOperation<'a> = ();
///     type WriteOperation = std::cell::Cell<u64>; // with `u64` all is well
///     type Response = std::sync::Arc<str>;
///     fn dispatch(&self, _: ()) -> Self::Response { self.0.as_str().into() }
///     fn dispatch_mut(&mut self, op: &Self::WriteOperation) -> Self::Response { self.0.as_str().into() }
/// }
/// ```
///
/// ```
/// struct Text(String);
/// impl nr::Dispatch for Text {
///     type ReadOperation<'a> = ();
///     type WriteOperation = u64;
///     type Response = std::sync::Arc<str>;
///     fn dispatch(&self, _: ()) -> Self::Response { self.0.as_str().into() }
///     fn dispatch_mut(&mut self, op: &Self::WriteOperation) -> Self::Response { self.0.as_str().into() }
/// }
/// ```
///
/// No method may use the structure that it is called from, through whatever handle: it runs under the replica's lock, and such a
/// call can wait for itself for ever, as with any lock. That goes for the `Drop` of a response too: a write makes one on every
/// replica, and those that nobody waits for are dropped there and then. An operation's `Drop` is free to use the structure.
///
/// # Examples
///
/// A map that can be read, written, and asked for its size:
///
/// ```
/// use std::collections::HashMap;
///
/// #[derive(Clone, Default)]
/// struct Map(HashMap<String, u64>);
///
/// enum Read<'a> { Get(&'a str), Len }          // borrows the key from the caller
/// enum Write { Put(String, u64), Remove(String) }
///
/// impl nr::Dispatch for Map {
///     type ReadOperation<'a> = Read<'a>;
///     type WriteOperation = Write;
///     type Response = Option<u64>;
///
///     fn dispatch(&self, op: Read<'_>) -> Option<u64> {
///         match op {
///             Read::Get(key) => self.0.get(key).copied(),
///             Read::Len => Some(self.0.len() as u64),
///         }
///     }
///
///     fn dispatch_mut(&mut self, op: &Write) -> Option<u64> {
///         match op {
///             Write::Put(key, value) => self.0.insert(key.clone(), *value),
///             Write::Remove(key) => self.0.remove(key),
///         }
///     }
/// }
///
/// let map = nr::NodeReplicated::new(Map::default());
/// let mut handle = map.register()?;
/// handle.execute_mut(Write::Put("answer".into(), 42));
/// assert_eq!(handle.execute(Read::Get("answer")), Some(42));
/// # Ok::<(), nr::RegisterError>(())
/// ```
pub trait Dispatch {
    /// What can be asked without changing anything. May borrow from the caller.
    type ReadOperation<'a>;

    /// What changes the structure.
    type WriteOperation: Send + Sync;

    /// What comes back from either.
    type Response: Send;

    /// Answers a read. Runs on the caller's thread, together with other reads of the same replica.
    fn dispatch(&self, op: Self::ReadOperation<'_>) -> Self::Response;

    /// Executes a write. Runs once on every replica, alone, on whichever thread replays the log there.
    ///
    /// Must be deterministic: see [the contract](Self#the-contract-determinism). If it panics, the operation counts as
    /// executed; [`PanicPolicy`](crate::PanicPolicy) says how the structure goes on.
    fn dispatch_mut(&mut self, op: &Self::WriteOperation) -> Self::Response;

    /// Is told of an operation some operations before [`dispatch_mut`](Self::dispatch_mut) executes it, on the same replica:
    /// a good place to touch the memory that it will need (a hash bucket, the top of a tree), so that several cache
    /// misses overlap. A hint: it may be called at any time before, or not at all, and must change nothing. If it panics, the
    /// panic ends there.
    ///
    /// Worth it if it starts a load and does not wait for it, as a prefetch instruction does. To look the key up, which is all that
    /// std's maps offer, costs more than it saves.
    fn prefetch(&self, _op: &Self::WriteOperation) {}
}
