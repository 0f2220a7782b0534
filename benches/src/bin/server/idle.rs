//! The CPU time of servers that have nothing to do: loaded, with clients that are connected and silent.

use crate::client::encode;
use crate::comparison::{Comparison, Goal, show};
use crate::peer::{Peer, Running};
use serde_json::Value;
use std::thread::sleep;
use std::time::Duration;

/// Clients that are connected.
const CLIENTS: usize = 50;
/// Keys that are loaded before.
const KEYS: u64 = 100_000;
/// How long a server may finish what it began.
const SETTLE: Duration = Duration::from_secs(2);
/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(5);
/// So many milliseconds of CPU time in [`WATCHED`] count as none: a thousandth of a core.
const GOAL: f64 = 5.0;

/// Watches both servers at the same time, prints a table with and one without keys that expire some day, and gives the
/// figures for the file.
pub(crate) fn compare(peers: &[Peer; 2], rounds: usize) -> Result<Value, String> {
    let mut tables = Vec::new();
    for expire in [false, true] {
        let what = if expire { "that expire in an hour" } else { "that do not expire" };
        let headline = format!("{KEYS} keys {what}, {CLIENTS} silent clients");
        let mut figures = [
            Comparison::new("CPU ms in 5 s", 3, Some(Goal::AtMost(GOAL))),
            Comparison::new("times it slept in 5 s", 0, None),
        ];
        for round in 0..rounds {
            eprintln!("idle: {headline}, round {} of {rounds}", round + 1);
            let servers = [peers[0].start()?, peers[1].start()?];
            let connected = [load(&servers[0], expire)?, load(&servers[1], expire)?];
            sleep(SETTLE);
            let before = [look(&servers[0])?, look(&servers[1])?];
            sleep(WATCHED);
            let after = [look(&servers[0])?, look(&servers[1])?];
            drop(connected);
            let cpu = |server: usize| (after[server].0.saturating_sub(before[server].0)).as_secs_f64() * 1e3;
            let sleeps = |server: usize| after[server].1.saturating_sub(before[server].1) as f64;
            figures[0].add([cpu(0), cpu(1)]);
            figures[1].add([sleeps(0), sleeps(1)]);
        }
        tables.push(show(&headline, [&peers[0].name, &peers[1].name], &figures));
    }
    Ok(tables.into())
}

/// Gives the server keys and clients; the clients are silent as long as the value is kept.
fn load(server: &Running, expire: bool) -> Result<Vec<crate::client::Client>, String> {
    server.client()?.load(KEYS, "+OK\r\n", |number, into| {
        let key = format!("key:{number:06}");
        if expire {
            encode(&["SET", &key, "value", "EX", "3600"], into);
        } else {
            encode(&["SET", &key, "value"], into);
        }
    })?;
    let connect = |_| {
        let mut client = server.client()?;
        client.call(&["PING"])?;
        Ok(client)
    };
    (0..CLIENTS).map(connect).collect()
}

/// CPU time used and how often threads went to sleep.
fn look(server: &Running) -> Result<(Duration, u64), String> {
    Ok((server.cpu_time()?, server.sleeps()?))
}
