//! `CLIENT LIST` and `CLIENT INFO`

use std::fmt::Write;
use std::sync::atomic::Ordering;

use super::kind::Kind;
use crate::commands::state::{ClientRecord, lock};
use crate::commands::{CommandId, Context, table};
use crate::resp::Reply;
use crate::store::{Call, Error};

/// As much of the output is said to lie in the buffer of fixed size that each client of Redis has; what is beyond it, in a
/// list of buffers.
const FIXED_OUTPUT: usize = 16 * 1024;

/// `CLIENT INFO`: a line that describes the connection, as `CLIENT LIST` has it. O(1).
pub(super) fn info(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    context.session.publish();
    let mut text = String::new();
    describe(&context.session.record, call.now, &mut text);
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// `CLIENT LIST [TYPE NORMAL|MASTER|REPLICA|PUBSUB | ID id [id …]]`: a line for each connection, or for those chosen.
/// O(connections).
pub(super) fn list(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    context.session.publish();
    let clients = &context.server.clients;
    let mut text = String::new();
    if call.len() == 4 && call.is_option(2, "TYPE") {
        let kind = Kind::parse(call.argument(3))?;
        for record in lock(clients).values().filter(|record| Kind::of(record) == kind) {
            describe(record, call.now, &mut text);
        }
    } else if call.len() > 3 && call.is_option(2, "ID") {
        let numbers = (3..call.len()).map(|index| call.integer(index)).collect::<Result<Vec<_>, _>>();
        let numbers = numbers.map_err(|_| Error::new("ERR Invalid client ID"))?;
        let clients = lock(clients);
        for record in numbers.into_iter().filter_map(|number| clients.get(&u64::try_from(number).ok()?)) {
            describe(record, call.now, &mut text);
        }
    } else if call.len() == 2 {
        for record in lock(clients).values() {
            describe(record, call.now, &mut text);
        }
    } else {
        return Err(Error::SYNTAX);
    }
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Appends the line of one client. Its worker shows how the client stands once a turn.
fn describe(record: &ClientRecord, now: i64, text: &mut String) {
    // Relaxed, here and below: each value is recent enough by itself.
    const ORDERING: Ordering = Ordering::Relaxed;
    let seconds = |since: i64| (now - since).max(0) / 1000;
    let input = record.input.load(ORDERING);
    let queued_size = record.queued_size.load(ORDERING);
    let (output, capacity) = (record.output.load(ORDERING), record.output_capacity.load(ORDERING));
    let listed = output.saturating_sub(FIXED_OUTPUT);
    let id = record.last_command.load(ORDERING);
    let command = match id {
        ClientRecord::NO_COMMAND => "NULL",
        id => &table().get(CommandId(id as u16)).full_name,
    };
    let line = writeln!(
        text,
        "id={id} addr={peer} laddr={local} fd={descriptor} name={name} age={age} idle={idle} flags={flags} \
         db={database} sub={channels} psub={patterns} ssub={shards} multi={queued} qbuf={input} qbuf-free=0 \
         argv-mem=0 multi-mem={queued_size} rbs={capacity} rbp={output} obl={fixed} oll={list} omem={listed} \
         tot-mem={total} events={events} cmd={command} user=default redir=-1 resp={protocol}",
        id = record.address.client,
        peer = record.peer,
        local = record.local,
        descriptor = record.descriptor,
        name = String::from_utf8_lossy(&lock(&record.name)),
        age = seconds(record.since),
        idle = seconds(record.last_interaction.load(ORDERING)),
        flags = flags(record),
        database = record.database.load(ORDERING),
        channels = record.channels.load(ORDERING),
        patterns = record.patterns.load(ORDERING),
        shards = record.shards.load(ORDERING),
        queued = record.queued.load(ORDERING),
        fixed = output - listed,
        list = listed.div_ceil(FIXED_OUTPUT),
        total = record.memory.load(ORDERING),
        events = if output > 0 { "rw" } else { "r" },
        protocol = record.protocol.load(ORDERING),
    );
    line.expect("a string takes all that is written to it");
}

/// The letters of what a client is and does; `N` if there is nothing to say.
fn flags(record: &ClientRecord) -> String {
    // Relaxed: as in `describe`.
    let letters = [
        ('P', Kind::of(record) == Kind::Subscriber),
        ('x', record.queued.load(Ordering::Relaxed) >= 0),
        ('b', record.blocked.load(Ordering::Relaxed)),
        ('e', record.no_evict.load(Ordering::Relaxed)),
    ];
    let set: String = letters.into_iter().filter(|(_, is_set)| *is_set).map(|(letter, _)| letter).collect();
    if set.is_empty() { "N".into() } else { set }
}
