use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// As both: HTML, and XHTML if it is that.
fn assert_reads(markup: &str, text: &str) {
    assert_eq!(of_html(markup), text, "{markup}");
    let xhtml = format!("<div xmlns='http://www.w3.org/1999/xhtml'>{markup}</div>");
    if let Ok(element) = xhtml.parse::<Element>() {
        assert_eq!(of_xhtml(&element), text, "{markup}");
    }
}

#[test]
fn parts_are_lines() {
    for (markup, text) in [
        ("<p>One</p><p>two <b>three</b></p>", "One\n\ntwo three"),
        (
            "\n  <p>\n One\n  two</p>\n\n <p>three</p>\n",
            "One two\n\nthree",
        ),
        (
            "One<br/>two<br/><br/>three<br/><br/><br/>four",
            "One\ntwo\n\nthree\n\nfour",
        ),
        (
            "<div>One</div><div><div>two</div></div>three",
            "One\ntwo\nthree",
        ),
        ("<h1>One</h1>two<hr/>three", "One\n\ntwo\n\nthree"),
        (
            "One<blockquote><p>two</p></blockquote>three",
            "One\n\ntwo\n\nthree",
        ),
        (
            "<ul><li>One</li><li>two</li><li/></ul>three",
            "• One\n• two\n\nthree",
        ),
        (
            "<ol><li><p>One</p></li><li>two<ul><li>three</li></ul></li><li>four</li></ol>",
            "1. One\n\n2. two\n• three\n3. four",
        ),
        ("<li>One</li>", "• One"),
        ("<dl><dt>One</dt><dd>two</dd></dl>", "One\ntwo"),
        (
            "<table><tr><th>One</th><td>two</td></tr><tr><td>three</td></tr></table>",
            "One two\nthree",
        ),
        ("a<pre>  b\n   c\n</pre>d", "a\n\n  b\n   c\n\n\nd"),
        ("<p/><p/>", ""),
        ("One <i> two</i>\u{a0}three", "One two\u{a0}three"),
    ] {
        assert_reads(markup, text);
    }
}

#[test]
fn what_is_no_text_is_left_out() {
    for (markup, text) in [
        (
            "One<script>two &lt; three</script><style>p {}</style> four",
            "One four",
        ),
        ("<head><title>One</title></head>two", "two"),
        ("One <!-- <p>two</p> -->three", "One three"),
        (
            "<img src='a.png' alt='A cat &amp; a dog'/> here",
            "A cat & a dog here",
        ),
        ("<img src='a.png'/>here", "here"),
        ("<object data='x'/><span onclick='x'>One</span>", "One"),
    ] {
        assert_reads(markup, text);
    }
}

#[test]
fn links_say_where_they_lead() {
    for (markup, text) in [
        (
            "<a href='https://example.org/a'>here</a>!",
            "here (https://example.org/a)!",
        ),
        (
            "<a href='https://example.org/'>example.org</a>",
            "example.org",
        ),
        (
            "<a href='https://example.org'>https://example.org/</a>",
            "https://example.org/",
        ),
        (
            "<a href='mailto:a@example.org'>a@example.org</a>",
            "a@example.org",
        ),
        (
            "<a href='https://evil.example'>https://bank.example</a>",
            "https://bank.example (https://evil.example)",
        ),
        (
            "<a href='https://example.org/a'><img alt=''/></a>",
            "https://example.org/a",
        ),
        (
            "<a href='https://example.org/a'><img alt='A cat'/></a>",
            "A cat (https://example.org/a)",
        ),
        (
            "<ul><li><a href='https://e.org'>https://e.org</a></li></ul>",
            "• https://e.org",
        ),
        (
            "<a href='javascript:alert(1)'>here</a><a href='/a'>, there</a><a>.</a>",
            "here, there.",
        ),
        (
            "<p>One</p><a href='https://e.org/?a&amp;b'>two</a>",
            "One\n\ntwo (https://e.org/?a&b)",
        ),
    ] {
        assert_reads(markup, text);
    }
}

#[test]
fn broken_html_is_read_as_it_is() {
    for (html, text) in [
        ("1 < 2 > 1 & <3", "1 < 2 > 1 & <3"),
        (
            "<a href='http://a.org'>one <a href='http://b.org'>two</a> three</a>",
            "one (http://a.org) two (http://b.org) three",
        ),
        (
            "a &lt;b&gt; &amp;amp; &quot;&#39;&#x2603;&#9731;&eacute;&Uuml;&nbsp;&hellip;",
            "a <b> &amp; \"'☃☃éÜ\u{a0}…",
        ),
        (
            "&unknown; &; &#; &#x110000; &#xd800; &toolongtobeone; &amp",
            "&unknown; &; &#; &#x110000; &#xd800; &toolongtobeone; &amp",
        ),
        ("<P>One<P>two<BR>three</DIV>", "One\n\ntwo\nthree"),
        (
            "<a href=https://e.org/a title=\"b>c\">One</a>",
            "One (https://e.org/a)",
        ),
        (
            "<a href = \"https://e.org\" >One</a >",
            "One (https://e.org)",
        ),
        ("<p class='a>One", "One"),
        ("One<p", "One<p"),
        ("One<!-- two", "One"),
        ("One<SCRIPT>two</ScRiPt >three<script>four", "Onethree"),
        ("<!DOCTYPE html><?xml?>One", "One"),
        ("</p></ul></a></pre></li>One", "One"),
        ("é<b>ü</b>ß", "éüß"),
    ] {
        assert_eq!(of_html(html), text, "{html}");
    }
}

/// Some hundred milliseconds each, without optimization. If it grew with the square, it would be minutes.
#[test]
fn long_texts_take_no_longer() {
    for pattern in [
        "<",
        "<a '",
        "<a \"><b '>",
        "<!--",
        "<script>",
        "</script",
        "&",
        "&amp;",
        "<a href='https://e.org'>",
        "<li>",
        "<ol>",
        "<br>",
        " ",
        "<pre> ",
        "<p>a",
        "</a>",
        "<x =",
    ] {
        let html = pattern.repeat(400_000 / pattern.len());
        let start = Instant::now();
        assert!(of_html(&html).len() / 3 <= html.len());
        assert!(start.elapsed() < Duration::from_secs(10), "{pattern}");
    }
}

proptest! {
    /// Words come in their order, each once, whatever is around them.
    #[test]
    fn every_word_stays(
        parts in proptest::collection::vec(("(p|div|b|li|ul|ol|td|br|pre|blockquote|em|h2|table)", 0_usize..3), 1..20)
    ) {
        let mut markup = String::new();
        let mut words = Vec::new();
        let mut open = Vec::new();
        for (number, (name, ends)) in parts.iter().enumerate() {
            markup.push_str(&format!("<{name}>w{number}w"));
            words.push(format!("w{number}w"));
            open.push(name.as_str());
            for _ in 0..*ends {
                if let Some(name) = open.pop() {
                    markup.push_str(&format!("</{name}>"));
                }
            }
        }
        while let Some(name) = open.pop() {
            markup.push_str(&format!("</{name}>"));
        }
        let html = of_html(&markup);
        let found: Vec<String> = html.split('w').filter(|w| w.parse::<usize>().is_ok()).map(|w| format!("w{w}w")).collect();
        prop_assert_eq!(found, words);
        prop_assert!(!html.contains("\n\n\n"));
        let element = format!("<div xmlns='http://www.w3.org/1999/xhtml'>{markup}</div>").parse::<Element>();
        let xhtml = element.as_ref().map(of_xhtml);
        prop_assert_eq!(xhtml.ok(), Some(html));
    }

    #[test]
    fn anything_can_be_read(html in "(<|>|&|;|#|'|\"|=|/|!|--|[a-cpx ]|script|ol|li|pre|href|https://|☃|\\PC){0,80}") {
        let text = of_html(&html);
        prop_assert!(text.len() / 3 <= html.len());
    }
}
