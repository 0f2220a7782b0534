//! Sending replies, and what becomes of clients that don't read them.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Worker;
use crate::commands::Session;
use crate::config::{ClientClass, Config, OutputLimit};
use crate::net::connection::Connection;

/// So much output may be left to a client that has not given the password, once its socket takes no more.
const OUTPUT_UNAUTHENTICATED: u64 = 1024;

/// How much output may wait for the client.
#[inline]
pub(super) fn output_limit<'a>(config: &'a Config, session: &Session) -> &'a OutputLimit {
    let class = if session.subscriptions > 0 { ClientClass::PubSub } else { ClientClass::Normal };
    &config.client_output_buffer_limit[class as usize]
}

impl Worker {
    pub(super) fn send_all(&mut self) {
        let mut sent = 0;
        for token in std::mem::take(&mut self.dirty) {
            let Some(connection) = self.connections.get_mut(token) else { continue };
            connection.dirty = false;
            if connection.session.pausing.is_some() {
                // It is sent when all keep to the pause.
                continue;
            }
            if connection.session.overflowed || self.is_over_class_limit(&self.connections[token]) {
                // Nothing of a reply that is too long is sent, though the socket might take it.
                self.close_for_output(token);
                continue;
            }
            let connection = &mut self.connections[token];
            let result = connection.send();
            let unsent = connection.unsent();
            connection.publish_output();
            let over = match &result {
                Ok(length) => {
                    sent += *length as u64;
                    if *length > 0 {
                        // Relaxed: this thread looks at it, and people. Who takes its replies is not idle.
                        connection.session.record.last_interaction.store(self.now, Ordering::Relaxed);
                    }
                    connection.session.closing && unsent == 0
                }
                Err(_) => true,
            };
            // A client that sends no more gets the replies to what it sent.
            let finished = connection.read_closed
                && !connection.readable
                && unsent == 0
                && !connection.queued
                && (connection.request.is_none() || connection.paused);
            if over || finished {
                self.close(token);
                continue;
            }
            if unsent > 0 {
                if connection.send_again {
                    self.mark_dirty(token);
                }
                self.check_output(token);
            } else {
                connection.over_soft_limit = None;
            }
        }
        if sent > 0 {
            self.statistics().output.add(sent);
        }
    }

    #[cold]
    fn check_output(&mut self, token: usize) {
        let connection = &mut self.connections[token];
        let limit = output_limit(&self.config, &connection.session);
        if limit.soft > 0 && connection.unsent() as u64 > limit.soft {
            connection.over_soft_limit.get_or_insert_with(Instant::now);
            self.over_soft_limit = true;
        } else {
            connection.over_soft_limit = None;
        }
        if self.is_over_limit(&self.connections[token]) {
            self.close_for_output(token);
        }
    }

    pub(super) fn close_for_output(&mut self, token: usize) {
        self.statistics().output_limit_disconnections.add(1);
        self.close(token);
    }

    /// Whether there is more output that the client's socket did not take than it may have.
    #[inline]
    pub(super) fn is_over_limit(&self, connection: &Connection) -> bool {
        (connection.unsent() as u64 > OUTPUT_UNAUTHENTICATED && !self.is_authenticated(&connection.session))
            || self.is_over_class_limit(connection)
    }

    /// Whether the client's unsent output is over a limit of its class, for too long if that is the soft one: more than so
    /// many whole seconds, as Redis counts.
    #[inline]
    fn is_over_class_limit(&self, connection: &Connection) -> bool {
        let limit = output_limit(&self.config, &connection.session);
        let unsent = connection.unsent() as u64;
        (limit.hard > 0 && unsent > limit.hard)
            || (limit.soft > 0
                && unsent > limit.soft
                && connection.over_soft_limit.is_some_and(|since| since.elapsed().as_secs() > limit.soft_seconds))
    }
}
