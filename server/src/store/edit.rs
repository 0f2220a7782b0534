//! What a writing command sees of the keyspace.

use super::call::{Call, ClientAddress};
use super::database::{Database, Expiry};
use super::entry::Entry;
use super::keyspace::{Counters, Keyspace};
use super::operation::Effects;
use super::subscriptions::{Subscriptions, Topic};
use super::value::{Hash, List, Set, SortedSet, StringValue};
use super::{Error, SmallBytes, Value, View};
use crate::config::{Config, EncodingLimits, EventFlags};

/// In which way a writing command is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode<'a> {
    /// By itself: it may wait for a key.
    Direct,
    /// Within a transaction: it does not wait.
    Transaction,
    /// Once more, as this key, which its client waits for, was changed: it may go on waiting.
    Serving(&'a [u8]),
}

/// What a command asks for that has to wait.
#[derive(Debug)]
pub(super) struct WaitRequest {
    pub(super) keys: Vec<SmallBytes>,
    pub(super) timeout: Option<i64>,
}

/// One database of the keyspace, to change. A key that has expired at the command's time is removed when it is looked up.
///
/// A command that changes what a key holds says so by [`modified`](Edit::modified), and tells subscribers of keyspace
/// events by [`notify`](Edit::notify).
#[derive(Debug)]
pub struct Edit<'a> {
    keyspace: &'a mut Keyspace,
    /// What to tell other clients; only where the operation came from.
    effects: Option<&'a mut Effects>,
    database: usize,
    now: i64,
    client: ClientAddress,
    mode: Mode<'a>,
    wait: Option<WaitRequest>,
}

impl<'a> Edit<'a> {
    pub(super) fn new(
        keyspace: &'a mut Keyspace,
        effects: Option<&'a mut Effects>,
        call: &Call<'_>,
        mode: Mode<'a>,
    ) -> Self {
        Edit { keyspace, effects, database: call.database, now: call.now, client: call.client, mode, wait: None }
    }

    pub(super) fn into_wait(self) -> Option<WaitRequest> {
        self.wait
    }

    /// A reader's view of the same database at the same time.
    #[inline]
    pub fn view(&self) -> View<'_> {
        View::new(self.keyspace, self.database, self.now)
    }

    /// The time of the command, in milliseconds since 1970.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// The index of the database.
    pub fn database_index(&self) -> usize {
        self.database
    }

    /// How many databases there are.
    pub fn databases(&self) -> usize {
        self.keyspace.databases.len()
    }

    /// The configuration as it stands in this place of the log.
    pub fn config(&self) -> &Config {
        &self.keyspace.config
    }

    /// Up to which sizes collections take their small forms.
    #[inline]
    pub fn limits(&self) -> EncodingLimits {
        self.keyspace.config.encodings
    }

    /// Executes `work` on another database of the same keyspace.
    ///
    /// # Panics
    ///
    /// If there is no database of that index.
    pub fn with_database<R>(&mut self, database: usize, work: impl FnOnce(&mut Edit<'_>) -> R) -> R {
        assert!(database < self.keyspace.databases.len());
        let before = std::mem::replace(&mut self.database, database);
        let result = work(self);
        self.database = before;
        result
    }

    fn database_mut(&mut self) -> &mut Database {
        &mut self.keyspace.databases[self.database]
    }

    /// Removes the key if it has expired.
    fn remove_if_expired(&mut self, key: &[u8]) {
        let database = &self.keyspace.databases[self.database];
        if !database.expires_nothing() && database.get(key).is_some_and(|entry| entry.is_expired(self.now)) {
            self.expire(key);
        }
    }

    /// Removes a key whose time has passed.
    fn expire(&mut self, key: &[u8]) {
        if let Some(entry) = self.database_mut().remove(key) {
            self.keyspace.discard(entry.value);
            self.keyspace.counters.expired += 1;
            self.signal(key);
            self.notify(EventFlags::EXPIRED, "expired", key);
        }
    }

    /// The key's entry. O(1).
    #[inline]
    pub fn entry(&mut self, key: &[u8]) -> Option<&Entry> {
        self.entry_mut(key).map(|entry| &*entry)
    }

    /// The key's entry, to change its value. O(1).
    #[inline]
    pub fn entry_mut(&mut self, key: &[u8]) -> Option<&mut Entry> {
        self.remove_if_expired(key);
        let clock = self.keyspace.access_clock;
        let entry = self.keyspace.databases[self.database].get_mut(key)?;
        entry.touch(clock, self.now);
        Some(entry)
    }

    /// Whether the key exists. O(1).
    pub fn exists(&mut self, key: &[u8]) -> bool {
        self.entry(key).is_some()
    }

    /// The string at `key`, or an error if it holds another type. O(1).
    pub fn string(&mut self, key: &[u8]) -> Result<Option<&mut StringValue>, Error> {
        match self.entry_mut(key).map(|entry| &mut entry.value) {
            None => Ok(None),
            Some(Value::String(string)) => Ok(Some(string)),
            Some(_) => Err(Error::WRONG_TYPE),
        }
    }

    /// The list at `key`, or an error if it holds another type. O(1).
    pub fn list(&mut self, key: &[u8]) -> Result<Option<&mut List>, Error> {
        match self.entry_mut(key).map(|entry| &mut entry.value) {
            None => Ok(None),
            Some(Value::List(list)) => Ok(Some(list)),
            Some(_) => Err(Error::WRONG_TYPE),
        }
    }

    /// The hash at `key`, or an error if it holds another type. O(1).
    pub fn hash(&mut self, key: &[u8]) -> Result<Option<&mut Hash>, Error> {
        match self.entry_mut(key).map(|entry| &mut entry.value) {
            None => Ok(None),
            Some(Value::Hash(hash)) => Ok(Some(hash)),
            Some(_) => Err(Error::WRONG_TYPE),
        }
    }

    /// The set at `key`, or an error if it holds another type. O(1).
    pub fn set(&mut self, key: &[u8]) -> Result<Option<&mut Set>, Error> {
        match self.entry_mut(key).map(|entry| &mut entry.value) {
            None => Ok(None),
            Some(Value::Set(set)) => Ok(Some(set)),
            Some(_) => Err(Error::WRONG_TYPE),
        }
    }

    /// The sorted set at `key`, or an error if it holds another type. O(1).
    pub fn sorted_set(&mut self, key: &[u8]) -> Result<Option<&mut SortedSet>, Error> {
        match self.entry_mut(key).map(|entry| &mut entry.value) {
            None => Ok(None),
            Some(Value::SortedSet(sorted_set)) => Ok(Some(sorted_set)),
            Some(_) => Err(Error::WRONG_TYPE),
        }
    }

    /// The value at `key`; if there is none, the key gets `make()` first. O(1).
    pub fn value_or_insert(&mut self, key: &[u8], make: impl FnOnce() -> Value) -> &mut Value {
        self.remove_if_expired(key);
        // Told before it is created, so that the common case looks the key up but once.
        if self.keyspace.config.notify_keyspace_events.contains(EventFlags::NEW) && !self.exists(key) {
            self.notify(EventFlags::NEW, "new", key);
        }
        let (clock, now) = (self.keyspace.access_clock, self.now);
        let (entry, is_new) = self.database_mut().get_or_insert(key, || Entry::new(key, make()));
        if is_new {
            entry.set_access(clock.created(now));
        } else {
            entry.touch(clock, now);
        }
        &mut entry.value
    }

    /// The list at `key`, which is created empty if there is none: the caller puts an element into it. O(1).
    pub fn list_or_create(&mut self, key: &[u8]) -> Result<&mut List, Error> {
        match self.value_or_insert(key, || Value::List(Box::default())) {
            Value::List(list) => Ok(list),
            _ => Err(Error::WRONG_TYPE),
        }
    }

    /// The hash at `key`, which is created empty if there is none: the caller puts a field into it. O(1).
    pub fn hash_or_create(&mut self, key: &[u8]) -> Result<&mut Hash, Error> {
        match self.value_or_insert(key, || Value::Hash(Box::default())) {
            Value::Hash(hash) => Ok(hash),
            _ => Err(Error::WRONG_TYPE),
        }
    }

    /// The set at `key`, which is created empty if there is none: the caller puts a member into it. O(1).
    pub fn set_or_create(&mut self, key: &[u8]) -> Result<&mut Set, Error> {
        match self.value_or_insert(key, || Value::Set(Box::default())) {
            Value::Set(set) => Ok(set),
            _ => Err(Error::WRONG_TYPE),
        }
    }

    /// The sorted set at `key`, which is created empty if there is none: the caller puts a member into it. O(1).
    pub fn sorted_set_or_create(&mut self, key: &[u8]) -> Result<&mut SortedSet, Error> {
        match self.value_or_insert(key, || Value::SortedSet(Box::default())) {
            Value::SortedSet(sorted_set) => Ok(sorted_set),
            _ => Err(Error::WRONG_TYPE),
        }
    }

    fn create(&mut self, key: &[u8], value: Value) {
        let entry = Entry::new(key, value);
        entry.set_access(self.keyspace.access_clock.created(self.now));
        self.database_mut().insert_new(entry);
        self.notify(EventFlags::NEW, "new", key);
    }

    /// Gives `key` the value, in the place of whatever it held, and says that it was modified. O(1).
    #[inline]
    pub fn insert(&mut self, key: &[u8], value: Value, expiry: Expiry) {
        let (clock, now) = (self.keyspace.access_clock, self.now);
        match self.database_mut().replace(key, value, expiry, now) {
            Ok((old, entry)) => {
                entry.touch(clock, now);
                self.keyspace.discard(old);
            }
            Err(value) => {
                self.remove_if_expired(key);
                self.create(key, value);
            }
        }
        self.modified(key);
    }

    /// Puts an entry made elsewhere into the database, in the place of whatever its key held, and says that the key was
    /// modified. O(1), or O(log n) if it expires.
    pub fn place(&mut self, entry: Entry) {
        let key = entry.key().clone();
        if let Some(old) = self.database_mut().remove(&key) {
            self.keyspace.discard(old.value);
        }
        self.expiry_is_set(entry.expiry());
        self.database_mut().insert_new(entry);
        self.notify(EventFlags::NEW, "new", &key);
        self.modified(&key);
    }

    /// Removes the key and gives its entry, and says that it was modified. The caller notifies. O(1).
    pub fn remove(&mut self, key: &[u8]) -> Option<Box<Entry>> {
        let entry = self.take(key)?;
        self.keyspace.dirty += 1;
        Some(entry)
    }

    /// Removes the key and gives its entry, to [place](Edit::place) it elsewhere: only that is counted as a change. The
    /// caller notifies. O(1).
    pub fn take(&mut self, key: &[u8]) -> Option<Box<Entry>> {
        self.remove_if_expired(key);
        let entry = self.database_mut().remove(key)?;
        self.signal(key);
        Some(entry)
    }

    /// Removes the key, lets go of its value, says that it was modified and notifies of `del`; whether it existed. O(1):
    /// a large value is freed by another thread.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        let Some(entry) = self.remove(key) else { return false };
        self.keyspace.discard(entry.value);
        self.notify(EventFlags::GENERIC, "del", key);
        true
    }

    /// Removes the key if it holds an empty collection, and notifies of `del` then. O(1).
    pub fn delete_if_empty(&mut self, key: &[u8]) -> bool {
        let empty = self.database_mut().get(key).is_some_and(|entry| entry.value.is_empty());
        if empty {
            self.delete(key);
        }
        empty
    }

    /// Lets go of a value; a large one is freed by another thread.
    pub fn discard(&mut self, value: Value) {
        self.keyspace.discard(value);
    }

    /// Sets or clears when the key expires; false if there is no such key. The caller says that it was modified. O(log n).
    pub fn set_expiry(&mut self, key: &[u8], expiry: Option<i64>) -> bool {
        self.expiry_is_set(expiry);
        self.database_mut().set_expiry(key, expiry)
    }

    /// Tells those who remove expired keys that there is one to come.
    fn expiry_is_set(&mut self, expiry: Option<i64>) {
        if expiry.is_some()
            && let Some(effects) = self.effects.as_deref_mut()
        {
            effects.expiry_set = true;
        }
    }

    /// When the key expires, if it exists and does. O(1).
    pub fn expiry(&mut self, key: &[u8]) -> Option<i64> {
        self.entry(key).and_then(Entry::expiry)
    }

    /// Says that what the key holds was changed: transactions that watch it fail, and clients that wait for it are served
    /// after the command. O(1) when nobody watches or waits.
    #[inline]
    pub fn modified(&mut self, key: &[u8]) {
        self.keyspace.dirty += 1;
        self.signal(key);
    }

    /// Tells those who watch the key or wait for it. That a key's time has passed is told, but not counted as a change.
    #[inline]
    fn signal(&mut self, key: &[u8]) {
        let database = self.database as u32;
        if !self.keyspace.watched.is_empty() {
            let exists = self.keyspace.databases[self.database].get(key).is_some();
            self.keyspace.watched.touch(database, key, exists);
        }
        if !self.keyspace.blocked.is_empty() {
            self.keyspace.blocked.signal(database, key);
        }
    }

    /// Counts `changes` more changes than the calls of [`modified`](Edit::modified) say (`rdb_changes_since_last_save`).
    pub fn count_changes(&mut self, changes: u64) {
        self.keyspace.dirty += changes;
    }

    /// Starts to count anew what has happened to keys (`CONFIG RESETSTAT`).
    pub fn reset_counters(&mut self) {
        self.keyspace.counters = Counters::default();
    }

    /// Tells subscribers of keyspace events of `event`, if the configuration asks for its class. O(1) if it doesn't.
    #[inline]
    pub fn notify(&mut self, class: EventFlags, event: &str, key: &[u8]) {
        if self.keyspace.config.notify_keyspace_events == EventFlags::NONE {
            return;
        }
        if let Some(effects) = self.effects.as_deref_mut() {
            self.keyspace.publish_event(self.database, class, event, key, &mut effects.deliveries);
        }
    }

    /// Exchanges the contents of two databases. O(1), and O(keys watched or waited for).
    pub fn swap_databases(&mut self, first: usize, second: usize) {
        if first == second {
            return;
        }
        let keyspace = &mut *self.keyspace;
        for (index, other) in [(first, second), (second, first)] {
            let (before, after) = (&keyspace.databases[index], &keyspace.databases[other]);
            keyspace.watched.touch_database(index as u32, before, Some(after), self.now);
        }
        keyspace.databases.swap(first, second);
        keyspace.blocked.signal_database(first as u32);
        keyspace.blocked.signal_database(second as u32);
        keyspace.dirty += 1;
    }

    /// Removes all keys of a database and gives their number; they are freed by another thread. O(1), and O(keys
    /// watched).
    pub fn flush_database(&mut self, index: usize) -> usize {
        let keyspace = &mut *self.keyspace;
        keyspace.watched.touch_database(index as u32, &keyspace.databases[index], None, self.now);
        let database = std::mem::take(&mut keyspace.databases[index]);
        let removed = database.len();
        keyspace.dirty += removed as u64;
        keyspace.discard_database(database);
        removed
    }

    /// Watches `key` for the calling client. O(keys that it watches).
    pub fn watch(&mut self, key: &[u8]) {
        let expired = self.keyspace.databases[self.database].get(key).is_some_and(|entry| entry.is_expired(self.now));
        self.keyspace.watched.watch(self.client.client, self.database as u32, key, expired);
    }

    /// Who listens to which channels.
    pub fn subscriptions(&self) -> &Subscriptions {
        &self.keyspace.subscriptions
    }

    /// The calling client listens to `name`; gives to how many names of such kinds it is subscribed then. O(log n).
    pub fn subscribe(&mut self, topic: Topic, name: &[u8]) -> usize {
        self.keyspace.subscriptions.subscribe(self.client, topic, name);
        self.subscriptions_changed(topic)
    }

    /// The calling client stops listening to `name`; gives to how many names of such kinds it is subscribed then. O(log n).
    pub fn unsubscribe(&mut self, topic: Topic, name: &[u8]) -> usize {
        self.keyspace.subscriptions.unsubscribe(self.client, topic, name);
        self.subscriptions_changed(topic)
    }

    /// Sends a message to those who listen; gives how many get it, as far as anybody is told here. O(subscribers +
    /// patterns).
    pub fn publish(&mut self, topic: Topic, channel: &[u8], message: &[u8]) -> usize {
        let Some(effects) = self.effects.as_deref_mut() else { return 0 };
        self.keyspace.subscriptions.publish(topic, channel, message, &mut effects.deliveries)
    }

    fn subscriptions_changed(&mut self, topic: Topic) -> usize {
        let client = self.client.client;
        if let Some(effects) = self.effects.as_deref_mut() {
            effects.subscriptions = Some(self.keyspace.subscriptions.counts(client));
        }
        self.keyspace.subscriptions.count(client, topic)
    }

    /// Whether the command may wait for a key: outside of transactions.
    pub fn may_wait(&self) -> bool {
        self.mode != Mode::Transaction
    }

    /// Whether the command is executed once more for a client that waits: a key that it waits for was changed.
    pub fn is_serving(&self) -> bool {
        matches!(self.mode, Mode::Serving(_))
    }

    /// Whether a command that may wait for several keys looks at `key`: at all of them, unless it
    /// [is served](Edit::is_serving), which is from the key that was changed. (Of two keys that a transaction filled, a
    /// client is so served from the one that was filled first, in whichever order it named them.)
    pub fn considers(&self, key: &[u8]) -> bool {
        match self.mode {
            Mode::Direct | Mode::Transaction => true,
            Mode::Serving(changed) => changed == key,
        }
    }

    /// The client waits until one of `keys` is changed; the command is then executed anew. It must have changed nothing,
    /// and returns after this without a reply. `timeout` is in milliseconds; `None` waits for ever.
    ///
    /// # Panics
    ///
    /// Within a transaction, where nothing [may wait](Edit::may_wait).
    pub fn wait<'k>(&mut self, keys: impl IntoIterator<Item = &'k [u8]>, timeout: Option<i64>) {
        assert!(self.may_wait(), "a transaction does not wait");
        self.wait = Some(WaitRequest { keys: keys.into_iter().map(SmallBytes::new).collect(), timeout });
    }
}
