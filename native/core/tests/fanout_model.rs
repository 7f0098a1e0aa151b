//! Rosters, friends and recipients against the obvious model: for each address there is, look
//! through all lines.
// A panic in a test is a failed test.
#![allow(clippy::panic, clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::FileFailurePersistence;
use twitter_core::fanout::{self, Here, Next, Recipients};
use twitter_core::friends::{Contact, Friend, Roster, Subscription};
use twitter_core::jid::BareJid;
use twitter_core::online::{Online, Session};
use twitter_core::rosters::Rosters;

/// Domains that end or begin like another, and a component that has no local part.
const JIDS: [&str; 9] = [
    "bo@a.org",
    "al@a.org",
    "al@b.org",
    "cy@b.org",
    "al@a.org.x",
    "al@x.a.org",
    "c.org",
    "eve@c.org",
    "é@c.org",
];
const DOMAINS: [&str; 5] = ["a.org", "b.org", "a.org.x", "x.a.org", "c.org"];
/// Equal ones, one that is somebody's address, and none.
const NAMES: [&str; 7] = ["", " ", "Bo", " Bo ", "al@b.org", "Élodie", "bo"];
const SUBSCRIPTIONS: [Subscription; 4] = [
    Subscription::None,
    Subscription::To,
    Subscription::From,
    Subscription::Both,
];

type Line = (&'static str, &'static str, Subscription);

fn jid(text: &str) -> BareJid {
    BareJid::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn roster(owner: &str, lines: &[Line]) -> Roster {
    let contacts = lines.iter().map(|(contact, name, subscription)| Contact {
        jid: jid(contact),
        name: (*name).to_owned(),
        subscription: *subscription,
    });
    Roster::new(&jid(owner), contacts)
}

/// Everybody but the owner for whom one of the lines gives one of `rights`, in order.
fn entitled(owner: &str, lines: &[Line], rights: [Subscription; 2]) -> Vec<&'static str> {
    let mut found: Vec<_> = JIDS
        .into_iter()
        .filter(|jid| *jid != owner)
        .filter(|jid| lines.iter().any(|(c, _, s)| c == jid && rights.contains(s)))
        .collect();
    found.sort_unstable();
    found
}

fn readers(owner: &str, lines: &[Line]) -> Vec<&'static str> {
    entitled(owner, lines, [Subscription::From, Subscription::Both])
}

fn friends(owner: &str, lines: &[Line]) -> Vec<(String, &'static str)> {
    let name = |jid: &str| {
        lines
            .iter()
            .filter(|(contact, ..)| *contact == jid)
            .map(|(_, name, _)| name.trim())
            .find(|name| !name.is_empty())
            .unwrap_or(jid)
            .to_owned()
    };
    let mut friends: Vec<_> = entitled(owner, lines, [Subscription::To, Subscription::Both])
        .into_iter()
        .map(|jid| (name(jid), jid))
        .collect();
    friends.sort();
    friends
}

/// Long enough that most addresses come several times.
fn lines() -> impl Strategy<Value = Vec<Line>> {
    let line = (
        select(&JIDS[..]),
        select(&NAMES[..]),
        select(&SUBSCRIPTIONS[..]),
    );
    prop::collection::vec(line, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1024,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn friends_are_those_the_owner_sees(owner in select(&JIDS[..]), lines in lines()) {
        let found: Vec<(String, String)> = roster(owner, &lines)
            .friends()
            .into_iter()
            .map(|Friend { name, jid }| (name, jid.to_string()))
            .collect();
        let expected: Vec<(String, String)> = friends(owner, &lines)
            .into_iter()
            .map(|(name, jid)| (name, jid.to_owned()))
            .collect();
        prop_assert_eq!(found, expected);
    }

    /// Rights are a matter of what the lines say, not of their order.
    #[test]
    fn the_order_of_the_lines_is_no_matter(
        owner in select(&JIDS[..]),
        (lines, shuffled) in lines().prop_flat_map(|l| (Just(l.clone()), Just(l).prop_shuffle())),
    ) {
        let (one, other) = (roster(owner, &lines), roster(owner, &shuffled));
        let jids = |roster: &Roster| -> BTreeSet<BareJid> {
            roster.friends().into_iter().map(|friend| friend.jid).collect()
        };
        prop_assert_eq!(jids(&one), jids(&other));
    }

    /// Whoever is entitled and lives on this server gets it once: on each of his sessions, if they are known
    /// here; known ones come first, each other domain in one piece. Of whoever lives elsewhere the domain is
    /// known. It is the same from a roster that is remembered.
    #[test]
    fn recipients_are_the_readers_who_can_be_reached(
        owner in select(&JIDS[..]),
        lines in lines(),
        hosted in subsequence(DOMAINS.to_vec(), 0..=DOMAINS.len()),
        hosts in subsequence(DOMAINS.to_vec(), 0..=DOMAINS.len()),
        reachable in subsequence(JIDS.to_vec(), 0..=JIDS.len()),
        is_remembered in any::<bool>(),
    ) {
        let tables: Vec<_> = hosted.iter().map(|domain| (*domain, online(domain, &reachable))).collect();
        let here: Vec<_> = tables.iter().map(|(domain, online)| (*domain, online)).collect();
        let mut to = if is_remembered {
            let (memory, author) = (Rosters::new(usize::MAX), jid(owner));
            memory.load(&author, memory.version(&author), readers(owner, &lines));
            memory.recipients(&author, &here, &hosts).unwrap_or_default()
        } else {
            Recipients::of(&jid(owner), fanout_lines(&lines), &here, &hosts)
        };
        let served = serve(&mut to, &here);
        let is_ours = |jid: &&str| [&hosts, &hosted].iter().any(|domains| domains.contains(&domain(jid)));
        let known = |jid: &&str| jid.contains('@') && hosted.contains(&domain(jid));

        let (mut expected, others): (Vec<_>, Vec<_>) = readers(owner, &lines).into_iter().partition(is_ours);
        let elsewhere: BTreeSet<&str> = others.into_iter().map(domain).collect();
        prop_assert!(to.domains().eq(elsewhere));
        expected.retain(|jid| !known(jid) || reachable.contains(jid));
        let mut found: Vec<&str> = served.iter().map(|(jid, _)| jid.as_str()).collect();
        prop_assert!(found.is_sorted_by_key(|jid| !known(jid)));
        let mut domains: Vec<&str> = found.iter().filter(|jid| !known(jid)).map(|jid| domain(jid)).collect();
        domains.dedup();
        let pieces = domains.len();
        domains.sort_unstable();
        domains.dedup();
        prop_assert_eq!(pieces, domains.len());
        found.sort_unstable();
        prop_assert_eq!(found, expected);
        for (jid, sessions) in &served {
            let expected = known(&jid.as_str()).then(|| vec![jid.len(), jid.len() | 0x100]);
            prop_assert_eq!(sessions, &expected);
        }
    }

    /// A long list: nobody who lost the right before a page gets it, everybody else once.
    #[test]
    fn who_lost_the_right_before_a_page_gets_nothing(
        followers in 0u32..2500,
        lost in prop::collection::vec(prop::collection::vec(0u32..2500, 0..40), 4),
    ) {
        let names: Vec<String> = (0..followers).map(|n| n.to_string()).collect();
        let roster = |lost: &BTreeSet<u32>| -> Vec<fanout::Line<'_>> {
            let subscription = |n| if lost.contains(&n) { Subscription::To } else { Subscription::Both };
            let line = |(n, local)| fanout::Line { local, domain: "a.org", subscription: subscription(n) };
            (0..).zip(names.iter().map(String::as_str)).map(line).collect()
        };
        let mut gone = BTreeSet::new();
        let mut to = Recipients::of::<usize>(&jid("al@a.org"), roster(&gone), &[], &["a.org"]);
        let mut got: BTreeSet<u32> = BTreeSet::new();
        let mut lost = lost.into_iter();
        loop {
            match to.next::<usize>(&[]) {
                Next::Portion(portion) => for recipient in portion {
                    let n: u32 = recipient.local.parse().unwrap_or_else(|e| panic!("{e}"));
                    prop_assert!(!gone.contains(&n), "{} has lost the right", n);
                    prop_assert!(got.insert(n), "{} gets it twice", n);
                },
                Next::Recheck => {
                    gone.extend(lost.next().into_iter().flatten().filter(|n| !got.contains(n)));
                    to.recheck(roster(&gone));
                }
                Next::Done => break,
            }
        }
        let expected: BTreeSet<u32> = (0..followers).filter(|n| !gone.contains(n)).collect();
        prop_assert_eq!(got, expected);
    }

    /// Whoever sends is stopped again and again, after any session, and somebody else goes on: each session
    /// of those who keep the right gets it once; those who lost it before a stop get nothing more.
    #[test]
    fn who_goes_on_serves_each_session_once(
        followers in 0u32..1500,
        stops in prop::collection::vec((0usize..600, prop::collection::vec(0u32..1500, 0..20)), 0..8),
        remembered in any::<bool>(),
    ) {
        const RESOURCES: [&str; 2] = ["desk", "phone"];
        let author = jid("al@a.org");
        let names: Vec<String> = (0..followers).map(|n| n.to_string()).collect();
        let online = Online::default();
        for (n, name) in (0u32..).zip(&names) {
            for resource in RESOURCES.iter().take(1 + usize::from(n.is_multiple_of(3))) {
                online.arrive(name, (n, *resource), resource);
            }
        }
        let here = [("a.org", &online)];
        let mut gone = BTreeSet::new();
        let memory = Rosters::new(usize::MAX);
        let roster = |gone: &BTreeSet<u32>| -> Vec<String> {
            let left = names.iter().filter(|name| !gone.contains(&name.parse().unwrap_or(0)));
            left.map(|name| format!("{name}@a.org")).collect()
        };
        let mut to = if remembered {
            memory.load(&author, memory.version(&author), roster(&gone).iter().map(String::as_str));
            memory.recipients(&author, &here, &[]).unwrap_or_default()
        } else {
            Recipients::of(&author, lines_of(&roster(&gone)), &here, &[])
        };
        let recheck = |to: &mut Recipients, gone: &BTreeSet<u32>| if remembered {
            assert!(memory.recheck(&author, to));
        } else {
            to.recheck(lines_of(&roster(gone)));
        };
        let mut got: Vec<(u32, &str)> = Vec::new();
        let mut stops = stops.into_iter();
        let mut stop = stops.next();
        let mut handed = 0;
        loop {
            match to.next(&here) {
                Next::Portion(portion) => {
                    let sessions: Vec<_> = portion.into_iter().flat_map(|recipient| {
                        let sessions = recipient.sessions.unwrap_or_default().into_iter();
                        sessions.map(move |session| (recipient.number, session.address))
                    }).collect();
                    for (number, (n, resource)) in sessions {
                        if stop.as_ref().is_some_and(|(after, _)| handed >= *after) {
                            gone.extend(stop.into_iter().flat_map(|(_, lost)| lost));
                            if remembered {
                                memory.begin_change(&author);
                                memory.end_change(&author);
                                let names = roster(&gone);
                                memory.load(&author, memory.version(&author), names.iter().map(String::as_str));
                            }
                            to.resume();
                            recheck(&mut to, &gone);
                            stop = stops.next();
                            handed = 0;
                            break;
                        }
                        if to.hand(number, resource) {
                            prop_assert!(!gone.contains(&n), "{} has lost the right", n);
                            got.push((n, resource));
                            handed += 1;
                        }
                    }
                }
                Next::Recheck => recheck(&mut to, &gone),
                Next::Done => break,
            }
        }
        let served = got.len();
        got.sort_unstable();
        got.dedup();
        prop_assert_eq!(got.len(), served, "somebody got it twice");
        let sessions = |n: u32| RESOURCES.into_iter().take(1 + usize::from(n.is_multiple_of(3))).map(move |r| (n, r));
        let missing = (0..followers).filter(|n| !gone.contains(n)).flat_map(sessions).find(|s| !got.contains(s));
        prop_assert_eq!(missing, None);
    }
}

/// The author's sessions come first, each once, and not once more after the first portion.
#[test]
fn the_author_is_served_before_all_others() {
    let mut to = Recipients::of::<u8>(&jid("al@a.org"), [], &[], &[]);
    assert!(to.hand_to_author("desk"));
    to.resume();
    assert!(!to.hand_to_author("desk"));
    assert!(to.hand_to_author("phone"));
    assert_eq!(to.next::<u8>(&[]), Next::Done);
    assert!(!to.hand_to_author("laptop"));
}

/// A portion is a bounded piece of work even if all who were noted have left since.
#[test]
fn who_left_is_passed_by_in_steps() {
    let names: Vec<String> = (0..900).map(|n| n.to_string()).collect();
    let online = Online::default();
    for (n, name) in names.iter().enumerate() {
        assert!(online.arrive(name, n, "phone"));
    }
    let here = [("a.org", &online)];
    let roster = names.iter().map(|local| fanout::Line {
        local,
        domain: "a.org",
        subscription: Subscription::Both,
    });
    let mut to = Recipients::of(&jid("al@a.org"), roster, &here, &[]);
    for (n, name) in names.iter().enumerate() {
        assert!(online.leave(name, n));
    }
    assert_eq!(to.next(&here), Next::Portion(vec![]));
    assert_eq!(to.left(), 900 - 2 * fanout::PORTION);
    assert_eq!(to.next(&here), Next::Portion(vec![]));
    assert_eq!(to.next(&here), Next::Done);
}

fn domain(jid: &str) -> &str {
    jid.split_once('@').map_or(jid, |(_, domain)| domain)
}

fn lines_of(jids: &[String]) -> Vec<fanout::Line<'_>> {
    let lines = jids.iter().filter_map(|jid| jid.split_once('@'));
    lines
        .map(|(local, domain)| fanout::Line {
            local,
            domain,
            subscription: Subscription::Both,
        })
        .collect()
}

fn fanout_lines(lines: &[Line]) -> Vec<fanout::Line<'static>> {
    let line = |&(jid, _, subscription): &Line| fanout::Line {
        local: jid.split_once('@').map_or("", |(local, _)| local),
        domain: domain(jid),
        subscription,
    };
    lines.iter().map(line).collect()
}

/// Two sessions for each of the `reachable` who live in the domain.
fn online(at: &str, reachable: &[&str]) -> Online<usize> {
    let online = Online::default();
    for jid in reachable.iter().filter(|jid| domain(jid) == at) {
        if let Some((local, _)) = jid.split_once('@') {
            online.arrive(local, jid.len(), "desk");
            online.arrive(local, jid.len() | 0x100, "phone");
        }
    }
    online
}

type Served = Vec<(String, Option<Vec<usize>>)>;

/// Serves all of a list that fits on one page.
fn serve(to: &mut Recipients, here: &Here<'_, usize>) -> Served {
    let mut served = Served::new();
    loop {
        match to.next(here) {
            Next::Portion(portion) => served.extend(portion.into_iter().map(|recipient| {
                let jid = match recipient.local {
                    "" => recipient.domain.to_owned(),
                    local => format!("{local}@{}", recipient.domain),
                };
                let addresses =
                    |sessions: Vec<Session<usize>>| sessions.iter().map(|s| s.address).collect();
                (jid, recipient.sessions.map(addresses))
            })),
            Next::Recheck => panic!("so few people are one page"),
            Next::Done => return served,
        }
    }
}
