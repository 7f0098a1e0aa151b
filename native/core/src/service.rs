//! One pubsub host: the index of all streams, shared between threads.
//!
//! The index is a cache of what the server stores. An author's stream is loaded when it is first
//! read; until then changes to it only count up a version, so that a load which raced with a change
//! is found out and done again. Nothing here needs to be right for data to be safe.

use ahash::AHashMap;
use parking_lot::RwLock;

use crate::jid::BareJid;
use crate::stream::{Place, Stream};
use crate::timeline::{Page, PostRef, Request, Timeline};

/// The index of one pubsub host.
///
/// ```
/// use twitter_core::{jid::BareJid, service::{Load, Loaded, Service}, stream::{Micros, Place}};
/// let service = Service::default();
/// let alice = BareJid::parse("alice@h")?;
/// let Load::Needed(version) = service.begin_load(&alice) else { unreachable!() };
/// // Somebody publishes while the storage is read:
/// service.put(&alice, Place { at: Micros(1), id: "a".into() });
/// assert_eq!(service.finish_load(&alice, version, vec![]), Loaded::Stale);
/// # Ok::<(), twitter_core::jid::InvalidJid>(())
/// ```
#[derive(Debug, Default)]
pub struct Service {
    slots: RwLock<AHashMap<BareJid, Slot>>,
}

/// How often an author's stream changed while it was not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version(pub u64);

#[derive(Debug, Default)]
struct Slot {
    version: Version,
    stream: Option<Stream>,
}

impl Slot {
    fn change(&mut self, apply: impl FnOnce(&mut Stream)) {
        match &mut self.stream {
            Some(stream) => apply(stream),
            None => self.version.0 = self.version.0.wrapping_add(1),
        }
    }
}

/// Whether a stream must be read from storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// It is in the index.
    Done,
    /// Read it now, then call [`Service::finish_load`] with this version.
    Needed(Version),
}

/// What became of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    /// The stream is in the index, from this load or from another one.
    Done,
    /// The stream changed meanwhile: begin again.
    Stale,
}

/// Authors whose streams must be loaded before the question can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLoaded(pub Vec<BareJid>);

impl Service {
    /// Announces that the stream of `author` is about to be read from storage.
    pub fn begin_load(&self, author: &BareJid) -> Load {
        match self.slots.read().get(author) {
            Some(Slot {
                stream: Some(_), ..
            }) => Load::Done,
            Some(slot) => Load::Needed(slot.version),
            None => Load::Needed(Version::default()),
        }
    }

    /// Takes what storage gave, in any order. Cost: O(n log n).
    pub fn finish_load(&self, author: &BareJid, begun: Version, posts: Vec<Place>) -> Loaded {
        let stream = Stream::new(posts);
        let mut slots = self.slots.write();
        let slot = slots.entry(author.clone()).or_default();
        if slot.stream.is_some() {
            return Loaded::Done;
        }
        if slot.version != begun {
            return Loaded::Stale;
        }
        slot.stream = Some(stream);
        Loaded::Done
    }

    /// A post was stored. Doing it twice does it once.
    pub fn put(&self, author: &BareJid, place: Place) {
        self.change(author, |stream| {
            stream.put(place);
        });
    }

    /// Posts were deleted from storage.
    pub fn remove<'a>(&self, author: &BareJid, ids: impl IntoIterator<Item = &'a str>) {
        self.change(author, |stream| {
            for id in ids {
                stream.remove(id);
            }
        });
    }

    /// Storage changed in a way not told here: drop the stream, so that it is loaded again.
    pub fn forget(&self, author: &BareJid) {
        let mut slots = self.slots.write();
        let slot = slots.entry(author.clone()).or_default();
        slot.stream = None;
        slot.version.0 = slot.version.0.wrapping_add(1);
    }

    fn change(&self, author: &BareJid, apply: impl FnOnce(&mut Stream)) {
        let mut slots = self.slots.write();
        slots.entry(author.clone()).or_default().change(apply);
    }

    /// One page of the merged streams of `authors`.
    ///
    /// # Errors
    /// [`NotLoaded`] names the streams to load first; nothing was read.
    pub fn page(&self, authors: &[BareJid], request: &Request) -> Result<Page, NotLoaded> {
        self.timeline(authors, |timeline| timeline.page(request))
    }

    /// All posts of `authors` that have this id, newest first.
    ///
    /// # Errors
    /// [`NotLoaded`] names the streams to load first; nothing was read.
    pub fn find(&self, authors: &[BareJid], id: &str) -> Result<Vec<PostRef>, NotLoaded> {
        self.timeline(authors, |timeline| timeline.find(id))
    }

    fn timeline<T>(
        &self,
        authors: &[BareJid],
        read: impl FnOnce(&Timeline<'_>) -> T,
    ) -> Result<T, NotLoaded> {
        let slots = self.slots.read();
        let mut streams = Vec::with_capacity(authors.len());
        let mut missing = Vec::new();
        for author in authors {
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
        streams.sort_unstable_by_key(|(author, _)| *author);
        streams.dedup_by_key(|(author, _)| *author);
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
    fn a_load_that_raced_is_found_out() {
        let service = Service::default();
        let alice = jid("alice@h");
        assert_eq!(
            ids(&service, std::slice::from_ref(&alice)),
            Err(NotLoaded(vec![alice.clone()]))
        );
        for change in 0..3 {
            let Load::Needed(version) = service.begin_load(&alice) else {
                unreachable!("nothing was loaded")
            };
            match change {
                0 => service.put(&alice, place(1, "a")),
                1 => service.remove(&alice, ["a"]),
                _ => service.forget(&alice),
            }
            assert_eq!(service.finish_load(&alice, version, vec![]), Loaded::Stale);
        }
        let Load::Needed(version) = service.begin_load(&alice) else {
            unreachable!("nothing was loaded")
        };
        assert_eq!(
            service.finish_load(&alice, version, vec![place(2, "b")]),
            Loaded::Done
        );
        assert_eq!(service.begin_load(&alice), Load::Done);
        // A second loader that read earlier changes nothing.
        assert_eq!(service.finish_load(&alice, version, vec![]), Loaded::Done);
        service.put(&alice, place(1, "a"));
        assert_eq!(
            ids(&service, std::slice::from_ref(&alice)),
            Ok(vec!["a".into(), "b".into()])
        );
        service.remove(&alice, ["b"]);
        assert_eq!(
            ids(&service, &[alice.clone(), alice.clone()]),
            Ok(vec!["a".into()])
        );
        service.forget(&alice);
        assert_eq!(
            ids(&service, std::slice::from_ref(&alice)),
            Err(NotLoaded(vec![alice.clone()]))
        );
    }
}
