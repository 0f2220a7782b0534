//! Slow reads by several clients, in a loop, while others send small commands: throughput of the slow reads, and how long
//! the small commands wait beside them.

use crate::client::{Client, encoded};
use crate::comparison::{Comparison, Goal, show};
use crate::machine::Usage;
use crate::peer::{Peer, Running};
use crate::small::{self, Kind, Schedule};
use hdrhistogram::Histogram;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

/// Clients that read slowly.
const SLOW_CLIENTS: usize = 8;
/// Connections that send small writes, and such that send small reads.
const SMALL_CLIENTS: [(Kind, usize); 2] = [(Kind::Writes, 4), (Kind::Reads, 2)];
/// How long a measurement runs before anything is counted.
const WARM_UP: Duration = Duration::from_millis(300);
/// Elements of the list, members of the sorted set, and fields and values of the hash.
const ELEMENTS: usize = 10_000;
/// Elements sent with one command.
const CHUNK: usize = 100;

/// The slow commands.
const COMMANDS: [&[&str]; 3] = [
    &["LRANGE", "slow:list", "0", "-1"],
    &["ZRANGE", "slow:sorted-set", "-inf", "+inf", "BYSCORE"],
    &["HGETALL", "slow:hash"],
];
/// What is read: one of the commands, or all in turn.
pub(crate) const KINDS: [&str; 4] = [COMMANDS[0][0], COMMANDS[1][0], COMMANDS[2][0], "mixed"];

/// How it is measured.
pub(crate) struct Plan {
    pub(crate) seconds: f64,
    /// Small commands a second on each connection that sends them.
    pub(crate) rate: u32,
    /// Whether the threads that send them run before all others of the machine.
    pub(crate) realtime: bool,
    pub(crate) rounds: usize,
}

/// A slow command as it is sent, and the length of its reply.
struct SlowRead {
    request: Vec<u8>,
    reply: usize,
}

/// What one measurement of one server gave.
struct Measured {
    slow_per_second: f64,
    /// Nanoseconds that small commands waited, of each entry of [`SMALL_CLIENTS`].
    waits: Vec<Histogram<u64>>,
    cpu_per_slow: Duration,
    /// Cores that other programs took, and cores that the server's threads were ready to run on and did not get.
    cores_of_others: f64,
    cores_missed: f64,
}

/// Measures both servers in turn, prints a table for each kind of read, and gives the figures for the file.
pub(crate) fn compare(peers: &[Peer; 2], kinds: &[&str], plan: &Plan) -> Result<Value, String> {
    let servers = [peers[0].start()?, peers[1].start()?];
    let replies = [load(&servers[0])?, load(&servers[1])?];
    if replies[0] != replies[1] {
        return Err(format!("the servers' replies differ: {:?} bytes and {:?}", replies[0], replies[1]));
    }
    let mut tables = Vec::new();
    for kind in kinds {
        let reads: Vec<SlowRead> = COMMANDS
            .iter()
            .zip(&replies[0])
            .filter(|(words, _)| [words[0], "mixed"].contains(kind))
            .map(|(words, reply)| SlowRead { request: encoded(words), reply: *reply })
            .collect();
        let mut figures = figures();
        for round in 0..plan.rounds {
            eprintln!("slow reads: {kind}, round {} of {}", round + 1, plan.rounds);
            let measure_one = |server: usize| {
                measure(&servers[server], &reads, plan).map_err(|error| format!("{}: {error}", peers[server].name))
            };
            // Each server comes first in every other round.
            let first = round % 2;
            let (one, other) = (measure_one(first)?, measure_one(1 - first)?);
            let round = if first == 0 { [one, other] } else { [other, one] }.map(|measured| numbers(&measured));
            for (index, figure) in figures.iter_mut().enumerate() {
                figure.add([round[0][index], round[1][index]]);
            }
        }
        let bytes = replies[0].iter().max().copied().unwrap_or(0);
        let headline = format!("{SLOW_CLIENTS} clients read {kind}, up to {} KB a reply", bytes / 1000);
        tables.push(show(&headline, [&peers[0].name, &peers[1].name], &figures));
    }
    println!(
        "Beside the slow reads 4 connections send {0} writes a second each and 2 connections {0} reads, at their times \
         and not one after the other's reply.\n",
        plan.rate
    );
    Ok(tables.into())
}

/// The figures that [`numbers`] gives, in the same order.
fn figures() -> Vec<Comparison> {
    let mut figures = vec![Comparison::new("slow reads/s", 0, Some(Goal::RatioAtLeast(1.6)))];
    for kind in ["write", "read"] {
        for (quantile, goal) in [("p50", None), ("p99", Some(Goal::RatioAtMost(0.5))), ("p99.9", None)] {
            figures.push(Comparison::new(format!("small {kind}s {quantile}, ms"), 2, goal));
        }
    }
    figures.push(Comparison::new("server's CPU µs for a slow read", 0, None));
    figures.push(Comparison::new("cores that other programs took", 2, None));
    figures.push(Comparison::new("cores that the server waited for", 2, None));
    figures
}

fn numbers(measured: &Measured) -> Vec<f64> {
    let mut numbers = vec![measured.slow_per_second];
    for waits in &measured.waits {
        numbers.extend([0.5, 0.99, 0.999].map(|quantile| waits.value_at_quantile(quantile) as f64 / 1e6));
    }
    numbers.extend([measured.cpu_per_slow.as_secs_f64() * 1e6, measured.cores_of_others, measured.cores_missed]);
    numbers
}

/// Fills the server; gives the lengths of the replies to [`COMMANDS`].
fn load(server: &Running) -> Result<Vec<usize>, String> {
    let mut client = server.client()?;
    small::load(&mut client)?;
    let elements: Vec<String> = (0..ELEMENTS).map(|number| format!("element:{number:012}")).collect();
    let scores: Vec<String> = (0..ELEMENTS).map(|number| number.to_string()).collect();
    for (elements, scores) in elements.chunks(CHUNK).zip(scores.chunks(CHUNK)) {
        let mut push = vec!["RPUSH", "slow:list"];
        push.extend(elements.iter().map(String::as_str));
        client.call(&push)?;
        // Fields and values alternate.
        let mut set = vec!["HSET", "slow:hash"];
        set.extend(elements.iter().map(String::as_str));
        client.call(&set)?;
        let mut add = vec!["ZADD", "slow:sorted-set"];
        add.extend(scores.iter().zip(elements).flat_map(|(score, member)| [score.as_str(), member]));
        client.call(&add)?;
    }
    COMMANDS.iter().map(|words| client.call(words).map(|reply| reply.len())).collect()
}

/// One measurement of one server.
fn measure(server: &Running, reads: &[SlowRead], plan: &Plan) -> Result<Measured, String> {
    let connect = |count| (0..count).map(|_| server.client()).collect::<Result<Vec<_>, _>>();
    let slow_clients = connect(SLOW_CLIENTS)?;
    let small_clients = SMALL_CLIENTS.iter().map(|(_, count)| connect(*count)).collect::<Result<Vec<_>, _>>()?;
    let (stop, received) = (AtomicBool::new(false), AtomicUsize::new(0));
    // All threads are there by then.
    let start = Instant::now() + Duration::from_millis(50);
    let counted_from = start + WARM_UP;
    let end = counted_from + Duration::from_secs_f64(plan.seconds);
    let interval = Duration::from_secs(1) / plan.rate;
    let count = ((end - start).as_secs_f64() * f64::from(plan.rate)) as u32;

    scope(|scope| {
        let (stop, received) = (&stop, &received);
        let slow: Vec<_> = (0..)
            .zip(slow_clients)
            .map(|(number, client)| scope.spawn(move || read_slowly(client, number, reads, stop, received)))
            .collect();
        let mut small = Vec::new();
        for ((kind, connections), clients) in SMALL_CLIENTS.into_iter().zip(small_clients) {
            let start_of = move |number| start + interval * number / connections as u32;
            small.push(
                (0..)
                    .zip(clients)
                    .map(|(number, client)| {
                        let schedule = Schedule {
                            start: start_of(number),
                            interval,
                            count,
                            counted_from,
                            realtime: plan.realtime,
                        };
                        scope.spawn(move || small::run(kind, client, schedule))
                    })
                    .collect::<Vec<_>>(),
            );
        }

        sleep(counted_from.saturating_duration_since(Instant::now()));
        let (began, usage, cpu, missed) = (Instant::now(), Usage::now(), server.cpu_time(), server.time_without_core());
        // Relaxed: sums, from which nothing else is concluded.
        let bytes = received.load(Ordering::Relaxed);
        sleep(end.saturating_duration_since(Instant::now()));
        let (seconds, used) = (began.elapsed().as_secs_f64(), server.cpu_time()?.saturating_sub(cpu?));
        let missed = server.time_without_core()?.saturating_sub(missed?);
        let cores_of_others = usage.cores_of_others(used);
        let bytes = received.load(Ordering::Relaxed) - bytes;
        // Relaxed: it only has to be seen soon.
        stop.store(true, Ordering::Relaxed);

        let failed = |_| "a client has failed".to_string();
        for client in slow {
            client.join().map_err(failed)??;
        }
        let mut waits = Vec::new();
        for clients in small {
            let mut all = Histogram::new(3).map_err(|error| error.to_string())?;
            for client in clients {
                all.add(client.join().map_err(failed)??).map_err(|error| error.to_string())?;
            }
            waits.push(all);
        }
        let slow = bytes as f64 / (reads.iter().map(|read| read.reply).sum::<usize>() as f64 / reads.len() as f64);
        Ok(Measured {
            slow_per_second: slow / seconds,
            waits,
            cpu_per_slow: used.div_f64(slow.max(1.0)),
            cores_of_others,
            cores_missed: missed.as_secs_f64() / seconds,
        })
    })
}

/// Sends one slow command after the other, in turn from the one at `first`, and counts the bytes of the replies.
fn read_slowly(
    mut client: Client,
    first: usize,
    reads: &[SlowRead],
    stop: &AtomicBool,
    received: &AtomicUsize,
) -> Result<(), String> {
    for read in reads.iter().cycle().skip(first % reads.len()) {
        // Relaxed, both: see where they are looked at.
        if stop.load(Ordering::Relaxed) {
            break;
        }
        client.send(&read.request)?;
        client.skip(read.reply)?;
        received.fetch_add(read.reply, Ordering::Relaxed);
    }
    Ok(())
}
