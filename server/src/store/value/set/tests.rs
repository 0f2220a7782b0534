use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn generator(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ (state >> 29)
    }
}

fn members(set: &Set) -> BTreeSet<Vec<u8>> {
    set.iter().map(|member| member.to_small_bytes().to_vec()).collect()
}

fn numbers(count: usize) -> Set {
    let mut set = Set::default();
    (0..count).for_each(|number| assert!(set.insert(number.to_string().as_bytes(), 512)));
    set
}

/// Mostly numbers, some of them spelled as no number is.
fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => (-20i64..20).prop_map(|number| number.to_string()),
        2 => any::<i64>().prop_map(|number| number.to_string()),
        1 => (0i64..20).prop_map(|number| format!("0{number}")),
        1 => "[a-c]{0,40}",
    ]
}

proptest! {
    #[test]
    fn a_set_behaves_like_an_ordered_one(
        steps in proptest::collection::vec((0u8..5, member(), any::<u64>()), 1..200),
        most_integers in 0usize..40,
    ) {
        let mut set = Set::default();
        let mut model = BTreeSet::new();
        let mut is_table = false;
        for (operation, member, seed) in steps {
            let bytes = member.as_bytes();
            match operation {
                0..=2 => {
                    prop_assert_eq!(set.insert(bytes, most_integers), model.insert(bytes.to_vec()));
                    is_table |= parse_integer(bytes).is_none() || model.len() > most_integers;
                }
                3 => prop_assert_eq!(set.remove(bytes), model.remove(bytes)),
                _ => {
                    let count = (seed % 8) as usize % (model.len() + 1);
                    let staying = model.len() - count;
                    let rebuilt = staying * 5 <= count;
                    set.take_random(count, most_integers, &mut generator(seed), |member| {
                        assert!(model.remove(member.to_small_bytes().as_slice()));
                    });
                    prop_assert_eq!(model.len(), staying);
                    if rebuilt {
                        is_table = model.iter().any(|member| parse_integer(member).is_none())
                            || model.len() > most_integers;
                    }
                }
            }
            prop_assert_eq!(set.encoding(), if is_table { "hashtable" } else { "intset" });
            prop_assert_eq!(set.contains(bytes), model.contains(bytes));
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(members(&set), model.clone());
        }
    }
}

#[test]
fn members_of_one_form_are_found_in_the_other() {
    let integers = numbers(10);
    let mut table = numbers(10);
    table.insert(b"x", 512);
    assert!(integers.iter().all(|member| table.contains_member(member)));
    assert_eq!(table.iter().filter(|member| integers.contains_member(*member)).count(), 10);
    let mut both = Set::default();
    both.extend(table.iter().chain(integers.iter()), 512);
    assert_eq!(both.len(), 11);
    integers.iter().for_each(|member| assert!(both.remove_member(member)));
    assert_eq!(members(&both), BTreeSet::from([b"x".to_vec()]));
}

#[test]
fn a_sample_has_different_members_of_the_set() {
    for size in [1, 2, 10, 500, 1000] {
        let set = numbers(size);
        for count in [0, 1, 2, size / 4, size / 2, size, size + 1, usize::MAX] {
            let mut random = generator(size as u64 + 7);
            let sample = set.sample(count, &mut random);
            let different: BTreeSet<_> = sample.iter().map(|member| member.to_small_bytes().to_vec()).collect();
            assert_eq!(sample.len(), count.min(size));
            assert_eq!(different.len(), sample.len());
            assert!(different.is_subset(&members(&set)));
        }
    }
}

#[test]
fn every_member_is_drawn_as_often_as_others() {
    let mut random = generator(1);
    for (size, count) in [(9, 1), (9, 2), (9, 6), (600, 2), (600, 400)] {
        let set = numbers(size);
        let rounds = 500 * size / count;
        let mut drawn = vec![0usize; size];
        for _ in 0..rounds {
            for member in set.sample(count, &mut random) {
                drawn[member.with_bytes(|bytes| parse_integer(bytes).unwrap()) as usize] += 1;
            }
        }
        assert!(drawn.iter().all(|times| times.abs_diff(500) < 150), "{drawn:?}");
    }
}

#[test]
fn equal_calls_have_equal_effects() {
    let (mut one, mut other) = (numbers(2_000), numbers(2_000));
    for count in [1, 100, 1_850, 10] {
        let (mut from_one, mut from_other) = (Vec::new(), Vec::new());
        one.take_random(count, 512, &mut generator(3), |member| from_one.push(member.to_small_bytes()));
        other.take_random(count, 512, &mut generator(3), |member| from_other.push(member.to_small_bytes()));
        assert_eq!(from_one, from_other);
        let order = |set: &Set| set.iter().map(Member::to_small_bytes).collect::<Vec<_>>();
        assert_eq!(order(&one), order(&other));
    }
}

#[test]
fn a_scan_visits_all() {
    for size in [0, 5, 512, 5_000] {
        let set = numbers(size);
        let (mut cursor, mut seen, mut steps) = (0, BTreeSet::new(), 0);
        loop {
            cursor = set.scan(cursor, 10, |member| {
                seen.insert(member.to_small_bytes().to_vec());
            });
            steps += 1;
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen, members(&set));
        assert!(size > 512 || steps == 1);
    }
}
