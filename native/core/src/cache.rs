//! Payloads of recent posts, in memory.
//!
//! The core does not look into them. What is cached is decided by [`crate::service`], which keeps it
//! equal to the storage; here it is kept within a budget of bytes: what was read or written longest
//! ago goes first.

use std::sync::Arc;

use crate::lru::{Lru, Weigh};
use crate::shards::Shards;
use crate::stream::{id_bytes, ItemId};

/// A payload as Erlang wants it back.
pub type StoredPayload = Arc<[u8]>;

/// One life of an author's slot in the index. Payloads belong to it: those of an earlier life are
/// never found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Incarnation(pub(crate) u64);

#[derive(Debug, PartialEq, Eq)]
struct Key {
    incarnation: Incarnation,
    id: ItemId,
}

impl Weigh for Key {
    fn heap_bytes(&self) -> usize {
        id_bytes(&self.id)
    }
}

impl Weigh for StoredPayload {
    fn heap_bytes(&self) -> usize {
        // Two counters before the bytes.
        let word = size_of::<usize>();
        let bytes = self.len().checked_next_multiple_of(word);
        bytes
            .unwrap_or(usize::MAX)
            .saturating_add(word.saturating_mul(2))
    }

    fn posts(&self) -> usize {
        1
    }
}

/// The payloads of one pubsub host.
#[derive(Debug)]
pub(crate) struct Cache {
    shards: Shards<Key, StoredPayload>,
}

impl Cache {
    /// Takes at most `budget` bytes: payloads, ids and the containers around them, as they are asked
    /// from the allocator.
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            shards: Shards::new(budget),
        }
    }

    /// The payload of a post, which is used by that. Cost: O(1).
    pub(crate) fn get(&self, incarnation: Incarnation, id: &str) -> Option<StoredPayload> {
        let hash = self.shards.hash((incarnation, id));
        let mut shard = self.shards.lock(hash);
        shard.get(hash, |key| key.is(incarnation, id)).cloned()
    }

    /// Sets the payload of a post. One that is too large for a shard's part of the budget is not
    /// kept, and the one before it goes too. Cost: O(1) for each payload that has to go.
    pub(crate) fn put(&self, incarnation: Incarnation, id: &ItemId, payload: StoredPayload) {
        let key = Key {
            incarnation,
            id: id.clone(),
        };
        let hash = self.shards.hash((incarnation, id.as_str()));
        let part = self.shards.part();
        let fits = Lru::entry_bytes(&key, &payload) <= part;
        let mut shard = self.shards.lock(hash);
        if fits {
            shard.insert(hash, key, payload);
            keep_to(part, &mut shard);
        } else {
            let _ = shard.remove(hash, |other| *other == key);
        }
    }

    /// Removes the payload of a post. Cost: O(1).
    pub(crate) fn remove(&self, incarnation: Incarnation, id: &str) {
        let hash = self.shards.hash((incarnation, id));
        let mut shard = self.shards.lock(hash);
        let _ = shard.remove(hash, |key| key.is(incarnation, id));
    }

    /// Sets another budget and keeps to it. Cost: O(payloads that go).
    pub(crate) fn set_budget(&self, bytes: usize) {
        self.shards.set_budget(bytes);
        let part = self.shards.part();
        self.shards
            .each()
            .for_each(|mut shard| keep_to(part, &mut shard));
    }

    /// All payloads go. Cost: O(payloads), in parts.
    pub(crate) fn forget_all(&self) {
        for mut shard in self.shards.each() {
            let gone = std::mem::take(&mut *shard);
            drop(shard);
            drop(gone);
        }
    }

    /// How many bytes it takes, and for how many payloads. Cost: O(1).
    pub(crate) fn memory(&self) -> (usize, usize) {
        self.shards.each().fold((0, 0), |(bytes, payloads), shard| {
            (
                bytes.saturating_add(shard.bytes()),
                payloads.saturating_add(shard.posts()),
            )
        })
    }
}

impl Key {
    fn is(&self, incarnation: Incarnation, id: &str) -> bool {
        self.incarnation == incarnation && self.id == id
    }
}

fn keep_to(part: usize, shard: &mut Lru<Key, StoredPayload>) {
    while shard.bytes() > part && shard.pop_oldest().is_some() {}
}

#[cfg(test)]
// The tests are short enough to be seen not to overflow.
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::shards::SHARDS;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn payload(len: usize, fill: u8) -> StoredPayload {
        vec![fill; len].into()
    }

    #[test]
    fn payloads_belong_to_an_incarnation() {
        let cache = Cache::new(1_000_000);
        let id = ItemId::from("a");
        let (one, two) = (Incarnation(1), Incarnation(2));
        cache.put(one, &id, payload(3, 1));
        cache.put(two, &id, payload(3, 2));
        assert_eq!(cache.get(one, "a"), Some(payload(3, 1)));
        assert_eq!(cache.get(two, "a"), Some(payload(3, 2)));
        cache.put(one, &id, payload(4, 3));
        assert_eq!(cache.get(one, "a"), Some(payload(4, 3)));
        cache.remove(one, "a");
        assert_eq!(cache.get(one, "a"), None);
        assert_eq!(cache.get(two, "a"), Some(payload(3, 2)));
        assert_eq!(cache.memory().1, 1);
    }

    #[test]
    fn what_is_too_large_is_not_kept_and_takes_its_forerunner_along() {
        let cache = Cache::new(SHARDS * 1000);
        let id = ItemId::from("a");
        cache.put(Incarnation(1), &id, payload(500, 1));
        assert_eq!(cache.memory().1, 1);
        cache.put(Incarnation(1), &id, payload(1000, 2));
        assert_eq!(cache.get(Incarnation(1), "a"), None);
        assert_eq!(cache.memory(), (0, 0));
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let cache = Cache::new(SHARDS * 3000);
        let one = Incarnation(1);
        let first = ItemId::from("first");
        cache.put(one, &first, payload(100, 0));
        for n in 0..2000u32 {
            assert_eq!(cache.get(one, "first"), Some(payload(100, 0)), "{n}");
            cache.put(one, &n.to_string().into(), payload(100, 1));
        }
        assert_eq!(cache.get(one, "0"), None);
        assert_eq!(cache.get(one, "1999"), Some(payload(100, 1)));
        let (bytes, payloads) = cache.memory();
        assert!((SHARDS * 2000..=SHARDS * 3000).contains(&bytes), "{bytes}");
        cache.set_budget(SHARDS * 500);
        let (bytes, fewer) = cache.memory();
        assert!(bytes <= SHARDS * 500 && 0 < fewer && fewer < payloads / 4);
        cache.set_budget(0);
        assert_eq!(cache.memory(), (0, 0));
        cache.put(one, &first, payload(1, 0));
        assert_eq!(cache.memory(), (0, 0));
    }

    proptest! {
        /// What is found is what was put last, and the budget is never exceeded.
        #[test]
        fn like_a_map_that_forgets(
            budget in 0usize..60_000,
            steps in prop::collection::vec((0u64..3, 0u32..60, 0usize..900, 0u8..4), 0..400),
        ) {
            let cache = Cache::new(budget);
            let mut model = HashMap::new();
            for (fill, (incarnation, id, len, kind)) in (0..=u8::MAX).cycle().zip(steps) {
                let (key, id) = ((incarnation, id), format!("{id:0>30}"));
                let incarnation = Incarnation(incarnation);
                match kind {
                    0 => {
                        cache.remove(incarnation, &id);
                        model.remove(&key);
                    }
                    1 => {
                        let found = cache.get(incarnation, &id);
                        prop_assert!(found.is_none() || found.as_ref() == model.get(&key));
                    }
                    _ => {
                        let new = payload(len, fill);
                        cache.put(incarnation, &id.into(), Arc::clone(&new));
                        model.insert(key, new);
                    }
                }
                let (bytes, payloads) = cache.memory();
                prop_assert!(bytes <= budget);
                prop_assert!(payloads <= model.len());
            }
        }
    }
}
