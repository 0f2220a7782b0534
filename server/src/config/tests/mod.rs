//! Tests of the table, of `CONFIG GET` and `CONFIG SET`, of files and of the command line.

mod command;
mod redis_defaults;
mod sources;
mod table;

use super::*;

/// The value of one parameter as text.
fn get(config: &Config, name: &str) -> String {
    let found = config.get(&[name]);
    assert_eq!(found.len(), 1, "'{name}' is not one parameter");
    String::from_utf8(found[0].1.clone()).unwrap()
}

/// Sets one parameter of the default configuration.
fn set(name: &str, value: &str) -> Result<Config, String> {
    Config::default().set(&[(name.as_bytes(), value.as_bytes())])
}

/// What one parameter is after being set.
fn set_and_get(name: &str, value: &str) -> String {
    get(&set(name, value).unwrap(), name)
}

/// Why one parameter can't be set, without what is the same in every answer.
fn refusal(name: &str, value: &str) -> String {
    let error = set(name, value).unwrap_err();
    let start = format!("ERR CONFIG SET failed (possibly related to argument '{name}') - ");
    error.strip_prefix(&start).unwrap_or_else(|| panic!("{error}")).to_owned()
}
