//! A map that knows which of its entries was used longest ago, and how many bytes all of it takes.
//!
//! Entries lie densely in one vector and are linked by their positions in it; a hash table finds the
//! position. That keeps the memory of both in view: the vector grows by an eighth, not by doubling,
//! and both shrink with their content, so a budget of bytes can be a promise.

use hashbrown::HashTable;

use crate::failpoints::point;

/// What a key or a value takes beside its own size.
pub(crate) trait Weigh {
    /// Bytes on the heap that belong to it. Cost: O(1).
    fn heap_bytes(&self) -> usize;

    /// How many posts it stands for. Cost: O(1).
    fn posts(&self) -> usize {
        0
    }
}

/// No position: the end of the chain.
const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Entry<K, V> {
    key: K,
    value: V,
    hash: u64,
    newer: u32,
    older: u32,
}

/// A map in the order of use. All functions take the hash of the key, which the caller has anyway.
#[derive(Debug)]
pub(crate) struct Lru<K, V> {
    entries: Vec<Entry<K, V>>,
    positions: HashTable<u32>,
    newest: u32,
    oldest: u32,
    /// Heap bytes of all keys and values.
    content: usize,
    /// Posts of all values.
    posts: usize,
}

impl<K, V> Default for Lru<K, V> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            positions: HashTable::new(),
            newest: NONE,
            oldest: NONE,
            content: 0,
            posts: 0,
        }
    }
}

impl<K: Eq + Weigh, V: Weigh> Lru<K, V> {
    /// What an entry takes, its share of the hash table left out.
    pub(crate) fn entry_bytes(key: &K, value: &V) -> usize {
        size_of::<Entry<K, V>>()
            .saturating_add(key.heap_bytes())
            .saturating_add(value.heap_bytes())
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many posts all values stand for.
    pub(crate) fn posts(&self) -> usize {
        self.posts
    }

    /// All memory that is taken, in bytes as they are asked from the allocator. Cost: O(1).
    pub(crate) fn bytes(&self) -> usize {
        let vector = self
            .entries
            .capacity()
            .saturating_mul(size_of::<Entry<K, V>>());
        vector
            .saturating_add(self.positions.allocation_size())
            .saturating_add(self.content)
    }

    /// The value of a key, without using it. Cost: O(1).
    pub(crate) fn peek(&self, hash: u64, is: impl Fn(&K) -> bool) -> Option<&V> {
        let position = self.find(hash, is)?;
        self.entry(position).map(|entry| &entry.value)
    }

    /// The value of a key, which is used by that. Cost: O(1).
    pub(crate) fn get(&mut self, hash: u64, is: impl Fn(&K) -> bool) -> Option<&V> {
        let position = self.find(hash, is)?;
        self.touch(position);
        self.entry(position).map(|entry| &entry.value)
    }

    /// Changes a value, which is used by that. Cost: O(1) and the change.
    pub(crate) fn change<T>(
        &mut self,
        hash: u64,
        is: impl Fn(&K) -> bool,
        change: impl FnOnce(&mut V) -> T,
    ) -> Option<T> {
        let position = self.find(hash, is)?;
        self.touch(position);
        self.change_at(position, change)
    }

    /// Sets the value of a key, which is used by that. Cost: O(1), amortised.
    pub(crate) fn insert(&mut self, hash: u64, key: K, value: V) {
        if let Some(position) = self.find(hash, |other| *other == key) {
            self.touch(position);
            let _ = self.change_at(position, |old| *old = value);
            return;
        }
        let Ok(position) = u32::try_from(self.entries.len()) else {
            return;
        };
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact((self.entries.len() / 8).max(1));
        }
        self.content = self
            .content
            .saturating_add(key.heap_bytes())
            .saturating_add(value.heap_bytes());
        self.posts = self.posts.saturating_add(value.posts());
        point!();
        self.entries.push(Entry {
            key,
            value,
            hash,
            newer: NONE,
            older: NONE,
        });
        point!();
        self.link(position);
        point!();
        let entries = &self.entries;
        self.positions
            .insert_unique(hash, position, |at| hash_at(entries, *at));
    }

    /// Removes a key. Cost: O(1), amortised.
    pub(crate) fn remove(&mut self, hash: u64, is: impl Fn(&K) -> bool) -> Option<(K, V)> {
        let position = self.find(hash, is)?;
        self.remove_at(position)
    }

    /// Removes what was used longest ago. Cost: O(1), amortised.
    pub(crate) fn pop_oldest(&mut self) -> Option<(K, V)> {
        self.remove_at(self.oldest)
    }

    /// Changes the values from the one that was used longest ago on, until `change` says that it is
    /// enough; that uses none of them.
    pub(crate) fn change_oldest(&mut self, mut change: impl FnMut(&mut V, usize) -> bool) {
        let mut position = self.oldest;
        while let Some(newer) = self.entry(position).map(|entry| entry.newer) {
            let bytes = self.bytes();
            if self.change_at(position, |value| change(value, bytes)) != Some(true) {
                return;
            }
            position = newer;
        }
    }

    fn find(&self, hash: u64, is: impl Fn(&K) -> bool) -> Option<u32> {
        self.positions
            .find(hash, |at| {
                self.entry(*at).is_some_and(|entry| is(&entry.key))
            })
            .copied()
    }

    fn change_at<T>(&mut self, position: u32, change: impl FnOnce(&mut V) -> T) -> Option<T> {
        let entry = self.entries.get_mut(index(position))?;
        let (bytes, posts) = (entry.value.heap_bytes(), entry.value.posts());
        let result = change(&mut entry.value);
        point!();
        self.content = self.content.saturating_sub(bytes);
        self.content = self.content.saturating_add(entry.value.heap_bytes());
        self.posts = self.posts.saturating_sub(posts);
        self.posts = self.posts.saturating_add(entry.value.posts());
        Some(result)
    }

    fn remove_at(&mut self, position: u32) -> Option<(K, V)> {
        let hash = self.entry(position)?.hash;
        self.unlink(position);
        point!();
        if let Ok(found) = self.positions.find_entry(hash, |at| *at == position) {
            let _ = found.remove();
        }
        point!();
        let removed = self.entries.swap_remove(index(position));
        point!();
        // The last one lies in its place now.
        if let Some(moved) = self.entry(position) {
            let (hash, newer, older) = (moved.hash, moved.newer, moved.older);
            let from = u32::try_from(self.entries.len()).unwrap_or(NONE);
            if let Some(at) = self.positions.find_mut(hash, |at| *at == from) {
                *at = position;
            }
            self.set_older(newer, position);
            point!();
            self.set_newer(older, position);
        }
        self.content = self
            .content
            .saturating_sub(removed.key.heap_bytes())
            .saturating_sub(removed.value.heap_bytes());
        self.posts = self.posts.saturating_sub(removed.value.posts());
        point!();
        self.shrink();
        Some((removed.key, removed.value))
    }

    /// Gives memory back when a quarter of the vector, or half of what a table of its size holds,
    /// is not used any more.
    fn shrink(&mut self) {
        let len = self.entries.len();
        if len.saturating_add(len / 4) < self.entries.capacity() {
            self.entries.shrink_to(len.saturating_add(len / 8));
        }
        if len < self.positions.num_buckets() / 4 {
            let entries = &self.entries;
            self.positions
                .shrink_to(len.saturating_add(len / 8), |at| hash_at(entries, *at));
        }
    }

    fn touch(&mut self, position: u32) {
        if position != self.newest {
            self.unlink(position);
            point!();
            self.link(position);
        }
    }

    /// Puts an entry at the newer end of the chain.
    fn link(&mut self, position: u32) {
        let older = self.newest;
        if let Some(entry) = self.entries.get_mut(index(position)) {
            entry.newer = NONE;
            entry.older = older;
        }
        self.set_newer(older, position);
        self.newest = position;
    }

    fn unlink(&mut self, position: u32) {
        if let Some(entry) = self.entry(position) {
            let (newer, older) = (entry.newer, entry.older);
            self.set_older(newer, older);
            self.set_newer(older, newer);
        }
    }

    /// What follows `position` towards the newer end; beyond the older end that is the oldest.
    fn set_newer(&mut self, position: u32, newer: u32) {
        match self.entries.get_mut(index(position)) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn set_older(&mut self, position: u32, older: u32) {
        match self.entries.get_mut(index(position)) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
    }

    fn entry(&self, position: u32) -> Option<&Entry<K, V>> {
        self.entries.get(index(position))
    }
}

fn index(position: u32) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

fn hash_at<K, V>(entries: &[Entry<K, V>], position: u32) -> u64 {
    entries.get(index(position)).map_or(0, |entry| entry.hash)
}

#[cfg(test)]
mod tests;
