//! `LATENCY DOCTOR`: a report about spikes.

use crate::commands::Context;
use crate::commands::state::{LatencyEvent, lock};
use crate::config::Config;
use crate::resp::Reply;
use crate::store::{Call, Error};

/// `LATENCY DOCTOR`: a text about the spikes of each event, and what may help. O(events).
pub(super) fn doctor(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let events = lock(&context.server.latency).events.clone();
    let text = if events.is_empty() && context.config.latency_monitor_threshold == 0 {
        "Spikes of latency are not looked for. CONFIG SET latency-monitor-threshold <milliseconds> starts that.\n"
            .to_string()
    } else if events.is_empty() {
        "There was no spike of latency.\n".to_string()
    } else {
        let lines: Vec<String> = events
            .iter()
            .zip(1..)
            .map(|((name, event), number)| describe(number, name, event, call.now / 1000))
            .collect();
        let advice: Vec<String> = events.keys().flat_map(|name| advice(name, context.config)).collect();
        format!("Spikes of latency:\n\n{}\nWhat may help:\n\n{}", lines.concat(), advice.concat())
    };
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// A line about the spikes of one event.
fn describe(number: usize, name: &str, event: &LatencyEvent, now: i64) -> String {
    let lengths = || event.samples.iter().map(|(_, milliseconds)| *milliseconds as f64);
    let count = event.samples.len().max(1) as f64;
    let mean = lengths().sum::<f64>() / count;
    let deviation = lengths().map(|length| (length - mean).abs()).sum::<f64>() / count;
    let period = event.samples.front().map_or(0, |(first, _)| now - first) as f64 / count;
    format!(
        "{number}. {name}: {count} spikes (mean {mean:.0} ms, mean deviation {deviation:.0} ms, one every {period:.2} s). \
         The longest ever took {} ms.\n",
        event.maximum
    )
}

/// What may help against spikes of an event, each in a line.
fn advice(event: &str, config: &Config) -> Vec<String> {
    let threshold = config.latency_monitor_threshold.saturating_mul(1000);
    let mut advice = Vec::new();
    match event {
        "command" | "fast-command" => {
            let slower_than = config.slowlog_log_slower_than;
            if slower_than < 0 || slower_than as u64 > threshold {
                advice.push(format!(
                    "- {event}: have the commands logged: CONFIG SET slowlog-log-slower-than {threshold}\n"
                ));
            }
            advice.push(format!("- {event}: SLOWLOG GET shows which commands took long.\n"));
            if event == "fast-command" {
                advice.push(format!(
                    "- {event}: commands that have little to do were held up. Is the machine busy with something else?\n"
                ));
            }
        }
        "expire-cycle" => advice.push(format!("- {event}: many keys expire at the same time; spread that out.\n")),
        _ => {}
    }
    advice
}
