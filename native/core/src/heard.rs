//! What the index has of an author on another server beside his stream: for whom each post is.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::AHashMap;

use crate::audience::{bucket_of, Bucket, Seq};
use crate::failpoints::point;
use crate::stream::{Place, Stream};

/// For whom the posts of a stream are that was heard. Memory: 4 bytes for each post, and what the readers'
/// rows take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// Which version there is of each post, as they stand in the stream.
    seqs: Vec<Seq>,
    /// What each reader may see, by the numbers of the buckets. Whoever changes one bucket copies no other.
    buckets: Vec<(u8, Arc<Bucket>)>,
    bucket_bytes: usize,
}

impl Heard {
    /// The stream of these posts, which come in any order (see [`Stream::new`]), and for whom they are.
    /// Cost: O(n log n + rows).
    #[must_use]
    pub fn new(posts: Vec<(Place, Seq)>, rows: BTreeMap<u8, Bucket>) -> (Stream, Self) {
        let mut versions = AHashMap::with_capacity(posts.len());
        for (place, seq) in &posts {
            let version = versions.entry(place.id.clone()).or_default();
            *version = (place.at, *seq).max(*version);
        }
        let stream = Stream::new(posts.into_iter().map(|(place, _)| place).collect());
        let seq = |place: &Place| versions.get(&place.id).map_or(0, |(_, seq)| *seq);
        let mut heard = Self {
            seqs: stream.places().iter().map(seq).collect(),
            ..Self::default()
        };
        heard.set(rows);
        (stream, heard)
    }

    /// These buckets have changed. Cost: O(rows in them).
    pub(crate) fn set(&mut self, changed: BTreeMap<u8, Bucket>) {
        for (number, bucket) in changed {
            let found = self.buckets.binary_search_by_key(&number, |(n, _)| *n);
            if let Some((_, before)) = found.ok().and_then(|at| self.buckets.get(at)) {
                self.bucket_bytes = self.bucket_bytes.saturating_sub(bytes_of(before));
            }
            point!();
            self.bucket_bytes = self.bucket_bytes.saturating_add(bytes_of(&bucket));
            let bucket = (number, Arc::new(bucket));
            match found {
                Ok(at) => {
                    if let Some(known) = self.buckets.get_mut(at) {
                        *known = bucket;
                    }
                }
                Err(at) => {
                    self.buckets.reserve_exact(1);
                    self.buckets.insert(at, bucket);
                }
            }
        }
    }

    /// A post was recorded; the stream gets it. Cost: as for [`Stream::put`], and O(n).
    pub(crate) fn put(&mut self, stream: &mut Stream, place: Place, seq: Seq) {
        self.remove(stream, &place.id);
        point!();
        stream.put(place.clone());
        point!();
        if let Ok(at) = stream.places().binary_search(&place) {
            if self.seqs.len() == self.seqs.capacity() {
                // As the stream.
                self.seqs.reserve_exact((self.seqs.len() / 8).max(1));
            }
            self.seqs.insert(at, seq);
        }
    }

    /// A post has gone; the stream loses it. Cost: O(n).
    pub(crate) fn remove(&mut self, stream: &mut Stream, id: &str) {
        if let Some(at) = stream.position(id) {
            self.seqs.remove(at);
            point!();
            stream.remove(id);
            let len = self.seqs.len();
            if len.saturating_add(len / 4) < self.seqs.capacity() {
                self.seqs.shrink_to(len.saturating_add(len / 8));
            }
        }
    }

    /// The stream as one reader sees it; nobody sees nothing. Cost: O(n), and the stream is copied only if he
    /// does not see all of it.
    pub(crate) fn seen(&self, stream: &Arc<Stream>, reader: Option<&str>) -> Arc<Stream> {
        let Some(row) = reader.and_then(|reader| self.bucket(reader)?.row(reader)) else {
            return Arc::default();
        };
        if self.seqs.iter().all(|seq| row.sees(*seq)) {
            return Arc::clone(stream);
        }
        Arc::new(stream.part(self.seqs.iter().map(|seq| row.sees(*seq))))
    }

    fn bucket(&self, reader: &str) -> Option<&Bucket> {
        let number = bucket_of(reader);
        let found = self.buckets.binary_search_by_key(&number, |(n, _)| *n);
        let (_, bucket) = self.buckets.get(found.ok()?)?;
        Some(bucket)
    }

    /// The memory it takes beside its own size, in bytes. Cost: O(1).
    pub(crate) fn heap_bytes(&self) -> usize {
        let seqs = self.seqs.capacity().saturating_mul(size_of::<Seq>());
        let slots = size_of::<(u8, Arc<Bucket>)>();
        let buckets = self.buckets.capacity().saturating_mul(slots);
        seqs.saturating_add(buckets)
            .saturating_add(self.bucket_bytes)
    }
}

/// What a bucket takes, behind two counters.
fn bytes_of(bucket: &Bucket) -> usize {
    size_of::<[usize; 2]>()
        .saturating_add(size_of::<Bucket>())
        .saturating_add(bucket.heap_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Micros;

    fn place(at: u64, id: &str) -> Place {
        Place {
            at: Micros(at),
            id: id.into(),
        }
    }

    fn rows(rows: &[(&str, &str)]) -> BTreeMap<u8, Bucket> {
        let mut texts: BTreeMap<u8, String> = BTreeMap::new();
        for (reader, seqs) in rows {
            let text = texts.entry(bucket_of(reader)).or_default();
            text.push_str(&format!("{reader} {seqs}\n"));
        }
        let decode = |(number, text): (u8, String)| (number, Bucket::decode(&text));
        texts.into_iter().map(decode).collect()
    }

    fn seen(heard: &Heard, stream: &Arc<Stream>, reader: Option<&str>) -> String {
        let seen = heard.seen(stream, reader);
        seen.places().iter().map(|place| &*place.id).collect()
    }

    #[test]
    fn each_sees_his_own() {
        let posts = vec![(place(3, "c"), 3), (place(1, "a"), 1), (place(2, "b"), 2)];
        let readers = rows(&[("all@h", "1-3"), ("some@h", "1-1,3-")]);
        let (stream, mut heard) = Heard::new(posts, readers);
        let mut stream = Arc::new(stream);
        assert_eq!(seen(&heard, &stream, Some("all@h")), "abc");
        assert!(Arc::ptr_eq(&heard.seen(&stream, Some("all@h")), &stream));
        assert_eq!(seen(&heard, &stream, Some("some@h")), "ac");
        assert_eq!(seen(&heard, &stream, Some("nobody@h")), "");
        assert_eq!(seen(&heard, &stream, None), "");
        heard.remove(Arc::make_mut(&mut stream), "a");
        heard.remove(Arc::make_mut(&mut stream), "a");
        assert_eq!(seen(&heard, &stream, Some("all@h")), "bc");
        // An edit is for whom it was sent.
        heard.put(Arc::make_mut(&mut stream), place(2, "b"), 4);
        assert_eq!(seen(&heard, &stream, Some("all@h")), "c");
        assert_eq!(seen(&heard, &stream, Some("some@h")), "bc");
        // Whoever had no say where a post stands, has none.
        heard.put(Arc::make_mut(&mut stream), place(9, "b"), 4);
        assert_eq!(seen(&heard, &stream, Some("some@h")), "cb");
        heard.set([(bucket_of("some@h"), Bucket::default())].into());
        assert_eq!(seen(&heard, &stream, Some("some@h")), "");
    }

    #[test]
    fn of_a_post_that_comes_twice_the_newer_version_counts() {
        for posts in [[(1, 1), (1, 2)], [(1, 2), (1, 1)], [(2, 1), (1, 2)]] {
            let newest = posts.iter().max().map_or(0, |(_, seq)| *seq);
            let posts = posts.map(|(at, seq)| (place(at, "a"), seq));
            let (_, heard) = Heard::new(posts.into(), BTreeMap::new());
            assert_eq!(heard.seqs, [newest]);
        }
    }

    #[test]
    fn what_goes_takes_nothing() {
        let (mut stream, mut heard) = Heard::new(vec![(place(1, "a"), 1)], BTreeMap::new());
        assert_eq!(heard.heap_bytes(), 4);
        heard.set([(3, Bucket::decode("bob@h 1-2,4-\n"))].into());
        assert!(heard.heap_bytes() > 100);
        heard.remove(&mut stream, "a");
        heard.set([(3, Bucket::default())].into());
        assert!(heard.heap_bytes() < 100);
    }
}
