//! `Lru` against a list.
// The test is short enough to be seen not to overflow.
#![allow(clippy::arithmetic_side_effects)]

use super::*;
use proptest::prelude::*;

impl Weigh for u8 {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Weigh for Vec<u8> {
    fn heap_bytes(&self) -> usize {
        self.capacity()
    }

    fn posts(&self) -> usize {
        1
    }
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u8, usize),
    Get(u8),
    Peek(u8),
    Change(u8, usize),
    Remove(u8),
    Pop,
}

/// Few keys, and few hashes, so that different keys share one.
fn step() -> impl Strategy<Value = Step> {
    let (key, len) = (0u8..40, 0usize..50);
    prop_oneof![
        4 => (key.clone(), len.clone()).prop_map(|(k, l)| Step::Insert(k, l)),
        2 => key.clone().prop_map(Step::Get),
        1 => key.clone().prop_map(Step::Peek),
        1 => (key.clone(), len).prop_map(|(k, l)| Step::Change(k, l)),
        2 => key.prop_map(Step::Remove),
        2 => Just(Step::Pop),
    ]
}

fn hash(key: u8) -> u64 {
    u64::from(key / 3).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

proptest! {
    /// Against a vector that has the oldest first.
    #[test]
    fn like_a_list(steps in prop::collection::vec(step(), 0..200)) {
        let mut lru: Lru<u8, Vec<u8>> = Lru::default();
        let mut model: Vec<(u8, usize)> = vec![];
        for step in steps {
            let at = |model: &[(u8, usize)], key: u8| model.iter().position(|(k, _)| *k == key);
            match step {
                Step::Insert(key, len) => {
                    at(&model, key).map(|i| model.remove(i));
                    model.push((key, len));
                    lru.insert(hash(key), key, Vec::with_capacity(len));
                }
                Step::Get(key) => {
                    let expected = at(&model, key).map(|i| model.remove(i));
                    model.extend(expected);
                    let found = lru.get(hash(key), |k| *k == key).map(Vec::capacity);
                    prop_assert_eq!(found, expected.map(|(_, len)| len));
                }
                Step::Peek(key) => {
                    let expected = at(&model, key).and_then(|i| model.get(i)).map(|(_, len)| *len);
                    let found = lru.peek(hash(key), |k| *k == key).map(Vec::capacity);
                    prop_assert_eq!(found, expected);
                }
                Step::Change(key, len) => {
                    let expected = at(&model, key).map(|i| model.remove(i));
                    model.extend(expected.map(|_| (key, len)));
                    let set = |v: &mut Vec<u8>| *v = Vec::with_capacity(len);
                    let found = lru.change(hash(key), |k| *k == key, set);
                    prop_assert_eq!(found.is_some(), expected.is_some());
                }
                Step::Remove(key) => {
                    let expected = at(&model, key).map(|i| model.remove(i));
                    let found = lru.remove(hash(key), |k| *k == key);
                    prop_assert_eq!(found.map(|(k, v)| (k, v.capacity())), expected);
                }
                Step::Pop => {
                    let expected = (!model.is_empty()).then(|| model.remove(0));
                    let found = lru.pop_oldest().map(|(k, v)| (k, v.capacity()));
                    prop_assert_eq!(found, expected);
                }
            }
            prop_assert_eq!(lru.len(), model.len());
            let content: usize = model.iter().map(|(_, len)| len).sum();
            prop_assert_eq!((lru.content, lru.posts()), (content, model.len()));
            prop_assert!(lru.entries.capacity() <= model.len() * 5 / 4 + 1);
            let mut chain = vec![];
            lru.change_oldest(|value, _| { chain.push(value.capacity()); true });
            prop_assert_eq!(chain, model.iter().map(|(_, len)| *len).collect::<Vec<_>>());
        }
        while lru.pop_oldest().is_some() {}
        prop_assert_eq!(lru.bytes(), 0);
    }
}
