//! `ZUNION`, `ZINTER`, `ZDIFF`, the commands that store their results, and `ZINTERCARD`.

use super::form::Form;
use super::operation::{Aggregate, Input, Scored, by_size, difference, intersection, union};
use super::store;
use crate::resp::Reply;
use crate::store::value::SortedSet;
use crate::store::value::sorted_set::sort;
use crate::store::{Call, Edit, Error, View};

/// `ZUNION numkeys key [key …] [WEIGHTS weight [weight …]] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]`: an array of the members
/// that any of the sorted sets or sets has, in the order of the scores. O(n + m · log m) for n members and m in the result.
pub(super) fn zunion(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    read(view, call, Operation::Union, "zunion", reply)
}

/// `ZINTER numkeys key [key …] [WEIGHTS weight [weight …]] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]`: an array of the members
/// that all of the sorted sets or sets have, in the order of the scores. O(n · keys + m · log m) for n members of the
/// smallest and m in the result.
pub(super) fn zinter(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    read(view, call, Operation::Intersection, "zinter", reply)
}

/// `ZDIFF numkeys key [key …] [WITHSCORES]`: an array of the members that only the first of the sorted sets or sets has, in
/// the order of the scores. O(n · keys + m · log m) for n members of the first and m in the result.
pub(super) fn zdiff(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    read(view, call, Operation::Difference, "zdiff", reply)
}

/// `ZUNIONSTORE destination numkeys key [key …] [WEIGHTS weight [weight …]] [AGGREGATE SUM | MIN | MAX]`: stores what `ZUNION`
/// answers, and answers how many members that are. O(n + m · log m) for n members and m in the result.
pub(super) fn zunionstore(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    write(edit, call, Operation::Union, "zunionstore", reply)
}

/// `ZINTERSTORE destination numkeys key [key …] [WEIGHTS weight [weight …]] [AGGREGATE SUM | MIN | MAX]`: stores what `ZINTER`
/// answers, and answers how many members that are. O(n · keys + m · log m) for n members of the smallest and m in the
/// result.
pub(super) fn zinterstore(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    write(edit, call, Operation::Intersection, "zinterstore", reply)
}

/// `ZDIFFSTORE destination numkeys key [key …]`: stores what `ZDIFF` answers, and answers how many members that are.
/// O(n · keys + m · log m) for n members of the first and m in the result.
pub(super) fn zdiffstore(edit: &mut Edit<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    write(edit, call, Operation::Difference, "zdiffstore", reply)
}

/// `ZINTERCARD numkeys key [key …] [LIMIT limit]`: how many members all of the sorted sets or sets have, of which no more
/// than the limit are counted unless that is 0. O(n · keys) for n members of the smallest.
pub(super) fn zintercard(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const NEGATIVE_LIMIT: Error = Error::new("ERR LIMIT can't be negative");
    let (inputs, options) = parse_inputs(view, call, 1, "zintercard")?;
    let mut limit = 0;
    for option in (options..call.len()).step_by(2) {
        if !call.is_option(option, "LIMIT") || option + 1 == call.len() {
            return Err(Error::SYNTAX);
        }
        limit = call.at_least(option + 1, 0, NEGATIVE_LIMIT)?;
    }
    let limit = if limit == 0 { usize::MAX } else { limit };
    reply.count(intersection(&by_size(inputs), Aggregate::Sum).take(limit).count());
    Ok(())
}

fn read(
    view: &View<'_>,
    call: &Call<'_>,
    operation: Operation,
    name: &str,
    reply: &mut Reply<'_>,
) -> Result<(), Error> {
    let request = Request::parse(view, call, operation, name, false)?;
    let form = Form::with_scores(request.with_scores, reply);
    let members = request.execute();
    form.write_all(members.iter().map(|(member, score)| (&**member, *score)), reply);
    Ok(())
}

fn write(
    edit: &mut Edit<'_>,
    call: &Call<'_>,
    operation: Operation,
    name: &str,
    reply: &mut Reply<'_>,
) -> Result<(), Error> {
    let request = Request::parse(&edit.view(), call, operation, name, true)?;
    let members = request.execute().into_iter().map(|(member, score)| (member.into_owned(), score));
    let result = SortedSet::from_ordered(members, &edit.limits());
    store(edit, call.argument(1), result, name, reply);
    Ok(())
}

/// What sets are combined to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// What a command of this file asks for.
struct Request<'a> {
    operation: Operation,
    inputs: Vec<Input<'a>>,
    aggregate: Aggregate,
    with_scores: bool,
}

impl<'a> Request<'a> {
    /// Behind the command's name and, if the result is `stored`, the key for it.
    fn parse(view: &View<'a>, call: &Call<'_>, operation: Operation, name: &str, stored: bool) -> Result<Self, Error> {
        let (inputs, mut option) = parse_inputs(view, call, if stored { 2 } else { 1 }, name)?;
        let mut request = Request { operation, inputs, aggregate: Aggregate::Sum, with_scores: false };
        let combines_scores = operation != Operation::Difference;
        while option < call.len() {
            let values = call.len() - option - 1;
            if !stored && call.is_option(option, "WITHSCORES") {
                request.with_scores = true;
                option += 1;
            } else if combines_scores && call.is_option(option, "WEIGHTS") && values >= request.inputs.len() {
                option += 1 + request.parse_weights(call, option + 1)?;
            } else if combines_scores && call.is_option(option, "AGGREGATE") && values > 0 {
                request.aggregate = parse_aggregate(call, option + 1)?;
                option += 2;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(request)
    }

    /// Takes a weight for each input from the arguments from `first` on, and gives how many these are.
    fn parse_weights(&mut self, call: &Call<'_>, first: usize) -> Result<usize, Error> {
        for (index, input) in self.inputs.iter_mut().enumerate() {
            input.weight = call.float(first + index).map_err(|_| Error::new("ERR weight value is not a float"))?;
        }
        Ok(self.inputs.len())
    }

    /// The result, in the order of a sorted set.
    fn execute(self) -> Vec<Scored<'a>> {
        let mut members: Vec<_> = match self.operation {
            Operation::Union => union(&by_size(self.inputs), self.aggregate).collect(),
            Operation::Intersection => intersection(&by_size(self.inputs), self.aggregate).collect(),
            Operation::Difference => difference(&self.inputs).collect(),
        };
        sort(&mut members);
        members
    }
}

/// The inputs that follow their number at the index `first`, and the index behind them.
fn parse_inputs<'a>(
    view: &View<'a>,
    call: &Call<'_>,
    first: usize,
    name: &str,
) -> Result<(Vec<Input<'a>>, usize), Error> {
    let count = call.integer(first)?;
    if count < 1 {
        return Err(format!("ERR at least 1 input key is needed for '{name}' command").into());
    }
    let keys = call.arguments.from(first + 1);
    let count = usize::try_from(count).ok().filter(|count| *count <= keys.len()).ok_or(Error::SYNTAX)?;
    let inputs = keys.take(count).map(|key| Input::at(view, key)).collect::<Result<_, _>>()?;
    Ok((inputs, first + 1 + count))
}

fn parse_aggregate(call: &Call<'_>, index: usize) -> Result<Aggregate, Error> {
    for (name, aggregate) in [("SUM", Aggregate::Sum), ("MIN", Aggregate::Min), ("MAX", Aggregate::Max)] {
        if call.is_option(index, name) {
            return Ok(aggregate);
        }
    }
    Err(Error::SYNTAX)
}
