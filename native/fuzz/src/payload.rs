//! Payloads: refused for the reason that the rules give, kept as they are, and shown as one short line.

use arbitrary::Arbitrary;
use twitter_core::jid::BareJid;
use twitter_core::post::{Draft, Payload, Refusal, MAX_DEPTH, MAX_ID};
use twitter_core::service::{Cached, Hold, Offer, Service};
use twitter_core::stream::{Micros, Place};
use twitter_core::title::{one_line, MAX_LENGTH};
use unicode_segmentation::UnicodeSegmentation as _;

mod tree;

/// So many code points one grapheme cluster of a title has at most.
const MAX_CLUSTER: usize = 12;

/// A publish request.
#[derive(Debug, Arbitrary)]
pub struct Input<'a> {
    items: u8,
    payloads: u8,
    max_bytes: u16,
    id: Id<'a>,
    payload: Content<'a>,
}

#[derive(Debug, Arbitrary)]
enum Id<'a> {
    Some(&'a str),
    /// Of so many bytes.
    Long(u16),
}

#[derive(Debug, Arbitrary)]
enum Content<'a> {
    Text(&'a str),
    /// What no server would hand over as XML, perhaps.
    Xml(&'a str),
    /// As ejabberd would write it.
    Tree(tree::Tree<'a>),
}

impl Input<'_> {
    /// The core says of this request what the rules say, and of its payload what a person reads in it.
    pub fn check(&self) {
        match &self.payload {
            Content::Text(text) => {
                check_text(text, &Payload::Text(text).text());
                assert!(self.check_payload(Payload::Text(text), false));
            }
            Content::Xml(xml) => {
                let is_deep = tree::depth_of_tags(xml) > MAX_DEPTH;
                let _ = self.check_payload(Payload::Element(xml), is_deep);
            }
            Content::Tree(tree) => {
                let xml = tree.xml();
                let payload = Payload::Element(&xml);
                if tree.depth() <= MAX_DEPTH {
                    let (text, title) = tree.text();
                    check_text(&text, &payload.text());
                    assert_eq!(payload.title(), one_line(&title), "{xml}");
                }
                // What is refused for that, a reader of XML would refuse too.
                assert!(
                    self.check_payload(payload, tree.depth() > MAX_DEPTH) || !stands_alone(&xml)
                );
            }
        }
    }

    /// Whether the payload can be XML by itself, as far as the core says so.
    fn check_payload(&self, payload: Payload<'_>, is_deep: bool) -> bool {
        let (bytes, is_element) = match payload {
            Payload::Text(text) => (text, false),
            Payload::Element(xml) => (xml, true),
        };
        // Of an element without text there is the name, in parentheses; marks of lists and line feeds take more
        // than nothing, but no more than a few times what stood for them.
        assert!(payload.text().len() <= bytes.len() * 3 + 2);
        let title = payload.title();
        check_title(&payload.text(), &title);
        if !is_element {
            assert_eq!(title, one_line(&payload.text()));
        }
        assert!(!(is_element && title.is_empty()));

        let long = "x".repeat(300);
        let id = match self.id {
            Id::Some(id) => id,
            Id::Long(length) => &long[..usize::from(length) % 300],
        };
        // Mostly one of each.
        let count = |number: u8| match number {
            0 => 0,
            1 => 2,
            _ => 1,
        };
        let (items, payloads) = (count(self.items), count(self.payloads));
        let max_bytes = usize::from(self.max_bytes);
        let draft = Draft {
            items,
            id,
            payloads,
            payload,
        };
        let said = draft.check(max_bytes);
        let expected = if items == 0 {
            Err(Refusal::NoItem)
        } else if items > 1 {
            Err(Refusal::ManyItems)
        } else if payloads == 0 {
            Err(Refusal::NoPayload)
        } else if payloads > 1 {
            Err(Refusal::ManyPayloads)
        } else if id.len() > MAX_ID {
            Err(Refusal::LongId)
        } else if bytes.len() > max_bytes {
            Err(Refusal::TooBig(max_bytes))
        } else if is_deep {
            Err(Refusal::TooDeep)
        } else if said == Err(Refusal::NotXml) {
            return false;
        } else if title.is_empty() {
            Err(Refusal::NoPayload)
        } else {
            Ok(())
        };
        assert_eq!(said, expected);
        if expected.is_ok() {
            comes_back(id, bytes.as_bytes());
        }
        true
    }
}

/// As a reader of XML with namespaces has it, which knows no prefix from elsewhere.
fn stands_alone(xml: &str) -> bool {
    minidom::Element::from_reader_with_prefixes(xml.as_bytes(), "urn:d".to_owned()).is_ok()
}

/// The same without what disturbs, and from the first thing on that there is to see.
fn check_text(published: &str, text: &str) {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let disturbs = |c: char| turns(c) || c.is_control() && !c.is_whitespace();
    let kept: String = published.chars().filter(|c| !disturbs(*c)).collect();
    let kept = kept.trim_end();
    assert!(kept.ends_with(text), "{published:?} {text:?}");
    let before = &kept[..kept.len() - text.len()];
    assert!(one_line(before).is_empty(), "{published:?} {text:?}");
}

/// One line that shows what there is to show.
fn check_title(text: &str, title: &str) {
    // The text shows something if the title does.
    assert_eq!(title.is_empty(), one_line(text).is_empty());
    assert_eq!(title, one_line(title));
    let clusters = title.graphemes(true);
    // A cluster that is cut may fall into two.
    assert!(clusters.count() <= MAX_LENGTH * 2);
    assert!(title.chars().count() <= MAX_LENGTH * MAX_CLUSTER);
    assert!(!title.contains("  ") && title.trim() == title);
    assert!(!title.contains(|c: char| c.is_control() || c.is_whitespace() && c != ' '));
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!title.contains(turns));
    // It is all of it, or where that begins.
    if text.bytes().all(|byte| byte.is_ascii_graphic()) && text.len() <= MAX_LENGTH {
        assert!(
            text.starts_with(title.trim_end_matches("...").trim_end_matches('…')),
            "{text:?} {title:?}"
        );
    }
}

/// What was accepted is read as it was stored.
fn comes_back(id: &str, bytes: &[u8]) {
    let author = BareJid::parse("al@h").unwrap();
    let service = Service::new(1 << 20, 1 << 24);
    let hold = Hold::default();
    let version = service.version(&author);
    assert_eq!(service.load(&author, version, vec![], &hold), Offer::Taken);
    let place = Place {
        at: Micros(1),
        id: id.into(),
    };
    let offer = service.put(&author, version, place, bytes.into());
    assert_eq!(offer, Offer::Taken);
    let (posts, cached) = service
        .find(&[author], None, &[id], &hold, usize::MAX)
        .unwrap_or_else(|missing| panic!("{missing:?}"));
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0].id, id);
    assert_eq!(cached, [Cached::Payload(bytes.into())]);
}
