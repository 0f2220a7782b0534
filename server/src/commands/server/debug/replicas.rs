//! `DEBUG REPLICAS`

use std::sync::Arc;

use nr::{NodeReplicated, ReplicaId};

use super::digest::{Detail, Digest};
use crate::commands::Context;
use crate::resp::Reply;
use crate::store::{Error, Keyspace};

/// How often the replicas are looked at before it is given up to find them at rest.
const ATTEMPTS: usize = 5;

/// `DEBUG REPLICAS`: a map with the digest of each replica, and `equal`: 1 or 0. An error if there were writes all the
/// time. O(size of the keyspace · replicas).
///
/// These digests are of the replica's whole state: also of how values are kept, and of the order in which their elements
/// lie, on which later commands may depend.
pub(super) fn replicas(context: &mut Context<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let structure = context.handle.structure().clone();
    let digests = (0..ATTEMPTS)
        .find_map(|_| digests_at_rest(&structure))
        .ok_or(Error::new("ERR the replicas can't be compared while there are writes"))?;
    let equal = digests.windows(2).all(|pair| pair[0] == pair[1]);

    reply.map(digests.len() + 1);
    for (replica, digest) in digests.iter().enumerate() {
        reply.bulk(format!("replica {replica}").as_bytes());
        reply.bulk(digest.to_string().as_bytes());
    }
    reply.bulk(b"equal");
    reply.integer(i64::from(equal));
    Ok(())
}

/// The digest of each replica, unless there was a write meanwhile.
fn digests_at_rest(structure: &Arc<NodeReplicated<Keyspace>>) -> Option<Vec<Digest>> {
    // A single replica has no log, and nothing to compare.
    let position = || structure.stats().log.map(|log| log.tail);
    structure.sync();
    let before = position();
    let digest = |replica| {
        let mut handle = structure.register_owned_on(ReplicaId::new(replica)).ok()?;
        Some(handle.read(|keyspace| Digest::of_keyspace(keyspace, Detail::State)))
    };
    let digests = (0..structure.replicas()).map(digest).collect::<Option<Vec<_>>>()?;
    (position() == before).then_some(digests)
}
