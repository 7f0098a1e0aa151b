//! Whom a post is sent to, and in what portions.
//!
//! The roster is asked when a post goes out, and everybody who is entitled by then and can be reached
//! is noted: the rest of a fan-out walks along that note. It does so in *portions*, between which other
//! authors have their turn, and after some portions the roster has to be asked again, so that whoever
//! lost the right meanwhile gets nothing.
//!
//! Of contacts on other servers only the domains are noted: to those a post goes in other ways.

use std::collections::BTreeSet;

use ahash::{AHashMap, RandomState};
use hashbrown::HashTable;

use crate::failpoints::point;
use crate::friends::Subscription;
use crate::jid::BareJid;
use crate::online::{Online, Session};
use crate::progress::Progress;
use crate::service::Version;

/// At most so many sessions make up a portion.
pub const PORTION: usize = 250;
/// and at most so many recipients are looked at for it: all may have left since they were noted.
const MAX_LOOKS: usize = 2 * PORTION;
/// If the server has to be asked for the roster, it is asked again after so many recipients at the
/// earliest,
const MIN_PAGE: usize = 1000;
/// and for one post at most so often: asking costs something for each contact, also for those who are
/// offline.
const MAX_PAGES: usize = 4;

/// So many lines are looked at before others may arrive or leave.
const STEP: usize = 4096;

/// A line of the author's roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The part of the contact's address before the `@`; empty if there is none.
    pub local: &'a str,
    /// The part after it.
    pub domain: &'a str,
    /// Who sees whom.
    pub subscription: Subscription,
}

/// The domains whose sessions are known here, with who is online there.
pub type Here<'a, A> = [(&'a str, &'a Online<A>)];

/// A recipient as a portion names him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient<'a, A> {
    /// Which one he is: see [`Recipients::hand`].
    pub number: usize,
    /// The part of his address before the `@`; empty if there is none.
    pub local: &'a str,
    /// The part after it.
    pub domain: &'a str,
    /// His sessions, or `None` if others know them.
    pub sessions: Option<Vec<Session<A>>>,
}

/// What a fan-out does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next<'a, A> {
    /// Send to these.
    Portion(Vec<Recipient<'a, A>>),
    /// Ask the roster again: see [`Recipients::recheck`].
    Recheck,
    /// Nobody is left.
    Done,
}

/// The recipients of one post on this server who are still to be served: users whose sessions are known here
/// first, then the others, grouped by domain. Memory: 12 bytes for each, and his name.
#[derive(Debug, Default)]
pub struct Recipients {
    locals: String,
    /// Their domains.
    hosts: Vec<Box<str>>,
    /// Those of contacts on other servers, and what these names take.
    domains: BTreeSet<Box<str>>,
    domain_bytes: usize,
    entries: Vec<Entry>,
    progress: Progress,
    page: usize,
    page_ends: usize,
    /// Of the roster, if that is remembered.
    version: Option<Version>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u32,
    length: u16,
    known_here: bool,
    host: u32,
}

impl Recipients {
    /// Everybody on this server, whose domains are `hosts` and those in `here`, whom `roster` lets see the
    /// author, but for users of the domains in `here` who are offline; of everybody else the
    /// [domain](Recipients::domains). Nobody appears twice, nor the author. Cost: O(lines), one look-up for
    /// each, and of each domain one in `hosts`.
    ///
    /// ```
    /// use twitter_core::{fanout::{Line, Next, Recipients}, jid::BareJid, online::Online};
    /// use twitter_core::friends::Subscription::{Both, From, To};
    /// let line = |local, domain, subscription| Line { local, domain, subscription };
    /// let online = Online::default();
    /// online.arrive("bob", 7, "phone");
    /// let here = [("a.org", &online)];
    /// let roster = [line("bob", "a.org", Both), line("carol", "c.org", From), line("dave", "a.org", To),
    ///               line("erin", "a.org", Both), line("frank", "f.org", Both)];
    /// let alice = BareJid::parse("alice@a.org")?;
    /// let mut to = Recipients::of(&alice, roster, &here, &["a.org", "c.org"]);
    /// assert!(to.domains().eq(["f.org"]));
    /// let Next::Portion(portion) = to.next(&here) else { unreachable!() };
    /// let names: Vec<_> = portion.iter().map(|r| (r.local, r.sessions.is_some())).collect();
    /// assert_eq!(names, [("bob", true), ("carol", false)]);
    /// assert_eq!(to.next(&here), Next::Done);
    /// # Ok::<(), twitter_core::jid::InvalidJid>(())
    /// ```
    #[must_use]
    pub fn of<'l, A: Clone + PartialEq>(
        author: &BareJid,
        roster: impl IntoIterator<Item = Line<'l>>,
        here: &Here<'_, A>,
        hosts: &[&str],
    ) -> Self {
        let mut recipients = Self::default();
        recipients.add(author, roster, here, hosts);
        recipients.dedup();
        recipients.page = recipients.entries.len().div_ceil(MAX_PAGES).max(MIN_PAGE);
        recipients.complete();
        recipients
    }

    /// Nobody yet, from what is remembered of a roster under a version: there it costs nothing to look
    /// for changes after each portion.
    pub(crate) fn remembered(version: Version) -> Self {
        Self {
            version: Some(version),
            page: PORTION,
            ..Self::default()
        }
    }

    /// Adds those of some lines who can be reached.
    pub(crate) fn add<'l, A: Clone + PartialEq>(
        &mut self,
        author: &BareJid,
        roster: impl IntoIterator<Item = Line<'l>>,
        here: &Here<'_, A>,
        hosts: &[&str],
    ) {
        let mut roster = roster.into_iter().peekable();
        while roster.peek().is_some() {
            self.add_some(author, roster.by_ref().take(STEP), here, hosts);
        }
    }

    fn add_some<'l, A: Clone + PartialEq>(
        &mut self,
        author: &BareJid,
        roster: impl IntoIterator<Item = Line<'l>>,
        here: &Here<'_, A>,
        hosts: &[&str],
    ) {
        let view = |domain: &str| {
            let known = here.iter().find(|(name, _)| *name == domain);
            known.map(|(_, online)| online.view())
        };
        let mut views: Vec<_> = self.hosts.iter().map(|host| view(host)).collect();
        // Domains of other servers have none.
        let mut numbers: AHashMap<&'l str, Option<usize>> = AHashMap::new();
        // Mostly it is the same as in the line before.
        let mut last: (&str, Option<usize>) = ("", None);
        for line in roster {
            let Line { local, domain, .. } = line;
            if !line.subscription.is_seen() || is(author, local, domain) {
                continue;
            }
            if domain != last.0 {
                let number = *numbers.entry(domain).or_insert_with(|| {
                    let known = self.hosts.iter().position(|known| **known == *domain);
                    if known.is_some() {
                        return known;
                    }
                    let view = view(domain);
                    if view.is_none() && !hosts.contains(&domain) {
                        self.note_domain(domain);
                        return None;
                    }
                    self.hosts.push(domain.into());
                    views.push(view);
                    self.hosts.len().checked_sub(1)
                });
                last = (domain, number);
            }
            let Some(number) = last.1 else {
                continue;
            };
            let view = views.get(number).and_then(Option::as_ref);
            let view = view.filter(|_| !local.is_empty());
            if view.is_some_and(|view| !view.has(local)) {
                continue;
            }
            if let Some(entry) = self.entry(local, number, view.is_some()) {
                self.locals.push_str(local);
                self.entries.push(entry);
            }
        }
    }

    fn note_domain(&mut self, domain: &str) {
        if self.domains.insert(domain.into()) {
            let bytes = size_of::<Box<str>>().saturating_add(domain.len());
            self.domain_bytes = self.domain_bytes.saturating_add(bytes);
        }
    }

    /// The domains of other servers where somebody lives who may see the author, in order, as the roster had it
    /// when the recipients were noted.
    pub fn domains(&self) -> impl Iterator<Item = &str> {
        self.domains.iter().map(|domain| &**domain)
    }

    /// Leaves out who stands in several lines.
    fn dedup(&mut self) {
        let hasher = RandomState::new();
        let hash = |entry: &Entry| hasher.hash_one((self.local(*entry), entry.host));
        let mut known: HashTable<Entry> = HashTable::with_capacity(self.entries.len());
        let mut unique = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let same = |other: &Entry| {
                other.host == entry.host && self.local(*other) == self.local(*entry)
            };
            if known.find(hash(entry), same).is_none() {
                known.insert_unique(hash(entry), *entry, hash);
                unique.push(*entry);
            }
        }
        self.entries = unique;
    }

    /// All have been added.
    pub(crate) fn complete(&mut self) {
        self.entries
            .sort_by_key(|entry| (!entry.known_here, entry.host));
        self.page_ends = self.page;
    }

    /// Whether the roster is remembered as it was when these were noted or last looked at.
    pub(crate) fn is_of(&self, version: Version) -> bool {
        self.version == Some(version)
    }

    /// They were looked at under this version.
    pub(crate) fn remember(&mut self, version: Version) {
        self.version = Some(version);
    }

    /// Begins the next page.
    pub(crate) fn go_on(&mut self) {
        self.page_ends = self.progress.given().saturating_add(self.page);
    }

    /// `None` when the names take more than 4 GiB, or one more than 64 KiB: no server lets that in.
    fn entry(&self, local: &str, host: usize, known_here: bool) -> Option<Entry> {
        let end = self.locals.len().checked_add(local.len())?;
        u32::try_from(end).ok()?;
        Some(Entry {
            start: u32::try_from(self.locals.len()).ok()?,
            length: u16::try_from(local.len()).ok()?,
            known_here,
            host: u32::try_from(host).ok()?,
        })
    }

    fn local(&self, entry: Entry) -> &str {
        let start = entry.start as usize;
        self.locals
            .get(start..start.saturating_add(usize::from(entry.length)))
            .unwrap_or_default()
    }

    fn domain(&self, entry: Entry) -> &str {
        self.hosts.get(entry.host as usize).map_or("", |host| host)
    }

    /// How many are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.entries.len().saturating_sub(self.progress.given())
    }

    /// What they take, in bytes, about. Cost: O(1).
    #[must_use]
    pub fn bytes(&self) -> usize {
        let entries = self.entries.capacity().saturating_mul(size_of::<Entry>());
        let hosts = self.hosts.len().saturating_mul(size_of::<Box<str>>());
        let texts = self.locals.capacity().saturating_add(self.domain_bytes);
        entries.saturating_add(hosts).saturating_add(texts)
    }

    /// The next portion, with the sessions as they are now; it is empty if many have left. All who
    /// were given out before count as served. Cost: O([`PORTION`]), and a look into `here` for each
    /// domain.
    pub fn next<A: Clone + PartialEq>(&mut self, here: &Here<'_, A>) -> Next<'_, A> {
        let first = self.progress.next();
        let mut position = first;
        let end = self.page_ends.min(first.saturating_add(MAX_LOOKS));
        let mut sessions: usize = 0;
        let mut portion = Vec::new();
        // They are grouped by domain, so mostly it is the same as before.
        let mut last = None;
        while position < end && sessions < PORTION {
            let Some(entry) = self.entries.get(position).copied() else {
                break;
            };
            let number = position;
            position = position.saturating_add(1);
            let local = self.local(entry);
            let online = match last {
                Some((host, online)) if host == entry.host => online,
                _ => {
                    let found = here.iter().find(|(name, _)| *name == self.domain(entry));
                    found.map(|(_, online)| *online)
                }
            };
            last = Some((entry.host, online));
            let known = online.filter(|_| entry.known_here);
            let known = known.map(|online| online.sessions(local));
            // Who left meanwhile has nothing to get.
            let count = known.as_ref().map_or(1, Vec::len);
            if count > 0 {
                sessions = sessions.saturating_add(count);
                portion.push((number, entry, known));
            }
        }
        self.progress.give(position);
        if position > first {
            let recipient = |(number, entry, sessions)| Recipient {
                number,
                local: self.local(entry),
                domain: self.domain(entry),
                sessions,
            };
            Next::Portion(portion.into_iter().map(recipient).collect())
        } else if self.left() > 0 {
            Next::Recheck
        } else {
            Next::Done
        }
    }

    /// Whether a session of a recipient of this portion, by his number, has got nothing so far: from now on
    /// it counts as served. Recipients are to be served in their order. Cost: O(resources).
    ///
    /// ```
    /// # use twitter_core::{fanout::{Line, Next, Recipients}, jid::BareJid, online::Online};
    /// # let online = Online::default();
    /// # online.arrive("bob", 7, "phone");
    /// # let here = [("a.org", &online)];
    /// # let subscription = twitter_core::friends::Subscription::Both;
    /// # let roster = [Line { local: "bob", domain: "a.org", subscription }];
    /// # let mut to = Recipients::of(&BareJid::parse("alice@a.org")?, roster, &here, &[]);
    /// let Next::Portion(portion) = to.next(&here) else { unreachable!() };
    /// let number = portion[0].number;
    /// assert!(to.hand(number, "phone"));
    /// // Somebody else goes on, who cannot know how far it came.
    /// to.resume();
    /// to.recheck(roster);
    /// let Next::Portion(portion) = to.next(&here) else { unreachable!() };
    /// let number = portion[0].number;
    /// assert!(!to.hand(number, "phone"));
    /// assert!(to.hand(number, "laptop"));
    /// # Ok::<(), twitter_core::jid::InvalidJid>(())
    /// ```
    pub fn hand(&mut self, number: usize, resource: &str) -> bool {
        self.progress.hand(number, resource)
    }

    /// The same for a session of the author, who is served before the first portion.
    pub fn hand_to_author(&mut self, resource: &str) -> bool {
        self.progress.hand_to_author(resource)
    }

    /// Somebody else goes on: who was not served so far is given out again. To be followed by
    /// [`Recipients::recheck`], for that may be much later.
    pub fn resume(&mut self) {
        self.progress.resume();
    }

    /// Of those who are left, keeps the ones whom the roster still lets see the author; now the next
    /// page of them can be served. Cost: O(lines + recipients).
    pub fn recheck<'l>(&mut self, roster: impl IntoIterator<Item = Line<'l>>) {
        let hasher = RandomState::new();
        let entries = self
            .entries
            .get(self.progress.given()..)
            .unwrap_or_default();
        let mut left: HashTable<u32> = HashTable::with_capacity(entries.len());
        for (position, entry) in (0u32..).zip(entries) {
            let hash = hasher.hash_one((self.local(*entry), self.domain(*entry)));
            // Room was made for all, so nothing is hashed again.
            left.insert_unique(hash, position, |_| hash);
        }
        let mut still = vec![false; entries.len()];
        for line in roster {
            if line.subscription.is_seen() {
                let hash = hasher.hash_one((line.local, line.domain));
                let same = |position: &u32| {
                    let entry = entries.get(*position as usize);
                    entry.is_some_and(|entry| {
                        self.local(*entry) == line.local && self.domain(*entry) == line.domain
                    })
                };
                let found = left
                    .find(hash, same)
                    .and_then(|p| still.get_mut(*p as usize));
                if let Some(entitled) = found {
                    *entitled = true;
                }
            }
        }
        let stays = still.first().copied().unwrap_or(false);
        let entitled = entries.iter().zip(still).filter(|(_, still)| *still);
        let entitled = entitled.map(|(entry, _)| *entry).collect();
        point!();
        // Until here nobody can be served: the page has ended.
        self.entries = entitled;
        self.progress.restart(stays);
        point!();
        self.go_on();
    }
}

fn is(author: &BareJid, local: &str, domain: &str) -> bool {
    author.domain() == domain && author.local().unwrap_or_default() == local
}
