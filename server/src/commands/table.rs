//! The one table of commands.

use std::sync::LazyLock;

use hashbrown::HashMap;

use super::command::{Command, Run};
use super::{connection, hash, keys, list, pubsub, server, set, sorted_set, string, transaction};
use crate::store::{Arguments, Error};

/// The index of a command or subcommand in the [`Table`], by which statistics are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommandId(pub u16);

/// Every command and subcommand, and the way from names to them.
#[derive(Debug)]
pub struct Table {
    commands: Vec<Listed>,
    names: HashMap<Box<[u8]>, CommandId, ahash::RandomState>,
}

/// A command's place in the table.
#[derive(Debug)]
pub struct Listed {
    /// The command.
    pub command: &'static Command,
    /// The name with that of its container before it: `config|get`.
    pub full_name: String,
    /// The container of a subcommand.
    pub container: Option<CommandId>,
}

/// The commands of all families.
const FAMILIES: [&[Command]; 10] = [
    string::COMMANDS,
    keys::COMMANDS,
    list::COMMANDS,
    hash::COMMANDS,
    set::COMMANDS,
    sorted_set::COMMANDS,
    pubsub::COMMANDS,
    transaction::COMMANDS,
    connection::COMMANDS,
    server::COMMANDS,
];

/// The longest name of a command, with its container's.
const LONGEST: usize = 40;

/// The table.
pub fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(Table::new);
    &TABLE
}

impl Table {
    fn new() -> Table {
        let mut table =
            Table { commands: Vec::new(), names: HashMap::with_hasher(ahash::RandomState::with_seeds(1, 2, 3, 4)) };
        for command in FAMILIES.into_iter().flatten() {
            let container = table.add(command, command.name.to_string(), None);
            for subcommand in command.subcommands {
                table.add(subcommand, format!("{}|{}", command.name, subcommand.name), Some(container));
            }
        }
        table
    }

    fn add(&mut self, command: &'static Command, full_name: String, container: Option<CommandId>) -> CommandId {
        let id = CommandId(self.commands.len() as u16);
        assert!(full_name.len() <= LONGEST, "{full_name} is longer than names may be");
        let before = self.names.insert(full_name.as_bytes().into(), id);
        assert!(before.is_none(), "{full_name} is in the table twice");
        self.commands.push(Listed { command, full_name, container });
        id
    }

    /// How many commands and subcommands there are.
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// The command of that index.
    #[inline]
    pub fn get(&self, id: CommandId) -> &Listed {
        &self.commands[id.0 as usize]
    }

    /// All of them, containers before their subcommands.
    pub fn iter(&self) -> impl Iterator<Item = (CommandId, &Listed)> {
        self.commands.iter().enumerate().map(|(index, listed)| (CommandId(index as u16), listed))
    }

    /// The command of that name in any case, or the subcommand named `container|subcommand`. O(length).
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<CommandId> {
        let mut lower = [0; LONGEST];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        self.names.get(&*lower).copied()
    }

    /// The command that a request names, once it is known that its number of arguments is right.
    #[inline]
    pub fn resolve(&self, arguments: Arguments<'_>) -> Result<CommandId, Error> {
        // A subcommand is reached through its container only.
        let named = self.find(arguments.get(0)).filter(|id| self.get(*id).container.is_none());
        let Some(mut id) = named else { return Err(unknown(arguments)) };
        let mut listed = self.get(id);
        if !listed.command.subcommands.is_empty() && arguments.len() > 1 {
            let mut name = Vec::with_capacity(LONGEST);
            name.extend_from_slice(listed.command.name.as_bytes());
            name.push(b'|');
            name.extend_from_slice(arguments.get(1));
            if let Some(subcommand) = self.find(&name) {
                id = subcommand;
                listed = self.get(id);
            } else if matches!(listed.command.run, Run::Container) && !arguments.get(1).eq_ignore_ascii_case(b"help") {
                return Err(unknown_subcommand(listed.command, arguments.get(1)));
            }
        }
        if !listed.command.accepts(arguments.len()) {
            return Err(format!("ERR wrong number of arguments for '{}' command", listed.full_name).into());
        }
        Ok(id)
    }
}

#[cold]
fn unknown(arguments: Arguments<'_>) -> Error {
    let mut text = format!(
        "ERR unknown command '{}', with args beginning with: ",
        String::from_utf8_lossy(&arguments.get(0)[..arguments.get(0).len().min(128)])
    );
    let mut shown = 0;
    for argument in arguments.from(1) {
        if shown >= 128 {
            break;
        }
        let part = &argument[..argument.len().min(128 - shown)];
        shown += part.len() + 3;
        text.push_str(&format!("'{}' ", String::from_utf8_lossy(part)));
    }
    text.into()
}

#[cold]
fn unknown_subcommand(container: &Command, name: &[u8]) -> Error {
    format!(
        "ERR unknown subcommand '{}'. Try {} HELP.",
        String::from_utf8_lossy(&name[..name.len().min(128)]),
        container.name.to_ascii_uppercase()
    )
    .into()
}
