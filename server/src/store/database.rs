//! One numbered database: keys with their values, and which of them expire when.

use super::Value;
use super::entry::Entry;
use super::table::Table;
use super::value::sorted_set::ordered_tree::OrderedTree;

/// One numbered database.
#[derive(Debug, Default)]
pub struct Database {
    keys: Table<Box<Entry>>,
    /// The expiries of the keys that have one, earliest first, each with the key's hash to find it by.
    expiries: OrderedTree<(i64, u64)>,
}

/// How a new value treats the expiry of the one that it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The new value has the old one's.
    Keep,
    /// The new value doesn't expire.
    Clear,
}

impl Database {
    /// How many keys there are, with those that expired and were not removed yet. O(1).
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key. O(1).
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys with their values, to iterate, scan or draw from. Expired ones are among them.
    pub fn table(&self) -> &Table<Box<Entry>> {
        &self.keys
    }

    /// The key's entry, expired or not. O(1).
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.keys.get(key).map(|entry| &**entry)
    }

    /// The entry of a key that has not expired at `now`. O(1).
    #[inline]
    pub fn live(&self, key: &[u8], now: i64) -> Option<&Entry> {
        self.get(key).filter(|entry| !entry.is_expired(now))
    }

    /// The key's entry, to change its value in place. O(1).
    #[inline]
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut Entry> {
        self.keys.get_mut(key).map(|entry| &mut **entry)
    }

    /// Whether no key has an expiry. O(1).
    #[inline]
    pub fn expires_nothing(&self) -> bool {
        self.expiring() == 0
    }

    /// How many keys have an expiry. O(1).
    #[inline]
    pub fn expiring(&self) -> usize {
        self.expiries.len()
    }

    /// The earliest expiry. O(log n).
    pub fn next_expiry(&self) -> Option<i64> {
        self.expiries.get(0).map(|(expiry, _)| *expiry)
    }

    /// The mean of the remaining times to live of up to `samples` keys, evenly spread over those that expire, in
    /// milliseconds. O(samples · log n).
    pub fn mean_time_to_live(&self, now: i64, samples: usize) -> i64 {
        let count = samples.min(self.expiring());
        let sum: i128 = (0..count)
            .filter_map(|sample| self.expiries.get(sample * self.expiring() / count))
            .map(|(expiry, _)| i128::from(expiry.saturating_sub(now).max(0)))
            .sum();
        if count == 0 { 0 } else { (sum / count as i128) as i64 }
    }

    /// The key that has the earliest expiry, if that has passed at `now`. O(log n).
    pub fn first_expired(&self, now: i64) -> Option<&Entry> {
        self.expiring_at(0).filter(|entry| entry.is_expired(now))
    }

    /// The key of that rank in the order of expiries, from 0. O(log n).
    pub fn expiring_at(&self, rank: usize) -> Option<&Entry> {
        let (expiry, hash) = *self.expiries.get(rank)?;
        self.keys.find_by_hash(hash, |entry| entry.expiry() == Some(expiry)).map(|entry| &**entry)
    }

    /// Moves a key with this hash within the index of expiries. O(log n).
    fn reindex(&mut self, hash: u64, before: Option<i64>, after: Option<i64>) {
        if before == after {
            return;
        }
        if let Some(expiry) = before {
            self.expiries.remove(|indexed| indexed.cmp(&(expiry, hash)));
        }
        if let Some(expiry) = after {
            // The tree wants no item twice. That two keys share both the hash and the expiry will not happen.
            self.expiries.insert((expiry, hash));
        }
    }

    /// Replaces the value of a key that has not expired at `now`, and gives the old value and the entry; gives `value`
    /// back if there is no such key. O(1), or O(log n) where an expiry is cleared.
    #[inline]
    pub fn replace(&mut self, key: &[u8], value: Value, expiry: Expiry, now: i64) -> Result<(Value, &Entry), Value> {
        let hash = Table::<Box<Entry>>::hash(key);
        let entry = self.keys.get_mut_hashed(hash, key).filter(|entry| !entry.is_expired(now));
        let Some(entry) = entry else { return Err(value) };
        let old = std::mem::replace(&mut entry.value, value);
        if expiry == Expiry::Clear
            && let Some(time) = entry.expiry()
        {
            entry.set_expiry(None);
            self.expiries.remove(|indexed| indexed.cmp(&(time, hash)));
        }
        Ok((old, entry))
    }

    /// The key's entry, expired or not, and whether `make` made it just now, for this key and without an expiry. O(1).
    #[inline]
    pub fn get_or_insert(&mut self, key: &[u8], make: impl FnOnce() -> Entry) -> (&mut Entry, bool) {
        let (entry, is_new) = self.keys.get_or_insert_with(key, || Box::new(make()));
        (&mut **entry, is_new)
    }

    /// Adds a key that does not exist. O(1), or O(log n) if it expires.
    pub fn insert_new(&mut self, entry: Entry) {
        let hash = Table::<Box<Entry>>::hash(entry.key());
        self.reindex(hash, None, entry.expiry());
        let replaced = self.keys.insert_hashed(hash, Box::new(entry));
        debug_assert!(replaced.is_none());
    }

    /// Sets or clears the key's expiry; false if there is no such key. O(log n).
    pub fn set_expiry(&mut self, key: &[u8], expiry: Option<i64>) -> bool {
        let hash = Table::<Box<Entry>>::hash(key);
        let Some(entry) = self.keys.get_mut_hashed(hash, key) else { return false };
        let before = entry.expiry();
        entry.set_expiry(expiry);
        let after = entry.expiry();
        self.reindex(hash, before, after);
        true
    }

    /// Removes the key. O(1), or O(log n) if it has an expiry.
    pub fn remove(&mut self, key: &[u8]) -> Option<Box<Entry>> {
        let hash = Table::<Box<Entry>>::hash(key);
        let entry = self.keys.remove_hashed(hash, key)?;
        self.reindex(hash, entry.expiry(), None);
        Some(entry)
    }

    /// Bytes that the table and the index of expiries occupy, without the entries.
    pub fn overhead(&self) -> usize {
        self.keys.memory() + self.expiries.memory()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::store::value::StringValue;

    #[derive(Clone, Debug)]
    enum Step {
        Put(u8, Option<i64>),
        Replace(u8, Expiry),
        Expire(u8, Option<i64>),
        Remove(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        let expiry = || prop::option::of(0..20i64);
        prop_oneof![
            (0..40u8, expiry()).prop_map(|(key, expiry)| Step::Put(key, expiry)),
            (0..40u8, prop_oneof![Just(Expiry::Keep), Just(Expiry::Clear)])
                .prop_map(|(key, expiry)| Step::Replace(key, expiry)),
            (0..40u8, expiry()).prop_map(|(key, expiry)| Step::Expire(key, expiry)),
            (0..40u8).prop_map(Step::Remove),
        ]
    }

    fn value() -> super::Value {
        super::Value::String(StringValue::new(b"value"))
    }

    proptest! {
        #[test]
        fn the_index_has_every_expiry_once(steps in prop::collection::vec(step(), 0..200)) {
            let mut database = Database::default();
            let mut model: BTreeMap<u8, Option<i64>> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Put(key, expiry) => {
                        database.remove(&[key]);
                        let mut entry = Entry::new(&[key], value());
                        entry.set_expiry(expiry);
                        database.insert_new(entry);
                        model.insert(key, expiry);
                    }
                    Step::Replace(key, keep) => {
                        let replaced = database.replace(&[key], value(), keep, i64::MIN).is_ok();
                        prop_assert_eq!(replaced, model.contains_key(&key));
                        if replaced && keep == Expiry::Clear {
                            model.insert(key, None);
                        }
                    }
                    Step::Expire(key, expiry) => {
                        let known = database.set_expiry(&[key], expiry);
                        prop_assert_eq!(known, model.contains_key(&key));
                        if known {
                            model.insert(key, expiry);
                        }
                    }
                    Step::Remove(key) => {
                        prop_assert_eq!(database.remove(&[key]).is_some(), model.remove(&key).is_some());
                    }
                }
                let mut expiries: Vec<i64> = model.values().flatten().copied().collect();
                expiries.sort_unstable();
                let indexed: Vec<i64> =
                    (0..database.expiring()).filter_map(|rank| database.expiring_at(rank)?.expiry()).collect();
                prop_assert_eq!(&indexed, &expiries);
                prop_assert_eq!(database.next_expiry(), expiries.first().copied());
                prop_assert_eq!(database.len(), model.len());
                prop_assert_eq!(database.first_expired(9).is_some(), expiries.first().is_some_and(|first| *first <= 9));
            }
            for (key, expiry) in model {
                prop_assert_eq!(database.get(&[key]).and_then(Entry::expiry), expiry);
            }
        }
    }

    #[test]
    fn no_time_is_too_late_to_expire() {
        let mut database = Database::default();
        database.insert_new(Entry::new(b"key", value()));
        assert!(database.set_expiry(b"key", Some(i64::MAX)));
        assert_eq!(database.next_expiry(), Some(i64::MAX - 1));
        assert_eq!(database.expiring(), 1);
    }

    #[test]
    fn the_mean_time_to_live_is_of_keys_all_over_the_index() {
        let mut database = Database::default();
        assert_eq!(database.mean_time_to_live(0, 10), 0);
        for number in 0..100i64 {
            database.insert_new(Entry::new(&number.to_be_bytes(), value()));
            database.set_expiry(&number.to_be_bytes(), Some(1000 + number));
        }
        assert_eq!(database.mean_time_to_live(1000, 100), 49);
        assert_eq!(database.mean_time_to_live(1000, 10), 45);
        assert_eq!(database.mean_time_to_live(5000, 10), 0);
    }
}
