//! `LATENCY GRAPH`: a picture of spikes.

use super::find_event;
use crate::commands::Context;
use crate::resp::Reply;
use crate::store::{Call, Error};

/// As wide as a terminal.
const COLUMNS: usize = 80;
/// As many lines show the height of a spike.
const ROWS: usize = 4;

/// `LATENCY GRAPH event`: a text with a column for each spike of the event, and below it how long ago it was. O(1).
pub(super) fn graph(context: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let name = String::from_utf8_lossy(call.argument(2));
    let event = find_event(context, call.argument(2))
        .ok_or_else(|| Error::from(format!("ERR No samples available for event '{name}'")))?;
    let lengths = || event.samples.iter().map(|(_, milliseconds)| *milliseconds);
    let (low, high) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0));
    let now = call.now / 1000;
    let spikes: Vec<(u64, String)> =
        event.samples.iter().map(|(second, milliseconds)| (*milliseconds, age(now - second))).collect();
    let parts: Vec<String> = spikes.chunks(COLUMNS).map(|part| draw(part, low, high)).collect();
    let text = format!(
        "{name} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n{}",
        event.maximum,
        "-".repeat(COLUMNS),
        parts.join("\n")
    );
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// So many seconds in the largest unit that fits.
fn age(seconds: i64) -> String {
    const UNITS: [(i64, char); 3] = [(24 * 3600, 'd'), (3600, 'h'), (60, 'm')];
    let (unit, name) = UNITS.into_iter().find(|(unit, _)| seconds >= *unit).unwrap_or((1, 's'));
    format!("{}{name}", seconds.max(0) / unit)
}

/// A column for each spike, as high as it is between `low` and `high`; its label stands upright below.
fn draw(spikes: &[(u64, String)], low: u64, high: u64) -> String {
    /// From the bottom of a row to its top.
    const TIPS: [char; 3] = ['_', 'o', '#'];
    let steps = (ROWS * TIPS.len()) as u64;
    let height = |length: u64| (((length - low) * steps) / (high - low).max(1)).min(steps - 1) as usize;
    let label_height = spikes.iter().map(|(_, label)| label.len()).max().unwrap_or(0);
    let bar = |row: usize, length: u64| {
        let bottom = (ROWS - 1 - row) * TIPS.len();
        match height(length).checked_sub(bottom) {
            None => ' ',
            Some(above) => TIPS.get(above).copied().unwrap_or('|'),
        }
    };
    let letter = |row: usize, label: &str| label.as_bytes().get(row).map_or(' ', |byte| char::from(*byte));
    let mut text = String::new();
    for row in 0..ROWS {
        text.extend(spikes.iter().map(|(length, _)| bar(row, *length)));
        text.push('\n');
    }
    text.extend(std::iter::repeat_n(' ', spikes.len()));
    text.push('\n');
    for row in 0..label_height {
        text.extend(spikes.iter().map(|(_, label)| letter(row, label)));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        let ages = [0, 59, 60, 3599, 3600, 86_399, 86_400, -5].map(age);
        assert_eq!(ages, ["0s", "59s", "1m", "59m", "1h", "23h", "1d", "0s"]);
    }

    #[test]
    fn higher_spikes_are_drawn_higher() {
        let spikes = [(10, "1s".to_string()), (20, "12m".to_string()), (130, "2h".to_string())];
        let expected = ["  #", "  |", "  |", "_o|", "   ", "112", "s2h", " m "];
        assert_eq!(draw(&spikes, 10, 130).lines().collect::<Vec<_>>(), expected);
        assert_eq!(draw(&spikes[..1], 10, 10).lines().count(), 7);
    }
}
