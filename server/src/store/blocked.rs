//! Clients that wait for a key (`BLPOP` and its like).
//!
//! Who waits is part of the replicated state, so that the push which ends the wait knows whom it serves. A waiting
//! client's call is kept, and executed anew when one of its keys has changed; if it finds nothing it goes on waiting.
//! Clients are served in the order in which they began to wait.
//!
//! A command that changes a key only marks it as ready. Clients are served after the command, or after the whole
//! transaction, from what the key holds then.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::SmallBytes;
use super::call::OwnedCall;
use super::operation::WriteFunction;
use super::table::{Keyed, Table};

/// Who waits for which keys.
#[derive(Debug, Default)]
pub struct Blocked {
    /// The waits, by client.
    waits: HashMap<u64, Arc<Wait>>,
    /// The keys that are waited for, by database.
    databases: Vec<Table<Queue>>,
    /// Keys that were changed and have a queue, in the order in which that happened.
    ready: VecDeque<(u32, SmallBytes)>,
    /// The number of the next wait.
    next: u64,
}

/// A call that waits.
#[derive(Debug)]
pub struct Wait {
    /// The command's function.
    pub function: WriteFunction,
    /// The call.
    pub call: OwnedCall,
    /// What it waits for.
    pub keys: Vec<SmallBytes>,
    /// Grows with time, and is its place in the queues.
    number: u64,
}

/// Those who wait for a key.
#[derive(Debug)]
struct Queue {
    key: SmallBytes,
    /// The clients by the numbers of their waits: first come, first served.
    clients: BTreeMap<u64, u64>,
    /// The key is among those that are ready.
    ready: bool,
}

impl Keyed for Queue {
    fn key(&self) -> &[u8] {
        &self.key
    }
}

impl Blocked {
    /// How many clients wait. O(1).
    pub fn len(&self) -> usize {
        self.waits.len()
    }

    /// Whether nobody waits. O(1).
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    /// How many keys clients wait for. O(databases).
    pub fn keys(&self) -> usize {
        self.databases.iter().map(Table::len).sum()
    }

    /// A client, which does not wait yet, begins to. O(keys · log clients that wait for them).
    pub fn wait(&mut self, function: WriteFunction, call: OwnedCall, keys: Vec<SmallBytes>) {
        let (client, database) = (call.client.client, call.database as usize);
        let number = self.next;
        self.next += 1;
        if self.databases.len() <= database {
            self.databases.resize_with(database + 1, Table::new);
        }
        for key in &keys {
            let make = || Queue { key: key.clone(), clients: BTreeMap::new(), ready: false };
            let (queue, _) = self.databases[database].get_or_insert_with(key, make);
            queue.clients.insert(number, client);
        }
        self.waits.insert(client, Arc::new(Wait { function, call, keys, number }));
    }

    /// The client stops waiting; gives what it waited for. O(keys · log clients that wait for them).
    pub fn remove(&mut self, client: u64) -> Option<Arc<Wait>> {
        let wait = self.waits.remove(&client)?;
        let queues = &mut self.databases[wait.call.database as usize];
        for key in &wait.keys {
            if let Some(queue) = queues.get_mut(key) {
                queue.clients.remove(&wait.number);
                if queue.clients.is_empty() {
                    queues.remove(key);
                }
            }
        }
        Some(wait)
    }

    /// The key was changed. O(1).
    #[inline]
    pub fn signal(&mut self, database: u32, key: &[u8]) {
        if let Some(queue) = self.databases.get_mut(database as usize).and_then(|queues| queues.get_mut(key))
            && !queue.ready
        {
            queue.ready = true;
            self.ready.push_back((database, queue.key.clone()));
        }
    }

    /// The whole database was exchanged for another one: those who wait longest come first. O(keys waited for · their
    /// logarithm).
    pub fn signal_database(&mut self, database: u32) {
        let Some(queues) = self.databases.get_mut(database as usize) else { return };
        let mut changed: Vec<&mut Queue> = queues.iter_mut().filter(|queue| !queue.ready).collect();
        changed.sort_by_key(|queue| queue.clients.first_key_value().map(|(number, _)| *number));
        for queue in changed {
            queue.ready = true;
            self.ready.push_back((database, queue.key.clone()));
        }
    }

    /// Takes the key that was changed first. If it is changed from now on it gets ready again.
    pub fn take_ready(&mut self) -> Option<(u32, SmallBytes)> {
        let (database, key) = self.ready.pop_front()?;
        if let Some(queue) = self.databases[database as usize].get_mut(&key) {
            queue.ready = false;
        }
        Some((database, key))
    }

    /// The first who waits for the key and has the number `from` or a later one, with the number. O(log clients that wait
    /// for it).
    pub fn next(&self, database: u32, key: &[u8], from: u64) -> Option<(u64, Arc<Wait>)> {
        let queue = self.databases.get(database as usize)?.get(key)?;
        let (number, client) = queue.clients.range(from..).next()?;
        Some((*number, self.waits.get(client)?.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::Protocol;
    use crate::store::{ClientAddress, OwnedArguments};

    fn wait(blocked: &mut Blocked, client: u64, database: u32, keys: &[&str]) {
        let call = OwnedCall {
            arguments: OwnedArguments::from_slices(&[b"BLPOP"]),
            now: 0,
            random: 0,
            client: ClientAddress { client, worker: 0 },
            database,
            protocol: Protocol::Resp2,
            ceiling: usize::MAX,
        };
        blocked.wait(|_, _, _| Ok(()), call, keys.iter().map(|key| SmallBytes::new(key.as_bytes())).collect());
    }

    /// The clients that wait for the key, in their order.
    fn queue(blocked: &Blocked, database: u32, key: &str) -> Vec<u64> {
        let mut clients = Vec::new();
        let mut from = 0;
        while let Some((number, wait)) = blocked.next(database, key.as_bytes(), from) {
            clients.push(wait.call.client.client);
            from = number + 1;
        }
        clients
    }

    fn take_all_ready(blocked: &mut Blocked) -> Vec<(u32, String)> {
        std::iter::from_fn(|| blocked.take_ready())
            .map(|(database, key)| (database, String::from_utf8(key.to_vec()).unwrap()))
            .collect()
    }

    #[test]
    fn each_key_has_its_clients_in_the_order_in_which_they_came() {
        let mut blocked = Blocked::default();
        wait(&mut blocked, 7, 0, &["a", "b", "a"]);
        wait(&mut blocked, 3, 0, &["b"]);
        wait(&mut blocked, 5, 1, &["b", "a"]);
        wait(&mut blocked, 1, 0, &["a"]);
        assert_eq!((blocked.len(), blocked.keys()), (4, 4));
        assert_eq!(queue(&blocked, 0, "a"), [7, 1]);
        assert_eq!(queue(&blocked, 0, "b"), [7, 3]);
        assert_eq!(queue(&blocked, 1, "a"), [5]);
        assert!(queue(&blocked, 2, "a").is_empty());
        assert_eq!(blocked.remove(7).map(|wait| wait.keys.len()), Some(3));
        assert!(blocked.remove(7).is_none());
        wait(&mut blocked, 7, 0, &["a"]);
        assert_eq!(queue(&blocked, 0, "a"), [1, 7]);
        for client in [1, 3, 5, 7] {
            blocked.remove(client);
        }
        assert!(blocked.is_empty());
        assert_eq!(blocked.keys(), 0);
    }

    #[test]
    fn keys_get_ready_once_in_the_order_of_their_first_change() {
        let mut blocked = Blocked::default();
        wait(&mut blocked, 1, 0, &["a", "b", "c"]);
        for key in ["b", "x", "a", "b"] {
            blocked.signal(0, key.as_bytes());
        }
        blocked.signal(9, b"a");
        assert_eq!(blocked.take_ready().unwrap().1.as_slice(), b"b");
        // A change while the key's clients are served makes it ready once more.
        blocked.signal(0, b"b");
        assert_eq!(take_all_ready(&mut blocked), [(0, "a".into()), (0, "b".into())]);
        // Whoever waited for a key that is ready may have gone.
        blocked.signal(0, b"c");
        blocked.remove(1);
        assert_eq!(take_all_ready(&mut blocked), [(0, "c".into())]);
    }

    #[test]
    fn in_another_database_those_who_wait_longest_come_first() {
        let mut blocked = Blocked::default();
        let keys = ["d", "a", "c", "b"];
        for (client, key) in (0..).zip(keys) {
            wait(&mut blocked, client, 1, &[key]);
        }
        blocked.signal(1, b"b");
        blocked.signal_database(1);
        blocked.signal_database(0);
        assert_eq!(take_all_ready(&mut blocked), ["b", "d", "a", "c"].map(|key| (1, key.into())));
    }
}
