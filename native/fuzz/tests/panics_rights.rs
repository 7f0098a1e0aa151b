//! A panic at any point of a change of rights, sessions or recipients: nobody gets anything by it, and all
//! that follows is right.
// A panic in a test is a failed test, and nothing here comes near an overflow.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use twitter_core::failpoints::panics_at;
use twitter_core::fanout::{Line, Next, Recipients};
use twitter_core::friends::Subscription;
use twitter_core::jid::BareJid;
use twitter_core::online::Online;
use twitter_core::rosters::Rosters;
use twitter_core::service::Version;

const AUTHORS: [&str; 4] = ["al@h", "bo@h", "cy@h", "di@h"];
fn jid(author: usize) -> BareJid {
    BareJid::parse(AUTHORS[author]).unwrap()
}

/// Mostly there is a panic, and all points are met.
fn point() -> impl Strategy<Value = usize> {
    0usize..40
}

fn names(recipients: &mut Recipients) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    while let Next::Portion(portion) = recipients.next::<u8>(&[]) {
        names.extend(
            portion
                .iter()
                .map(|to| format!("{}@{}", to.local, to.domain)),
        );
    }
    names
}

#[derive(Debug, Clone, Copy)]
enum Roster {
    /// The author's roster is going to give the reader the right, or to take it; and one of those
    /// changes that are going on is done.
    Begin(usize),
    End,
    Load,
    Ask(usize),
    Late,
    Reset,
}

fn roster() -> impl Strategy<Value = Roster> {
    let reader = 0..AUTHORS.len();
    prop_oneof![
        3 => reader.clone().prop_map(Roster::Begin),
        3 => Just(Roster::End),
        4 => Just(Roster::Load),
        3 => reader.prop_map(Roster::Ask),
        2 => Just(Roster::Late),
        1 => Just(Roster::Reset),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Whoever cannot tell that a change begins gives up the memory (here: he does not make the change).
    #[test]
    fn of_the_rights(
        steps in prop::collection::vec((0..AUTHORS.len(), roster(), point()), 0..80),
        budget in prop_oneof![Just(300usize), Just(usize::MAX)],
    ) {
        let rosters = Rosters::new(budget);
        let mut truth: [BTreeSet<usize>; AUTHORS.len()] = Default::default();
        let mut changing = vec![];
        let mut late: [Option<(Version, BTreeSet<usize>)>; AUTHORS.len()] = Default::default();
        let load = |author: usize, version, readers: &BTreeSet<usize>| {
            rosters.load(&jid(author), version, readers.iter().map(|r| AUTHORS[*r]))
        };
        for (author, step, point) in steps {
            let name = jid(author);
            match step {
                Roster::Begin(reader) => {
                    if panics_at(point, || rosters.begin_change(&name)).is_some() {
                        changing.push((author, reader));
                    }
                }
                Roster::End => if let Some((author, reader)) = changing.pop() {
                    if !truth[author].remove(&reader) {
                        truth[author].insert(reader);
                    }
                    panics_at(point, || rosters.end_change(&jid(author)));
                },
                Roster::Load => {
                    if let Some(version) = panics_at(point, || rosters.version(&name)) {
                        late[author] = Some((version, truth[author].clone()));
                        panics_at(point, || load(author, version, &truth[author]));
                    }
                }
                Roster::Ask(reader) => {
                    let sees = truth[author].contains(&reader);
                    let ask = || rosters.answer(&name, rosters.version(&name), &jid(reader), sees);
                    panics_at(point, ask);
                }
                Roster::Late => if let Some((version, readers)) = &late[author] {
                    panics_at(point, || load(author, *version, readers));
                },
                Roster::Reset => drop(panics_at(point, || rosters.reset())),
            }
            for (author, readers) in truth.iter().enumerate() {
                let known = (0..AUTHORS.len()).map(|reader| rosters.sees(&jid(reader), &jid(author)));
                for (reader, sees) in known.enumerate() {
                    prop_assert!(sees.is_none_or(|sees| sees == readers.contains(&reader)));
                }
                if let Some(mut to) = rosters.recipients::<u8>(&jid(author), &[], &["h"]) {
                    let entitled = readers.iter().filter(|reader| **reader != author);
                    let entitled: BTreeSet<_> = entitled.map(|r| AUTHORS[*r].to_owned()).collect();
                    prop_assert_eq!(names(&mut to), entitled);
                }
            }
        }
        rosters.reset();
        prop_assert_eq!(rosters.bytes(), 0);
    }

    /// A session is there or not; all others stay.
    #[test]
    fn of_the_sessions(
        steps in prop::collection::vec((0u8..30, 0u8..3, any::<bool>(), 0usize..5), 0..200),
    ) {
        let online = Online::default();
        let mut model: BTreeSet<(String, u8)> = BTreeSet::new();
        for (user, address, arrives, point) in steps {
            let session = (user.to_string(), address);
            let known = model.contains(&session);
            let told = panics_at(point, || match arrives {
                true => online.arrive(&session.0, address, "phone"),
                false => online.leave(&session.0, address),
            });
            prop_assert!(told.is_none_or(|is_new| is_new == (known != arrives)));
            let all = online.all().into_iter();
            let all: BTreeSet<_> = all.map(|(user, s)| (user.to_string(), s.address)).collect();
            let mut before = model.clone();
            if arrives {
                model.insert(session.clone());
            } else {
                model.remove(&session);
            }
            prop_assert!(all == model || told.is_none() && all == before);
            model.clone_from(&all);
            before.extend(all);
            for (user, _) in before {
                let is_there = model.iter().any(|(name, _)| *name == user);
                prop_assert_eq!(online.has(&user), is_there);
                prop_assert_eq!(online.sessions(&user).is_empty(), !is_there);
            }
            prop_assert_eq!(online.users(), model.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len());
        }
    }

    /// Nobody who lost the right gets a post.
    #[test]
    fn of_a_fan_out(followers in 1001u32..2500, lost in prop::collection::btree_set(0u32..2500, 0..40), point in 0usize..3) {
        let names: Vec<String> = (0..followers).map(|n| n.to_string()).collect();
        let roster = |lost: &BTreeSet<u32>| -> Vec<Line<'_>> {
            let subscription = |n| if lost.contains(&n) { Subscription::To } else { Subscription::Both };
            let line = |(n, local)| Line { local, domain: "h", subscription: subscription(n) };
            (0..).zip(names.iter().map(String::as_str)).map(line).collect()
        };
        let mut to = Recipients::of::<u8>(&jid(0), roster(&BTreeSet::new()), &[], &["h"]);
        while let Next::Portion(_) = to.next::<u8>(&[]) {}
        panics_at(point, || to.recheck(roster(&lost)));
        while let Next::Portion(portion) = to.next::<u8>(&[]) {
            for recipient in portion {
                prop_assert!(!lost.contains(&recipient.local.parse().unwrap()));
            }
        }
    }
}
