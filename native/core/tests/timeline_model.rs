//! `Timeline` against the obvious model: every post of every author in one vector, sorted.
// A panic in a test is a failed test, and the model is short enough to be seen not to overflow.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::cmp::Ordering;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine as _;
use proptest::prelude::*;
use proptest::sample::{select, Index};
use proptest::test_runner::FileFailurePersistence;
use twitter_core::cursor::Cursor;
use twitter_core::stream::{Micros, Place, Stream};
use twitter_core::timeline::{Anchor, Order, Page, PostRef, Request, Timeline};

/// In no order, some the beginning of another, one without a local part.
const AUTHORS: [&str; 6] = ["bob@h", "al@h", "al@h.x", "Al@h", "ü@h", "h"];
const IDS: [&str; 7] = ["a", "b", "aa", "a/b", "/", "é", "B"];

/// Time, author, id: the order of a timeline is the order of these.
type Key = (u64, String, String);

#[derive(Debug, Clone)]
enum Change {
    Put(usize, u64, &'static str),
    Remove(usize, &'static str),
}

/// The streams under test, the model, and what stood in it once.
#[derive(Debug)]
struct World {
    streams: Vec<(&'static str, Stream)>,
    all: Vec<Key>,
    deleted: Vec<Key>,
}

impl World {
    fn new(authors: usize, changes: &[Change]) -> Self {
        let streams = AUTHORS[..authors].iter().map(|a| (*a, Stream::default()));
        let mut world = Self {
            streams: streams.collect(),
            all: vec![],
            deleted: vec![],
        };
        changes.iter().for_each(|change| world.apply(change));
        world
    }

    fn apply(&mut self, change: &Change) {
        let (Change::Put(author, _, id) | Change::Remove(author, id)) = change;
        let authors = self.streams.len();
        let (author, stream) = &mut self.streams[author % authors];
        let (gone, kept): (Vec<Key>, Vec<Key>) = std::mem::take(&mut self.all)
            .into_iter()
            .partition(|(_, a, i)| a == author && i == id);
        self.all = kept;
        match change {
            Change::Put(_, at, _) => {
                stream.put(Place {
                    at: Micros(*at),
                    id: (*id).into(),
                });
                self.all.push((*at, (*author).into(), (*id).into()));
            }
            Change::Remove(..) => assert_eq!(stream.remove(id), !gone.is_empty()),
        }
        self.all.sort();
        self.deleted.extend(gone);
        self.deleted.retain(|key| !self.all.contains(key));
    }

    fn timeline(&self) -> Timeline<'_> {
        Timeline::new(self.streams.iter().map(|(a, s)| (*a, s)).collect())
    }

    /// The page as the model has it, after the timeline gave the same.
    fn page(&self, order: Order, place: &Where, limit: usize) -> Page {
        let mut list = self.all.clone();
        if order == Order::NewestFirst {
            list.reverse();
        }
        let count = list.len();
        let preceding = |cursor: &Key, or_equal: bool| {
            let precedes = |key: &&Key| match compare(order, key, cursor) {
                Ordering::Less => true,
                Ordering::Equal => or_equal,
                Ordering::Greater => false,
            };
            list.iter().filter(precedes).count()
        };
        let from = |start: usize| (start, start.saturating_add(limit).min(count));
        let to = |end: usize| (end.saturating_sub(limit), end);
        let (start, end) = match place {
            Where::Start => from(0),
            Where::End => to(count),
            Where::After(cursor) => from(preceding(cursor, true)),
            Where::Before(cursor) => to(preceding(cursor, false)),
            Where::Index(index) => from(*index.min(&count)),
        };
        let expected = Page {
            posts: list[start..end].iter().map(post).collect(),
            index: start,
            count,
        };
        let anchor = match place {
            Where::Start => Anchor::Start,
            Where::End => Anchor::End,
            Where::After(key) => Anchor::After(wired(key)),
            Where::Before(key) => Anchor::Before(wired(key)),
            Where::Index(index) => Anchor::Index(*index),
        };
        let request = Request {
            order,
            anchor,
            limit,
        };
        assert_eq!(self.timeline().page(&request), expected, "{request:?}");
        expected
    }
}

/// An anchor, in the model's words.
#[derive(Debug, Clone)]
enum Where {
    Start,
    End,
    After(Key),
    Before(Key),
    Index(usize),
}

/// Which place a cursor stands on, once the world is there.
#[derive(Debug, Clone)]
enum Spot {
    Existing(Index),
    Deleted(Index),
    Any(u64, &'static str, &'static str),
}

impl Spot {
    fn key(&self, world: &World) -> Key {
        match self {
            Self::Existing(i) if !world.all.is_empty() => i.get(&world.all).clone(),
            Self::Deleted(i) if !world.deleted.is_empty() => i.get(&world.deleted).clone(),
            Self::Any(at, author, id) => (*at, (*author).into(), (*id).into()),
            _ => (2, "nobody@h".into(), "a".into()),
        }
    }
}

fn compare(order: Order, a: &Key, b: &Key) -> Ordering {
    match order {
        Order::OldestFirst => a.cmp(b),
        Order::NewestFirst => b.cmp(a),
    }
}

fn post((at, author, id): &Key) -> PostRef {
    PostRef {
        author: author.clone(),
        id: id.as_str().into(),
        at: Micros(*at),
    }
}

fn key(post: &PostRef) -> Key {
    (post.at.0, post.author.clone(), post.id.to_string())
}

/// A cursor as a client sends it back.
fn wired(key: &Key) -> Cursor {
    let cursor = post(key).cursor();
    assert_eq!(Cursor::decode(&cursor.encode()).as_ref(), Some(&cursor));
    cursor
}

/// Few times, so that many posts share one, and the last moment there is.
fn time() -> impl Strategy<Value = u64> {
    prop_oneof![9 => 0u64..5, 1 => Just(u64::MAX)]
}

fn changes(max: usize) -> impl Strategy<Value = Vec<Change>> {
    let author = 0..AUTHORS.len();
    let change = prop_oneof![
        3 => (author.clone(), time(), select(&IDS[..])).prop_map(|(a, t, i)| Change::Put(a, t, i)),
        1 => (author, select(&IDS[..])).prop_map(|(a, i)| Change::Remove(a, i)),
    ];
    prop::collection::vec(change, 0..=max)
}

fn order() -> impl Strategy<Value = Order> {
    select(&[Order::OldestFirst, Order::NewestFirst][..])
}

fn spot() -> impl Strategy<Value = Spot> {
    prop_oneof![
        any::<Index>().prop_map(Spot::Existing),
        any::<Index>().prop_map(Spot::Deleted),
        (time(), select(&AUTHORS[..]), select(&IDS[..])).prop_map(|(t, a, i)| Spot::Any(t, a, i)),
    ]
}

fn limit() -> impl Strategy<Value = usize> {
    prop_oneof![9 => 0usize..8, 1 => Just(usize::MAX)]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_page(
        authors in 3usize..=6,
        made in changes(50),
        order in order(),
        spots in prop::collection::vec(spot(), 4),
        index in prop_oneof![9 => 0usize..40, 1 => Just(usize::MAX)],
        limit in limit(),
    ) {
        let world = World::new(authors, &made);
        let mut places = vec![Where::Start, Where::End, Where::Index(index)];
        for key in spots.iter().map(|spot| spot.key(&world)) {
            places.extend([Where::After(key.clone()), Where::Before(key)]);
        }
        for place in places {
            world.page(order, &place, limit);
        }
    }

    /// Cursors lead through the whole list, each post once, whatever happens between two pages.
    #[test]
    fn a_walk(
        authors in 3usize..=6,
        made in changes(40),
        mut meanwhile in prop::collection::vec(changes(4), 0..12),
        order in order(),
        forward in any::<bool>(),
        limit in 1usize..6,
    ) {
        let mut world = World::new(authors, &made);
        let mut steady = world.all.clone();
        let untouched = meanwhile.is_empty();
        let mut seen: Vec<Key> = vec![];
        let mut place = if forward { Where::Start } else { Where::End };
        loop {
            let page = world.page(order, &place, limit);
            let keys: Vec<Key> = page.posts.iter().map(key).collect();
            place = match (forward, keys.first(), keys.last()) {
                (true, _, Some(last)) => Where::After(last.clone()),
                (false, Some(first), _) => Where::Before(first.clone()),
                _ => break,
            };
            let end = if forward { seen.len() } else { 0 };
            seen.splice(end..end, keys);
            for change in meanwhile.pop().unwrap_or_default() {
                world.apply(&change);
                steady.retain(|key| world.all.contains(key));
            }
        }
        // In strict order, so no post twice.
        prop_assert!(seen.windows(2).all(|w| compare(order, &w[0], &w[1]) == Ordering::Less));
        for key in &steady {
            prop_assert!(seen.contains(key), "{key:?} was there all the time");
        }
        if untouched {
            prop_assert_eq!(seen.len(), world.all.len());
        }
    }

    #[test]
    fn find(authors in 3usize..=6, made in changes(50)) {
        let world = World::new(authors, &made);
        for id in IDS.into_iter().chain(["never"]) {
            let expected: Vec<PostRef> =
                world.all.iter().rev().filter(|(_, _, i)| i == id).map(post).collect();
            prop_assert_eq!(world.timeline().find(&[id]), expected);
        }
    }

    /// What decodes was encoded; nothing else does, and nothing panics.
    #[test]
    fn cursors_on_the_wire(
        (at, id) in any::<(u64, String)>(),
        junk in "[A-Za-z0-9_=-]{0,24}",
        plain in "[+0]?[0-9]{1,3}/[ab@]{0,2}/?[ab/]{0,2}",
    ) {
        wired(&(at, "al@h".into(), id));
        for text in [URL_SAFE_NO_PAD.encode(plain), junk] {
            prop_assert!(Cursor::decode(&text).is_none_or(|cursor| cursor.encode() == text));
        }
    }
}
