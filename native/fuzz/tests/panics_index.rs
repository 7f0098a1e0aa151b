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
use twitter_core::failpoints::panics_at;
use twitter_core::jid::BareJid;
use twitter_core::post::Payload;
use twitter_core::service::{Cached, Hold, Offer, Service, Version};
use twitter_core::stream::{Micros, Place};
use twitter_core::timeline::{Anchor, Order, Request};

const AUTHORS: [&str; 4] = ["al@h", "bo@h", "cy@h", "di@h"];
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
    late: [Option<(Version, Shelf)>; AUTHORS.len()],
}

impl World {
    /// What the server does, if it panics at this point.
    fn step(&mut self, author: usize, change: &Change, point: usize) {
        let (service, name) = (&self.service, jid(author));
        match change {
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
                self.told(author, panics_at(point, || service.forget(&name)));
            }
            Change::Load => {
                let version = panics_at(point, || service.version(&name));
                let read = self.stored[author].clone();
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
                let unread = panics_at(point, || ask(service, &[author])).flatten();
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
            let Some(listed) = ask(&self.service, &[author]) else {
                continue;
            };
            let mut expected: Vec<_> = shelf.iter().map(|(id, at)| (*at, *id)).collect();
            expected.sort_unstable();
            let found: Vec<_> = listed.iter().map(|(id, at, _)| (*at, &**id)).collect();
            assert_eq!(found, expected);
            for (id, at, cached) in &listed {
                if let Cached::Payload(found) = cached {
                    assert_eq!(**found, payload(id, *at));
                }
            }
            posts += shelf.len();
        }
        assert_eq!(self.service.memory().posts, posts);
    }
}

fn offer(service: &Service, author: &BareJid, version: Version, read: &Shelf) -> Offer {
    let places = read.iter().map(|(id, at)| place(id, *at)).collect();
    service.load(author, version, places, &Hold::default())
}

/// All posts, with their times and what there is of their payloads; `None` if something is not loaded.
fn ask(service: &Service, authors: &[usize]) -> Option<Vec<(String, u64, Cached)>> {
    let authors: Vec<BareJid> = authors.iter().map(|a| jid(*a)).collect();
    let request = Request {
        order: Order::OldestFirst,
        anchor: Anchor::Start,
        limit: usize::MAX,
    };
    let (page, cached) = service
        .page(&authors, None, &request, &Hold::default(), usize::MAX)
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
