//! What is done once for each request or post, beside the obvious way where there is one: node ids,
//! the text a person reads in a payload, titles.
//!
//! Run: `cargo bench -p twitter_core --bench words`
use std::hint::black_box;

use criterion::Criterion;
use twitter_core::path;
use twitter_core::post::Payload;

const ENTRY: &str = "<entry xmlns='http://www.w3.org/2005/Atom'><id>tag:example.org,2008:1</id>\
    <title type='text'>Give me some words &amp; I shall read them</title>\
    <published>2008-05-08T18:30:02Z</published><updated>2008-05-08T18:30:02Z</updated>\
    <author><name>Alice</name><uri>xmpp:alice@example.org</uri></author></entry>";

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, id) in [
        ("my_stream", "/twitter/MyStream"),
        ("friend", "/twitter/MyFriends/juliet@capulet.example"),
        (
            "post",
            "/twitter/MyFriends/juliet@capulet.example/4B2C8277256F1A09",
        ),
        ("foreign", "princely_musings"),
    ] {
        criterion.bench_function(&format!("path/parse/{name}"), |b| {
            b.iter(|| path::parse(black_box(id)))
        });
    }
    let text = "Demoing my Twitter-like code ".repeat(10);
    for (name, payload) in [
        ("text_290", Payload::Text(&text)),
        ("atom_370", Payload::Element(ENTRY)),
    ] {
        criterion.bench_function(&format!("payload/text/{name}"), |b| {
            b.iter(|| black_box(&payload).text())
        });
        criterion.bench_function(&format!("payload/title/{name}"), |b| {
            b.iter(|| black_box(&payload).title())
        });
    }
    criterion.final_summary();
}
