//! Whom a post goes to, beside the obvious way: a map from addresses to lists of addresses, a set of
//! addresses that are online, and a list of those who are in both.
//!
//! Names: `recipients/FOLLOWERS/ONLINE/HOW`; ONLINE is how many of a hundred are. HOW is `remembered`
//! (from the roster that is kept), `asked` (from the lines that the server gave) or `map_of_strings`.
//! All are walked to the end, portion by portion. `roster_replace/1000/HOW` is what a change of a roster
//! of so many lines costs. Memory is told before: bytes for each follower.
//!
//! Run: `cargo bench -p twitter_core --bench fanout`
// A panic before the timing starts is a wrong result; sizes are constants.
#![allow(clippy::arithmetic_side_effects, clippy::panic)]

use std::collections::{HashMap, HashSet};
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, SamplingMode};
use twitter_core::fanout::{Here, Line, Next, Recipients};
use twitter_core::friends::Subscription;
use twitter_core::jid::BareJid;
use twitter_core::online::Online;
use twitter_core::rosters::Rosters;
use twitter_core::service::Offer;

const DOMAIN: &str = "example.org";

fn jid(text: &str) -> BareJid {
    BareJid::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// Walks all portions; tells how many there were to send to.
fn walk(
    mut to: Recipients,
    here: &Here<'_, u64>,
    mut recheck: impl FnMut(&mut Recipients),
) -> usize {
    let mut sent = 0;
    loop {
        match to.next(here) {
            Next::Portion(portion) => sent += portion.len(),
            Next::Recheck => recheck(&mut to),
            Next::Done => return sent,
        }
    }
}

fn loaded(author: &BareJid, readers: &[String]) -> Rosters {
    let rosters = Rosters::new(usize::MAX);
    replace(&rosters, author, readers);
    rosters
}

fn replace(rosters: &Rosters, author: &BareJid, readers: &[String]) {
    rosters.begin_change(author);
    rosters.end_change(author);
    let version = rosters.version(author);
    let offer = rosters.load(author, version, readers.iter().map(String::as_str));
    assert_eq!(offer, Offer::Taken);
}

fn recipients(criterion: &mut Criterion, followers: usize, online_percent: usize) {
    let author = jid("author@example.org");
    let locals: Vec<String> = (0..followers).map(|n| format!("follower{n}")).collect();
    let readers: Vec<String> = locals
        .iter()
        .map(|local| format!("{local}@{DOMAIN}"))
        .collect();
    let online = Online::default();
    let mut set = HashSet::new();
    for (n, (local, reader)) in (0u64..).zip(locals.iter().zip(&readers)) {
        if n % 100 < online_percent as u64 {
            online.arrive(local, n, "phone");
            set.insert(reader.clone());
        }
    }
    let here = [(DOMAIN, &online)];
    let rosters = loaded(&author, &readers);
    let map = HashMap::from([(author.to_string(), readers.clone())]);
    let lines = || {
        locals.iter().map(|local| Line {
            local,
            domain: DOMAIN,
            subscription: Subscription::From,
        })
    };

    let remembered = || {
        let to = rosters
            .recipients(&author, &here, &[DOMAIN])
            .unwrap_or_else(|| panic!("it is loaded"));
        walk(to, &here, |to| assert!(rosters.recheck(&author, to)))
    };
    let asked = || {
        walk(
            Recipients::of(&author, lines(), &here, &[DOMAIN]),
            &here,
            |to| to.recheck(lines()),
        )
    };
    let map_of_strings = || {
        let mut to: Vec<String> = map
            .get(author.as_str())
            .into_iter()
            .flatten()
            .filter(|reader| set.contains(*reader))
            .cloned()
            .collect();
        to.sort_unstable();
        to.len()
    };
    assert_eq!(remembered(), set.len());
    assert_eq!(asked(), set.len());
    assert_eq!(map_of_strings(), set.len());

    let mut group = criterion.benchmark_group(format!("recipients/{followers}/{online_percent}"));
    group
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.bench_function("remembered", |b| b.iter(|| black_box(remembered())));
    group.bench_function("asked", |b| b.iter(|| black_box(asked())));
    group.bench_function("map_of_strings", |b| b.iter(|| black_box(map_of_strings())));
    group.finish();
}

fn roster_replace(criterion: &mut Criterion) {
    let author = jid("author@example.org");
    let readers: Vec<String> = (0..1000).map(|n| format!("follower{n}@{DOMAIN}")).collect();
    let rosters = loaded(&author, &readers);
    let mut group = criterion.benchmark_group("roster_replace/1000");
    group.bench_function("remembered", |b| {
        b.iter(|| replace(&rosters, &author, &readers))
    });
    let mut map = HashMap::new();
    group.bench_function("map_of_strings", |b| {
        b.iter(|| {
            map.insert(
                author.to_string(),
                readers.iter().cloned().collect::<HashSet<_>>(),
            )
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for followers in [10, 1000, 100_000, 1_000_000] {
        for online_percent in [5, 100] {
            recipients(&mut criterion, followers, online_percent);
        }
    }
    roster_replace(&mut criterion);
    criterion.final_summary();
}
