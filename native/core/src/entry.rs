//! What a person reads in an Atom entry (RFC 4287), as clients for feeds publish them (XEP-0277, XEP-0472).
//!
//! A short post is a title and nothing else. A longer one has a title and a content; many clients make the title
//! of the content's beginning. Each of both may be there several times, as text and as XHTML.

use minidom::Element;

use crate::prose::{all_text, of_html, of_xhtml};
use crate::title::shows_something;

pub(crate) const ATOM: &str = "http://www.w3.org/2005/Atom";

/// A heading and a text; either may be empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) heading: String,
    pub(crate) text: String,
}

/// The words of an entry: its title, and its content, else its summary. Cost: O(bytes).
pub(crate) fn words(entry: &Element) -> Words {
    Words {
        heading: best(entry, "title"),
        text: Some(best(entry, "content"))
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| best(entry, "summary")),
    }
}

/// Of the children with this name, the plainest in which there is anything to read; of several, the first: in
/// which language it is written its readers have to take as it comes. Empty if there is none.
fn best(entry: &Element, name: &str) -> String {
    let mut texts: Vec<(Kind, &Element)> = entry
        .children()
        .filter(|child| child.is(name, ATOM))
        .filter_map(|child| Some((kind(child)?, child)))
        .collect();
    texts.sort_by_key(|(kind, _)| *kind);
    texts
        .into_iter()
        .map(|(kind, child)| match kind {
            Kind::Text => all_text(child),
            Kind::Xhtml => of_xhtml(child),
            Kind::Html => of_html(&child.text()),
        })
        .find(|text| shows_something(text))
        .unwrap_or_default()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Text,
    Xhtml,
    Html,
}

/// How the text is written in an element (RFC 4287, sections 3.1.1 and 4.1.3.1); none, if it is none, or is
/// somewhere else.
fn kind(element: &Element) -> Option<Kind> {
    if element.attr("src").is_some() {
        return None;
    }
    match element.attr("type").unwrap_or("text") {
        "xhtml" | "application/xhtml+xml" => Some(Kind::Xhtml),
        "html" | "text/html" => Some(Kind::Html),
        other => (other == "text" || other.starts_with("text/")).then_some(Kind::Text),
    }
}

impl Words {
    /// All of it, and nothing twice: if one begins with the other, the longer one.
    pub(crate) fn whole(self) -> String {
        let Self { heading, text } = self;
        if text.is_empty() {
            heading
        } else if heading.is_empty() || begins(&text, &heading) {
            text
        } else if begins(&heading, &text) {
            heading
        } else {
            format!("{heading}\n\n{text}")
        }
    }

    /// What stands for it where there is room for one line.
    pub(crate) fn first(self) -> String {
        if self.heading.is_empty() {
            self.text
        } else {
            self.heading
        }
    }
}

/// Whether a text begins with these words, however they are spaced; they may end with an ellipsis.
fn begins(text: &str, words: &str) -> bool {
    let spaced = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (text, words) = (spaced(text), spaced(words));
    let cut = words
        .strip_suffix('…')
        .or_else(|| words.strip_suffix("..."));
    match cut {
        Some(begin) => text.starts_with(begin.trim_end()),
        None => text
            .strip_prefix(words.as_str())
            .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric)),
    }
}

#[cfg(test)]
mod tests;
