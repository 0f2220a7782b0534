//! An ordered set that knows ranks: a B+ tree whose branches count what lies below each child.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::iter::FusedIterator;
use std::ops::Range;
use std::slice;

/// The most items of a leaf. Half as many make a long iteration twice as slow; twice as many make insertions and
/// removals, which move half of a leaf on average, no faster for the levels that they save.
const LEAF_CAPACITY: usize = 64;

/// A branch with this many children is split, so that the allocations of the others need not be longer.
const BRANCH_CAPACITY: usize = 64;

/// A node below this size is joined with a neighbour. A quarter and not a half: a leaf that was split or
/// shared out can then lose and gain a quarter of its capacity before it moves items again.
const LEAF_MINIMUM: usize = LEAF_CAPACITY / 4;
const BRANCH_MINIMUM: usize = BRANCH_CAPACITY / 4;

/// An ordered set of which every item has a rank.
///
/// All items lie in leaves, in runs of up to 64, so iteration walks arrays. A branch holds, for each child, the
/// number of items below it, so that one descent turns an item into its rank or a rank into its item.
///
/// The shape depends on the calls made and on nothing else: two trees that had the same calls are equal in
/// every node.
#[derive(Clone, Debug)]
pub(crate) struct OrderedTree<T> {
    root: Node<T>,
    len: usize,
}

#[derive(Clone, Debug)]
enum Node<T> {
    Leaf(Vec<T>),
    Branch(Box<Branch<T>>),
}

/// An inner node; it has at least two children.
#[derive(Clone, Debug)]
struct Branch<T> {
    /// `separators[i]` lies above every item of `children[i]`, and at or below every item of `children[i + 1]`.
    /// It need not be an item itself: a removal leaves it.
    separators: Vec<T>,
    /// `counts[i]` is the number of items below `children[i]`.
    counts: Vec<usize>,
    children: Vec<Node<T>>,
}

/// The right half of a node that was split, and the least item that may lie in it.
struct Split<T> {
    separator: T,
    right: Node<T>,
}

impl<T> OrderedTree<T> {
    /// An empty tree; it allocates nothing.
    pub(crate) fn new() -> Self {
        OrderedTree { root: Node::Leaf(Vec::new()), len: 0 }
    }

    /// The number of items; O(1).
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The number of items before the first for which `is_before` is false; O(log n).
    ///
    /// `is_before` must be true for all items up to some point and false from there. If it is not, the result is
    /// some number up to `len`.
    pub(crate) fn partition_point(&self, is_before: impl Fn(&T) -> bool) -> usize {
        let mut rank = 0;
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(items) => return rank + items.partition_point(&is_before),
                Node::Branch(branch) => {
                    let index = branch.separators.partition_point(&is_before);
                    rank += branch.counts[..index].iter().sum::<usize>();
                    node = &branch.children[index];
                }
            }
        }
    }

    /// The item that has `rank`; O(log n).
    pub(crate) fn get(&self, rank: usize) -> Option<&T> {
        let (items, offset) = self.leaf_at(rank);
        items.get(offset)
    }

    /// The items from the first of `ranks` up to its end, from either side; O(log n) to start and for each leaf.
    ///
    /// # Panics
    /// If the range ends beyond `len`, or before its start.
    pub(crate) fn range(&self, ranks: Range<usize>) -> Iter<'_, T> {
        assert!(ranks.start <= ranks.end && ranks.end <= self.len, "ranks {ranks:?} of {}", self.len);
        Iter { tree: Some(self), front: [].iter(), unloaded: ranks, back: [].iter() }
    }

    /// The leaf that holds `rank`, and the place of `rank` in it. For a rank at or above `len` that place is past
    /// the end of the last leaf.
    fn leaf_at(&self, mut rank: usize) -> (&[T], usize) {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(items) => return (items, rank),
                Node::Branch(branch) => {
                    let (index, offset) = branch.child_at(rank);
                    rank = offset;
                    node = &branch.children[index];
                }
            }
        }
    }

    /// The bytes allocated for nodes, not counting what the items themselves refer to; O(n / 4,000), for it visits
    /// the branches and takes every leaf as full.
    pub(crate) fn memory(&self) -> usize {
        match &self.root {
            Node::Leaf(items) => items.capacity() * size_of::<T>(),
            Node::Branch(branch) => branch.memory(),
        }
    }
}

impl<T> Default for OrderedTree<T> {
    fn default() -> Self {
        OrderedTree::new()
    }
}

impl<T: Ord + Clone> OrderedTree<T> {
    /// Inserts an item, which must not be in the tree yet; O(log n).
    pub(crate) fn insert(&mut self, item: T) {
        self.len += 1;
        if let Some(Split { separator, right }) = self.root.insert(item, true) {
            let left = std::mem::replace(&mut self.root, Node::Leaf(Vec::new()));
            self.root = Node::Branch(Box::new(Branch {
                separators: vec![separator],
                counts: vec![left.count(), right.count()],
                children: vec![left, right],
            }));
        }
    }

    /// Removes the item that `compare` calls equal, where `compare` is the order of its argument relative to that
    /// item; O(log n).
    pub(crate) fn remove(&mut self, compare: impl Fn(&T) -> Ordering) -> Option<T> {
        let removed = self.root.remove(&compare)?;
        self.len -= 1;
        self.lower_root();
        Some(removed)
    }

    /// Removes the items of `ranks` and hands each to `removed`, in order; O(k + k / 64 · log n) for k items.
    ///
    /// # Panics
    /// If the range ends beyond `len`, or before its start.
    pub(crate) fn remove_range(&mut self, ranks: Range<usize>, mut removed: impl FnMut(T)) {
        assert!(ranks.start <= ranks.end && ranks.end <= self.len, "ranks {ranks:?} of {}", self.len);
        let mut remaining = ranks.len();
        while remaining > 0 {
            let count = self.root.remove_run(ranks.start, remaining, &mut removed);
            remaining -= count;
            self.len -= count;
            self.lower_root();
        }
    }

    /// Drops a root that has a single child left.
    fn lower_root(&mut self) {
        if let Node::Branch(branch) = &mut self.root {
            if branch.children.len() == 1 {
                self.root = branch.children.remove(0);
            }
        }
    }
}

impl<T> Node<T> {
    /// The number of items at or below this node.
    fn count(&self) -> usize {
        match self {
            Node::Leaf(items) => items.len(),
            Node::Branch(branch) => branch.counts.iter().sum(),
        }
    }

    fn is_small(&self) -> bool {
        match self {
            Node::Leaf(items) => items.len() < LEAF_MINIMUM,
            Node::Branch(branch) => branch.children.len() < BRANCH_MINIMUM,
        }
    }
}

impl<T: Ord + Clone> Node<T> {
    /// Inserts `item`; `is_last` says whether this node is the last of its level.
    fn insert(&mut self, item: T, is_last: bool) -> Option<Split<T>> {
        match self {
            Node::Leaf(items) => {
                let index = items.partition_point(|other| *other < item);
                insert_into_leaf(items, index, item, is_last)
            }
            Node::Branch(branch) => {
                let index = branch.separators.partition_point(|separator| *separator <= item);
                let is_last = is_last && index + 1 == branch.children.len();
                branch.counts[index] += 1;
                let split = branch.children[index].insert(item, is_last)?;
                branch.insert_child(index, split, is_last)
            }
        }
    }

    fn remove(&mut self, compare: &impl Fn(&T) -> Ordering) -> Option<T> {
        match self {
            Node::Leaf(items) => {
                let index = items.binary_search_by(compare).ok()?;
                Some(items.remove(index))
            }
            Node::Branch(branch) => {
                let index = branch.separators.partition_point(|separator| compare(separator).is_le());
                let removed = branch.children[index].remove(compare)?;
                branch.child_shrank(index, 1);
                Some(removed)
            }
        }
    }

    /// Removes items from rank `start` on, at most `limit` and only as many as lie in one leaf. Returns how many.
    fn remove_run(&mut self, start: usize, limit: usize, removed: &mut impl FnMut(T)) -> usize {
        match self {
            Node::Leaf(items) => {
                let end = items.len().min(start + limit);
                items.drain(start..end).for_each(removed);
                end - start
            }
            Node::Branch(branch) => {
                let (index, start) = branch.child_at(start);
                let count = branch.children[index].remove_run(start, limit, removed);
                branch.child_shrank(index, count);
                count
            }
        }
    }
}

/// Inserts `item` at `index`; a full leaf is split.
fn insert_into_leaf<T: Clone>(items: &mut Vec<T>, index: usize, item: T, is_last: bool) -> Option<Split<T>> {
    if items.len() < LEAF_CAPACITY {
        items.insert(index, item);
        return None;
    }
    // Items that come in order, as timestamps do, leave full leaves behind them, not half-full ones.
    let middle = if is_last && index == items.len() { items.len() } else { items.len() / 2 };
    let mut right = Vec::with_capacity(LEAF_CAPACITY);
    right.extend(items.drain(middle..));
    if index < middle {
        items.insert(index, item);
    } else {
        right.insert(index - middle, item);
    }
    Some(Split { separator: right[0].clone(), right: Node::Leaf(right) })
}

impl<T> Branch<T> {
    /// The child that holds `rank`, and the rank within that child. A rank beyond all children is in the last.
    fn child_at(&self, mut rank: usize) -> (usize, usize) {
        let last = self.counts.len() - 1;
        for (index, &count) in self.counts[..last].iter().enumerate() {
            if rank < count {
                return (index, rank);
            }
            rank -= count;
        }
        (last, rank)
    }

    /// See [`OrderedTree::memory`].
    fn memory(&self) -> usize {
        let own = size_of::<Self>()
            + self.separators.capacity() * size_of::<T>()
            + self.counts.capacity() * size_of::<usize>()
            + self.children.capacity() * size_of::<Node<T>>();
        let below = match self.children.first() {
            // All leaves are on one level.
            Some(Node::Leaf(_)) => self.children.len() * LEAF_CAPACITY * size_of::<T>(),
            _ => self
                .children
                .iter()
                .map(|child| match child {
                    Node::Branch(branch) => branch.memory(),
                    Node::Leaf(_) => 0,
                })
                .sum(),
        };
        own + below
    }

    /// Moves the children from `middle` on into a new branch.
    fn split_off(&mut self, middle: usize) -> Option<Split<T>> {
        let children = self.children.split_off(middle);
        let counts = self.counts.split_off(middle);
        let separators = self.separators.split_off(middle);
        let separator = self.separators.pop()?;
        Some(Split { separator, right: Node::Branch(Box::new(Branch { separators, counts, children })) })
    }

    /// Appends the children of `right`, of which `separator` is a lower bound.
    fn append(&mut self, separator: T, mut right: Branch<T>) {
        self.separators.push(separator);
        self.separators.append(&mut right.separators);
        self.counts.append(&mut right.counts);
        self.children.append(&mut right.children);
    }
}

impl<T: Clone> Branch<T> {
    /// Puts the right half of `children[index]`, which was split, behind it; a branch that gets too long is split
    /// in turn.
    fn insert_child(&mut self, index: usize, split: Split<T>, is_last: bool) -> Option<Split<T>> {
        let moved = split.right.count();
        self.counts[index] -= moved;
        self.separators.insert(index, split.separator);
        self.counts.insert(index + 1, moved);
        self.children.insert(index + 1, split.right);
        let len = self.children.len();
        if len < BRANCH_CAPACITY {
            return None;
        }
        // As with leaves, except that a branch must keep two children.
        self.split_off(if is_last { len - 2 } else { len / 2 })
    }

    /// Takes note that `children[index]` lost `count` items.
    fn child_shrank(&mut self, index: usize, count: usize) {
        self.counts[index] -= count;
        if self.children[index].is_small() {
            self.join(index.min(self.children.len() - 2));
        }
    }

    /// Merges `children[index]` with the next child, or shares what they hold evenly if that is too much for one.
    fn join(&mut self, index: usize) {
        let right = self.children.remove(index + 1);
        let separator = self.separators.remove(index);
        let total = self.counts[index] + self.counts.remove(index + 1);
        self.counts[index] = total;
        let split = match (&mut self.children[index], right) {
            (Node::Leaf(left), Node::Leaf(right)) => join_leaves(left, right),
            (Node::Branch(left), Node::Branch(right)) => {
                left.append(separator, *right);
                let len = left.children.len();
                if len >= BRANCH_CAPACITY { left.split_off(len / 2) } else { None }
            }
            _ => unreachable!("all leaves are on one level"),
        };
        if let Some(split) = split {
            // Two children went out and two came back: this branch has not grown.
            self.insert_child(index, split, false);
        }
    }
}

/// Moves all of `right` into `left`, or, if that is too much, as many items one way or the other that both are of
/// one length.
fn join_leaves<T: Clone>(left: &mut Vec<T>, mut right: Vec<T>) -> Option<Split<T>> {
    let total = left.len() + right.len();
    if total <= LEAF_CAPACITY {
        left.append(&mut right);
        return None;
    }
    let half = total / 2;
    if left.len() < half {
        let missing = half - left.len();
        left.extend(right.drain(..missing));
    } else {
        right.splice(0..0, left.drain(half..));
    }
    Some(Split { separator: right[0].clone(), right: Node::Leaf(right) })
}

/// Items of a tree or of a slice in order, from either side.
#[derive(Clone, Debug)]
pub(crate) struct Iter<'a, T> {
    /// Where `unloaded` ranks are found; `None` if there are none.
    tree: Option<&'a OrderedTree<T>>,
    front: slice::Iter<'a, T>,
    /// The ranks between `front` and `back`.
    unloaded: Range<usize>,
    back: slice::Iter<'a, T>,
}

impl<'a, T> Iter<'a, T> {
    /// The items of a slice.
    pub(crate) fn of_slice(items: &'a [T]) -> Self {
        Iter { tree: None, front: items.iter(), unloaded: 0..0, back: [].iter() }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        loop {
            if let Some(item) = self.front.next() {
                return Some(item);
            }
            match self.tree {
                Some(tree) if !self.unloaded.is_empty() => {
                    let (items, offset) = tree.leaf_at(self.unloaded.start);
                    let end = items.len().min(offset + self.unloaded.len());
                    self.front = items[offset..end].iter();
                    self.unloaded.start += end - offset;
                }
                _ => return self.back.next(),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.front.len() + self.unloaded.len() + self.back.len();
        (len, Some(len))
    }
}

impl<T> DoubleEndedIterator for Iter<'_, T> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.back.next_back() {
                return Some(item);
            }
            match self.tree {
                Some(tree) if !self.unloaded.is_empty() => {
                    let (items, offset) = tree.leaf_at(self.unloaded.end - 1);
                    let start = (offset + 1).saturating_sub(self.unloaded.len());
                    self.back = items[start..=offset].iter();
                    self.unloaded.end -= offset + 1 - start;
                }
                _ => return self.front.next_back(),
            }
        }
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}

impl<T> FusedIterator for Iter<'_, T> {}
