//! Formatted text, XHTML or HTML, as the plain text that a person would write instead: paragraphs and lists as
//! lines, pictures by their descriptions, links with their addresses. What a browser does not show is left out.
//!
//! This is for reading only: what was published stays as it is, and nothing here has to keep markup harmless.

use minidom::{Element, Node};

use crate::markup::{attributes, decode, pieces, Piece};

/// Where a link may lead that is worth its address; without the scheme the others lead nowhere.
const SCHEMES: [&str; 4] = ["https://", "http://", "mailto:", "xmpp:"];

/// All character data below an element of any kind, blocks separated by spaces. Cost: O(bytes). Recursion is as deep as
/// the element, which the caller bounds.
pub(crate) fn all_text(element: &Element) -> String {
    fn collect(element: &Element, out: &mut String) {
        for node in element.nodes() {
            match node {
                Node::Text(text) => out.push_str(text),
                Node::Element(child) => {
                    if !out.is_empty() && !out.ends_with(char::is_whitespace) {
                        out.push(' ');
                    }
                    collect(child, out);
                }
            }
        }
    }
    let mut text = String::new();
    collect(element, &mut text);
    text.trim().to_owned()
}

/// The text of what is inside of an element of XHTML. Cost: O(bytes). Recursion is as deep as the element, which
/// the caller bounds.
pub(crate) fn of_xhtml(element: &Element) -> String {
    let mut prose = Prose::default();
    walk(element, &mut prose);
    prose.text
}

fn walk(element: &Element, prose: &mut Prose) {
    for node in element.nodes() {
        match node {
            Node::Text(text) => prose.say(text),
            Node::Element(child) if is_hidden(child.name()) => {}
            Node::Element(child) => {
                prose.open(child.name(), |name| child.attr(name).map(str::to_owned));
                walk(child, prose);
                prose.close(child.name());
            }
        }
    }
}

/// The text of HTML, however broken. Cost: O(bytes).
pub(crate) fn of_html(html: &str) -> String {
    let mut prose = Prose::default();
    for piece in pieces(html, is_hidden) {
        match piece {
            Piece::Text(text) => prose.say(&decode(text)),
            Piece::Open(name, rest) => prose.open(&name, |wanted| {
                attributes(rest)
                    .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                    .map(|(_, value)| decode(value))
            }),
            Piece::Close(name) => prose.close(&name),
        }
    }
    prose.text
}

/// Not shown by browsers, with all that is inside.
fn is_hidden(name: &str) -> bool {
    matches!(name, "head" | "script" | "style" | "template")
}

/// A text as it grows. White space is written when something comes after it.
#[derive(Debug, Default)]
struct Prose {
    text: String,
    /// Line feeds before what comes next, and whether, if none, a space.
    breaks: usize,
    space: bool,
    /// What is written before the item of a list.
    marker: String,
    /// The lists that are open: numbers of the items so far where they are numbered.
    lists: Vec<Option<usize>>,
    /// How many elements are open in which white space is kept.
    kept: usize,
    /// The link that is open: where it leads, and where its text begins, if it has one.
    link: Option<(String, Option<usize>)>,
}

impl Prose {
    fn say(&mut self, text: &str) {
        if self.kept > 0 {
            if !text.is_empty() {
                self.begin();
                self.text.push_str(text);
            }
            return;
        }
        for c in text.chars() {
            if c.is_ascii_whitespace() {
                self.space = true;
            } else {
                self.begin();
                self.text.push(c);
            }
        }
    }

    /// Writes what is due before a character.
    fn begin(&mut self) {
        if !self.text.is_empty() {
            if self.breaks > 0 {
                self.text.extend(std::iter::repeat_n('\n', self.breaks));
            } else if self.space && !self.text.ends_with(char::is_whitespace) {
                self.text.push(' ');
            }
        }
        self.text.push_str(&self.marker);
        self.marker.clear();
        self.breaks = 0;
        self.space = false;
        let here = self.text.len();
        if let Some((_, start)) = &mut self.link {
            start.get_or_insert(here);
        }
    }

    /// What comes next stands on a line of its own, after so many line feeds.
    fn part(&mut self, breaks: usize) {
        if breaks > 0 {
            self.breaks = self.breaks.max(breaks);
            self.space = false;
        }
    }

    fn open(&mut self, name: &str, attribute: impl Fn(&str) -> Option<String>) {
        self.part(self.distance(name));
        match name {
            "br" => {
                self.breaks = self.breaks.saturating_add(1).min(2);
                self.space = false;
            }
            "td" | "th" => self.space = true,
            "pre" => self.kept = self.kept.saturating_add(1),
            "ul" => self.lists.push(None),
            "ol" => self.lists.push(Some(0)),
            "li" => {
                self.marker = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number = number.saturating_add(1);
                        format!("{number}. ")
                    }
                    _ => "• ".to_owned(),
                };
            }
            "img" => self.say(&attribute("alt").unwrap_or_default()),
            "a" => {
                // There are none in links: to a browser, too, the first ends here.
                self.end_link();
                self.link = Some((attribute("href").unwrap_or_default(), None));
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "pre" => self.kept = self.kept.saturating_sub(1),
            "ul" | "ol" => {
                self.lists.pop();
                self.marker.clear();
            }
            "li" => self.marker.clear(),
            "a" => self.end_link(),
            _ => {}
        }
        self.part(self.distance(name));
    }

    /// How many line feeds stand before and after such an element.
    fn distance(&self, name: &str) -> usize {
        match name {
            "ul" | "ol" | "dl" if !self.lists.is_empty() => 1,
            "blockquote" | "dl" | "figure" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "hr"
            | "ol" | "p" | "pre" | "table" | "ul" => 2,
            "address" | "article" | "aside" | "body" | "caption" | "dd" | "details" | "div"
            | "dt" | "figcaption" | "footer" | "form" | "header" | "html" | "li" | "main"
            | "nav" | "section" | "summary" | "tr" => 1,
            _ => 0,
        }
    }

    /// The address goes behind the text, unless that says it already.
    fn end_link(&mut self) {
        let Some((address, start)) = self.link.take() else {
            return;
        };
        let Some(scheme) = SCHEMES.iter().find(|scheme| address.starts_with(**scheme)) else {
            return;
        };
        let text = start.and_then(|start| self.text.get(start..));
        let text = text.unwrap_or_default().trim();
        if text.is_empty() {
            self.say(&address);
        } else if bare(text, scheme) != bare(&address, scheme) {
            self.text.extend([" (", &address, ")"]);
        }
    }
}

fn bare<'a>(address: &'a str, scheme: &str) -> &'a str {
    address.trim_start_matches(scheme).trim_end_matches('/')
}

#[cfg(test)]
mod tests;
