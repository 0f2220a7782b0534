//! Random commands of all families, sent to this server and to the real Redis, get the same replies and leave the same
//! values behind.
//!
//! It takes some ten seconds, or as many as `NR_COMPARISON_SECONDS` says. A failure names its seed, which
//! `NR_COMPARISON_SEED` repeats, and shows a short course of commands that fails too. Not compared are what needs an order
//! that servers choose freely (`SCAN`), and which elements are drawn at random; that they are drawn from those that are
//! there, and removed by `SPOP`, is.

#![allow(unreachable_pub, reason = "what is public in these modules is so for this program")]

#[path = "../common/mod.rs"]
mod common;

mod agreement;
mod episode;
mod forms;
mod generator;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{RealRedis, TestServer};
use episode::Servers;

/// The episodes that each run begins with.
const SEEDS: std::ops::Range<u64> = 1..9;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("it is a number"))
}

#[test]
fn random_commands_get_the_replies_of_redis() {
    let Some(theirs) = RealRedis::start(&[]) else { return };
    let ours = TestServer::with_layout(2, 2);
    let mut servers = Servers::new(&ours, &theirs);
    let deadline = Instant::now() + Duration::from_secs(variable("NR_COMPARISON_SECONDS").unwrap_or(10));
    let random = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let seeds = match variable("NR_COMPARISON_SEED") {
        Some(seed) => seed..seed + 1,
        None => random..u64::MAX,
    };
    let fixed = if seeds.end == u64::MAX { SEEDS } else { 0..0 };
    let (mut episodes, mut commands) = (0, 0);
    for seed in fixed.chain(seeds) {
        println!("seed {seed}");
        match servers.episode(seed) {
            Ok(steps) => commands += steps,
            Err(difference) => panic!("{difference}"),
        }
        episodes += 1;
        if Instant::now() >= deadline {
            break;
        }
    }
    println!("{commands} commands in {episodes} episodes");
}
