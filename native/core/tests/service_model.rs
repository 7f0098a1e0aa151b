//! `Service` against a model of the storage it caches: loaders, writers and readers take turns in
//! any order, a step at a time.
//!
//! A writer changes the storage first and then offers what he reads of the post there; writers of
//! one author may overtake each other between any two of these steps. A reader of payloads asks for a
//! page, reads what it left open, and offers that. At any moment slots and payloads are let go.
// A panic in a test is a failed test, and nothing here comes near an overflow.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used
)]

mod shelf;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;
use twitter_core::cache::StoredPayload;
use twitter_core::jid::BareJid;
use twitter_core::service::{Cached, Hold, NotLoaded, Offer, Service, Version};
use twitter_core::stream::{ItemId, Place};
use twitter_core::timeline::PostRef;

use shelf::{ask, jid, listed, payload, place, places, Change, Shelf, AUTHORS, IDS};

const LOADERS: usize = 3;
const TELLERS: usize = 3;
/// Many, so that each of them is slow.
const READERS: usize = 6;
const CACHE_SIZE: usize = 1_000_000;

#[derive(Debug, Clone)]
enum Step {
    Store(usize, Change),
    /// A teller takes up a change that is not told yet; a whole one is told in this step.
    Take(usize),
    /// A teller or a loader does the next of its steps: ask for the version, read, offer.
    Tell(usize),
    Begin(usize, usize),
    Load(usize),
    /// A reader of payloads does the next of his steps: ask for a page, read, offer.
    Read(usize),
    LetGo(usize),
    /// All payloads go, as if others had been used since.
    Empty,
}

#[derive(Debug, Default)]
struct Author {
    shelf: Shelf,
    /// How many whole changes the index has not been told.
    replaced: usize,
    loaded: bool,
}

/// How far somebody is who offers what he reads.
#[derive(Debug, Clone)]
enum Progress<T> {
    Begins,
    Asked(Version),
    Read(Version, T),
}

struct Teller {
    author: usize,
    id: &'static str,
    progress: Progress<Option<u64>>,
}

struct Loader {
    author: usize,
    progress: Progress<Vec<Place>>,
}

/// Somebody who wants all payloads of an author.
#[derive(Debug, Clone)]
enum Reader {
    Begins(usize),
    Asked(usize, Vec<(ItemId, Version)>),
    Read(usize, Vec<(ItemId, Version, StoredPayload)>),
}

struct World {
    service: Service,
    authors: [Author; AUTHORS.len()],
    untold: Vec<(usize, &'static str)>,
    tellers: [Option<Teller>; TELLERS],
    loaders: [Option<Loader>; LOADERS],
    readers: [Reader; READERS],
}

impl Default for World {
    fn default() -> Self {
        Self {
            service: Service::new(usize::MAX, CACHE_SIZE),
            authors: Default::default(),
            untold: vec![],
            tellers: Default::default(),
            loaders: Default::default(),
            readers: [0, 1, 2, 0, 1, 2].map(Reader::Begins),
        }
    }
}

impl World {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Store(a, change) => {
                change.store(&mut self.authors[*a].shelf);
                match change {
                    Change::Put(id, _) | Change::Remove(id) => self.untold.push((*a, id)),
                    Change::Replace(_) => self.authors[*a].replaced += 1,
                }
            }
            Step::Take(t) => self.take(*t),
            Step::Tell(t) => self.tell(*t),
            Step::Begin(l, author) => {
                self.loaders[*l] = Some(Loader {
                    author: *author,
                    progress: Progress::Begins,
                });
            }
            Step::Load(l) => self.load(*l),
            Step::Read(r) => self.read(*r),
            Step::LetGo(author) => {
                self.service.let_go(&jid(*author));
                self.authors[*author].loaded = false;
            }
            Step::Empty => {
                self.service.set_budgets(usize::MAX, 0);
                self.service.set_budgets(usize::MAX, CACHE_SIZE);
            }
        }
        self.check();
    }

    fn take(&mut self, t: usize) {
        for (a, author) in self.authors.iter_mut().enumerate() {
            if author.replaced > 0 {
                self.service.forget(&jid(a));
                *author = Author {
                    shelf: std::mem::take(&mut author.shelf),
                    ..Author::default()
                };
            }
        }
        if self.tellers[t].is_none() {
            // Not always in the order of the changes.
            let next = self.untold.len().saturating_sub(1 + t % 2);
            if next < self.untold.len() {
                let (author, id) = self.untold.remove(next);
                self.tellers[t] = Some(Teller {
                    author,
                    id,
                    progress: Progress::Begins,
                });
            }
        }
    }

    fn tell(&mut self, t: usize) {
        let Some(Teller {
            author,
            id,
            progress,
        }) = self.tellers[t].take()
        else {
            return;
        };
        let name = jid(author);
        let progress = match progress {
            Progress::Begins => Progress::Asked(self.service.version(&name)),
            Progress::Asked(version) => {
                Progress::Read(version, self.authors[author].shelf.get(id).copied())
            }
            Progress::Read(version, read) => {
                let offer = match read {
                    Some(at) => {
                        let payload = payload(id, at);
                        self.service.put(&name, version, place(id, at), payload)
                    }
                    None => self.service.remove(&name, version, id),
                };
                match offer {
                    Offer::Taken => return,
                    Offer::Stale => Progress::Begins,
                }
            }
        };
        self.tellers[t] = Some(Teller {
            author,
            id,
            progress,
        });
    }

    fn load(&mut self, l: usize) {
        let Some(Loader { author, progress }) = self.loaders[l].take() else {
            return;
        };
        let name = jid(author);
        let progress = match progress {
            Progress::Begins => Progress::Asked(self.service.version(&name)),
            Progress::Asked(version) => {
                Progress::Read(version, places(&self.authors[author].shelf))
            }
            Progress::Read(version, read) => {
                let hold = Hold::default();
                match self.service.load(&name, version, read, &hold) {
                    Offer::Taken => {
                        self.authors[author].loaded = true;
                        // It would have been enough for a page, had the slot gone at once.
                        assert!(ask(&self.service, &[author], &hold).is_ok());
                        return;
                    }
                    Offer::Stale => Progress::Begins,
                }
            }
        };
        self.loaders[l] = Some(Loader { author, progress });
    }

    fn read(&mut self, r: usize) {
        let stored = |author: usize, id: &str| self.authors[author].shelf.get(id).copied();
        let next = match self.readers[r].clone() {
            Reader::Begins(author) => match ask(&self.service, &[author], &Hold::default()) {
                Ok(posts) => {
                    let unread = posts.into_iter().filter_map(|(post, cached)| match cached {
                        Cached::Unread(version) => Some((post.id, version)),
                        Cached::Payload(_) => None,
                    });
                    Reader::Asked(author, unread.collect())
                }
                Err(_) => Reader::Begins((author + 1) % AUTHORS.len()),
            },
            Reader::Asked(author, unread) => {
                let read = unread.into_iter().filter_map(|(id, version)| {
                    let payload = payload(&id, stored(author, &id)?);
                    Some((id, version, payload))
                });
                Reader::Read(author, read.collect())
            }
            Reader::Read(author, read) => {
                for (id, version, payload) in read {
                    let _ = self
                        .service
                        .keep_payload(&jid(author), version, &id, payload);
                }
                Reader::Begins((author + 1) % AUTHORS.len())
            }
        };
        self.readers[r] = next;
    }

    /// Whether the index may still be wrong about this post.
    fn is_pending(&self, author: usize, post: &str) -> bool {
        let told = |t: &Teller| t.author == author && t.id == post;
        self.authors[author].replaced > 0
            || self
                .untold
                .iter()
                .any(|(a, id)| *a == author && *id == post)
            || self.tellers.iter().flatten().any(told)
    }

    /// What is loaded equals the storage, payloads too, but for the posts that the index has yet to
    /// hear of.
    fn check(&self) {
        let settled = |post: &PostRef| {
            let a = AUTHORS.iter().position(|a| *a == post.author).unwrap();
            !self.is_pending(a, &post.id)
        };
        // Each alone, all together, one twice, nobody.
        for asked in [&[0][..], &[1], &[2], &[0, 1, 2], &[1, 1], &[]] {
            let asked_once: BTreeSet<usize> = asked.iter().copied().collect();
            let missing = asked_once.iter().filter(|a| !self.authors[**a].loaded);
            let missing: BTreeSet<BareJid> = missing.map(|a| jid(*a)).collect();
            match ask(&self.service, asked, &Hold::default()) {
                Err(NotLoaded(named)) => {
                    assert!(!missing.is_empty());
                    assert_eq!(named.into_iter().collect::<BTreeSet<_>>(), missing);
                }
                Ok(mut posts) => {
                    assert_eq!(missing, BTreeSet::new());
                    let stored = asked_once.into_iter().map(|a| (a, &self.authors[a].shelf));
                    let mut expected = listed(stored);
                    posts.retain(|(post, _)| settled(post));
                    expected.retain(settled);
                    let is_stored = |(post, cached): &(PostRef, Cached)| match cached {
                        Cached::Payload(found) => *found == payload(&post.id, post.at.0),
                        Cached::Unread(_) => true,
                    };
                    assert!(posts.iter().all(is_stored), "{posts:?}");
                    let posts: Vec<_> = posts.into_iter().map(|(post, _)| post).collect();
                    assert_eq!(posts, expected);
                }
            }
        }
    }
}

/// Steps among which so many of 40 are those of readers, or let a slot go.
fn step(reads: u32, goes: u32) -> impl Strategy<Value = Step> {
    let (author, loader, id) = (0..AUTHORS.len(), 0..LOADERS, select(&IDS[..]));
    let change = prop_oneof![
        6 => (id.clone(), 0u64..4).prop_map(|(id, at)| Change::Put(id, at)),
        5 => id.clone().prop_map(Change::Remove),
        1 => prop::collection::btree_map(id, 0u64..4, 0..4).prop_map(Change::Replace),
    ];
    prop_oneof![
        4 => (author.clone(), change).prop_map(|(a, change)| Step::Store(a, change)),
        4 => (0..TELLERS).prop_map(Step::Take),
        10 => (0..TELLERS).prop_map(Step::Tell),
        4 => (loader.clone(), author).prop_map(|(l, a)| Step::Begin(l, a)),
        8 => loader.prop_map(Step::Load),
        reads => (0..READERS).prop_map(Step::Read),
        goes => (0..AUTHORS.len()).prop_map(Step::LetGo),
        2 => Just(Step::Empty),
    ]
}

fn run(steps: &[Step]) {
    let mut world = World::default();
    steps.iter().for_each(|step| world.step(step));
    // All come to their end.
    (0..LOADERS).for_each(|l| world.step(&Step::Begin(l, l)));
    while !world.untold.is_empty() || world.tellers.iter().any(Option::is_some) {
        (0..TELLERS).for_each(|t| world.step(&Step::Take(t)));
        (0..TELLERS).for_each(|t| (0..3).for_each(|_| world.step(&Step::Tell(t))));
    }
    world.step(&Step::Take(0));
    for _ in 0..6 {
        (0..LOADERS).for_each(|l| world.step(&Step::Load(l)));
    }
    for (a, author) in world.authors.iter().enumerate() {
        assert!(author.loaded);
        assert!(IDS.iter().all(|id| !world.is_pending(a, id)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn however_offers_race(steps in prop::collection::vec(step(4, 2), 0..240)) {
        run(&steps);
    }

    /// Slots live long enough for payloads to be read, offered and overtaken.
    #[test]
    fn however_payloads_race(steps in prop::collection::vec(step(8, 0), 0..240)) {
        run(&steps);
    }
}
