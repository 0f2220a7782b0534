//! `ZRANDMEMBER`

use hashbrown::HashSet;

use super::form::Form;
use crate::resp::Reply;
use crate::store::table::below;
use crate::store::{Call, Error, View};

/// `ZRANDMEMBER key [count [WITHSCORES]]`: a random member as a bulk string, or null if there is no such key; with a count
/// an array of so many different members, or, if it is negative, of members of which each may be any. O(log n) for each.
pub(super) fn zrandmember(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if call.len() > 2 {
        return members(view, call, reply);
    }
    let set = view.sorted_set(call.argument(1))?;
    let member = set.and_then(|set| set.at(below(set.len() as u64, &mut call.generator()) as usize));
    reply.bulk_or_null(member.map(|(member, _)| member.as_slice()));
    Ok(())
}

fn members(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (count, with_scores) = parse(call)?;
    let Some(set) = view.sorted_set(call.argument(1))? else {
        reply.array(0);
        return Ok(());
    };
    let form = Form::with_scores(with_scores, reply);
    let length = set.len() as u64;
    let mut random = call.generator();
    let write = |rank: u64, reply: &mut Reply<'_>| {
        if let Some((member, score)) = set.at(rank as usize) {
            form.write(member, score, reply);
        }
    };
    if count < 0 {
        let count = count.unsigned_abs();
        form.start(count as usize, reply);
        for written in 0..count {
            if reply.is_over() {
                break;
            }
            if !reply.has_room(count - written) {
                return Err(Error::REPLY_TOO_LONG);
            }
            write(below(length, &mut random), reply);
        }
    } else if count as u64 >= length {
        form.write_all(set.iter(), reply);
    } else {
        form.start(count as usize, reply);
        sample(count as u64, length, &mut random, |rank| write(rank, reply));
    }
    Ok(())
}

/// The count, and whether scores are asked for.
fn parse(call: &Call<'_>) -> Result<(i64, bool), Error> {
    const TOO_LOW: Error =
        Error::new("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
    let count = call.integer(2)?;
    if count == i64::MIN {
        return Err(TOO_LOW);
    }
    let with_scores = match call.len() {
        3 => false,
        4 if call.is_option(3, "WITHSCORES") => true,
        _ => return Err(Error::SYNTAX),
    };
    // Twice the count must be a number, too.
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Error::OUT_OF_RANGE);
    }
    Ok((count, with_scores))
}

/// Gives `visit` so many different numbers below `length`; each choice of them has the same probability.
fn sample(count: u64, length: u64, random: &mut impl FnMut() -> u64, mut visit: impl FnMut(u64)) {
    // Floyd's algorithm (Bentley, "A sample of brilliance", CACM 30/9, 1987): with one number more to choose from, this one
    // is taken if the one that is drawn was taken before.
    let mut taken = HashSet::with_capacity_and_hasher(count as usize, ahash::RandomState::with_seed(0));
    for last in length - count..length {
        let drawn = below(last + 1, random);
        let chosen = if taken.insert(drawn) { drawn } else { last };
        taken.insert(chosen);
        visit(chosen);
    }
}

#[cfg(test)]
mod tests {
    use super::sample;

    #[test]
    fn every_choice_has_the_same_probability() {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state ^ (state >> 29)
        };
        let mut counts = [0; 1 << 5];
        for _ in 0..10_000 {
            let mut choice = 0usize;
            sample(3, 5, &mut random, |number| {
                assert_eq!(choice & (1 << number), 0, "{number} is taken twice");
                choice |= 1 << number;
            });
            counts[choice] += 1;
        }
        for (choice, count) in counts.into_iter().enumerate() {
            let possible = choice.count_ones() == 3;
            assert!(if possible { (850..1150).contains(&count) } else { count == 0 }, "{choice:b}: {count}");
        }
    }
}
