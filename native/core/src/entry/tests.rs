use proptest::prelude::*;

use super::*;
use crate::post::Payload;

/// What is read in an entry with these children: all, and in one line.
fn read(children: &str) -> (String, String) {
    let xml = format!("<entry xmlns='{ATOM}'><id>tag:e.org,2008:1</id>{children}<updated>2008-05-08T18:30:02Z</updated></entry>");
    let payload = Payload::Element(&xml);
    (payload.text(), payload.title())
}

fn xhtml(name: &str, inner: &str) -> String {
    format!("<{name} type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>{inner}</div></{name}>")
}

#[test]
fn what_is_read() {
    for (children, text, title) in [
        // As in the examples of XEP-0277.
        (
            "<title type='text'>hanging out at the Caf&#233;</title>".to_owned(),
            "hanging out at the Café",
            "hanging out at the Café",
        ),
        (
            xhtml(
                "title",
                "<p>hanging out at the <strong>Caf&#233;</strong></p>",
            ),
            "hanging out at the Café",
            "hanging out at the Café",
        ),
        // A short post with the same text in a content.
        (
            format!(
                "<title>Hello you</title>{}",
                xhtml("content", "<p>Hello  you</p>")
            ),
            "Hello you",
            "Hello you",
        ),
        (
            format!(
                "<title>Hello you, and</title>{}",
                xhtml("content", "<p>Hello you</p>")
            ),
            "Hello you, and",
            "Hello you, and",
        ),
        // A title, and what comes below it.
        (
            format!(
                "<title>News</title>{}",
                xhtml("content", "<p>One</p><p>two</p>")
            ),
            "News\n\nOne\n\ntwo",
            "News",
        ),
        // A title made of the beginning.
        (
            format!(
                "<title>One two th…</title>{}",
                xhtml("content", "<p>One two</p><p>three</p>")
            ),
            "One two\n\nthree",
            "One two th…",
        ),
        (
            "<title>One two...</title><content>One\ntwo three</content>".into(),
            "One\ntwo three",
            "One two...",
        ),
        (
            "<title>He</title><content>Hello</content>".into(),
            "He\n\nHello",
            "He",
        ),
        ("<title/><content>…</content>".into(), "…", "…"),
        ("<title>…</title><content>One</content>".into(), "One", "…"),
        // Both forms, of both.
        (
            format!(
                "{}<title>News</title>{}<content type='text'>*One* two</content>",
                xhtml("title", "<b>News</b>"),
                xhtml("content", "<b>One</b> two")
            ),
            "News\n\n*One* two",
            "News",
        ),
        (
            format!(
                "<content type='text'> </content>{}",
                xhtml("content", "One")
            ),
            "One",
            "One",
        ),
        // Several languages.
        (
            "<title xml:lang='en'>Hello</title><title xml:lang='de'>Hallo</title>".into(),
            "Hello",
            "Hello",
        ),
        // A summary stands for a content only.
        (
            "<title>News</title><summary>In short</summary>".into(),
            "News\n\nIn short",
            "News",
        ),
        (
            "<title>News</title><summary>In short</summary><content>At length</content>".into(),
            "News\n\nAt length",
            "News",
        ),
        (
            "<title/><summary>In short</summary><content>\u{200b}</content>".into(),
            "In short",
            "In short",
        ),
        // HTML, and what is no text.
        (
            "<title type='html'>Less: &lt;em> &amp;lt; &lt;/em></title>".into(),
            "Less: <",
            "Less: <",
        ),
        (
            "<title>News</title><content type='text/html'>&lt;p>One&lt;p>two</content>".into(),
            "News\n\nOne\n\ntwo",
            "News",
        ),
        (
            "<title>Cat</title><content type='image/png'>iVBORw0KGgo=</content>".into(),
            "Cat",
            "Cat",
        ),
        (
            "<title>Cat</title><content type='text' src='https://e.org/cat'/>".into(),
            "Cat",
            "Cat",
        ),
        (
            "<title>Cat</title><content type='text/markdown'>*Miaow*</content>".into(),
            "Cat\n\n*Miaow*",
            "Cat",
        ),
        // Children of others' namespaces are no words of the entry.
        (
            "<title xmlns='urn:x'>No</title><content>Yes</content>".into(),
            "Yes",
            "Yes",
        ),
        (
            "<author><name>Alice</name></author>".into(),
            "(entry)",
            "(entry)",
        ),
    ] {
        assert_eq!(
            read(&children),
            (text.to_owned(), title.to_owned()),
            "{children}"
        );
    }
}

#[test]
fn a_content_passes_for_nothing_but_itself() {
    let (text, title) = read(
        "<title>\u{202e}News</title><content type='html'>&amp;#x202e;evil&lt;b>\u{301}</content>",
    );
    assert_eq!(text, "News\n\nevil\u{301}");
    assert_eq!(title, "News");
}

proptest! {
    /// Whatever somebody writes as a title and a content is read, and nothing of it twice.
    #[test]
    fn all_words_once(heading in "([a-c]{1,2} ?){0,5}", text in "([a-c]{1,2} ?){0,5}") {
        let (read, _) = read(&format!("<title>{heading}</title><content>{text}</content>"));
        let spaced = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (heading, text, read) = (spaced(&heading), spaced(&text), spaced(&read));
        let both = spaced(&format!("{heading} {text}"));
        if both.is_empty() {
            prop_assert_eq!(read, "(entry)");
        } else {
            prop_assert!(read.contains(&heading) && read.contains(&text));
            let is_begin = |a: &str, b: &str| format!("{a} ").starts_with(&format!("{b} ")) || b.is_empty();
            let expected = if is_begin(&heading, &text) { heading } else if is_begin(&text, &heading) { text } else { both };
            prop_assert_eq!(read, expected);
        }
    }
}
