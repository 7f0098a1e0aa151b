//! One author's posts in time order.

use std::sync::Arc;

/// A moment, in microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

/// The id of a post: an item id of XEP-0060, unique within its author's stream.
pub type ItemId = Arc<str>;

/// Where a post stands in its author's stream: by time, and by id where times are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// When the post was first published; an edit does not change it.
    pub at: Micros,
    /// Which post.
    pub id: ItemId,
}

/// One author's posts, oldest first. Holds ids and times, no payloads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    places: Vec<Place>,
}

impl Stream {
    /// Takes posts in any order; of an id that comes twice the later one stays.
    /// Cost: O(n log n).
    #[must_use]
    pub fn new(mut places: Vec<Place>) -> Self {
        places.sort_unstable_by(|a, b| b.cmp(a));
        let mut seen = ahash::AHashSet::with_capacity(places.len());
        places.retain(|place| seen.insert(Arc::clone(&place.id)));
        places.reverse();
        Self { places }
    }

    /// Adds a post. Doing it twice does it once. Cost: O(log n) if it is known, else O(n): another
    /// place of the same id is looked for.
    pub fn put(&mut self, place: Place) {
        if self.places.binary_search(&place).is_err() {
            self.remove(&place.id);
            let index = self.places.partition_point(|other| *other < place);
            self.places.insert(index, place);
        }
    }

    /// Removes the post `id`; tells whether there was one. Cost: O(n).
    pub fn remove(&mut self, id: &str) -> bool {
        match self.places.iter().rposition(|place| &*place.id == id) {
            Some(index) => {
                self.places.remove(index);
                true
            }
            None => false,
        }
    }

    /// All places, oldest first.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }
}

#[cfg(test)]
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
