//! What memory is used for, for `INFO` and `MEMORY`.

use std::sync::atomic::Ordering;

use super::process;
use crate::commands::Context;
use crate::commands::state::{ClientRecord, lock};
use crate::memory;

/// What memory is used for, in bytes.
#[derive(Debug)]
pub(super) struct Footprint {
    /// All that is allocated.
    pub(super) used: u64,
    /// The most that ever was.
    pub(super) peak: u64,
    /// What was allocated before there were clients and keys.
    pub(super) startup: u64,
    /// What the operating system counts.
    pub(super) resident: u64,
    /// What clients send and receive, and wait with.
    pub(super) clients: u64,
    /// The tables of the databases that have keys, with the indices of the databases.
    pub(super) tables: Vec<(usize, u64)>,
    /// How many keys there are.
    pub(super) keys: u64,
    /// How many replicas hold the keys.
    pub(super) replicas: u64,
}

impl Footprint {
    /// Measures. O(databases + clients).
    pub(super) fn measure(context: &mut Context<'_>) -> Self {
        let (tables, keys) = context.handle.read(|keyspace| {
            let filled = keyspace.databases.iter().enumerate().filter(|(_, database)| !database.is_empty());
            let tables = filled.map(|(index, database)| (index, database.overhead() as u64)).collect();
            (tables, keyspace.databases.iter().map(|database| database.len() as u64).sum())
        });
        // Relaxed: a sum for people to look at.
        let taken = |record: &ClientRecord| record.memory.load(Ordering::Relaxed) as u64;
        Footprint {
            used: memory::used(),
            peak: memory::peak(),
            startup: context.server.startup_memory,
            resident: process::resident_memory(),
            clients: lock(&context.server.clients).values().map(|record| taken(record)).sum(),
            tables,
            keys,
            replicas: context.server.keyspace.replicas() as u64,
        }
    }

    /// What is used for other things than keys and values.
    pub(super) fn overhead(&self) -> u64 {
        let tables: u64 = self.tables.iter().map(|(_, bytes)| bytes).sum();
        self.startup + self.clients + tables * self.replicas
    }

    /// What is used for keys and values, on all replicas.
    pub(super) fn dataset(&self) -> u64 {
        self.used.saturating_sub(self.overhead())
    }

    /// The percentage that keys and values have of what was not there at the start.
    pub(super) fn dataset_percentage(&self) -> f64 {
        let net = self.used.saturating_sub(self.startup);
        percentage(self.dataset(), net)
    }

    /// The percentage that what is used has of the most that ever was.
    pub(super) fn peak_percentage(&self) -> f64 {
        percentage(self.used, self.peak)
    }

    /// How many bytes the operating system counts for one that is used.
    pub(super) fn fragmentation(&self) -> f64 {
        if self.used == 0 { 0.0 } else { self.resident as f64 / self.used as f64 }
    }

    /// How many bytes more the operating system counts.
    pub(super) fn fragmentation_bytes(&self) -> i64 {
        self.resident as i64 - self.used as i64
    }
}

fn percentage(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// A number of bytes with a unit.
pub(super) fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let power = (bytes.ilog2() / 10).min(UNITS.len() as u32);
    format!("{:.2}{}", bytes as f64 / 1024f64.powi(power as i32), UNITS[power as usize - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units() {
        let cases = [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1_300_000, "1.24M"), (25_276_502_016, "23.54G")];
        for (bytes, text) in cases {
            assert_eq!(human(bytes), text);
        }
        assert_eq!(human(u64::MAX), "16384.00P");
    }
}
