//! `MEMORY`: what memory is used for.

use super::footprint::{Footprint, human};
use super::local;
use crate::commands::command::{command, help_command};
use crate::commands::{Command, Context, Flags, Group, Run};
use crate::resp::Reply;
use crate::store::{Call, Error, View};

/// The subcommands.
pub(super) const SUBCOMMANDS: &[Command] = &[
    local("doctor", 2, "4.0.0", Flags::NONE, doctor).about("Returns advice about memory.", "O(n) for n clients"),
    help_command(Group::Server, "4.0.0"),
    local("malloc-stats", 2, "4.0.0", Flags::NONE, allocator).about("Returns what the allocator counts.", "O(1)"),
    local("purge", 2, "4.0.0", Flags::NONE, purge).about("Does nothing: memory is given back all the time.", "O(1)"),
    local("stats", 2, "4.0.0", Flags::NONE, statistics)
        .about("Returns how much memory is used for what.", "O(n) for n clients"),
    command("usage", -3, "4.0.0", Group::Server, Flags::READONLY, Run::Read(usage))
        .key_range(2, 2, 1)
        .about("Returns how much memory a key and its value occupy.", "O(n) for n elements of a collection"),
];

/// `MEMORY USAGE key [SAMPLES count]`: the bytes that the key and its value occupy on one replica, or null if there is no
/// such key. All elements are counted, whatever the number of samples. O(n) for n elements.
fn usage(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    for index in (3..call.len()).step_by(2) {
        if !call.is_option(index, "SAMPLES") || index + 1 == call.len() {
            return Err(Error::SYNTAX);
        }
        if call.integer(index + 1)? < 0 {
            return Err(Error::SYNTAX);
        }
    }
    match view.peek(call.argument(2)) {
        Some(entry) => reply.count(entry.exact_memory()),
        None => reply.null(),
    }
    Ok(())
}

/// `MEMORY STATS`: a map of numbers of bytes, and of what follows from them. O(databases + clients).
fn statistics(context: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let footprint = Footprint::measure(context);
    let net = footprint.used.saturating_sub(footprint.startup);
    reply.map(18 + footprint.tables.len());
    let count = |reply: &mut Reply<'_>, name: &str, number: u64| {
        reply.bulk(name.as_bytes());
        reply.integer(number as i64);
    };
    count(reply, "peak.allocated", footprint.peak);
    count(reply, "total.allocated", footprint.used);
    count(reply, "startup.allocated", footprint.startup);
    count(reply, "replication.backlog", 0);
    count(reply, "clients.slaves", 0);
    count(reply, "clients.normal", footprint.clients);
    count(reply, "cluster.links", 0);
    count(reply, "aof.buffer", 0);
    count(reply, "lua.caches", 0);
    count(reply, "functions.caches", 0);
    for (index, bytes) in &footprint.tables {
        reply.bulk(format!("db.{index}").as_bytes());
        reply.map(1);
        count(reply, "overhead.hashtable.main", *bytes);
    }
    count(reply, "overhead.total", footprint.overhead());
    count(reply, "keys.count", footprint.keys);
    count(reply, "keys.bytes-per-key", net.checked_div(footprint.keys).unwrap_or(0));
    count(reply, "dataset.bytes", footprint.dataset());
    reply.bulk(b"dataset.percentage");
    reply.double(footprint.dataset_percentage());
    reply.bulk(b"peak.percentage");
    reply.double(footprint.peak_percentage());
    reply.bulk(b"fragmentation");
    reply.double(footprint.fragmentation());
    reply.bulk(b"fragmentation.bytes");
    reply.integer(footprint.fragmentation_bytes());
    Ok(())
}

/// `MEMORY DOCTOR`: a text about what may be wrong. O(databases + clients).
fn doctor(context: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.verbatim("txt", advice(&Footprint::measure(context)).as_bytes());
    Ok(())
}

fn advice(footprint: &Footprint) -> String {
    const LITTLE: u64 = 5 << 20;
    const MUCH_OF_CLIENTS: u64 = 200 << 10;
    if footprint.used < LITTLE {
        return "Less than 5 MB of memory are in use: too little to say anything about it.\n".to_string();
    }
    let mut advice = Vec::new();
    if footprint.peak > footprint.used / 2 * 3 {
        advice.push(format!(
            "* The most that ever was in use, {}, is much more than what is now, {}. The system may still count memory \
             that was freed.",
            human(footprint.peak),
            human(footprint.used)
        ));
    }
    if footprint.fragmentation() > 1.4 && footprint.fragmentation_bytes() > 10 << 20 {
        advice.push(format!(
            "* The system counts {:.2} bytes for each that is in use: free memory lies scattered between what is in use.",
            footprint.fragmentation()
        ));
    }
    if footprint.clients > MUCH_OF_CLIENTS {
        advice.push(format!(
            "* Clients' buffers hold {}: some send large commands, or don't read their replies. CLIENT LIST shows them.",
            human(footprint.clients)
        ));
    }
    if footprint.replicas > 1 {
        advice.push(format!("* Keys and values are there {} times, once on each replica.", footprint.replicas));
    }
    match advice.is_empty() {
        true => "Nothing about memory looks unusual.\n".to_string(),
        false => format!("What may be worth to know about memory:\n\n{}\n", advice.join("\n\n")),
    }
}

/// `MEMORY MALLOC-STATS`: a text; the allocator tells nothing but what the server counts of it. O(1).
fn allocator(_: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let text = format!(
        "mimalloc: {} bytes in use, {} at most; {} resident\n",
        crate::memory::used(),
        crate::memory::peak(),
        super::process::resident_memory()
    );
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// `MEMORY PURGE`: `OK`. The allocator gives memory back by itself. O(1).
fn purge(_: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.ok();
    Ok(())
}
