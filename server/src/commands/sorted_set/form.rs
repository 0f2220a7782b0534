//! How members and their scores are written.

use crate::resp::Reply;
use crate::store::SmallBytes;

/// The form of an array of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Members alone.
    Members,
    /// Members, each followed by its score.
    Flat,
    /// An array of two for each member and its score.
    Pairs,
}

impl Form {
    /// With or without scores, as the client's protocol has it.
    pub(super) fn with_scores(wanted: bool, reply: &Reply<'_>) -> Self {
        match (wanted, reply.is_resp3()) {
            (false, _) => Form::Members,
            (true, false) => Form::Flat,
            (true, true) => Form::Pairs,
        }
    }

    /// Starts the array of so many members.
    pub(super) fn start(self, count: usize, reply: &mut Reply<'_>) {
        reply.array(if self == Form::Flat { 2 * count } else { count });
    }

    /// Writes a member.
    #[inline]
    pub(super) fn write(self, member: &SmallBytes, score: f64, reply: &mut Reply<'_>) {
        if self == Form::Pairs {
            reply.array(2);
        }
        reply.bulk(member);
        if self != Form::Members {
            reply.double(score);
        }
    }

    /// Writes the array.
    pub(super) fn write_all<'a>(
        self,
        members: impl ExactSizeIterator<Item = (&'a SmallBytes, f64)>,
        reply: &mut Reply<'_>,
    ) {
        self.start(members.len(), reply);
        members.for_each(|(member, score)| self.write(member, score, reply));
    }
}
