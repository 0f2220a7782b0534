//! When a worker wakes by itself: waits for keys that end, pauses, keys that expire, idle clients.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{HOUSEKEEPING, Worker, milliseconds};
use crate::store::Keyspace;
use crate::store::operation::{Outcome, Unblocked, Work};

/// How often a second keys that have expired are looked for, at most, if there are keys that expire (`hz`).
const HIGHEST_FREQUENCY: u32 = 500;
/// The longest that removing expired keys may take before clients are served again; `active-expire-effort` multiplies it.
const EXPIRY_BUDGET: Duration = Duration::from_millis(5);
/// Keys removed by one operation.
pub(super) const EXPIRY_BATCH: usize = 128;

impl Worker {
    /// How long to wait for events; `None` until there are some.
    pub(super) fn timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() || !self.slow.is_empty() || !self.dirty.is_empty() || self.more_mail {
            return Some(Duration::ZERO);
        }
        let mut timeout = None;
        let mut at_most =
            |duration: Duration| timeout = Some(timeout.map_or(duration, |other: Duration| other.min(duration)));
        let until = |time: i64| Duration::from_millis(time.saturating_sub(milliseconds()).max(0) as u64);
        if let Some((deadline, _)) = self.deadlines.first() {
            at_most(until(*deadline));
        }
        if !self.paused.is_empty() {
            // Relaxed: who changes the pause wakes this worker by mail afterwards.
            at_most(until(self.server.paused_until.load(Ordering::Relaxed)));
        }
        if let Some(round) = self.next_expiry_round {
            at_most(round.saturating_duration_since(Instant::now()));
        }
        if let Some(again) = self.accept_again {
            at_most(again.saturating_duration_since(Instant::now()));
        }
        if self.wants_housekeeping() {
            at_most(self.next_housekeeping.saturating_duration_since(Instant::now()));
        }
        if let Some(stop) = self.stopping {
            at_most(stop.saturating_duration_since(Instant::now()));
        }
        timeout
    }

    fn wants_housekeeping(&self) -> bool {
        !self.connections.is_empty() && (self.config.timeout > 0 || self.over_soft_limit)
    }

    pub(super) fn timers(&mut self) {
        while let Some((deadline, client)) = self.deadlines.first().copied()
            && deadline <= self.now.max(milliseconds())
        {
            self.deadlines.remove(&(deadline, client));
            self.unblock(client, Unblocked::TimedOut);
        }
        if self.index == 0 {
            self.expire();
        }
        if !self.paused.is_empty() && !self.is_paused() {
            for token in std::mem::take(&mut self.paused) {
                if let Some(connection) = self.connections.get_mut(token) {
                    connection.paused = false;
                    self.enqueue(token);
                }
            }
        }
        if self.accept_again.is_some_and(|again| again <= Instant::now()) {
            self.accept_again = None;
            self.accept_all();
        }
        if self.next_housekeeping <= Instant::now() {
            self.next_housekeeping = Instant::now() + HOUSEKEEPING;
            self.housekeeping();
        }
        self.post();
        self.send_all();
    }

    fn expiry_interval(&self) -> Duration {
        Duration::from_secs(1) / self.config.hz.clamp(1, HIGHEST_FREQUENCY)
    }

    /// Removes keys that have expired, if it is time to.
    fn expire(&mut self) {
        // Acquire: pairs with the Release of who arms it, whose key is then found below.
        if self.next_expiry_round.is_none() && self.server.expiry_armed.load(Ordering::Acquire) {
            self.next_expiry_round = Some(Instant::now() + self.expiry_interval());
        }
        let Some(due) = self.next_expiry_round else { return };
        if due > Instant::now() {
            return;
        }
        // Relaxed: a switch for tests.
        if self.server.active_expire.load(Ordering::Relaxed) && !self.is_paused() {
            let start = Instant::now();
            let budget = EXPIRY_BUDGET * self.config.active_expire_effort;
            while start.elapsed() < budget {
                let work = Work::Expire { now: milliseconds(), limit: EXPIRY_BATCH };
                if matches!(self.write(work).outcome, Outcome::Nothing) {
                    break;
                }
            }
            self.server.note_latency(&self.config, "expire-cycle", self.now, start.elapsed());
        }
        let any = |keyspace: &Keyspace| keyspace.databases.iter().any(|database| !database.expires_nothing());
        self.next_expiry_round = Some(Instant::now() + self.expiry_interval());
        if !self.handle.read(any) {
            // Disarm, then look once more: a key that came in between has either seen it disarmed and arms it again, or
            // is seen here. SeqCst: the store must come before the look.
            self.server.expiry_armed.store(false, Ordering::SeqCst);
            if self.handle.read(any) {
                self.server.expiry_armed.store(true, Ordering::SeqCst);
            } else {
                self.next_expiry_round = None;
            }
        }
    }

    fn housekeeping(&mut self) {
        let idle = i64::from(self.config.timeout) * 1000;
        let (mut over, mut over_output) = (Vec::new(), Vec::new());
        for (token, connection) in &self.connections {
            // Relaxed: this thread writes it.
            let last = connection.session.record.last_interaction.load(Ordering::Relaxed);
            let is_idle =
                idle > 0 && self.now - last > idle && !connection.is_waiting() && connection.session.subscriptions == 0;
            if is_idle {
                over.push(token);
            } else if self.is_over_limit(connection) {
                over_output.push(token);
            }
        }
        for token in over {
            self.close(token);
        }
        for token in over_output {
            self.close_for_output(token);
        }
        self.over_soft_limit = self.connections.iter().any(|(_, connection)| connection.over_soft_limit.is_some());
    }
}
