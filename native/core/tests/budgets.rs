//! The budgets of `Service`: what it says it takes is what it takes, it keeps to what it may take, and
//! it answers however little that is.
// A panic in a test is a failed test, and nothing here comes near an overflow.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used
)]

use std::alloc::System;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stats_alloc::{Region, StatsAlloc, INSTRUMENTED_SYSTEM};
use twitter_core::audience::{bucket_of, Bucket};
use twitter_core::jid::BareJid;
use twitter_core::service::{Cached, Hold, NotLoaded, Offer, Service};
use twitter_core::stream::{Micros, Place};
use twitter_core::timeline::{Anchor, Order, Request};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The allocator counts for all threads, so one test runs at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that are in use, more than when the region began.
fn used(region: &Region<'_, System>) -> usize {
    let stats = region.change();
    // What a reallocation changes is counted in both.
    stats
        .bytes_allocated
        .saturating_sub(stats.bytes_deallocated)
}

fn author(n: usize) -> BareJid {
    BareJid::parse(&format!("author{n}@example.org")).unwrap()
}

fn post(author: usize, n: u64) -> Place {
    Place {
        at: Micros(n * 1_000_000 + author as u64),
        id: format!("{n:016X}").into(),
    }
}

fn posts(author: usize, count: u64) -> Vec<Place> {
    (0..count).map(|n| post(author, n)).collect()
}

/// Loads what is missing and asks again, as `twitter_index` does; returns how often storage was read,
/// and how many posts there are.
fn read(service: &Service, authors: &[BareJid], count: u64) -> (usize, usize) {
    let request = Request {
        order: Order::NewestFirst,
        anchor: Anchor::Start,
        limit: 20,
    };
    let hold = Hold::default();
    let (mut loads, mut asks) = (0, 0);
    loop {
        asks += 1;
        assert!(asks <= 2, "asked twice, and still something is not loaded");
        match service.page(authors, None, &request, &hold, usize::MAX) {
            Ok((page, cached)) => {
                assert_eq!((page.posts.len(), cached.len()), (20, 20));
                return (loads, page.count);
            }
            Err(NotLoaded(missing)) => {
                for name in missing {
                    let n = authors.iter().position(|a| *a == name).unwrap();
                    let version = service.version(&name);
                    let offer = service.load(&name, version, posts(n, count), &hold);
                    assert_eq!(offer, Offer::Taken);
                    loads += 1;
                }
            }
        }
    }
}

#[test]
fn a_page_of_more_than_fits() {
    let _alone = alone();
    let authors: Vec<BareJid> = (0..700).map(author).collect();
    for budget in [0, 2000, 200_000] {
        let service = Service::new(budget, 2000);
        for _ in 0..3 {
            let (loads, count) = read(&service, &authors, 30);
            assert_eq!(count, 700 * 30);
            assert!(loads > 500, "{loads}");
            let memory = service.memory();
            // The versions of 32 authors in each shard stay whatever happens.
            assert!(
                memory.stream_bytes <= budget.max(16 * 32 * 150),
                "{memory:?}"
            );
            assert!(memory.authors >= 16 * 20, "{memory:?}");
        }
    }
    // With enough of it everything is loaded once.
    let service = Service::new(2_000_000, 0);
    assert_eq!(read(&service, &authors, 30), (700, 700 * 30));
    assert_eq!(read(&service, &authors, 30), (0, 700 * 30));
    // A budget that shrinks holds at once, one that grows from now on.
    service.set_budgets(200_000, 0);
    assert!(service.memory().stream_bytes <= 200_000);
    assert!(read(&service, &authors, 30).0 > 0);
    service.set_budgets(2_000_000, 0);
    let _ = read(&service, &authors, 30);
    assert_eq!(read(&service, &authors, 30).0, 0);
}

/// A stream that was read of late outlives those that were not.
#[test]
fn what_was_used_longest_ago_goes_first() {
    let _alone = alone();
    let service = Service::new(1_000_000, 0);
    let authors: Vec<BareJid> = (0..2000).map(author).collect();
    let often = &authors[..50];
    let _ = read(&service, often, 30);
    for others in authors[50..].chunks(50) {
        assert!(read(&service, others, 30).0 > 0);
        assert_eq!(read(&service, often, 30).0, 0);
    }
    assert!(service.memory().stream_bytes <= 1_000_000);
}

#[test]
fn streams_take_what_they_say() {
    let _alone = alone();
    let region = Region::new(ALLOCATOR);
    let service = Service::new(usize::MAX, 0);
    for n in 0..300 {
        let name = author(n);
        let version = service.version(&name);
        let count = (n as u64 % 7) * 100;
        let _ = service.load(&name, version, posts(n, count), &Hold::default());
        for i in 0..n as u64 % 50 {
            let version = service.version(&name);
            let _ = service.put(&name, version, post(n, count + i), [].into());
        }
    }
    let memory = service.memory();
    within_a_tenth(memory.stream_bytes, used(&region));
    assert_eq!(memory.authors, 300);
    assert!(
        memory.stream_bytes < memory.posts * 40 + memory.authors * 250,
        "{memory:?}"
    );
    drop(service);
    assert!(used(&region) < 10_000, "{}", used(&region));
}

/// Streams that were heard take 4 bytes more for each post, and what their readers' rows take.
#[test]
fn heard_streams_take_what_they_say() {
    let _alone = alone();
    let region = Region::new(ALLOCATOR);
    let service = Service::new(usize::MAX, 0);
    for n in 0..100 {
        let name = author(n);
        let rows = |from: usize, to: usize| {
            let mut rows: BTreeMap<u8, Bucket> = BTreeMap::new();
            for reader in from..to {
                let reader = format!("reader{reader}@example.net");
                let bucket = rows.entry(bucket_of(&reader)).or_default();
                for seq in (0u32..).take(n % 4) {
                    bucket.admit(&reader, 1 + 2 * seq);
                }
            }
            rows
        };
        let count = (n as u64 % 7) * 100;
        let posts = posts(n, count).into_iter().zip(1u32..).collect();
        let version = service.version(&name);
        let offer = service.load_heard(&name, version, posts, rows(0, n), &Hold::default());
        assert_eq!(offer, Offer::Taken);
        for i in 0..n as u64 % 50 {
            let (post, version) = (post(n, count + i), service.version(&name));
            let changed = rows(n, n + usize::try_from(i).unwrap());
            let offer = service.put_heard(&name, version, (post, 9999), [].into(), changed);
            assert_eq!(offer, Offer::Taken);
        }
    }
    let memory = service.memory();
    within_a_tenth(memory.stream_bytes, used(&region));
    drop(service);
    assert!(used(&region) < 10_000, "{}", used(&region));

    // Without readers they take nearly the same as others.
    let bytes = |load: &dyn Fn(&Service, &BareJid, Vec<Place>) -> Offer| {
        let service = Service::new(usize::MAX, 0);
        assert_eq!(load(&service, &author(0), posts(0, 1000)), Offer::Taken);
        service.memory().stream_bytes
    };
    let hold = Hold::default();
    let local =
        bytes(&|service, name, posts| service.load(name, service.version(name), posts, &hold));
    let heard = bytes(&|service, name, posts| {
        let posts = posts.into_iter().zip(1..).collect();
        service.load_heard(name, service.version(name), posts, BTreeMap::new(), &hold)
    });
    assert!(heard - local <= 4 * 1000 + 100, "{heard} {local}");
}

/// Payloads of all sizes that posts have, more than fit, over and over.
#[test]
fn payloads_take_what_they_say() {
    let _alone = alone();
    for (budget, sizes) in [
        (1 << 20, 60..300),
        (1 << 20, 100..101),
        (4 << 20, 60..20_000),
        (8 << 20, 60..65_000),
        (64 << 20, 150..1000),
    ] {
        let region = Region::new(ALLOCATOR);
        let service = Service::new(usize::MAX, budget);
        let name = author(1);
        let version = service.version(&name);
        let rounds = (budget / sizes.start).min(200_000);
        for n in 0..rounds {
            let spread = sizes.end - sizes.start;
            let payload = vec![0; sizes.start + n * 7919 % spread];
            let id = post(1, (n % (rounds / 2)) as u64).id;
            let _ = service.keep_payload(&name, version, &id, payload.into());
            if n % 1000 == 999 {
                assert!(service.memory().payload_bytes <= budget);
            }
        }
        let memory = service.memory();
        let real = used(&region) - memory.stream_bytes;
        within_a_tenth(memory.payload_bytes, real);
        assert!(real <= budget + budget / 10);
        assert!(memory.payload_bytes > budget / 2, "{sizes:?} {memory:?}");
        // Nothing of it is found any more, and other payloads push it out.
        service.forget(&name);
        service.set_budgets(usize::MAX, 0);
        assert_eq!(service.memory().payload_bytes, 0);
        assert!(used(&region) < 10_000 + memory.stream_bytes);
    }
}

fn within_a_tenth(said: usize, real: usize) {
    assert!(said.abs_diff(real) <= real / 10, "said {said}, took {real}");
}

/// Payloads of a page end after so many bytes, those next to the anchor first.
#[test]
fn a_page_has_so_many_bytes() {
    let _alone = alone();
    let service = Service::new(1_000_000, 1_000_000);
    let names = [author(0)];
    let hold = Hold::default();
    let _ = service.load(&names[0], service.version(&names[0]), posts(0, 10), &hold);
    for n in 0..10 {
        let (version, payload) = (service.version(&names[0]), vec![0; 100].into());
        let _ = service.put(&names[0], version, post(0, n), payload);
    }
    let page = |anchor: Anchor, max_bytes: usize| -> Vec<bool> {
        let request = Request {
            order: Order::OldestFirst,
            anchor,
            limit: 6,
        };
        let (_, cached) = service
            .page(&names, None, &request, &hold, max_bytes)
            .unwrap();
        let is_payload = |cached: &Cached| matches!(cached, Cached::Payload(_));
        cached.iter().map(is_payload).collect()
    };
    assert_eq!(page(Anchor::Start, usize::MAX), [true; 6]);
    assert_eq!(page(Anchor::Start, 0), [false; 6]);
    let (first, last) = (
        [true, true, false, false, false, false],
        [false, false, false, false, true, true],
    );
    assert_eq!(page(Anchor::Start, 200), first);
    assert_eq!(page(Anchor::Index(2), 101), first);
    assert_eq!(page(Anchor::End, 200), last);
    assert_eq!(page(Anchor::End, 101), last);
    let ids: Vec<String> = (0..10).map(|n| post(0, n).id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (_, cached) = service.find(&names, None, &ids, &hold, 250).unwrap();
    assert_eq!(
        cached
            .iter()
            .filter(|c| matches!(c, Cached::Payload(_)))
            .count(),
        3
    );
    // What a hold alone has may have changed since: its payloads are read again.
    service.let_go(&names[0]);
    assert_eq!(page(Anchor::Start, usize::MAX), [false; 6]);
    hold.release();
    let request = Request {
        order: Order::OldestFirst,
        anchor: Anchor::Start,
        limit: 1,
    };
    let asked = service.page(&names, None, &request, &hold, 0);
    assert_eq!(asked.map(drop), Err(NotLoaded(names.to_vec())));
}
