//! Rosters, friends and recipients against the obvious model: for each address there is, look
//! through all lines.
// A panic in a test is a failed test.
#![allow(clippy::panic)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::FileFailurePersistence;
use twitter_core::fanout::Recipients;
use twitter_core::friends::{Contact, Friend, Roster, Subscription};
use twitter_core::jid::BareJid;

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

    #[test]
    fn readers_are_those_who_see_the_owner(owner in select(&JIDS[..]), lines in lines()) {
        let roster = roster(owner, &lines);
        let found: Vec<&str> = roster.readers().map(BareJid::as_str).collect();
        prop_assert_eq!(found, readers(owner, &lines));
    }

    /// Rights are a matter of what the lines say, not of their order.
    #[test]
    fn the_order_of_the_lines_is_no_matter(
        owner in select(&JIDS[..]),
        (lines, shuffled) in lines().prop_flat_map(|l| (Just(l.clone()), Just(l).prop_shuffle())),
    ) {
        let (one, other) = (roster(owner, &lines), roster(owner, &shuffled));
        prop_assert!(one.readers().eq(other.readers()));
        let jids = |roster: &Roster| -> BTreeSet<BareJid> {
            roster.friends().into_iter().map(|friend| friend.jid).collect()
        };
        prop_assert_eq!(jids(&one), jids(&other));
    }

    #[test]
    fn recipients_are_the_readers_by_domain(
        owner in select(&JIDS[..]),
        lines in lines(),
        hosted in subsequence(DOMAINS.to_vec(), 0..=DOMAINS.len()),
    ) {
        let to = Recipients::of(&roster(owner, &lines), |domain| hosted.contains(&domain));
        let readers = readers(owner, &lines);
        let at = |domain: &str| -> Vec<&str> {
            let suffix = format!("@{domain}");
            let lives_there = |jid: &&str| *jid == domain || jid.ends_with(&suffix);
            readers.iter().copied().filter(lives_there).collect()
        };

        let mut local: Vec<&str> = to.local.iter().map(BareJid::as_str).collect();
        local.sort_unstable();
        let mut expected: Vec<&str> = hosted.iter().flat_map(|domain| at(domain)).collect();
        expected.sort_unstable();
        prop_assert_eq!(local, expected);

        let mut remote: Vec<(&str, Vec<&str>)> = to
            .remote
            .iter()
            .map(|(domain, jids)| {
                let mut jids: Vec<&str> = jids.iter().map(BareJid::as_str).collect();
                jids.sort_unstable();
                (domain.as_str(), jids)
            })
            .collect();
        remote.sort();
        let mut expected: Vec<(&str, Vec<&str>)> = DOMAINS
            .into_iter()
            .filter(|domain| !hosted.contains(domain))
            .map(|domain| (domain, at(domain)))
            .filter(|(_, jids)| !jids.is_empty())
            .collect();
        expected.sort();
        prop_assert_eq!(remote, expected);
    }
}
