//! `CLIENT`: what a client says of itself, and what it may do to others.

mod kill;
mod kind;
mod list;
mod name;
mod own;
mod pause;
mod unblock;

pub(super) use name::set_name;

use super::ANY_TIME;
use crate::commands::command::{command, help_command};
use crate::commands::{Command, Flags, Group, Run};

/// Allowed to administrators only.
const ADMINISTRATION: Flags = ANY_TIME.and(Flags::ADMIN);

/// `CLIENT`'s place in the table.
pub(super) const COMMAND: Command = command("client", -2, "2.4.0", Group::Connection, Flags::NONE, Run::Container)
    .about("Commands about the connections of clients.", "Depends on the subcommand")
    .with(&[
        command("getname", 2, "2.6.9", Group::Connection, ANY_TIME, Run::Local(name::get))
            .about("Answers with the name of the connection.", "O(1)"),
        command("getredir", 2, "6.0.0", Group::Connection, ANY_TIME, Run::Local(own::redirection))
            .about("Answers with the client that is told of changed keys in place of this one.", "O(1)"),
        help_command(Group::Connection, "5.0.0"),
        command("id", 2, "5.0.0", Group::Connection, ANY_TIME, Run::Local(own::id))
            .about("Answers with the number of the connection.", "O(1)"),
        command("info", 2, "6.2.0", Group::Connection, ANY_TIME, Run::Local(list::info))
            .about("Answers with a line that describes the connection.", "O(1)"),
        command("kill", -3, "2.4.0", Group::Connection, ADMINISTRATION, Run::Local(kill::kill))
            .about("Ends connections, by address or by what the options say.", "O(connections)"),
        command("list", -2, "2.4.0", Group::Connection, ADMINISTRATION, Run::Local(list::list))
            .about("Answers with a line for each connection.", "O(connections)"),
        command("no-evict", 3, "7.0.0", Group::Connection, ADMINISTRATION, Run::Local(own::no_evict))
            .about("Spares the connection when the buffers of clients take too much memory.", "O(1)"),
        command("pause", -3, "2.9.50", Group::Connection, ADMINISTRATION, Run::Local(pause::pause))
            .about("Lets all commands, or those that write, wait for a while.", "O(1)"),
        command("reply", 3, "3.2.0", Group::Connection, ANY_TIME, Run::Local(own::replies))
            .about("Says which replies the connection gets.", "O(1)"),
        command("setname", 3, "2.6.9", Group::Connection, ANY_TIME, Run::Local(name::set))
            .about("Gives the connection a name.", "O(1)"),
        command("unblock", -3, "5.0.0", Group::Connection, ADMINISTRATION, Run::Local(unblock::unblock))
            .about("Ends a client's wait for keys.", "O(log waiting clients)"),
        command("unpause", 2, "6.2.0", Group::Connection, ADMINISTRATION, Run::Local(pause::unpause))
            .about("Lets commands that wait since CLIENT PAUSE go on.", "O(1)"),
    ]);
