//! Trees of XML, made step by step, so that they can be as deep as the input is long.

use arbitrary::Arbitrary;
use twitter_core::post::MAX_DEPTH;

const ATOM: &str = "http://www.w3.org/2005/Atom";
const NAMES: [&str; 6] = ["entry", "title", "content", "a", "div", "body"];
/// Of elements without one: that of the item around them.
const DEFAULT: &str = "http://jabber.org/protocol/pubsub";
const WORDS: [&str; 6] = ["word", " ", "&lt;", "\u{200b}", "…", "..."];
const NAMESPACES: [Option<&str>; 4] = [None, Some(ATOM), Some("urn:x"), Some(DEFAULT)];

/// An element; what is left open at the end is closed.
#[derive(Debug, Arbitrary)]
pub struct Tree<'a> {
    root: Tag,
    steps: Vec<Step<'a>>,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Tag {
    /// Of Atom.
    Entry,
    /// In the namespace around them.
    Title,
    Content,
    Summary,
    Any(u8, u8),
}

#[derive(Debug, Arbitrary)]
enum Step<'a> {
    Open(Tag),
    /// Many at once, up to one more than may be.
    Nest(Tag, u8),
    Text(&'a str),
    Word(u8),
    Close,
}

/// What a reader of the XML meets.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    Open(&'static str, Option<&'static str>),
    Text(String),
    Close,
}

impl Tag {
    fn open(self) -> Event {
        let (name, namespace) = match self {
            Self::Entry => ("entry", Some(ATOM)),
            Self::Title => ("title", None),
            Self::Content => ("content", None),
            Self::Summary => ("summary", None),
            Self::Any(name, namespace) => (
                NAMES[usize::from(name) % NAMES.len()],
                NAMESPACES[usize::from(namespace) % NAMESPACES.len()],
            ),
        };
        Event::Open(name, namespace)
    }
}

impl Tree<'_> {
    fn events(&self) -> Vec<Event> {
        let mut events = vec![self.root.open()];
        let mut open = 1;
        for step in &self.steps {
            match step {
                Step::Open(tag) => {
                    events.push(tag.open());
                    open += 1;
                }
                Step::Nest(tag, times) => {
                    let times = usize::from(*times) % (MAX_DEPTH + 2);
                    events.extend((0..times).map(|_| tag.open()));
                    open += times;
                }
                Step::Text(text) => events.push(Event::Text(text.chars().filter(is_xml).collect())),
                Step::Word(which) => {
                    let word = WORDS[usize::from(*which) % WORDS.len()];
                    events.push(Event::Text(word.to_owned()));
                }
                Step::Close if open > 1 => {
                    events.push(Event::Close);
                    open -= 1;
                }
                Step::Close => {}
            }
        }
        events.extend((0..open).map(|_| Event::Close));
        events
    }

    /// As ejabberd writes it.
    pub fn xml(&self) -> String {
        let mut xml = String::new();
        let mut names = Vec::new();
        let events = self.events();
        let mut events = events.iter().peekable();
        while let Some(event) = events.next() {
            match event {
                Event::Open(name, namespace) => {
                    xml.extend(["<", name]);
                    if let Some(namespace) = namespace {
                        xml.extend([" xmlns='", namespace, "'"]);
                    }
                    if events.next_if_eq(&&Event::Close).is_some() {
                        xml.push_str("/>");
                    } else {
                        xml.push('>');
                        names.push(*name);
                    }
                }
                Event::Text(text) => xml.push_str(&escaped(text)),
                Event::Close => xml.extend(["</", names.pop().unwrap_or_default(), ">"]),
            }
        }
        xml
    }

    /// How deep its elements are nested.
    pub fn depth(&self) -> usize {
        let (mut open, mut deepest) = (0, 0);
        for event in self.events() {
            match event {
                Event::Open(..) => open += 1,
                Event::Text(_) => {}
                Event::Close => open -= 1,
            }
            deepest = deepest.max(open);
        }
        deepest
    }

    /// What a person reads in it: all, and before it is made one line, its title.
    pub fn text(&self) -> (String, String) {
        let events = self.events();
        let Some(Event::Open(name, namespace)) = events.first() else {
            unreachable!("a tree begins with its root");
        };
        let (heading, text) = if *name == "entry" && *namespace == Some(ATOM) {
            let [title, content, summary] =
                ["title", "content", "summary"].map(|name| child_text(&events, name, ATOM));
            (title, content.or(summary))
        } else {
            let own = namespace.unwrap_or(DEFAULT);
            let data = Some(character_data(&events)).filter(|text| shows(text));
            (None, child_text(&events, "body", own).or(data))
        };
        match (heading, text) {
            (None, None) => (format!("({name})"), format!("({name})")),
            (Some(only), None) | (None, Some(only)) => (only.clone(), only),
            (Some(heading), Some(text)) if begins(&text, &heading) => (text, heading),
            (Some(heading), Some(text)) if begins(&heading, &text) => (heading.clone(), heading),
            (Some(heading), Some(text)) => (format!("{heading}\n\n{text}"), heading),
        }
    }
}

/// Whether a text begins with other words, of which the last may be cut short where they say so.
fn begins(text: &str, other: &str) -> bool {
    let other = other.trim_end();
    let whole = other.strip_suffix('…').or(other.strip_suffix("..."));
    let is_cut = whole.is_some();
    let words: Vec<&str> = whole.unwrap_or(other).split_whitespace().collect();
    let mut rest = text.trim_start();
    for (at, word) in words.iter().enumerate() {
        let Some(after) = rest.strip_prefix(word) else {
            return false;
        };
        let is_last = at + 1 == words.len();
        if is_last {
            return is_cut || !after.starts_with(char::is_alphanumeric);
        }
        if !after.starts_with(char::is_whitespace) {
            return false;
        }
        rest = after.trim_start();
    }
    true
}

/// The text of the first child of this name in this namespace that shows something.
fn child_text(events: &[Event], wanted: &str, own: &str) -> Option<String> {
    let mut namespaces = Vec::new();
    let mut start = None;
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Open(name, namespace) => {
                let inherited = namespaces.last().copied().unwrap_or(DEFAULT);
                let namespace = namespace.unwrap_or(inherited);
                namespaces.push(namespace);
                if namespaces.len() == 2 && *name == wanted && namespace == own {
                    start = Some(at);
                }
            }
            Event::Text(_) => {}
            Event::Close => {
                namespaces.pop();
                if namespaces.len() == 1 {
                    let text = start
                        .take()
                        .map(|start| character_data(&events[start..=at]));
                    if let Some(text) = text.filter(|text| shows(text)) {
                        return Some(text);
                    }
                }
            }
        }
    }
    None
}

/// All text, with a space before each element but the outermost, unless there is one already.
fn character_data(events: &[Event]) -> String {
    let mut text = String::new();
    for event in &events[1..] {
        match event {
            Event::Open(..) if text.ends_with(|c: char| !c.is_whitespace()) => text.push(' '),
            Event::Text(more) => text.push_str(more),
            _ => {}
        }
    }
    text.trim().to_owned()
}

fn shows(text: &str) -> bool {
    !twitter_core::title::one_line(text).is_empty()
}

/// What ejabberd's parser lets in; it makes line feeds of carriage returns.
fn is_xml(c: &char) -> bool {
    matches!(c, '\t' | '\n' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&apos;")
}

/// How deep the tags of a text are nested, if it is XML; some number, if not.
pub fn depth_of_tags(xml: &str) -> usize {
    let (mut open, mut deepest) = (0usize, 0);
    let mut rest = xml;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let end = rest.find(['<', '>']).unwrap_or(rest.len());
        let tag = &rest[..end];
        if tag.starts_with('/') {
            open = open.saturating_sub(1);
        } else {
            deepest = deepest.max(open + 1);
            open += usize::from(!tag.ends_with('/'));
        }
    }
    deepest
}
