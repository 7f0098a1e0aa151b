//! A panic at any point of a change of the index, or in the parser of payloads: what is in memory afterwards
//! is as it was before, or as it should be, or forgotten, and all that follows is right.
// A panic in a test is a failed test, and nothing here comes near an overflow.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;
use twitter_core::audience::{bucket_of, Bucket, Seq};
use twitter_core::failpoints::panics_at;
use twitter_core::jid::BareJid;
use twitter_core::post::Payload;
use twitter_core::service::{Cached, Hold, Offer, Service, Version};
use twitter_core::stream::{Micros, Place};
use twitter_core::timeline::{Anchor, Order, Request};

/// The last one is heard from elsewhere.
const AUTHORS: [&str; 4] = ["al@h", "bo@h", "cy@h", "di@far"];
const HEARD: usize = 3;
/// A version of a post that was heard is for the one if it stands at an even moment, else for the other.
const READERS: [&str; 2] = ["even@h", "odd@h"];
/// Short ones, and one that takes memory of its own.
const IDS: [&str; 4] = ["a", "b", "c", "an id that is longer than others"];
const BUDGET: usize = 1 << 20;

type Shelf = BTreeMap<&'static str, u64>;

fn jid(author: usize) -> BareJid {
    BareJid::parse(AUTHORS[author]).unwrap()
}

fn place(id: &str, at: u64) -> Place {
    let (at, id) = (Micros(at), id.into());
    Place { at, id }
}

fn payload(id: &str, at: u64) -> Vec<u8> {
    format!("{id} of {at}").into_bytes()
}

/// Mostly there is a panic, and all points are met.
fn point() -> impl Strategy<Value = usize> {
    0usize..40
}

#[derive(Debug, Clone)]
enum Change {
    Put(&'static str, u64),
    Remove(&'static str),
    /// One of the readers may see nothing any more of what was heard.
    Dismiss(usize),
    Replace,
    Load,
    /// What was read of the stream long ago is offered.
    Late,
    Read,
    LetGo,
    /// Budgets for about so many payloads.
    Budget(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (select(&IDS[..]), 0u64..4).prop_map(|(id, at)| Change::Put(id, at)),
        4 => select(&IDS[..]).prop_map(Change::Remove),
        1 => (0..READERS.len()).prop_map(Change::Dismiss),
        1 => Just(Change::Replace),
        6 => Just(Change::Load),
        2 => Just(Change::Late),
        4 => Just(Change::Read),
        1 => Just(Change::LetGo),
        1 => (0usize..6).prop_map(Change::Budget),
    ]
}

struct World {
    service: Service,
    stored: [Shelf; AUTHORS.len()],
    late: [Option<(Version, Read)>; AUTHORS.len()],
    /// Of what was heard.
    seqs: BTreeMap<&'static str, Seq>,
    last: Seq,
    rows: BTreeMap<u8, Bucket>,
}

/// What was read of an author; the seqs and the rows matter if he is heard.
#[derive(Debug, Clone)]
struct Read {
    posts: Vec<(Place, Seq)>,
    rows: BTreeMap<u8, Bucket>,
}

impl World {
    /// What the server does, if it panics at this point.
    fn step(&mut self, author: usize, change: &Change, point: usize) {
        let (service, name) = (&self.service, jid(author));
        match change {
            Change::Put(id, at) if author == HEARD => {
                self.stored[author].insert(id, *at);
                let (seq, changed) = self.recorded(id, *at);
                let service = &self.service;
                let tell = || loop {
                    let (version, post) = (service.version(&name), (place(id, *at), seq));
                    let payload = payload(id, *at).into();
                    let changed = changed.clone();
                    if service.put_heard(&name, version, post, payload, changed) == Offer::Taken {
                        return;
                    }
                };
                self.told(author, panics_at(point, tell));
            }
            Change::Dismiss(reader) => {
                let (name, reader) = (jid(HEARD), READERS[*reader]);
                let bucket = self.rows.entry(bucket_of(reader)).or_default();
                bucket.dismiss(reader);
                let changed: BTreeMap<_, _> = [(bucket_of(reader), bucket.clone())].into();
                let service = &self.service;
                let tell = || loop {
                    let version = service.version(&name);
                    if service.set_heard(&name, version, changed.clone()) == Offer::Taken {
                        return;
                    }
                };
                self.told(HEARD, panics_at(point, tell));
            }
            Change::Put(id, at) => {
                self.stored[author].insert(id, *at);
                let tell = || loop {
                    let version = service.version(&name);
                    let payload = payload(id, *at).into();
                    if service.put(&name, version, place(id, *at), payload) == Offer::Taken {
                        return;
                    }
                };
                self.told(author, panics_at(point, tell));
            }
            Change::Remove(id) => {
                self.stored[author].remove(id);
                let tell =
                    || while service.remove(&name, service.version(&name), id) == Offer::Stale {};
                self.told(author, panics_at(point, tell));
            }
            Change::Replace => {
                self.stored[author] = Shelf::from([("a", 9)]);
                if author == HEARD {
                    self.recorded("a", 9);
                }
                let service = &self.service;
                self.told(author, panics_at(point, || service.forget(&name)));
            }
            Change::Load => {
                let version = panics_at(point, || service.version(&name));
                let read = self.read(author);
                if let Some(version) = version {
                    self.late[author] = Some((version, read.clone()));
                    panics_at(point, || offer(service, &name, version, &read));
                }
            }
            Change::Late => {
                if let Some((version, read)) = &self.late[author] {
                    panics_at(point, || offer(service, &name, *version, read));
                }
            }
            Change::Read => {
                let reader = Some(READERS[0]);
                let unread = panics_at(point, || ask(service, &[author], reader)).flatten();
                for (id, at, cached) in unread.unwrap_or_default() {
                    if let Cached::Unread(version) = cached {
                        let payload = payload(&id, at).into();
                        let keep = || service.keep_payload(&name, version, &(&*id).into(), payload);
                        panics_at(point, keep);
                    }
                }
            }
            Change::LetGo => drop(panics_at(point, || service.let_go(&name))),
            Change::Budget(payloads) => {
                let bytes = payloads * 16 * 200;
                panics_at(point, || service.set_budgets(BUDGET, bytes));
            }
        }
        self.check();
    }

    /// A version of a post that was heard gets its seq, and whom it is for a row.
    fn recorded(&mut self, id: &'static str, at: u64) -> (Seq, BTreeMap<u8, Bucket>) {
        self.last += 1;
        self.seqs.insert(id, self.last);
        let reader = READERS[usize::from(at % 2 == 1)];
        let bucket = self.rows.entry(bucket_of(reader)).or_default();
        bucket.admit(reader, self.last);
        (self.last, [(bucket_of(reader), bucket.clone())].into())
    }

    fn read(&self, author: usize) -> Read {
        let seq = |id: &str| match author {
            HEARD => self.seqs[id],
            _ => 0,
        };
        let posts = self.stored[author].iter();
        Read {
            posts: posts.map(|(id, at)| (place(id, *at), seq(id))).collect(),
            rows: self.rows.clone(),
        }
    }

    /// Whether the reader is to see this post.
    fn is_for(&self, author: usize, id: &str, reader: Option<&str>) -> bool {
        let row = |reader: &str| self.rows.get(&bucket_of(reader))?.row(reader);
        author != HEARD
            || reader
                .and_then(row)
                .is_some_and(|row| row.sees(self.seqs[id]))
    }

    /// Whoever could not tell of a change makes the author forgotten.
    fn told(&self, author: usize, told: Option<()>) {
        if told.is_none() {
            self.service.forget(&jid(author));
        }
    }

    /// What is loaded equals the storage, and all of it is counted.
    fn check(&self) {
        let mut posts = 0;
        for (author, shelf) in self.stored.iter().enumerate() {
            for reader in READERS.map(Some).into_iter().chain([None]) {
                let Some(listed) = ask(&self.service, &[author], reader) else {
                    continue;
                };
                let seen = shelf
                    .iter()
                    .filter(|(id, _)| self.is_for(author, id, reader));
                let mut expected: Vec<_> = seen.map(|(id, at)| (*at, *id)).collect();
                expected.sort_unstable();
                let found: Vec<_> = listed.iter().map(|(id, at, _)| (*at, &**id)).collect();
                assert_eq!(found, expected);
                for (id, at, cached) in &listed {
                    if let Cached::Payload(found) = cached {
                        assert_eq!(**found, payload(id, *at));
                    }
                }
                posts += if reader.is_none() { shelf.len() } else { 0 };
            }
        }
        assert_eq!(self.service.memory().posts, posts);
    }
}

fn offer(service: &Service, author: &BareJid, version: Version, read: &Read) -> Offer {
    let (posts, hold) = (read.posts.clone(), Hold::default());
    if *author == jid(HEARD) {
        service.load_heard(author, version, posts, read.rows.clone(), &hold)
    } else {
        let places = posts.into_iter().map(|(place, _)| place);
        service.load(author, version, places.collect(), &hold)
    }
}

/// All posts that the reader may see, with their times and what there is of their payloads; `None` if something
/// is not loaded.
fn ask(
    service: &Service,
    authors: &[usize],
    reader: Option<&str>,
) -> Option<Vec<(String, u64, Cached)>> {
    let authors: Vec<BareJid> = authors.iter().map(|a| jid(*a)).collect();
    let request = Request {
        order: Order::OldestFirst,
        anchor: Anchor::Start,
        limit: usize::MAX,
    };
    let (page, cached) = service
        .page(&authors, reader, &request, &Hold::default(), usize::MAX)
        .ok()?;
    let both = page.posts.into_iter().zip(cached);
    Some(
        both.map(|(p, cached)| (p.id.to_string(), p.at.0, cached))
            .collect(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn of_the_index(
        steps in prop::collection::vec((0..AUTHORS.len(), change(), point()), 0..80),
    ) {
        let mut world = World {
            service: Service::new(BUDGET, BUDGET),
            stored: Default::default(),
            late: Default::default(),
            seqs: BTreeMap::new(),
            last: 0,
            rows: BTreeMap::new(),
        };
        for (author, change, point) in &steps {
            world.step(*author, change, *point);
        }
        // Nothing is counted that is not there.
        world.service.set_budgets(0, 0);
        (0..AUTHORS.len()).for_each(|author| world.service.let_go(&jid(author)));
        let left = world.service.memory();
        prop_assert_eq!((left.stream_bytes, left.payload_bytes), (0, 0));
        prop_assert_eq!((left.authors, left.posts, left.payloads), (0, 0, 0));
    }
}

/// A parser that fails costs the text of a post, not the page it stands on.
#[test]
fn of_the_parser() {
    let payload = Payload::Element("<a>text</a>");
    assert_eq!(panics_at(1, || payload.text()), Some("(a)".to_owned()));
    assert_eq!(payload.text(), "text");
}
