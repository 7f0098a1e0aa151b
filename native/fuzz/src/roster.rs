//! Rosters of any bytes: whom they let see whom, as somebody finds who reads every line for everybody.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::Arbitrary;
use twitter_core::fanout::{Next, Recipients};
use twitter_core::friends::{Contact, Roster, Subscription};
use twitter_core::jid::BareJid;
use twitter_core::lines::RawLine;
use twitter_core::online::Online;
use twitter_core::rosters::Rosters;
use twitter_core::service::Offer;
use twitter_core::title::one_line;

use crate::is_jid;

/// Names and domains of which some begin or end like another.
const LOCALS: [&str; 5] = ["", "al", "bo", "é", "al@a.org"];
const DOMAINS: [&str; 5] = ["a.org", "b.org", "x.a.org", "a.org.x", "bo@a.org"];

/// A roster, as it was when a post went out and as it is later, who is online at `a.org`, and what other
/// domains are of this server.
#[derive(Debug, Arbitrary)]
pub struct Input<'a> {
    owner: (u8, u8),
    lines: Vec<Line<'a>>,
    later: Vec<Line<'a>>,
    online: Vec<u8>,
    hosts: Vec<u8>,
}

#[derive(Debug, Arbitrary)]
struct Line<'a> {
    local: Part<'a>,
    domain: Part<'a>,
    name: &'a [u8],
    subscription: u8,
}

#[derive(Debug, Arbitrary)]
enum Part<'a> {
    Known(u8),
    Any(&'a [u8]),
}

impl<'a> Part<'a> {
    fn bytes(&self, known: &[&'a str]) -> &'a [u8] {
        match self {
            Self::Known(which) => pick(known, *which).as_bytes(),
            Self::Any(bytes) => bytes,
        }
    }
}

impl Line<'_> {
    fn raw(&self) -> RawLine<'_> {
        let subscriptions = [
            Subscription::None,
            Subscription::To,
            Subscription::From,
            Subscription::Both,
        ];
        RawLine {
            local: self.local.bytes(&LOCALS),
            domain: self.domain.bytes(&DOMAINS),
            name: self.name,
            subscription: pick(&subscriptions, self.subscription),
        }
    }

    /// The address, if it is one.
    fn address(&self) -> Option<String> {
        let (local, domain) = (self.raw().local, self.raw().domain);
        let domain = String::from_utf8(domain.to_vec()).ok()?;
        let local = String::from_utf8(local.to_vec()).ok()?;
        let whole = match &*local {
            "" => domain.clone(),
            _ => format!("{local}@{domain}"),
        };
        (is_jid(&whole) && !domain.contains('@')).then_some(whole)
    }
}

fn pick<T: Copy>(from: &[T], which: u8) -> T {
    from[usize::from(which) % from.len()]
}

impl Input<'_> {
    /// Friends and recipients are those of the reference, and so is what is remembered of them.
    pub fn check(&self) {
        // The last one of each is not for an address.
        let (local, domain) = (
            pick(&LOCALS[1..4], self.owner.0),
            pick(&DOMAINS[..4], self.owner.1),
        );
        let owner = BareJid::parse(&format!("{local}@{domain}")).unwrap();
        let contacts: Vec<Contact> = self
            .lines
            .iter()
            .filter_map(|l| l.raw().contact())
            .collect();
        assert_eq!(
            contacts
                .iter()
                .map(|c| c.jid.to_string())
                .collect::<Vec<_>>(),
            self.lines
                .iter()
                .filter_map(Line::address)
                .collect::<Vec<_>>(),
        );
        let roster = Roster::new(&owner, contacts);
        let friends: Vec<_> = roster
            .friends()
            .into_iter()
            .map(|f| (f.name, f.jid.to_string()))
            .collect();
        assert_eq!(friends, reference_friends(&owner, &self.lines));
        self.check_recipients(&owner);
    }

    fn check_recipients(&self, owner: &BareJid) {
        let online = Online::default();
        let present: BTreeSet<&str> = self
            .online
            .iter()
            .map(|w| pick(&LOCALS[1..4], *w))
            .collect();
        for (address, name) in present.iter().enumerate() {
            online.arrive(name, address, "phone");
        }
        let here = [("a.org", &online)];
        let is_reachable = |address: &String| match address.split_once('@') {
            Some((local, "a.org")) => present.contains(local),
            _ => true,
        };
        let mut readers = readers(owner, &self.lines);
        let all = readers.clone();
        let hosts: Vec<&str> = self
            .hosts
            .iter()
            .map(|which| pick(&DOMAINS, *which))
            .collect();
        let is_ours = |address: &String| {
            let domain = domain(address);
            domain == "a.org" || hosts.contains(&domain)
        };
        let elsewhere: BTreeSet<String> = readers
            .iter()
            .filter(|address| !is_ours(address))
            .map(|address| domain(address).to_owned())
            .collect();
        readers.retain(|address| is_reachable(address) && is_ours(address));

        let lines = || self.lines.iter().filter_map(|l| l.raw().for_fanout());
        let noted = || Recipients::of(owner, lines(), &here, &hosts);
        assert!(noted().domains().eq(elsewhere.iter()));
        assert_eq!(served(&mut noted(), &here), readers);

        // Nobody who has lost the right meanwhile.
        let mut left = noted();
        left.recheck(self.later.iter().filter_map(|l| l.raw().for_fanout()));
        let still = crate::roster::readers(owner, &self.later);
        assert_eq!(
            served(&mut left, &here),
            readers.intersection(&still).cloned().collect()
        );

        let rosters = Rosters::new(usize::MAX);
        let version = rosters.version(owner);
        let offer = rosters.load(owner, version, all.iter().map(String::as_str));
        assert_eq!(offer, Offer::Taken);
        let mut remembered = rosters.recipients(owner, &here, &hosts).unwrap_or_default();
        assert!(remembered.domains().eq(elsewhere.iter()));
        assert_eq!(served(&mut remembered, &here), readers);
        for line in self
            .lines
            .iter()
            .chain(&self.later)
            .filter_map(Line::address)
        {
            let reader = BareJid::parse(&line).unwrap();
            assert_eq!(rosters.sees(&reader, owner), Some(all.contains(&line)));
        }
    }
}

fn domain(address: &str) -> &str {
    address
        .split_once('@')
        .map_or(address, |(_, domain)| domain)
}

/// Each contact but the owner, with the rights and the first name of all lines.
fn merged(owner: &BareJid, lines: &[Line<'_>]) -> BTreeMap<String, (bool, bool, String)> {
    let mut contacts: BTreeMap<String, (bool, bool, String)> = BTreeMap::new();
    for line in lines {
        let Some(address) = line.address().filter(|address| address != owner.as_str()) else {
            continue;
        };
        let name = one_line(&String::from_utf8_lossy(line.name));
        let (sees, is_seen, known) = contacts.entry(address).or_default();
        let right = line.raw().subscription;
        *sees |= matches!(right, Subscription::To | Subscription::Both);
        *is_seen |= matches!(right, Subscription::From | Subscription::Both);
        if known.is_empty() {
            *known = name;
        }
    }
    contacts
}

fn reference_friends(owner: &BareJid, lines: &[Line<'_>]) -> Vec<(String, String)> {
    let contacts = merged(owner, lines).into_iter();
    let mut friends: Vec<_> = contacts
        .filter(|(_, (sees, _, _))| *sees)
        .map(|(address, (_, _, name))| match name.is_empty() {
            true => (address.clone(), address),
            false => (name, address),
        })
        .collect();
    friends.sort();
    friends
}

fn readers(owner: &BareJid, lines: &[Line<'_>]) -> BTreeSet<String> {
    let contacts = merged(owner, lines).into_iter();
    contacts
        .filter(|(_, (_, is_seen, _))| *is_seen)
        .map(|(address, _)| address)
        .collect()
}

/// Serves all, each once.
fn served(to: &mut Recipients, here: &[(&str, &Online<usize>)]) -> BTreeSet<String> {
    let mut served = BTreeSet::new();
    loop {
        match to.next(here) {
            Next::Portion(portion) => {
                for recipient in portion {
                    let address = match recipient.local {
                        "" => recipient.domain.to_owned(),
                        local => format!("{local}@{}", recipient.domain),
                    };
                    assert!(served.insert(address), "twice");
                }
            }
            Next::Recheck => panic!("so few people are one page"),
            Next::Done => return served,
        }
    }
}
