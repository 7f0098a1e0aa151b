//! The order of a timeline, and places in it.
//!
//! Posts are ordered by time, then author, then item id: a total order that any process finds again
//! from storage. A cursor is a place in that order, not a position in a list and not a reference to
//! a post, so it keeps its meaning while posts arrive and go.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine as _;

use crate::stream::Micros;

/// The place of a post among all posts of all authors.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key<'a> {
    pub at: Micros,
    pub author: &'a str,
    pub id: &'a str,
}

/// A place in a timeline that a reader can come back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    at: Micros,
    author: String,
    id: String,
}

impl Cursor {
    /// The cursor that stands on this post.
    #[must_use]
    pub fn on(at: Micros, author: &str, id: &str) -> Self {
        Self {
            at,
            author: author.to_owned(),
            id: id.to_owned(),
        }
    }

    /// An opaque string of letters, digits, `-` and `_`: fit for the `<before/>` and `<after/>` of
    /// XEP-0059.
    ///
    /// ```
    /// use twitter_core::{stream::Micros, cursor::Cursor};
    /// let cursor = Cursor::on(Micros(5), "alice@h", "1");
    /// assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
    /// assert_eq!(Cursor::decode("2008-05-01T00:00:00Z"), None);
    /// ```
    #[must_use]
    pub fn encode(&self) -> String {
        // No JID contains a slash, so the first one ends the author; the id may contain any.
        URL_SAFE_NO_PAD.encode(format!("{}/{}/{}", self.at.0, self.author, self.id))
    }

    /// Reads what [`Cursor::encode`] wrote, and nothing else.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (at, rest) = plain.split_once('/')?;
        let (author, id) = rest.split_once('/')?;
        let cursor = Self::on(Micros(at.parse().ok()?), author, id);
        (cursor.encode() == text).then_some(cursor)
    }

    pub(crate) fn key(&self) -> Key<'_> {
        Key {
            at: self.at,
            author: &self.author,
            id: &self.id,
        }
    }
}
