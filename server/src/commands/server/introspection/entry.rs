//! A command's entry in `COMMAND INFO`.

use super::{access, categories};
use crate::commands::Keys;
use crate::commands::table::{CommandId, Listed, table};
use crate::resp::Reply;

/// Writes the entry, with those of the subcommands in it. O(subcommands).
pub(super) fn write(id: CommandId, reply: &mut Reply<'_>) {
    let listed = table().get(id);
    let command = listed.command;
    let (first, last, step) = command.keys.legacy_range();
    reply.array(10);
    reply.bulk(listed.full_name.as_bytes());
    reply.integer(i64::from(command.arity));
    write_set(reply, &command.flags.names().collect::<Vec<_>>());
    reply.count(first);
    reply.integer(last as i64);
    reply.count(step);
    write_set(reply, &categories::of(listed).map(|name| format!("@{name}")).collect::<Vec<_>>());
    // Tips for clients of clusters.
    reply.set(0);
    write_key_specifications(listed, reply);
    let subcommands = || table().iter().filter(|(_, other)| other.container == Some(id));
    if command.subcommands.is_empty() {
        reply.set(0);
    } else {
        reply.array(subcommands().count());
        subcommands().for_each(|(id, _)| write(id, reply));
    }
}

fn write_set(reply: &mut Reply<'_>, names: &[impl AsRef<str>]) {
    reply.set(names.len());
    names.iter().for_each(|name| reply.simple(name.as_ref()));
}

/// How some of a command's keys are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// From `first` on, `last` further or up to so many from the end, each `step` apart.
    Range { first: usize, last: isize, step: usize },
    /// As many as the argument at this index says, behind it.
    Counted { at: usize },
}

/// The places of a command's keys. Where the first key is used in another way than the others, it has a place of its own.
pub(super) fn places(listed: &Listed) -> Vec<Place> {
    let one = |index| Place::Range { first: index, last: 0, step: 1 };
    let behind = |first, last: isize, step| {
        let last = if last < 0 { last } else { last - first as isize };
        Place::Range { first, last, step }
    };
    match listed.command.keys {
        Keys::None => vec![],
        Keys::Range { first, last, step } if access::of(listed).differs() => {
            vec![one(first), behind(first + step, last, step)]
        }
        Keys::Range { first, last, step } => vec![behind(first, last, step)],
        Keys::Counted { at, also: 0 } => vec![Place::Counted { at }],
        Keys::Counted { at, also } => vec![one(also), Place::Counted { at }],
    }
}

/// Writes how the keys are found, and what becomes of them.
fn write_key_specifications(listed: &Listed, reply: &mut Reply<'_>) {
    let access = access::of(listed);
    let places = places(listed);
    reply.set(places.len());
    for (index, place) in places.into_iter().enumerate() {
        reply.map(3);
        reply.bulk(b"flags");
        write_set(reply, &access.of_place(index).collect::<Vec<_>>());
        let (first, kind, fields) = match place {
            Place::Range { first, last, step } => {
                (first, "range", [("lastkey", last as i64), ("keystep", step as i64), ("limit", 0)])
            }
            Place::Counted { at } => (at, "keynum", [("keynumidx", 0), ("firstkey", 1), ("keystep", 1)]),
        };
        write_step(reply, "begin_search", "index", &[("index", first as i64)]);
        write_step(reply, "find_keys", kind, &fields);
    }
}

/// Writes one step on the way to the keys.
fn write_step(reply: &mut Reply<'_>, step: &str, kind: &str, fields: &[(&str, i64)]) {
    reply.bulk(step.as_bytes());
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(fields.len());
    for (name, number) in fields {
        reply.bulk(name.as_bytes());
        reply.integer(*number);
    }
}
