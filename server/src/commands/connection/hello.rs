//! `HELLO`

use super::auth::authenticate;
use super::client::set_name;
use crate::commands::{Command, Context, REDIS_VERSION};
use crate::resp::number::parse_integer;
use crate::resp::{Protocol, Reply};
use crate::store::{Arguments, Call, Error};

/// `HELLO [protocol [AUTH username password] [SETNAME name]]`: a map that describes the server and the connection, in the
/// protocol version asked for. O(1).
pub(super) fn hello(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let protocol = if call.len() > 1 { Some(version(call.argument(1))?) } else { None };
    let mut next = 2;
    while next < call.len() {
        let left = call.len() - next - 1;
        if call.is_option(next, "AUTH") && left >= 2 {
            authenticate(context, call.argument(next + 1), call.argument(next + 2))?;
            next += 3;
        } else if call.is_option(next, "SETNAME") && left >= 1 {
            set_name(context, call.argument(next + 1))?;
            next += 2;
        } else {
            let option = String::from_utf8_lossy(call.argument(next));
            return Err(format!("ERR Syntax error in HELLO option '{option}'").into());
        }
    }
    if !context.is_authenticated() {
        return Err(Error::new(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> \
             option can be used to authenticate the client and select the RESP protocol version at the same time",
        ));
    }
    if let Some(protocol) = protocol {
        context.session.protocol = protocol;
        reply.set_protocol(protocol);
    }
    describe(context, reply);
    Ok(())
}

/// The protocol in which replies are after this command, if it is a `HELLO` that asks for nothing else and will succeed.
/// O(1).
pub(in crate::commands) fn spoken(command: &Command, arguments: Arguments<'_>) -> Option<Protocol> {
    (command.name == "hello" && arguments.len() == 2).then(|| version(arguments.get(1)).ok()).flatten()
}

fn version(text: &[u8]) -> Result<Protocol, Error> {
    match parse_integer(text) {
        Some(2) => Ok(Protocol::Resp2),
        Some(3) => Ok(Protocol::Resp3),
        Some(_) => Err(Error::new("NOPROTO unsupported protocol version")),
        None => Err(Error::new("ERR Protocol version is not an integer or out of range")),
    }
}

fn describe(context: &Context<'_>, reply: &mut Reply<'_>) {
    reply.map(7);
    for (name, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"proto");
    reply.integer(if reply.is_resp3() { 3 } else { 2 });
    reply.bulk(b"id");
    reply.integer(context.session.address.client as i64);
    for (name, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
}
