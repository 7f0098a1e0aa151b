//! One pubsub host: the index of all streams and the payloads of recent posts, shared between threads.
//!
//! Both are a cache of what the server stores, and learn of a change only after it was stored,
//! from whatever process made it. So that they end up right however those processes overtake each
//! other, nobody tells what he *did*: he asks for the [`Version`] of an author's stream, reads the
//! storage, and offers what he read under that version. If the stream changed meanwhile the offer is
//! [`Offer::Stale`], and he does the same again. The last offer taken was read after every change that
//! was taken before it. A payload that was read is offered in the same way; if that is stale, it is
//! simply not kept.
//!
//! A stream is loaded when it is first read; until then offers only change its version. Streams and
//! payloads have a budget of bytes each, and go when others were used since. A version is never used
//! twice, so what was read before an author's slot went is stale ever after. Payloads are found only
//! through the slot that they were offered to: when it is forgotten or goes, so do they.
//!
//! A page takes each stream under the lock of its shard, and merges without a lock.

mod hearing;
mod reading;

use std::sync::Arc;

use crate::cache::{Cache, StoredPayload};
use crate::failpoints::point;
use crate::jid::BareJid;
use crate::slots::{Slots, Snapshot};
use crate::stream::{ItemId, Place, Stream};

pub use crate::slots::{Hold, Version};

/// The index of one pubsub host.
///
/// ```
/// use twitter_core::service::{Offer, Service};
/// use twitter_core::{jid::BareJid, stream::{Micros, Place}};
/// let service = Service::new(1_000_000, 1_000_000);
/// let alice = BareJid::parse("alice@h")?;
/// let begun = service.version(&alice);
/// // While the storage is read, another process stores a post, and tells first:
/// let (post, payload) = (Place { at: Micros(1), id: "a".into() }, b"payload"[..].into());
/// assert_eq!(service.put(&alice, service.version(&alice), post, payload), Offer::Taken);
/// assert_eq!(service.load(&alice, begun, vec![], &Default::default()), Offer::Stale);
/// # Ok::<(), twitter_core::jid::InvalidJid>(())
/// ```
#[derive(Debug)]
pub struct Service {
    slots: Slots,
    cache: Cache,
}

/// What became of something that was read from storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// The index has it.
    Taken,
    /// The stream changed after its version was asked for, or its slot went: ask, read and offer
    /// again.
    Stale,
}

/// What there is of a post's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cached {
    /// All of it.
    Payload(StoredPayload),
    /// Nothing: read it from storage, and offer it under this version.
    Unread(Version),
}

/// Authors whose streams must be loaded before the question can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLoaded(pub Vec<BareJid>);

/// How much memory there is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Bytes that all streams take.
    pub stream_bytes: usize,
    /// Bytes that all payloads take.
    pub payload_bytes: usize,
    /// Authors of whom anything is known.
    pub authors: usize,
    /// Posts in all streams.
    pub posts: usize,
    /// Payloads.
    pub payloads: usize,
}

impl Service {
    /// An empty index. Its streams take about `index_size` bytes (and those that requests hold), its
    /// payloads at most `cache_size`.
    #[must_use]
    pub fn new(index_size: usize, cache_size: usize) -> Self {
        Self {
            slots: Slots::new(index_size),
            cache: Cache::new(cache_size),
        }
    }

    /// Sets other budgets, and keeps to them at once. Cost: O(what has to go).
    pub fn set_budgets(&self, index_size: usize, cache_size: usize) {
        self.slots.set_budget(index_size);
        self.cache.set_budget(cache_size);
    }

    /// How much memory is in use, as it was asked from the allocator. Cost: O(1).
    pub fn memory(&self) -> Memory {
        let (stream_bytes, authors, posts) = self.slots.memory();
        let (payload_bytes, payloads) = self.cache.memory();
        Memory {
            stream_bytes,
            payload_bytes,
            authors,
            posts,
            payloads,
        }
    }

    /// The version of an author's stream; to be asked for before the storage is read.
    /// Cost: O(1).
    pub fn version(&self, author: &BareJid) -> Version {
        self.slots.version(author)
    }

    /// Offers all posts of an author, in any order. A stream that is there already stays. Either
    /// way the hold has the stream then. Cost: O(n log n).
    pub fn load(
        &self,
        author: &BareJid,
        read_under: Version,
        posts: Vec<Place>,
        hold: &Hold,
    ) -> Offer {
        let loaded = Arc::new(Stream::new(posts));
        let taken = self.slots.change(author, read_under, |slot| {
            slot.stream.get_or_insert(loaded);
            slot.snapshot()
        });
        held(author, taken.flatten(), hold)
    }

    /// Whether an author's stream is there; then the hold has it. Cost: O(1).
    pub fn hold(&self, author: &BareJid, hold: &Hold) -> bool {
        match self.slots.snapshot(author) {
            Some(snapshot) => {
                hold.keep(author.as_str(), snapshot);
                true
            }
            None => false,
        }
    }

    /// Offers a post that is stored. Cost: see [`Stream::put`]; and a copy of the stream, if a page is
    /// being made of it.
    pub fn put(
        &self,
        author: &BareJid,
        read_under: Version,
        place: Place,
        payload: StoredPayload,
    ) -> Offer {
        taken(self.slots.change(author, read_under, |slot| {
            slot.version = self.slots.new_version();
            point!();
            self.cache.put(slot.incarnation, &place.id, payload);
            point!();
            match (&mut slot.stream, &slot.heard) {
                (Some(stream), None) => Arc::make_mut(stream).put(place),
                // Nobody says for whom it is: what was heard is read again.
                (_, Some(_)) => drop(slot.empty()),
                (None, None) => (),
            }
        }))
    }

    /// Offers that no post with this id is stored. Cost: as for [`Service::put`].
    pub fn remove(&self, author: &BareJid, read_under: Version, id: &str) -> Offer {
        taken(self.slots.change(author, read_under, |slot| {
            slot.version = self.slots.new_version();
            point!();
            self.cache.remove(slot.incarnation, id);
            point!();
            match (&mut slot.stream, &mut slot.heard) {
                (Some(stream), Some(heard)) => {
                    Arc::make_mut(heard).remove(Arc::make_mut(stream), id);
                }
                (Some(stream), None) => drop(Arc::make_mut(stream).remove(id)),
                (None, _) => (),
            }
        }))
    }

    /// Offers the payload of a post that [`Service::page`] or [`Service::find`] named with
    /// [`Cached::Unread`]. Cost: O(1).
    pub fn keep_payload(
        &self,
        author: &BareJid,
        read_under: Version,
        id: &ItemId,
        payload: StoredPayload,
    ) -> Offer {
        let kept = self.slots.see(author, read_under, |slot| {
            self.cache.put(slot.incarnation, id, payload);
        });
        taken(kept.then_some(()))
    }

    /// Storage changed in a way that nobody can tell post by post: drop the stream and the payloads,
    /// so that they are read again.
    pub fn forget(&self, author: &BareJid) {
        self.slots.forget(author);
    }

    /// Storage may have changed in ways that nobody told: everything is read again, and what is being read
    /// now is not taken. Cost: O(what is in memory); nobody waits for all of it.
    pub fn forget_all(&self) {
        self.slots.forget_all();
        self.cache.forget_all();
    }

    /// Lets everything about an author go, as the budget does when others were used since: for tests.
    pub fn let_go(&self, author: &BareJid) {
        self.slots.let_go(author);
    }
}

fn held(author: &BareJid, snapshot: Option<Snapshot>, hold: &Hold) -> Offer {
    match snapshot {
        Some(snapshot) => {
            hold.keep(author.as_str(), snapshot);
            Offer::Taken
        }
        None => Offer::Stale,
    }
}

fn taken(offer: Option<()>) -> Offer {
    offer.map_or(Offer::Stale, |()| Offer::Taken)
}
