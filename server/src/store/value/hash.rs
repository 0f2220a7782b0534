//! Hashes.

mod packed;

use self::packed::PackedPairs;
use crate::config::EncodingLimits;
use crate::store::SmallBytes;
use crate::store::table::{Table, below};

/// A field with its value.
type Pair = (SmallBytes, SmallBytes);

/// A map of fields to values.
///
/// It begins *packed*, in the order of insertion in one allocation, where finding a field costs O(n). When it outgrows the
/// limits it becomes a hash table, and remains one. The costs given for each method are those of the table; n is the
/// number of fields.
#[derive(Clone, Debug, Default)]
pub struct Hash {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Packed(PackedPairs),
    Table(Table<Pair>),
}

impl Default for Form {
    fn default() -> Self {
        Form::Packed(PackedPairs::default())
    }
}

impl Hash {
    /// How many fields there are. O(1).
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Packed(pairs) => pairs.len(),
            Form::Table(table) => table.len(),
        }
    }

    /// Whether there is none. O(1).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of its form in Redis.
    pub fn encoding(&self) -> &'static str {
        match &self.form {
            Form::Packed(_) => "listpack",
            Form::Table(_) => "hashtable",
        }
    }

    /// The value of `field`. O(1).
    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        match &self.form {
            Form::Packed(pairs) => pairs.get(field),
            Form::Table(table) => table.get(field).map(|(_, value)| &**value),
        }
    }

    /// Whether there is such a field. O(1).
    pub fn contains(&self, field: &[u8]) -> bool {
        self.get(field).is_some()
    }

    /// Gives `field` the value; whether it is a new field. O(1).
    pub fn insert(&mut self, field: &[u8], value: &[u8], limits: &EncodingLimits) -> bool {
        if let Form::Packed(pairs) = &mut self.form
            && field.len().max(value.len()) <= limits.hash_value
        {
            if pairs.replace(field, value) {
                return false;
            }
            if pairs.len() < limits.hash_entries {
                pairs.push(field, value);
                return true;
            }
        }
        let make = || (SmallBytes::new(field), SmallBytes::default());
        let (pair, is_new) = self.table().get_or_insert_with(field, make);
        pair.1 = SmallBytes::new(value);
        is_new
    }

    /// Removes `field`; whether there was one. O(1).
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.form {
            Form::Packed(pairs) => pairs.remove(field),
            Form::Table(table) => table.remove(field).is_some(),
        }
    }

    /// All fields with their values, those of a packed hash in the order of insertion. O(n); fastest by `for_each`.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let (packed, table) = match &self.form {
            Form::Packed(pairs) => (Some(pairs), None),
            Form::Table(table) => (None, Some(table)),
        };
        let table = table.into_iter().flat_map(Table::iter).map(|(field, value)| (&**field, &**value));
        packed.into_iter().flat_map(PackedPairs::iter).chain(table)
    }

    /// One step of an iteration that survives changes of the hash: visits about `count` fields with their values, and
    /// returns the cursor of the next step, or 0 after the last. The first step has cursor 0. A packed hash goes in one
    /// step; see [`Table::scan`].
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, mut visit: impl FnMut(&'a [u8], &'a [u8])) -> u64 {
        match &self.form {
            Form::Packed(pairs) => {
                pairs.iter().for_each(|(field, value)| visit(field, value));
                0
            }
            Form::Table(table) => table.scan(cursor, count, |(field, value)| visit(field, value)),
        }
    }

    /// One of the fields with its value, each with the same probability, or none if the hash is empty. Expected O(1).
    /// `random` returns 64 random bits; the choice depends on nothing else.
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<(&[u8], &[u8])> {
        match &self.form {
            Form::Packed(pairs) if pairs.len() == 0 => None,
            Form::Packed(pairs) => pairs.iter().nth(below(pairs.len() as u64, random) as usize),
            Form::Table(table) => table.random(random).map(|(field, value)| (&**field, &**value)),
        }
    }

    /// Bytes allocated. O(n).
    pub fn memory(&self) -> usize {
        match &self.form {
            Form::Packed(pairs) => pairs.memory(),
            Form::Table(table) => {
                let elsewhere = table.iter().map(|(field, value)| field.heap_size() + value.heap_size());
                table.memory() + elsewhere.sum::<usize>()
            }
        }
    }

    /// The table, which a packed hash becomes first.
    fn table(&mut self) -> &mut Table<Pair> {
        if let Form::Packed(pairs) = &self.form {
            let mut table = Table::new();
            for (field, value) in pairs.iter() {
                table.insert((SmallBytes::new(field), SmallBytes::new(value)));
            }
            self.form = Form::Table(table);
        }
        match &mut self.form {
            Form::Table(table) => table,
            Form::Packed(_) => unreachable!("the hash has just been converted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn limits() -> EncodingLimits {
        EncodingLimits { hash_entries: 8, hash_value: 6, ..EncodingLimits::default() }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u8, usize),
        Remove(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..20u8, 0..8usize).prop_map(|(field, length)| Step::Insert(field, length)),
            (0..20u8).prop_map(Step::Remove),
        ];
        prop::collection::vec(step, 0..100)
    }

    fn field(number: u8) -> Vec<u8> {
        format!("f{number}").into_bytes()
    }

    proptest! {
        #[test]
        fn it_is_a_map(steps in steps()) {
            let mut hash = Hash::default();
            let mut model = BTreeMap::new();
            let mut outgrown = false;
            for step in steps {
                match step {
                    Step::Insert(number, length) => {
                        let value = vec![b'v'; length];
                        let is_new = model.insert(field(number), value.clone()).is_none();
                        prop_assert_eq!(hash.insert(&field(number), &value, &limits()), is_new);
                        outgrown |= model.len() > limits().hash_entries || length > limits().hash_value;
                    }
                    Step::Remove(number) => {
                        prop_assert_eq!(hash.remove(&field(number)), model.remove(&field(number)).is_some());
                    }
                }
                prop_assert_eq!(hash.encoding(), if outgrown { "hashtable" } else { "listpack" });
                prop_assert_eq!(hash.len(), model.len());
            }
            for number in 0..20 {
                prop_assert_eq!(hash.get(&field(number)), model.get(&field(number)).map(Vec::as_slice));
            }
            let pairs: BTreeMap<_, _> =
                hash.iter().map(|(field, value)| (field.to_vec(), value.to_vec())).collect();
            prop_assert_eq!(&pairs, &model);
            let mut scanned = BTreeMap::new();
            let mut cursor = 0;
            loop {
                cursor = hash.scan(cursor, 3, |field, value| {
                    scanned.insert(field.to_vec(), value.to_vec());
                });
                if cursor == 0 {
                    break;
                }
            }
            prop_assert_eq!(&scanned, &model);
        }
    }

    #[test]
    fn a_packed_hash_keeps_the_order_of_insertion() {
        let mut hash = Hash::default();
        for field in ["b", "a", "c", "a"] {
            hash.insert(field.as_bytes(), b"", &limits());
        }
        hash.remove(b"b");
        hash.insert(b"b", b"", &limits());
        let fields: Vec<_> = hash.iter().map(|(field, _)| field).collect();
        assert_eq!(fields, [b"a", b"c", b"b"]);
    }

    #[test]
    fn a_random_field_may_be_any() {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state
        };
        assert!(Hash::default().random(&mut random).is_none());
        for fields in [5, 30] {
            let mut hash = Hash::default();
            (0..fields).for_each(|number| _ = hash.insert(&field(number), b"", &limits()));
            let mut seen = BTreeMap::new();
            for _ in 0..2000 {
                let (field, _) = hash.random(&mut random).unwrap();
                *seen.entry(field.to_vec()).or_insert(0) += 1;
            }
            assert_eq!(seen.len(), usize::from(fields));
            assert!(seen.values().all(|count| *count > 1000 / usize::from(fields)), "{seen:?}");
        }
    }
}
