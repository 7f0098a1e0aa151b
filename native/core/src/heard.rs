//! What the index has of an author on another server beside his stream: for whom each post is.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::AHashMap;

use crate::audience::{bucket_of, Bucket, Seq};
use crate::stream::{id_bytes, ItemId, Stream};

/// For whom the posts of a stream are that was heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// Which version of each post there is.
    seqs: AHashMap<ItemId, Seq>,
    /// What the ids take outside of the map.
    id_bytes: usize,
    /// What each reader may see.
    buckets: BTreeMap<u8, Bucket>,
    bucket_bytes: usize,
}

impl Heard {
    /// Of all posts the seqs, and of all readers the rows. Cost: O(posts + rows).
    #[must_use]
    pub fn new(seqs: impl IntoIterator<Item = (ItemId, Seq)>, rows: BTreeMap<u8, Bucket>) -> Self {
        let mut heard = Self::default();
        for (id, seq) in seqs {
            heard.put(id, seq);
        }
        heard.set(rows);
        heard
    }

    /// These parts of the rows have changed. Cost: O(rows in them).
    pub(crate) fn set(&mut self, changed: BTreeMap<u8, Bucket>) {
        for (number, bucket) in changed {
            self.bucket_bytes = self.bucket_bytes.saturating_add(bucket.heap_bytes());
            if let Some(before) = self.buckets.insert(number, bucket) {
                self.bucket_bytes = self.bucket_bytes.saturating_sub(before.heap_bytes());
            }
        }
    }

    /// A post was recorded. Cost: O(1).
    pub(crate) fn put(&mut self, id: ItemId, seq: Seq) {
        let bytes = id_bytes(&id);
        if self.seqs.insert(id, seq).is_none() {
            self.id_bytes = self.id_bytes.saturating_add(bytes);
        }
    }

    /// A post has gone. Cost: O(1).
    pub(crate) fn remove(&mut self, id: &str) {
        if let Some((id, _)) = self.seqs.remove_entry(id) {
            self.id_bytes = self.id_bytes.saturating_sub(id_bytes(&id));
        }
    }

    /// The stream as one reader sees it; nobody sees nothing. Cost: O(posts).
    pub(crate) fn seen(&self, stream: &Arc<Stream>, reader: Option<&str>) -> Arc<Stream> {
        let row = reader.and_then(|reader| self.buckets.get(&bucket_of(reader))?.row(reader));
        let Some(row) = row else {
            return Arc::default();
        };
        let sees = |id: &ItemId| self.seqs.get(id).is_some_and(|seq| row.sees(*seq));
        if stream.places().iter().all(|place| sees(&place.id)) {
            Arc::clone(stream)
        } else {
            let seen = stream.places().iter().filter(|place| sees(&place.id));
            Arc::new(Stream::new(seen.cloned().collect()))
        }
    }

    /// The memory it takes beside its own size, in bytes, about. Cost: O(1).
    pub(crate) fn heap_bytes(&self) -> usize {
        // One in eight is left free.
        let slots = self.seqs.capacity().saturating_mul(8) / 7;
        slots
            .saturating_mul(size_of::<(ItemId, Seq)>().saturating_add(1))
            .saturating_add(self.id_bytes)
            .saturating_add(self.bucket_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Micros, Place};

    #[test]
    fn each_sees_his_own() {
        let place = |at: u64, id: &str| Place {
            at: Micros(at),
            id: id.into(),
        };
        let stream = Arc::new(Stream::new(vec![
            place(1, "a"),
            place(2, "b"),
            place(3, "c"),
        ]));
        let mut rows: BTreeMap<u8, Bucket> = BTreeMap::new();
        for (reader, seqs) in [("all@h", "1-3"), ("some@h", "1-1,3-")] {
            let bucket = Bucket::decode(&format!("{reader} {seqs}\n"));
            rows.insert(bucket_of(reader), bucket);
        }
        let seqs = [("a".into(), 1), ("b".into(), 2), ("c".into(), 3)];
        let mut heard = Heard::new(seqs, rows);
        let seen = |heard: &Heard, reader: Option<&str>| -> String {
            let seen = heard.seen(&stream, reader);
            seen.places().iter().map(|place| &*place.id).collect()
        };
        assert_eq!(seen(&heard, Some("all@h")), "abc");
        assert!(Arc::ptr_eq(&heard.seen(&stream, Some("all@h")), &stream));
        assert_eq!(seen(&heard, Some("some@h")), "ac");
        assert_eq!(seen(&heard, Some("nobody@h")), "");
        assert_eq!(seen(&heard, None), "");
        // What has no seq is for nobody.
        heard.remove("a");
        assert_eq!(seen(&heard, Some("all@h")), "bc");
        heard.put("b".into(), 4);
        assert_eq!(seen(&heard, Some("all@h")), "c");
        assert_eq!(seen(&heard, Some("some@h")), "bc");
        let number = bucket_of("some@h");
        heard.set([(number, Bucket::default())].into());
        assert_eq!(seen(&heard, Some("some@h")), "");
    }

    #[test]
    fn what_goes_takes_nothing() {
        let long: ItemId = "x".repeat(100).into();
        let mut heard = Heard::new([(long, 1)], BTreeMap::new());
        heard.set([(3, Bucket::decode("bob@h 1-2,4-\n"))].into());
        assert!(heard.heap_bytes() > 200);
        heard.remove(&"x".repeat(100));
        heard.set([(3, Bucket::default())].into());
        assert_eq!(heard.id_bytes, 0);
        assert_eq!(heard.bucket_bytes, 0);
    }
}
