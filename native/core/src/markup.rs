//! HTML as a sequence of tags and texts, whatever people and programs have written: nothing in it is an error.

use std::iter;

/// A piece of HTML.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// What is between tags; [`decode`] reads it.
    Text(&'a str),
    /// The name of an element, in small letters, and what follows it in the tag; [`attributes`] reads that.
    Open(String, &'a str),
    Close(String),
}

/// The pieces of HTML, without comments, and without the elements of which `is_skipped` says so, all that is in
/// them included. Cost: O(bytes) for all.
pub(crate) fn pieces(
    html: &str,
    is_skipped: impl Fn(&str) -> bool,
) -> impl Iterator<Item = Piece<'_>> {
    let lower = html.to_ascii_lowercase();
    let mut at: usize = 0;
    iter::from_fn(move || loop {
        let rest = html.get(at..)?;
        let Some(inside) = rest.strip_prefix('<').filter(|inside| is_tag(inside)) else {
            // At least the one character: it may be a `<` that begins no tag.
            let first = rest.chars().next()?.len_utf8();
            let length = rest
                .get(first..)
                .and_then(|later| later.find('<'))
                .map_or(rest.len(), |found| found.saturating_add(first));
            at = at.saturating_add(length);
            return rest.get(..length).map(Piece::Text);
        };
        if inside.starts_with("!--") {
            at = after(html, at, "-->");
            continue;
        }
        let Some(length) = tag_length(inside) else {
            at = html.len();
            return Some(Piece::Text(rest));
        };
        at = at.saturating_add(length).saturating_add(2);
        let tag = inside.get(..length).unwrap_or_default();
        if tag.starts_with(['!', '?']) {
            continue;
        }
        let (is_end, tag) = match tag.strip_prefix('/') {
            Some(tag) => (true, tag),
            None => (false, tag),
        };
        let end_of_name = tag.find(|c: char| c.is_ascii_whitespace() || c == '/');
        let (name, rest) = tag.split_at_checked(end_of_name.unwrap_or(tag.len()))?;
        let name = name.to_ascii_lowercase();
        if is_end {
            return Some(Piece::Close(name));
        }
        if is_skipped(&name) {
            at = after(&lower, at, &format!("</{name}"));
            at = after(html, at, ">");
            continue;
        }
        return Some(Piece::Open(name, rest));
    })
}

/// Whether this, behind a `<`, makes a tag of it.
fn is_tag(inside: &str) -> bool {
    let name = inside.strip_prefix('/').unwrap_or(inside);
    name.starts_with(|c: char| c.is_ascii_alphabetic()) || inside.starts_with(['!', '?'])
}

/// Where the text goes on behind the next of these words; its end, if there is none.
fn after(text: &str, at: usize, word: &str) -> usize {
    text.get(at..)
        .and_then(|rest| rest.find(word))
        .map_or(text.len(), |found| {
            at.saturating_add(found).saturating_add(word.len())
        })
}

/// How long a tag is, without its `>`: the first that is not quoted, or, if a quotation does not end, the first
/// one. That a quotation does not end is found out at most once for each kind of them, so this takes linear time.
fn tag_length(inside: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in inside.char_indices() {
        match (quote, c) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    inside.find('>')
}

/// Names and values of the attributes in a tag; [`decode`] reads the values. Those without one are left out.
pub(crate) fn attributes(tag: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = tag;
    iter::from_fn(move || {
        let (before, after) = rest.split_once('=')?;
        let name = before
            .split_ascii_whitespace()
            .next_back()
            .unwrap_or_default();
        let value = after.trim_ascii_start();
        let (value, others) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let quoted = value.strip_prefix(quote)?;
                quoted.split_once(quote).unwrap_or((quoted, ""))
            }
            _ => value
                .split_once(|c: char| c.is_ascii_whitespace())
                .unwrap_or((value, "")),
        };
        rest = others;
        Some((name, value))
    })
}

/// How many bytes a reference to a character may have between `&` and `;`.
const MAX_REFERENCE: usize = 10;

/// The characters from U+00A0 to U+00FF.
const LATIN: [&str; 96] = [
    "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "uml", "copy", "ordf",
    "laquo", "not", "shy", "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute", "micro",
    "para", "middot", "cedil", "sup1", "ordm", "raquo", "frac14", "frac12", "frac34", "iquest",
    "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute",
    "Ecirc", "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve", "Oacute",
    "Ocirc", "Otilde", "Ouml", "times", "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute",
    "THORN", "szlig", "agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil",
    "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc", "iuml", "eth", "ntilde",
    "ograve", "oacute", "ocirc", "otilde", "ouml", "divide", "oslash", "ugrave", "uacute", "ucirc",
    "uuml", "yacute", "thorn", "yuml",
];

/// The text with its references to characters replaced, as far as they are known. Cost: O(bytes).
pub(crate) fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut parts = text.split('&');
    decoded.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let found = part
            .bytes()
            .take(MAX_REFERENCE)
            .position(|byte| byte == b';')
            .and_then(|end| part.split_at_checked(end))
            .and_then(|(name, rest)| Some((character(name)?, rest.strip_prefix(';')?)));
        match found {
            Some((c, rest)) => {
                decoded.push(c);
                decoded.push_str(rest);
            }
            None => decoded.extend(["&", part]),
        }
    }
    decoded
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        return code.ok().and_then(char::from_u32);
    }
    let named = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "hellip" => '…',
        "ndash" => '–',
        "mdash" => '—',
        "lsquo" => '‘',
        "rsquo" => '’',
        "sbquo" => '‚',
        "ldquo" => '“',
        "rdquo" => '”',
        "bdquo" => '„',
        "bull" => '•',
        "euro" => '€',
        "trade" => '™',
        "oelig" => 'œ',
        "OElig" => 'Œ',
        _ => {
            return ('\u{a0}'..='\u{ff}')
                .zip(LATIN)
                .find(|(_, latin)| *latin == name)
                .map(|(c, _)| c)
        }
    };
    Some(named)
}
