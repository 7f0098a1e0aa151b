//! A page of 20 posts out of the streams of many friends, beside the obvious way: collect every
//! post, sort, cut the page out.
//!
//! Names: `page_20/FRIENDSxPOSTS/POSITION/HOW`. All lists are newest first. POSITION is `head` (the
//! first page), `middle_cursor` (the page after the middlemost post) or `middle_index` (the same
//! page, asked for by its index). HOW is `timeline` (the merge alone), `service` (with the look-up
//! of all friends' streams and of the payloads, as a request does it) or `collect_and_sort`.
//!
//! Run: `cargo bench -p twitter_core --bench timeline`
// A panic before the timing starts is a wrong result; sizes are constants.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![allow(clippy::panic)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, SamplingMode};
use twitter_core::cursor::Cursor;
use twitter_core::jid::BareJid;
use twitter_core::service::{Cached, Hold, Offer, Service};
use twitter_core::stream::{Micros, Place, Stream};
use twitter_core::timeline::{Anchor, Order, Page, PostRef, Request, Timeline};

const LIMIT: usize = 20;
/// Friends, and posts of each.
const SIZES: [(usize, u64); 3] = [(10, 1000), (500, 1000), (5000, 100)];

/// A well mixed number that depends on nothing but its argument (splitmix64).
fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Posts at random moments of one year, ids as ejabberd makes them.
fn places(friend: usize, posts: u64) -> Vec<Place> {
    let seed = mixed(friend as u64);
    (0..posts)
        .map(|i| mixed(seed ^ i))
        .map(|random| Place {
            at: Micros(1_200_000_000_000_000 + random % 31_536_000_000_000),
            id: format!("{random:016X}").into(),
        })
        .collect()
}

/// Every post of every friend, newest first: what `collect_and_sort` has to begin with.
fn sorted<'a>(streams: &[(&'a str, &'a Stream)]) -> Vec<(Micros, &'a str, &'a str)> {
    let mut all: Vec<_> = streams
        .iter()
        .flat_map(|(author, stream)| stream.places().iter().map(|p| (p.at, *author, &*p.id)))
        .collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    all
}

/// The page that begins after so many posts as are not older than the cursor.
fn collect_and_sort(streams: &[(&str, &Stream)], start: &Start<'_>) -> Page {
    let all = sorted(streams);
    let index = match start {
        Start::At(index) => *index,
        Start::After(cursor) => all.partition_point(|key| key >= cursor),
    };
    let posts = all[index..]
        .iter()
        .take(LIMIT)
        .map(|(at, author, id)| PostRef {
            author: (*author).to_owned(),
            id: (*id).into(),
            at: *at,
        });
    Page {
        posts: posts.collect(),
        index,
        count: all.len(),
    }
}

/// Where the page starts, for the obvious way.
enum Start<'a> {
    At(usize),
    After((Micros, &'a str, &'a str)),
}

fn loaded(authors: &[BareJid], posts: u64) -> Service {
    let service = Service::new(1 << 30, 1 << 26);
    for (friend, author) in authors.iter().enumerate() {
        let version = service.version(author);
        let outcome = service.load(author, version, places(friend, posts), &Hold::default());
        assert_eq!(outcome, Offer::Taken);
    }
    service
}

/// The page, every payload of which is in memory when it is asked for again.
fn read(service: &Service, authors: &[BareJid], request: &Request) -> Page {
    let ask = || {
        let hold = Hold::default();
        let found = service.page(authors, None, request, &hold, 1_000_000);
        found.unwrap_or_else(|missing| panic!("{missing:?}"))
    };
    let (page, cached) = ask();
    for (post, cached) in page.posts.iter().zip(cached) {
        let author = authors.iter().find(|jid| jid.as_str() == post.author);
        if let (Some(author), Cached::Unread(version)) = (author, cached) {
            let payload = vec![0; 200].into();
            let outcome = service.keep_payload(author, version, &post.id, payload);
            assert_eq!(outcome, Offer::Taken);
        }
    }
    let (again, cached) = ask();
    assert_eq!(again, page);
    assert!(cached.iter().all(|c| matches!(c, Cached::Payload(_))));
    page
}

fn page_20(criterion: &mut Criterion, friends: usize, posts: u64) {
    let authors: Vec<BareJid> = (0..friends)
        .map(|n| format!("friend{n}@example.org"))
        .map(|jid| BareJid::parse(&jid).unwrap_or_else(|e| panic!("{jid}: {e}")))
        .collect();
    let service = loaded(&authors, posts);
    let streams: Vec<Stream> = (0..friends)
        .map(|f| Stream::new(places(f, posts)))
        .collect();
    let streams: Vec<(&str, &Stream)> = authors.iter().map(BareJid::as_str).zip(&streams).collect();
    let timeline = Timeline::new(streams.clone());

    let all = sorted(&streams);
    let middle = all.len() / 2;
    let (at, author, id) = all[middle - 1];
    drop(all);
    let positions = [
        ("head", Start::At(0), Anchor::Start),
        (
            "middle_cursor",
            Start::After((at, author, id)),
            Anchor::After(Cursor::on(at, author, id)),
        ),
        ("middle_index", Start::At(middle), Anchor::Index(middle)),
    ];
    for (position, start, anchor) in positions {
        let request = Request {
            order: Order::NewestFirst,
            anchor,
            limit: LIMIT,
        };
        let expected = collect_and_sort(&streams, &start);
        assert_eq!(expected.posts.len(), LIMIT);
        assert_eq!(timeline.page(&request), expected);
        assert_eq!(read(&service, &authors, &request), expected);

        let mut group = criterion.benchmark_group(format!("page_20/{friends}x{posts}/{position}"));
        group.warm_up_time(Duration::from_millis(500));
        group.measurement_time(Duration::from_secs(2));
        group.bench_function("timeline", |b| {
            b.iter(|| timeline.page(black_box(&request)));
        });
        group.bench_function("service", |b| {
            let hold = Hold::default();
            b.iter(|| {
                service.page(
                    black_box(&authors),
                    None,
                    black_box(&request),
                    &hold,
                    1_000_000,
                )
            });
        });
        // Takes up to a tenth of a second: few samples, one page each.
        group.sample_size(10).sampling_mode(SamplingMode::Flat);
        group.bench_function("collect_and_sort", |b| {
            b.iter(|| collect_and_sort(black_box(&streams), black_box(&start)));
        });
        group.finish();
    }
}

// Not by criterion's macros: they make public functions without documentation.
fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (friends, posts) in SIZES {
        page_20(&mut criterion, friends, posts);
    }
    criterion.final_summary();
}
