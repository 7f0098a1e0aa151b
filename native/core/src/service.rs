//! One pubsub host: the index of all streams, shared between threads.
//!
//! The index is a cache of what the server stores, and learns of a change only after it was stored,
//! from whatever process made it. So that it ends up right however those processes overtake each
//! other, nobody tells it what he *did*: he asks for the [`Version`] of an author's stream, reads the
//! storage, and offers what he read under that version. If the stream changed meanwhile the offer is
//! [`Offer::Stale`], and he does the same again. The last offer taken was read after every change that
//! was taken before it.
//!
//! A stream is loaded when it is first read; until then offers only count up its version.

use ahash::AHashMap;
use parking_lot::RwLock;

use crate::jid::BareJid;
use crate::stream::{Place, Stream};
use crate::timeline::{Page, PostRef, Request, Timeline};

/// The index of one pubsub host.
///
/// ```
/// use twitter_core::{jid::BareJid, service::{Offer, Service}, stream::{Micros, Place}};
/// let service = Service::default();
/// let alice = BareJid::parse("alice@h")?;
/// let begun = service.version(&alice);
/// // While the storage is read, another process stores a post, and tells first:
/// let post = Place { at: Micros(1), id: "a".into() };
/// assert_eq!(service.put(&alice, service.version(&alice), post), Offer::Taken);
/// assert_eq!(service.load(&alice, begun, vec![]), Offer::Stale);
/// # Ok::<(), twitter_core::jid::InvalidJid>(())
/// ```
#[derive(Debug, Default)]
pub struct Service {
    slots: RwLock<AHashMap<BareJid, Slot>>,
}

/// How often an author's stream has changed in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version(pub u64);

/// What became of something that was read from storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// The index has it.
    Taken,
    /// The stream changed after its version was asked for: ask, read and offer again.
    Stale,
}

#[derive(Debug, Default)]
struct Slot {
    version: Version,
    stream: Option<Stream>,
}

impl Slot {
    fn next_version(&mut self) {
        self.version.0 = self.version.0.wrapping_add(1);
    }
}

/// Authors whose streams must be loaded before the question can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLoaded(pub Vec<BareJid>);

impl Service {
    /// The version of an author's stream; to be asked for before the storage is read.
    pub fn version(&self, author: &BareJid) -> Version {
        self.slots
            .read()
            .get(author)
            .map(|slot| slot.version)
            .unwrap_or_default()
    }

    /// Offers all posts of an author, in any order. A stream that is there already stays.
    /// Cost: O(n log n).
    pub fn load(&self, author: &BareJid, read_under: Version, posts: Vec<Place>) -> Offer {
        let stream = Stream::new(posts);
        self.offer(author, read_under, |slot| {
            if slot.stream.is_none() {
                slot.stream = Some(stream);
            }
        })
    }

    /// Offers a post that is stored. Cost: see [`Stream::put`].
    pub fn put(&self, author: &BareJid, read_under: Version, place: Place) -> Offer {
        self.offer(author, read_under, |slot| {
            slot.next_version();
            if let Some(stream) = &mut slot.stream {
                stream.put(place);
            }
        })
    }

    /// Offers that no post with this id is stored. Cost: see [`Stream::remove`].
    pub fn remove(&self, author: &BareJid, read_under: Version, id: &str) -> Offer {
        self.offer(author, read_under, |slot| {
            slot.next_version();
            if let Some(stream) = &mut slot.stream {
                stream.remove(id);
            }
        })
    }

    /// Storage changed in a way that nobody can tell post by post: drop the stream, so that it is
    /// loaded again.
    pub fn forget(&self, author: &BareJid) {
        let mut slots = self.slots.write();
        let slot = slots.entry(author.clone()).or_default();
        slot.next_version();
        slot.stream = None;
    }

    fn offer(&self, author: &BareJid, read_under: Version, take: impl FnOnce(&mut Slot)) -> Offer {
        let mut slots = self.slots.write();
        let slot = slots.entry(author.clone()).or_default();
        if slot.version != read_under {
            return Offer::Stale;
        }
        take(slot);
        Offer::Taken
    }

    /// One page of the merged streams of `authors`.
    ///
    /// # Errors
    /// [`NotLoaded`] names the streams to load first; nothing was read.
    pub fn page(&self, authors: &[BareJid], request: &Request) -> Result<Page, NotLoaded> {
        self.timeline(authors, |timeline| timeline.page(request))
    }

    /// All posts of `authors` that have one of these ids: see [`Timeline::find`].
    ///
    /// # Errors
    /// [`NotLoaded`] names the streams to load first; nothing was read.
    pub fn find(&self, authors: &[BareJid], ids: &[&str]) -> Result<Vec<PostRef>, NotLoaded> {
        self.timeline(authors, |timeline| timeline.find(ids))
    }

    fn timeline<T>(
        &self,
        authors: &[BareJid],
        read: impl FnOnce(&Timeline<'_>) -> T,
    ) -> Result<T, NotLoaded> {
        let slots = self.slots.read();
        let mut asked: Vec<&BareJid> = authors.iter().collect();
        asked.sort_unstable();
        asked.dedup();
        let mut streams = Vec::with_capacity(asked.len());
        let mut missing = Vec::new();
        for author in asked {
            match slots.get(author) {
                Some(Slot {
                    stream: Some(stream),
                    ..
                }) => streams.push((author.as_str(), stream)),
                _ => missing.push(author.clone()),
            }
        }
        if !missing.is_empty() {
            return Err(NotLoaded(missing));
        }
        Ok(read(&Timeline::new(streams)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Micros;
    use crate::timeline::{Anchor, Order};

    fn jid(text: &str) -> BareJid {
        BareJid::parse(text).unwrap_or_else(|e| unreachable!("{text}: {e}"))
    }

    fn place(at: u64, id: &str) -> Place {
        Place {
            at: Micros(at),
            id: id.into(),
        }
    }

    fn ids(service: &Service, authors: &[BareJid]) -> Result<Vec<String>, NotLoaded> {
        let request = Request {
            order: Order::OldestFirst,
            anchor: Anchor::Start,
            limit: 9,
        };
        let page = service.page(authors, &request)?;
        Ok(page.posts.iter().map(|p| p.id.to_string()).collect())
    }

    #[test]
    fn an_offer_that_was_overtaken_is_stale() {
        let service = Service::default();
        let alice = jid("alice@h");
        let only = std::slice::from_ref(&alice);
        assert_eq!(ids(&service, only), Err(NotLoaded(vec![alice.clone()])));
        let begun = service.version(&alice);
        assert_eq!(service.put(&alice, begun, place(1, "a")), Offer::Taken);
        assert_eq!(service.load(&alice, begun, vec![]), Offer::Stale);
        assert_eq!(service.put(&alice, begun, place(1, "a")), Offer::Stale);
        assert_eq!(service.remove(&alice, begun, "a"), Offer::Stale);
        let begun = service.version(&alice);
        service.forget(&alice);
        assert_eq!(service.load(&alice, begun, vec![]), Offer::Stale);

        let begun = service.version(&alice);
        assert_eq!(
            service.load(&alice, begun, vec![place(2, "b")]),
            Offer::Taken
        );
        // A second loader that read the same version, and one that was overtaken.
        assert_eq!(service.load(&alice, begun, vec![]), Offer::Taken);
        assert_eq!(service.put(&alice, begun, place(1, "a")), Offer::Taken);
        assert_eq!(service.load(&alice, begun, vec![]), Offer::Stale);
        assert_eq!(ids(&service, only), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(
            service.remove(&alice, service.version(&alice), "b"),
            Offer::Taken
        );
        assert_eq!(
            ids(&service, &[alice.clone(), alice.clone()]),
            Ok(vec!["a".into()])
        );
        service.forget(&alice);
        assert_eq!(ids(&service, only), Err(NotLoaded(vec![alice.clone()])));
    }
}
