//! What commands have to tell other clients, of this worker and of others.

use std::sync::atomic::Ordering;

use super::{Worker, settle};
use crate::net::mailbox::Mail;
use crate::resp::Reply;
use crate::store::ClientAddress;
use crate::store::operation::{Delivery, MessageKind, Unblocked, Work};
use crate::store::subscriptions::Topic;

/// The most mail taken in one turn: who publishes a lot must not keep a worker from its clients.
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
        for delivery in outbox.deliveries {
            if delivery.client.worker as usize == self.index {
                self.deliver(&delivery);
            } else {
                self.links[delivery.client.worker as usize].send(Mail::Deliver(delivery));
            }
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

    pub(super) fn take_mail(&mut self) {
        self.more_mail = true;
        for _ in 0..MAIL_PER_TURN {
            let Ok(mail) = self.mailbox.try_recv() else {
                self.more_mail = false;
                break;
            };
            match mail {
                Mail::Connection(stream, record) => self.connect(stream, record),
                Mail::Deliver(delivery) => self.deliver(&delivery),
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
        let before = connection.output.len();
        connection.output.extend_from_slice(reply);
        settle(connection, before);
        self.mark_dirty(token);
        self.enqueue(token);
    }

    fn deliver(&mut self, delivery: &Delivery) {
        let Some(token) = self.clients.get(&delivery.client.client).copied() else { return };
        let connection = &mut self.connections[token];
        // The publisher may have seen a subscription whose end this client has been told of since: a message now would be
        // taken for the reply to its next command. What was answered here has been executed by this worker's replica.
        let message = &delivery.message;
        let listens = connection.session.subscriptions > 0
            && self.handle.read(|keyspace| {
                let own = keyspace.subscriptions.client(delivery.client.client);
                own.is_some_and(|own| match &message.kind {
                    MessageKind::Channel => own.of(Topic::Channel).contains(&message.channel[..]),
                    MessageKind::Shard => own.of(Topic::Shard).contains(&message.channel[..]),
                    MessageKind::Pattern(pattern) => own.of(Topic::Pattern).contains(&pattern[..]),
                })
            });
        if !listens {
            return;
        }
        delivery.message.write(&mut Reply::new(&mut connection.output, connection.session.protocol));
        self.mark_dirty(token);
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
