//! `LATENCY`: spikes of latency, and how long commands took.

mod doctor;
mod graph;

use super::info::distribution;
use super::{ADMINISTRATION, local};
use crate::commands::command::help_command;
use crate::commands::state::{LatencyEvent, lock};
use crate::commands::table::{CommandId, table};
use crate::commands::{Command, Context, Group};
use crate::resp::Reply;
use crate::store::{Call, Error};

/// The subcommands.
pub(super) const SUBCOMMANDS: &[Command] = &[
    local("doctor", 2, "2.8.13", ADMINISTRATION, doctor::doctor)
        .about("Returns a report about spikes of latency.", "O(1)"),
    local("graph", 3, "2.8.13", ADMINISTRATION, graph::graph).about("Returns a picture of an event's spikes.", "O(1)"),
    help_command(Group::Server, "2.8.13"),
    local("histogram", -2, "7.0.0", ADMINISTRATION, histogram)
        .about("Returns how long commands took.", "O(n) for n commands"),
    local("history", 3, "2.8.13", ADMINISTRATION, history).about("Returns an event's spikes.", "O(1)"),
    local("latest", 2, "2.8.13", ADMINISTRATION, latest).about("Returns the latest spike of each event.", "O(1)"),
    local("reset", -2, "2.8.13", ADMINISTRATION, reset).about("Forgets the spikes of some events, or all.", "O(1)"),
];

/// `LATENCY LATEST`: an array of the events, each an array of its name, the second since 1970 of its latest spike, how long
/// that was, and how long the longest was, in milliseconds. O(events).
fn latest(context: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let latency = lock(&context.server.latency);
    reply.array(latency.events.len());
    for (name, event) in &latency.events {
        let (second, milliseconds) = event.samples.back().copied().unwrap_or_default();
        reply.array(4);
        reply.bulk(name.as_bytes());
        reply.integer(second);
        reply.integer(milliseconds as i64);
        reply.integer(event.maximum as i64);
    }
    Ok(())
}

/// `LATENCY HISTORY event`: an array of its spikes, each an array of the second since 1970 and of milliseconds. O(1), for at
/// most 160 are kept.
fn history(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let samples = find_event(context, call.argument(2)).map(|event| event.samples).unwrap_or_default();
    reply.array(samples.len());
    for (second, milliseconds) in samples {
        reply.array(2);
        reply.integer(second);
        reply.integer(milliseconds as i64);
    }
    Ok(())
}

/// The event of that name.
fn find_event(context: &Context<'_>, name: &[u8]) -> Option<LatencyEvent> {
    let latency = lock(&context.server.latency);
    latency.events.iter().find(|(event, _)| event.as_bytes() == name).map(|(_, event)| event.clone())
}

/// `LATENCY RESET [event …]`: how many events' spikes are forgotten, of all events if none is named. O(events).
fn reset(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let mut latency = lock(&context.server.latency);
    let before = latency.events.len();
    let is_named = |event: &str| call.arguments.from(2).any(|name| name == event.as_bytes());
    latency.events.retain(|event, _| call.len() > 2 && !is_named(event));
    reply.count(before - latency.events.len());
    Ok(())
}

/// `LATENCY HISTOGRAM [command …]`: a map of the commands that were executed, of those that are named, with all their
/// subcommands; each a map of how often that was (`calls`), and of how many took at most so many microseconds
/// (`histogram_usec`). O(commands · workers).
fn histogram(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let with_subcommands = |wanted: CommandId| {
        table().iter().map(|(id, _)| id).filter(move |id| *id == wanted || table().get(*id).container == Some(wanted))
    };
    let ids: Vec<CommandId> = match call.len() {
        2 => table().iter().map(|(id, _)| id).collect(),
        _ => call.arguments.from(2).filter_map(|name| table().find(name)).flat_map(with_subcommands).collect(),
    };
    let mark = reply.mark();
    let mut shown = 0;
    for id in ids {
        let Some(distribution) = distribution(context.server, id) else { continue };
        shown += 1;
        reply.bulk(table().get(id).full_name.as_bytes());
        reply.map(2);
        reply.bulk(b"calls");
        reply.integer(distribution.count() as i64);
        reply.bulk(b"histogram_usec");
        let sums = distribution.cumulative();
        reply.map(sums.len());
        for (microseconds, count) in sums {
            reply.integer(microseconds as i64);
            reply.integer(count as i64);
        }
    }
    reply.map_at(mark, shown);
    Ok(())
}
