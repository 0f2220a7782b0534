//! `EXEC`

use std::time::Instant;

use super::watch::stop_watching;
use crate::commands::command::LocalFunction;
use crate::commands::session::Queue;
use crate::commands::{Command, CommandId, Context, Flags, Run, connection, pubsub, server, table};
use crate::resp::Reply;
use crate::store::call::OwnedCall;
use crate::store::operation::{Function, Outcome, Response, Transaction, Work};
use crate::store::{Call, Error};

/// `EXEC`: an array of the replies of the commands since `MULTI`, which are executed with nothing between them; null if a
/// watched key was changed; an error if one of the commands was refused. O(commands and watched keys) beside what the
/// commands take.
///
/// Commands that read or write the keyspace go through the log as one operation. The others, which concern this server and
/// not the keyspace, are executed after it.
pub(super) fn exec(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let Some(queue) = context.session.transaction.take() else { return Err(Error::new("ERR EXEC without MULTI")) };
    if queue.failed {
        if let Some(work) = stop_watching(context.session) {
            context.write(work);
        }
        return Err(Error::new("EXECABORT Transaction discarded because of previous errors."));
    }
    let Plan { steps, logged } = plan(queue, call, context);
    let start = Instant::now();
    let count_logged = logged.len() as u64;
    let response = if logged.is_empty() && !context.session.watching {
        Response::default()
    } else {
        let client = call.client.client;
        context.session.watching = false;
        context.write(Work::Transaction(Box::new(Transaction { client, now: call.now, commands: logged })))
    };
    let each = start.elapsed().as_nanos() as u64 / count_logged.max(1);
    let ends: &[usize] = match &response.outcome {
        Outcome::Aborted => {
            reply.null_array();
            return Ok(());
        }
        Outcome::TooLong => {
            context.session.overflowed = true;
            return Ok(());
        }
        Outcome::Transaction(ends) => ends,
        _ => &[],
    };
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let mut replies = starts.zip(ends).map(|(start, end)| &response.reply[start..*end]);
    reply.array(steps.len());
    for (id, step) in steps {
        match step {
            Step::Logged => {
                let bytes = replies.next().unwrap_or_default();
                count(context, id, bytes, each);
                reply.raw(bytes);
            }
            Step::Local(function, own) => {
                let before = reply.len();
                let start = Instant::now();
                run_local(context, id, function, &own, reply);
                let nanoseconds = start.elapsed().as_nanos() as u64;
                count(context, id, reply.since(before), nanoseconds);
                if context.config.is_slow(nanoseconds) && !table().get(id).command.flags.has(Flags::SKIP_SLOWLOG) {
                    let arguments = own.arguments.borrow();
                    context.server.log_slow(context.config, call.now, nanoseconds, arguments, &context.session.record);
                }
            }
        }
    }
    Ok(())
}

/// How a command of the transaction is executed.
enum Step {
    /// As part of the operation that goes through the log.
    Logged,
    /// By itself, after it; without a function, it lists the subcommands.
    Local(Option<LocalFunction>, OwnedCall),
}

/// What is to be done.
#[derive(Default)]
struct Plan {
    /// How each command is executed, in their order.
    steps: Vec<(CommandId, Step)>,
    /// Those that go through the log.
    logged: Vec<(Function, OwnedCall)>,
}

fn plan(queue: Queue, call: &Call<'_>, context: &Context<'_>) -> Plan {
    let mut random = call.generator();
    let (mut database, mut protocol) = (call.database, call.protocol);
    let mut plan = Plan::default();
    for (id, arguments) in queue.commands {
        let command = table().get(id).command;
        let selected = connection::selected(command, arguments.borrow(), context.config);
        let spoken = connection::spoken(command, arguments.borrow());
        let own = OwnedCall {
            arguments,
            now: call.now,
            random: random(),
            client: call.client,
            database: database as u32,
            protocol,
            ceiling: call.ceiling,
        };
        let step = match logged_function(command) {
            Ok(function) => {
                plan.logged.push((function, own));
                Step::Logged
            }
            Err(function) => Step::Local(function, own),
        };
        plan.steps.push((id, step));
        database = selected.unwrap_or(database);
        protocol = spoken.unwrap_or(protocol);
    }
    plan
}

/// The function that goes through the log, or else the one that is executed after it.
fn logged_function(command: &Command) -> Result<Function, Option<LocalFunction>> {
    match command.run {
        Run::Read(function) => Ok(Function::Read(function)),
        Run::Write(function) => Ok(Function::Write(function)),
        Run::Local(function) => pubsub::in_transaction(command).map(Function::Write).ok_or(Some(function)),
        Run::Container => Err(None),
    }
}

fn run_local(
    context: &mut Context<'_>,
    id: CommandId,
    function: Option<LocalFunction>,
    call: &OwnedCall,
    reply: &mut Reply<'_>,
) {
    let listed = table().get(id);
    let Some(function) = function else { return server::help(listed, reply) };
    let before = reply.len();
    // A command before it may have changed the configuration.
    let config = context.server.config();
    let mut own = Context {
        session: context.session,
        server: context.server,
        handle: context.handle,
        config: &config,
        outbox: context.outbox,
        command: listed.command,
    };
    let call = Call { protocol: own.session.protocol, ..call.borrow() };
    if let Err(error) = function(&mut own, &call, reply) {
        reply.truncate(before);
        reply.error(error.text());
    }
}

/// Counts one command and its error, if it answered with one.
fn count(context: &Context<'_>, id: CommandId, reply: &[u8], nanoseconds: u64) {
    let statistics = &context.server.workers[context.session.address.worker as usize];
    statistics.executed(id, 1, nanoseconds);
    if let Some(error) = reply.strip_prefix(b"-") {
        statistics.command(id).failed.add(1);
        context.server.count_error(error);
    }
}
