//! `ZADD`, `ZINCRBY`

use smallvec::SmallVec;

use crate::config::EventFlags;
use crate::resp::Reply;
use crate::store::{Call, Edit, Error};

/// `ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member …]`: how many members are new, with `CH` of how many
/// the score was set or changed. With `INCR`, which takes one member, its score increased by `score`, or null if an option
/// forbids that. O(log n) for each member.
pub(super) fn zadd(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    add(edit, call, Options::default(), reply)
}

/// `ZINCRBY key increment member`: the member's score increased by `increment`, where one that is new has 0. O(log n).
pub(super) fn zincrby(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    add(edit, call, Options { increment: true, ..Options::default() }, reply)
}

fn add(edit: &mut Edit<'_>, call: &Call<'_>, options: Options, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = call.argument(1);
    let (options, first) = options.parse(call)?;
    let scores = (first..call.len()).step_by(2).map(|index| call.float(index));
    let scores = scores.collect::<Result<SmallVec<[f64; 8]>, Error>>()?;
    let limits = edit.limits();
    // A set that is created here gets a member: into an empty one, none of the other options keeps it from coming.
    let set = if options.only_present { edit.sorted_set(key)? } else { Some(edit.sorted_set_or_create(key)?) };

    let mut counts = Counts::default();
    let mut latest = None;
    if let Some(set) = set {
        for (score, member) in scores.into_iter().zip(call.arguments.from(first + 1).step_by(2)) {
            if options.only_present && set.score(member).is_none() {
                continue;
            }
            let mut decided = Ok(Some(score));
            let previous = set.insert_or_update(score, member, &limits, |present| {
                decided = options.decide(present, score);
                decided.as_ref().ok().copied().flatten()
            });
            // If this fails it was the only member, and nothing has changed.
            latest = decided?;
            counts.note(previous, latest);
        }
    }
    let changed = counts.added + counts.updated;
    if changed > 0 {
        edit.modified(key);
        edit.count_changes(changed as u64 - 1);
        edit.notify(EventFlags::SORTED_SET, if options.increment { "zincr" } else { "zadd" }, key);
    }
    match (options.increment, latest) {
        (true, Some(score)) => reply.double(score),
        (true, None) => reply.null(),
        (false, _) => reply.count(if options.counts_updates { changed } else { counts.added }),
    }
    Ok(())
}

/// What became of the members.
#[derive(Debug, Default)]
struct Counts {
    added: usize,
    updated: usize,
}

impl Counts {
    fn note(&mut self, previous: Option<f64>, score: Option<f64>) {
        match (previous, score) {
            (None, _) => self.added += 1,
            (Some(previous), Some(score)) if previous != score => self.updated += 1,
            _ => {}
        }
    }
}

/// The options of `ZADD`.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    /// `NX`
    only_new: bool,
    /// `XX`
    only_present: bool,
    /// `GT`
    only_greater: bool,
    /// `LT`
    only_less: bool,
    /// `CH`
    counts_updates: bool,
    /// `INCR`
    increment: bool,
}

impl Options {
    /// With those that the call has, and the index of the first score.
    fn parse(mut self, call: &Call<'_>) -> Result<(Self, usize), Error> {
        let mut first = 2;
        while first < call.len() && self.take(call.argument(first)) {
            first += 1;
        }
        let arguments = call.len() - first;
        if arguments == 0 || arguments % 2 == 1 {
            return Err(Error::SYNTAX);
        }
        if self.only_new && self.only_present {
            return Err(Error::new("ERR XX and NX options at the same time are not compatible"));
        }
        if u8::from(self.only_greater) + u8::from(self.only_less) + u8::from(self.only_new) > 1 {
            return Err(Error::new("ERR GT, LT, and/or NX options at the same time are not compatible"));
        }
        if self.increment && arguments > 2 {
            return Err(Error::new("ERR INCR option supports a single increment-element pair"));
        }
        Ok((self, first))
    }

    /// Notes an option, if it is one.
    fn take(&mut self, argument: &[u8]) -> bool {
        let options: [(&[u8], &mut bool); 6] = [
            (b"NX", &mut self.only_new),
            (b"XX", &mut self.only_present),
            (b"GT", &mut self.only_greater),
            (b"LT", &mut self.only_less),
            (b"CH", &mut self.counts_updates),
            (b"INCR", &mut self.increment),
        ];
        let named = options.into_iter().find(|(name, _)| argument.eq_ignore_ascii_case(name));
        named.map(|(_, option)| *option = true).is_some()
    }

    /// The score of a member that has one, or none if it stays as it is.
    fn decide(&self, present: f64, score: f64) -> Result<Option<f64>, Error> {
        let score = if self.increment && !self.only_new { present + score } else { score };
        if score.is_nan() {
            return Err(Error::new("ERR resulting score is not a number (NaN)"));
        }
        let stays = self.only_new || (self.only_greater && score <= present) || (self.only_less && score >= present);
        Ok(if stays { None } else { Some(score) })
    }
}
