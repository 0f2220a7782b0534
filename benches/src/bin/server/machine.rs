//! How busy the machine is, and what other programs take of it.

use nr_benches::cpu_time;
use std::fs;
use std::time::{Duration, Instant};

/// Cores and the load average, for people.
pub(crate) fn description() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<_> = load.split_whitespace().take(3).collect();
    format!("{cores} cores, load average {}", load.join(" "))
}

/// CPU time used so far: by the whole machine, and by this process.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    at: Instant,
    machine: Duration,
    own: Duration,
}

impl Usage {
    pub(crate) fn now() -> Self {
        Self { at: Instant::now(), machine: busy().unwrap_or_default(), own: cpu_time::of_this_process() }
    }

    /// How many cores have been busy since `self` with neither this process nor a server that used `server`.
    pub(crate) fn cores_of_others(self, server: Duration) -> f64 {
        let now = Self::now();
        let ours = now.own - self.own + server;
        (now.machine - self.machine).saturating_sub(ours).as_secs_f64() / (now.at - self.at).as_secs_f64()
    }
}

/// Time that cores were not idle, counted in ticks of 10 ms; what the host of a virtual machine took counts as well.
fn busy() -> Option<Duration> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<u64> = text.lines().next()?.split_whitespace().skip(1).flat_map(str::parse).collect();
    // user, nice, system, idle, waiting for disks, interrupts, soft interrupts, stolen; the rest is part of the first two.
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some(Duration::from_millis(10) * u32::try_from(ticks.iter().take(8).sum::<u64>() - idle).ok()?)
}
