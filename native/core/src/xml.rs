//! Serialised XML, as far as it can be judged without reading it as a tree: `<` and `>` occur in tags
//! only, and attributes are quoted.

use std::collections::HashMap;

use ahash::RandomState;

/// How deep the elements of a payload may be nested. Deeper ones are refused when they are
/// published, so that nothing that walks or drops a payload can run out of stack.
pub const MAX_DEPTH: usize = 64;

/// What no prefix but `xml` and `xmlns` may stand for, nor the absence of one.
const RESERVED: [&str; 2] = [
    "http://www.w3.org/XML/1998/namespace",
    "http://www.w3.org/2000/xmlns/",
];

/// Whether it nests deeper than [`MAX_DEPTH`]. Cost: O(bytes).
pub(crate) fn is_too_deep(xml: &str) -> bool {
    let mut depth: usize = 0;
    for tag in tags(xml) {
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if depth >= MAX_DEPTH {
            return true;
        } else if !tag.ends_with('/') {
            depth = depth.saturating_add(1);
        }
    }
    false
}

/// Whether it is XML with namespaces wherever it is put: all prefixes are declared in it, and none is
/// declared wrongly. Elsewhere it would end the stream of whoever gets it. Cost: O(bytes).
pub(crate) fn stands_alone(xml: &str) -> bool {
    let mut declared: HashMap<&str, usize, RandomState> = HashMap::default();
    // The prefixes that each open element declares.
    let mut open: Vec<Vec<&str>> = Vec::new();
    for tag in tags(xml) {
        if tag.starts_with('/') {
            undeclare(&mut declared, open.pop().unwrap_or_default());
            continue;
        }
        let name = tag
            .split(|c: char| c.is_whitespace() || c == '/')
            .next()
            .unwrap_or_default();
        let mut here = Vec::new();
        for (attribute, value) in attributes(tag) {
            let prefix = match attribute.split_once(':') {
                Some(("xmlns", prefix)) => Some(prefix),
                _ => None,
            };
            if (prefix.is_some() || attribute == "xmlns")
                && prefix != Some("xml")
                && RESERVED.contains(&value)
            {
                return false;
            }
            if let Some(prefix) = prefix {
                let count = declared.entry(prefix).or_default();
                *count = count.saturating_add(1);
                here.push(prefix);
            }
        }
        let is_declared = |name: &str| match name.split_once(':') {
            None | Some(("xml" | "xmlns", _)) => true,
            Some((prefix, _)) => declared.get(prefix).is_some_and(|count| *count > 0),
        };
        if !is_declared(name) || !attributes(tag).all(|(attribute, _)| is_declared(attribute)) {
            return false;
        }
        if tag.ends_with('/') {
            undeclare(&mut declared, here);
        } else {
            open.push(here);
        }
    }
    true
}

fn undeclare<'a>(declared: &mut HashMap<&'a str, usize, RandomState>, prefixes: Vec<&'a str>) {
    for prefix in prefixes {
        if let Some(count) = declared.get_mut(prefix) {
            *count = count.saturating_sub(1);
        }
    }
}

/// What is between `<` and `>`.
fn tags(xml: &str) -> impl Iterator<Item = &str> {
    xml.split('<')
        .skip(1)
        .map(|tag| tag.split('>').next().unwrap_or_default())
}

/// Names and values in a tag.
fn attributes(tag: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = tag;
    std::iter::from_fn(move || {
        let (before, after) = rest.split_once('=')?;
        let quote = after.chars().next()?;
        let (value, others) = after.strip_prefix(quote)?.split_once(quote)?;
        rest = others;
        // The element's name is before the first.
        let name = before.split_whitespace().next_back()?;
        Some((name, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn depths() {
        let nested =
            |levels: usize| format!("{}<b/>{}", "<a>".repeat(levels), "</a>".repeat(levels));
        assert!(!is_too_deep(&nested(63)));
        assert!(is_too_deep(&nested(64)));
        assert!(!is_too_deep(&format!(
            "<a>{}</a>",
            "<b/><c>x</c>".repeat(99)
        )));
    }

    #[test]
    fn what_stands_alone() {
        for xml in [
            "<a/>",
            "<a xmlns='urn:a' b='c:d=\"e\"' xml:lang='de'>f:g='h'</a>",
            "<p:a xmlns:p='urn:p' p:b='1'><p:c/><d p:e='' /></p:a>",
            "<a><b xmlns:p='urn:p'><p:c/></b><b xmlns:p='urn:q' p:d='e'/></a>",
            "<a xmlns:p='urn:p'><b xmlns:p='urn:q'/><p:c/></a>",
            "<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
            "",
        ] {
            assert!(stands_alone(xml), "{xml}");
        }
        for xml in [
            "<p:a/>",
            "<a p:b='1'/>",
            "<a xmlns='urn:a' b='1' p:c='2'/>",
            "<stream:error/>",
            "<a><b xmlns:p='urn:p'/><c p:d='1'/></a>",
            "<a><b xmlns:p='urn:p'>x</b><p:c/></a>",
            "<a><b xmlns:p='urn:p'><b/></b><c><p:d/></c></a>",
            "<a b='=' p:c='d'/>",
            "<a b='x xmlns:p=' p:c='d'/>",
            "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
            "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
        ] {
            assert!(!stands_alone(xml), "{xml}");
        }
    }

    proptest! {
        /// What a reader of XML with namespaces takes stands alone, and nothing else does.
        #[test]
        fn as_a_reader_of_xml_says(
            names in proptest::collection::vec("(p:|q:)?[ab]", 1..6),
            attributes in proptest::collection::vec("( xmlns:[pq]='urn:[xy]'| [pq]:c='1'| d='[ =/:]p:e')?", 6),
        ) {
            let open: String = names.iter().zip(&attributes).map(|(n, a)| format!("<{n}{a}>")).collect();
            let close: String = names.iter().rev().map(|n| format!("</{n}>")).collect();
            let xml = format!("{open}{close}");
            let read = minidom::Element::from_reader_with_prefixes(xml.as_bytes(), "urn:d".to_owned());
            prop_assert_eq!(stands_alone(&xml), read.is_ok(), "{}", xml);
        }
    }
}
