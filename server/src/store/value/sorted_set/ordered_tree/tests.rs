use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::*;

impl<T: Ord + Clone> OrderedTree<T> {
    /// Panics unless the tree is as its documentation says.
    fn check(&self) {
        assert_eq!(self.root.check(true, true).0, self.len);
        assert!(self.range(0..self.len).is_sorted_by(|a, b| a < b));
    }
}

impl<T: Ord + Clone> Node<T> {
    /// The number of items and the height, once all that lies below is checked.
    fn check(&self, is_root: bool, is_last: bool) -> (usize, usize) {
        match self {
            Node::Leaf(items) => {
                assert!(items.len() <= LEAF_CAPACITY);
                let minimum = if is_last { 1 } else { LEAF_MINIMUM };
                assert!(is_root || items.len() >= minimum);
                (items.len(), 0)
            }
            Node::Branch(branch) => {
                let len = branch.children.len();
                assert!(len < BRANCH_CAPACITY);
                assert!(len >= if is_last { 2 } else { BRANCH_MINIMUM });
                assert_eq!(branch.counts.len(), len);
                assert_eq!(branch.separators.len(), len - 1);
                let checked = branch.children.iter().enumerate();
                let checked: Vec<_> =
                    checked.map(|(index, child)| child.check(false, is_last && index + 1 == len)).collect();
                assert!(checked.iter().map(|&(count, _)| count).eq(branch.counts.iter().copied()));
                assert!(checked.iter().all(|&(_, height)| height == checked[0].1));
                for (index, separator) in branch.separators.iter().enumerate() {
                    assert!(branch.children[index].edge(true) < separator);
                    assert!(branch.children[index + 1].edge(false) >= separator);
                }
                (branch.counts.iter().sum(), checked[0].1 + 1)
            }
        }
    }

    /// The first or the last item.
    fn edge(&self, last: bool) -> &T {
        match self {
            Node::Leaf(items) => &items[if last { items.len() - 1 } else { 0 }],
            Node::Branch(branch) => branch.children[if last { branch.children.len() - 1 } else { 0 }].edge(last),
        }
    }
}

fn tree_of(items: impl IntoIterator<Item = u32>) -> OrderedTree<u32> {
    let mut tree = OrderedTree::new();
    items.into_iter().for_each(|item| tree.insert(item));
    tree.check();
    tree
}

/// Every other number below `2 * len`, in random order.
fn shuffled(len: u32, random: &mut SmallRng) -> Vec<u32> {
    let mut items: Vec<u32> = (0..len).map(|item| 2 * item).collect();
    items.shuffle(random);
    items
}

#[test]
fn an_empty_tree_has_nothing() {
    let mut tree = OrderedTree::<u32>::new();
    assert_eq!(tree.len(), 0);
    assert_eq!(tree.get(0), None);
    assert_eq!(tree.range(0..0).next(), None);
    assert_eq!(tree.range(0..0).next_back(), None);
    assert_eq!(tree.partition_point(|_| true), 0);
    assert_eq!(tree.remove(|item| item.cmp(&1)), None);
    assert_eq!(tree.memory(), 0);
    tree.remove_range(0..0, |_| panic!("there is nothing to remove"));
}

#[test]
fn ranks_and_items_turn_into_each_other() {
    let mut random = SmallRng::seed_from_u64(1);
    // Three levels from 4,096 on.
    for len in [1, 63, 64, 65, 1_000, 30_000] {
        let tree = tree_of(shuffled(len, &mut random));
        assert_eq!(tree.len(), len as usize);
        for item in 0..len {
            assert_eq!(tree.get(item as usize), Some(&(2 * item)));
            assert_eq!(tree.partition_point(|other| *other < 2 * item), item as usize);
            assert_eq!(tree.partition_point(|other| *other <= 2 * item), item as usize + 1);
        }
        assert_eq!(tree.get(len as usize), None);
    }
}

#[test]
fn items_that_come_in_order_fill_their_leaves() {
    let tree = tree_of(0..100_000);
    let items = 100_000 * size_of::<u32>();
    assert!(tree.memory() < items + items / 2, "{} bytes for {items}", tree.memory());
    tree_of((0..10_000).rev());
}

#[test]
fn removal_keeps_the_tree_in_shape() {
    for seed in 0..20 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut items = shuffled(6_000, &mut random);
        let mut tree = tree_of(items.iter().copied());
        if seed % 2 == 0 {
            items.shuffle(&mut random);
        } else {
            items.sort();
        }
        while let Some(item) = items.pop() {
            assert_eq!(tree.remove(|other| other.cmp(&(item + 1))), None);
            assert_eq!(tree.remove(|other| other.cmp(&item)), Some(item));
            assert_eq!(tree.len(), items.len());
            if items.len() & 127 == 0 || items.len() < 200 {
                tree.check();
            }
        }
    }
}

#[test]
fn a_range_is_removed_in_order() {
    let mut random = SmallRng::seed_from_u64(2);
    for len in [50, 500, 20_000] {
        let mut items: Vec<u32> = (0..len).collect();
        let mut tree = tree_of(items.iter().copied());
        while !items.is_empty() {
            let start = random.random_range(0..=items.len());
            let end = random.random_range(start..=items.len());
            let mut removed = Vec::new();
            tree.remove_range(start..end, |item| removed.push(item));
            tree.check();
            assert_eq!(removed, items.drain(start..end).collect::<Vec<_>>());
            assert!(tree.range(0..tree.len()).eq(&items));
        }
    }
}

#[test]
fn a_range_is_iterated_from_both_sides() {
    let mut random = SmallRng::seed_from_u64(3);
    let tree = tree_of(shuffled(6_000, &mut random));
    for _ in 0..200 {
        let start = random.random_range(0..=6_000);
        let end = random.random_range(start..=6_000);
        let mut expected = (start..end).map(|item| 2 * item as u32);
        let mut items = tree.range(start..end);
        // Now one side wins, now the other.
        let bias = random.random_range(0.0..=1.0);
        loop {
            assert_eq!(items.len(), expected.len());
            let (item, expected) = if random.random_bool(bias) {
                (items.next(), expected.next())
            } else {
                (items.next_back(), expected.next_back())
            };
            assert_eq!(item.copied(), expected);
            if item.is_none() {
                break;
            }
        }
        assert!(items.next().is_none() && items.next_back().is_none());
    }
}

#[test]
#[should_panic(expected = "ranks 0..4 of 3")]
fn a_range_beyond_the_end_is_refused() {
    tree_of(0..3).range(0..4);
}

#[test]
fn equal_calls_make_equal_shapes() {
    let build = || {
        let mut random = SmallRng::seed_from_u64(4);
        let mut tree = tree_of(shuffled(5_000, &mut random));
        for _ in 0..2_000 {
            let item = random.random_range(0..10_000);
            tree.remove(|other| other.cmp(&item));
        }
        tree
    };
    assert_eq!(format!("{:?}", build()), format!("{:?}", build()));
    assert_eq!(format!("{:?}", build()), format!("{:?}", build().clone()));
}
