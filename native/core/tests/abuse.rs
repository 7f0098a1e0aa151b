//! Memory under people who mean no good, and in a server full of people who never come.
// A panic in a test is a failed test, and nothing here comes near an overflow.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used
)]

use std::alloc::System;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stats_alloc::{Region, StatsAlloc, INSTRUMENTED_SYSTEM};
use twitter_core::cursor::Cursor;
use twitter_core::jid::BareJid;
use twitter_core::online::Online;
use twitter_core::rosters::Rosters;
use twitter_core::service::{Hold, Offer, Service};
use twitter_core::stream::{Micros, Place};
use twitter_core::timeline::{Anchor, Order, Request};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MILLION: u64 = 1_000_000;
const BUDGET: usize = 2 << 20;
/// What a container may have left over when all that was in it has gone.
const LITTLE: usize = 100_000;

/// The allocator counts for all threads, so one test runs at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that are in use, more than when the region began.
fn used(region: &Region<'_, System>) -> usize {
    let stats = region.change();
    stats
        .bytes_allocated
        .saturating_sub(stats.bytes_deallocated)
}

fn jid(name: &str, n: u64) -> BareJid {
    BareJid::parse(&format!("{name}{n}@example.org")).unwrap()
}

fn place(at: u64, id: &str) -> Place {
    Place {
        at: Micros(at),
        id: id.into(),
    }
}

/// The stream of somebody who has posted nothing yet.
fn empty_stream(service: &Service, author: &BareJid) {
    let version = service.version(author);
    let offer = service.load(author, version, Vec::new(), &Hold::default());
    assert_eq!(offer, Offer::Taken);
}

/// Edits of one post, each of another size, and ten thousand posts of which only the newest stays.
#[test]
fn an_author_who_edits_a_million_times() {
    let _alone = alone();
    let service = Service::new(BUDGET, BUDGET);
    let author = jid("author", 0);
    empty_stream(&service, &author);
    let region = Region::new(ALLOCATOR);
    let put = |at: u64, id: &str, bytes: u64| {
        let payload = vec![0; usize::try_from(bytes).unwrap()];
        let version = service.version(&author);
        let offer = service.put(&author, version, place(at, id), payload.into());
        assert_eq!(offer, Offer::Taken);
    };
    for n in 0..MILLION {
        put(7, "edited", n % 700);
    }
    assert_eq!(service.memory().posts, 1);
    assert!(used(&region) < LITTLE, "{}", used(&region));
    for n in 0..10_000 {
        put(n, &format!("id-{n}"), 100);
        let version = service.version(&author);
        let before = n.checked_sub(1).map(|n| format!("id-{n}"));
        let _ = before.map(|id| service.remove(&author, version, &id));
    }
    assert_eq!(service.memory().posts, 2);
    assert!(used(&region) < LITTLE, "{}", used(&region));
}

/// Cursors are places, kept by whoever got them: old ones, those of posts that never were, and garbage.
#[test]
fn a_reader_who_opens_a_million_cursors() {
    let _alone = alone();
    let service = Service::new(BUDGET, BUDGET);
    let (authors, hold) = ([jid("author", 0)], Hold::default());
    let version = service.version(&authors[0]);
    let places = (0..100).map(|n| place(n, &format!("id-{n}"))).collect();
    let _ = service.load(&authors[0], version, places, &hold);
    let region = Region::new(ALLOCATOR);
    for n in 0..MILLION {
        let text = Cursor::on(Micros(n % 200), "nobody@example.org", &format!("{n}")).encode();
        assert_eq!(Cursor::decode(&text[1..]), None);
        let request = Request {
            order: Order::OldestFirst,
            anchor: Anchor::After(Cursor::decode(&text).unwrap()),
            limit: 1,
        };
        let (page, _) = service.page(&authors, None, &request, &hold, 0).unwrap();
        assert_eq!(page.count, 100);
    }
    assert!(used(&region) < LITTLE, "{}", used(&region));
}

/// Their streams are asked for because they stand in rosters.
#[test]
fn authors_who_never_post() {
    let _alone = alone();
    let region = Region::new(ALLOCATOR);
    let service = Service::new(BUDGET, BUDGET);
    for n in 0..MILLION / 4 {
        empty_stream(&service, &jid("author", n));
    }
    assert!(service.memory().authors > 1000);
    assert!(used(&region) < BUDGET + BUDGET / 10, "{}", used(&region));
}

/// Rights are remembered of whoever is asked for, here also of readers from everywhere.
#[test]
fn readers_who_never_come_again() {
    let _alone = alone();
    let region = Region::new(ALLOCATOR);
    let rosters = Rosters::new(BUDGET);
    for n in 0..MILLION / 4 {
        // First of three authors who are always asked for, then of ever new ones.
        let some = if n < MILLION / 8 { n % 3 } else { n };
        let author = jid("author", some);
        let version = rosters.version(&author);
        let _ = rosters.answer(&author, version, &jid("reader", n), n % 2 == 0);
        // A table that grows is twice as large at once.
        assert!(rosters.bytes() < 2 * BUDGET, "{n}");
    }
    assert!(used(&region) < 2 * BUDGET, "{}", used(&region));
    let readers: Vec<String> = (0..MILLION / 4)
        .map(|n| format!("r{n}@example.org"))
        .collect();
    for n in 0..3 {
        let author = jid("author", n);
        let version = rosters.version(&author);
        let _ = rosters.load(&author, version, readers.iter().map(String::as_str));
    }
    // What one author needs is kept, however much that is; not that of three.
    let lists = rosters.bytes();
    let version = rosters.version(&jid("author", 3));
    let _ = rosters.answer(&jid("author", 3), version, &jid("reader", 0), true);
    assert!(lists > BUDGET && rosters.bytes() < BUDGET, "{lists}");
}

#[test]
fn users_who_come_and_go() {
    let _alone = alone();
    let region = Region::new(ALLOCATOR);
    let online = Online::<u64>::default();
    for n in 0..MILLION / 4 {
        assert!(online.arrive(&format!("user{n}"), n, "phone"));
        assert!(online.leave(&format!("user{n}"), n));
    }
    assert_eq!(online.users(), 0);
    assert!(used(&region) < LITTLE, "{}", used(&region));
}
