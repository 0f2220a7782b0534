//! `CONFIG`: the parameters.

use super::{ADMINISTRATION, local};
use crate::commands::command::help_command;
use crate::commands::{Command, Context, Group};
use crate::config::rewrite::{self, Added};
use crate::descriptors;
use crate::resp::Reply;
use crate::store::call::OwnedCall;
use crate::store::operation::Work;
use crate::store::{Call, Edit, Error, garbage};

/// The subcommands.
pub(super) const SUBCOMMANDS: &[Command] = &[
    local("get", -3, "2.0.0", ADMINISTRATION, get)
        .about("Returns the parameters whose names match patterns.", "O(n*m) for n parameters and m patterns"),
    help_command(Group::Server, "5.0.0"),
    local("resetstat", 2, "2.0.0", ADMINISTRATION, reset_statistics)
        .about("Starts the statistics that INFO shows anew.", "O(n) for n commands"),
    local("rewrite", 2, "2.8.0", ADMINISTRATION, rewrite)
        .about("Writes the parameters into the file that they came from.", "O(n) for n lines of the file"),
    local("set", -4, "2.0.0", ADMINISTRATION, set)
        .about("Changes parameters, all of them or none.", "O(n) for n parameters"),
];

/// `CONFIG GET pattern [pattern …]`: a map of the parameters whose names match one of the patterns. O(parameters · patterns).
fn get(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let patterns: Vec<&[u8]> = call.arguments.from(2).collect();
    let found = context.config.get(&patterns);
    reply.map(found.len());
    for (name, value) in found {
        reply.bulk(name.as_bytes());
        reply.bulk(&value);
    }
    Ok(())
}

/// `CONFIG SET parameter value [parameter value …]`: `OK`. O(parameters).
fn set(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let arguments: Vec<&[u8]> = call.arguments.from(2).collect();
    if arguments.len() % 2 == 1 {
        return Err(Error::SYNTAX);
    }
    let pairs: Vec<(&[u8], &[u8])> = arguments.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let local = context.session.record.is_local();
    let server = context.server;
    server.change_config(
        |config| {
            let changed = config.set_as(&pairs, local)?;
            if changed.maxclients > config.maxclients {
                descriptors::permit(changed.maxclients).map_err(|few| {
                    format!("ERR CONFIG SET failed (possibly related to argument 'maxclients') - {few}")
                })?;
            }
            Ok::<_, String>(changed)
        },
        // Within the change, so that the log has changes in the order in which they were made.
        |config| {
            context.write(Work::Configure(config));
        },
    )?;
    context.outbox.look = true;
    reply.ok();
    Ok(())
}

/// `CONFIG RESETSTAT`: `OK`; the statistics that `INFO` shows start anew. O(commands · workers).
fn reset_statistics(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    fn reset(edit: &mut Edit<'_>, _: &Call<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
        edit.reset_counters();
        Ok(())
    }
    context.write(Work::Command { function: reset, call: OwnedCall::of(call), timed: false });
    context.server.reset_statistics();
    garbage::reset();
    reply.ok();
    Ok(())
}

/// `CONFIG REWRITE`: `OK`; the file that the parameters came from says what they are now. O(lines of the file).
fn rewrite(context: &mut Context<'_>, _: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    write_file(context, Added::Changed, reply)
}

/// Writes the file, with these parameters added.
pub(super) fn write_file(context: &Context<'_>, added: Added, reply: &mut Reply<'_>) -> Result<(), Error> {
    let config = context.server.config();
    let Some(path) = &config.config_file else {
        return Err(Error::new("ERR The server is running without a config file"));
    };
    rewrite::rewrite_file(path, &config, added).map_err(|error| format!("ERR Rewriting config file: {error}"))?;
    reply.ok();
    Ok(())
}
