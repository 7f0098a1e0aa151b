//! `Service` against a model of the storage it caches: loaders, writers and readers take turns in
//! any order, a step at a time.
//!
//! A writer changes the storage first and then offers what he reads of the post there; writers of
//! one author may overtake each other between any two of these steps.
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
use twitter_core::jid::BareJid;
use twitter_core::service::{NotLoaded, Offer, Service, Version};
use twitter_core::stream::Place;
use twitter_core::timeline::PostRef;

use shelf::{ask, jid, listed, place, places, Change, Shelf, AUTHORS, IDS};

const LOADERS: usize = 3;
const TELLERS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Store(usize, Change),
    /// A teller takes up a change that is not told yet; a whole one is told in this step.
    Take(usize),
    /// A teller or a loader does the next of its steps: ask for the version, read, offer.
    Tell(usize),
    Begin(usize, usize),
    Load(usize),
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

#[derive(Default)]
struct World {
    service: Service,
    authors: [Author; AUTHORS.len()],
    untold: Vec<(usize, &'static str)>,
    tellers: [Option<Teller>; TELLERS],
    loaders: [Option<Loader>; LOADERS],
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
                    Some(at) => self.service.put(&name, version, place(id, at)),
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
            Progress::Read(version, read) => match self.service.load(&name, version, read) {
                Offer::Taken => {
                    self.authors[author].loaded = true;
                    return;
                }
                Offer::Stale => Progress::Begins,
            },
        };
        self.loaders[l] = Some(Loader { author, progress });
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

    /// What is loaded equals the storage, but for the posts that the index has yet to hear of.
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
            match ask(&self.service, asked) {
                Err(NotLoaded(named)) => {
                    assert!(!missing.is_empty());
                    assert_eq!(named.into_iter().collect::<BTreeSet<_>>(), missing);
                }
                Ok(mut posts) => {
                    assert_eq!(missing, BTreeSet::new());
                    let stored = asked_once.into_iter().map(|a| (a, &self.authors[a].shelf));
                    let mut expected = listed(stored);
                    posts.retain(settled);
                    expected.retain(settled);
                    assert_eq!(posts, expected);
                }
            }
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let (author, loader, id) = (0..AUTHORS.len(), 0..LOADERS, select(&IDS[..]));
    let change = prop_oneof![
        6 => (id.clone(), 0u64..4).prop_map(|(id, at)| Change::Put(id, at)),
        5 => id.clone().prop_map(Change::Remove),
        1 => prop::collection::btree_map(id, 0u64..4, 0..4).prop_map(Change::Replace),
    ];
    prop_oneof![
        2 => (author.clone(), change).prop_map(|(a, change)| Step::Store(a, change)),
        2 => (0..TELLERS).prop_map(Step::Take),
        5 => (0..TELLERS).prop_map(Step::Tell),
        1 => (loader.clone(), author).prop_map(|(l, a)| Step::Begin(l, a)),
        4 => loader.prop_map(Step::Load),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn however_offers_race(steps in prop::collection::vec(step(), 0..160)) {
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
            prop_assert!(author.loaded);
            prop_assert!(IDS.iter().all(|id| !world.is_pending(a, id)));
        }
    }
}
