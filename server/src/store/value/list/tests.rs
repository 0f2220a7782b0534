use std::collections::VecDeque;

use proptest::prelude::*;

use super::chunk::{MOST_BYTES, MOST_ELEMENTS};
use super::*;
use crate::resp::Protocol;

impl List {
    fn check(&self) {
        let mut position = self.chunks.front().map_or(0, |chunk| chunk.position);
        for chunk in &self.chunks {
            assert!((1..=MOST_ELEMENTS).contains(&chunk.len()));
            assert!(chunk.len() == 1 || chunk.encoded(0..chunk.len()).len() <= MOST_BYTES);
            assert_eq!(chunk.position, position);
            position += chunk.len() as i64;
        }
        assert_eq!(self.chunks.iter().map(Chunk::len).sum::<usize>(), self.len);
    }

    fn payloads(&self) -> Vec<Vec<u8>> {
        self.iter().map(|element| element.payload().to_vec()).collect()
    }
}

fn written(list: &List, range: Range<usize>, reversed: bool) -> Vec<u8> {
    let mut buffer = Vec::new();
    list.write(range, reversed, &mut Reply::new(&mut buffer, Protocol::Resp2));
    buffer
}

/// A step: which operation, a number for the index or count, and an element's length.
type Step = (u8, usize, usize);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let length = prop_oneof![8 => 0usize..30, 2 => 90usize..2000, 1 => 8000usize..20000];
    proptest::collection::vec((0u8..12, any::<usize>(), length), 1..300)
}

fn run(steps: Vec<Step>, weight: usize) {
    let mut list = List::default();
    let mut model: VecDeque<Vec<u8>> = VecDeque::new();
    for (operation, number, length) in steps {
        let payload = vec![b'a' + (number % 7) as u8; length];
        let end = if number % 2 == 0 { End::Front } else { End::Back };
        match operation {
            0 | 1 => {
                for _ in 0..number % weight + 1 {
                    list.push(end, &payload);
                    if end == End::Front { model.push_front(payload.clone()) } else { model.push_back(payload.clone()) }
                }
            }
            2..=4 => {
                let index = number % (model.len() + 1);
                list.insert(index, &payload);
                model.insert(index, payload);
            }
            5 | 6 if !model.is_empty() => {
                let index = number % model.len();
                list.set(index, &payload);
                model[index] = payload;
            }
            7 | 8 => {
                let count = number / 2 % weight;
                list.remove(end, count);
                for _ in 0..count {
                    if end == End::Front {
                        model.pop_front()
                    } else {
                        model.pop_back()
                    };
                }
            }
            9 => {
                let payload = model.get(number / 3 % model.len().max(1)).cloned().unwrap_or_default();
                let limit = number / 5 % 40;
                let removed = list.remove_equal(&payload, limit, end);
                let doomed =
                    model.iter().enumerate().filter(|(_, element)| **element == payload).map(|(index, _)| index);
                let mut doomed: Vec<usize> =
                    if end == End::Front { doomed.take(limit).collect() } else { doomed.rev().take(limit).collect() };
                doomed.sort_unstable();
                assert_eq!(removed, doomed.len());
                doomed.iter().rev().for_each(|index| drop(model.remove(*index)));
            }
            10 => {
                let start = number % (model.len() + 1);
                let range = start..start + number / 7 % (model.len() - start + 1);
                let each =
                    |payload: &Vec<u8>| [format!("${}\r\n", payload.len()).as_bytes(), payload, b"\r\n"].concat();
                let expected: Vec<Vec<u8>> = model.range(range.clone()).map(each).collect();
                assert_eq!(written(&list, range.clone(), false), expected.concat());
                let reversed: Vec<Vec<u8>> = expected.into_iter().rev().collect();
                assert_eq!(written(&list, range.clone(), true), reversed.concat());
                let found: Vec<usize> = range.clone().filter(|index| model[*index] == payload).collect();
                assert_eq!(list.find(&payload, range.clone()).collect::<Vec<_>>(), found);
                assert!(list.find(&payload, range).rev().eq(found.into_iter().rev()));
            }
            _ => {
                let index = number % (model.len() + 1);
                assert_eq!(list.get(index).map(Element::payload), model.get(index).map(Vec::as_slice));
                assert_eq!(list.peek(End::Front).map(Element::payload), model.front().map(Vec::as_slice));
                assert_eq!(list.peek(End::Back).map(Element::payload), model.back().map(Vec::as_slice));
            }
        }
        list.check();
        assert_eq!(list.len(), model.len());
    }
    assert!(list.payloads().iter().eq(model.iter()));
    assert!(list.iter().rev().map(Element::payload).eq(model.iter().rev().map(Vec::as_slice)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_short_list_behaves_like_a_deque(steps in steps()) {
        run(steps, 4);
    }

    #[test]
    fn a_long_list_behaves_like_a_deque(steps in steps()) {
        run(steps, 300);
    }
}

#[test]
fn a_queue_keeps_its_memory() {
    let mut list = List::default();
    for round in 0..100_000 {
        list.push(End::Back, format!("element {round}").as_bytes());
        if round >= 5 {
            assert_eq!(list.peek(End::Front).unwrap().payload(), format!("element {}", round - 5).as_bytes());
            list.remove(End::Front, 1);
        }
    }
    list.check();
    assert!(list.memory() < 1024, "{} bytes", list.memory());
}

#[test]
fn small_elements_take_little_more_than_their_bytes() {
    for end in [End::Front, End::Back] {
        let mut list = List::default();
        (0..100_000).for_each(|_| list.push(end, b"abc"));
        assert!(list.memory() < 100_000 * 13, "{} bytes", list.memory());
    }
}

#[test]
fn an_element_that_was_long_leaves_no_memory_behind() {
    let mut list = List::default();
    list.push(End::Back, &vec![0; 1_000_000]);
    list.set(0, b"short");
    assert!(list.memory() < 1024);
    (0..10).for_each(|_| list.push(End::Front, b"x"));
    list.check();
    assert_eq!(list.get(10).unwrap().payload(), b"short");
}
