//! `Rosters` against the rosters it remembers: changes, and questions to the server that are answered
//! late, in any order. What is remembered is never anything but the truth.
// A panic in a test is a failed test.
#![allow(clippy::panic)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use twitter_core::fanout::{Next, Recipients};
use twitter_core::jid::BareJid;
use twitter_core::rosters::Rosters;
use twitter_core::service::{Offer, Version};

const PEOPLE: [&str; 8] = [
    "al@a.org",
    "bo@a.org",
    "cy@a.org",
    "di@a.org",
    "al@b.org",
    "bo@b.org",
    "b.org",
    "élo@a.org",
];

#[derive(Debug, Clone)]
enum Step {
    /// The author's roster is going to give the reader the right, or to take it; and one of those
    /// changes that are going on is done.
    Change(usize, usize),
    Changed(usize),
    /// Somebody asks the server for the author's roster, or about one reader.
    AskAll(usize),
    Ask(usize, usize),
    /// Of those who have asked, one offers what he was told.
    Offer(usize),
    Reset,
    Read(usize, usize),
    /// A fan-out begins, or goes on.
    Begin(usize),
    GoOn,
}

fn step() -> impl Strategy<Value = Step> {
    let (a, b) = (0..PEOPLE.len(), 0..PEOPLE.len());
    prop_oneof![
        3 => (a.clone(), b.clone()).prop_map(|(a, b)| Step::Change(a, b)),
        3 => (0..3usize).prop_map(Step::Changed),
        3 => a.clone().prop_map(Step::AskAll),
        3 => (a.clone(), b.clone()).prop_map(|(a, b)| Step::Ask(a, b)),
        6 => (0..4usize).prop_map(Step::Offer),
        1 => Just(Step::Reset),
        4 => (a.clone(), b).prop_map(|(a, b)| Step::Read(a, b)),
        2 => a.prop_map(Step::Begin),
        2 => Just(Step::GoOn),
    ]
}

enum Asked {
    All(usize, Version, BTreeSet<usize>),
    One(usize, Version, usize, bool),
}

fn jid(person: usize) -> BareJid {
    let text = PEOPLE.get(person).copied().unwrap_or_default();
    BareJid::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn names(recipients: &mut Recipients) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    while let Next::Portion(portion) = recipients.next::<u8>(&[]) {
        names.extend(portion.iter().map(|to| match to.local {
            "" => to.domain.to_owned(),
            local => format!("{local}@{}", to.domain),
        }));
    }
    names
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn what_is_remembered_is_true(
        steps in prop::collection::vec(step(), 0..120),
        budget in prop_oneof![Just(0usize), Just(500), Just(usize::MAX)],
    ) {
        let rosters = Rosters::new(budget);
        let mut truth = vec![BTreeSet::new(); PEOPLE.len()];
        let mut asked: Vec<Asked> = Vec::new();
        let mut changing: Vec<(usize, usize)> = Vec::new();
        let mut begun: Option<(usize, Recipients, BTreeSet<usize>)> = None;
        for step in steps {
            match step {
                Step::Change(author, reader) => {
                    rosters.begin_change(&jid(author));
                    changing.push((author, reader));
                }
                Step::Changed(which) if which < changing.len() => {
                    let (author, reader) = changing.remove(which);
                    if let Some(readers) = truth.get_mut(author) {
                        if !readers.remove(&reader) {
                            readers.insert(reader);
                        }
                    }
                    rosters.end_change(&jid(author));
                }
                Step::Changed(_) => {}
                Step::Reset => rosters.reset(),
                Step::AskAll(author) => {
                    let version = rosters.version(&jid(author));
                    let readers = truth.get(author).cloned().unwrap_or_default();
                    asked.push(Asked::All(author, version, readers));
                }
                Step::Ask(author, reader) => {
                    let version = rosters.version(&jid(author));
                    let sees = truth.get(author).is_some_and(|readers| readers.contains(&reader));
                    asked.push(Asked::One(author, version, reader, sees));
                }
                Step::Offer(who) if who < asked.len() => match asked.remove(who) {
                    Asked::All(author, version, readers) => {
                        let readers: Vec<BareJid> = readers.into_iter().map(jid).collect();
                        let offer = rosters.load(&jid(author), version, readers.iter().map(BareJid::as_str));
                        prop_assert!(offer == Offer::Stale || rosters.recipients::<u8>(&jid(author), &[], &["a.org", "b.org"]).is_some());
                    }
                    Asked::One(author, version, reader, sees) => {
                        let offer = rosters.answer(&jid(author), version, &jid(reader), sees);
                        prop_assert!(offer == Offer::Stale || rosters.sees(&jid(reader), &jid(author)) == Some(sees));
                    }
                },
                Step::Offer(_) => {}
                Step::Read(author, reader) => {
                    let sees = truth.get(author).is_some_and(|readers| readers.contains(&reader));
                    let known = rosters.sees(&jid(reader), &jid(author));
                    prop_assert!(known.is_none_or(|known| known == sees));
                    prop_assert_eq!(rosters.sees_all(&jid(reader), &[jid(author)]), vec![known]);
                }
                Step::Begin(author) => {
                    let readers = truth.get(author).cloned().unwrap_or_default();
                    begun = rosters.recipients::<u8>(&jid(author), &[], &["a.org", "b.org"]).map(|to| (author, to, readers));
                }
                Step::GoOn => if let Some((author, to, readers)) = &mut begun {
                    if rosters.recheck(&jid(*author), to) {
                        let now = truth.get(*author).cloned().unwrap_or_default();
                        let entitled = readers.intersection(&now).filter(|reader| *reader != author);
                        let expected: BTreeSet<String> = entitled.map(|p| jid(*p).to_string()).collect();
                        prop_assert_eq!(names(to), expected);
                        begun = None;
                    }
                },
            }
        }
    }
}
