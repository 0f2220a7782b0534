use std::ops::Bound;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;

fn redis() -> EncodingLimits {
    limits(128, 64)
}

fn never_packed() -> EncodingLimits {
    limits(0, 0)
}

fn always_packed() -> EncodingLimits {
    limits(usize::MAX, usize::MAX)
}

fn limits(entries: usize, member_bytes: usize) -> EncodingLimits {
    EncodingLimits { sorted_set_entries: entries, sorted_set_value: member_bytes, ..EncodingLimits::default() }
}

/// The same set as a sorted array, where everything is found by looking at all of it.
#[derive(Default)]
struct Model(Vec<(f64, Vec<u8>)>);

impl Model {
    fn position(&self, member: &[u8]) -> Option<usize> {
        self.0.iter().position(|(_, other)| other == member)
    }

    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        Some(self.0.remove(self.position(member)?).0)
    }

    fn insert(&mut self, score: f64, member: &[u8]) -> Option<f64> {
        let previous = self.remove(member);
        let score = previous.filter(|&previous| previous == score).unwrap_or(score);
        self.0.push((score, member.to_vec()));
        self.0.sort_by(|a, b| a.partial_cmp(b).expect("no score is NaN"));
        previous
    }

    /// The members that `is_in` takes.
    fn select(&self, is_in: impl Fn(&(f64, Vec<u8>)) -> bool) -> Vec<(f64, Vec<u8>)> {
        self.0.iter().filter(|entry| is_in(entry)).cloned().collect()
    }
}

fn owned<'a>(entries: impl Iterator<Item = (&'a SmallBytes, f64)>) -> Vec<(f64, Vec<u8>)> {
    entries.map(|(member, score)| (score, member.to_vec())).collect()
}

/// Few enough that members meet again, of all lengths up to 40 and thus in place or not.
fn random_member(random: &mut SmallRng, variety: u32) -> Vec<u8> {
    let number = random.random_range(0..variety);
    format!("{number}{}", "-".repeat(number as usize % 40)).into_bytes()
}

fn random_score(random: &mut SmallRng) -> f64 {
    match random.random_range(0..10) {
        0 => f64::INFINITY,
        1 => f64::NEG_INFINITY,
        2 => -0.0,
        3 => 0.0,
        4 => random.random_range(-1e300..1e300),
        _ => f64::from(random.random_range(-5..=5)) / 2.0,
    }
}

fn random_bound(random: &mut SmallRng) -> Bound<f64> {
    match random.random_range(0..5) {
        0 => Bound::Unbounded,
        1 | 2 => Bound::Included(random_score(random)),
        _ => Bound::Excluded(random_score(random)),
    }
}

fn random_lex_bound<'a>(random: &mut SmallRng, member: &'a [u8]) -> LexBound<'a> {
    match random.random_range(0..6) {
        0 => LexBound::NegativeInfinity,
        1 => LexBound::PositiveInfinity,
        2 | 3 => LexBound::Inclusive(member),
        _ => LexBound::Exclusive(member),
    }
}

fn random_ranks(random: &mut SmallRng, len: usize) -> Range<usize> {
    let start = random.random_range(0..=len);
    start..random.random_range(start..=len)
}

/// Random calls, of which each must do as it does to the model. With `same_score` all scores are 0.
fn compare_with_model(seed: u64, limits: &EncodingLimits, variety: u32, steps: usize, same_score: bool) {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut set = SortedSet::new();
    let mut model = Model::default();
    let mut packed = true;
    for step in 0..steps {
        let member = random_member(&mut random, variety);
        let score = if same_score { 0.0 } else { random_score(&mut random) };
        match random.random_range(0..100_u32) {
            0..60 => {
                assert_eq!(set.insert(score, &member, limits), model.insert(score, &member));
                packed &= model.0.len() <= limits.sorted_set_entries && member.len() <= limits.sorted_set_value;
            }
            60..75 => assert_eq!(set.remove(&member), model.remove(&member)),
            75..79 => {
                let ranks = 0..usize::from(!model.0.is_empty());
                set.remove_range(ranks.clone());
                model.0.drain(ranks);
            }
            79..83 => {
                let rank = random.random_range(0..=model.0.len());
                let expected = model.0.get(rank).cloned();
                assert_eq!(set.at(rank).map(|(member, score)| (score, member.to_vec())), expected);
            }
            83 => {
                let ranks = random_ranks(&mut random, set.len());
                let ranks = ranks.start..ranks.end.min(ranks.start + set.len() / 4);
                set.remove_range(ranks.clone());
                model.0.drain(ranks);
            }
            84..88 => {
                let ranks = random_ranks(&mut random, set.len());
                assert_eq!(owned(set.by_rank(ranks.clone())), model.0[ranks.clone()]);
                let mut backward = owned(set.by_rank(ranks.clone()).rev());
                backward.reverse();
                assert_eq!(backward, model.0[ranks]);
            }
            88..94 => {
                let range = ScoreRange { min: random_bound(&mut random), max: random_bound(&mut random) };
                let expected = model.select(|(score, _)| {
                    let above = match range.min {
                        Bound::Included(min) => *score >= min,
                        Bound::Excluded(min) => *score > min,
                        Bound::Unbounded => true,
                    };
                    let below = match range.max {
                        Bound::Included(max) => *score <= max,
                        Bound::Excluded(max) => *score < max,
                        Bound::Unbounded => true,
                    };
                    above && below
                });
                assert_eq!(owned(set.by_rank(set.ranks_by_score(&range))), expected);
            }
            94.. => {
                let other = random_member(&mut random, variety);
                let min = random_lex_bound(&mut random, &member);
                let max = random_lex_bound(&mut random, &other);
                let ranks = set.ranks_by_lex(&LexRange { min, max });
                let selected = owned(set.by_rank(ranks));
                if same_score {
                    let expected = model.select(|(_, member)| {
                        let above = match min {
                            LexBound::NegativeInfinity => true,
                            LexBound::PositiveInfinity => false,
                            LexBound::Inclusive(min) => member.as_slice() >= min,
                            LexBound::Exclusive(min) => member.as_slice() > min,
                        };
                        let below = match max {
                            LexBound::NegativeInfinity => false,
                            LexBound::PositiveInfinity => true,
                            LexBound::Inclusive(max) => member.as_slice() <= max,
                            LexBound::Exclusive(max) => member.as_slice() < max,
                        };
                        above && below
                    });
                    assert_eq!(selected, expected);
                }
            }
        }
        assert_eq!(set.len(), model.0.len());
        assert_eq!(set.is_empty(), model.0.is_empty());
        assert_eq!(set.is_packed(), packed);
        let member = random_member(&mut random, variety);
        assert_eq!(set.rank(&member), model.position(&member));
        assert_eq!(set.score(&member), model.position(&member).map(|rank| model.0[rank].0));
        if step % 50 == 0 || step + 1 == steps {
            assert_eq!(owned(set.iter()), model.0);
            assert_eq!(set.clone(), set);
        }
    }
}

#[test]
fn a_packed_set_is_as_its_model() {
    for seed in 0..8 {
        compare_with_model(seed, &always_packed(), 100, 2_000, seed % 2 == 0);
    }
}

#[test]
fn an_indexed_set_is_as_its_model() {
    for seed in 0..6 {
        compare_with_model(seed, &never_packed(), 1_500, 3_000, seed % 2 == 0);
    }
}

#[test]
fn a_set_that_is_converted_is_as_its_model() {
    for seed in 0..16 {
        compare_with_model(seed, &limits(60, 1_000), 300, 1_500, seed % 2 == 0);
        compare_with_model(seed, &limits(1_000, 38), 300, 1_500, seed % 2 == 0);
    }
}

#[test]
fn the_limits_decide_on_the_form_and_no_set_goes_back() {
    let mut set = SortedSet::new();
    for number in 0..128 {
        set.insert(0.0, format!("{number}").as_bytes(), &redis());
    }
    assert!(set.is_packed());
    set.insert(1.0, b"5", &redis());
    assert!(set.is_packed(), "another score for a member is no insertion");
    set.insert(0.0, b"128", &redis());
    assert!(!set.is_packed());
    set.remove_range(0..129);
    assert!(set.is_empty() && !set.is_packed());

    let mut set = SortedSet::new();
    set.insert(0.0, &[b'x'; 64], &redis());
    assert!(set.is_packed());
    set.insert(0.0, &[b'y'; 65], &redis());
    assert!(!set.is_packed());

    let mut set = SortedSet::new();
    set.insert(0.0, b"x", &never_packed());
    assert!(!set.is_packed());
}

#[test]
fn zeros_are_equal() {
    for limits in [always_packed(), never_packed()] {
        let mut set = SortedSet::new();
        set.insert(0.0, b"a", &limits);
        set.insert(-0.0, b"b", &limits);
        set.insert(1.0, b"c", &limits);
        set.insert(-0.0, b"c", &limits);
        let copy = SortedSet::from_ordered(set.iter().map(|(member, score)| (member.clone(), score)), &limits);
        for set in [&set, &copy] {
            let signs: Vec<_> = set.iter().map(|(_, score)| score.is_sign_negative()).collect();
            assert_eq!(signs, if set.is_packed() { [false; 3] } else { [false, true, true] });
        }
        for zero in [0.0, -0.0] {
            let at = ScoreRange { min: Bound::Included(zero), max: Bound::Included(zero) };
            assert_eq!(set.ranks_by_score(&at), 0..3);
            let after = ScoreRange { min: Bound::Excluded(zero), max: Bound::Unbounded };
            assert_eq!(set.ranks_by_score(&after), 3..3);
        }
        assert_eq!(set.insert(-0.0, b"a", &limits), Some(0.0));
        assert!(set.score(b"a").is_some_and(f64::is_sign_positive), "an equal score changes nothing");
    }
}

#[test]
fn an_update_depends_on_the_present_score() {
    for limits in [always_packed(), never_packed()] {
        let mut set = SortedSet::new();
        assert_eq!(set.insert_or_update(1.0, b"a", &limits, |_| unreachable!()), None);
        assert_eq!(set.insert_or_update(9.0, b"a", &limits, |present| Some(present + 1.0)), Some(1.0));
        assert_eq!(set.insert_or_update(9.0, b"a", &limits, |_| None), Some(2.0));
        assert_eq!(owned(set.iter()), [(2.0, b"a".to_vec())]);
    }
}

#[test]
fn a_set_of_ordered_members_is_as_one_of_insertions() {
    for (members, longest) in [(0, 0), (1, 0), (128, 64), (129, 0), (5_000, 0), (1, 65)] {
        let mut inserted = SortedSet::new();
        let mut all = vec![];
        for number in 0..members {
            let member = format!("{number:0longest$}");
            inserted.insert(f64::from(number % 7), member.as_bytes(), &redis());
            all.push((SmallBytes::new(member.as_bytes()), f64::from(number % 7)));
        }
        sort(&mut all);
        let ordered = SortedSet::from_ordered(all.into_iter(), &redis());
        assert_eq!(ordered, inserted);
        assert_eq!(ordered.is_packed(), inserted.is_packed());
        assert!((0..members).all(|number| {
            let member = format!("{number:0longest$}");
            ordered.score(member.as_bytes()) == Some(f64::from(number % 7))
        }));
    }
}

#[test]
fn infinities_are_scores() {
    for limits in [always_packed(), never_packed()] {
        let mut set = SortedSet::new();
        set.insert(f64::INFINITY, b"a", &limits);
        set.insert(f64::NEG_INFINITY, b"b", &limits);
        set.insert(f64::MAX, b"c", &limits);
        set.insert(f64::INFINITY, b"d", &limits);
        let members: Vec<_> = set.iter().map(|(member, _)| member.to_vec()).collect();
        assert_eq!(members, [b"b", b"c", b"a", b"d"]);
        let ranks = |min, max| set.ranks_by_score(&ScoreRange { min, max });
        assert_eq!(ranks(Bound::Included(f64::NEG_INFINITY), Bound::Included(f64::INFINITY)), 0..4);
        assert_eq!(ranks(Bound::Excluded(f64::NEG_INFINITY), Bound::Excluded(f64::INFINITY)), 1..2);
        assert_eq!(ranks(Bound::Included(f64::INFINITY), Bound::Unbounded), 2..4);
        assert_eq!(ranks(Bound::Included(f64::INFINITY), Bound::Included(0.0)).len(), 0);
    }
}

#[test]
fn a_scan_visits_what_stays() {
    for limits in [always_packed(), never_packed()] {
        let mut set = SortedSet::new();
        for number in 0..5_000 {
            set.insert(f64::from(number), format!("stays-{number}").as_bytes(), &limits);
        }
        let mut seen = std::collections::HashSet::new();
        let (mut cursor, mut step) = (0, 0);
        loop {
            cursor = set.scan(cursor, 10, |member, _| {
                seen.insert(member.to_vec());
            });
            if cursor == 0 {
                break;
            }
            step += 1;
            for number in 0..20 {
                set.insert(0.0, format!("comes-{step}-{number}").as_bytes(), &limits);
                set.insert(f64::from(step), format!("stays-{number}").as_bytes(), &limits);
            }
        }
        assert!((0..5_000).all(|number| seen.contains(format!("stays-{number}").as_bytes())));
    }
}

#[test]
fn equal_calls_make_sets_that_behave_the_same() {
    let build = || {
        let mut random = SmallRng::seed_from_u64(6);
        let mut set = SortedSet::new();
        for _ in 0..3_000 {
            let member = random_member(&mut random, 2_000);
            match random.random_range(0..3) {
                0 => set.remove(&member),
                _ => set.insert(random_score(&mut random), &member, &redis()),
            };
        }
        set
    };
    let sets = [build(), build(), build().clone()];
    let scans = sets.each_ref().map(|set| {
        let mut visited = Vec::new();
        let mut cursor = 0;
        loop {
            cursor = set.scan(cursor, 10, |member, score| visited.push((member.to_vec(), score)));
            visited.push((Vec::new(), cursor as f64));
            if cursor == 0 {
                return visited;
            }
        }
    });
    assert_eq!(sets[0], sets[1]);
    assert!(scans[0] == scans[1] && scans[0] == scans[2]);
    // With unequal scores a range of members is any range, but on every replica the same.
    let range = LexRange { min: LexBound::Inclusive(b"3"), max: LexBound::Exclusive(b"7") };
    let [first, second, third] = sets.each_ref().map(|set| set.ranks_by_lex(&range));
    assert!(first == second && first == third);
}

#[test]
fn sets_are_equal_whatever_their_forms() {
    let (mut packed, mut indexed) = (SortedSet::new(), SortedSet::new());
    for number in 0..100 {
        packed.insert(1.0, format!("{number}").as_bytes(), &always_packed());
        indexed.insert(1.0, format!("{}", 99 - number).as_bytes(), &never_packed());
    }
    assert_eq!(packed, indexed);
    assert_eq!(format!("{packed:?}"), format!("{indexed:?}"));
    indexed.insert(2.0, b"7", &never_packed());
    assert_ne!(packed, indexed);
}

#[test]
fn memory_follows_the_members() {
    for limits in [always_packed(), never_packed()] {
        let mut set = SortedSet::new();
        for number in 0..1_000 {
            set.insert(1.0, format!("{number:0100}").as_bytes(), &limits);
        }
        let full = set.memory();
        assert!(full >= 1_000 * (100 + size_of::<Entry>()), "{full} bytes");
        set.remove_range(0..500);
        (0..100).for_each(|_| set.remove_range(0..1));
        for number in 600..900 {
            assert_eq!(set.remove(format!("{number:0100}").as_bytes()), Some(1.0));
        }
        assert_eq!(set.len(), 100);
        assert!(set.memory() < full - 90 * 900, "{} bytes of {full}", set.memory());
    }
}

#[test]
fn a_set_may_be_sent_to_and_shared_with_other_threads() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<SortedSet>();
}
