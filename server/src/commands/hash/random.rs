//! `HRANDFIELD`

use hashbrown::HashSet;

use crate::resp::Reply;
use crate::store::table::below;
use crate::store::value::Hash;
use crate::store::{Call, Error, View};

/// `HRANDFIELD key [count [WITHVALUES]]`: a random field as a bulk string, or null if there is no such key; with a count
/// an array of so many different fields, or, if it is negative, of fields of which each may be any. In RESP3 a field with
/// its value is an array of its own. O(count), and O(n) if that is not much more.
pub(super) fn hrandfield(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if call.len() > 2 {
        return fields(view, call, reply);
    }
    let hash = view.hash(call.argument(1))?;
    let field = hash.and_then(|hash| hash.random(&mut call.generator())).map(|(field, _)| field);
    reply.bulk_or_null(field);
    Ok(())
}

fn fields(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (count, with_values) = parse(call)?;
    let Some(hash) = view.hash(call.argument(1))? else {
        reply.array(0);
        return Ok(());
    };
    let repeats = count < 0;
    let count = count.unsigned_abs();
    let length = if repeats { count as usize } else { count.min(hash.len() as u64) as usize };
    reply.array(if with_values && !reply.is_resp3() { 2 * length } else { length });
    let mut random = call.generator();
    let write = |(field, value): (&[u8], &[u8]), reply: &mut Reply<'_>| {
        if with_values && reply.is_resp3() {
            reply.array(2);
        }
        reply.bulk(field);
        if with_values {
            reply.bulk(value);
        }
    };
    if repeats {
        for written in 0..length {
            if reply.is_over() {
                break;
            }
            if !reply.has_room((length - written) as u64) {
                return Err(Error::REPLY_TOO_LONG);
            }
            if let Some(pair) = hash.random(&mut random) {
                write(pair, reply);
            }
        }
    } else if length == hash.len() {
        hash.iter().for_each(|pair| write(pair, reply));
    } else {
        sample(hash, length, &mut random, &mut |pair| write(pair, reply));
    }
    Ok(())
}

/// The count, and whether values are asked for.
fn parse(call: &Call<'_>) -> Result<(i64, bool), Error> {
    let count = match call.integer(2)? {
        i64::MIN => {
            return Err(Error::new(
                "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            ));
        }
        count => count,
    };
    let with_values = match call.len() {
        3 => false,
        4 if call.is_option(3, "WITHVALUES") => true,
        _ => return Err(Error::SYNTAX),
    };
    // Twice the count must be a number, too.
    if with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Error::OUT_OF_RANGE);
    }
    Ok((count, with_values))
}

/// Gives `visit` so many different fields, fewer than there are. Each choice of them has the same probability.
fn sample<'a>(
    hash: &'a Hash,
    count: usize,
    random: &mut impl FnMut() -> u64,
    visit: &mut impl FnMut((&'a [u8], &'a [u8])),
) {
    // While less than a third is drawn, a field that was drawn before is rare enough to be drawn again.
    if count < hash.len() / 3 {
        let mut drawn = HashSet::with_capacity_and_hasher(count, ahash::RandomState::with_seed(0));
        while drawn.len() < count {
            let Some(pair) = hash.random(random) else { return };
            if drawn.insert(pair.0) {
                visit(pair);
            }
        }
    } else {
        let mut pairs: Vec<_> = hash.iter().collect();
        for index in 0..count {
            let rest = (pairs.len() - index) as u64;
            pairs.swap(index, index + below(rest, random) as usize);
            visit(pairs[index]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::EncodingLimits;

    #[test]
    fn a_sample_has_different_fields_and_any_of_them() {
        let limits = EncodingLimits::default();
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state
        };
        // A few of many are drawn one by one, most of them as a whole.
        for (fields, count) in [(1000, 50), (1000, 600), (20, 3), (20, 19)] {
            let mut hash = Hash::default();
            for number in 0..fields {
                hash.insert(format!("f{number}").as_bytes(), b"", &limits);
            }
            let rounds = 100 * fields / count;
            let mut seen = BTreeMap::new();
            for _ in 0..rounds {
                let mut drawn = Vec::new();
                sample(&hash, count, &mut random, &mut |(field, _)| drawn.push(field.to_vec()));
                drawn.sort_unstable();
                drawn.dedup();
                assert_eq!(drawn.len(), count);
                drawn.into_iter().for_each(|field| *seen.entry(field).or_insert(0) += 1);
            }
            assert_eq!(seen.len(), fields);
            assert!(seen.values().all(|times| (40..180).contains(times)), "{seen:?}");
        }
    }
}
