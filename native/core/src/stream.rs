//! One author's posts in time order.

use smol_str::SmolStr;

use crate::failpoints::point;

/// A moment, in microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

/// The id of a post: an item id of XEP-0060, unique within its author's stream. Up to 23 bytes take no
/// memory of their own: the ids that the service makes have 16.
pub type ItemId = SmolStr;

/// Where a post stands in its author's stream: by time, and by id where times are equal. 32 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// When the post was first published; an edit does not change it.
    pub at: Micros,
    /// Which post.
    pub id: ItemId,
}

/// The bytes that an id takes outside of its [`Place`].
pub(crate) fn id_bytes(id: &ItemId) -> usize {
    // Its text, behind two counters.
    let counters = size_of::<usize>().saturating_mul(2);
    if id.is_heap_allocated() {
        let text = id.len().checked_next_multiple_of(size_of::<usize>());
        text.unwrap_or(id.len()).saturating_add(counters)
    } else {
        0
    }
}

/// One author's posts, oldest first. Holds ids and times, no payloads: at most 40 bytes for a post
/// whose id is short.
///
/// ```
/// use twitter_core::stream::{Micros, Place, Stream};
/// let mut stream = Stream::default();
/// stream.put(Place { at: Micros(2), id: "b".into() });
/// stream.put(Place { at: Micros(1), id: "a".into() });
/// assert_eq!(stream.places()[0].id, "a");
/// assert!(stream.remove("a"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Stream {
    places: Vec<Place>,
    /// What the ids take outside of their places.
    id_bytes: usize,
}

impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        self.places == other.places
    }
}

impl Eq for Stream {}

impl Stream {
    /// Takes posts in any order; of an id that comes twice the later one stays.
    /// Cost: O(n log n).
    #[must_use]
    pub fn new(mut places: Vec<Place>) -> Self {
        places.sort_unstable_by(|a, b| b.cmp(a));
        let mut seen = ahash::AHashSet::with_capacity(places.len());
        places.retain(|place| seen.insert(place.id.clone()));
        places.reverse();
        places.shrink_to_fit();
        let id_bytes = places.iter().map(|place| id_bytes(&place.id)).sum();
        Self { places, id_bytes }
    }

    /// Adds a post. Doing it twice does it once. Cost: O(log n) if it is known, else O(n): another
    /// place of the same id is looked for.
    pub fn put(&mut self, place: Place) {
        if self.places.binary_search(&place).is_err() {
            self.remove(&place.id);
            point!();
            let index = self.places.partition_point(|other| *other < place);
            let len = self.places.len();
            if len == self.places.capacity() {
                // Doubling would take twice the memory for the sake of a step that is O(n) anyway.
                self.places.reserve_exact((len / 8).max(1));
            }
            self.id_bytes = self.id_bytes.saturating_add(id_bytes(&place.id));
            point!();
            self.places.insert(index, place);
        }
    }

    /// Removes the post `id`; tells whether there was one. Cost: O(n).
    pub fn remove(&mut self, id: &str) -> bool {
        match self.position(id) {
            Some(index) => {
                let removed = self.places.remove(index);
                point!();
                self.id_bytes = self.id_bytes.saturating_sub(id_bytes(&removed.id));
                let len = self.places.len();
                if len.saturating_add(len / 4) < self.places.capacity() {
                    self.places.shrink_to(len.saturating_add(len / 8));
                }
                true
            }
            None => false,
        }
    }

    /// Where the post `id` is among the places. Cost: O(n).
    pub(crate) fn position(&self, id: &str) -> Option<usize> {
        self.places.iter().rposition(|place| place.id == id)
    }

    /// Only those of its posts for which `stays` says so, in their order. Cost: O(n).
    pub(crate) fn part(&self, stays: impl Iterator<Item = bool>) -> Self {
        let both = self.places.iter().zip(stays);
        let staying = both.filter_map(|(place, stays)| stays.then_some(place));
        let places: Vec<Place> = staying.cloned().collect();
        let id_bytes = places.iter().map(|place| id_bytes(&place.id)).sum();
        Self { places, id_bytes }
    }

    /// All places, oldest first.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The memory it takes beside its own size, in bytes. Cost: O(1).
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let places = self.places.capacity().saturating_mul(size_of::<Place>());
        places.saturating_add(self.id_bytes)
    }
}

#[cfg(test)]
// The test is short enough to be seen not to overflow.
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(at: u64, id: &str) -> Place {
        Place {
            at: Micros(at),
            id: id.into(),
        }
    }

    #[test]
    fn put_and_remove() {
        let mut stream = Stream::default();
        stream.put(place(2, "b"));
        stream.put(place(2, "a"));
        stream.put(place(2, "b"));
        stream.put(place(1, "b"));
        assert_eq!(stream.places(), [place(1, "b"), place(2, "a")]);
        assert!(stream.remove("b"));
        assert!(!stream.remove("b"));
        assert_eq!(stream.places(), [place(2, "a")]);
    }

    /// Whatever was done before, a post takes at most 40 bytes; long ids what they are longer.
    #[test]
    fn a_post_takes_forty_bytes() {
        assert_eq!(size_of::<Place>(), 32);
        let id = |n: u64| format!("{n:016X}");
        let mut stream = Stream::default();
        let check = |stream: &Stream| {
            assert!(stream.heap_bytes() <= stream.places().len() * 40);
        };
        for n in 0..5000 {
            stream.put(place(n, &id(n)));
            check(&stream);
        }
        for n in 0..5000 {
            assert!(stream.remove(&id(n)));
            check(&stream);
        }
        assert_eq!(stream.heap_bytes(), 0);
        let loaded = Stream::new((0..5000).map(|n| place(n, &id(n))).collect());
        assert_eq!(loaded.heap_bytes(), 5000 * 32);
        let mut long = Stream::new(vec![place(1, &"x".repeat(100))]);
        assert_eq!(long.heap_bytes(), 32 + 16 + 104);
        long.put(place(2, &"x".repeat(100)));
        assert_eq!(long.heap_bytes(), 32 + 16 + 104);
    }

    proptest! {
        #[test]
        fn like_a_sorted_map(ops in prop::collection::vec((0u64..6, "[a-f]", any::<bool>()), 0..60)) {
            let mut stream = Stream::default();
            let mut model = std::collections::BTreeMap::new();
            for (at, id, put) in ops {
                if put {
                    stream.put(place(at, &id));
                    model.insert(id, at);
                } else {
                    prop_assert_eq!(stream.remove(&id), model.remove(&id).is_some());
                }
                let mut expected: Vec<Place> = model.iter().map(|(id, at)| place(*at, id)).collect();
                expected.sort();
                prop_assert_eq!(stream.places(), &expected[..]);
                prop_assert_eq!(&Stream::new(expected.into_iter().rev().collect()), &stream);
            }
        }
    }
}
