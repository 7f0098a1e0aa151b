//! Who may see whose presence, as far as the server was asked.
//!
//! The truth is in the server's rosters; this is a memory of its answers, for as long as somebody tells
//! it of every change. It knows two things of an author: all who may see him, once his roster was
//! [loaded](Rosters::load) because he publishes, and [answers](Rosters::answer) about single readers.
//! A change of his roster makes both forgotten.
//!
//! A change is told twice: when it [begins](Rosters::begin_change), since from then on the server's data
//! may be the new ones, and when it [ends](Rosters::end_change), since until then they may be the old ones.
//! In between nothing is remembered of that author.
//!
//! As with the index of posts, what was read from the server is offered under the [`Version`] that was
//! asked for before it was read: if a change was told meanwhile, the offer is [`Offer::Stale`].

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use ahash::{AHashMap, AHashSet};
use parking_lot::{RwLock, RwLockWriteGuard};

use crate::failpoints::point;
use crate::fanout::{Here, Line, Recipients};
use crate::forgetful::{Forget, Held};
use crate::friends::Subscription;
use crate::jid::BareJid;
use crate::names::{NameId, Names};
use crate::service::{Offer, Version};

/// So many addresses are looked at before others get the lock.
const STEP: usize = 4096;
/// Counts the memories, so that no version of one is a version of another: a fan-out that was begun with
/// one may go on with the next.
static MEMORIES: AtomicU32 = AtomicU32::new(0);
/// What an author takes beside his lists, in bytes.
const AUTHOR: usize = 96;

/// The answers of a server's rosters. Memory: 4 bytes for each reader of an author who publishes, 10 at
/// most for an answer about another one, about 40 for each address.
///
/// ```
/// use twitter_core::{jid::BareJid, rosters::Rosters, service::Offer};
/// let rosters = Rosters::new(1_000_000);
/// let [alice, bob] = [BareJid::parse("alice@h")?, BareJid::parse("bob@h")?];
/// assert_eq!(rosters.sees(&bob, &alice), None);
/// let version = rosters.version(&alice);
/// // Now the server is asked.
/// assert_eq!(rosters.answer(&alice, version, &bob, true), Offer::Taken);
/// assert_eq!(rosters.sees(&bob, &alice), Some(true));
/// // And Alice's roster changes.
/// rosters.begin_change(&alice);
/// assert_eq!(rosters.sees(&bob, &alice), None);
/// let version = rosters.version(&alice);
/// assert_eq!(rosters.answer(&alice, version, &bob, true), Offer::Stale);
/// rosters.end_change(&alice);
/// # Ok::<(), twitter_core::jid::InvalidJid>(())
/// ```
#[derive(Debug)]
pub struct Rosters {
    budget: usize,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Counts the versions of all authors together, so that none comes twice.
    versions: u64,
    names: Names,
    authors: AHashMap<NameId, Author>,
    /// Authors whose rosters are changing, and how many changes there are. By name, so that nothing else
    /// must be right for it to be.
    changing: AHashMap<Box<str>, u32>,
    bytes: usize,
}

#[derive(Debug)]
struct Author {
    version: Version,
    /// All who may see him, in the order of their numbers.
    seen_by: Option<Arc<[NameId]>>,
    /// Answers about single readers.
    answers: AHashSet<u32>,
}

impl Rosters {
    /// Knows nothing; keeps at most about `budget` bytes, and what one author needs.
    #[must_use]
    pub fn new(budget: usize) -> Self {
        let memory = MEMORIES.fetch_add(1, Ordering::Relaxed);
        let state = State {
            versions: u64::from(memory) << 32,
            ..State::default()
        };
        Self {
            budget,
            state: RwLock::new(state),
        }
    }

    /// The version of what is known of an author; to be asked for before the server is.
    pub fn version(&self, author: &BareJid) -> Version {
        let known = |state: &State| Some(state.author(author)?.version);
        if let Some(version) = known(&self.state.read()) {
            return version;
        }
        let mut state = self.write();
        if let Some(version) = known(&state) {
            return version;
        }
        state.make_room(self.budget);
        state.versions = state.versions.wrapping_add(1);
        let version = Version(state.versions);
        if state.changing.contains_key(author.as_str()) {
            return version;
        }
        if let Some(id) = state.names.number(author.as_str()) {
            state.bytes = state.bytes.saturating_add(AUTHOR);
            point!();
            let new = Author {
                version,
                seen_by: None,
                answers: AHashSet::new(),
            };
            state.authors.insert(id, new);
        }
        version
    }

    /// Offers everybody who stands in the author's roster with the right to see him, in any order.
    /// Cost: O(n log n); others wait for no more than some thousand of them.
    pub fn load<'r>(
        &self,
        author: &BareJid,
        read_under: Version,
        readers: impl IntoIterator<Item = &'r str>,
    ) -> Offer {
        self.write().make_room(self.budget);
        let mut ids = Vec::new();
        let mut readers = readers.into_iter().peekable();
        while readers.peek().is_some() {
            let mut state = self.write();
            // Whether the numbers so far still mean the same.
            if state
                .author(author)
                .is_none_or(|author| author.version != read_under)
            {
                return Offer::Stale;
            }
            let numbers = readers.by_ref().take(STEP);
            ids.extend(numbers.filter_map(|name| state.names.number(name)));
        }
        ids.sort_unstable();
        ids.dedup();
        self.offer(author, read_under, |author| {
            author.seen_by = Some(ids.into());
            point!();
            author.answers = AHashSet::new();
        })
    }

    /// Offers whether one reader may see the author.
    pub fn answer(
        &self,
        author: &BareJid,
        read_under: Version,
        reader: &BareJid,
        sees: bool,
    ) -> Offer {
        let mut state = self.write();
        state.make_room(self.budget);
        let Some(reader) = state.names.number(reader.as_str()) else {
            return Offer::Stale;
        };
        drop(state);
        self.offer(author, read_under, |author| {
            if author.seen_by.is_none() {
                author.answers.insert(reader.with(sees));
            }
        })
    }

    fn offer(
        &self,
        author: &BareJid,
        read_under: Version,
        take: impl FnOnce(&mut Author),
    ) -> Offer {
        let mut state = self.write();
        let State {
            names,
            authors,
            bytes,
            ..
        } = &mut *state;
        let author = names
            .find(author.as_str())
            .and_then(|id| authors.get_mut(&id));
        match author {
            Some(author) if author.version == read_under => {
                *bytes = bytes.saturating_sub(author.bytes());
                take(author);
                point!();
                *bytes = bytes.saturating_add(author.bytes());
                Offer::Taken
            }
            _ => Offer::Stale,
        }
    }

    /// The author's roster begins to change: nothing is known of it until that has ended.
    pub fn begin_change(&self, author: &BareJid) {
        let mut state = self.write();
        let changes = state.changing.entry(author.as_str().into()).or_insert(0);
        *changes = changes.saturating_add(1);
        point!();
        state.forget_author(author);
    }

    /// A change of the author's roster has ended.
    pub fn end_change(&self, author: &BareJid) {
        let mut state = self.write();
        state.forget_author(author);
        point!();
        let Some(changes) = state.changing.get_mut(author.as_str()) else {
            return;
        };
        *changes = changes.saturating_sub(1);
        if *changes == 0 {
            state.changing.remove(author.as_str());
        }
    }

    /// Anything may have changed.
    pub fn reset(&self) {
        self.write().forget();
    }

    /// Whether the reader may see the author, if that is known.
    pub fn sees(&self, reader: &BareJid, author: &BareJid) -> Option<bool> {
        self.state.read().sees(reader, author)
    }

    /// The same for many authors. Cost: two or three look-ups for each.
    pub fn sees_all(&self, reader: &BareJid, authors: &[BareJid]) -> Vec<Option<bool>> {
        let state = self.state.read();
        authors
            .iter()
            .map(|author| state.sees(reader, author))
            .collect()
    }

    /// Whom a post of the author goes to, if his roster is loaded: see [`Recipients::of`].
    pub fn recipients<A: Clone + PartialEq>(
        &self,
        author: &BareJid,
        here: &Here<'_, A>,
        hosts: &[&str],
    ) -> Option<Recipients> {
        let (version, list) = self.seen_by(author)?;
        let mut recipients = Recipients::remembered(version);
        for step in list.chunks(STEP) {
            let state = self.state.read();
            // Whether the numbers still mean the same.
            state
                .author(author)
                .filter(|author| author.version == version)?;
            recipients.add(
                author,
                step.iter().map(|id| line(state.names.name(*id))),
                here,
                hosts,
            );
        }
        recipients.complete();
        Some(recipients)
    }

    /// Who on a domain may see the author, if his roster is loaded; in no order. Cost: O(readers).
    ///
    /// ```
    /// use twitter_core::{jid::BareJid, rosters::Rosters};
    /// let rosters = Rosters::new(1_000_000);
    /// let [alice, bob] = [BareJid::parse("alice@h")?, BareJid::parse("bob@b")?];
    /// rosters.load(&alice, rosters.version(&alice), ["bob@b", "carol@c"]);
    /// assert_eq!(rosters.readers_at(&alice, "b"), Some(vec!["bob@b".to_owned()]));
    /// assert_eq!(rosters.readers_at(&bob, "b"), None);
    /// # Ok::<(), twitter_core::jid::InvalidJid>(())
    /// ```
    pub fn readers_at(&self, author: &BareJid, domain: &str) -> Option<Vec<String>> {
        let (version, list) = self.seen_by(author)?;
        let mut readers = Vec::new();
        for step in list.chunks(STEP) {
            let state = self.state.read();
            state
                .author(author)
                .filter(|author| author.version == version)?;
            let names = step.iter().map(|id| state.names.name(*id));
            readers.extend(
                names
                    .filter(|name| line(name).domain == domain)
                    .map(str::to_owned),
            );
        }
        Some(readers)
    }

    /// Lets [`Recipients::next`] go on, without those who lost the right; `false` if the author's
    /// roster is not loaded. Cost: nothing if it has not changed, else as for [`Recipients::recheck`].
    pub fn recheck(&self, author: &BareJid, recipients: &mut Recipients) -> bool {
        let Some((version, list)) = self.seen_by(author) else {
            return false;
        };
        if recipients.is_of(version) {
            recipients.go_on();
            return true;
        }
        let state = self.state.read();
        let same = state
            .author(author)
            .is_some_and(|author| author.version == version);
        if same {
            recipients.recheck(list.iter().map(|id| line(state.names.name(*id))));
            recipients.remember(version);
        }
        same
    }

    fn write(&self) -> Held<RwLockWriteGuard<'_, State>> {
        Held::new(self.state.write())
    }

    fn seen_by(&self, author: &BareJid) -> Option<(Version, Arc<[NameId]>)> {
        let state = self.state.read();
        let author = state.author(author)?;
        Some((author.version, Arc::clone(author.seen_by.as_ref()?)))
    }

    /// What all of it takes, in bytes, about.
    pub fn bytes(&self) -> usize {
        self.state.read().bytes()
    }
}

/// A reader as a line of the author's roster.
fn line(name: &str) -> Line<'_> {
    let (local, domain) = name.split_once('@').unwrap_or(("", name));
    Line {
        local,
        domain,
        subscription: Subscription::From,
    }
}

impl State {
    fn author(&self, author: &BareJid) -> Option<&Author> {
        self.authors.get(&self.names.find(author.as_str())?)
    }

    fn sees(&self, reader: &BareJid, author: &BareJid) -> Option<bool> {
        let author = self.author(author)?;
        let reader = self.names.find(reader.as_str());
        match &author.seen_by {
            // Whoever stands in no list that was loaded has no number, perhaps.
            Some(list) => Some(reader.is_some_and(|reader| list.binary_search(&reader).is_ok())),
            None => [true, false].into_iter().find(|sees| {
                reader.is_some_and(|reader| author.answers.contains(&reader.with(*sees)))
            }),
        }
    }

    fn forget_author(&mut self, author: &BareJid) {
        let known = self.names.find(author.as_str());
        if let Some(gone) = known.and_then(|id| self.authors.remove(&id)) {
            point!();
            self.bytes = self.bytes.saturating_sub(gone.bytes());
        }
    }

    fn bytes(&self) -> usize {
        self.bytes.saturating_add(self.names.bytes())
    }

    /// Before anything is added: numbers are not taken back one by one.
    fn make_room(&mut self, budget: usize) {
        if self.bytes() > budget {
            self.forget();
        }
    }
}

impl Forget for State {
    /// All but the changes that have begun, for they will end, and the versions that were given.
    fn forget(&mut self) {
        self.authors = AHashMap::new();
        self.names = Names::default();
        self.bytes = 0;
    }
}

impl Author {
    fn bytes(&self) -> usize {
        let list = self.seen_by.as_ref().map_or(0, |list| list.len());
        let list = list.saturating_mul(size_of::<NameId>());
        let answers = self.answers.len().saturating_mul(size_of::<u32>());
        AUTHOR.saturating_add(list).saturating_add(answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fanout::Next;
    use crate::jid::InvalidJid;

    #[test]
    fn a_new_memory_checks_what_was_noted_by_the_former() -> Result<(), InvalidJid> {
        let alice = BareJid::parse("alice@h")?;
        let load = |readers: &[&str]| {
            let rosters = Rosters::new(usize::MAX);
            let version = rosters.version(&alice);
            let offer = rosters.load(&alice, version, readers.iter().copied());
            assert_eq!(offer, Offer::Taken);
            rosters
        };
        let noted = load(&["bob@h"]).recipients::<u8>(&alice, &[], &["h"]);
        let mut noted = noted.unwrap_or_default();
        assert_eq!(noted.left(), 1);
        assert!(load(&["carol@h"]).recheck(&alice, &mut noted));
        assert_eq!(noted.next::<u8>(&[]), Next::Done);
        Ok(())
    }
}
