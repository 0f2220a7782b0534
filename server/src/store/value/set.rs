//! Sets.

mod member;
mod sample;
#[cfg(test)]
mod tests;

pub use member::Member;
use member::Members;

use crate::resp::number::parse_integer;
use crate::store::SmallBytes;
use crate::store::table::Table;

/// Even where the configuration allows more, a set of integers has at most so many members.
const MOST_INTEGERS: usize = 1 << 30;

/// A set of byte strings.
///
/// # Forms
/// A set whose members all spell numbers of 64 bits begins as an ordered array of these, where a change costs O(n) and a
/// look-up O(log n). With the first member that doesn't, or with more members than the caller's limit, it becomes a hash
/// table for good. The costs given for each method are those of the table.
///
/// # Determinism
/// Sets that saw the same calls behave the same, cursors and random choices included.
#[derive(Clone, Debug)]
pub struct Set {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// In order.
    Integers(Vec<i64>),
    Table(Table<SmallBytes>),
}

impl Default for Set {
    fn default() -> Self {
        Set { form: Form::Integers(Vec::new()) }
    }
}

impl Set {
    /// How many members there are. O(1).
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Integers(integers) => integers.len(),
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
            Form::Integers(_) => "intset",
            Form::Table(_) => "hashtable",
        }
    }

    /// Bytes allocated. O(n).
    pub fn memory(&self) -> usize {
        match &self.form {
            Form::Integers(integers) => integers.capacity() * size_of::<i64>(),
            Form::Table(table) => table.memory() + table.iter().map(SmallBytes::heap_size).sum::<usize>(),
        }
    }

    /// Whether `member` is one. O(1).
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.form {
            Form::Integers(integers) => {
                parse_integer(member).is_some_and(|integer| integers.binary_search(&integer).is_ok())
            }
            Form::Table(table) => table.contains(member),
        }
    }

    /// Whether a member of another set is one of this. O(1).
    pub fn contains_member(&self, member: Member<'_>) -> bool {
        match (&self.form, member) {
            (Form::Integers(integers), Member::Integer(integer)) => integers.binary_search(&integer).is_ok(),
            (_, member) => member.with_bytes(|bytes| self.contains(bytes)),
        }
    }

    /// Adds a member; whether it wasn't one before. An array of integers has no more than `most_integers`. O(1).
    pub fn insert(&mut self, member: &[u8], most_integers: usize) -> bool {
        if let Form::Integers(_) = self.form {
            if let Some(integer) = parse_integer(member) {
                return self.insert_integer(integer, most_integers);
            }
            self.convert();
        }
        self.insert_bytes(member)
    }

    /// Adds a member of another set; whether it wasn't one of this before. O(1).
    pub fn insert_member(&mut self, member: Member<'_>, most_integers: usize) -> bool {
        match (&self.form, member) {
            (Form::Integers(_), Member::Integer(integer)) => self.insert_integer(integer, most_integers),
            (_, member) => member.with_bytes(|bytes| self.insert(bytes, most_integers)),
        }
    }

    /// Adds members of another set. O(members).
    pub fn extend<'a>(&mut self, members: impl IntoIterator<Item = Member<'a>>, most_integers: usize) {
        for member in members {
            self.insert_member(member, most_integers);
        }
    }

    fn insert_integer(&mut self, integer: i64, most_integers: usize) -> bool {
        let Form::Integers(integers) = &mut self.form else {
            return Member::Integer(integer).with_bytes(|bytes| self.insert_bytes(bytes));
        };
        // Integers often come in their order.
        let place = match integers.last() {
            Some(last) if *last < integer => Err(integers.len()),
            _ => integers.binary_search(&integer),
        };
        let Err(place) = place else { return false };
        integers.insert(place, integer);
        if integers.len() > most_integers.min(MOST_INTEGERS) {
            self.convert();
        }
        true
    }

    fn insert_bytes(&mut self, member: &[u8]) -> bool {
        match &mut self.form {
            Form::Integers(_) => unreachable!("the set was converted"),
            Form::Table(table) => table.get_or_insert_with(member, || SmallBytes::new(member)).1,
        }
    }

    /// Makes a table of integers.
    #[cold]
    fn convert(&mut self) {
        let mut table = Table::new();
        for member in self.iter() {
            table.insert(member.to_small_bytes());
        }
        self.form = Form::Table(table);
    }

    /// Removes a member; whether it was one. O(1).
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.form {
            Form::Integers(integers) => {
                let place = parse_integer(member).and_then(|integer| integers.binary_search(&integer).ok());
                place.map(|place| integers.remove(place)).is_some()
            }
            Form::Table(table) => table.remove(member).is_some(),
        }
    }

    /// Removes a member of another set; whether it was one of this. O(1).
    pub fn remove_member(&mut self, member: Member<'_>) -> bool {
        member.with_bytes(|bytes| self.remove(bytes))
    }

    /// All members, in an order that depends on nothing but the calls so far.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Member<'_>> {
        match &self.form {
            Form::Integers(integers) => Members::Integers(integers.iter()),
            Form::Table(table) => Members::Table(table.iter()),
        }
    }

    /// One step of an iteration that survives changes: visits about `count` members and gives the cursor of the next
    /// step, or 0 after the last; see [`Table::scan`]. An array of integers goes in one step.
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, mut visit: impl FnMut(Member<'a>)) -> u64 {
        match &self.form {
            Form::Integers(_) => {
                self.iter().for_each(visit);
                0
            }
            Form::Table(table) => table.scan(cursor, count, |member| visit(Member::Bytes(member))),
        }
    }
}
