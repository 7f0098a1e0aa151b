//! What may be published, and what a person reads in it.

use std::panic::catch_unwind;

use minidom::Element;

use crate::entry::{self, Words, ATOM};
use crate::failpoints::point;
use crate::prose::{all_text, of_xhtml};
use crate::title::{one_line, plain, shows_something};
use crate::xml::{is_too_deep, stands_alone};

pub use crate::xml::MAX_DEPTH;

/// The longest item id, in bytes. Storage rewrites the list of an author's ids at each post.
pub const MAX_ID: usize = 255;

const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
const XHTML: [&str; 2] = [
    "http://www.w3.org/1999/xhtml",
    "http://jabber.org/protocol/xhtml-im",
];

/// A publish request, counted: what its `<publish/>` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draft<'a> {
    /// How many `<item/>` elements.
    pub items: usize,
    /// The id that the first item asks for; empty if none.
    pub id: &'a str,
    /// How many payloads the first item has: elements, and character data that is not blank.
    pub payloads: usize,
    /// Its first payload; an empty text if none.
    pub payload: Payload<'a>,
}

/// Why a publish request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no item.
    NoItem,
    /// There are several items.
    ManyItems,
    /// The item is empty, or its text shows nothing.
    NoPayload,
    /// The item has several payloads.
    ManyPayloads,
    /// The payload is larger than this many bytes.
    TooBig(usize),
    /// The payload is nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// The payload uses a prefix that is declared around it, if at all, or a reserved namespace: it would
    /// be no XML where others get it.
    NotXml,
    /// The item id is longer than [`MAX_ID`].
    LongId,
}

impl Draft<'_> {
    /// Checks the request against the rules of section 7.1 of XEP-0060 and a limit in bytes.
    ///
    /// # Errors
    /// The first rule that it breaks.
    ///
    /// ```
    /// use twitter_core::post::{Draft, Payload, Refusal};
    /// let draft = Draft { items: 1, id: "", payloads: 1, payload: Payload::Text("hello world") };
    /// assert_eq!(draft.check(1000), Ok(()));
    /// assert_eq!(draft.check(10), Err(Refusal::TooBig(10)));
    /// ```
    pub fn check(&self, max_bytes: usize) -> Result<(), Refusal> {
        match (self.items, self.payloads) {
            (0, _) => Err(Refusal::NoItem),
            (1, 0) => Err(Refusal::NoPayload),
            (1, 1) if self.id.len() > MAX_ID => Err(Refusal::LongId),
            (1, 1) if self.payload.bytes() > max_bytes => Err(Refusal::TooBig(max_bytes)),
            (1, 1) if self.payload.is_too_deep() => Err(Refusal::TooDeep),
            (1, 1) if !self.payload.stands_alone() => Err(Refusal::NotXml),
            (1, 1) if self.payload.title().is_empty() => Err(Refusal::NoPayload),
            (1, 1) => Ok(()),
            (1, _) => Err(Refusal::ManyPayloads),
            (_, _) => Err(Refusal::ManyItems),
        }
    }
}

/// A payload as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Bare character data.
    Text(&'a str),
    /// One element, as XML.
    Element(&'a str),
}

impl Payload<'_> {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Element(xml) => xml.len(),
        }
    }

    fn is_too_deep(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Element(xml) => is_too_deep(xml),
        }
    }

    fn stands_alone(&self) -> bool {
        match self {
            Self::Text(_) => true,
            Self::Element(xml) => stands_alone(xml),
        }
    }

    /// The plain text that a person would read. Of an Atom entry that is its title, then its content, else its
    /// summary; if one begins with the other, the longer one alone. What is there both as text and as XHTML is
    /// taken as text; XHTML and HTML become lines. Of any other element it is its child `body`, else all its
    /// character data; if there is none, the element's name in parentheses. It can stand behind an address: see
    /// [`plain`]. Shows something, unless it is a text that shows nothing. Cost: O(bytes).
    ///
    /// ```
    /// use twitter_core::post::Payload;
    /// let entry = "<entry xmlns='http://www.w3.org/2005/Atom'><title>Hello</title><id>1</id></entry>";
    /// assert_eq!(Payload::Element(entry).text(), "Hello");
    /// assert_eq!(Payload::Element("<geoloc xmlns='urn:x'/>").text(), "(geoloc)");
    /// assert_eq!(Payload::Text(" as it is ").text(), "as it is");
    /// ```
    #[must_use]
    pub fn text(&self) -> String {
        plain(&self.words().whole())
    }

    /// The same where there is room for one short line, such as a row in a service browser: of an Atom entry
    /// its title, if it has one. White space is collapsed, control and bidirectional characters are dropped, and
    /// it is not too long: see [`crate::title`].
    #[must_use]
    pub fn title(&self) -> String {
        one_line(&plain(&self.words().first()))
    }

    fn words(&self) -> Words {
        let text = match self {
            Self::Text(text) => (*text).to_owned(),
            Self::Element(xml) if is_too_deep(xml) => unreadable(xml),
            Self::Element(xml) => match catch_unwind(|| Ok(element_words(&element(xml)?))) {
                Ok(Ok(words)) => return words,
                // A defect of the parser must not keep a post, and its whole page, from being read.
                Ok(Err::<_, minidom::Error>(_)) | Err(_) => unreadable(xml),
            },
        };
        Words {
            text,
            ..Words::default()
        }
    }
}

/// A payload without a namespace of its own is in that of the `<item/>` around it.
fn element(xml: &str) -> Result<Element, minidom::Error> {
    point!();
    Element::from_reader_with_prefixes(xml.as_bytes(), PUBSUB.to_owned())
}

fn element_words(element: &Element) -> Words {
    let mut words = if element.is("entry", ATOM) {
        entry::words(element)
    } else {
        Words {
            text: other_text(element),
            ..Words::default()
        }
    };
    if words.heading.is_empty() && !shows_something(&words.text) {
        words.text = format!("({})", element.name());
    }
    words
}

fn other_text(element: &Element) -> String {
    if XHTML.contains(&element.ns().as_str()) {
        return of_xhtml(element);
    }
    element
        .get_child("body", element.ns().as_str())
        .map(all_text)
        .filter(|text| shows_something(text))
        .unwrap_or_else(|| all_text(element))
}

/// For XML that cannot be read as a tree: the name of its first element.
fn unreadable(xml: &str) -> String {
    let name = xml
        .trim_start_matches('<')
        .split(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))
        .next()
        .unwrap_or_default();
    format!("({name})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refusals() {
        let good = Draft {
            items: 1,
            id: "i",
            payloads: 1,
            payload: Payload::Element("<a/>"),
        };
        let deep = "<a>".repeat(65);
        let long = "i".repeat(256);
        for (draft, expected) in [
            (good, Ok(())),
            (
                Draft {
                    items: 0,
                    payloads: 0,
                    ..good
                },
                Err(Refusal::NoItem),
            ),
            (Draft { items: 2, ..good }, Err(Refusal::ManyItems)),
            (
                Draft {
                    payloads: 0,
                    payload: Payload::Text(""),
                    ..good
                },
                Err(Refusal::NoPayload),
            ),
            (
                Draft {
                    payloads: 2,
                    ..good
                },
                Err(Refusal::ManyPayloads),
            ),
            (
                Draft {
                    payload: Payload::Element("<a>0123456789012345</a>"),
                    ..good
                },
                Err(Refusal::TooBig(20)),
            ),
            (Draft { id: &long, ..good }, Err(Refusal::LongId)),
            (
                Draft {
                    payload: Payload::Text("\u{a0}\u{200b}"),
                    ..good
                },
                Err(Refusal::NoPayload),
            ),
            (
                Draft {
                    payload: Payload::Element("<a p:b='c'/>"),
                    ..good
                },
                Err(Refusal::NotXml),
            ),
        ] {
            assert_eq!(draft.check(20), expected);
        }
        let draft = Draft {
            payload: Payload::Element(&deep),
            ..good
        };
        assert_eq!(draft.check(9999), Err(Refusal::TooDeep));
    }

    #[test]
    fn texts() {
        let atom = |inner: &str| format!("<entry xmlns='{ATOM}'>{inner}</entry>");
        let xhtml = "<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>\
                     <p>One</p><p>two &amp; three</p></div></content>";
        for (xml, text) in [
            (
                atom("<title> Title </title><content>Content</content>"),
                "Title\n\nContent",
            ),
            (atom("<title/><content>Content</content>"), "Content"),
            (atom(&format!("<title> </title>{xhtml}")), "One\n\ntwo & three"),
            (atom("<summary>Sum</summary>"), "Sum"),
            (atom("<id>1</id>"), "(entry)"),
            (
                "<tune xmlns='urn:t'><artist>Yes</artist><title>Heart</title></tune>".into(),
                "Yes Heart",
            ),
            ("<plain>no namespace</plain>".into(), "no namespace"),
            ("<x:y>undeclared prefix</x:y>".into(), "(x:y)"),
            ("<empty/>".into(), "(empty)"),
            ("<hidden>\u{200b}</hidden>".into(), "(hidden)"),
            ("<a>".repeat(100_000), "(a)"),
            (
                "<message xmlns='jabber:client'><subject>No</subject><body>Yes</body></message>".into(),
                "Yes",
            ),
            (
                "<message xmlns='jabber:client'><body/><a>All</a></message>".into(),
                "All",
            ),
            (
                "<x xmlns='urn:x'><body xmlns='urn:y'>All</body> of it</x>".into(),
                "All of it",
            ),
            (
                "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>\
                 <p>One</p><p>two</p></body></html>"
                    .into(),
                "One\n\ntwo",
            ),
        ] {
            assert_eq!(Payload::Element(&xml).text(), text, "{:.60}", xml);
        }
    }

    proptest! {
        #[test]
        fn any_xml_has_a_text(xml in "(<[a-c:]{1,3}( xmlns='u')?/?>|</[a-c]>|[a-z &;]){0,30}") {
            prop_assert!(!Payload::Element(&xml).text().is_empty());
        }
    }
}
