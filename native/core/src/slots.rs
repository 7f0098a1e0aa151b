//! The streams of all authors, each in a slot under a version, within a budget of bytes.
//!
//! The budget is soft. Slots that were used longest ago go first, but of the newest [`SPARED`] in each
//! shard only the streams go, for somebody may be reading storage under their versions; and a
//! request has what it needs in its [`Hold`], whatever goes meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use ahash::AHashMap;
use parking_lot::Mutex;

use crate::cache::Incarnation;
use crate::failpoints::point;
use crate::heard::Heard;
use crate::jid::BareJid;
use crate::lru::{Lru, Weigh};
use crate::shards::Shards;
use crate::stream::Stream;

/// How many slots of a shard keep their versions however small the budget is: some 100 bytes each. A
/// slot goes only when so many others of its shard have been used since.
pub(crate) const SPARED: usize = 32;

/// A state of an author's stream in the index. No two states of any streams have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub u64);

/// What the index has of one author.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) version: Version,
    pub(crate) incarnation: Incarnation,
    pub(crate) stream: Option<Arc<Stream>>,
    /// Beside the stream of an author on another server: for whom it is.
    pub(crate) heard: Option<Arc<Heard>>,
}

impl Weigh for BareJid {
    fn heap_bytes(&self) -> usize {
        self.as_str().len()
    }
}

impl Weigh for Slot {
    fn heap_bytes(&self) -> usize {
        // Each behind two counters.
        let counters = size_of::<[usize; 2]>();
        let stream = self.stream.as_ref().map_or(0, |stream| {
            counters
                .saturating_add(size_of::<Stream>())
                .saturating_add(stream.heap_bytes())
        });
        let heard = self.heard.as_ref().map_or(0, |heard| {
            counters
                .saturating_add(size_of::<Heard>())
                .saturating_add(heard.heap_bytes())
        });
        stream.saturating_add(heard)
    }

    fn posts(&self) -> usize {
        self.stream
            .as_ref()
            .map_or(0, |stream| stream.places().len())
    }
}

/// An author's stream as it was at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) version: Version,
    pub(crate) incarnation: Incarnation,
    pub(crate) stream: Arc<Stream>,
    pub(crate) heard: Option<Arc<Heard>>,
}

impl Snapshot {
    /// Leaves of a stream that was heard what this reader may see; that of an author at home stays whole, for his
    /// roster is asked.
    pub(crate) fn show_to(&mut self, reader: Option<&str>) {
        if let Some(heard) = &self.heard {
            self.stream = heard.seen(&self.stream, reader);
        }
    }
}

/// What a slot had.
type Gone = (Option<Arc<Stream>>, Option<Arc<Heard>>);

impl Slot {
    /// Takes out what has to be read again.
    pub(crate) fn empty(&mut self) -> Gone {
        (self.stream.take(), self.heard.take())
    }

    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        self.stream.as_ref().map(|stream| Snapshot {
            version: self.version,
            incarnation: self.incarnation,
            stream: Arc::clone(stream),
            heard: self.heard.clone(),
        })
    }
}

/// Streams that one request has in its hand while it loads others.
#[derive(Debug, Default)]
pub struct Hold(Mutex<AHashMap<Box<str>, Snapshot>>);

impl Hold {
    pub(crate) fn keep(&self, author: &str, snapshot: Snapshot) {
        self.0.lock().insert(author.into(), snapshot);
    }

    pub(crate) fn get(&self, author: &str) -> Option<Snapshot> {
        self.0.lock().get(author).cloned()
    }

    /// Whether it has no streams.
    pub fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Gives up all streams, before the last reference to the hold is gone. Cost: O(streams).
    pub fn release(&self) {
        let streams = std::mem::take(&mut *self.0.lock());
        drop(streams);
    }
}

/// An author whose stream is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked<'a> {
    // First what tells them apart at once.
    order: u64,
    pub(crate) author: &'a str,
    hash: u64,
}

/// The slots of all authors.
#[derive(Debug)]
pub(crate) struct Slots {
    shards: Shards<BareJid, Slot>,
    /// The last number that was given to a version or an incarnation.
    last: AtomicU64,
}

impl Slots {
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            shards: Shards::new(budget),
            last: AtomicU64::new(0),
        }
    }

    /// A version that nothing had before.
    pub(crate) fn new_version(&self) -> Version {
        Version(self.number())
    }

    fn number(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// The version of an author's slot, which is made if there is none. Nothing goes for it: else those
    /// who only ask could take each other's slots away for ever.
    pub(crate) fn version(&self, author: &BareJid) -> Version {
        let hash = self.shards.hash(author.as_str());
        let mut shard = self.shards.lock(hash);
        if let Some(slot) = shard.get(hash, |other| other == author) {
            return slot.version;
        }
        let version = self.new_version();
        let slot = Slot {
            version,
            incarnation: Incarnation(self.number()),
            stream: None,
            heard: None,
        };
        shard.insert(hash, author.clone(), slot);
        version
    }

    /// These authors, each once, so that those of a shard are neighbours. Cost: O(n log n), but the names
    /// are hardly looked at.
    pub(crate) fn asked<'a>(&self, authors: &'a [BareJid]) -> Vec<Asked<'a>> {
        let mut asked: Vec<Asked<'a>> = authors
            .iter()
            .map(|author| self.asked_one(author.as_str()))
            .collect();
        asked.sort_unstable();
        asked.dedup();
        asked
    }

    /// One of them, to be looked for among the others.
    pub(crate) fn asked_one<'a>(&self, author: &'a str) -> Asked<'a> {
        let hash = self.shards.hash(author);
        Asked {
            order: Shards::<BareJid, Slot>::order(hash),
            author,
            hash,
        }
    }

    /// The streams of authors that come from [`Slots::asked`], as far as they are there. Each shard is
    /// locked once.
    pub(crate) fn snapshots(&self, asked: &[Asked<'_>]) -> Vec<Option<Snapshot>> {
        let mut snapshots = Vec::with_capacity(asked.len());
        for neighbours in asked.chunk_by(|a, b| Shards::<BareJid, Slot>::is_shared(a.hash, b.hash))
        {
            let Some(first) = neighbours.first() else {
                continue;
            };
            let mut shard = self.shards.lock(first.hash);
            snapshots.extend(neighbours.iter().map(|Asked { hash, author, .. }| {
                let slot = shard.get(*hash, |other| other.as_str() == *author)?;
                slot.snapshot()
            }));
        }
        snapshots
    }

    /// The stream of an author, if it is there.
    pub(crate) fn snapshot(&self, author: &BareJid) -> Option<Snapshot> {
        let hash = self.shards.hash(author.as_str());
        let mut shard = self.shards.lock(hash);
        shard.get(hash, |other| other == author)?.snapshot()
    }

    /// Changes the slot if it is still there and has this version; `None` if not. Then the
    /// budget is kept to.
    pub(crate) fn change<T>(
        &self,
        author: &BareJid,
        version: Version,
        change: impl FnOnce(&mut Slot) -> T,
    ) -> Option<T> {
        let hash = self.shards.hash(author.as_str());
        let mut shard = self.shards.lock(hash);
        let changed = shard.change(
            hash,
            |other| other == author,
            |slot| (slot.version == version).then(|| change(slot)),
        );
        point!();
        let gone = keep_to(self.shards.part(), &mut shard);
        // What went is freed when nobody waits for it.
        drop(shard);
        drop(gone);
        changed.flatten()
    }

    /// Calls `see` if the slot is still there and has this version, and tells whether it did. Until it
    /// returns, the slot stays as it is.
    pub(crate) fn see(&self, author: &BareJid, version: Version, see: impl FnOnce(&Slot)) -> bool {
        let hash = self.shards.hash(author.as_str());
        let shard = self.shards.lock(hash);
        let slot = shard.peek(hash, |other| other == author);
        match slot.filter(|slot| slot.version == version) {
            Some(slot) => {
                see(slot);
                true
            }
            None => false,
        }
    }

    /// Whether the author's stream is still as it was in this version.
    pub(crate) fn is_still(&self, asked: &Asked<'_>, version: Version) -> bool {
        let shard = self.shards.lock(asked.hash);
        let slot = shard.peek(asked.hash, |other| other.as_str() == asked.author);
        slot.is_some_and(|slot| slot.version == version)
    }

    /// Gives the slot another life, without a stream. There is nothing to do if there is none:
    /// whatever is read now will be offered under the version of one that is gone.
    pub(crate) fn forget(&self, author: &BareJid) {
        let hash = self.shards.hash(author.as_str());
        let mut shard = self.shards.lock(hash);
        let gone = shard.change(
            hash,
            |other| other == author,
            |slot| {
                slot.version = self.new_version();
                point!();
                slot.incarnation = Incarnation(self.number());
                point!();
                slot.empty()
            },
        );
        drop(shard);
        drop(gone);
    }

    /// The slots of all authors go, and the versions with them. Cost: O(slots), in parts.
    pub(crate) fn forget_all(&self) {
        for mut shard in self.shards.each() {
            let gone = std::mem::take(&mut *shard);
            drop(shard);
            drop(gone);
        }
    }

    /// Lets a slot go.
    pub(crate) fn let_go(&self, author: &BareJid) {
        let hash = self.shards.hash(author.as_str());
        let gone = self.shards.lock(hash).remove(hash, |other| other == author);
        drop(gone);
    }

    /// Sets another budget and keeps to it.
    pub(crate) fn set_budget(&self, bytes: usize) {
        self.shards.set_budget(bytes);
        let part = self.shards.part();
        for mut shard in self.shards.each() {
            let gone = keep_to(part, &mut shard);
            drop(shard);
            drop(gone);
        }
    }

    /// How many bytes all slots take, how many there are, and of how many posts. Cost: O(1).
    pub(crate) fn memory(&self) -> (usize, usize, usize) {
        self.shards
            .each()
            .fold((0, 0, 0), |(bytes, slots, posts), shard| {
                (
                    bytes.saturating_add(shard.bytes()),
                    slots.saturating_add(shard.len()),
                    posts.saturating_add(shard.posts()),
                )
            })
    }
}

/// Keeps a shard to its part of the budget; returns what had to go.
fn keep_to(part: usize, shard: &mut Lru<BareJid, Slot>) -> Vec<Gone> {
    let mut gone = Vec::new();
    while shard.bytes() > part && shard.len() > SPARED {
        let Some((_, slot)) = shard.pop_oldest() else {
            break;
        };
        gone.push((slot.stream, slot.heard));
    }
    if shard.bytes() > part {
        shard.change_oldest(|slot, bytes| {
            let goes_on = bytes > part;
            if goes_on {
                gone.push(slot.empty());
            }
            goes_on
        });
    }
    gone
}
