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
    /// Who watches the keys of each database. Neither a key that nobody watches nor a database without such keys is in it.
    databases: HashMap<u32, HashMap<SmallBytes, Watchers>>,
    clients: HashMap<u64, Watcher>,
}

/// Who watches a key: the client, and whether the key is in the database but its time had passed before that client could see
/// it there.
type Watchers = HashMap<u64, bool>;

/// A client that watches keys.
#[derive(Debug, Default)]
struct Watcher {
    /// The keys, each with its database; none once one of them was changed, for then the others don't matter any more.
    keys: Vec<(u32, SmallBytes)>,
    /// One of them was changed.
    dirty: bool,
}

/// The key was changed and is now in the database or not; whether a client for whom it had `expired` may have seen a
/// difference.
fn is_seen(expired: &mut bool, exists: bool) -> bool {
    let seen = !*expired || exists;
    *expired = false;
    seen
}

/// The key's database gave way to another one; whether a client for whom the key had `expired` may have seen a difference.
fn is_exchange_seen(key: &[u8], expired: &mut bool, before: &Database, after: Option<&Database>, now: i64) -> bool {
    let existed = before.get(key).is_some();
    match after.and_then(|after| after.get(key)) {
        None => existed && is_seen(expired, false),
        Some(entry) if entry.is_expired(now) && (*expired || !existed) => {
            *expired = true;
            false
        }
        Some(_) => true,
    }
}

impl Watched {
    /// Whether no key is watched. O(1).
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.databases.is_empty()
    }

    /// How many clients watch keys. O(1).
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// `client` watches `key` of the database from now on; `expired` says whether it is there and its time has passed. O(1).
    pub fn watch(&mut self, client: u64, database: u32, key: &[u8], expired: bool) {
        let watcher = self.clients.entry(client).or_default();
        if watcher.dirty {
            return;
        }
        let key = SmallBytes::new(key);
        let watchers = self.databases.entry(database).or_default().entry(key.clone()).or_default();
        watchers.entry(client).or_insert_with(|| {
            watcher.keys.push((database, key));
            expired
        });
    }

    /// `client` watches nothing any more. O(keys that it watched).
    pub fn unwatch(&mut self, client: u64) {
        if let Some(watcher) = self.clients.remove(&client) {
            self.forget(client, watcher.keys);
        }
    }

    /// Takes the client from those who watch these keys.
    fn forget(&mut self, client: u64, keys: Vec<(u32, SmallBytes)>) {
        for (database, key) in keys {
            let Some(watched) = self.databases.get_mut(&database) else { continue };
            let Some(watchers) = watched.get_mut(&key) else { continue };
            watchers.remove(&client);
            if watchers.is_empty() {
                watched.remove(&key);
                if watched.is_empty() {
                    self.databases.remove(&database);
                }
            }
        }
    }

    /// The transactions of these clients can't take place any more.
    fn spoil(&mut self, clients: impl IntoIterator<Item = u64>) {
        for client in clients {
            let Some(watcher) = self.clients.get_mut(&client) else { continue };
            watcher.dirty = true;
            let keys = std::mem::take(&mut watcher.keys);
            self.forget(client, keys);
        }
    }

    /// The key was changed; `exists` says whether it is there now. O(clients that watch it), and for each of them whose
    /// transaction can't take place any more, once, O(keys that it watches).
    pub fn touch(&mut self, database: u32, key: &[u8], exists: bool) {
        let Some(watchers) = self.databases.get_mut(&database).and_then(|watched| watched.get_mut(key)) else { return };
        let seeing = watchers.iter_mut().filter_map(|(client, expired)| is_seen(expired, exists).then_some(*client));
        let seeing: Vec<u64> = seeing.collect();
        self.spoil(seeing);
    }

    /// The whole database gives way to another one, or to an empty one. O(watched keys of the database).
    pub fn touch_database(&mut self, database: u32, before: &Database, after: Option<&Database>, now: i64) {
        let Some(watched) = self.databases.get_mut(&database) else { return };
        let mut seeing = Vec::new();
        for (key, watchers) in watched {
            for (client, expired) in watchers {
                if is_exchange_seen(key, expired, before, after, now) {
                    seeing.push(*client);
                }
            }
        }
        self.spoil(seeing);
    }

    /// Whether the transaction of `client` may take place: nothing that it watches was changed or has expired since.
    /// O(keys that it watches).
    pub fn permits(&self, client: u64, databases: &[Database], now: i64) -> bool {
        let Some(watcher) = self.clients.get(&client) else { return true };
        let has_expired = |(database, key): &(u32, SmallBytes)| {
            let watchers = self.databases.get(database).and_then(|watched| watched.get(key));
            let had_expired = watchers.and_then(|watchers| watchers.get(&client)).copied().unwrap_or(false);
            !had_expired && databases[*database as usize].get(key).is_some_and(|entry| entry.is_expired(now))
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
    fn who_watches_much_sees_each_change_and_spoils_once() {
        let mut watched = Watched::default();
        let keys: Vec<String> = (0..100_000).map(|number| format!("key{number}")).collect();
        // One has watched all keys when none of them was there to be seen, so that their removal is no change.
        for (client, expired) in [(1, true), (2, false), (2, false)] {
            keys.iter().for_each(|key| watched.watch(client, 0, key.as_bytes(), expired));
        }
        keys.iter().for_each(|key| watched.touch(0, key.as_bytes(), false));
        let databases = [Database::default()];
        assert!(watched.permits(1, &databases, NOW));
        assert!(!watched.permits(2, &databases, NOW));
        // Who can't have a transaction any more watches nothing, but still can't have it.
        watched.unwatch(1);
        assert!(watched.is_empty());
        watched.watch(2, 0, b"another", false);
        assert!(watched.is_empty() && !watched.permits(2, &databases, NOW));
        watched.unwatch(2);
        assert!(watched.permits(2, &databases, NOW));
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
