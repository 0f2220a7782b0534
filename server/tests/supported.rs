//! Lists of what the server supports, made from its tables: `COMMANDS.md` and `CONFIG.md`.
//!
//! A list that is not up to date fails; with `NR_BLESS=1` in the environment it is written instead.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use nr_server::commands::table::Listed;
use nr_server::commands::{Group, table};
use nr_server::config::{Config, Mutability, PARAMETERS, Parameter};

/// Who wants to change the text changes the table.
const NOTE: &str = "Made from the server's own tables by `NR_BLESS=1 cargo test -p nr-server --test supported`.";

fn check(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("NR_BLESS").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} is not up to date; NR_BLESS=1 writes it anew");
}

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', r"\|")
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{}`", cell(text)) }
}

fn title(group: Group) -> &'static str {
    match group {
        Group::Generic => "Keys of any type",
        Group::String => "Strings",
        Group::List => "Lists",
        Group::Set => "Sets",
        Group::SortedSet => "Sorted sets",
        Group::Hash => "Hashes",
        Group::PubSub => "Publishing and subscribing",
        Group::Transactions => "Transactions",
        Group::Connection => "Connection",
        Group::Server => "Server",
    }
}

#[test]
fn commands_are_listed() {
    let mut listed: Vec<&Listed> = table().iter().map(|(_, listed)| listed).collect();
    listed.sort_by_key(|listed| (listed.command.group, &listed.full_name));
    let commands = listed.iter().filter(|listed| listed.container.is_none()).count();
    let mut text = format!(
        "# Commands\n\n{commands} commands with {} subcommands, which answer as those of Redis 7.0.15 do. *Since* is the \
         version of Redis in which a command came.\n\n{NOTE}\n",
        listed.len() - commands
    );
    for group in listed.chunk_by(|one, other| one.command.group == other.command.group) {
        write!(text, "\n## {}\n\n", title(group[0].command.group)).unwrap();
        text.push_str("| command | since | what it does | what it costs |\n|---|---|---|---|\n");
        for Listed { command, full_name, .. } in group {
            let name = code(&full_name.replace('|', " ").to_ascii_uppercase());
            let (summary, complexity) = (cell(command.summary), cell(command.complexity));
            writeln!(text, "| {name} | {} | {summary} | {complexity} |", command.since).unwrap();
        }
    }
    check("COMMANDS.md", &text);
}

/// A row for each of these parameters.
fn rows(text: &mut String, inert: bool) {
    let defaults = Config::default();
    text.push_str("| parameter | value | default | at run time |\n|---|---|---|---|\n");
    for parameter in PARAMETERS.iter().filter(|parameter| parameter.inert == inert && !parameter.hidden) {
        let names = parameter.names().map(code).collect::<Vec<_>>().join(", ");
        let default = match parameter.name {
            // It depends on where the server is started.
            "dir" => "the current directory".to_string(),
            _ => code(&String::from_utf8_lossy(&parameter.get(&defaults))),
        };
        let syntax = code(&parameter.kind.syntax());
        writeln!(text, "| {names} | {syntax} | {default} | {} |", changeable(parameter)).unwrap();
    }
}

fn changeable(parameter: &Parameter) -> &'static str {
    match (parameter.mutability, parameter.protected) {
        (Mutability::Runtime, false) => "yes",
        (Mutability::Runtime, true) => "if `enable-protected-configs` allows",
        (Mutability::Fixed | Mutability::Immutable, _) => "no",
    }
}

#[test]
fn parameters_are_listed() {
    let mut text = format!(
        "# Parameters\n\nThey stand in a file of directives or on the command line (`--name value`), and `CONFIG GET` and \
         `CONFIG SET` know them. Names behind the first are older ones.\n\n{NOTE}\n\n## With an effect\n\n"
    );
    rows(&mut text, false);
    text.push_str(
        "\n## Without an effect\n\nThe server takes them, so that files and clients made for Redis work, and does nothing \
         about them. Some can only be off.\n\n",
    );
    rows(&mut text, true);
    check("CONFIG.md", &text);
}
