//! `INFO`: facts and statistics.
//!
//! The sections and fields are those of Redis, whose readers know them, as far as they have a meaning here or an honest
//! zero. One section is this server's own: [`replicas`].

mod keyspace;
mod replicas;
mod server;
mod statistics;
mod unsupported;

use std::fmt::{self, Write};

use crate::commands::Context;
use crate::resp::Reply;
use crate::store::{Call, Error};

pub(super) use server::REDIS_VERSION;
pub(super) use statistics::distribution;

/// One section: writes its fields.
type Section = fn(&mut Context<'_>, &Call<'_>, &mut Fields);

/// The sections in their order: the name by which they are asked for, the title, and whether they are shown to who asks for
/// none.
const SECTIONS: &[(&str, &str, bool, Section)] = &[
    ("server", "Server", true, server::server),
    ("clients", "Clients", true, server::clients),
    ("memory", "Memory", true, server::memory),
    ("persistence", "Persistence", true, unsupported::persistence),
    ("stats", "Stats", true, statistics::statistics),
    ("replication", "Replication", true, unsupported::replication),
    ("cpu", "CPU", true, server::processor),
    ("modules", "Modules", true, unsupported::modules),
    ("commandstats", "Commandstats", false, statistics::commands),
    ("errorstats", "Errorstats", true, statistics::errors),
    ("latencystats", "Latencystats", false, statistics::latencies),
    ("cluster", "Cluster", true, unsupported::cluster),
    ("keyspace", "Keyspace", true, keyspace::keyspace),
    ("nr", "NR", true, replicas::replicas),
];

/// `INFO [section …]`: a text of lines `field:value` under a title for each section; all sections for `all` or `everything`,
/// those of most interest for `default` or when none is named. O(1) for most sections, O(commands · workers) for
/// `commandstats` and `latencystats`.
pub(super) fn info(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let is_asked = |names: &[&str]| {
        call.arguments.from(1).any(|asked| names.iter().any(|name| asked.eq_ignore_ascii_case(name.as_bytes())))
    };
    let all = is_asked(&["all", "everything"]);
    let default = call.len() == 1 || is_asked(&["default"]);
    let mut fields = Fields::default();
    for (name, title, is_default, section) in SECTIONS {
        if all || (default && *is_default) || is_asked(&[name]) {
            fields.title(title);
            section(context, call, &mut fields);
        }
    }
    reply.verbatim("txt", fields.text.as_bytes());
    Ok(())
}

/// The text as it grows.
#[derive(Debug, Default)]
struct Fields {
    text: String,
}

impl Fields {
    fn title(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\r\n");
        }
        self.line(format_args!("# {title}"));
    }

    fn field(&mut self, name: impl fmt::Display, value: impl fmt::Display) {
        self.line(format_args!("{name}:{value}"));
    }

    /// Bytes, also with a unit.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.field(format_args!("{name}_human"), super::footprint::human(bytes));
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.text.write_fmt(line);
        self.text.push_str("\r\n");
    }
}
