//! Offers to `Service`, one after the other: which are taken, and what is read then.
// A panic in a test is a failed test.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

// Here are no authors with whole shelves.
#[allow(dead_code)]
mod shelf;

use twitter_core::service::{Cached, Hold, NotLoaded, Offer, Service};

use shelf::{ask, jid, payload, place};

/// Ids and payloads of the whole stream, oldest first.
fn read(service: &Service, author: usize) -> Result<Vec<(String, Option<String>)>, NotLoaded> {
    let posts = ask(service, &[author], &Hold::default())?;
    let text = |cached| match cached {
        Cached::Payload(payload) => Some(String::from_utf8_lossy(&payload).into_owned()),
        Cached::Unread(_) => None,
    };
    let posts = posts.into_iter();
    Ok(posts.map(|(p, c)| (p.id.to_string(), text(c))).collect())
}

fn unread(id: &str) -> (String, Option<String>) {
    (id.into(), None)
}

fn cached(id: &str, at: u64) -> (String, Option<String>) {
    (id.into(), Some(format!("{id} of {at}")))
}

#[test]
fn what_was_overtaken_is_stale() {
    let (service, hold) = (Service::new(usize::MAX, usize::MAX), Hold::default());
    let alice = jid(0);
    let put = |version, id, at| service.put(&alice, version, place(id, at), payload(id, at));
    let load = |version, posts| service.load(&alice, version, posts, &hold);
    assert_eq!(read(&service, 0), Err(NotLoaded(vec![alice.clone()])));
    let begun = service.version(&alice);
    assert_eq!(put(begun, "a", 1), Offer::Taken);
    assert_eq!(load(begun, vec![]), Offer::Stale);
    assert_eq!(put(begun, "a", 1), Offer::Stale);
    assert_eq!(service.remove(&alice, begun, "a"), Offer::Stale);
    let begun = service.version(&alice);
    service.forget(&alice);
    assert_eq!(load(begun, vec![]), Offer::Stale);

    let begun = service.version(&alice);
    assert_eq!(load(begun, vec![place("b", 2)]), Offer::Taken);
    // A second loader that read the same version, and one that was overtaken.
    assert_eq!(load(begun, vec![]), Offer::Taken);
    assert_eq!(put(begun, "a", 1), Offer::Taken);
    assert_eq!(load(begun, vec![]), Offer::Stale);
    assert_eq!(read(&service, 0), Ok(vec![cached("a", 1), unread("b")]));
    let removed = service.remove(&alice, service.version(&alice), "b");
    assert_eq!(removed, Offer::Taken);
    assert_eq!(read(&service, 0), Ok(vec![cached("a", 1)]));
    service.forget(&alice);
    assert_eq!(read(&service, 0), Err(NotLoaded(vec![alice.clone()])));
}

#[test]
fn a_version_does_not_come_again() {
    let (service, hold) = (Service::new(usize::MAX, usize::MAX), Hold::default());
    let alice = jid(0);
    let begun = service.version(&alice);
    assert_eq!(service.version(&alice), begun);
    service.let_go(&alice);
    // Nothing is there, so nothing can be compared with what was read before.
    let put = |version| service.put(&alice, version, place("a", 1), payload("a", 1));
    assert_eq!(put(begun), Offer::Stale);
    assert_eq!(service.load(&alice, begun, vec![], &hold), Offer::Stale);
    // Asked, gone, written, gone, asked: the load that began first must not be taken.
    assert_eq!(put(service.version(&alice)), Offer::Taken);
    service.let_go(&alice);
    let again = service.version(&alice);
    assert_ne!(again, begun);
    assert_eq!(service.load(&alice, begun, vec![], &hold), Offer::Stale);
    assert_eq!(
        service.load(&alice, again, vec![place("a", 1)], &hold),
        Offer::Taken
    );
    assert_eq!(read(&service, 0), Ok(vec![unread("a")]));
}

#[test]
fn payloads_go_with_the_slot_and_with_the_post() {
    let (service, hold) = (Service::new(usize::MAX, 1_000_000), Hold::default());
    let alice = jid(0);
    let keep =
        |version, id: &str, at| service.keep_payload(&alice, version, &id.into(), payload(id, at));
    let load = || {
        let posts = vec![place("a", 1), place("b", 2)];
        let taken = service.load(&alice, service.version(&alice), posts, &hold);
        assert_eq!(taken, Offer::Taken);
    };
    load();
    let begun = service.version(&alice);
    assert_eq!(keep(begun, "a", 1), Offer::Taken);
    assert_eq!(read(&service, 0), Ok(vec![cached("a", 1), unread("b")]));
    // An edit keeps the place, and replaces the payload; what was read before it comes too late.
    let edit = service.put(&alice, begun, place("a", 1), payload("a", 7));
    assert_eq!(edit, Offer::Taken);
    assert_eq!(keep(begun, "a", 1), Offer::Stale);
    assert_eq!(keep(begun, "b", 2), Offer::Stale);
    assert_eq!(read(&service, 0), Ok(vec![cached("a", 7), unread("b")]));
    // An edit that is too large to be kept takes the one before it along.
    let large = vec![0; 100_000].into();
    let edit = service.put(&alice, service.version(&alice), place("a", 1), large);
    assert_eq!(edit, Offer::Taken);
    assert_eq!(read(&service, 0), Ok(vec![unread("a"), unread("b")]));

    for lose in [Service::forget, Service::let_go] {
        let version = service.version(&alice);
        assert_eq!(keep(version, "a", 1), Offer::Taken);
        lose(&service, &alice);
        assert_eq!(keep(version, "b", 2), Offer::Stale);
        load();
        assert_eq!(read(&service, 0), Ok(vec![unread("a"), unread("b")]));
    }
    let version = service.version(&alice);
    assert_eq!(keep(version, "a", 1), Offer::Taken);
    assert_eq!(service.remove(&alice, version, "a"), Offer::Taken);
    let version = service.version(&alice);
    let put = service.put(&alice, version, place("c", 3), payload("c", 3));
    assert_eq!(put, Offer::Taken);
    assert_eq!(read(&service, 0), Ok(vec![unread("b"), cached("c", 3)]));
    assert_eq!(service.memory().payloads, 3);
}
