//! Keys that clients watch (`WATCH`), so that a transaction fails if one was changed.
//!
//! That a key expires changes it. But a key that was watched when its time had already passed was not there for anybody to
//! see, so its removal is no change.

use std::collections::HashMap;

use super::SmallBytes;
use super::database::Database;

/// Which keys are watched by whom, and which of these clients' transactions can't take place any more.
#[derive(Debug, Default)]
pub struct Watched {
    /// Who watches a key: the database and the client. A key that nobody watches is not in it.
    keys: HashMap<SmallBytes, Vec<(u32, u64)>>,
    clients: HashMap<u64, Watcher>,
}

/// A client that watches keys.
#[derive(Debug, Default)]
struct Watcher {
    keys: Vec<WatchedKey>,
    /// One of them was changed.
    dirty: bool,
}

#[derive(Debug)]
struct WatchedKey {
    database: u32,
    key: SmallBytes,
    /// It is in the database, but its time had passed before anybody could see it there.
    expired: bool,
}

impl WatchedKey {
    fn is(&self, database: u32, key: &[u8]) -> bool {
        self.database == database && *self.key == *key
    }

    /// The key was changed and is now in the database or not; whether a client may have seen a difference.
    fn touch(&mut self, exists: bool) -> bool {
        let seen = !self.expired || exists;
        self.expired = false;
        seen
    }

    /// The database gave way to another one; whether a client may have seen a difference.
    fn exchange(&mut self, before: &Database, after: Option<&Database>, now: i64) -> bool {
        let existed = before.get(&self.key).is_some();
        match after.and_then(|after| after.get(&self.key)) {
            None => existed && self.touch(false),
            Some(entry) if entry.is_expired(now) && (self.expired || !existed) => {
                self.expired = true;
                false
            }
            Some(_) => true,
        }
    }
}

impl Watched {
    /// Whether no key is watched. O(1).
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many clients watch keys. O(1).
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// `client` watches `key` of the database from now on; `expired` says whether it is there and its time has passed.
    /// O(keys that it watches).
    pub fn watch(&mut self, client: u64, database: u32, key: &[u8], expired: bool) {
        let watcher = self.clients.entry(client).or_default();
        if watcher.keys.iter().any(|watched| watched.is(database, key)) {
            return;
        }
        let key = SmallBytes::new(key);
        self.keys.entry(key.clone()).or_default().push((database, client));
        watcher.keys.push(WatchedKey { database, key, expired });
    }

    /// `client` watches nothing any more. O(keys that it watched · their watchers).
    pub fn unwatch(&mut self, client: u64) {
        let Some(watcher) = self.clients.remove(&client) else { return };
        for watched in watcher.keys {
            if let Some(watchers) = self.keys.get_mut(&watched.key) {
                watchers.retain(|watcher| *watcher != (watched.database, client));
                if watchers.is_empty() {
                    self.keys.remove(&watched.key);
                }
            }
        }
    }

    /// The key was changed; `exists` says whether it is there now. O(keys watched by the clients that watch it).
    pub fn touch(&mut self, database: u32, key: &[u8], exists: bool) {
        let Some(watchers) = self.keys.get(key) else { return };
        for (_, client) in watchers.iter().filter(|(watched, _)| *watched == database) {
            let Some(watcher) = self.clients.get_mut(client) else { continue };
            if let Some(watched) = watcher.keys.iter_mut().find(|watched| watched.is(database, key)) {
                watcher.dirty |= watched.touch(exists);
            }
        }
    }

    /// The whole database gives way to another one, or to an empty one. O(watched keys).
    pub fn touch_database(&mut self, database: u32, before: &Database, after: Option<&Database>, now: i64) {
        for watcher in self.clients.values_mut() {
            for watched in watcher.keys.iter_mut().filter(|watched| watched.database == database) {
                watcher.dirty |= watched.exchange(before, after, now);
            }
        }
    }

    /// Whether the transaction of `client` may take place: nothing that it watches was changed or has expired since.
    /// O(keys that it watches).
    pub fn permits(&self, client: u64, databases: &[Database], now: i64) -> bool {
        let Some(watcher) = self.clients.get(&client) else { return true };
        let has_expired = |watched: &WatchedKey| {
            let entry = databases[watched.database as usize].get(&watched.key);
            !watched.expired && entry.is_some_and(|entry| entry.is_expired(now))
        };
        !watcher.dirty && !watcher.keys.iter().any(has_expired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Value;
    use crate::store::entry::Entry;
    use crate::store::value::StringValue;

    const NOW: i64 = 1000;

    /// A database in which each of the keys expires at its time, if it has one.
    fn database(keys: &[(&str, Option<i64>)]) -> Database {
        let mut database = Database::default();
        for (key, expiry) in keys {
            database.insert_new(Entry::new(key.as_bytes(), Value::String(StringValue::new(b"x"))));
            database.set_expiry(key.as_bytes(), *expiry);
        }
        database
    }

    fn watching(key: &str, expired: bool) -> Watched {
        let mut watched = Watched::default();
        watched.watch(1, 0, key.as_bytes(), expired);
        watched
    }

    #[test]
    fn a_change_is_seen_by_those_who_watch_the_key_in_that_database() {
        let mut watched = watching("a", false);
        watched.watch(2, 1, b"a", false);
        watched.watch(3, 0, b"b", false);
        watched.touch(0, b"a", true);
        let databases = [Database::default(), Database::default()];
        assert!(!watched.permits(1, &databases, NOW));
        assert!(watched.permits(2, &databases, NOW));
        assert!(watched.permits(3, &databases, NOW));
        (1..=3).for_each(|client| watched.unwatch(client));
        assert!(watched.is_empty());
        assert_eq!(watched.clients(), 0);
        assert!(watched.permits(1, &databases, NOW));
    }

    #[test]
    fn a_key_that_expires_is_changed_unless_it_had_expired_before() {
        let databases = [database(&[("a", Some(NOW - 1))])];
        assert!(watching("a", false).permits(1, &databases, NOW - 2));
        assert!(!watching("a", false).permits(1, &databases, NOW));
        let mut watched = watching("a", true);
        assert!(watched.permits(1, &databases, NOW));
        watched.touch(0, b"a", false);
        let databases = [Database::default()];
        assert!(watched.permits(1, &databases, NOW), "its removal is no change");
        watched.touch(0, b"a", true);
        assert!(!watched.permits(1, &databases, NOW), "that it is created anew is one");
    }

    #[test]
    fn an_exchange_of_databases_changes_what_could_be_seen() {
        let missing = &[][..];
        let live = &[("a", None)][..];
        let stale = &[("a", Some(NOW - 1))][..];
        for (expired, before, after, changed) in [
            (false, missing, missing, false),
            (false, missing, live, true),
            (false, missing, stale, false),
            (false, live, missing, true),
            (false, live, live, true),
            (false, live, stale, true),
            (true, stale, missing, false),
            (true, stale, live, true),
            (true, stale, stale, false),
        ] {
            let mut watched = watching("a", expired);
            watched.touch_database(0, &database(before), Some(&database(after)), NOW);
            let permitted = watched.permits(1, &[database(after)], NOW);
            assert_eq!(permitted, !changed, "{expired} {before:?} {after:?}");
        }
        let mut watched = watching("a", false);
        watched.touch_database(0, &database(live), None, NOW);
        assert!(!watched.permits(1, &[Database::default()], NOW));
    }
}
