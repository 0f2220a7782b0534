use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::segmented::{
    CHUNK, DEPTH_LIMIT, ENTRIES_PER_SEGMENT, MERGE_BELOW, SEGMENT_BUCKETS, SEGMENT_CAPACITY, Segment,
};
use super::*;
use crate::store::SmallBytes;

/// The hash function of most tests: one and the same in every run.
static FIXED: Hasher = Hasher::with_seeds([1, 2, 3, 4]);

thread_local! {
    /// How many hashes of [`Item`]s this thread has computed.
    static HASHES: Cell<usize> = const { Cell::new(0) };
}

/// What tests keep in tables; the kinds differ in their hash function.
trait Sample: Keyed + Clone + PartialEq + fmt::Debug {
    fn new(number: u32, value: u32) -> Self;
    fn number(&self) -> u32;
    fn value(&self) -> u32;
}

macro_rules! sample {
    ($(#[$attribute:meta])* $name:ident, |$key:ident| $hash:expr) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq)]
        struct $name([u8; 4], u32);

        impl Keyed for $name {
            fn key(&self) -> &[u8] {
                &self.0
            }

            fn hash_key($key: &[u8]) -> u64 {
                $hash
            }
        }

        impl Sample for $name {
            fn new(number: u32, value: u32) -> Self {
                $name(number.to_be_bytes(), value)
            }

            fn number(&self) -> u32 {
                u32::from_be_bytes(self.0)
            }

            fn value(&self) -> u32 {
                self.1
            }
        }
    };
}

sample!(
    /// With a good hash function.
    Item,
    |key| {
        HASHES.set(HASHES.get() + 1);
        FIXED.hash(key)
    }
);
sample!(
    /// With the same hash for all.
    Same,
    |_key| 0x0123_4567_89ab_cdef
);
sample!(
    /// With the greatest scan key for all.
    Last,
    |_key| u64::MAX
);
sample!(
    /// With few hashes, many items for each.
    Few,
    |key| FIXED.hash(&key[3..]) & 0xff1f_0000_0000_00ff
);
sample!(
    /// With the number as its hash: the first bits of the directory are always 0.
    Plain,
    |key| u64::from(u32::from_be_bytes(key.try_into().unwrap())) << 8
);

fn check<T: Sample>(table: &Table<T>) {
    assert_eq!(table.iter().count(), table.len());
    assert_eq!(table.iter().len(), table.len());
    let Form::Large(segmented) = &table.form else { return };
    let Segmented { directory, segments, len, widest, depth, segments_of_depth } = &**segmented;
    assert!(segments.len() > 1);
    assert!(segments.chunks.iter().rev().skip(1).all(|chunk| chunk.len() == CHUNK));
    assert_eq!(directory.len(), 1 << depth);
    assert!(directory.len() <= segments.len() * ENTRIES_PER_SEGMENT * 2);
    assert!(segments_of_depth[usize::from(*depth)] > 0, "half of the directory would do");
    for (position, &index) in directory.iter().enumerate() {
        let segment = segments.get(index as usize);
        assert_eq!(position >> (depth - segment.depth), segment.prefix as usize);
    }
    let mut depths = [0; DEPTH_LIMIT + 1];
    let mut items = 0;
    for (index, segment) in segments.chunks.iter().flatten().enumerate() {
        assert!(directory.contains(&(index as u32)));
        depths[usize::from(segment.depth)] += 1;
        items += segment.items.len();
        assert!(segment.items.num_buckets() <= *widest);
        for item in &segment.items {
            assert_eq!(segmented.find(hash_of(item)), index);
        }
        let buddy = directory[((segment.prefix ^ 1) as usize) << (depth - segment.depth)];
        let buddy = segments.get(buddy as usize);
        assert!(buddy.depth != segment.depth || buddy.items.len() + segment.items.len() >= MERGE_BELOW);
    }
    assert_eq!(depths, *segments_of_depth);
    assert_eq!(items, *len);
}

fn contents<T: Sample>(table: &Table<T>) -> BTreeMap<u32, u32> {
    table.iter().map(|item| (item.number(), item.value())).collect()
}

/// Random operations on a table and on a tree; the number of keys goes up to about `most` and down, by turns.
fn against_model<T: Sample>(seed: u64, operations: u32, most: u32) {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut table = Table::<T>::new();
    let mut model = BTreeMap::new();
    for step in 0..operations {
        let grows = (step / (2 * most)).is_multiple_of(2);
        let number = random.random_range(0..most);
        let key = number.to_be_bytes();
        match random.random_range(0..16) {
            0 => assert_eq!(table.get(&key).map(T::value), model.get(&number).copied()),
            1 => {
                let item = table.get_mut(&key);
                assert_eq!(item.is_some(), model.contains_key(&number));
                if let Some(item) = item {
                    *item = T::new(number, step);
                    model.insert(number, step);
                }
            }
            2 if grows => {
                let (item, created) = table.get_or_insert_with(&key, || T::new(number, step));
                assert_eq!(created, !model.contains_key(&number));
                assert_eq!(item.value(), *model.entry(number).or_insert(step));
            }
            3 if random.random_range(0..most) == 0 => {
                let divisor = random.random_range(2..20);
                table.retain(|item| item.number() % divisor == 0);
                model.retain(|number, _| number % divisor == 0);
                check(&table);
            }
            choice if (choice < 12) == grows => {
                assert_eq!(table.insert(T::new(number, step)).map(|item| item.value()), model.insert(number, step));
            }
            _ => assert_eq!(table.remove(&key).map(|item| item.value()), model.remove(&number)),
        }
        assert_eq!(table.len(), model.len());
        if step % (most / 4 + 1) == 0 {
            check(&table);
            assert_eq!(contents(&table), model);
        }
    }
    for number in 0..most {
        assert_eq!(table.contains(&number.to_be_bytes()), model.contains_key(&number));
        assert_eq!(table.remove(&number.to_be_bytes()).map(|item| item.value()), model.remove(&number));
        if number % 64 == 0 {
            check(&table);
        }
    }
    assert!(table.is_empty() && matches!(table.form, Form::Small(_)));
}

#[test]
fn behaves_like_a_tree() {
    against_model::<Item>(1, 2_000, 10);
    against_model::<Item>(2, 20_000, 500);
    against_model::<Item>(3, 200_000, 20_000);
    against_model::<Plain>(4, 50_000, 5_000);
}

#[test]
fn behaves_like_a_tree_with_a_bad_hash_function() {
    against_model::<Same>(5, 8_000, 1_000);
    against_model::<Last>(6, 8_000, 1_000);
    against_model::<Few>(7, 40_000, 5_000);
}

#[test]
fn equal_operations_make_equal_tables() {
    let mut random = SmallRng::seed_from_u64(8);
    let mut tables = [Table::<Item>::new(), Table::new()];
    for round in 0..40 {
        for step in 0..2_000 {
            let number = random.random_range(0..10_000);
            let inserts = random.random_range(0..40) < if round < 20 { 30 } else { 8 };
            for table in &mut tables {
                if inserts {
                    table.insert(Item::new(number, step));
                } else {
                    table.remove(&number.to_be_bytes());
                }
            }
        }
        // Reads of one table alone, and a copy in its place: neither may make a difference.
        let _ = tables[0].scan(1 << 40, 100, |_| ());
        let _ = tables[0].get(b"none");
        tables[0] = tables[0].clone();
        let [first, second] = &tables;
        assert!(first.iter().eq(second.iter()));
        let draws = |table: &Table<Item>| {
            let mut random = SmallRng::seed_from_u64(round);
            let draws = (0..100).map(|_| table.random(&mut || random.random()).cloned());
            draws.collect::<Vec<_>>()
        };
        assert_eq!(draws(first), draws(second));
    }
}

/// Scans while other items come and go, many enough to split and to merge every segment meanwhile.
fn scan_among_changes<T: Sample>(seed: u64, most: u32) {
    let mut random = SmallRng::seed_from_u64(seed);
    let lasting: BTreeSet<u32> = (0..most).step_by(50).collect();
    let mut table = Table::<T>::new();
    for &number in &lasting {
        table.insert(T::new(number, 0));
    }
    let (mut fewest, mut greatest) = (usize::MAX, 0);
    for round in 0..10 {
        let mut seen = BTreeMap::new();
        let mut cursor = 0;
        let mut steps = 0;
        loop {
            let count = random.random_range(1..most as usize / 100);
            cursor = table.scan(cursor, count, |item| *seen.entry(item.number()).or_insert(0) += 1);
            assert!(cursor < SCAN_END);
            if cursor == 0 {
                break;
            }
            steps += 1;
            let grows = (round + steps / 10) % 2 == 0;
            for _ in 0..random.random_range(0..most / 8) {
                let number = random.random_range(0..most);
                if grows {
                    table.insert(T::new(number, round));
                } else if !lasting.contains(&number) {
                    table.remove(&number.to_be_bytes());
                }
            }
            (fewest, greatest) = (fewest.min(table.len()), greatest.max(table.len()));
        }
        for number in &lasting {
            assert_eq!(seen.get(number), Some(&1), "an item that was there all the time");
        }
    }
    check(&table);
    assert!(greatest > 4 * fewest, "{fewest} to {greatest} items");
}

#[test]
fn a_scan_sees_whatever_stays() {
    scan_among_changes::<Item>(9, 20_000);
    scan_among_changes::<Item>(10, 1_000);
    scan_among_changes::<Plain>(11, 5_000);
    scan_among_changes::<Few>(12, 5_000);
}

fn scan_all<T: Sample>(table: &Table<T>, count: usize) -> (Vec<u32>, usize) {
    let (mut seen, mut steps, mut cursor) = (Vec::new(), 0, 0);
    loop {
        cursor = table.scan(cursor, count, |item| seen.push(item.number()));
        steps += 1;
        if cursor == 0 {
            seen.sort_unstable();
            return (seen, steps);
        }
    }
}

#[test]
fn a_scan_takes_as_many_steps_as_it_should() {
    assert_eq!(scan_all(&Table::<Item>::new(), 10), (vec![], 1));
    for most in [1, 10, 200, 300, 5_000] {
        let table = filled::<Item>(most);
        for count in [1, 10, 224, 1_000, usize::MAX] {
            let (seen, steps) = scan_all(&table, count);
            assert!(seen.into_iter().eq(0..most));
            assert_eq!(steps, (most as usize).div_ceil(count), "{most} by {count}");
        }
        assert_eq!(scan_all(&table, 0), scan_all(&table, 1));
        for cursor in [SCAN_END, u64::MAX] {
            assert_eq!(table.scan(cursor, 10, |_| panic!("nothing is behind the end")), 0);
        }
    }
}

#[test]
fn a_scan_takes_equal_hashes_together() {
    assert_eq!(scan_all(&filled::<Same>(1_000), 10), ((0..1_000).collect(), 2));
    assert_eq!(scan_all(&filled::<Last>(1_000), 10), ((0..1_000).collect(), 1));
    assert_eq!(scan_all(&filled::<Few>(5_000), 10).0, (0..5_000).collect::<Vec<_>>());
}

fn filled<T: Sample>(most: u32) -> Table<T> {
    let mut table = Table::new();
    for number in 0..most {
        table.insert(T::new(number, 0));
    }
    check(&table);
    table
}

/// Draws 100 times as often as there are items and compares how often each came.
fn assert_uniform<T: Sample>(table: &Table<T>) {
    let mut random = SmallRng::seed_from_u64(13);
    let mut times: BTreeMap<u32, f64> = table.iter().map(|item| (item.number(), 0.0)).collect();
    for _ in 0..table.len() * 100 {
        let item = table.random(&mut || random.random()).expect("it has items");
        *times.get_mut(&item.number()).expect("one of the items") += 1.0;
    }
    // The sum has a mean of `n` and a variance of `2 n`, nearly.
    let sum: f64 = times.values().map(|times| (times - 100.0) * (times - 100.0) / 100.0).sum();
    let n = table.len() as f64 - 1.0;
    assert!((sum - n).abs() < 4.0 * (2.0 * n).sqrt(), "{sum} for {n}");
}

#[test]
fn random_items_are_uniform() {
    assert!(Table::<Item>::new().random(&mut || panic!("nothing to draw")).is_none());
    for most in [2, 3, 30, 230, 2_000] {
        assert_uniform(&filled::<Item>(most));
    }
    // Segments of different depths and widths: most of the items share their first bits.
    assert_uniform(&filled::<Plain>(2_000));
    let mut table = filled::<Item>(4_000);
    table.retain(|item| Item::hash_key(item.key()) >> 54 & 3 == 0 || item.number() % 20 == 0);
    check(&table);
    assert_uniform(&table);
    assert_uniform(&filled::<Few>(600));
}

#[test]
fn numbers_below_a_bound_are_uniform() {
    // Of 2⁶⁴ numbers, `0` and few others would give the smallest result once too often.
    let mut draws = [0, u64::MAX].into_iter();
    assert_eq!(below(3, &mut || draws.next().unwrap()), 2);
    let mut draws = [0, 5].into_iter();
    assert_eq!(below(1 << 40, &mut || draws.next().unwrap()), 0);
    assert_eq!(draws.next(), Some(5), "a power of two wastes nothing");
}

#[test]
fn memory_comes_and_goes_with_the_items() {
    assert_eq!(mem::size_of::<Table<Box<Item>>>(), 32);
    assert_eq!(mem::size_of::<Segment<Item>>(), 40);
    let mut table = Table::<Item>::new();
    assert_eq!(table.memory(), 0);
    table.insert(Item::new(0, 0));
    assert!(table.memory() <= 64);
    for number in 0..200_000 {
        table.insert(Item::new(number, 0));
    }
    let full = table.memory();
    assert!((200_000 * 9..200_000 * 24).contains(&full), "{full}");
    for number in 1_000_u32..200_000 {
        table.remove(&number.to_be_bytes());
    }
    assert!(table.memory() < full / 20, "{} of {full}", table.memory());
    for number in 1_u32..1_000 {
        table.remove(&number.to_be_bytes());
    }
    assert!(table.memory() <= 64, "{}", table.memory());
    table.clear();
    assert_eq!(table.memory(), 0);
    let mut table = filled::<Item>(100_000);
    table.retain(|item| item.number() % 1_000 == 0);
    check(&table);
    assert!(table.memory() < 8_192, "{}", table.memory());
}

/// The work of one operation, in hashes, whatever the size: this is what the table is for.
#[test]
fn no_operation_moves_more_than_a_segment() {
    let mut table = Table::<Item>::new();
    let mut work = |change: &mut dyn FnMut(&mut Table<Item>)| {
        let before = HASHES.get();
        change(&mut table);
        HASHES.get() - before
    };
    for number in 0..100_000 {
        let hashes = work(&mut |table| _ = table.insert(Item::new(number, 0)));
        assert!(hashes <= SEGMENT_CAPACITY + 1, "an insert computed {hashes} hashes");
    }
    // As many come as go: the removed items leave traces in the segments.
    for number in 0..200_000 {
        let mut hashes = work(&mut |table| _ = table.remove(&u32::to_be_bytes(number)));
        hashes += work(&mut |table| _ = table.insert(Item::new(number + 100_000, 0)));
        assert!(hashes <= SEGMENT_CAPACITY + 2, "a removal and an insert computed {hashes} hashes");
    }
    assert_eq!(work(&mut |table| check_widest(table)), 0);
    for number in 200_000..300_000 {
        let hashes = work(&mut |table| _ = table.remove(&u32::to_be_bytes(number)));
        assert!(hashes <= 4 * MERGE_BELOW, "a removal computed {hashes} hashes");
    }
}

#[test]
fn a_small_table_stays_small_while_items_come_and_go() {
    let mut table = filled::<Item>(150);
    for number in 150..20_000_u32 {
        table.remove(&(number - 150).to_be_bytes());
        table.insert(Item::new(number, 0));
        assert!(matches!(&table.form, Form::Small(items) if items.num_buckets() <= SEGMENT_BUCKETS));
    }
}

fn check_widest(table: &Table<Item>) {
    assert!(table.parts().all(|items| items.num_buckets() <= SEGMENT_BUCKETS));
}

#[test]
fn all_items_are_iterated_over() {
    for most in [0, 5, 5_000] {
        let mut table = filled::<Item>(most);
        for item in table.iter_mut() {
            *item = Item::new(item.number(), item.number() + 1);
        }
        let expected: BTreeMap<u32, u32> = (0..most).map(|number| (number, number + 1)).collect();
        assert_eq!(contents(&table), expected);
        let order: Vec<u32> = table.iter().map(Sample::number).collect();
        let mut drained = table.drain();
        assert!(table.is_empty());
        assert_eq!(drained.len(), most as usize);
        drained.next();
        assert!(drained.map(|item| item.number()).eq(order.into_iter().skip(1)));
    }
}

#[test]
fn keys_of_all_kinds_are_found() {
    let mut set = Table::<SmallBytes>::new();
    let mut map = Table::<Box<(SmallBytes, usize)>>::new();
    let keys: Vec<Vec<u8>> = (0..2_000).map(|number| vec![number as u8; number / 8]).collect();
    for (number, key) in keys.iter().enumerate() {
        set.insert(SmallBytes::new(key));
        map.insert(Box::new((SmallBytes::new(key), number)));
    }
    for key in &keys {
        let hash = Table::<SmallBytes>::hash(key);
        assert_eq!(set.get_hashed(hash, key).map(SmallBytes::as_slice), Some(&key[..]));
        assert_eq!(map.find_by_hash(hash, |entry| *entry.0 == **key).map(|entry| &*entry.0), Some(&key[..]));
    }
    assert_eq!(set.len(), map.len());
    assert!(!set.contains(b"none"));
    assert_eq!(format!("{:?}", Table::<Item>::new()), "{}");
}
