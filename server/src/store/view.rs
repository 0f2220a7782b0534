//! What a reading command sees of the keyspace.

use std::cell::Cell;

use super::database::Database;
use super::entry::Entry;
use super::keyspace::Keyspace;
use super::value::{Hash, List, Set, SortedSet, StringValue};
use super::{Error, Value};

/// One database of the keyspace at one moment: keys that have expired by then are hidden.
#[derive(Debug)]
pub struct View<'a> {
    keyspace: &'a Keyspace,
    database: usize,
    now: i64,
    hits: Cell<u32>,
    misses: Cell<u32>,
    met_expired: Cell<bool>,
}

impl<'a> View<'a> {
    /// The database of that index at the time `now` in milliseconds since 1970.
    #[inline]
    pub fn new(keyspace: &'a Keyspace, database: usize, now: i64) -> Self {
        View { keyspace, database, now, hits: Cell::new(0), misses: Cell::new(0), met_expired: Cell::new(false) }
    }

    /// The whole keyspace.
    pub fn keyspace(&self) -> &'a Keyspace {
        self.keyspace
    }

    /// The same view of another database.
    pub fn in_database(&self, database: usize) -> View<'a> {
        View::new(self.keyspace, database, self.now)
    }

    /// The index of the database.
    pub fn database_index(&self) -> usize {
        self.database
    }

    /// The database, with the keys that have expired.
    pub fn database(&self) -> &'a Database {
        &self.keyspace.databases[self.database]
    }

    /// The time at which this view looks.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// How many keys were looked up and found, and how many were not.
    pub fn hits_and_misses(&self) -> (u32, u32) {
        (self.hits.get(), self.misses.get())
    }

    /// Whether a key was met that has expired and that a writer should remove.
    pub fn met_expired(&self) -> bool {
        self.met_expired.get()
    }

    /// Whether the entry has not expired; if it has, [notes](View::met_expired) that.
    #[inline]
    pub fn is_live(&self, entry: &Entry) -> bool {
        let expired = entry.is_expired(self.now);
        if expired {
            self.met_expired.set(true);
        }
        !expired
    }

    /// The key's entry; notes the access and counts a hit or a miss. O(1).
    #[inline]
    pub fn entry(&self, key: &[u8]) -> Option<&'a Entry> {
        let entry = self.look_up(key)?;
        entry.touch(self.keyspace.access_clock, self.now);
        Some(entry)
    }

    /// The key's entry, without noting an access; counts a hit or a miss (`OBJECT`, `TYPE`, `TTL`). O(1).
    #[inline]
    pub fn look_up(&self, key: &[u8]) -> Option<&'a Entry> {
        let entry = self.peek(key);
        let counter = if entry.is_some() { &self.hits } else { &self.misses };
        counter.set(counter.get() + 1);
        entry
    }

    /// The key's entry, without noting an access and without counting. O(1).
    #[inline]
    pub fn peek(&self, key: &[u8]) -> Option<&'a Entry> {
        self.database().get(key).filter(|entry| self.is_live(entry))
    }

    /// Whether the key exists; counts as an access. O(1).
    pub fn exists(&self, key: &[u8]) -> bool {
        self.entry(key).is_some()
    }

    /// The string at `key`, or an error if it holds another type. O(1).
    #[inline]
    pub fn string(&self, key: &[u8]) -> Result<Option<&'a StringValue>, Error> {
        match self.entry(key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::String(string)) => Ok(Some(string)),
            Some(_) => Err(Error::WRONG_TYPE),
        }
    }

    /// The list at `key`, or an error if it holds another type. O(1).
    pub fn list(&self, key: &[u8]) -> Result<Option<&'a List>, Error> {
        match self.entry(key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::List(list)) => Ok(Some(list)),
            Some(_) => Err(Error::WRONG_TYPE),
        }
    }

    /// The hash at `key`, or an error if it holds another type. O(1).
    pub fn hash(&self, key: &[u8]) -> Result<Option<&'a Hash>, Error> {
        match self.entry(key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::Hash(hash)) => Ok(Some(hash)),
            Some(_) => Err(Error::WRONG_TYPE),
        }
    }

    /// The set at `key`, or an error if it holds another type. O(1).
    pub fn set(&self, key: &[u8]) -> Result<Option<&'a Set>, Error> {
        match self.entry(key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::Set(set)) => Ok(Some(set)),
            Some(_) => Err(Error::WRONG_TYPE),
        }
    }

    /// The sorted set at `key`, or an error if it holds another type. O(1).
    pub fn sorted_set(&self, key: &[u8]) -> Result<Option<&'a SortedSet>, Error> {
        match self.entry(key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::SortedSet(sorted_set)) => Ok(Some(sorted_set)),
            Some(_) => Err(Error::WRONG_TYPE),
        }
    }
}
