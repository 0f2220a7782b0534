//! `DEBUG`: for tests, of this server and of those who look into it.

mod digest;
mod protocol;
mod replicas;

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::config;
use crate::commands::{Command, Context, Flags, Group, Run, command};
use crate::config::rewrite::Added;
use crate::resp::number::{parse_float, parse_integer};
use crate::resp::{Reply, pattern};
use crate::store::access::AccessClock;
use crate::store::call::OwnedCall;
use crate::store::database::{Database, Expiry};
use crate::store::operation::Work;
use crate::store::value::StringValue;
use crate::store::{Call, Edit, Error, OwnedArguments, Value};

use digest::{Detail, Digest};

/// `DEBUG`'s place in the table.
pub(super) const COMMAND: Command = command(
    "debug",
    -2,
    "1.0.0",
    Group::Server,
    Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    Run::Local(debug),
)
.about("Looks into the server, and changes how it behaves, for tests.", "Depends on the subcommand");

/// What there is, with a line about it.
const SUBCOMMANDS: &[(&str, &str)] = &[
    ("CHANGE-REPL-ID", "Does nothing: there is no replication between servers."),
    ("CONFIG-REWRITE-FORCE-ALL", "Like CONFIG REWRITE, with all parameters."),
    ("DIGEST", "A hash of all keys and values, that of Redis for the same content."),
    ("DIGEST-VALUE <key> [<key> ...]", "A hash of each value, that of Redis for the same content."),
    ("ERROR <text>", "Answers with this error."),
    ("HTSTATS <database>", "How large the tables of a database are."),
    ("LOG <text>", "Does nothing."),
    ("OBJECT <key>", "How a value is kept."),
    ("PAUSE-CRON <0|1>", "Does nothing: there is no cron."),
    ("POPULATE <count> [<prefix>] [<size>]", "Creates keys named prefix:number, where there are none."),
    ("PROTOCOL <type>", "Answers with an example of a type of the protocol."),
    ("QUICKLIST-PACKED-THRESHOLD <size>", "Does nothing: long elements of lists are as others."),
    ("REPLICAS", "A hash of each replica of the keyspace, and whether all are equal."),
    ("REPLYBUFFER <PEAK-RESET-TIME|RESIZING> <value>", "Does nothing."),
    ("SET-ACTIVE-EXPIRE <0|1>", "Whether keys that expire are removed before they are looked up."),
    ("SET-DISABLE-DENY-SCRIPTS <0|1>", "Does nothing."),
    ("SET-SKIP-CHECKSUM-VALIDATION <0|1>", "Does nothing."),
    ("SLEEP <seconds>", "Keeps this worker, and the clients that it serves, from doing anything."),
    ("STRINGMATCH-LEN <pattern> <text>", "Whether the text matches the pattern."),
    ("HELP", "Print this help."),
];

/// `DEBUG subcommand [argument …]`: see [`SUBCOMMANDS`]; an error unless the configuration allows it.
fn debug(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if !context.config.enable_debug_command.allows(context.session.record.is_local()) {
        return Err(Error::new(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from \
             a local connection, otherwise you need to set this option in the configuration file, and then restart the \
             server.",
        ));
    }
    let name = call.argument(1).to_ascii_lowercase();
    match (name.as_slice(), call.len()) {
        (b"change-repl-id", 2)
        | (b"log" | b"pause-cron" | b"set-disable-deny-scripts" | b"set-skip-checksum-validation", 3) => reply.ok(),
        (b"config-rewrite-force-all", 2) => return config::write_file(context, Added::All, reply),
        (b"digest", 2) => {
            let digest = context.handle.read(|keyspace| Digest::of_keyspace(keyspace, Detail::Content));
            reply.simple(&digest.to_string());
        }
        (b"digest-value", _) => digest_values(context, call, reply),
        (b"error", 3) => reply.error(&String::from_utf8_lossy(call.argument(2))),
        (b"help", 2) => help(reply),
        (b"htstats", 3) => return table_statistics(context, call, reply),
        (b"object", 3..) => return object(context, call, reply),
        (b"populate", 3..=5) => return populate(context, call, reply),
        (b"protocol", 3) => return protocol::protocol(call, reply),
        (b"quicklist-packed-threshold", 3) => return packed_threshold(call, reply),
        (b"reload" | b"loadaof", _) => return Err(Error::new("ERR there is no persistence yet")),
        (b"replicas", 2) => return replicas::replicas(context, reply),
        (b"replybuffer", 4) => return reply_buffer(call, reply),
        (b"set-active-expire", 3) => {
            let on = call.integer(2).is_ok_and(|number| number != 0);
            // Relaxed: nothing else is read because of it.
            context.server.active_expire.store(on, Ordering::Relaxed);
            reply.ok();
        }
        (b"sleep", 3) => {
            let seconds = parse_float(call.argument(2)).unwrap_or(0.0);
            thread::sleep(Duration::try_from_secs_f64(seconds).unwrap_or_default());
            reply.ok();
        }
        (b"stringmatch-len", 4) => {
            reply.integer(i64::from(pattern::matches(call.argument(2), call.argument(3), false)));
        }
        _ => return Err(unknown(call)),
    }
    Ok(())
}

fn unknown(call: &Call<'_>) -> Error {
    let name = String::from_utf8_lossy(call.argument(1));
    format!("ERR unknown subcommand or wrong number of arguments for '{name:.128}'. Try DEBUG HELP.").into()
}

/// `DEBUG HELP`: an array of lines.
fn help(reply: &mut Reply<'_>) {
    reply.array(1 + 2 * SUBCOMMANDS.len());
    reply.simple("DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for (usage, summary) in SUBCOMMANDS {
        reply.simple(usage);
        reply.simple(&format!("    {summary}"));
    }
}

/// `DEBUG DIGEST-VALUE key [key …]`: an array of digests, zeros for a key that doesn't exist. O(size of the values).
fn digest_values(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) {
    reply.array(call.len() - 2);
    context.read(call, |view| {
        for key in call.arguments.from(2) {
            let digest = view.peek(key).map_or(Digest::default(), |entry| Digest::of_entry(entry, Detail::Content));
            reply.simple(&digest.to_string());
        }
    });
}

/// `DEBUG HTSTATS database`: a text about the tables of a database. O(n / 100) for n keys.
fn table_statistics(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let index = call.integer(2)?;
    let describe = |database: &Database| {
        format!(
            "[Dictionary HT]\n number of elements: {}\n bytes: {}\n[Expires HT]\n number of elements: {}\n",
            database.len(),
            database.overhead(),
            database.expiring(),
        )
    };
    let text = context.handle.read(|keyspace| {
        let database = usize::try_from(index).ok().and_then(|index| keyspace.databases.get(index));
        database.map(describe)
    });
    reply.verbatim("txt", text.ok_or(Error::new("ERR Out of range database"))?.as_bytes());
    Ok(())
}

/// `DEBUG OBJECT key`: a line about a value. O(n) for n elements.
fn object(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let line = context.read(call, |view| {
        let entry = view.peek(call.argument(2))?;
        let clock = view.keyspace().access_clock;
        let idle = if clock == AccessClock::Recency { clock.idle_seconds(entry.access(), view.now()) } else { 0 };
        Some(format!(
            "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{idle}",
            &entry.value,
            entry.value.encoding(),
            entry.value.memory(),
            entry.access(),
        ))
    });
    reply.simple(&line.ok_or(Error::NO_SUCH_KEY)?);
    Ok(())
}

/// `DEBUG QUICKLIST-PACKED-THRESHOLD size`: `OK`, with no effect.
fn packed_threshold(call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let text = call.argument(2).to_ascii_lowercase();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, unit) = text.split_at(digits);
    let unit = match unit {
        b"" | b"b" => Some(1),
        b"k" => Some(1000),
        b"kb" => Some(1 << 10),
        b"m" => Some(1_000_000),
        b"mb" => Some(1 << 20),
        b"g" => Some(1_000_000_000),
        b"gb" => Some(1i64 << 30),
        _ => None,
    };
    let size = unit.and_then(|unit| parse_integer(digits)?.checked_mul(unit));
    if size.is_none_or(|size| size > 4 << 30) {
        return Err(Error::new("ERR argument must be a memory value bigger than 1 and smaller than 4gb"));
    }
    reply.ok();
    Ok(())
}

/// `DEBUG REPLYBUFFER PEAK-RESET-TIME (NEVER | RESET | milliseconds)` and `DEBUG REPLYBUFFER RESIZING (0 | 1)`: `OK`, with
/// no effect.
fn reply_buffer(call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if call.is_option(2, "PEAK-RESET-TIME") {
        if !call.is_option(3, "NEVER") && !call.is_option(3, "RESET") {
            call.integer(3)?;
        }
    } else if !call.is_option(2, "RESIZING") {
        return Err(unknown(call));
    }
    reply.ok();
    Ok(())
}

/// `DEBUG POPULATE count [prefix [size]]`: `OK`. Creates the keys `prefix:0` and so on, where there are none, with values
/// `value:0` and so on, of `size` bytes if that is given. O(count), a part after the other.
fn populate(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const PART: i64 = 1024;
    let positive = |index| call.integer(index).ok().filter(|number| *number >= 0).ok_or(Error::NOT_POSITIVE);
    let count = positive(2)?;
    let prefix = if call.len() > 3 { call.argument(3) } else { b"key" };
    let size = if call.len() > 4 { positive(4)? } else { 0 };
    if size as u64 > context.config.proto_max_bulk_len {
        return Err(Error::STRING_TOO_LONG);
    }
    let mut first = 0;
    while first < count {
        let end = count.min(first + PART);
        let mut numbers = [itoa::Buffer::new(), itoa::Buffer::new(), itoa::Buffer::new()];
        let [first_text, end_text, size_text] = &mut numbers;
        let arguments = [
            b"populate",
            first_text.format(first).as_bytes(),
            end_text.format(end).as_bytes(),
            prefix,
            size_text.format(size).as_bytes(),
        ];
        let call = OwnedCall {
            arguments: OwnedArguments::from_slices(&arguments),
            now: call.now,
            random: call.random,
            client: call.client,
            database: call.database as u32,
            protocol: call.protocol,
            ceiling: call.ceiling,
        };
        context.write(Work::Command { function: populate_part, call, timed: false });
        first = end;
    }
    reply.ok();
    Ok(())
}

/// Part of `DEBUG POPULATE`: from, to, prefix, size. O(to - from).
fn populate_part(edit: &mut Edit<'_>, call: &Call<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
    let (prefix, size) = (call.argument(3), call.integer(4)? as usize);
    for number in call.integer(1)?..call.integer(2)? {
        let key = [prefix, b":", itoa::Buffer::new().format(number).as_bytes()].concat();
        if edit.exists(&key) {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if size > 0 {
            value.resize(size, 0);
        }
        edit.insert(&key, Value::String(StringValue::new(&value)), Expiry::Clear);
    }
    Ok(())
}
