//! A map in portions, each under a lock of its own, so that threads do not wait for each other.

use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};

use ahash::RandomState;
use parking_lot::{Mutex, MutexGuard};

use crate::forgetful::{Forget, Held};
use crate::lru::{Lru, Weigh};

/// How many portions there are.
pub(crate) const SHARDS: usize = 16;

/// What a portion is.
pub(crate) type Shard<'a, K, V> = Held<MutexGuard<'a, Lru<K, V>>>;

impl<K, V> Forget for Lru<K, V> {
    fn forget(&mut self) {
        *self = Self::default();
    }
}

/// A map in [`SHARDS`] portions, chosen by the hash of the key.
#[derive(Debug)]
pub(crate) struct Shards<K, V> {
    shards: [Mutex<Lru<K, V>>; SHARDS],
    hasher: RandomState,
    budget: AtomicUsize,
}

impl<K: Eq + Weigh, V: Weigh> Shards<K, V> {
    /// An empty map, and how many bytes its owner wants it to take.
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            budget: AtomicUsize::new(budget),
        }
    }

    /// The hash under which a key is found.
    pub(crate) fn hash(&self, key: impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }

    /// In the order of this number, keys of one shard are neighbours.
    pub(crate) fn order(hash: u64) -> u64 {
        // What chooses the shard stands at the top.
        hash.rotate_left(28)
    }

    /// Whether two keys are in the same shard.
    pub(crate) fn is_shared(a: u64, b: u64) -> bool {
        shard(a) == shard(b)
    }

    /// The shard of a key. It is locked: take no other one of the same map meanwhile.
    pub(crate) fn lock(&self, hash: u64) -> Shard<'_, K, V> {
        let [first, ..] = &self.shards;
        Held::new(self.shards.get(shard(hash)).unwrap_or(first).lock())
    }

    /// All shards, locked one after the other.
    pub(crate) fn each(&self) -> impl Iterator<Item = Shard<'_, K, V>> {
        self.shards.iter().map(|shard| Held::new(shard.lock()))
    }

    /// How many bytes a shard may take.
    pub(crate) fn part(&self) -> usize {
        self.budget.load(Ordering::Relaxed) / SHARDS
    }

    /// Sets another budget; keeping to it is the owner's business.
    pub(crate) fn set_budget(&self, bytes: usize) {
        self.budget.store(bytes, Ordering::Relaxed);
    }
}

/// Which of the 16: by bits that the hash table within it does not look at first, the lowest and the
/// highest ones.
fn shard(hash: u64) -> usize {
    usize::try_from((hash >> 32) % 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jid::BareJid;
    use crate::slots::Slot;

    /// All shards are used, and a list in order goes through each once.
    #[test]
    fn shards_are_neighbours() {
        let shards: Shards<BareJid, Slot> = Shards::new(0);
        let mut hashes: Vec<u64> = (0..1000).map(|n| shards.hash(n)).collect();
        hashes.sort_unstable_by_key(|hash| Shards::<BareJid, Slot>::order(*hash));
        let mut met: Vec<usize> = hashes.iter().map(|hash| shard(*hash)).collect();
        met.dedup();
        assert_eq!(met, (0..SHARDS).collect::<Vec<_>>());
    }
}
