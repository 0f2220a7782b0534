//! The types of value that a key can hold.

pub mod hash;
pub mod list;
pub mod set;
pub mod sorted_set;
pub mod string;

pub use hash::Hash;
pub use list::List;
pub use set::Set;
pub use sorted_set::SortedSet;
pub use string::StringValue;

/// What a key holds.
#[derive(Clone, Debug)]
pub enum Value {
    /// A string.
    String(StringValue),
    /// A list.
    List(Box<List>),
    /// A set.
    Set(Box<Set>),
    /// A sorted set.
    SortedSet(Box<SortedSet>),
    /// A hash.
    Hash(Box<Hash>),
}

impl Value {
    /// The type's name, as `TYPE` gives it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Set(_) => "set",
            Value::SortedSet(_) => "zset",
            Value::Hash(_) => "hash",
        }
    }

    /// The name that Redis has for the form in which it would keep the value, as `OBJECT ENCODING` gives it.
    pub fn encoding(&self) -> &'static str {
        match self {
            Value::String(string) => string.encoding(),
            Value::List(list) => list.encoding(),
            Value::Set(set) => set.encoding(),
            Value::SortedSet(sorted_set) => {
                if sorted_set.is_packed() {
                    "listpack"
                } else {
                    "skiplist"
                }
            }
            Value::Hash(hash) => hash.encoding(),
        }
    }

    /// Whether it is a collection without elements, which no key may hold.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::String(_) => false,
            Value::List(list) => list.is_empty(),
            Value::Set(set) => set.is_empty(),
            Value::SortedSet(sorted_set) => sorted_set.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
        }
    }

    /// How many elements a collection has; a string counts as one. O(1).
    pub fn elements(&self) -> usize {
        match self {
            Value::String(_) => 1,
            Value::List(list) => list.len(),
            Value::Set(set) => set.len(),
            Value::SortedSet(sorted_set) => sorted_set.len(),
            Value::Hash(hash) => hash.len(),
        }
    }

    /// Whether it is of a type from which a command takes elements that may wait for them.
    pub fn is_waited_for(&self) -> bool {
        matches!(self, Value::List(_) | Value::SortedSet(_))
    }

    /// Roughly the bytes that it occupies outside of its entry. O(n) for collections.
    pub fn memory(&self) -> usize {
        match self {
            Value::String(string) => string.memory(),
            Value::List(list) => size_of::<List>() + list.memory(),
            Value::Set(set) => size_of::<Set>() + set.memory(),
            Value::SortedSet(sorted_set) => size_of::<SortedSet>() + sorted_set.memory(),
            Value::Hash(hash) => size_of::<Hash>() + hash.memory(),
        }
    }
}
