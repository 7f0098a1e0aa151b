//! `Service` between threads: writers, loaders and readers at once, for real.
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

use twitter_core::service::{Offer, Service};
use twitter_core::timeline::PostRef;

use shelf::{ask, jid, listed, place, places, Change, Shelf, AUTHORS, IDS};

const LOADERS: usize = 3;

/// Two writers for each author, and loaders for all, in threads. When all have ended, the index has
/// what the storage has.
#[test]
fn threads() {
    const CHANGES: usize = 2000;
    let service = Service::default();
    let shelves: [Mutex<Shelf>; AUTHORS.len()] = Default::default();
    let written = AtomicBool::new(false);
    let load = |a: usize| loop {
        let version = service.version(&jid(a));
        let read = places(&shelves[a].lock().unwrap());
        thread::yield_now();
        if service.load(&jid(a), version, read) == Offer::Taken {
            return;
        }
    };
    let tell = |a: usize, id: &'static str| loop {
        let version = service.version(&jid(a));
        let read = shelves[a].lock().unwrap().get(id).copied();
        thread::yield_now();
        let offer = match read {
            Some(at) => service.put(&jid(a), version, place(id, at)),
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
            (0..AUTHORS.len()).for_each(load);
            if let Ok(posts) = ask(&service, &[0, 1, 2]) {
                let key = |p: &PostRef| (p.at, p.author.clone(), p.id.clone());
                assert!(posts.windows(2).all(|w| key(&w[0]) < key(&w[1])));
            }
        }
    };
    thread::scope(|threads| {
        (0..LOADERS).for_each(|_| drop(threads.spawn(read)));
        let writers = [0, 1, 2, 3, 4, 5].map(|w| threads.spawn(move || write(w)));
        let ends = writers.map(ScopedJoinHandle::join);
        // The readers end even if a writer failed.
        written.store(true, Ordering::SeqCst);
        assert!(ends.iter().all(Result::is_ok));
    });
    for (a, shelf) in shelves.iter().enumerate() {
        load(a);
        let stored = shelf.lock().unwrap();
        assert_eq!(ask(&service, &[a]), Ok(listed([(a, &*stored)])));
    }
}
