//! A storage of posts as the tests of the index have it: a shelf for each author.
// A panic in a test is a failed test.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

use std::collections::BTreeMap;

use twitter_core::cache::StoredPayload;
use twitter_core::jid::BareJid;
use twitter_core::service::{Cached, Hold, NotLoaded, Service};
use twitter_core::stream::{Micros, Place};
use twitter_core::timeline::{Anchor, Order, PostRef, Request};

pub const AUTHORS: [&str; 3] = ["bob@h", "al@h", "al@h.x"];
pub const IDS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// What one author has stored: id and time.
pub type Shelf = BTreeMap<&'static str, u64>;

#[derive(Debug, Clone)]
pub enum Change {
    Put(&'static str, u64),
    Remove(&'static str),
    /// Something the index is told nothing about but that it happened.
    Replace(Shelf),
}

impl Change {
    pub fn store(&self, shelf: &mut Shelf) {
        match self {
            Self::Put(id, at) => drop(shelf.insert(id, *at)),
            Self::Remove(id) => drop(shelf.remove(id)),
            Self::Replace(new) => shelf.clone_from(new),
        }
    }
}

pub fn jid(author: usize) -> BareJid {
    BareJid::parse(AUTHORS[author]).unwrap()
}

pub fn place(id: &str, at: u64) -> Place {
    Place {
        at: Micros(at),
        id: id.into(),
    }
}

/// The payload under which a post is stored: an edit that changes nothing but the time makes another.
pub fn payload(id: &str, at: u64) -> StoredPayload {
    format!("{id} of {at}").into_bytes().into()
}

pub fn places(shelf: &Shelf) -> Vec<Place> {
    shelf.iter().map(|(id, at)| place(id, *at)).collect()
}

/// The whole list that a reader of these authors gets, with what there is of the payloads.
pub fn ask(
    service: &Service,
    authors: &[usize],
    hold: &Hold,
) -> Result<Vec<(PostRef, Cached)>, NotLoaded> {
    let authors: Vec<BareJid> = authors.iter().map(|a| jid(*a)).collect();
    let request = Request {
        order: Order::OldestFirst,
        anchor: Anchor::Start,
        limit: usize::MAX,
    };
    let (page, cached) = service.page(&authors, None, &request, hold, usize::MAX)?;
    assert_eq!((page.index, page.count), (0, page.posts.len()));
    assert_eq!(cached.len(), page.posts.len());
    Ok(page.posts.into_iter().zip(cached).collect())
}

/// The same list as the storage has it.
pub fn listed<'a>(stored: impl IntoIterator<Item = (usize, &'a Shelf)>) -> Vec<PostRef> {
    let mut all = vec![];
    for (a, shelf) in stored {
        all.extend(places(shelf).into_iter().map(|Place { at, id }| PostRef {
            author: AUTHORS[a].into(),
            id,
            at,
        }));
    }
    all.sort_by(|a, b| (a.at, &a.author, &a.id).cmp(&(b.at, &b.author, &b.id)));
    all
}
