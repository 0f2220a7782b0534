//! What commands have to tell other clients, of this worker and of others.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Worker, overflow, settle};
use crate::net::mailbox::Mail;
use crate::resp::Reply;
use crate::store::ClientAddress;
use crate::store::operation::{Delivery, Message, MessageKind, Unblocked, Work};
use crate::store::subscriptions::Topic;

/// The most mail taken in one turn, and of messages the most clients: who publishes a lot must not keep a worker from its clients.
const MAIL_PER_TURN: usize = 1024;

impl Worker {
    pub(super) fn unblock(&mut self, client: u64, with: Unblocked) {
        self.write(Work::Unblock { client, reply: with });
        self.post();
    }

    /// Tells other clients what the commands executed so far have for them.
    #[inline]
    pub(super) fn post(&mut self) {
        if self.outbox.is_empty() {
            return;
        }
        self.post_all();
    }

    #[cold]
    fn post_all(&mut self) {
        let outbox = std::mem::take(&mut self.outbox);
        // SeqCst: see `expire`, which disarms and then looks.
        if outbox.expiry_set && !self.server.expiry_armed.swap(true, Ordering::SeqCst) {
            self.links[0].send(Mail::Look);
        }
        for (address, reply) in outbox.served {
            if address.worker as usize == self.index {
                self.take_answer(address, &reply);
            } else {
                self.links[address.worker as usize].send(Mail::Answer(address, reply));
            }
        }
        for same in outbox.deliveries.chunk_by(|one, other| Arc::ptr_eq(&one.message, &other.message)) {
            self.post_message(same);
        }
        for address in outbox.killed {
            if address.worker as usize == self.index {
                self.kill(address);
            } else {
                self.links[address.worker as usize].send(Mail::Kill(address));
            }
        }
        if outbox.look {
            for link in self.links.iter() {
                link.send(Mail::Look);
            }
        }
    }

    /// Sends the message of these deliveries, which is the same: one piece of mail for each worker that serves some of the
    /// clients.
    fn post_message(&mut self, deliveries: &[Delivery]) {
        let Some(message) = deliveries.first().map(|delivery| &delivery.message) else { return };
        let mut clients = vec![Vec::new(); self.links.len()];
        for delivery in deliveries {
            clients[delivery.client.worker as usize].push(delivery.client.client);
        }
        for (worker, clients) in clients.into_iter().enumerate().filter(|(_, clients)| !clients.is_empty()) {
            if worker == self.index {
                self.deliver(message, &clients);
            } else {
                self.links[worker].send(Mail::Deliver(message.clone(), clients));
            }
        }
    }

    /// Whether another worker has so much mail to take that messages for it should wait.
    pub(super) fn is_congested(&self) -> bool {
        self.links.iter().enumerate().any(|(worker, link)| worker != self.index && link.is_congested())
    }

    /// Lets the clients go on that had to wait before they published more, once other workers have taken their mail.
    pub(super) fn release_held(&mut self) {
        if self.held.is_empty() || self.is_congested() {
            return;
        }
        for token in std::mem::take(&mut self.held) {
            if let Some(connection) = self.connections.get_mut(token) {
                connection.held = false;
                self.enqueue(token);
            }
        }
    }

    pub(super) fn take_mail(&mut self) {
        self.more_mail = true;
        let mut taken = 0;
        while taken < MAIL_PER_TURN {
            let Ok(mail) = self.mailbox.try_recv() else {
                self.more_mail = false;
                break;
            };
            taken += 1;
            if self.links[self.index].taken(&mail) {
                self.links.iter().for_each(|link| link.send(Mail::Look));
            }
            match mail {
                Mail::Connection(stream, record) => self.connect(stream, record),
                Mail::Deliver(message, clients) => {
                    taken += clients.len();
                    self.deliver(&message, &clients);
                }
                Mail::Answer(address, reply) => self.take_answer(address, &reply),
                Mail::Kill(address) => self.kill(address),
                // The turn that follows looks at everything.
                Mail::Look => {}
            }
        }
    }

    /// The reply of a client that had waited for a key.
    fn take_answer(&mut self, address: ClientAddress, reply: &[u8]) {
        let Some(token) = self.clients.get(&address.client).copied() else { return };
        let connection = &mut self.connections[token];
        if let Some(Some(deadline)) = connection.waiting.take() {
            self.deadlines.remove(&(deadline, address.client));
        }
        if let Some(error) = reply.strip_prefix(b"-") {
            if let Some(id) = connection.last_command() {
                self.server.workers[self.index].command(id).failed.add(1);
            }
            self.server.count_error(error);
        }
        if reply.is_empty() {
            overflow(&mut connection.session);
        }
        let before = connection.output.len();
        connection.output.extend_from_slice(reply);
        settle(connection, before);
        self.mark_dirty(token);
        self.enqueue(token);
    }

    /// Delivers a message to clients of this worker.
    fn deliver(&mut self, message: &Message, clients: &[u64]) {
        // The publisher may have seen a subscription whose end this client has been told of since: a message now would be
        // taken for the reply to its next command. What was answered here has been executed by this worker's replica.
        let connections = &mut self.connections;
        let mut found: Vec<usize> = clients.iter().filter_map(|client| self.clients.get(client).copied()).collect();
        self.handle.read(|keyspace| {
            found.retain(|token| {
                let session = &connections[*token].session;
                let own = keyspace.subscriptions.client(session.address.client);
                own.is_some_and(|own| match &message.kind {
                    MessageKind::Channel => own.of(Topic::Channel).contains(&message.channel[..]),
                    MessageKind::Shard => own.of(Topic::Shard).contains(&message.channel[..]),
                    MessageKind::Pattern(pattern) => own.of(Topic::Pattern).contains(&pattern[..]),
                })
            });
        });
        for token in found {
            let connection = &mut self.connections[token];
            if connection.session.subscriptions > 0 {
                message.write(&mut Reply::new(&mut connection.output, connection.session.protocol));
                self.mark_dirty(token);
            }
        }
    }

    fn kill(&mut self, address: ClientAddress) {
        let Some(token) = self.clients.get(&address.client).copied() else { return };
        let connection = &mut self.connections[token];
        if connection.batched > 0 {
            // Its writes take place, and then it is looked at again.
            connection.session.closing = true;
            self.links[self.index].send(Mail::Kill(address));
            return;
        }
        // It gets the replies to what it has sent, as far as it takes them now.
        let _ = connection.send();
        self.close(token);
    }
}
