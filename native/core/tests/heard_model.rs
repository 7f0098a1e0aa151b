//! Heard streams in the index against the obvious model: of each post a set of those who may see it.
//!
//! What other servers send is recorded as the server does it (the state and the rows of a stream as text, then the
//! post, then the index), while streams go from the index and what was read long ago is offered again. After each
//! step everybody reads in every way there is.
// A panic in a test is a failed test, and nothing here comes near an overflow.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used
)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;
use twitter_core::audience::{assume, bucket_of, seal, Bucket, Kind, Seq, State, Wrong};
use twitter_core::jid::BareJid;
use twitter_core::service::{Cached, Hold, NotLoaded, Offer, Service, Version};
use twitter_core::stream::{Micros, Place};
use twitter_core::timeline::{Anchor, Order, PostRef, Request};
use twitter_core::unread::Gap;

/// Authors elsewhere, and one here, whose posts everybody sees.
const HEARD: [&str; 2] = ["bo@far", "al@far"];
const LOCAL: &str = "cy@b";
/// Two of these share a bucket: see [`some_share_a_bucket`].
const READERS: [&str; 5] = ["r0@b", "r1@b", "r2@b", "r3@b", "r34@b"];
const IDS: [&str; 4] = ["a", "b", "c", "an id that is longer than others"];

type Readers = BTreeSet<usize>;

#[derive(Debug, Clone)]
enum Op {
    /// A post, or another version of it, for an audience or for one reader.
    Relay(&'static str, u64, Readers),
    Single(&'static str, u64, usize),
    /// The same version for one more.
    Again(&'static str, usize),
    Retract(&'static str),
    Purge,
    Dismiss(usize),
    Seal,
    /// The stream goes from the index, or has to be read again, or nothing has room.
    LetGo,
    Forget,
    Budget(usize),
    /// Somebody reads the storage; later he offers what he read.
    Remember,
    Late,
    /// What is no business of this stream.
    Local(&'static str, u64),
}

/// A post as it is stored.
#[derive(Debug, Clone)]
struct Stored {
    at: u64,
    seq: Seq,
    payload: String,
}

/// What is stored of a heard author, and what it is to mean.
#[derive(Default)]
struct Author {
    state: String,
    rows: BTreeMap<u8, String>,
    posts: BTreeMap<&'static str, Stored>,
    late: Option<Late>,
    /// The model: who may see each post; and the audience that is in force.
    may_see: BTreeMap<&'static str, Readers>,
    force: Option<Readers>,
}

type Late = (Version, Vec<(Place, Seq)>, BTreeMap<u8, Bucket>);

struct World {
    service: Service,
    heard: [Author; HEARD.len()],
    local: BTreeMap<&'static str, u64>,
    versions: u32,
}

fn jid(name: &str) -> BareJid {
    BareJid::parse(name).unwrap()
}

fn place(id: &str, at: u64) -> Place {
    let (at, id) = (Micros(at), id.into());
    Place { at, id }
}

impl Author {
    fn rows(&self) -> BTreeMap<u8, Bucket> {
        let decode = |(number, text): (&u8, &String)| (*number, Bucket::decode(text));
        self.rows.iter().map(decode).collect()
    }

    fn places(&self) -> Vec<(Place, Seq)> {
        let posts = self.posts.iter();
        posts
            .map(|(id, post)| (place(id, post.at), post.seq))
            .collect()
    }

    fn write(&mut self, (state, changed): (State, BTreeMap<u8, Bucket>)) -> BTreeMap<u8, Bucket> {
        for (number, bucket) in &changed {
            self.rows.insert(*number, bucket.encode());
        }
        self.state = state.to_string();
        changed
    }

    fn change(&mut self, reader: usize, change: impl FnOnce(&mut Bucket)) -> BTreeMap<u8, Bucket> {
        let number = bucket_of(READERS[reader]);
        let text = self.rows.entry(number).or_default();
        let mut bucket = Bucket::decode(text);
        change(&mut bucket);
        *text = bucket.encode();
        [(number, bucket)].into()
    }

    fn seal(&mut self) -> BTreeMap<u8, Bucket> {
        let state = State::decode(&self.state);
        if state.is_open() {
            self.write(seal(&state, &self.rows()))
        } else {
            BTreeMap::new()
        }
    }

    fn number(&mut self, kind: Kind) -> Result<Seq, Wrong> {
        let (seq, state) = State::decode(&self.state).number(kind)?;
        self.state = state.to_string();
        Ok(seq)
    }
}

impl World {
    fn step(&mut self, a: usize, op: &Op) {
        let name = jid(HEARD[a]);
        match op {
            Op::Relay(id, at, readers) => {
                let author = &mut self.heard[a];
                let names: Vec<&str> = readers.iter().map(|reader| READERS[*reader]).collect();
                let digest: String = readers.iter().map(usize::to_string).collect();
                let digest = format!("d{digest}");
                let state = State::decode(&author.state);
                if state.digest() != Some(&digest) {
                    // Not all names come in order, and some come twice.
                    let twice: Vec<&str> = names.iter().rev().chain(&names).copied().collect();
                    let changed = author.write(assume(&state, &author.rows(), &digest, &twice));
                    let offer = |version| self.service.set_heard(&name, version, changed.clone());
                    tell(&self.service, &name, offer);
                }
                let author = &mut self.heard[a];
                if author.force.as_ref() != Some(readers) {
                    for may_see in author.may_see.values_mut() {
                        may_see.retain(|reader| readers.contains(reader));
                    }
                    author.force = Some(readers.clone());
                }
                let seq = author.number(Kind::Relay).expect("it is in force");
                self.store(a, (id, *at, seq), readers.clone(), &BTreeMap::new());
            }
            Op::Single(id, at, reader) => {
                let author = &mut self.heard[a];
                let mut changed = author.seal();
                author.force = None;
                let seq = author.number(Kind::Single).expect("it is sealed");
                changed.extend(author.change(*reader, |rows| rows.admit(READERS[*reader], seq)));
                self.store(a, (id, *at, seq), [*reader].into(), &changed);
            }
            Op::Again(id, reader) => {
                let author = &mut self.heard[a];
                if let Some(seq) = author.posts.get(id).map(|post| post.seq) {
                    let changed = author.change(*reader, |rows| rows.admit(READERS[*reader], seq));
                    author.may_see.get_mut(id).unwrap().insert(*reader);
                    self.changed(a, &changed);
                }
            }
            Op::Retract(id) => self.retract(a, id),
            Op::Purge => IDS.iter().for_each(|id| self.retract(a, id)),
            Op::Dismiss(reader) => {
                let author = &mut self.heard[a];
                let changed = author.change(*reader, |rows| rows.dismiss(READERS[*reader]));
                author.state = State::decode(&author.state).unsure().to_string();
                author.force = None;
                for may_see in author.may_see.values_mut() {
                    may_see.remove(reader);
                }
                self.changed(a, &changed);
            }
            Op::Seal => {
                let changed = self.heard[a].seal();
                self.heard[a].force = None;
                self.changed(a, &changed);
            }
            Op::LetGo => self.service.let_go(&name),
            Op::Forget => self.service.forget(&name),
            Op::Budget(bytes) => self.service.set_budgets(*bytes, *bytes),
            Op::Remember => {
                let author = &mut self.heard[a];
                let (places, rows) = (author.places(), author.rows());
                author.late = Some((self.service.version(&name), places, rows));
            }
            Op::Late => {
                if let Some((version, places, rows)) = self.heard[a].late.clone() {
                    let hold = Hold::default();
                    let _ = self.service.load_heard(&name, version, places, rows, &hold);
                }
            }
            Op::Local(id, at) => {
                self.local.insert(id, *at);
                let author = jid(LOCAL);
                let offer = |version| {
                    let payload = format!("{id} at {at}").into_bytes().into();
                    self.service.put(&author, version, place(id, *at), payload)
                };
                tell(&self.service, &author, offer);
            }
        }
    }

    /// A new post, or an edit, which keeps its place.
    fn store(
        &mut self,
        a: usize,
        (id, at, seq): (&'static str, u64, Seq),
        readers: Readers,
        changed: &BTreeMap<u8, Bucket>,
    ) {
        let (name, author) = (jid(HEARD[a]), &mut self.heard[a]);
        self.versions += 1;
        let at = author.posts.get(id).map_or(at, |post| post.at);
        let payload = format!("version {}", self.versions);
        let stored = payload.clone();
        author.posts.insert(id, Stored { at, seq, payload });
        author.may_see.insert(id, readers);
        let offer = |version| {
            let payload = stored.clone().into_bytes().into();
            let post = (place(id, at), seq);
            self.service
                .put_heard(&name, version, post, payload, changed.clone())
        };
        tell(&self.service, &name, offer);
    }

    fn changed(&self, a: usize, changed: &BTreeMap<u8, Bucket>) {
        let name = jid(HEARD[a]);
        let offer = |version| self.service.set_heard(&name, version, changed.clone());
        tell(&self.service, &name, offer);
    }

    fn retract(&mut self, a: usize, id: &str) {
        let (name, author) = (jid(HEARD[a]), &mut self.heard[a]);
        author.posts.remove(id);
        author.may_see.remove(id);
        let offer = |version| self.service.remove(&name, version, id);
        tell(&self.service, &name, offer);
    }

    /// Loads what is missing and asks again, as the server does.
    fn ask<T>(&self, ask: impl Fn(&Hold) -> Result<T, NotLoaded>) -> T {
        let hold = Hold::default();
        let Err(NotLoaded(missing)) = ask(&hold) else {
            return ask(&hold).unwrap_or_else(|_| panic!("it was loaded"));
        };
        for name in missing {
            let version = self.service.version(&name);
            let offer = match HEARD.iter().position(|author| *author == name.as_str()) {
                Some(a) => {
                    let (places, rows) = (self.heard[a].places(), self.heard[a].rows());
                    let service = &self.service;
                    service.load_heard(&name, version, places, rows, &hold)
                }
                None => {
                    let places = self.local.iter().map(|(id, at)| place(id, *at));
                    self.service.load(&name, version, places.collect(), &hold)
                }
            };
            assert_eq!(offer, Offer::Taken);
        }
        ask(&hold).unwrap_or_else(|missing| panic!("{missing:?} still"))
    }

    /// All posts that a reader is to see, oldest first, with their payloads.
    fn expected(&self, reader: Option<usize>) -> Vec<(PostRef, String)> {
        let post = |author: &str, id: &str, at: u64| {
            let (author, id) = (author.to_owned(), id.into());
            let at = Micros(at);
            PostRef { author, id, at }
        };
        let local = self.local.iter();
        let mut all: Vec<_> = local
            .map(|(id, at)| (post(LOCAL, id, *at), format!("{id} at {at}")))
            .collect();
        for (name, author) in HEARD.into_iter().zip(&self.heard) {
            for (id, stored) in &author.posts {
                if reader.is_some_and(|reader| author.may_see[id].contains(&reader)) {
                    all.push((post(name, id, stored.at), stored.payload.clone()));
                }
            }
        }
        all.sort_by(|(a, _), (b, _)| (a.at, &a.author, &a.id).cmp(&(b.at, &b.author, &b.id)));
        all
    }

    fn check(&self, limit: usize, index: usize) {
        let authors = [HEARD[0], LOCAL, HEARD[1]].map(jid);
        let readers = (0..READERS.len()).map(Some).chain([None]);
        for reader in readers {
            let name = reader.map(|reader| READERS[reader]);
            let all = self.expected(reader);
            let right = |found: &[PostRef], cached: &[Cached], expected: &[(PostRef, String)]| {
                assert_eq!(found.len(), cached.len());
                let posts: Vec<_> = expected.iter().map(|(post, _)| post.clone()).collect();
                assert_eq!(found, posts, "{name:?}");
                for (cached, (_, payload)) in cached.iter().zip(expected) {
                    if let Cached::Payload(found) = cached {
                        assert_eq!(**found, *payload.as_bytes(), "{name:?}");
                    }
                }
            };
            let request = |order, anchor, limit| Request {
                order,
                anchor,
                limit,
            };
            let page = |request: &Request| {
                self.ask(|hold| {
                    let service = &self.service;
                    service.page(&authors, name, request, hold, usize::MAX)
                })
            };
            let mut newest = all.clone();
            newest.reverse();
            for (order, list) in [(Order::OldestFirst, &all), (Order::NewestFirst, &newest)] {
                let from = index.min(list.len());
                let (found, cached) = page(&request(order, Anchor::Index(index), limit));
                let upto = from.saturating_add(limit).min(list.len());
                right(&found.posts, &cached, &list[from..upto]);
                assert_eq!((found.index, found.count), (from, list.len()));
                let (found, cached) = page(&request(order, Anchor::End, limit));
                let from = list.len().saturating_sub(limit);
                right(&found.posts, &cached, &list[from..]);
                assert_eq!((found.index, found.count), (from, list.len()));
                // A cursor of a post that he may not see stands where it would be.
                let cursors = self.expected_of_all().into_iter().map(|post| post.cursor());
                for (cursor, precedes) in cursors.zip(self.expected_of_all()) {
                    let key = |post: &PostRef| (post.at, post.author.clone(), post.id.clone());
                    let (found, cached) = page(&request(order, Anchor::After(cursor), limit));
                    let behind = |(post, _): &&(PostRef, String)| match order {
                        Order::OldestFirst => key(post) > key(&precedes),
                        Order::NewestFirst => key(post) < key(&precedes),
                    };
                    let rest: Vec<_> = list.iter().filter(behind).cloned().collect();
                    right(&found.posts, &cached, &rest[..limit.min(rest.len())]);
                    assert_eq!(found.index, list.len() - rest.len());
                    assert_eq!(found.count, list.len());
                }
            }
            for id in IDS {
                let (found, cached) = self.ask(|hold| {
                    let service = &self.service;
                    service.find(&authors, name, &[id], hold, usize::MAX)
                });
                let of_id = newest.iter().filter(|(post, _)| post.id == id);
                right(&found, &cached, &of_id.cloned().collect::<Vec<_>>());
            }
            let gaps: Vec<Gap> = [(0, Some(1)), (2, None)]
                .into_iter()
                .filter_map(|(after, until)| Gap::new(Micros(after), until.map(Micros)))
                .collect();
            let (found, cached, count) = self.ask(|hold| {
                let service = &self.service;
                service.missed(&authors, name, &gaps, limit, hold, usize::MAX)
            });
            let missed = |(post, _): &&(PostRef, String)| post.at.0 == 1 || post.at.0 > 2;
            let missed: Vec<_> = newest.iter().filter(missed).cloned().collect();
            right(&found, &cached, &missed[..limit.min(missed.len())]);
            assert_eq!(count, missed.len());
        }
    }

    /// Every post there is, whoever may see it.
    fn expected_of_all(&self) -> Vec<PostRef> {
        let authors = HEARD.into_iter().zip(&self.heard);
        let posts = authors.flat_map(|(name, author)| {
            author.posts.iter().map(move |(id, stored)| PostRef {
                author: name.to_owned(),
                id: (*id).into(),
                at: Micros(stored.at),
            })
        });
        posts.collect()
    }
}

/// Offers until it is taken.
fn tell(service: &Service, author: &BareJid, offer: impl Fn(Version) -> Offer) {
    while offer(service.version(author)) == Offer::Stale {}
}

fn op() -> impl Strategy<Value = Op> {
    let (id, reader) = (|| select(&IDS[..]), || 0..READERS.len());
    let readers = prop::collection::btree_set(reader(), 0..4);
    prop_oneof![
        6 => (id(), 0u64..5, readers).prop_map(|(id, at, to)| Op::Relay(id, at, to)),
        4 => (id(), 0u64..5, reader()).prop_map(|(id, at, to)| Op::Single(id, at, to)),
        3 => (id(), reader()).prop_map(|(id, to)| Op::Again(id, to)),
        2 => id().prop_map(Op::Retract),
        1 => Just(Op::Purge),
        1 => reader().prop_map(Op::Dismiss),
        1 => Just(Op::Seal),
        1 => Just(Op::LetGo),
        1 => Just(Op::Forget),
        1 => select(&[0, 3000, 1 << 20][..]).prop_map(Op::Budget),
        2 => Just(Op::Remember),
        2 => Just(Op::Late),
        1 => (id(), 0u64..5).prop_map(|(id, at)| Op::Local(id, at)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn each_reader_sees_what_is_for_him(
        steps in prop::collection::vec((0..HEARD.len(), op(), 0usize..4, 0usize..5), 0..30),
    ) {
        let mut world = World {
            service: Service::new(1 << 20, 1 << 20),
            heard: Default::default(),
            local: BTreeMap::new(),
            versions: 0,
        };
        for (a, op, limit, index) in &steps {
            world.step(*a, op);
            world.check(*limit, *index);
        }
        world.check(usize::MAX, 0);
    }
}

#[test]
fn some_share_a_bucket() {
    let buckets: BTreeSet<u8> = READERS.iter().map(|reader| bucket_of(reader)).collect();
    assert_eq!(buckets.len(), READERS.len() - 1);
}

/// Whoever is not told as one who has something, does not: of what comes in the wrong way nothing is shown.
#[test]
fn what_comes_as_a_local_post_is_shown_to_nobody() {
    let (service, author) = (Service::new(1 << 20, 1 << 20), jid(HEARD[0]));
    let rows: BTreeMap<u8, Bucket> = [(bucket_of("r0@b"), Bucket::decode("r0@b 1-\n"))].into();
    let load = |hold: &Hold| {
        let (version, posts) = (service.version(&author), vec![(place("a", 1), 1)]);
        assert_eq!(
            service.load_heard(&author, version, posts, rows.clone(), hold),
            Offer::Taken
        );
    };
    let hold = Hold::default();
    load(&hold);
    let version = service.version(&author);
    let payload = b"an edit"[..].into();
    assert_eq!(
        service.put(&author, version, place("a", 1), payload),
        Offer::Taken
    );
    let names = [author.clone()];
    let find = |hold: &Hold| service.find(&names, Some("r0@b"), &["a"], hold, 100);
    assert_eq!(
        find(&Hold::default()).map(drop),
        Err(NotLoaded(names.to_vec()))
    );
    // The hold has what was there before, and its payload is read from storage.
    let (found, cached) = find(&hold).unwrap();
    assert_eq!(found.len(), 1);
    assert!(matches!(cached[..], [Cached::Unread(_)]));
}
