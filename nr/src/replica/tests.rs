//! What the unit tests of the parts have in common.

use core::num::NonZeroUsize;

use super::*;
use crate::replica::request::{Batch, RequestList};
use crate::topology::Topology;
use crate::{NodeReplicated, Replicas};

/// The smallest structure that there is.
pub(super) struct Nothing;

impl Dispatch for Nothing {
    type ReadOperation<'a> = ();
    type WriteOperation = ();
    type Response = ();
    fn dispatch(&self, (): ()) {}
    fn dispatch_mut(&mut self, (): &()) {}
}

/// A replica of nothing, by itself.
pub(super) fn replica(standing: Standing) -> Replica<Nothing> {
    Replica::new(0, Some(Nothing), standing, Site { home: 0, node: 0, cpus: &[], cells: 1 })
}

/// How many processors the machine has that [`two_replicas`] are on.
pub(super) const PROCESSORS: usize = 3;

pub(super) fn two_replicas<D: Dispatch>(entries: usize, make: impl FnMut(ReplicaId) -> D) -> NodeReplicated<D> {
    let topology = Topology::from_nodes(core::iter::once(0..PROCESSORS)).expect("a topology");
    let two = Replicas::Count(NonZeroUsize::new(2).expect("not zero"));
    let builder = NodeReplicated::<D>::builder().replicas(two).topology(topology).log_entries(entries);
    builder.build_with(make).expect("a structure")
}

pub(super) fn requests<D: Dispatch>(tasks: impl IntoIterator<Item = Task<D>>) -> Vec<Request<D>> {
    tasks.into_iter().map(Request::new).collect()
}

pub(super) fn batch<D: Dispatch>(operations: impl IntoIterator<Item = D::WriteOperation>) -> Task<D> {
    Task::Batch(Box::new(Batch::new(operations.into_iter().collect())))
}

/// A list of those requests, in their order, of which none is posted.
pub(super) fn list<D: Dispatch>(requests: &[Request<D>]) -> RequestList<D> {
    let mut list = RequestList::empty();
    for request in requests {
        // SAFETY: not posted, and the caller's.
        list.append_list(unsafe { RequestList::of_one(request) });
    }
    list
}
