//! `Service` between threads: writers, loaders and readers at once, for real, while slots and payloads
//! go.
// A panic in a test is a failed test, and nothing here comes near an overflow.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used
)]

mod shelf;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use twitter_core::service::{Cached, Hold, Offer, Service};
use twitter_core::timeline::PostRef;

use shelf::{ask, jid, listed, payload, place, places, Change, Shelf, AUTHORS, IDS};

const LOADERS: usize = 3;

/// Two writers for each author, and loaders for all, in threads. When all have ended, the index has
/// what the storage has.
#[test]
fn threads() {
    race(&Service::new(usize::MAX, usize::MAX), false);
}

/// The same with hardly any memory: no stream stays, few payloads do, and slots are let go all the time.
#[test]
fn threads_without_memory() {
    race(&Service::new(0, 16 * 400), true);
}

fn race(service: &Service, lets_go: bool) {
    const CHANGES: usize = 2000;
    let shelves: [Mutex<Shelf>; AUTHORS.len()] = Default::default();
    let written = AtomicBool::new(false);
    let load = |a: usize, hold: &Hold| loop {
        let version = service.version(&jid(a));
        let read = places(&shelves[a].lock().unwrap());
        thread::yield_now();
        if service.load(&jid(a), version, read, hold) == Offer::Taken {
            return;
        }
    };
    let tell = |a: usize, id: &'static str| loop {
        let version = service.version(&jid(a));
        let read = shelves[a].lock().unwrap().get(id).copied();
        thread::yield_now();
        let offer = match read {
            Some(at) => service.put(&jid(a), version, place(id, at), payload(id, at)),
            None => service.remove(&jid(a), version, id),
        };
        if offer == Offer::Taken {
            return;
        }
    };
    let write = |writer: usize| {
        let a = writer % AUTHORS.len();
        for i in 0..CHANGES {
            let id = IDS[i * 7 % IDS.len()];
            let change = match (i + writer) % 11 {
                3 | 5 | 8 => Change::Remove(id),
                6 => Change::Replace(Shelf::from([(id, 1)])),
                _ => Change::Put(id, (i % 4) as u64),
            };
            change.store(&mut shelves[a].lock().unwrap());
            match change {
                Change::Replace(_) => service.forget(&jid(a)),
                _ => tell(a, id),
            }
        }
    };
    let read = || {
        while !written.load(Ordering::SeqCst) {
            let hold = Hold::default();
            (0..AUTHORS.len()).for_each(|a| load(a, &hold));
            // Whatever went since: what was loaded is enough.
            let posts = ask(service, &[0, 1, 2], &hold).unwrap();
            let key = |(p, _): &(PostRef, Cached)| (p.at, p.author.clone(), p.id.clone());
            assert!(posts.windows(2).all(|w| key(&w[0]) < key(&w[1])));
            for (post, cached) in posts {
                let a = AUTHORS.iter().position(|a| *a == post.author).unwrap();
                if let Cached::Unread(version) = cached {
                    let stored = shelves[a].lock().unwrap().get(&*post.id).copied();
                    thread::yield_now();
                    if let Some(at) = stored {
                        let payload = payload(&post.id, at);
                        let _ = service.keep_payload(&jid(a), version, &post.id, payload);
                    }
                }
            }
        }
    };
    let let_go = || {
        while lets_go && !written.load(Ordering::SeqCst) {
            (0..AUTHORS.len()).for_each(|a| service.let_go(&jid(a)));
            thread::sleep(Duration::from_micros(100));
        }
    };
    thread::scope(|threads| {
        (0..LOADERS).for_each(|_| drop(threads.spawn(read)));
        threads.spawn(let_go);
        let writers = [0, 1, 2, 3, 4, 5].map(|w| threads.spawn(move || write(w)));
        let ends = writers.map(ScopedJoinHandle::join);
        // The readers end even if a writer failed.
        written.store(true, Ordering::SeqCst);
        assert!(ends.iter().all(Result::is_ok));
    });
    for (a, shelf) in shelves.iter().enumerate() {
        let hold = Hold::default();
        load(a, &hold);
        let stored = shelf.lock().unwrap();
        let found = ask(service, &[a], &hold).unwrap();
        for (post, cached) in &found {
            let current = payload(&post.id, post.at.0);
            assert!(matches!(cached, Cached::Unread(_)) || *cached == Cached::Payload(current));
        }
        let posts: Vec<_> = found.into_iter().map(|(post, _)| post).collect();
        assert_eq!(posts, listed([(a, &*stored)]));
    }
}
