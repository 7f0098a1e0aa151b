//! Cursors that clients send: what was not encoded here is none, and any other one leads to the page
//! that a sorted list has there.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine as _;
use twitter_core::cursor::Cursor;
use twitter_core::stream::{Micros, Place, Stream};
use twitter_core::timeline::{Anchor, Order, Page, PostRef, Request, Timeline};

/// In no order, some the beginning of another, one without a local part.
const AUTHORS: [&str; 4] = ["bob@h", "al@h", "al@h.x", "h"];
const IDS: [&str; 6] = ["a", "b", "aa", "a/b", "/", "é"];

/// Some streams, and a request for a page of them.
#[derive(Debug, Arbitrary)]
pub struct Input<'a> {
    posts: Vec<(u8, u8, u8)>,
    newest_first: bool,
    limit: u8,
    anchor: Where<'a>,
}

#[derive(Debug, Arbitrary)]
enum Where<'a> {
    Start,
    End,
    Index(u16),
    After(Text<'a>),
    Before(Text<'a>),
}

/// What stands in the `<before/>` or `<after/>`.
#[derive(Debug, Arbitrary)]
enum Text<'a> {
    Any(&'a str),
    /// Of this, in base64.
    Encoded(&'a [u8]),
    /// Of this one of the posts.
    Post(u8),
    /// Of a post that is not there.
    Gone(u64, &'a str, &'a str),
}

/// Time, author, id: the order of a timeline is the order of these.
type Key = (u64, String, String);

impl Input<'_> {
    /// The page is the one that the sorted list has.
    pub fn check(&self) {
        let mut streams = AUTHORS.map(|author| (author, Stream::default()));
        let mut model: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for (at, author, id) in &self.posts {
            let id = IDS[usize::from(*id) % IDS.len()];
            let (author, stream) = &mut streams[usize::from(*author) % AUTHORS.len()];
            let at = u64::from(*at);
            stream.put(Place {
                at: Micros(at),
                id: id.into(),
            });
            model.insert((author, id), at);
        }
        let keys = model.into_iter();
        let mut list: Vec<Key> = keys
            .map(|((author, id), at)| (at, author.to_owned(), id.to_owned()))
            .collect();
        list.sort();
        let Some((anchor, expected)) = self.expected(list) else {
            return;
        };
        let timeline = Timeline::new(streams.iter().map(|(a, s)| (*a, s)).collect());
        let request = Request {
            order: self.order(),
            anchor,
            limit: self.limit.into(),
        };
        assert_eq!(timeline.page(&request), expected);
    }

    fn order(&self) -> Order {
        match self.newest_first {
            true => Order::NewestFirst,
            false => Order::OldestFirst,
        }
    }

    /// `None` if the cursor is none.
    fn expected(&self, mut list: Vec<Key>) -> Option<(Anchor, Page)> {
        let (limit, count) = (usize::from(self.limit), list.len());
        let sent = match &self.anchor {
            Where::After(text) | Where::Before(text) => Some(decoded(&text.sent(&list))?),
            _ => None,
        };
        if self.newest_first {
            list.reverse();
        }
        let passed = |key: &Key, or_equal: bool| {
            let precedes = |other: &&Key| match self.newest_first {
                true => *other > key || or_equal && *other == key,
                false => *other < key || or_equal && *other == key,
            };
            list.iter().filter(precedes).count()
        };
        let from = |start: usize| (start, (start + limit).min(count));
        let to = |end: usize| (end.saturating_sub(limit), end);
        let (anchor, (start, end)) = match (&self.anchor, sent) {
            (Where::After(_), Some((cursor, key))) => {
                (Anchor::After(cursor), from(passed(&key, true)))
            }
            (Where::Before(_), Some((cursor, key))) => {
                (Anchor::Before(cursor), to(passed(&key, false)))
            }
            (Where::End, _) => (Anchor::End, to(count)),
            (Where::Index(index), _) => {
                let index = usize::from(*index);
                (Anchor::Index(index), from(index.min(count)))
            }
            _ => (Anchor::Start, from(0)),
        };
        let page = Page {
            posts: list[start..end].iter().map(post).collect(),
            index: start,
            count,
        };
        Some((anchor, page))
    }
}

impl Text<'_> {
    fn sent(&self, list: &[Key]) -> String {
        match self {
            Self::Any(text) => (*text).to_owned(),
            Self::Encoded(bytes) => URL_SAFE_NO_PAD.encode(bytes),
            Self::Post(_) if list.is_empty() => String::new(),
            Self::Post(which) => post(&list[usize::from(*which) % list.len()])
                .cursor()
                .encode(),
            // No author has a slash.
            Self::Gone(at, author, id) => {
                let author = author.replace('/', "");
                Cursor::on(Micros(*at), &author, id).encode()
            }
        }
    }
}

/// What the text says, after the core has said the same.
fn decoded(text: &str) -> Option<(Cursor, Key)> {
    let cursor = Cursor::decode(text);
    let key = reference(text);
    let expected = key
        .as_ref()
        .map(|(at, author, id)| Cursor::on(Micros(*at), author, id));
    assert_eq!(cursor, expected, "{text:?}");
    let cursor = cursor?;
    assert_eq!(cursor.encode(), text);
    // Fit for an element of XML.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    assert!(text.chars().all(is_plain));
    Some((cursor, key?))
}

/// Decimal digits as they are written, a slash, no slashes, a slash, anything.
fn reference(text: &str) -> Option<Key> {
    let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let mut parts = plain.splitn(3, '/');
    let (at, author, id) = (parts.next()?, parts.next()?, parts.next()?);
    let number: u64 = at.parse().ok()?;
    (number.to_string() == at).then(|| (number, author.to_owned(), id.to_owned()))
}

fn post((at, author, id): &Key) -> PostRef {
    PostRef {
        author: author.clone(),
        id: id.as_str().into(),
        at: Micros(*at),
    }
}
