//! `COMMAND LIST`: the names of commands.

use super::categories;
use crate::commands::Context;
use crate::commands::table::{Listed, table};
use crate::resp::{Reply, pattern};
use crate::store::{Call, Error};

/// `COMMAND LIST [FILTERBY (MODULE module | ACLCAT category | PATTERN pattern)]`: an array of the full names of all commands
/// and subcommands, or of those that come from a module, of which there are none, belong to a category, or match a pattern.
/// O(commands).
pub(super) fn list(_: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let is_wanted: Box<dyn Fn(&Listed) -> bool> = if call.len() == 2 {
        Box::new(|_| true)
    } else if call.len() == 5 && call.is_option(2, "FILTERBY") {
        let value = call.argument(4);
        match call.argument(3).to_ascii_uppercase().as_slice() {
            b"MODULE" => Box::new(|_| false),
            b"ACLCAT" => Box::new(move |listed| {
                categories::of(listed).any(|category| value.eq_ignore_ascii_case(category.as_bytes()))
            }),
            b"PATTERN" => Box::new(move |listed| pattern::matches(value, listed.full_name.as_bytes(), true)),
            _ => return Err(Error::SYNTAX),
        }
    } else {
        return Err(Error::SYNTAX);
    };
    let names: Vec<&str> =
        table().iter().filter(|(_, listed)| is_wanted(listed)).map(|(_, listed)| listed.full_name.as_str()).collect();
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name.as_bytes()));
    Ok(())
}
