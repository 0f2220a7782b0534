//! What clients' buffers take, and which clients go when it is too much (`maxmemory-clients`).
//!
//! Only while there is such a limit. At the end of a turn a worker sums up its own clients and shows two numbers to the
//! others: the sum, and the size of its largest client that may go. A worker that finds the sum of all over the limit
//! disconnects its largest clients, each only if no other worker shows a larger one; otherwise it wakes that worker, which
//! then does the same. So the largest go first, whoever serves them, and nobody locks anything. Of workers that show the
//! same size the first goes ahead; each wakes only one that is ahead of it, so that they don't wake each other in turns.

use std::sync::atomic::Ordering;

use super::Worker;
use crate::net::mailbox::Mail;

impl Worker {
    /// Disconnects the largest clients while all clients together are over their limit. O(clients of this worker), and
    /// sorts them if they are over it.
    pub(super) fn limit_clients(&mut self) {
        let Some(limit) = self.config.maxmemory_clients.bytes(self.config.maxmemory) else { return };
        let mut sum: u64 = self.connections.iter().map(|(_, connection)| connection.memory() as u64).sum();
        if self.show_clients(sum, 0) <= limit {
            return;
        }
        // Relaxed: what the client asked for is recent enough.
        let may_go = self.connections.iter().filter(|(_, one)| !one.session.record.no_evict.load(Ordering::Relaxed));
        let mut candidates: Vec<(u64, usize)> =
            may_go.map(|(token, connection)| (connection.memory() as u64, token)).collect();
        candidates.sort_unstable();
        while let Some((size, token)) = candidates.pop() {
            if self.show_clients(sum, size) <= limit {
                return;
            }
            let ahead = (size, std::cmp::Reverse(self.index));
            // Relaxed: as in `show_clients`.
            let shown = |worker: usize| self.server.workers[worker].largest_client.load(Ordering::Relaxed);
            let others = (0..self.links.len()).filter(|worker| *worker != self.index);
            let rival = others.map(|worker| (shown(worker), std::cmp::Reverse(worker))).max();
            if let Some((_, std::cmp::Reverse(worker))) = rival.filter(|rival| *rival > ahead) {
                self.links[worker].send(Mail::Look);
                return;
            }
            self.close(token);
            self.statistics().evicted_clients.add(1);
            sum -= size;
        }
        self.show_clients(sum, 0);
    }

    /// Shows what this worker's clients take; gives what those of all workers do.
    fn show_clients(&self, sum: u64, largest: u64) -> u64 {
        let own = self.statistics();
        // Relaxed, all of them: each number stands alone, and one that is late is corrected at the end of a turn that its
        // worker has or is woken for.
        own.client_memory.store(sum, Ordering::Relaxed);
        own.largest_client.store(largest, Ordering::Relaxed);
        self.server.workers.iter().map(|worker| worker.client_memory.load(Ordering::Relaxed)).sum()
    }
}
